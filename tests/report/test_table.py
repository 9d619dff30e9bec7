import json
import statistics
from pathlib import Path

import pandas as pd
import pytest

from mimicbench.report import table
from mimicbench.results import Queries, Result, load
from tests.test_results import KNOWN, make_mark, make_protection, make_result


def saved(folder: Path, *results: Result) -> pd.DataFrame:
    for number, result in enumerate(results):
        (folder / str(number)).mkdir()
        result.save(folder / str(number))
    return load(folder)


def test_jobs_are_rows_of_table_4(tmp_path: Path) -> None:
    unprotected = make_result(
        attack="standard", oracle="softmax", student_accuracy=0.891, queries=Queries(128, 128, None, 0)
    )
    rows = table.jobs(saved(tmp_path, unprotected, make_result(), make_result(oracle="topk")))
    assert rows["Method"].tolist() == ["Standard", "Composite", "Composite"]
    assert rows["Mentor status"].tolist() == ["Unprotected", "Protected", "Protected: topk"]
    assert rows["Test accuracy"].tolist() == ["89.10%", "81.00%", "81.00%"]
    assert rows["Queries"].tolist() == ["128", "1,000", "1,000"]
    assert not {"Task", "Pool", "Student"} & set(rows)


def test_what_differs_between_jobs_is_shown(tmp_path: Path) -> None:
    rows = table.jobs(saved(tmp_path, make_result(student="vgg16"), make_result(student="vgg16_bn")))
    assert rows["Student"].tolist() == ["vgg16", "vgg16_bn"]


def test_cells_give_mean_and_sample_deviation_over_seeds(tmp_path: Path) -> None:
    values = [0.70, 0.74, 0.75]
    seeds = [make_result(seed=seed, fidelity=value) for seed, value in enumerate(values)]
    rows = table.cells(saved(tmp_path, *seeds, make_result(oracle="softmax", fidelity=0.8)))
    mean, spread = 100 * statistics.mean(values), 100 * statistics.stdev(values)
    assert rows["Fidelity"].tolist() == [f"{mean:.2f} ± {spread:.2f}%", "80.00%"]
    assert rows["Seeds"].tolist() == ["3", "1"]


def test_other_budgets_are_other_cells(tmp_path: Path) -> None:
    rows = table.cells(saved(tmp_path, make_result(), make_result(seed=1, queries=Queries(2000, 2000, None, 0))))
    assert rows["Queries"].tolist() == ["1,000", "2,000"]


def test_a_sweep_is_summed_up_in_two_files(tmp_path: Path) -> None:
    results = saved(tmp_path, make_result(), make_result(seed=1, fidelity=0.95))
    table.write_summary(results, tmp_path)
    numbers = pd.read_csv(tmp_path / "summary.csv")
    assert numbers["fidelity"].tolist() == [0.85, 0.95]
    assert not {"config", "versions"} & set(numbers)
    markdown = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert "90.00%" in markdown  # the mentor's
    assert "90.00 ± 7.07%" in markdown
    assert markdown.count("| Composite | Protected |") == 3


def test_the_summary_tells_jobs_apart_by_what_was_varied(tmp_path: Path) -> None:
    results = [make_result(config={"attack": {"images": images}}) for images in (2, 3)]
    table.write_summary(saved(tmp_path, *results), tmp_path)
    assert pd.read_csv(tmp_path / "summary.csv")["attack.images"].tolist() == [2, 3]


def test_cells_keep_apart_what_was_configured_apart(tmp_path: Path) -> None:
    images_and_seed = [(2, 0), (2, 1), (3, 0), (3, 1)]
    results = [
        make_result(seed=seed, config={"seed": seed, "attack": {"images": images}}) for images, seed in images_and_seed
    ]
    rows = table.cells(saved(tmp_path, *results))
    assert rows["Seeds"].tolist() == ["2", "2"]
    assert len(table.jobs(load(tmp_path)).drop(columns="Seed").drop_duplicates()) == 2


def test_no_word_is_cut_where_the_output_is_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    seeds = [
        make_result(seed=seed, attack="composite_once", oracle=oracle)
        for seed in (0, 1)
        for oracle in ("label", "softmax")
    ]
    table.show(saved(tmp_path, *seeds))
    printed = capsys.readouterr().out
    assert "…" not in printed
    for word in ("Composite", "Unprotected", "Protected", "Relative", "accuracy", "Fidelity", "Queries"):
        assert word in printed


