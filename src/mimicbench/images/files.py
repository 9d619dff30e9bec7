"""Where the user's files lie, and what tells one file from another."""

from collections.abc import Iterable
from pathlib import Path

from mimicbench.errors import UserError
from mimicbench.paths import Paths


def data_folder(paths: Paths, folder: str, key: str) -> Path:
    """The folder of one data set.

    Args:
        paths: Its ``data_dir`` holds the data sets.
        folder: The data set's folder below it.
        key: The configuration key that ``folder`` comes from, for errors.

    Returns:
        An existing folder, as an absolute path.

    Raises:
        UserError: There is no such folder.
    """
    if not paths.data_dir.is_dir():
        raise UserError(
            f"The data directory {paths.data_dir.resolve()} does not exist; name the folder that holds '{folder}/' "
            "as paths.data_dir or in the environment variable MIMICBENCH_DATA."
        )
    place = (paths.data_dir / folder).absolute()
    if not place.is_dir():
        raise UserError(f"{place} does not exist; put the data set there, or name its folder as {key}.")
    return place


def below(folder: Path, pattern: str) -> list[Path]:
    """Files in or under a folder whose name matches the pattern, sorted; hidden ones are left out."""
    found = (path for path in folder.rglob(pattern) if path.is_file())
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def stamps(files: Iterable[Path], root: Path) -> list[str]:
    """One line a file that changes when the file does: its name below ``root``, size and time of change."""
    start = len(f"{root}/")  # cut, as pathlib's own way takes seconds for 100,000 files
    try:
        return [f"{str(path)[start:]} {(s := path.stat()).st_size} {s.st_mtime_ns}" for path in files]
    except OSError as error:
        raise UserError(f"{error.filename} cannot be read ({error.strerror}); mend it or take it out.") from None
