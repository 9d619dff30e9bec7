"""Some of the images that a student learned from, what they are made of, and what the mentor thinks of them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from mimicbench.attacks import Attack
from mimicbench.files import arrays, atomic
from mimicbench.mentors import Mentor

FILE = "examples.npz"
_COUNT = 24


@dataclass(frozen=True)
class Examples:
    """The first M training images of a run, before any augmentation (the paper's Figures 1 and 2).

    Attributes:
        classes: The K class names.
        images: uint8 [M, H, W, C].
        sources: uint8 [M, n, H, W, C], the pool images that they are made of.
        weights: float32 [M, n], how much of each; rows sum to 1.
        mentor: float32 [M, K], the mentor's probabilities for the images; the owner's view, whatever the oracle shows.
        mentor_of_sources: float32 [M, n, K], those for the pool images.
    """

    classes: tuple[str, ...]
    images: np.ndarray
    sources: np.ndarray
    weights: np.ndarray
    mentor: np.ndarray
    mentor_of_sources: np.ndarray

    @classmethod
    def of(cls, attack: Attack, mentor: Mentor) -> "Examples | None":
        """Those of an attack, if it can tell what its images are made of. Counts as no query: the owner looks."""
        draws = attack.examples(_COUNT)
        if draws is None:
            return None
        sources = attack.pool.images[draws.index]
        count, parts, *shape = sources.shape
        index, weight = torch.from_numpy(draws.index), torch.from_numpy(draws.weight.astype(np.float32))
        images = attack.images.blend(index, weight)
        of_sources = mentor(attack.images.take(index.flatten())).cpu().numpy()
        return cls(
            mentor.classes,
            images.permute(0, 2, 3, 1).mul(255).round().byte().cpu().numpy(),
            sources.reshape(count, parts, *shape),
            weight.numpy(),
            mentor(images).cpu().numpy(),
            of_sources.reshape(count, parts, -1),
        )

    @property
    def blended(self) -> np.ndarray:
        """float32 [M, K]: the probabilities that blending those of the sources would predict (Figure 2)."""
        return np.asarray(np.einsum("mn,mnk->mk", self.weights, self.mentor_of_sources))

    def save(self, folder: Path) -> None:
        """Write ``examples.npz``."""
        with atomic(folder / FILE) as temporary:
            np.savez_compressed(temporary, **{**vars(self), "classes": np.array(self.classes)})

    @classmethod
    def read(cls, folder: Path) -> "Examples | None":
        """Those of a job, if it left any that can be read."""
        kept = arrays(folder / FILE, tuple(cls.__annotations__))
        return None if kept is None else cls(**(kept | {"classes": tuple(map(str, kept["classes"]))}))