def test_a_setting_that_is_null_differs_from_a_section(tmp_path: Path) -> None:
    configs = [{"attack": {"augment": augment}} for augment in (None, {"shift": 2}, None)]
    shown = [make_result(config=config, seed=seed) for config, seed in zip(configs, (0, 1, 1), strict=True)]
    rows = table.cells(saved(tmp_path, *shown))
    assert rows["Seeds"].tolist() == ["2", "1"]
    assert rows["attack.augment"].tolist() == ["null", "–"]
    assert rows["attack.augment.shift"].tolist() == ["–", "2"]


def test_a_setting_that_one_attack_has_and_another_lacks_is_shown_where_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    standard = make_result(attack="standard", config={"attack": {"rate": 1}})
    composites = [make_result(config={"attack": {"rate": 1, "images": images}}) for images in (2, 3)]
    results = saved(tmp_path, standard, *composites)
    assert table.labels(results) == ["Standard, label", *(f"Composite, label, attack.images={n}" for n in (2, 3))]
    assert table.jobs(results)["attack.images"].tolist() == ["–", "2", "3"]
    table.write_summary(results, tmp_path)
    table.show(results)
    assert "attack.images" in capsys.readouterr().out


def test_results_whose_configuration_is_unknown_are_kept(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "result.json").write_text(json.dumps(KNOWN))
    known = [make_result(config={"attack": {"images": images}}) for images in (2, 3)]
    rows = table.cells(saved(tmp_path, *known))
    assert sorted(rows["attack.images"]) == ["2", "3", "–"]
    assert sorted(rows["Test accuracy"]) == ["50.00%", "81.00%", "81.00%"]


def test_what_protection_costs_is_one_row_a_cell(tmp_path: Path) -> None:
    protected = [
        make_result(
            oracle=oracle,
            seed=seed,
            protection=make_protection(changed_queries=changed, keeps_argmax=oracle == "topk", mentor_accuracy=0.5),
        )
        for oracle, seed, changed in (("dawn", 0, 0.25), ("dawn", 1, 0.75), ("topk", 0, 0.0))
    ]
    rows = table.protections(saved(tmp_path, *protected))
    assert rows["Mentor status"].tolist() == ["Protected: dawn", "Protected: topk"]
    assert rows["Keeps the label"].tolist() == ["no", "yes"]
    assert rows["Queries with another label"].tolist() == ["50.00%", "0.00%"]
    assert rows["Mentor's accuracy as seen"].tolist() == ["50.00%", "50.00%"]
    assert rows["ECE as seen"].tolist() == ["0.100", "0.100"]


def test_results_that_know_of_no_protection_have_no_such_table(tmp_path: Path) -> None:
    saved(tmp_path, make_result())
    file = tmp_path / "0" / "result.json"
    content = json.loads(file.read_text())
    del content["protection"]
    file.write_text(json.dumps(content))
    assert table.protections(load(tmp_path)).empty


def test_a_setting_that_is_the_seed_everywhere_is_a_seed(tmp_path: Path) -> None:
    jobs = [
        make_result(seed=seed, fidelity=0.8 + seed / 10, config={"seed": seed, "mentor": {"seed": seed}})
        for seed in (0, 1)
    ]
    (row,) = table.cells(saved(tmp_path, *jobs)).to_dict("records")
    assert row["Seeds"] == "2"
    assert "mentor.seed" not in row


def test_settings_named_as_seeds_tell_no_cells_apart(tmp_path: Path) -> None:
    jobs = [make_result(config={"mentor": {"seed": seed}, "attack": {"images": 2}}) for seed in (3, 4)]
    results = saved(tmp_path, *jobs)
    assert table.labels(results) == ["Composite, label, mentor.seed=3", "Composite, label, mentor.seed=4"]
    assert table.labels(results, ["mentor.seed"]) == ["Composite, label"] * 2


def test_marks_are_told_apart_by_their_scheme_alone(tmp_path: Path) -> None:
    marks = {"content": {"count": 100}, "uchida": {"bits": 256}}
    jobs = [
        make_result(watermark=make_mark(scheme), config={"watermark": {"name": scheme, **own}})
        for scheme, own in marks.items()
    ]
    rows = table.jobs(saved(tmp_path, *jobs, make_result(config={"watermark": {"name": "none"}})))
    assert rows["Watermark"].tolist() == ["content", "uchida", "none"]
    assert not [column for column in rows if "." in column]
