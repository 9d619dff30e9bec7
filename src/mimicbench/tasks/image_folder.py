"""A task of the user's own: ``train/<class>/…`` and ``test/<class>/…``, or the latter alone."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from mimicbench.errors import UserError
from mimicbench.images.files import data_folder
from mimicbench.images.folder import FolderImages, image_files
from mimicbench.paths import Paths
from mimicbench.tasks.decoded import decoded
from mimicbench.tasks.task import Task


def image_folder(paths: Paths, *, folder: str, size: Annotated[int, Field(ge=32)], convert: bool) -> Task:
    """Images in one folder a class, at any depth below it. Each is cut to its largest centred square and resized.

    Args:
        paths: Where data sets and caches lie.
        folder: Holds ``train/<class>/…`` and ``test/<class>/…``, below ``paths.data_dir``; the latter alone where the
            mentor is there.
        size: Height and width of an image, in pixels.
        convert: Turn grey, transparent and other images into RGB instead of refusing them.

    Returns:
        Classes in alphabetical order, images uint8 [N, size, size, 3].

    Raises:
        UserError: A folder is missing, a class has no images in one of the splits, or an image cannot be used.
    """
    place = data_folder(paths, folder, "task.folder")
    test = _files_by_class(place / "test")
    train = _files_by_class(place / "train") if (place / "train").exists() else None
    for known, other, lacking in ((train or test, test, "test"), (test, train or test, "train")):
        if missing := [name for name in known if name not in other]:
            raise UserError(f"{place / lacking / missing[0]} does not exist, but every class needs images there.")
    if len(test) < 2:
        raise UserError(f"{place / 'test'} holds one class, '{next(iter(test))}', and a task needs two or more.")
    return decoded(
        tuple(test),
        None if train is None else _source(place, "train", train, size, convert),
        _source(place, "test", test, size, convert),
        paths.cache_dir,
    )


def _files_by_class(split: Path) -> dict[str, list[Path]]:
    if not split.is_dir():
        raise UserError(
            f"{split} does not exist; task.folder must hold test/<class>/, and train/<class>/ to train a mentor."
        )
    classes = sorted(path for path in split.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not classes:
        raise UserError(f"{split} holds no folders; put the images of each class into one, named as the class.")
    files = {path.name: image_files(path) for path in classes}
    for name, images in files.items():
        if not images:
            raise UserError(f"{split / name} holds no images; put some of the class '{name}' there, or delete it.")
    return files


def _source(place: Path, split: str, classes: dict[str, list[Path]], size: int, convert: bool) -> FolderImages:
    labelled = [(path, label) for label, files in enumerate(classes.values()) for path in files]
    files, labels = zip(*labelled, strict=True)
    return FolderImages(f"{place.name}-{split}", place, files, size, convert, "task", labels)
