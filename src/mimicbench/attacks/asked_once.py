"""Replies that are asked for once and kept on disk beside the run."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor
from tqdm import tqdm

from mimicbench.files import atomic, writing
from mimicbench.oracles import Oracle


def asked_once(
    file: Path,
    oracle: Oracle,
    query: Callable[[int, int], Tensor],
    count: int,
    chunk_size: int,
    device: torch.device,
) -> Tensor:
    """The oracle's replies to a fixed list of queries: read from ``file``, or asked for now and kept there.

    Of several ranks, the first to come asks, and the others wait for it.

    Args:
        file: A ``.npy`` file whose name says what the replies depend on, but for ``count``.
        oracle: Where queries are sent.
        query: Gives the images ``start..stop-1`` of the list, float [stop - start, C, H, W].
        count: Length of the list.
        chunk_size: Images in one query.
        device: Where the training runs.

    Returns:
        float32 [count, K], on ``device``.

    Raises:
        QueryBudgetExceeded: The budget does not cover them all.
        UserError: The file cannot be written.
    """
    with writing(file.parent, "paths.output_dir"), FileLock(file.with_suffix(".lock")):
        if file.exists() and len(kept := np.load(file)) == count:
            oracle.recall(count)
            return torch.from_numpy(kept).to(device)
        answered = _asked(oracle, query, count, chunk_size)
        with atomic(file) as temporary:
            np.save(temporary, answered.cpu().numpy())
        return answered


def _asked(oracle: Oracle, query: Callable[[int, int], Tensor], count: int, chunk_size: int) -> Tensor:
    replies = []
    with tqdm(total=count, desc="Asking the oracle", unit="image", unit_scale=True) as progress:
        for start in range(0, count, chunk_size):
            replies.append(oracle.ask(query(start, min(start + chunk_size, count))))
            progress.update(len(replies[-1]))
    return torch.cat(replies)
