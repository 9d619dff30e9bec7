import pytest

from mimicbench.report import job
from tests.test_results import make_result


def test_a_single_job_is_printed_with_all_that_the_readme_promises(capsys: pytest.CaptureFixture[str]) -> None:
    job.show(make_result(config={"paths": {"output_dir": "somewhere"}}))
    printed = capsys.readouterr().out
    for value in ("90.00%", "81.00%", "85.00%", "1,000 (990 different)", "8 in 2 epochs, seed 0", "CPU, 32-true"):
        assert value in printed
    assert "somewhere" in printed


def test_one_is_singular(capsys: pytest.CaptureFixture[str]) -> None:
    job.show(make_result(epochs=1, config={"paths": {"output_dir": "somewhere"}}))
    assert "8 in 1 epoch, seed 0" in capsys.readouterr().out
