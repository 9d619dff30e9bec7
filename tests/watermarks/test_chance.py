from itertools import product
from math import comb

import pytest

from mimicbench.errors import UserError
from mimicbench.watermarks.chance import claimed_from


def tail(right: int, size: int) -> float:
    return sum(comb(size, count) for count in range(right, size + 1)) / 2**size


def test_the_sources_thresholds() -> None:
    assert claimed_from(256, 0.01, "bits") == 148 / 256  # Uchida et al. 2017, with p < 0.01
    assert claimed_from(100, 0.05, "count") == 59 / 100  # Le Merrer et al. 2019: θ is 41 errors


@pytest.mark.parametrize(("size", "level"), product([7, 8, 10, 31, 64, 100, 250], [0.05, 0.03125, 0.01]))
def test_it_is_the_first_share_that_chance_reaches_too_seldom(size: int, level: float) -> None:
    right = round(claimed_from(size, level, "count") * size)
    assert tail(right, size) < level <= tail(right - 1, size)


def test_too_few_triggers_claim_nobody() -> None:
    with pytest.raises(UserError, match=r"watermark.bits=6 is too few"):
        claimed_from(6, 0.01, "watermark.bits")
    assert claimed_from(7, 0.01, "watermark.bits") == 1
    with pytest.raises(UserError, match="too few"):
        claimed_from(5, 1 / 32, "count")  # as often as that, not more seldom
