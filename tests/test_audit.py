from pathlib import Path

import pytest

from mimicbench.audit import main
from mimicbench.results import Queries
from tests.report.made import begin
from tests.test_results import make_result


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    for number, (budget, fidelity) in enumerate([(1000, 0.6), (4000, 0.8), (16000, 0.95)]):
        (tmp_path / str(number)).mkdir()
        make_result(fidelity=fidelity, queries=Queries(budget, budget, budget, 0)).save(tmp_path / str(number))
    return tmp_path


@pytest.mark.parametrize(
    ("budget", "fidelity", "code"),
    [(16_000, 0.94, 1), (16_000, 0.95, 0), (4000, 0.79, 1), (4000, 0.8, 0), (1000, 0.5, 1)],
)
def test_students_within_the_budget_must_not_agree_too_much(
    sweep: Path, budget: int, fidelity: float, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main([str(sweep), "--budget", str(budget), "--fidelity", str(fidelity)])
    assert end.value.code == code
    assert capsys.readouterr().out.startswith("FAILED" if code else "passed")


def cannot_say(capsys: pytest.CaptureFixture[str], sweep: Path, budget: int) -> str:
    with pytest.raises(SystemExit) as end:
        main([str(sweep), "--budget", str(budget), "--fidelity", "0.99"])
    assert end.value.code == 2
    return capsys.readouterr().err


def test_a_sweep_that_cannot_say_is_no_pass(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for budget in (999, 15_999, 1_000_000):
        assert f"No job in {sweep} asked {budget:,} images" in cannot_say(capsys, sweep, budget)
    assert "holds no finished job" in cannot_say(capsys, sweep / "absent", 1000)
    begin(sweep / "3-failed", ["attack=composite"])
    assert "3-failed has not finished" in cannot_say(capsys, sweep, 4000)


@pytest.mark.parametrize(("budget", "fidelity"), [("0", "0.9"), ("x", "0.9"), ("10", "1.1"), ("10", "x")])
def test_limits_are_checked(sweep: Path, budget: str, fidelity: str) -> None:
    with pytest.raises(SystemExit) as end:
        main([str(sweep), "--budget", budget, "--fidelity", fidelity])
    assert end.value.code == 2
