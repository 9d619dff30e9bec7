"""What the figures of a sweep draw, read from their axes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes

from mimicbench.ownership import matrix
from mimicbench.report import style
from mimicbench.report.figures import budgets, calibration, classes, composites, curves, marks, protections
from mimicbench.report.figures.figure import Draw, Drawn
from mimicbench.report.style import DARK, LIGHT, Theme
from mimicbench.report.sweep import Sweep
from mimicbench.results import Queries
from tests.ownership.test_matrix import make_matrix
from tests.report.made import ACCURACIES, make_examples, make_job, make_sweep
from tests.test_predictions import make_predictions
from tests.test_results import make_protection

EVERY = (curves.over_epochs, curves.over_queries, composites.grid, composites.replies, classes.draw, calibration.draw)
MEANS = np.mean(list(ACCURACIES.values()), axis=0)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    return Sweep.read(make_sweep(tmp_path_factory.mktemp("sweep")))


def drawn(draw: Draw, sweep: Sweep) -> Drawn:
    found = draw(sweep, LIGHT)
    assert found is not None
    return found


def lines(axes: Axes) -> dict[str, np.ndarray]:
    """The points of each line under its name."""
    return {str(line.get_label()): np.array(line.get_xydata()) for line in axes.get_lines()}


def test_figure_3_is_the_mean_over_seeds_after_every_epoch_and_the_mentor(sweep: Sweep) -> None:
    (axes,) = drawn(curves.over_epochs, sweep).figure.axes
    found = lines(axes)
    for cell in ("Standard, label", "Composite, label"):
        np.testing.assert_allclose(found[cell], np.column_stack([[1, 2, 3], MEANS]))
    np.testing.assert_allclose(found["Mentor"][:, 1], 0.9)
    assert axes.get_ylabel() == "Test accuracy"


def test_accuracy_and_fidelity_lie_over_queries_on_a_log_axis(sweep: Sweep) -> None:
    accuracy, fidelity = drawn(curves.over_queries, sweep).figure.axes
    for axes, more in ((accuracy, 0.0), (fidelity, 0.05)):
        assert axes.get_xscale() == "log"
        found = lines(axes)
        np.testing.assert_allclose(found["Composite, label"], np.column_stack([[500, 1000, 1500], MEANS + more]))
        np.testing.assert_allclose(found["Standard, label"], [[500, MEANS[-1] + more]])
    assert "Mentor" not in lines(fidelity)


def test_figure_1_shows_the_images_with_the_shares_of_their_sources(sweep: Sweep) -> None:
    figure = drawn(composites.grid, sweep).figure
    examples = make_examples()
    assert len(figure.axes) == len(examples.images) == 24
    for axes, image, weights in zip(figure.axes, examples.images, examples.weights, strict=True):
        np.testing.assert_array_equal(axes.get_images()[0].get_array(), image)
        assert axes.get_title() == f"{100 * weights[0]:.0f} + {100 * weights[1]:.0f}"


def test_figure_2_sets_what_the_mentor_says_beside_what_blending_predicts(sweep: Sweep) -> None:
    figure = drawn(composites.replies, sweep).figure
    examples = make_examples()
    for row in range(6):
        *pictures, bars = figure.axes[4 * row : 4 * row + 4]
        for axes, image in zip(pictures, [*examples.sources[row], examples.images[row]], strict=True):
            np.testing.assert_array_equal(axes.get_images()[0].get_array(), image)
        np.testing.assert_allclose([bar.get_height() for bar in bars.patches], examples.mentor[row], rtol=1e-6)
        predicted = [segment[0][1] for segment in bars.collections[0].get_segments()]
        np.testing.assert_allclose(predicted, examples.weights[row] @ examples.mentor_of_sources[row], rtol=1e-5)


def test_many_classes_are_the_most_probable(tmp_path: Path) -> None:
    examples = make_examples(classes=100)
    examples.save(make_job(tmp_path / "job"))
    bars = drawn(composites.replies, Sweep.read(tmp_path)).figure.axes[3]
    assert len(bars.patches) == 10
    assert max(bar.get_height() for bar in bars.patches) == pytest.approx(examples.mentor[0].max())


def test_fidelity_class_by_class_is_the_mean_over_seeds(sweep: Sweep) -> None:
    (axes,) = drawn(classes.draw, sweep).figure.axes
    expected = np.mean([make_predictions(seed=seed).class_fidelity() for seed in (0, 1)], axis=0)
    names = [label.get_text() for label in axes.get_yticklabels()]
    order = [int(name.removeprefix("class ")) for name in names]
    points = lines(axes)["Composite, label"]
    np.testing.assert_allclose(points[:, 0], expected[order])
    assert (np.diff(points[:, 0]) >= 0).all()
    assert (np.diff(points[:, 1]) < 0).all()  # the lowest at the top


def test_a_student_that_agrees_on_no_class_in_all_seeds_is_not_drawn_class_by_class(tmp_path: Path) -> None:
    """A mentor that puts all images of a seed in one class leaves the others without a share."""
    for seed in (0, 1):
        of_one = make_predictions(seed=seed)
        mentor = np.full_like(of_one.mentor, 0.01)
        mentor[:, seed] = 0.9
        replace(of_one, mentor=mentor).save(make_job(tmp_path / str(seed), seed=seed))
    assert classes.draw(Sweep.read(tmp_path), LIGHT) is None


def test_calibration_names_the_error_of_each_cell_and_the_mentor(sweep: Sweep) -> None:
    found = drawn(calibration.draw, sweep)
    mentor = make_predictions()
    error = mentor.calibration(mentor.mentor).error
    assert f"Mentor: ECE {error:.3f}" in found.alternative
    (axes,) = found.figure.axes
    calibrated = mentor.calibration(mentor.mentor)
    full = calibrated.count > 0
    points = lines(axes)[f"Mentor: ECE {error:.3f}"]
    np.testing.assert_allclose(points, np.column_stack([calibrated.confidence, calibrated.accuracy])[full])


@pytest.mark.parametrize("theme", [LIGHT, DARK])
@pytest.mark.parametrize("draw", EVERY)
def test_words_stand_for_each_figure(draw: Draw, theme: Theme, sweep: Sweep) -> None:
    found = draw(sweep, theme)
    assert found is not None
    assert any(character.isdigit() for character in found.alternative)
    assert found.caption
    assert "nan" not in found.alternative


@pytest.mark.parametrize("draw", EVERY)
def test_nothing_is_drawn_from_nothing(draw: Draw, tmp_path: Path) -> None:
    job = make_job(tmp_path / "job")
    for name in ("metrics.csv", "predictions.npz", "examples.npz"):
        (job / name).unlink()
    assert draw(Sweep.read(tmp_path), LIGHT) is None


@pytest.mark.parametrize("draw", [composites.grid, composites.replies])
def test_standard_mimicking_has_no_composites(draw: Draw, tmp_path: Path) -> None:
    make_job(tmp_path / "job", "standard")
    assert draw(Sweep.read(tmp_path), LIGHT) is None


def contrast(one: str, other: str) -> float:
    """Of two colours, as WCAG 2.2 defines it: from 1 to 21."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return float(np.dot([0.2126, 0.7152, 0.0722], linear))

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_colours_stand_out_from_their_ground(theme: Theme) -> None:
    assert contrast(theme.ink, theme.background) >= 7
    for colour in theme.colours:
        assert contrast(colour, theme.background) >= 3  # of graphics: success criterion 1.4.11


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_no_two_of_many_cells_look_alike(theme: Theme) -> None:
    looks = style.lines(theme, [str(number) for number in range(36)])
    assert len({(look["color"], look["marker"]) for look in looks.values()}) == 36


