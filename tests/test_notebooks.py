"""The notebooks, executed as a reader would."""

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.report.made import begin, make_sweep

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def executed(name: str) -> list[dict[str, Any]]:
    """What the cells of a notebook put out."""
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(NOTEBOOKS)}}).execute()
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def pictures(outputs: list[dict[str, Any]]) -> int:
    return sum("image/png" in output.get("data", {}) for output in outputs)


def printed(outputs: list[dict[str, Any]]) -> str:
    return "".join(output.get("text", "") for output in outputs if output["output_type"] == "stream")


@pytest.mark.parametrize("file", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda file: file.stem)
def test_they_are_stored_without_outputs(file: Path) -> None:
    for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_the_papers_table_and_figures_come_from_a_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(make_sweep(tmp_path) / "4-composite-label-seed2", ["seed=2"])
    monkeypatch.setenv("MIMICBENCH_SWEEP", str(tmp_path))
    outputs = executed("paper.ipynb")
    assert "4 finished jobs" in printed(outputs)
    assert "Missing: 4-composite-label-seed2 has no result" in printed(outputs)
    assert pictures(outputs) == 4
    tables = [output["data"]["text/plain"] for output in outputs if "text/html" in output.get("data", {})]
    assert "75.00 ± 7.07%" in tables[0]
    assert "89.59%" in tables[0]


def test_composites_are_explained_on_the_embedded_data(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIMICBENCH_CACHE", str(cache))
    outputs = executed("composites.ipynb")
    assert "The mentor reads" in printed(outputs)
    assert "have a class that neither of their sources has" in printed(outputs)
    assert pictures(outputs) == 4
