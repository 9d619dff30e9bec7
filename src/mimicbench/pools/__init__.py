"""The attacker's unlabelled images. One pool a file."""

from mimicbench.pools.pool import Pool

__all__ = ["Pool"]
