"""The only door to a mentor: counting, budget, and what a reply reveals. One protection a file."""

from mimicbench.oracles.oracle import Oracle

__all__ = ["Oracle"]
