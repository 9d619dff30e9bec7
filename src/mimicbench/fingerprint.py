"""Short names for content."""

import hashlib
import json
from typing import Any


def fingerprint(*parts: Any) -> str:
    """A name of 16 hexadecimal digits, equal for equal parts.

    Args:
        parts: Plain values: numbers, strings, None, and lists and dictionaries of them.
    """
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
