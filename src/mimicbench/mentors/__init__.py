"""What is mimicked: a black box, images in, scores out. One kind of mentor a file."""

from mimicbench.mentors.mentor import Mentor

__all__ = ["Mentor"]
