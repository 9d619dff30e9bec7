import os
from pathlib import Path

import pytest

from mimicbench.errors import UserError
from mimicbench.images.files import below, data_folder, stamps
from mimicbench.paths import Paths
from tests.making import make_paths


def test_the_data_directory_must_exist(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "nowhere", tmp_path, tmp_path)
    with pytest.raises(UserError, match=r"nowhere does not exist; .*'cifar10/' as paths\.data_dir .*MIMICBENCH_DATA"):
        data_folder(paths, "cifar10", "task.folder")


def test_the_data_set_must_exist(tmp_path: Path) -> None:
    paths = make_paths(tmp_path)
    with pytest.raises(UserError, match=r"data/cifar10 does not exist; .* as task\.folder\.$"):
        data_folder(paths, "cifar10", "task.folder")
    (paths.data_dir / "cifar10").touch()
    with pytest.raises(UserError, match="data/cifar10 does not exist"):
        data_folder(paths, "cifar10", "task.folder")


def test_hidden_files_are_left_out(tmp_path: Path) -> None:
    for name in ("b.x", "a/c.x", ".h.x", ".d/e.x", "other"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert below(tmp_path, "*.x") == [tmp_path / "a/c.x", tmp_path / "b.x"]


def test_stamps_change_with_the_file_and_not_with_its_place(tmp_path: Path) -> None:
    def write(root: Path, text: str, time: int) -> list[str]:
        (root / "a").mkdir(parents=True, exist_ok=True)
        (root / "a/b").write_text(text)
        os.utime(root / "a/b", ns=(time, time))
        return stamps([root / "a/b"], root)

    here = write(tmp_path / "here", "x", 5)
    assert write(tmp_path / "elsewhere", "x", 5) == here == ["a/b 1 5"]
    assert write(tmp_path / "here", "xy", 5) != here
    assert write(tmp_path / "here", "x", 6) != here
