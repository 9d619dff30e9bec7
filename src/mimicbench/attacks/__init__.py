"""Which queries are sent and what is trained on. One attack a file."""

from mimicbench.attacks.attack import Attack

__all__ = ["Attack"]
