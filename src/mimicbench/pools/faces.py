"""Small grey photographs of faces and of what is none. Needs no network."""

from hashlib import blake2b

import numpy as np
from PIL import Image
from skimage.data import lfw_subset

from mimicbench.fingerprint import fingerprint
from mimicbench.images import decode
from mimicbench.paths import Paths
from mimicbench.pools.pool import Pool


def faces(paths: Paths, size: int) -> Pool:
    """The 200 images of 25×25 pixels that scikit-image ships of Labeled Faces in the Wild: 100 faces, 100 other crops.

    Too few to copy a mentor with, but nothing that the ``photos`` hold: what an owner may take for triggers.

    Args:
        paths: Not used.
        size: Height and width to which they are resized (bicubic), in pixels.

    Returns:
        uint8 [200, size, size, 3], the three colours equal.
    """
    grey = (lfw_subset() * 255).round().astype(np.uint8)  # type: ignore[no-untyped-call]
    images = decode.decode_all(grey, lambda pixels: decode.fit(Image.fromarray(pixels).convert("RGB"), size), size)
    return Pool(images, fingerprint("faces", size, blake2b(images.data, digest_size=16).hexdigest()))
