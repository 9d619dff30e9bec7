import multiprocessing
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from mimicbench.errors import UserError
from mimicbench.images.cache import load
from mimicbench.images.source import Block
from tests.making import pictures


@dataclass
class Made:
    """A source that leaves a file for each time that it is decoded."""

    log: Path
    count: int = 10
    block: int = 4
    labelled: bool = True
    fails_at: int | None = None
    pause: float = 0.0
    name: str = "made up/name"
    parts: list[str] = field(default_factory=lambda: ["a"])

    def identity(self) -> list[str]:
        return self.parts

    def expected(self) -> int:
        return self.count

    def blocks(self) -> Iterator[Block]:
        self.log.mkdir(exist_ok=True)
        (self.log / str(time.time_ns())).touch()
        images, labels = pictures(self.count, size=5), np.arange(self.count, dtype=np.int64)
        for start in range(0, self.count, self.block):
            time.sleep(self.pause)
            if start == self.fails_at:
                raise UserError("This file is broken.")
            part = slice(start, start + self.block)
            yield Block(images[part], labels[part] if self.labelled else None)

    def decoded(self) -> int:
        return len(list(self.log.iterdir())) if self.log.exists() else 0


def test_holds_what_the_source_gave(tmp_path: Path) -> None:
    cached = load(Made(tmp_path / "log"), tmp_path)
    assert cached.images.dtype == np.uint8
    assert isinstance(cached.images, np.memmap)
    np.testing.assert_array_equal(cached.images, pictures(10, size=5))
    assert cached.labels is not None
    assert cached.labels.dtype == np.int64
    np.testing.assert_array_equal(cached.labels, np.arange(10))
    assert load(Made(tmp_path / "log2", labelled=False, parts=["b"]), tmp_path).labels is None


def test_second_start_does_not_decode(tmp_path: Path) -> None:
    source = Made(tmp_path / "log")
    first, second = load(source, tmp_path / "cache"), load(source, tmp_path / "cache")
    assert source.decoded() == 1
    np.testing.assert_array_equal(first.images, second.images)
    assert first.fingerprint == second.fingerprint


def test_another_identity_is_another_cache(tmp_path: Path) -> None:
    source = Made(tmp_path / "log")
    load(source, tmp_path / "cache")
    source.parts = ["b"]
    load(source, tmp_path / "cache")
    assert source.decoded() == 2


def test_fingerprint_depends_on_content_alone(tmp_path: Path) -> None:
    reference = load(Made(tmp_path / "1"), tmp_path / "here").fingerprint
    cut_otherwise = Made(tmp_path / "2", block=3, name="other", parts=["c"])
    assert load(cut_otherwise, tmp_path / "there").fingerprint == reference
    assert load(Made(tmp_path / "3", count=9, parts=["d"]), tmp_path).fingerprint != reference
    assert load(Made(tmp_path / "4", labelled=False, parts=["e"]), tmp_path).fingerprint != reference


def test_torch_takes_it_without_a_warning_and_cannot_change_the_file(tmp_path: Path) -> None:
    import torch  # here, so that the processes below need not import it

    source = Made(tmp_path / "log")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.from_numpy(load(source, tmp_path).images).zero_()
    assert load(source, tmp_path).images.any()


def test_an_error_midway_leaves_nothing_half_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="This file is broken"):
        load(Made(tmp_path / "log", fails_at=8), tmp_path)
    assert [path.suffix for path in (tmp_path / "images").iterdir()] in ([], [".lock"])
    assert len(load(Made(tmp_path / "log"), tmp_path).images) == 10


def test_what_a_killed_run_left_is_overwritten(tmp_path: Path) -> None:
    source = Made(tmp_path / "log")
    load(source, tmp_path)
    (done,) = (path for path in (tmp_path / "images").glob("*.npy") if ".labels" not in path.name)
    done.rename(f"{done}.part")
    assert len(load(source, tmp_path).images) == 10
    assert not list((tmp_path / "images").glob("*.part"))


def test_jobs_that_start_together_decode_once(tmp_path: Path) -> None:
    source = Made(tmp_path / "log", pause=0.3)
    spawn = multiprocessing.get_context("spawn")
    jobs = [spawn.Process(target=load, args=(source, tmp_path / "cache")) for _ in range(2)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join(60)
    assert [job.exitcode for job in jobs] == [0, 0]
    assert source.decoded() == 1


def test_a_cache_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file/images cannot be written .* as paths\.cache_dir"):
        load(Made(tmp_path / "log"), tmp_path / "file")


def test_a_disk_that_fills_up(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="only Unix can limit the size of files")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(UserError, match=r"cannot be written \(File too large\); .* as paths\.cache_dir"):
            load(Made(tmp_path / "log", count=1000), tmp_path)  # 75,000 bytes
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not [path for path in (tmp_path / "images").iterdir() if path.suffix != ".lock"]


def test_a_damaged_cache_is_named(tmp_path: Path) -> None:
    source = Made(tmp_path / "log")
    load(source, tmp_path)
    (done,) = (path for path in (tmp_path / "images").glob("*.npy") if ".labels" not in path.name)
    done.write_bytes(done.read_bytes()[:200])
    with pytest.raises(UserError, match=rf"{done.name} is damaged .*delete it"):
        load(source, tmp_path)
