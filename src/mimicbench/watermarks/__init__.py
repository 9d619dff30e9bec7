"""Marks that an owner hides in a mentor, to know a copy by them. One scheme a file."""

from mimicbench.watermarks.watermark import Added, Triggers, Watermark

__all__ = ["Added", "Triggers", "Watermark"]
