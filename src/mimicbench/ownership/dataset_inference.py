"""Whether a suspect knows a mentor's training images from others: a test that needs no mark."""

import numpy as np
import torch
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from mimicbench.counter_rng import seed_for
from mimicbench.errors import UserError
from mimicbench.mentors import Mentor
from mimicbench.ownership.finding import Finding
from mimicbench.ownership.owned import Owned
from mimicbench.ownership.verdict import LEVEL, Gate, close, judged_alone
from mimicbench.resident import ResidentImages
from mimicbench.tasks.task import LabelledImages

_STEPS = 50
_SCALES = {"uniform": 0.005, "normal": 0.005, "laplace": 0.01}  # of one step of a walk, for pixels in [0, 1]
_DIRECTIONS = 10  # of each
FEWEST_POINTS = 40
"""Images on each side."""


def dataset_inference(owned: Owned, suspect: Mentor, points: int = 1000, subsets: int = 20, seed: int = 0) -> Finding:
    """Maini et al. 2021, "Dataset inference: ownership resolution in machine learning" (blind walk).

    A network is surer of what it was trained on, and so is its copy: its training images lie farther from the border of
    their class than others. The features of an image are how many steps it takes in each of 30 random directions
    until the network no longer says its class (:func:`steps_to_the_border`). On one half of the images, a regression
    learns on the *mentor* to tell training images from test images; on the other half, it is asked about the
    *suspect*, and a one-sided Welch test compares what it says of the two kinds. The source's regression is a small
    network; here it is a logistic one.

    The p-values of several random halves of the second half are combined by their harmonic mean times e ln(n), which
    holds however they depend on each other (Vovk and Wang 2020, proposition 9).

    The null is that a network which never saw the mentor treats both kinds alike; so they must be of one distribution,
    and a suspect that was trained on the task's own training images by itself is found too.

    Args:
        owned: The mentor.
        suspect: What is tried.
        points: Training images, and as many test images, where there are that many.
        subsets: How many halves.
        seed: Of points, directions and halves.

    Raises:
        UserError: The task has too few images.
    """
    train, test = _points(owned, points, seed)
    known, control = (_features(one, train, test, seed) for one in (owned.mentor, owned.fine_tuned()))
    asked = _features(suspect, train, test, seed)
    half = len(known[0]) // 2
    scale = StandardScaler().fit(np.concatenate([one[:half] for one in known]))
    regression = LogisticRegression(max_iter=1000).fit(
        np.concatenate([scale.transform(one[:half]) for one in known]), np.repeat([1, 0], half)
    )

    def told(features: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """How far the regression takes the images of the second half for training images: train, test."""
        one, other = (regression.predict_proba(scale.transform(part[half:]))[:, 1] for part in features)
        return one, other

    confidence = told(asked)
    p_value = combined_p_value(*confidence, subsets, seed)
    in_copy = combined_p_value(*told(control), subsets, seed)
    gates = [
        close([owned.accuracy], [owned.accuracy_of(suspect)]),
        Gate(f"a fine-tuned copy of the mentor should be detected: p = {in_copy:.2g}", in_copy <= LEVEL),
    ]
    word, sentence = judged_alone(p_value, gates)
    effect = float(confidence[0].mean() - confidence[1].mean())
    return Finding(
        "dataset inference",
        effect,
        f"training images look {100 * effect:+.1f} points more like training images than test images do",
        f"Welch, {len(confidence[0])} and {len(confidence[1])} images, {subsets} subsets combined; a network "
        "that was trained on the task's own images by itself is found too",
        p_value,
        gates,
        word,
        sentence,
    )


def combined_p_value(train: np.ndarray, test: np.ndarray, subsets: int, seed: int) -> float:
    """One-sided, of the mean of ``train`` being above that of ``test``.

    Args:
        train: float [N].
        test: float [M].
        subsets: Random halves of both on which Welch's test is made.
        seed: Decides them.
    """
    random = np.random.default_rng(seed)
    values = []
    for _ in range(subsets):
        one, other = (random.permutation(side)[: (len(side) + 1) // 2] for side in (train, test))
        if one.std() + other.std() == 0:  # Welch's test divides by it
            values.append(1.0)
            continue
        values.append(float(stats.ttest_ind(one, other, equal_var=False, alternative="greater").pvalue))
    mean = float(stats.hmean(np.maximum(values, np.finfo(float).tiny)))
    return min(1.0, mean * float(np.e * np.log(subsets) if subsets > 1 else 1.0))


def _points(owned: Owned, points: int, seed: int) -> tuple[LabelledImages, LabelledImages]:
    count = min(points, len(owned.task.train.labels), len(owned.task.test.labels))
    if count < FEWEST_POINTS:
        raise UserError(
            f"Dataset inference needs {FEWEST_POINTS} training and test images; this task has {count} of one."
        )
    random = np.random.default_rng(seed_for("dataset inference points", seed))
    parts = []
    for side in (owned.task.train, owned.task.test):
        chosen = random.choice(len(side.labels), count, replace=False)  # in random order: halves are alike
        parts.append(LabelledImages(np.asarray(side.images[chosen]), side.labels[chosen]))
    return parts[0], parts[1]


def _features(network: Mentor, train: LabelledImages, test: LabelledImages, seed: int) -> tuple[np.ndarray, np.ndarray]:
    return steps_to_the_border(network, train, seed), steps_to_the_border(network, test, seed + 1)


def steps_to_the_border(network: Mentor, points: LabelledImages, seed: int) -> np.ndarray:
    """How far images can be moved in random directions until a network no longer gives their class.

    Found by bisection, in 8 questions where the source's walk asks up to 50; a direction that crosses several borders
    ends at any of them.

    Args:
        network: Where the border is.
        points: N images with their classes.
        seed: Of the directions, ten each of uniform, normal and Laplace noise.

    Returns:
        float64 [N, 30], steps from 0 (another class from the beginning) to 50 (still the class there).
    """
    images = ResidentImages(points.images, network.device).take(torch.arange(len(points.labels)))
    labels = torch.from_numpy(points.labels).to(images.device)
    generator = torch.Generator().manual_seed(seed)
    inside = network(images).argmax(1) == labels
    columns = []
    for kind in _SCALES:
        for _ in range(_DIRECTIONS):
            direction = _noise(kind, images.shape, generator).to(images.device)
            columns.append(_walked(network, images, labels, direction) * inside)
    return torch.stack(columns, 1).cpu().numpy().astype(np.float64)


def _walked(network: Mentor, images: Tensor, labels: Tensor, direction: Tensor) -> Tensor:
    """Steps in one direction an image, int64 [N], where all are in their class at the beginning."""

    def stays(places: Tensor, steps: Tensor) -> Tensor:
        moved = images[places] + steps[:, None, None, None] * direction[places]
        return network(moved.clamp_(0, 1)).argmax(1) == labels[places]

    within = torch.zeros(len(images), dtype=torch.int64, device=images.device)
    beyond = torch.full_like(within, _STEPS)
    open_ = torch.arange(len(images), device=images.device)
    open_ = open_[~stays(open_, beyond)]
    while len(open_):
        middle = (within[open_] + beyond[open_]) // 2
        still = stays(open_, middle)
        within[open_[still]] = middle[still]
        beyond[open_[~still]] = middle[~still]
        open_ = open_[beyond[open_] - within[open_] > 1]
    return beyond


def _noise(kind: str, shape: torch.Size, generator: torch.Generator) -> Tensor:
    scale = _SCALES[kind]
    if kind == "normal":
        return scale * torch.randn(shape, generator=generator)
    uniform = 2 * torch.rand(shape, generator=generator) - 1
    if kind == "uniform":
        return scale * uniform
    return -scale * uniform.sign() * torch.log1p(-uniform.abs())  # Laplace, by inversion
