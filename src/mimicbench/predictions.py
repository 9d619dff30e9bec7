"""What mentor and student make of the test images: all that figures of a finished job need."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mimicbench.evaluation import Evaluation
from mimicbench.files import arrays, atomic
from mimicbench.hardware import Hardware

FILE = "predictions.npz"


@dataclass(frozen=True)
class Calibration:
    """How often answers of about the same confidence are right (Guo et al. 2017, section 2).

    Attributes:
        confidence: float64 [B], mean confidence of the answers in each bin; NaN where there are none.
        accuracy: float64 [B], the share of them that is right; NaN where there are none.
        count: int64 [B], how many there are.
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    count: np.ndarray

    @property
    def error(self) -> float:
        """Expected calibration error: mean of |accuracy - confidence| over all answers."""
        gaps = np.abs(np.nan_to_num(self.accuracy - self.confidence))
        return float((gaps * self.count).sum() / max(self.count.sum(), 1))


@dataclass(frozen=True)
class Predictions:
    """Probabilities on the task's N test images of K classes.

    Attributes:
        classes: The K class names.
        labels: int64 [N], the true classes.
        mentor: float32 [N, K], rows that sum to 1.
        student: float32 [N, K], rows that sum to 1.
    """

    classes: tuple[str, ...]
    labels: np.ndarray
    mentor: np.ndarray
    student: np.ndarray

    def save(self, folder: Path) -> None:
        """Write ``predictions.npz``."""
        with atomic(folder / FILE) as temporary:
            np.savez_compressed(
                temporary, classes=np.array(self.classes), labels=self.labels, mentor=self.mentor, student=self.student
            )

    @classmethod
    def read(cls, folder: Path) -> "Predictions | None":
        """Those of a job, if it left any that can be read."""
        kept = arrays(folder / FILE, tuple(cls.__annotations__))
        return None if kept is None else cls(**(kept | {"classes": tuple(map(str, kept["classes"]))}))

    @property
    def mentor_labels(self) -> np.ndarray:
        """int64 [N], the classes that the mentor gives."""
        return np.asarray(self.mentor.argmax(1))

    @property
    def student_labels(self) -> np.ndarray:
        """int64 [N], the classes that the student gives."""
        return np.asarray(self.student.argmax(1))

    def confusion(self) -> np.ndarray:
        """int64 [K, K]: how many images the mentor puts in class i (rows) and the student in class j (columns)."""
        count = len(self.classes)
        pairs = count * self.mentor_labels + self.student_labels
        return np.bincount(pairs, minlength=count * count).reshape(count, count)

    def class_fidelity(self) -> np.ndarray:
        """float64 [K]: of the images that the mentor puts in a class, the share that the student puts there too.

        NaN for classes in which the mentor puts none.
        """
        confusion = self.confusion()
        with np.errstate(invalid="ignore"):
            return np.asarray(confusion.diagonal() / confusion.sum(1))

    def calibration(self, probabilities: np.ndarray, bins: int = 15) -> Calibration:
        """That of :attr:`mentor` or :attr:`student`; see :func:`calibration`."""
        return calibration(probabilities, self.labels, bins)


def calibration(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> Calibration:
    """How sure answers are and how often they are right, in bins of equal width.

    Args:
        probabilities: float [N, K], rows that sum to 1.
        labels: int64 [N], the true classes.
        bins: B.
    """
    confidence, right = probabilities.max(1).astype(np.float64), probabilities.argmax(1) == labels
    place = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean, share = (np.bincount(place, weights, bins) / count for weights in (confidence, right))
    return Calibration(mean, share, count)


@torch.no_grad()
def predicted(network: nn.Module, evaluation: Evaluation, hardware: Hardware) -> Tensor:
    """A network's probabilities on the test images, in evaluation mode and in the arithmetic of the run.

    Args:
        network: Images, float [B, C, H, W] in [0, 1], to logits, float [B, K]; left where the run's device is.
        evaluation: The test images.
        hardware: Where it runs.

    Returns:
        float32 [N, K] on the CPU, rows that sum to 1.
    """
    network = network.to(hardware.device).eval()
    with hardware.autocast():
        logits = [network(images).float() for images in evaluation.all_images()]
    return torch.cat(logits).softmax(1).cpu()
