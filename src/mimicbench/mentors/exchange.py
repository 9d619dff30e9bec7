"""How images are put to a model that is not ours, and what its answers mean."""

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import ConfigDict, Field, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass as checked

from mimicbench.errors import UserError

Layout = Literal["nchw", "nhwc"]
Says = Literal["probabilities", "logits", "label"]
Shape = tuple[int | None, ...]

_COLOURS = 3
_SUM = 0.01  # how far the sum of probabilities may be from 1, for some are sent as float16
_SURE = 4  # so many answers in a row are no distributions by chance

_Level = Annotated[float, Field(ge=0, le=1)]  # of a colour


@dataclass(frozen=True)
class Port:
    """An input or output that a model offers.

    Attributes:
        name: Its own.
        dtype: Of its numbers; None where the model does not say; where it is none of these, its name there.
        shape: None where the model does not say; within it, None for any length.
    """

    name: str
    dtype: torch.dtype | str | None = None
    shape: Shape | None = None

    def __str__(self) -> str:
        sizes = "of unknown shape" if self.shape is None else f"[{', '.join(_length(one) for one in self.shape)}]"
        kind = "" if self.dtype is None else f" {str(self.dtype).removeprefix('torch.')}"
        return f"'{self.name}'{kind} {sizes}"


@checked(frozen=True, config=ConfigDict(extra="forbid"))
class ModelIO:
    """What the configuration says of a model; None where the model is to say it.

    Attributes:
        input: Name of the input that takes the images.
        output: Name of the output that answers.
        layout: ``nchw`` or ``nhwc``.
        size: Height and width of its images, in pixels.
        batch: How many images it takes at a time.
        range: What white is: 1 or 255.
        mean: Of each colour in [0, 1], subtracted from pixels in [0, 1].
        std: Of each colour, by which they are then divided.
        says: What the output holds: ``probabilities``, ``logits`` or a ``label``.
    """

    input: str | None = None
    output: str | None = None
    layout: Layout | None = None
    size: PositiveInt | None = None
    batch: PositiveInt | None = None
    range: Literal[1, 255] | None = None
    mean: tuple[_Level, _Level, _Level] | None = None
    std: tuple[PositiveFloat, PositiveFloat, PositiveFloat] | None = None
    says: Says | None = None


@dataclass(frozen=True)
class Exchange:
    """The language of one model.

    Attributes:
        layout: Of the images that it takes.
        size: Their height and width, in pixels.
        white: 1 or 255.
        whole: Whether pixels are bytes.
        mean: Of each colour, in [0, 1]; None for none.
        std: Likewise.
        says: What its answers are.
        classes: K.
        batch: How many images it takes at a time, neither more nor fewer; None for any number.
    """

    layout: Layout
    size: int
    white: Literal[1, 255]
    whole: bool
    mean: tuple[float, float, float] | None
    std: tuple[float, float, float] | None
    says: Says
    classes: int
    batch: int | None

    def put(self, images: torch.Tensor) -> torch.Tensor:
        """What is sent.

        Args:
            images: float [B, 3, H, W] in [0, 1].

        Returns:
            float32 or uint8 [B, 3, size, size] or [B, size, size, 3].
        """
        if images.shape[-1] != self.size:
            images = F.interpolate(images, (self.size, self.size), mode="bilinear", antialias=True).clamp(0, 1)
        if self.mean is not None:
            images = images - images.new_tensor(self.mean)[:, None, None]
        if self.std is not None:
            images = images / images.new_tensor(self.std)[:, None, None]
        pixels = images * self.white
        pixels = pixels.round().to(torch.uint8) if self.whole else pixels.float()
        return (pixels if self.layout == "nchw" else pixels.permute(0, 2, 3, 1)).contiguous()

    def filled(self, sent: torch.Tensor) -> torch.Tensor:
        """What is sent, made up with black images to a batch where a model takes no fewer."""
        missing = 0 if self.batch is None else self.batch - len(sent)
        return F.pad(sent, [0, 0] * (sent.dim() - 1) + [0, missing]) if missing > 0 else sent

    def problem(self, answers: torch.Tensor, count: int) -> str | None:
        """What is wrong with what was answered to ``count`` images, whatever the model says; None if nothing is."""
        own = "; see mentor.io.says and output, and that its classes are the task's"
        if self.says == "label":
            labels = answers.flatten()
            if answers.dim() == 0 or len(labels) != count:
                return f"it answers {list(answers.shape)} to {count} images, which are no labels{own}"
            if not ((labels >= 0) & (labels < self.classes) & (labels == labels.round())).all():
                return f"it holds numbers that are no classes from 0 to {self.classes - 1}{own}"
        elif answers.shape != (count, self.classes):
            wanted = [count, self.classes]
            return f"it answers {list(answers.shape)} to {count} images, where {wanted} is asked for{own}"
        elif not answers.isfinite().all():
            return "it holds numbers that are not finite; see mentor.io.range"
        return None

    def understood(self, answers: torch.Tensor, count: int) -> torch.Tensor:
        """What was answered to ``count`` images: float32 [count, K], rows on the simplex.

        Raises:
            UserError: It has another shape, or is no number, or no class or distribution over K classes.
        """
        if wrong := self.problem(answers, count):
            raise UserError(f"The mentor's answer is of no use: {wrong}.")
        if self.says == "label":
            return F.one_hot(answers.flatten().long(), self.classes).float()
        answers = answers.float()
        distributions = answers.min() >= 0 and ((answers.sum(1) - 1).abs() <= _SUM).all()
        if self.says == "logits" and distributions and count >= _SURE:
            raise UserError("The mentor's answers are probabilities already; choose mentor.io.says=probabilities.")
        if self.says == "logits":
            return answers.softmax(1)
        if not distributions:
            raise UserError(
                "The mentor's answers are no probabilities: they do not sum to 1; choose mentor.io.says=logits."
            )
        return answers / answers.sum(1, keepdim=True)


