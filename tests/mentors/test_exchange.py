import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from mimicbench.errors import UserError
from mimicbench.mentors.exchange import Exchange, ModelIO, Port, port, settled

FLOATS = torch.float32
NCHW, NHWC = (None, 3, 32, 32), (None, 32, 32, 3)
SAID = ModelIO(range=1, says="logits")


def language(
    io: ModelIO = SAID,
    shape: tuple[int | None, ...] | None = NCHW,
    dtype: torch.dtype | None = FLOATS,
    gives: Port | None = None,
) -> Exchange:
    answer = Port("scores", FLOATS, (None, 10)) if gives is None else gives
    return settled(io, Port("x", dtype, shape), answer, 32, 10, "model.onnx")


def refused(*given: object, **named: object) -> str:
    with pytest.raises(UserError) as error:
        language(*given, **named)  # type: ignore[arg-type]
    return str(error.value)


@pytest.mark.parametrize(
    ("shape", "layout", "size", "batch"),
    [
        (NCHW, "nchw", 32, None),
        (NHWC, "nhwc", 32, None),
        ((8, 3, 64, 64), "nchw", 64, 8),
        ((1, 224, 224, 3), "nhwc", 224, 1),
        ((None, 3, None, None), "nchw", 32, None),
    ],
)
def test_a_file_says_its_layout_size_and_batch(
    shape: tuple[int | None, ...], layout: str, size: int, batch: int | None
) -> None:
    found = language(shape=shape)
    assert (found.layout, found.size, found.batch) == (layout, size, batch)


def test_bytes_are_up_to_255_and_whole_answers_are_labels() -> None:
    found = language(ModelIO(), dtype=torch.uint8, gives=Port("class", torch.int64, (None,)))
    assert found.white == 255
    assert found.whole
    assert found.says == "label"


def test_what_nobody_says_is_asked_for_with_what_the_file_offers() -> None:
    assert "takes 'x' float32 [any, 3, 32, 32]" in refused(ModelIO(says="logits"))
    assert "mentor.io.range" in refused(ModelIO(says="logits"))
    said = refused(ModelIO(range=1))
    assert "answers with 'scores' float32 [any, 10]" in said
    assert "mentor.io.says" in said
    assert "mentor.io.layout" in refused(shape=None)
    assert "mentor.io.layout" in refused(shape=(None, 3, 3, 3))
    assert "mentor.io.layout" in refused(shape=(None, 1, 28, 28))


def test_contradictions_are_refused() -> None:
    assert "mentor.io.size=64, but" in refused(ModelIO(range=1, says="logits", size=64))
    assert "mentor.io.layout" in refused(ModelIO(range=1, says="logits", layout="nhwc"))
    assert "not square" in refused(shape=(None, 3, 32, 48))
    assert "no batches of images" in refused(shape=(None, 3072))
    assert "only float32 and uint8" in refused(dtype=torch.float64)
    assert "bytes" in refused(ModelIO(range=1, says="logits"), dtype=torch.uint8)
    assert "the task has 10 classes" in refused(gives=Port("scores", FLOATS, (None, 7)))
    assert "the task has 10 classes" in refused(gives=Port("class", torch.int64, (None,)))


@pytest.mark.parametrize("own", [None, 8])
def test_a_batch_is_the_files_or_the_configurations(own: int | None) -> None:
    said = ModelIO(range=1, says="logits", batch=8)
    assert language(said, shape=(own, 3, 32, 32)).batch == 8
    assert "mentor.io.batch=8, but" in refused(said, shape=(4, 3, 32, 32))


def test_types_that_are_not_known_are_named_and_refused() -> None:
    said = refused(ModelIO(range=1), gives=Port("scores", "BF16", (None, 10)))
    assert "answers with 'scores' BF16 [any, 10], a type that is not supported" in said
    assert "takes 'x' tensor(string)" in refused(ModelIO(range=1, says="logits"), dtype="tensor(string)")


@pytest.mark.parametrize(("key", "value"), [("mean", [123.7, 116.8, 103.9]), ("std", [0.2, 0, 0.2]), ("std", [1, 1])])
def test_means_and_deviations_are_those_of_pixels_up_to_1(key: str, value: list[float]) -> None:
    with pytest.raises(ValidationError):
        ModelIO(**{key: value})  # type: ignore[arg-type]


