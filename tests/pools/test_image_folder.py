from pathlib import Path

import pytest
from PIL import Image

from mimicbench.errors import UserError
from mimicbench.pools.image_folder import image_folder
from tests.making import make_paths, write_image


def test_any_tree_at_the_size_of_the_task(tmp_path: Path) -> None:
    paths = make_paths(tmp_path)
    for index, name in enumerate(("b/x.png", "a.png", "b/c/d/y.png")):
        write_image(paths.data_dir / "mine" / name, Image.new("RGB", (30 + index, 60), (index, 0, 0)))
    (paths.data_dir / "mine/readme.txt").touch()
    pool = image_folder(paths, 40, folder="mine", convert=False)
    assert pool.images.shape == (3, 40, 40, 3)
    assert pool.images[:, 20, 20, 0].tolist() == [1, 2, 0]


def test_empty(tmp_path: Path) -> None:
    paths = make_paths(tmp_path)
    (paths.data_dir / "mine").mkdir()
    (paths.data_dir / "mine/readme.txt").touch()
    with pytest.raises(UserError, match=r"data/mine holds no images; .*pool\.folder"):
        image_folder(paths, 32, folder="mine", convert=False)


def test_transparent_images_need_convert(tmp_path: Path) -> None:
    paths = make_paths(tmp_path)
    write_image(paths.data_dir / "mine/a.png", Image.new("RGBA", (32, 32)))
    with pytest.raises(UserError, match=r"mine/a\.png is RGBA, not RGB; pool\.convert=true turns"):
        image_folder(paths, 32, folder="mine", convert=False)
    assert not list((paths.cache_dir / "images").glob("*.np*"))
    assert (image_folder(paths, 32, folder="mine", convert=True).images == 255).all()
