"""Marks that an owner hides in a mentor, to know a copy by them. One scheme a file."""

from mimicbench.watermarks.watermark import Added, TriggerMark, Triggers, TunedMark, Tuning, Watermark

__all__ = ["Added", "TriggerMark", "Triggers", "TunedMark", "Tuning", "Watermark"]
