import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mimicbench.errors import UserError
from mimicbench.pools.imagenet32 import imagenet32
from tests.making import encoded, flat, make_paths, pictures, write_batch, write_parquet

IMAGES = pictures(20)


def write_batches(folder: Path, ending: str) -> None:
    for index in range(10):
        content = {"data": flat(IMAGES[2 * index : 2 * index + 2]), "labels": [1, 1000], "mean": np.zeros(3072)}
        write_batch(folder / f"train_data_batch_{index + 1}{ending}", content)


def test_pickles_npz_and_parquet_are_the_same_pool(tmp_path: Path) -> None:
    paths = make_paths(tmp_path)
    write_batches(paths.data_dir / "pickles/Imagenet32_train", "")
    write_batches(paths.data_dir / "npz", ".npz")
    for shard in range(2):
        rows = [encoded(image) for image in IMAGES[10 * shard : 10 * shard + 10]]
        write_parquet(paths.data_dir / f"parquet/data/train-0000{shard}-of-00002.parquet", rows, [-1] * 10)
    write_parquet(paths.data_dir / "parquet/data/validation-00000-of-00001.parquet", [encoded(IMAGES[0])])
    pools = [imagenet32(paths, 32, folder=folder) for folder in ("pickles", "npz", "parquet")]
    for pool in pools:
        np.testing.assert_array_equal(pool.images, IMAGES)  # batch 10 comes last, not after batch 1
    assert len({pool.fingerprint for pool in pools}) == 1


def test_resized_to_the_task(tmp_path: Path) -> None:
    paths = make_paths(tmp_path)
    write_batches(paths.data_dir / "imagenet32", ".npz")
    pool = imagenet32(paths, 48, folder="imagenet32")
    assert pool.images.shape == (20, 48, 48, 3)
    assert imagenet32(paths, 32, folder="imagenet32").images.shape == (20, 32, 32, 3)


def test_nothing_there(tmp_path: Path) -> None:
    paths = make_paths(tmp_path)
    (paths.data_dir / "imagenet32").mkdir()
    with pytest.raises(UserError, match="imagenet32 holds no images of ImageNet-32; put train_data_batch_1 to _10"):
        imagenet32(paths, 32, folder="imagenet32")


def test_a_batch_is_missing(tmp_path: Path) -> None:
    paths = make_paths(tmp_path)
    write_batches(paths.data_dir / "imagenet32", ".npz")
    (paths.data_dir / "imagenet32/train_data_batch_7.npz").unlink()
    with pytest.raises(UserError, match="lacks the batch 'train_data_batch_7'"):
        imagenet32(paths, 32, folder="imagenet32")


MEASURE = """
import sys
from pathlib import Path
from mimicbench.paths import Paths
from mimicbench.pools.imagenet32 import imagenet32

def peak():
    return next(int(line.split()[1]) for line in Path("/proc/self/status").open() if line.startswith("VmHWM"))

before, root = peak(), Path(sys.argv[1])
pool = imagenet32(Paths(root / "data", root / "cache", root), 32, folder="imagenet32")
print(len(pool), (peak() - before) // 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from Linux's /proc")
def test_memory_holds_one_batch_at_a_time(tmp_path: Path) -> None:
    folder = make_paths(tmp_path).data_dir / "imagenet32"
    folder.mkdir()
    for number in range(1, 11):  # 12 MiB each
        data = np.full((4_000, 3072), number, dtype=np.uint8)
        np.savez_compressed(folder / f"train_data_batch_{number}.npz", data=data)
    measured = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path)], capture_output=True, text=True, check=True
    )
    images, mebibytes = map(int, measured.stdout.split())
    assert images == 40_000
    assert mebibytes < 60  # all together are 117
