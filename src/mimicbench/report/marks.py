"""Whether students carry the marks of their mentors, as a table."""

import pandas as pd

from mimicbench.ownership.matrix import Matrix

NOTE = (
    "Each key of a scheme is scored on each student of one recipe: on that of its own mentor, and on those of other "
    "mentors, which is the null. The excess is the difference of the two means, in points, with its one-sided upper "
    "95 % bound, the larger one of a bootstrap over keys and of a permutation test; p is that of a permutation of "
    "which student belongs to which key. Positive controls are the fine-tuned copies, and the distilled students, of "
    "all that the mentors were trained on, marked images too, and their softmax. Carriers are students that show at "
    "least what an owner claims a copy for, and the largest share of such students that is compatible with it (95 %); "
    "claimed wrongly are pairs of a key and another mentor's student that show as much. Each row is tested at 5 % by "
    "itself: of twenty without any mark, one is detected. The paper claims that a student which learns from "
    "composites carries no watermark and no backdoor (sections 2.3 and 2.4)."
)

_CLAIM = "not carried"
_UNDEFINED = "undefined (the students have no layer of the shape that carries the mark)"


def rows(matrices: list[Matrix]) -> pd.DataFrame:
    """One row a scheme and recipe of students: text columns."""
    return pd.DataFrame([_row(one) for one in matrices])


def _row(one: Matrix) -> dict[str, str]:
    verdict = one.verdict
    own, copies = _own(one.scores), _own(one.control_scores)
    others = [score for i, row in enumerate(one.scores) for j, score in enumerate(row) if i != j]
    lost = pd.Series(one.mentor_accuracies).mean() - pd.Series(one.student_accuracies).mean()
    told = {
        "Scheme": one.scheme,
        "Students": one.arm,
        "Keys": str(len(one.keys)),
        "Took": f"{sum(one.took)} of {len(one.took)}",
        "Mentors": _mean(one.mentor_scores),
        "Fine-tuned copies": _mean(copies),
        "Distilled": "–" if one.distilled_scores is None else _mean(_own(one.distilled_scores)),
        "Own students": _mean(own),
        "Other students": _mean(others),
        "Accuracy lost": f"{100 * lost:.1f} points",
    }
    if verdict is None:
        unknown = dict.fromkeys(("Excess", "p", "Carriers", "Claimed wrongly"), "–")
        return told | unknown | {"Verdict": _UNDEFINED, "Paper": _claim(one)}
    return told | {
        "Excess": f"{100 * verdict.excess:+.1f} (≤ {100 * verdict.bound.upper:.1f})",
        "p": f"{verdict.p_value:.2g}",
        "Carriers": f"{verdict.carriers} of {len(one.keys)} (≤ {verdict.most_carriers:.1%})",
        "Claimed wrongly": "{} of {}".format(*one.innocents_claimed),
        "Verdict": verdict.sentence,
        "Paper": _claim(one),
    }


def _claim(one: Matrix) -> str:
    return _CLAIM if one.arm.startswith("Composite") else "–"


def _own(scores: list[list[float | None]]) -> list[float | None]:
    return [row[number] for number, row in enumerate(scores)]


def _mean(scores: list[float | None]) -> str:
    known = [score for score in scores if score is not None]
    return f"{sum(known) / len(known):.1%}" if known else "–"