def test_few_answers_may_be_distributions_by_chance() -> None:
    logits = torch.tensor([[0.25, 0.75] + [0.0] * 8])
    torch.testing.assert_close(language().understood(logits, 1), logits.softmax(1))


def test_one_of_several_must_be_named() -> None:
    offered = [Port("a", FLOATS, NCHW), Port("b", torch.int64, (None,))]
    assert port(offered, "b", "mentor.io.output", "f").name == "b"
    for wanted in (None, "c"):
        with pytest.raises(UserError) as error:
            port(offered, wanted, "mentor.io.output", "model.onnx")
        assert str(error.value) == (
            "model.onnx offers 'a' float32 [any, 3, 32, 32]; 'b' int64 [any]; name one of them as mentor.io.output."
        )


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("white", [1, 255])
def test_images_are_put_pixel_by_pixel(layout: str, white: int) -> None:
    io = ModelIO(layout=layout, range=white, says="logits", mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.5))  # type: ignore[arg-type]
    images = torch.rand(2, 3, 32, 32)
    put = language(io, shape=None).put(images)
    for n, c, h, w in ((0, 0, 0, 0), (1, 2, 31, 7), (1, 1, 5, 30)):
        assert io.mean is not None
        assert io.std is not None
        expected = white * (float(images[n, c, h, w]) - io.mean[c]) / io.std[c]
        found = put[n, c, h, w] if layout == "nchw" else put[n, h, w, c]
        assert float(found) == pytest.approx(expected, rel=1e-5, abs=1e-5)
    assert put.is_contiguous()


def test_bytes_are_rounded_and_never_wrap() -> None:
    io = ModelIO(says="logits")
    levels = torch.linspace(0, 1, 3 * 32 * 32).reshape(1, 3, 32, 32)
    put = language(io, dtype=torch.uint8).put(levels)
    assert put.dtype is torch.uint8
    np.testing.assert_array_equal(put.numpy(), np.rint(255 * levels.numpy()))


def test_another_size_is_resized_as_pillow_does() -> None:
    smooth = torch.rand(1, 3, 4, 4).repeat_interleave(8, 2).repeat_interleave(8, 3)
    put = language(shape=(None, 3, 16, 16)).put(smooth)
    for colour in range(3):
        image = Image.fromarray(smooth[0, colour].numpy(), mode="F")
        expected = np.asarray(image.resize((16, 16), Image.Resampling.BILINEAR))
        np.testing.assert_allclose(put[0, colour].numpy(), expected, atol=1e-5)


def test_answers_become_distributions() -> None:
    logits = torch.randn(4, 10, dtype=torch.float64)
    torch.testing.assert_close(language().understood(logits, 4), logits.float().softmax(1))
    found = language(ModelIO(range=1, says="probabilities")).understood(logits.softmax(1).half(), 4)
    torch.testing.assert_close(found.sum(1), torch.ones(4))
    torch.testing.assert_close(found, logits.softmax(1).float(), atol=1e-3, rtol=0)
    labels = language(ModelIO(range=1, says="label"))
    expected = torch.eye(10)[[3, 0, 9, 3]]
    for answers in (torch.tensor([3, 0, 9, 3]), torch.tensor([[3.0], [0], [9], [3]])):
        assert torch.equal(labels.understood(answers, 4), expected)


@pytest.mark.parametrize(
    ("says", "answers", "sentence"),
    [
        ("logits", torch.zeros(4, 9), "[4, 10] is asked for"),
        ("logits", torch.zeros(3, 10), "[4, 10] is asked for"),
        ("logits", torch.full((4, 10), torch.nan), "not finite"),
        ("logits", torch.full((4, 10), 0.1), "choose mentor.io.says=probabilities"),
        ("probabilities", torch.ones(4, 10), "choose mentor.io.says=logits"),
        ("probabilities", torch.tensor([[-0.1, 1.1] + [0.0] * 8] * 4), "choose mentor.io.says=logits"),
        ("label", torch.tensor([0, 1, 2, 10]), "no classes from 0 to 9"),
        ("label", torch.tensor([0.0, 1.5, 2.0, 3.0]), "no classes"),
        ("label", torch.tensor([0, 1, 2]), "no labels"),
    ],
)
def test_answers_that_are_none_are_refused(says: str, answers: torch.Tensor, sentence: str) -> None:
    with pytest.raises(UserError) as error:
        language(ModelIO(range=1, says=says)).understood(answers, 4)  # type: ignore[arg-type]
    assert sentence in str(error.value)