def test_each_of_several_mentors_has_its_calibration(tmp_path: Path) -> None:
    for number, mentor in enumerate(("one", "other")):
        make_predictions(seed=number).save(make_job(tmp_path / mentor, mentor=mentor))
    found = drawn(calibration.draw, Sweep.read(tmp_path))
    told = found.alternative
    mentors = [line for line in found.figure.axes[0].get_lines() if str(line.get_label()).startswith("Mentor")]
    assert len({str(line.get_marker()) for line in mentors}) == 2
    for number, mentor in enumerate(("one", "other")):
        says = make_predictions(seed=number)
        assert f"Mentor of Composite, label, mentor={mentor}: ECE {says.calibration(says.mentor).error:.3f}" in told


def test_classes_of_another_task_are_named_as_left_out(tmp_path: Path) -> None:
    make_job(tmp_path / "0", task="one")
    make_predictions(classes=3).save(make_job(tmp_path / "1", task="other"))
    caption = drawn(classes.draw, Sweep.read(tmp_path)).caption
    assert "Not drawn, for their classes are others: Composite, label, task=other." in caption


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """Three protections, one of which takes accuracy and has one student of composites alone."""
    folder = tmp_path_factory.mktemp("protected")
    for oracle, lost, distance in (("softmax", 0.0, 0.0), ("label", 0.0, 0.4), ("gaussian", 0.05, 0.6)):
        for attack, fidelity in (("standard", 0.6), ("composite", 0.7))[oracle == "gaussian" :]:
            seen = make_protection(mentor_accuracy=0.9 - lost, distortion=distance)
            make_job(folder / f"{oracle}-{attack}", attack, oracle, fidelity=fidelity, protection=seen)
    return Sweep.read(folder)


