"""What an owner keeps of a mark, to try a suspect with."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from mimicbench.errors import UserError
from mimicbench.files import arrays, atomic
from mimicbench.mentors import Mentor
from mimicbench.resident import ResidentImages

FILE = "watermark.npz"
"""In the folder of a job whose mentor is marked. A secret."""


@dataclass(frozen=True)
class Evidence(ABC):
    """All that the owner's test needs.

    Attributes:
        scheme: The mark's name.
        key: The owner's secret, from which it was made.
        threshold: The score from which the owner claims a suspect.
    """

    scheme: str
    key: int
    threshold: float

    kind: ClassVar[str]

    @property
    @abstractmethod
    def size(self) -> int:
        """How many triggers, or bits, there are."""

    @abstractmethod
    def score(self, suspect: Mentor) -> float | None:
        """How much of the mark a suspect shows, from 0 to 1; None where that is not defined."""

    def save(self, folder: Path) -> None:
        """Write ``watermark.npz``."""
        with atomic(folder / FILE) as temporary:
            kept: dict[str, Any] = {"kind": self.kind, **vars(self)}
            np.savez_compressed(temporary, **kept)

    @staticmethod
    def read(file: Path) -> "Evidence":
        """What was kept.

        Raises:
            UserError: The file is missing, damaged, or something else.
        """
        if not file.exists():
            raise UserError(f"{file} does not exist; give the {FILE} that a job with a marked mentor left.")
        named = arrays(file, ("kind",))
        known: dict[str, type[Evidence]] = {one.kind: one for one in (Triggers, Message)}
        found = known.get(str(named["kind"])) if named is not None else None
        kept = arrays(file, tuple(_names(found))) if found is not None else None
        made = found(**{name: _plain(value) for name, value in kept.items()}) if found and kept else None
        if made is None or not made._sound():
            raise UserError(f"{file} is no key file of a mark; give the {FILE} that a job with a marked mentor left.")
        return made

    def _sound(self) -> bool:
        """Whether all values are of the kinds and shapes that they should be."""
        kinds = isinstance(self.scheme, str) and isinstance(self.key, int) and isinstance(self.threshold, float)
        return kinds and 0 < self.threshold <= 1


@dataclass(frozen=True)
class Triggers(Evidence):
    """Images by which an owner knows a marked network.

    Attributes:
        images: uint8 [n, H, W, C].
        labels: int64 [n], what a marked network says of them, and hardly another one.
    """

    images: np.ndarray
    labels: np.ndarray

    kind: ClassVar[str] = "triggers"

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self.labels)

    def score(self, suspect: Mentor) -> float | None:
        """The share of triggers of which a suspect says what a marked network says."""
        said = suspect.answers(ResidentImages(self.images, suspect.device)).argmax(1).numpy()
        return float((said == self.labels).mean())

    def _sound(self) -> bool:
        return (
            super()._sound()
            and _array(self.images, np.uint8, 4)
            and _array(self.labels, np.int64, 1)
            and len(self.images) == len(self.labels) > 0
            and int(self.labels.min()) >= 0
        )


@dataclass(frozen=True)
class Message(Evidence):
    """Bits in the weights of one convolution (Uchida et al. 2017).

    Attributes:
        bits: bool [n].
        layer: Which convolution, counted from 0.
        shape: int64 [4], of its weights in the mentor.
    """

    bits: np.ndarray
    layer: int
    shape: np.ndarray

    kind: ClassVar[str] = "message"

    @property
    def size(self) -> int:
        """How many bits there are."""
        return len(self.bits)

    def score(self, suspect: Mentor) -> float | None:
        """The share of bits that are right; None where the suspect has no such convolution, or does not show it."""
        layers = [] if suspect.network is None else convolutions(suspect.network)
        if self.layer >= len(layers) or tuple((carrier := layers[self.layer]).weight.shape) != tuple(self.shape):
            return None
        with torch.no_grad():
            said = (readings(carrier, self.key, self.size) > 0).cpu().numpy()
        return float((said == self.bits).mean())

    def _sound(self) -> bool:
        return (
            super()._sound()
            and _array(self.bits, np.bool_, 1)
            and len(self.bits) > 0
            and isinstance(self.layer, int)
            and self.layer >= 0
            and _array(self.shape, np.int64, 1)
        )


def convolutions(network: nn.Module) -> list[nn.Conv2d]:
    """All of a network's, in the order in which it holds them."""
    return [module for module in network.modules() if isinstance(module, nn.Conv2d)]


def readings(carrier: nn.Conv2d, key: int, count: int) -> Tensor:
    """X w̄: the mean of the weights over the filters by a matrix of N(0, 1) from the key; float32 [count]."""
    mean = carrier.weight.float().mean(0).flatten()
    return _matrix(key, count, len(mean), mean.device) @ mean


@lru_cache(maxsize=4)
def _matrix(key: int, rows: int, columns: int, device: torch.device) -> Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(key)).to(device)


def _array(value: Any, kind: type[np.generic], dimensions: int) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == kind and value.ndim == dimensions


def _names(kind: type[Evidence]) -> list[str]:
    return [one.name for one in fields(kind)]


def _plain(value: Any) -> Any:
    """Strings and numbers as such, arrays as arrays."""
    return value.item() if value.ndim == 0 else value
