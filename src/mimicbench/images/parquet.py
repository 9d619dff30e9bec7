"""Parquet files as the Hugging Face Hub serves image data sets: one row an image, encoded, and a label."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from mimicbench.errors import UserError
from mimicbench.images import decode
from mimicbench.images.files import below, stamps
from mimicbench.images.source import Block

_ROWS = 4096  # rows a block


def split_files(folder: Path, split: str) -> list[Path]:
    """The parquet files of one split in or under a folder: ``train-00000-of-00004.parquet``, ``train/0000.parquet``.

    Args:
        folder: Where to look.
        split: ``train`` or ``test``.

    Returns:
        The files in the order of their rows; empty if there are none.

    Raises:
        UserError: One of several shards is missing.
    """
    name = re.compile(rf"{split}([-_.].*)?\.parquet")
    files = [path for path in below(folder, "*.parquet") if name.fullmatch(path.name) or path.parent.name == split]
    for path in files:
        shard = re.fullmatch(r"(.*-)\d+(-of-(\d+)\.parquet)", path.name)
        if shard is None:
            continue
        for index in range(int(shard[3])):
            sibling = path.with_name(f"{shard[1]}{index:0{len(shard[3])}}{shard[2]}")
            if not sibling.is_file():
                raise UserError(f"{sibling} is missing, though {path.name} lies beside it; fetch the data set again.")
    return files


@dataclass(frozen=True)
class ParquetImages:
    """Square images in parquet files. Whatever is not RGB is converted.

    Attributes:
        name: Readable name.
        folder: What the files' names are relative to.
        files: The parquet files, in order.
        stored: Height and width that each image must have.
        size: Height and width to resize to.
        classes: How many classes the column ``label`` tells apart; None leaves labels unread.
    """

    name: str
    folder: Path
    files: tuple[Path, ...]
    stored: int
    size: int
    classes: int | None = None

    def identity(self) -> list[str]:
        """As in :class:`~mimicbench.images.source.Source`."""
        return ["parquet", f"{self.stored} {self.size} {self.classes}", *stamps(self.files, self.folder)]

    def expected(self) -> int:
        """As in :class:`~mimicbench.images.source.Source`; finds files that are cut short before any is decoded."""
        rows = 0
        for path in self.files:
            with _opened(path) as file:
                self._columns(file, path)
                rows += file.metadata.num_rows
        if not rows:
            raise UserError(f"{self.files[0]} holds no rows; fetch the data set again.")
        return rows

    def blocks(self) -> Iterator[Block]:
        """As in :class:`~mimicbench.images.source.Source`."""
        for path in self.files:
            with _opened(path) as file:
                column, is_struct = self._columns(file, path)
                wanted = [f"{column}.bytes" if is_struct else column] + (["label"] if self.classes else [])
                first = 0
                # One thread: the decoding has the others.
                for batch in file.iter_batches(_ROWS, columns=wanted, use_threads=False):
                    encoded = batch.column(column)
                    rows = (encoded.field("bytes") if is_struct else encoded).to_pylist()
                    images = decode.decode_all(
                        list(enumerate(rows, first)), partial(self._image, path=path, column=column), self.size
                    )
                    yield Block(images, self._labels(batch, path, first) if self.classes else None)
                    first += len(rows)

    def _columns(self, file: pq.ParquetFile, path: Path) -> tuple[str, bool]:
        """The image column's name, and whether it is a struct {bytes, path}."""
        schema = file.schema_arrow
        structs = [f.name for f in schema if pa.types.is_struct(f.type) and f.type.get_field_index("bytes") >= 0]
        found = structs or [f.name for f in schema if pa.types.is_binary(f.type) or pa.types.is_large_binary(f.type)]
        if len(found) != 1:
            raise UserError(
                f"{path} has {len(found) or 'no'} image columns among {', '.join(schema.names)}; "
                "exactly one must hold encoded images, as a struct {bytes, path} or as binary."
            )
        if self.classes and not ("label" in schema.names and pa.types.is_integer(schema.field("label").type)):
            raise UserError(f"{path} has no integer column 'label' among {', '.join(schema.names)}; add it.")
        return found[0], bool(structs)

    def _image(self, row: tuple[int, bytes | None], path: Path, column: str) -> Image.Image:
        index, data = row
        where = f"Row {index} of {path}"
        if data is None:
            raise UserError(f"{where} has no image bytes in column '{column}'; fetch the data set again.")
        image = decode.read(data, where)
        if image.size != (self.stored, self.stored):
            raise UserError(
                f"{where} is {image.width}x{image.height} pixels where {self.stored}x{self.stored} are expected; "
                "put the right data set there."
            )
        return decode.fit(image, self.size)

    def _labels(self, batch: pa.RecordBatch, path: Path, first: int) -> np.ndarray:
        column = batch.column("label")
        labels: np.ndarray = column.cast(pa.int64()).fill_null(-1).to_numpy()
        wrong = np.flatnonzero((labels < 0) | (labels >= (self.classes or 0)))
        if wrong.size:
            raise UserError(
                f"Row {first + wrong[0]} of {path} has the label {column[int(wrong[0])].as_py()}; "
                f"labels must lie in 0..{(self.classes or 0) - 1}."
            )
        return labels


@contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    try:
        # Buffered, so that one huge row group does not have to fit into memory.
        with pq.ParquetFile(path, buffer_size=1 << 20, page_checksum_verification=True) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"{path} cannot be read as parquet ({str(error).splitlines()[0].rstrip('.')}); fetch it again."
        ) from None
