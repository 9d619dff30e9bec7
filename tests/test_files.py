import os
import platform
import subprocess
import sys
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


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    host = platform.node()
    left = tmp_path / f".a.{host}.{ended.pid}.json"
    others = {
        tmp_path / f".a.{host}.{os.getppid()}.json",
        tmp_path / f".b.{host}.{ended.pid}.json",
        tmp_path / ".a.json",
    }
    for file in (left, *others):
        file.touch()
    with atomic(tmp_path / "a.json") as temporary:
        temporary.write_text("new")
    assert set(tmp_path.iterdir()) == {*others, tmp_path / "a.json"}
