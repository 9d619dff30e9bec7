"""Whether one suspect carries a mentor's mark: the owner's key, against keys that nobody used."""

import math

import numpy as np

from mimicbench.counter_rng import seed_for
from mimicbench.mentors import Mentor
from mimicbench.ownership.finding import Finding
from mimicbench.ownership.owned import Owned
from mimicbench.ownership.statistics import key_p_value
from mimicbench.ownership.verdict import LEVEL, Gate, close, judged_alone
from mimicbench.watermarks import TunedMark
from mimicbench.watermarks.evidence import Evidence, Triggers
from mimicbench.watermarks.marked import TOOK

_NO_OTHER_KEY = "undefined (its triggers are made with the mentor itself, so that no other key can be compared with it)"
_OTHER_SHAPE = "undefined (the suspect has no layer of the shape that carries the message)"


def key_test(
    owned: Owned, evidence: Evidence, suspect: Mentor, keys: int = 99, references: int | None = None
) -> Finding:
    """Score the owner's key on a suspect, and what keys of the scheme score on networks that carry no mark.

    The null are keys that are drawn as the owner's was, on networks that were trained as the mentor but without a mark.
    Keys on the suspect itself would be a null without any assumption, but a blunt one: a network
    that has learned one key often sends the triggers of others to the same class, so that a copy of the weights
    themselves has p > 1 / K for K classes; what they score is told too. See :func:`references_needed`. For the same
    reason the p-value is that of a suspect without any mark of this scheme: one that copies a mentor of another owner,
    marked likewise, is detected as often as the two keys have one class, once in K.

    So that chance differences of two networks are not taken for a mark, what is below the owner's threshold is not
    detected, whatever its p-value. A copy of the mentor that was trained on is tried alike, for a test that cannot find
    the mark there says nothing of others. Of marks whose triggers are made with the mentor, no other key is comparable:
    the test is undefined.

    Args:
        owned: The mentor with its mark.
        evidence: Its key.
        suspect: What is tried.
        keys: How many others; with fewer than 18, and one reference, nothing can be detected.
        references: How many networks without the mark; None for as many as are needed.
    """
    score = evidence.score(suspect)
    if score is None:
        return Finding(evidence.scheme, None, "–", "–", None, [], "undefined", _OTHER_SHAPE)
    if isinstance(owned.watermark, TunedMark):
        shown = f"{score:.1%}, {'over' if score >= evidence.threshold else 'below'} the owner's threshold"
        return Finding(evidence.scheme, score, shown, "–", None, [], "undefined", _NO_OTHER_KEY)
    classes = len(owned.task.classes)
    references = references_needed(classes) if references is None else references
    others = _other_keys(evidence, keys)
    null, beside = _of_chance(owned, evidence, suspect, others, references)
    p_value = key_p_value(score, null)
    gates = _gates(owned, evidence, suspect, null)
    word, sentence = judged_alone(p_value if score >= evidence.threshold else 1.0, gates)
    what = "triggers" if isinstance(evidence, Triggers) else "bits"
    claim = "over" if score >= evidence.threshold else "below"
    without = f"{references} network{'s' if references > 1 else ''} without the mark"
    return Finding(
        evidence.scheme,
        score,
        f"{round(score * evidence.size):,} of {evidence.size:,} {what} ({score:.1%}), {claim} the owner's threshold "
        f"of {evidence.threshold:.1%}",
        f"{1 + len(others)} keys on {without}: {null.mean():.1%} on average, {null.max():.1%} at most "
        f"(the other keys on the suspect: {beside.mean():.1%} on average, {beside.max():.1%} at most)",
        p_value,
        gates,
        word,
        sentence,
    )


def references_needed(classes: int) -> int:
    """How many networks without the mark keep false alarms at 5 %: 1 for 5 classes or more, 2 for 3 or 4, 4 for 2.

    Say that a share q of all networks send any trigger set to one class. An innocent suspect is taken for a copy where
    it does so (q), its class is the owner's (1 / K), and none of the M references does ((1 - q)^M). The largest value
    of that, for q = 1 / (M + 1), is to be 0.05 at most.
    """
    count = 1
    while (count / (count + 1)) ** count / (count + 1) / classes > LEVEL:
        count += 1
    return count


def _of_chance(
    owned: Owned, evidence: Evidence, suspect: Mentor, others: list[int], references: int
) -> tuple[np.ndarray, np.ndarray]:
    """What all keys score on networks without the mark, the null; and what the other keys score on the suspect."""
    unmarked = [owned.unmarked(number) for number in range(references)]
    null, beside = [evidence.score(one) for one in unmarked], []
    for key in others:  # one at a time: a backdoor's triggers are most of the test images
        other = owned.other_evidence(key)
        null += [other.score(one) for one in unmarked]
        beside.append(other.score(suspect))
    return np.array(null, dtype=np.float64), np.array(beside, dtype=np.float64)


def _gates(owned: Owned, evidence: Evidence, suspect: Mentor, null: np.ndarray) -> list[Gate]:
    assert owned.recorded is not None  # or there were no evidence
    mentor_score, in_copy = evidence.score(owned.mentor) or 0.0, evidence.score(owned.fine_tuned()) or 0.0
    found_in_copy = key_p_value(in_copy, null)
    lost = 100 * owned.recorded["accuracy_lost"]
    fewest = math.ceil(1 / LEVEL) - 1
    enough = len(null) >= fewest
    copied = (
        Gate(
            f"a fine-tuned copy of the mentor should be detected: it shows {in_copy:.1%}, p = {found_in_copy:.2g}",
            found_in_copy <= LEVEL and in_copy >= evidence.threshold,
        )
        if enough
        else Gate(f"there should be {fewest} scores or more to compare with: {len(null)} are too few (--keys)", False)
    )
    return [
        Gate(
            f"the mark should have taken: the mentor shows {mentor_score:.1%} of it and lost {lost:.1f} points of "
            "accuracy to it",
            mentor_score >= TOOK and owned.recorded["took"],
        ),
        close([owned.accuracy], [owned.accuracy_of(suspect)]),
        copied,
    ]


def _other_keys(evidence: Evidence, count: int) -> list[int]:
    random = np.random.default_rng(seed_for(f"other keys of {evidence.scheme}", evidence.key))
    drawn = (int(key) for key in random.integers(2**32, size=2 * count))
    return list(dict.fromkeys(key for key in drawn if key != evidence.key))[:count]
