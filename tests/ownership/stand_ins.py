"""Evidence, suspects and an owner whose scores are given."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from mimicbench.watermarks.evidence import Triggers


class Scored(Triggers):
    """Scores suspects, which are dictionaries here, by its key."""

    def __init__(self, key: int) -> None:
        object.__setattr__(self, "scheme", "content")
        object.__setattr__(self, "key", key)
        object.__setattr__(self, "threshold", 0.5)

    @property
    def size(self) -> int:
        return 100

    def score(self, suspect: Any) -> float | None:
        found: float | None = suspect.get(self.key, suspect.get("others"))
        return found


@dataclass
class Owner:
    """Of a mentor with key 0."""

    watermark: Any = None
    unmarked_scores: dict[Any, float] = field(default_factory=lambda: {"others": 0.05})
    mentor: dict[Any, float] = field(default_factory=lambda: {0: 1.0, "others": 0.05})
    copy: dict[Any, float] = field(default_factory=lambda: {0: 0.95, "others": 0.05})
    accuracy: float = 0.99
    recorded: dict[str, Any] = field(default_factory=lambda: {"took": True, "accuracy_lost": 0.01})
    task: Any = field(default_factory=lambda: SimpleNamespace(classes=tuple("abcdefghij")))

    def other_evidence(self, key: int) -> Scored:
        return Scored(key)

    def unmarked(self, number: int) -> dict[Any, float]:
        return self.unmarked_scores

    def fine_tuned(self) -> dict[Any, float]:
        return self.copy

    def accuracy_of(self, suspect: Any) -> float:
        return float(suspect.get("accuracy", 0.98))
