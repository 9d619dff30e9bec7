from pathlib import Path

import pytest
from omegaconf import OmegaConf

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
        said = cannot_say(capsys, sweep, budget)
        assert f"oracle=label asked just {budget:,} images, but 1,000, 4,000, 16,000; set oracle.budget" in said
    assert "is not a folder" in cannot_say(capsys, sweep / "absent", 1000)
    make_result(oracle="softmax", queries=Queries(1000, 1000, 1000, 0)).save(made(sweep / "3"))
    assert "No job of attack=composite oracle=softmax asked just 4,000" in cannot_say(capsys, sweep, 4000)
    begin(sweep / "4-failed", ["attack=composite"])
    assert "A sweep that has not finished has not passed" in cannot_say(capsys, sweep, 1000)


def test_a_sweep_that_was_cut_off_between_two_jobs_is_no_pass(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begin(tmp_path / "0", ["oracle=label"])
    make_result(queries=Queries(1000, 1000, 1000, 0)).save(tmp_path / "0")
    sweeper = {"_target_": "hydra._internal.core_plugins.basic_sweeper.BasicSweeper", "params": None}
    command = {"hydra": {"sweeper": sweeper, "overrides": {"task": ["oracle=label,softmax"]}}}
    OmegaConf.save(OmegaConf.create(command), tmp_path / "multirun.yaml")
    assert "oracle=softmax has not begun" in cannot_say(capsys, tmp_path, 1000)


def test_what_is_copied_too_far_has_failed_whatever_else_is_not_known(sweep: Path) -> None:
    begin(sweep / "4-failed", ["attack=composite"])
    for budget in ("4000", "5000"):
        with pytest.raises(SystemExit) as end:
            main([str(sweep), "--budget", budget, "--fidelity", "0.7"])
        assert end.value.code == 1


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.mark.parametrize(("budget", "fidelity"), [("0", "0.9"), ("x", "0.9"), ("10", "1.1"), ("10", "x")])
def test_limits_are_checked(sweep: Path, budget: str, fidelity: str) -> None:
    with pytest.raises(SystemExit) as end:
        main([str(sweep), "--budget", budget, "--fidelity", fidelity])
    assert end.value.code == 2
