import pytest
import torch

from mimicbench.chunks import Chunks
from mimicbench.learner import Samples


def numbers(start: int, stop: int) -> Samples:
    return torch.arange(start, stop), torch.zeros(stop - start)


@pytest.mark.parametrize("taken", [0, 1, 3, 4])
def test_a_walk_goes_on_where_it_was_cut_off(taken: int) -> None:
    first = Chunks(22, 7, numbers)
    assert len(first) == 4
    walk = iter(first)
    before = [next(walk)[0] for _ in range(taken)]
    second = Chunks(22, 7, numbers)
    second.load_state_dict(first.state_dict())
    after = [images for images, *_ in second]
    assert torch.cat([*before, *after]).tolist() == list(range(22))
    assert second.state_dict() == {"taken": 4}
    assert len(list(second)) == 4  # the next walk is a whole one
