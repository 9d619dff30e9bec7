from pathlib import Path

import pytest

from mimicbench.audit import main
from mimicbench.results import Queries
from tests.test_results import make_result


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    for number, (budget, fidelity) in enumerate([(1000, 0.6), (4000, 0.8), (16000, 0.95)]):
        (tmp_path / str(number)).mkdir()
        make_result(fidelity=fidelity, queries=Queries(budget, budget, budget, 0)).save(tmp_path / str(number))
    return tmp_path


@pytest.mark.parametrize(
    ("budget", "fidelity", "code"),
    [(999_999, 0.94, 1), (999_999, 0.95, 0), (4000, 0.79, 1), (4000, 0.8, 0), (15_999, 0.9, 0), (1000, 0.5, 1)],
)
def test_students_within_the_budget_must_not_agree_too_much(
    sweep: Path, budget: int, fidelity: float, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main([str(sweep), "--budget", str(budget), "--fidelity", str(fidelity)])
    assert end.value.code == code
    assert capsys.readouterr().out.startswith("FAILED" if code else "passed")


def test_a_sweep_that_cannot_say_is_no_pass(sweep: Path, tmp_path: Path) -> None:
    for given, said in (
        ([str(sweep), "--budget", "999"], "asked at most 999 images"),
        ([str(tmp_path / "absent"), "--budget", "1000"], "holds no finished job"),
    ):
        with pytest.raises(SystemExit) as end:
            main([*given, "--fidelity", "0.9"])
        assert said in str(end.value.code)


@pytest.mark.parametrize(("budget", "fidelity"), [("0", "0.9"), ("x", "0.9"), ("10", "1.1"), ("10", "x")])
def test_limits_are_checked(sweep: Path, budget: str, fidelity: str) -> None:
    with pytest.raises(SystemExit) as end:
        main([str(sweep), "--budget", budget, "--fidelity", fidelity])
    assert end.value.code == 2
