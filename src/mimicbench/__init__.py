"""How much of a classifier can be copied through its prediction API, and what protects it."""

from importlib.metadata import version

__version__ = version("mimicbench")