def test_protections_lie_at_what_they_cost_owner_and_attacker(protected: Sweep) -> None:
    figure = drawn(protections.draw, protected).figure
    by_accuracy, by_distortion = figure.axes
    accuracy, distortion = (
        {
            (round(float(x), 2), float(y), line.get_fillstyle())
            for line in axes.get_lines()
            for x, y in np.array(line.get_xydata())
        }
        for axes in (by_accuracy, by_distortion)
    )
    assert (0.05, 0.7, "full") in accuracy
    assert distortion == {
        *((0.0, 0.6, "none"), (0.0, 0.7, "full"), (0.4, 0.6, "none"), (0.4, 0.7, "full")),
        (0.6, 0.7, "full"),
    }
    arrows = [(note.xyann, note.xy) for note in by_distortion.texts]
    assert [(round(float(end[1]), 2), round(float(start[1]), 2)) for start, end in arrows] == [(0.7, 0.6)] * 2
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["gaussian", "label", "softmax"]


def test_protections_that_cost_nothing_have_a_lane_of_their_own(protected: Sweep) -> None:
    by_accuracy, by_distortion = drawn(protections.draw, protected).figure.axes
    free = {float(np.array(line.get_xydata())[0, 0]) for line in by_accuracy.get_lines()} - {0.05}
    places = sorted(place for place in free if place < 0.04)
    assert len(places) == 2
    assert places[-1] < 0
    assert [text.get_text() for text in by_accuracy.texts if text.get_text()] == ["nothing"]
    assert not [text.get_text() for text in by_distortion.texts if text.get_text()]  # one alone stays at 0
    assert min(by_accuracy.get_xticks()) >= 0


def test_protections_are_told_in_words(protected: Sweep) -> None:
    told = drawn(protections.draw, protected).alternative
    assert "gaussian: loses 5.00 points of accuracy, distance 0.600, fidelity 70.00 % (composite)." in told
    assert (
        "label: loses 0.00 points of accuracy, distance 0.400, fidelity 70.00 % (composite), 60.00 % (standard)."
        in told
    )


def test_one_protection_alone_is_no_comparison(tmp_path: Path) -> None:
    make_job(tmp_path / "0", "composite", "label")
    assert protections.draw(Sweep.read(tmp_path), LIGHT) is None


def test_heat_maps_have_keys_as_rows_and_students_as_columns(tmp_path: Path) -> None:
    make_job(tmp_path / "0")
    scores = np.linspace(0, 1, 36).reshape(6, 6)
    made = [
        make_matrix(scores=scores.tolist(), keys=[3, 4, 5, 7, 8, 9]),
        make_matrix(arm="Standard, label, pool=training_images", own=0.8),
    ]
    undefined = make_matrix(scheme="uchida", scores=[[None] * 6] * 6)
    matrix.write([*made, undefined], tmp_path)
    found = drawn(marks.draw, Sweep.read(tmp_path))
    panels = [axes for axes in found.figure.axes if axes.get_images() and axes.get_title()]
    titles = ["content\nComposite, label", "content\nStandard, label,\npool=training_images"]
    assert [axes.get_title() for axes in panels] == titles
    named = panels[0].yaxis.get_major_formatter()
    assert [named(place) for place in (-1, 0, 5, 6)] == ["", "3", "9", ""]
    np.testing.assert_allclose(panels[0].get_images()[0].get_array(), scores)
    assert panels[0].get_ylabel() == "key of mentor"
    assert panels[0].get_images()[0].get_clim() == (0, 1)
    assert "content, Standard, label, pool=training_images: 80." in found.alternative


def test_without_scores_there_are_no_heat_maps(sweep: Sweep) -> None:
    assert marks.draw(sweep, LIGHT) is None


def test_budgets_are_points_of_a_line_with_the_price_above(tmp_path: Path) -> None:
    for number, (budget, fidelity) in enumerate([(1000, 0.6), (4000, 0.8)]):
        for seed in (0, 1):
            asked = Queries(budget, budget, budget, 0, answered=budget, price=budget * 0.002)
            change = {"queries": asked, "fidelity": fidelity + seed / 10, "relative_accuracy": 0.5}
            change |= {"config": {"oracle": {"budget": budget, "price_per_1000": 2.0}}}
            make_job(tmp_path / f"{number}{seed}", seed=seed, **change)
    found = drawn(budgets.draw, Sweep.read(tmp_path))
    fidelity_axes, relative_axes = found.figure.axes[:2]
    np.testing.assert_allclose(lines(fidelity_axes)["Composite, label"], [[1000, 0.65], [4000, 0.85]])
    np.testing.assert_allclose(lines(relative_axes)["Composite, label"], [[1000, 0.5], [4000, 0.5]])
    assert "2 for 1,000" in found.caption
    above = [axes for axes in fidelity_axes.child_axes if axes.get_xlabel() == "Price"]
    found.figure.draw_without_rendering()
    assert above[0].get_xlim() == pytest.approx([0.002 * edge for edge in fidelity_axes.get_xlim()])


def test_one_budget_is_no_line(sweep: Sweep) -> None:
    assert budgets.draw(sweep, LIGHT) is None
