"""What mentors do: classes, train and test images. One task a file."""

from mimicbench.tasks.task import LabelledImages, Task

__all__ = ["LabelledImages", "Task"]
