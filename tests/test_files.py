from pathlib import Path

import pytest

from mimicbench.files import atomic


def test_a_file_appears_whole(tmp_path: Path) -> None:
    with atomic(tmp_path / "a.json") as temporary:
        temporary.write_text("new")
        assert temporary.suffix == ".json"
        assert not (tmp_path / "a.json").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_failure_leaves_the_old_file_alone(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("old")

    def fail() -> None:
        with atomic(tmp_path / "a.json") as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "old"
