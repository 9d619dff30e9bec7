"""What is mimicked: a black box, images in, scores out. One kind of mentor a file."""

from mimicbench.mentors.mentor import Mentor
from mimicbench.mentors.network import NetworkMentor

__all__ = ["Mentor", "NetworkMentor"]
