import io
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mimicbench.errors import UserError
from mimicbench.hardware import cores
from mimicbench.images.decode import decode_all, fit, read
from tests.making import cut, encoded, pictures, write_image

GREY = Image.new("L", (4, 4), 100)


@pytest.mark.parametrize(
    ("image", "pixel"),
    [
        (GREY, (100, 100, 100)),
        (Image.new("P", (4, 4), 0), (0, 0, 0)),
        (Image.new("RGBA", (4, 4), (10, 20, 30, 255)), (10, 20, 30)),
        (Image.new("RGBA", (4, 4), (10, 20, 30, 0)), (255, 255, 255)),
        (Image.new("LA", (4, 4), (10, 0)), (255, 255, 255)),
        (Image.new("1", (4, 4), 1), (255, 255, 255)),
    ],
)
def test_other_modes_are_refused_or_converted(image: Image.Image, pixel: tuple[int, int, int]) -> None:
    data = encoded(image)
    with pytest.raises(UserError, match=r"^x\.png is .*, not RGB; pool\.convert=true turns them into RGB\.$"):
        read(data, "x.png", refuse_with="pool.convert=true turns them into RGB")
    converted = read(data, "x.png")
    assert converted.mode == "RGB"
    assert converted.getpixel((0, 0)) == pixel


def test_sixteen_bits_are_never_clipped_in_silence() -> None:
    deep = Image.fromarray(np.full((4, 4), 1000, dtype=np.uint16))
    with pytest.raises(UserError, match=r"^x\.png has more than 8 bits a channel"):
        read(encoded(deep), "x.png")


@pytest.mark.parametrize("ending", [".png", ".jpg"])
def test_broken_files_are_named(tmp_path: Path, ending: str) -> None:
    path = write_image(tmp_path / f"broken{ending}", pictures(1)[0])
    cut(path, 0.7)
    with pytest.raises(UserError, match=rf"broken{ending} cannot be decoded as an image \(.*\); replace it"):
        read(path, str(path))
    path.write_text("no image at all")
    with pytest.raises(UserError, match=rf"broken{ending} cannot be decoded as an image \(unknown format\)"):
        read(path, str(path))


def test_exif_turns_the_image_upright() -> None:
    image = Image.fromarray(np.array([[[0] * 3, [255] * 3]], dtype=np.uint8))  # dark left of bright
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    buffer = io.BytesIO()
    image.save(buffer, "PNG", exif=exif)
    turned = read(buffer.getvalue(), "x")
    assert turned.getpixel((0, 0)) == (255, 255, 255)


def test_fit_takes_the_centred_square_and_leaves_exact_images_alone() -> None:
    wide = np.zeros((4, 12, 3), dtype=np.uint8)
    wide[:, 4:8] = 200
    assert (np.asarray(fit(Image.fromarray(wide), 2)) > 180).all()  # the filter reaches a little over the edge
    exact = Image.fromarray(pictures(1)[0])
    assert fit(exact, 32) is exact


def test_many_keep_their_order_in_no_more_threads_than_cores() -> None:
    images, seen = pictures(1000, size=4), set()

    def decode(index: int) -> Image.Image:
        seen.add(threading.get_ident())
        return Image.fromarray(images[index])

    np.testing.assert_array_equal(decode_all(range(1000), decode, 4), images)
    assert 1 <= len(seen) <= cores()
