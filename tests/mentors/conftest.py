from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.making import make_paths
from tests.mentors.reader import PATHS


@pytest.fixture(autouse=True)
def paths(tmp_path: Path) -> Iterator[None]:
    """Where replies are kept: a place of its own for each test."""
    PATHS.append(make_paths(tmp_path))
    yield
    PATHS.pop()
