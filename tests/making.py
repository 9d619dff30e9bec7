"""Makes small data sets in the layouts that users have."""

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from mimicbench.paths import Paths

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def make_paths(tmp_path: Path) -> Paths:
    (tmp_path / "data").mkdir(exist_ok=True)
    folders = {f"{name}_dir": tmp_path / name for name in ("data", "cache", "output", "locks")}
    return Paths(**folders)


def pictures(count: int, size: int = 32, seed: int = 0) -> np.ndarray:
    """Random images, uint8 [count, size, size, 3]."""
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def encoded(image: np.ndarray | Image.Image, form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(buffer, form)
    return buffer.getvalue()


def write_parquet(
    path: Path, rows: list[bytes | None], labels: Any = None, column: str = "image", **others: Any
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {column: [{"bytes": row, "path": None} for row in rows]} | others
    if labels is not None:
        columns["label"] = labels
    pq.write_table(pa.table(columns), path)
    return path


def flat(images: np.ndarray) -> np.ndarray:
    """Images [N, 32, 32, 3] as rows [N, 3072], channels first, written out literally."""
    return np.stack([np.concatenate([image[:, :, channel].ravel() for channel in range(3)]) for image in images])


def write_batch(path: Path, content: dict[Any, Any], protocol: int = 2) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npz":
        np.savez(path, **content)
    else:
        path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


def write_image(path: Path, image: np.ndarray | Image.Image) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(image, {".jpg": "JPEG", ".png": "PNG", ".tif": "TIFF"}[path.suffix]))
    return path


def cut(path: Path, share: float = 0.5) -> Path:
    """The file as an interrupted download leaves it."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path
