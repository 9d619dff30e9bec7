import pytest

from mimicbench.sweeps.callback import Sweep


def test_whether_there_is_a_report_is_true_or_false(capsys: pytest.CaptureFixture[str]) -> None:
    for answer in (True, False):
        Sweep(answer)
    with pytest.raises(SystemExit) as ended:
        Sweep("maybe")  # type: ignore[arg-type]
    assert ended.value.code == 1
    assert capsys.readouterr().err == "hydra.callbacks.sweep.report=maybe is refused; choose true or false.\n"
