from typing import Annotated, Any, Literal

import pytest
from omegaconf import OmegaConf
from pydantic import Field, PositiveInt

from mimicbench.configuration import composed
from mimicbench.errors import UserError
from mimicbench.recipe import Recipe
from mimicbench.schema import build, check

HERE = f"{__name__}.component"


def component(given: str, *, count: PositiveInt, law: Literal["a", "b"] = "a", recipe: Recipe | None = None) -> Any:
    return given, count, law, recipe


def at_least_two(*, images: Annotated[int, Field(ge=2)]) -> int:
    return images


def test_builds_with_what_the_run_gives_and_what_yaml_says() -> None:
    recipe = {"batch_size": 8, "learning_rate": 0.1, "momentum": 0, "weight_decay": 0, "dropout": 0, "schedule": "step"}
    given, count, law, built = build("part", {"_target_": HERE, "name": "x", "count": 3, "recipe": recipe}, "pool")
    assert (given, count, law) == ("pool", 3, "a")
    assert built == Recipe(**recipe)


@pytest.mark.parametrize(
    ("node", "sentence"),
    [
        ({"count": 0}, r"^part\.count=0 is refused: input should be greater than 0\.$"),
        ({"count": "many"}, r"^part\.count=many is refused: "),
        ({}, r"^part\.count is missing; give it a value\.$"),
        ({"count": 1, "cuont": 2}, r"^part\.cuont is not a key of the configuration; did you mean 'count'\?$"),
        ({"count": 1, "xyz": 2}, r"part\.xyz is not a key .* the keys here are count, law, recipe\.$"),
        ({"count": 1, "given": "pool"}, r"^part\.given is not a key of the configuration"),
        ({"count": 1, "law": "c"}, r"^part\.law=c is refused: input should be 'a' or 'b'\.$"),
        ({"count": 1, "recipe": {"batch_size": 0}}, r"^part\.recipe\."),
        ({"count": True}, r"^part\.count=True is refused: it should be a number\.$"),
        (
            {"count": 1, "recipe": {"learning_rat": 1}},
            r"^part\.recipe\.learning_rat .* did you mean 'learning_rate'\?$",
        ),
    ],
)
def test_a_wrong_key_is_named(node: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        build("part", {"_target_": HERE, **node}, "pool")


def test_limits_in_annotations_hold() -> None:
    target = f"{__name__}.at_least_two"
    assert build("part", {"_target_": target, "images": 2}) == 2
    with pytest.raises(UserError, match=r"part\.images=1 is refused"):
        build("part", {"_target_": target, "images": 1})


def test_a_component_that_cannot_be_imported_is_named() -> None:
    with pytest.raises(UserError, match=r"part\._target_ 'mimicbench\.nowhere' cannot be imported"):
        build("part", {"_target_": "mimicbench.nowhere"})
    with pytest.raises(UserError, match=r"^part\._target_ .* cannot be imported: No module named 'nowhere'\.$"):
        build("part", {"_target_": "nowhere.at_all"})
    with pytest.raises(UserError, match="part names no _target_"):
        build("part", {"count": 1})


def test_foreign_components_are_checked_by_their_own_signatures() -> None:
    trainer = {"_target_": "lightning.Trainer", "logger": False, "enable_checkpointing": False, "accelerator": "cpu"}
    assert build("trainer", {**trainer, "max_epochs": 3}).max_epochs == 3
    with pytest.raises(UserError, match=r"trainer\.max_epoch is not a key .* did you mean 'max_epochs'\?"):
        build("trainer", {**trainer, "max_epoch": 3})
    with pytest.raises(UserError, match=r"trainer\.max_epochs=soon is refused"):
        build("trainer", {**trainer, "max_epochs": "soon"})


@pytest.mark.parametrize(
    ("cfg", "sentence"),
    [
        ({"seed": 0, "sede": 1}, "is missing|is not a key"),
        ({"seed": "${nowhere}"}, "The configuration cannot be resolved"),
        ({"seed": "???"}, r"^seed must be said, as seed=…$"),
    ],
)
def test_the_whole_is_checked_before_its_parts(cfg: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        check(OmegaConf.create(cfg))


@pytest.mark.parametrize("mentor", ["onnx", "http"])
def test_who_forgets_the_experiment_of_mentors_that_are_there_is_told(mentor: str) -> None:
    needed = {"onnx": ["mentor.path=m"], "http": ["mentor.url=http://localhost", "mentor.model=m"]}[mentor]
    for overrides in ([], ["experiment=audit", "debug=smoke"]):
        config = composed([f"mentor={mentor}", *needed, "paths.output_dir=out", *overrides])
        with pytest.raises(UserError, match="is not trained: choose experiment=audit, and debug=smoke_audit"):
            check(config)
    check(composed([f"mentor={mentor}", *needed, "paths.output_dir=out", "experiment=audit", "debug=smoke_audit"]))
    with pytest.raises(UserError, match=r"mentor\.colour is not a key of the configuration; the keys here are"):
        check(composed([f"mentor={mentor}", *needed, "paths.output_dir=out", "experiment=audit", "+mentor.colour=1"]))
