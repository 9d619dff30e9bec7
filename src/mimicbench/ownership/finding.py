"""What one test says of one suspect."""

from dataclasses import dataclass

from mimicbench.ownership.verdict import Gate, Word


@dataclass(frozen=True)
class Finding:
    """A test and its outcome.

    Attributes:
        test: Its name: a scheme's, or ``dataset inference``.
        statistic: What was measured; None where that is not defined.
        shown: The same in words.
        null: What it was compared with, in words.
        p_value: Of the statistic under the null, one-sided; None where it is not defined.
        gates: What must hold for the test to say anything.
        word: The verdict in short.
        sentence: The verdict with what it rests on.
    """

    test: str
    statistic: float | None
    shown: str
    null: str
    p_value: float | None
    gates: list[Gate]
    word: Word
    sentence: str
