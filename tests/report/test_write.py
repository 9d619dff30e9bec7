import base64
import json
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import PIL.Image
import pytest

from mimicbench.errors import UserError
from mimicbench.ownership import matrix
from mimicbench.report.__main__ import main
from mimicbench.report.write import write
from tests.ownership.test_matrix import make_matrix
from tests.report.made import begin, make_job, make_sweep
from tests.test_results import KNOWN

FIGURES = {
    *("accuracy_over_epochs", "accuracy_over_queries", "composites", "replies", "fidelity_by_class", "calibration")
}
NOTHING_FROM_OUTSIDE = "--host-resolver-rules=MAP * ~NOTFOUND"


class Page(HTMLParser):
    """Tags with their attributes, and the text of a page."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_sweep(tmp_path_factory.mktemp("sweep"))
    begin(folder / "4-composite-label-seed2", ["attack=composite", "oracle=label", "seed=2"])
    return write(folder)


def test_figures_lie_beside_the_page_as_png_and_svg_and_tables_as_csv(report: Path) -> None:
    folder = report.parent / "report"
    assert {file.stem for file in folder.glob("*.png")} == {file.stem for file in folder.glob("*.svg")} == FIGURES
    for file in folder.glob("*.png"):
        with PIL.Image.open(file) as image:
            assert image.width > 600
            assert image.info["Description"]
    assert {file.stem for file in folder.glob("*.csv")} == {"table4", "protections", "jobs", "commands"}


def test_a_sweep_that_was_scored_for_marks_shows_them(tmp_path: Path) -> None:
    folder = make_sweep(tmp_path)
    matrix.write([make_matrix(own=0.9)], folder)
    said = Page(write(folder)).text
    assert "Do students carry the marks of their mentors?" in said
    assert pd.read_csv(folder / "report" / "marks.csv", dtype=str)["Verdict"].tolist() == ["detected"]
    assert (folder / "report" / "marks.png").stat().st_size
    assert "Do students carry marks?" in said


def test_table_4_has_the_papers_values_beside_ours(report: Path) -> None:
    rows = pd.read_csv(report.parent / "report" / "table4.csv", dtype=str)
    assert rows["Method"].tolist() == ["Standard", "Composite"]
    assert rows["Test accuracy"].tolist() == ["75.00 ± 7.07%"] * 2
    assert rows["Paper: accuracy"].tolist() == ["87.46%", "89.59%"]
    assert rows["Paper: relative"].tolist() == ["96.66%", "99.01%"]


def test_each_job_has_its_command_time_and_throughput(report: Path) -> None:
    rows = pd.read_csv(report.parent / "report" / "commands.csv", dtype=str)
    assert rows["Command"][3] == "python train.py attack=composite oracle=label seed=1"
    assert rows["Time"][3] == "2 s"
    assert rows["Samples/s"][3] == "600"


def test_the_page_needs_nothing_else(report: Path) -> None:
    page = Page(report)
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "embed"}
    for _, attributes in page.tags:
        assert "href" not in attributes
        for name in ("src", "srcset"):
            assert attributes.get(name, "data:").startswith("data:")  # type: ignore[union-attr]
    assert "url(" not in report.read_text(encoding="utf-8")


def test_every_figure_has_words_and_both_themes(report: Path) -> None:
    page = Page(report)
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    sources = [attributes for tag, attributes in page.tags if tag == "source"]
    assert len(images) == len(sources) == len(FIGURES)
    for image, source in zip(images, sources, strict=True):
        assert any(character.isdigit() for character in str(image["alt"]))
        assert "dark" in str(source["media"])
        for data in (image["src"], source["srcset"]):
            ElementTree.fromstring(base64.b64decode(str(data).partition("base64,")[2]))


def test_what_is_missing_is_said_before_all_else(report: Path) -> None:
    text = Page(report).text
    assert "4-composite-label-seed2 has no result" in text
    assert text.index("What is missing") < text.index("Results (Table 4)")


def test_names_are_text_and_never_markup(tmp_path: Path) -> None:
    make_job(tmp_path / "0-<script>alert(1)</script>".replace("/", "_"), student="<img src=x>")
    make_job(tmp_path / "1", student='"&')
    page = Page(write(tmp_path))
    assert not [tag for tag, _ in page.tags if tag == "script"]
    assert all(attributes.get("src") != "x" for _, attributes in page.tags)
    assert "<img src=x>" in page.text


def test_a_report_of_older_results_shows_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "result.json").write_text(json.dumps(KNOWN))
    text = Page(write(tmp_path)).text
    assert "50.00%" in text
    rows = pd.read_csv(tmp_path / "report" / "table4.csv", dtype=str)
    assert rows.loc[0, ["Fidelity", "Relative accuracy", "Queries"]].tolist() == ["–"] * 3
    assert "left no curve" in text
    assert "left no overrides" in text
    assert "nan" not in text.lower().split()


def test_a_sweep_in_which_nothing_has_finished_has_a_page_that_says_so(tmp_path: Path) -> None:
    begin(tmp_path / "0-composite", ["seed=0"])
    text = Page(write(tmp_path)).text
    assert "0 finished jobs" in text
    assert "0-composite has no result" in text


def test_the_command_line_writes_the_same_again_and_says_where(
    report: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = report.parent / "report"
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    main([str(report.parent)])
    assert str(report) in capsys.readouterr().out
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_the_command_line_refuses_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as refused:
        main([str(tmp_path)])
    assert str(refused.value).endswith("such as multirun_outputs/….")


def test_a_report_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    make_job(tmp_path / "job")
    (tmp_path / "report").write_text("a file")
    with pytest.raises(UserError, match="cannot be written"):
        write(tmp_path)


def chromium(*arguments: str) -> str:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("needs chromium (Debian package chromium)")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", NOTHING_FROM_OUTSIDE]
    done = subprocess.run([program, *options, *arguments], capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


@pytest.mark.parametrize("width", [390, 1200])
def test_a_browser_shows_all_of_it_on_a_phone_and_a_desk(width: int, report: Path, tmp_path: Path) -> None:
    measured = (
        f"<iframe id=i style='width:{width}px;height:800px;border:0' src='{report.as_uri()}'></iframe><p id=out></p>"
        "<script>i.onload = () => { const d = i.contentDocument; out.textContent = JSON.stringify({"
        "over: d.documentElement.scrollWidth - d.documentElement.clientWidth,"
        "images: [...d.images].filter(one => one.complete && one.naturalWidth > 0).length}); }</script>"
    )
    frame = tmp_path / "frame.html"
    frame.write_text(measured)
    options = ["--allow-file-access-from-files", f"--window-size={width + 50},900", "--virtual-time-budget=10000"]
    shown = chromium(*options, "--dump-dom", frame.as_uri())
    assert f'{{"over":0,"images":{len(FIGURES)}}}' in shown


@pytest.mark.parametrize(("scheme", "ground"), [(1, (0xFF, 0xFF, 0xFF)), (0, (0x16, 0x18, 0x1D))])
def test_a_browser_follows_the_readers_theme(
    scheme: int, ground: tuple[int, int, int], report: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "shown.png"
    theme = f"--blink-settings=preferredColorScheme={scheme}"
    chromium(theme, "--window-size=900,4000", f"--screenshot={picture}", report.as_uri())
    with PIL.Image.open(picture) as image:
        shown = np.asarray(image.convert("RGB"))
    same = (shown == ground).all(-1)
    assert same[:, :10].all()  # the margin
    assert 0.5 < same.mean() < 0.99  # figures are on the page's own ground, and there is something on it