def port(offered: list[Port], wanted: str | None, key: str, file: object) -> Port:
    """The one that is wanted among those that a model offers.

    Args:
        offered: All of them.
        wanted: Its name; None for the only one.
        key: ``mentor.io.input`` or ``mentor.io.output``.
        file: What offers them, for errors.

    Raises:
        UserError: There is no such one, or there are several and none is named.
    """
    found = [one for one in offered if wanted in (None, one.name)]
    if len(found) != 1:
        raise UserError(f"{file} offers {'; '.join(map(str, offered)) or 'nothing'}; name one of them as {key}.")
    return found[0]


def settled(wanted: ModelIO, takes: Port, gives: Port, size: int, classes: int, file: object) -> Exchange:
    """The language of a model: what it says of itself, and the configuration where it says nothing.

    Args:
        wanted: What the configuration says.
        takes: The input.
        gives: The output.
        size: The task's, for a model that takes any.
        classes: The task's.
        file: What offers them, for errors.

    Raises:
        UserError: Neither says it, or they contradict each other.
    """
    shape = takes.shape
    if shape is not None and len(shape) != 4:
        raise UserError(f"{file} takes {takes}, which are no batches of images; name another one as mentor.io.input.")
    layout = _layout(wanted, takes, file)
    own_size = None if shape is None else _size(shape, layout, takes, file)
    if wanted.size is not None and own_size is not None and wanted.size != own_size:
        raise UserError(f"mentor.io.size={wanted.size}, but {file} takes {takes}; leave it out.")
    if isinstance(gives.dtype, str):
        raise UserError(f"{file} answers with {gives}, a type that is not supported; name another mentor.io.output.")
    if takes.dtype not in (None, torch.float32, torch.uint8):
        raise UserError(f"{file} takes {takes}; only float32 and uint8 are supported.")
    whole = takes.dtype is torch.uint8
    white = wanted.range or (255 if whole else None)
    if white is None:
        raise UserError(f"{file} takes {takes}, and does not say whether white is 1 or 255; say it as mentor.io.range.")
    if whole and (white != 255 or wanted.mean is not None or wanted.std is not None):
        raise UserError(f"{file} takes {takes}: bytes, for which mentor.io.range is 255, and mean and std are null.")
    batch = wanted.batch if shape is None or shape[0] is None else shape[0]
    if wanted.batch not in (None, batch):
        raise UserError(f"mentor.io.batch={wanted.batch}, but {file} takes {takes}; leave it out.")
    says = _says(wanted, gives, classes, file)
    return Exchange(
        layout, wanted.size or own_size or size, white, whole, wanted.mean, wanted.std, says, classes, batch
    )


def _layout(wanted: ModelIO, takes: Port, file: object) -> Layout:
    if takes.shape is None:
        if wanted.layout is None:
            raise UserError(
                f"{file} does not say the order of its input's dimensions; say nchw or nhwc as mentor.io.layout."
            )
        return wanted.layout
    places: dict[Layout, int | None] = {"nchw": takes.shape[1], "nhwc": takes.shape[3]}
    possible = [one for one, length in places.items() if length in (None, _COLOURS)]
    sure = [one for one in possible if places[one] == _COLOURS]
    chosen = wanted.layout or (sure[0] if len(sure) == 1 else None)
    if chosen is None or chosen not in possible:
        raise UserError(f"{file} takes {takes}; say where its three colours are, nchw or nhwc, as mentor.io.layout.")
    return chosen


def _size(shape: Shape, layout: Layout, takes: Port, file: object) -> int | None:
    height, width = shape[2:] if layout == "nchw" else shape[1:3]
    if height is not None and width is not None and height != width:
        raise UserError(f"{file} takes {takes}, images that are not square; these are not supported.")
    return height or width


def _says(wanted: ModelIO, gives: Port, classes: int, file: object) -> Says:
    whole = isinstance(gives.dtype, torch.dtype) and not gives.dtype.is_floating_point
    says = wanted.says or ("label" if whole else None)
    if says is None:
        raise UserError(
            f"{file} answers with {gives}; say what that is, probabilities, logits or a label, as mentor.io.says."
        )
    last = None if gives.shape is None or len(gives.shape) != 2 else gives.shape[1]
    if says != "label" and (whole or last not in (None, classes)):
        raise UserError(
            f"{file} answers with {gives}, but the task has {classes} classes; name another mentor.io.output, or the "
            "task that the model was trained for."
        )
    return says


def _length(one: int | None) -> str:
    return "any" if one is None else str(one)
