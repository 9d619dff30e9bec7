"""From which score an owner may claim a suspect, where chance is a fair coin for each trigger or bit."""

from scipy import stats

from mimicbench.errors import UserError


def claimed_from(size: int, level: float, what: str) -> float:
    """The smallest share of ``size`` right answers that chance, Bin(size, ½), reaches with p < ``level``.

    Args:
        size: Triggers or bits of a key.
        level: Of false claims, in (0, 1).
        what: The configuration key of ``size``, for the error message.

    Returns:
        In (½, 1].

    Raises:
        UserError: There are too few: all may be right with a probability of ``level`` or more.

    Example:
        >>> claimed_from(256, 0.01, "bits") * 256, claimed_from(100, 0.05, "count") * 100
        (148.0, 59.0)
    """
    right = int(stats.binom.isf(level, size, 0.5)) + 1
    while stats.binom.sf(right - 1, size, 0.5) >= level:  # where the quantile is hit exactly
        right += 1
    if right > size:
        raise UserError(
            f"{what}={size} is too few: all of them may be right by chance; take more, or set watermark.threshold."
        )
    return right / size
