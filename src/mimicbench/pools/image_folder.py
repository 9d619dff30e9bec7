"""A pool of the user's own: any tree of images."""

from mimicbench.errors import UserError
from mimicbench.images.cache import load
from mimicbench.images.files import data_folder
from mimicbench.images.folder import FolderImages, image_files
from mimicbench.paths import Paths
from mimicbench.pools.pool import Pool


def image_folder(paths: Paths, size: int, *, folder: str, convert: bool) -> Pool:
    """All images below a folder, each cut to its largest centred square and resized. Folder names mean nothing.

    Args:
        paths: Where data sets and caches lie.
        size: Height and width of an image, in pixels.
        folder: Holds the images, below ``paths.data_dir``.
        convert: Turn grey, transparent and other images into RGB instead of refusing them.

    Returns:
        uint8 [N, size, size, 3], in the order of the files' names.

    Raises:
        UserError: There are no images, or one of them cannot be used.
    """
    place = data_folder(paths, folder, "pool.folder")
    files = image_files(place)
    if not files:
        raise UserError(f"{place} holds no images; put some there, or name another folder as pool.folder.")
    cached = load(FolderImages(place.name, place, tuple(files), size, convert, "pool"), paths.cache_dir)
    return Pool(cached.images, cached.fingerprint)
