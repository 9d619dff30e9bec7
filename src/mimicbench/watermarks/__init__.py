"""Marks that an owner hides in a mentor, to know a copy by them. One scheme a file."""

from mimicbench.watermarks.evidence import Evidence, Triggers
from mimicbench.watermarks.watermark import Added, TriggerMark, TunedMark, Watermark

__all__ = ["Added", "Evidence", "TriggerMark", "Triggers", "TunedMark", "Watermark"]
