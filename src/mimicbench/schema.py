"""Checks the configuration at the door, and builds what it names.

A component's configuration *is* its constructor's signature: the keyword-only arguments of the class or function under
``_target_`` are the keys that its YAML file may hold, with their types and limits. What stands before the ``*``
comes from the run itself (a pool, a mentor, the seed) and cannot be configured. A new component therefore needs no
schema of its own, and a key that nobody reads cannot exist. ``name`` is what results call a component by; one
that takes no such argument is not given it.
"""

import difflib
import inspect
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, TypeVar

from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    create_model,
)
from pydantic_core import PydanticCustomError

from mimicbench.counter_rng import Seed
from mimicbench.errors import UserError
from mimicbench.hardware import Accelerator, Precision, StepMode
from mimicbench.paths import Paths

_Model = TypeVar("_Model", bound=BaseModel)
_TRAINED = "mimicbench.mentors.trained.trained"  # whose settings experiments hold


class TrainerSection(BaseModel):
    """The keys of ``conf/trainer`` that mimicbench itself reads; the others are Lightning's."""

    model_config = ConfigDict(extra="allow")

    max_epochs: PositiveInt
    accelerator: Accelerator
    precision: Precision
    sgd_step: StepMode
    resume: bool
    checkpoint_minutes: PositiveFloat
    devices: PositiveInt
    num_nodes: PositiveInt
    strategy: Literal["auto", "ddp"] = "auto"
    check_val_every_n_epoch: Literal[1] = 1  # the last epoch is the result
    limit_val_batches: Annotated[int | float, Field(gt=0)] = 1.0
    limit_train_batches: Annotated[float, Field(ge=1, le=1)] = 1.0  # use attack.samples_per_epoch
    accumulate_grad_batches: Literal[1] = 1  # the student takes its own steps, attack.recipe.batch_size samples each
    gradient_clip_val: None = None
    fast_dev_run: Literal[False] = False  # use debug=smoke
    max_steps: Literal[-1] = -1  # the schedule is made for whole epochs

    def lightning(self) -> dict[str, Any]:
        """The keys that Lightning's Trainer knows too."""
        return self.model_dump(exclude={"sgd_step", "resume", "checkpoint_minutes"})


def _named(section: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(section.get("name"), str):
        raise PydanticCustomError("name", "it needs a name, by which results call it")
    return section


Named = Annotated[dict[str, Any], AfterValidator(_named)]


def _with_target(section: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(section.get("_target_"), str):
        raise PydanticCustomError("target", "it names no _target_")
    return section


Component = Annotated[dict[str, Any], AfterValidator(_with_target)]
"""The configuration of a component within another one, such as a network; checked with it, built where it is needed."""


class Config(BaseModel):
    """The sections of ``conf/train.yaml``; each section is checked against the component that it names."""

    model_config = ConfigDict(extra="forbid")

    seed: Seed
    task: Named
    pool: Named
    watermark: Named
    mentor: Named
    oracle: Named
    attack: Named
    student: Named
    trainer: TrainerSection
    logger: dict[str, dict[str, Any]]
    callbacks: dict[str, dict[str, Any]]
    paths: Paths

    def components(self) -> dict[str, dict[str, Any]]:
        """Every configured component under its dotted key, those within others too."""
        own = (
            {key: getattr(self, key) for key in ("task", "pool", "watermark", "mentor", "oracle", "attack", "student")}
            | {"trainer": self.trainer.lightning()}
            | {f"logger.{key}": node for key, node in self.logger.items()}
            | {f"callbacks.{key}": node for key, node in self.callbacks.items()}
        )
        return own | {key: node for name, section in own.items() for key, node in _within(name, section)}


def _within(key: str, section: Mapping[str, Any]) -> Iterable[tuple[str, dict[str, Any]]]:
    """The components that a section holds at any depth, under their dotted keys."""
    for name, value in section.items():
        if isinstance(value, dict):
            if "_target_" in value:
                yield f"{key}.{name}", value
            yield from _within(f"{key}.{name}", value)


def check(cfg: DictConfig | Mapping[str, Any]) -> Config:
    """Check a whole configuration before anything is read or trained.

    Args:
        cfg: The composed configuration.

    Returns:
        The same configuration with interpolations resolved, as plain containers.

    Raises:
        UserError: A key is unknown, missing, of a wrong type or outside its limits. The sentence names it.
    """
    try:
        plain = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True) if isinstance(cfg, DictConfig) else cfg
    except OmegaConfBaseException as error:
        if isinstance(error, MissingMandatoryValue):
            raise UserError(f"{error.full_key} must be said, as {error.full_key}=…") from None
        place = f"{error.full_key}: " if error.full_key else ""
        raise UserError(f"The configuration cannot be resolved: {place}{str(error).splitlines()[0]}") from None
    config = _validated(Config, plain, "")
    for key, node in config.components().items():
        arguments(key, node)
    return config


def build(key: str, node: Mapping[str, Any], *given: Any) -> Any:
    """Construct the component that ``node`` names.

    Args:
        key: Where the node stands in the configuration, for error messages, such as ``attack``.
        node: Plain mapping with ``_target_``, and the component's own keys.
        given: What the run provides, in the order of the constructor's arguments before its ``*``.

    Returns:
        What the target returns.

    Raises:
        UserError: As :func:`check`, and whatever the constructor itself refuses.
    """
    return _target(key, node)(*given, **arguments(key, node))


def arguments(key: str, node: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword arguments that ``node`` gives its target, converted to the annotated types.

    Raises:
        UserError: A key is unknown, missing, of a wrong type or outside its limits.
    """
    parameters = _configurable(_target(key, node))
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    fields: dict[str, Any] = {
        name: (parameter.annotation, ... if parameter.default is parameter.empty else parameter.default)
        for name, parameter in parameters.items()
        if parameter.kind is not parameter.VAR_KEYWORD
    }
    strictness = ConfigDict(extra="allow" if open_ended else "forbid", arbitrary_types_allowed=True)
    model = create_model("Arguments", __config__=strictness, **fields)
    values = {name: value for name, value in node.items() if name != "_target_" and (name in fields or name != "name")}
    checked = _validated(model, values, key)
    return {name: getattr(checked, name) for name in values}


def _target(key: str, node: Mapping[str, Any]) -> Callable[..., Any]:
    if not isinstance(node.get("_target_"), str):
        raise UserError(f"{key} names no _target_; choose one of the files in conf/{key.split('.')[0]}/.")
    try:
        target = get_object(node["_target_"])
    except Exception as error:
        raise UserError(
            f"{key}._target_ '{node['_target_']}' cannot be imported: {error.__cause__ or error}."
        ) from None
    if not callable(target):
        raise UserError(f"{key}._target_ '{node['_target_']}' is neither a class nor a function.")
    return typing.cast(Callable[..., Any], target)


def _configurable(target: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    package = (getattr(target, "__module__", None) or "").partition(".")[0]
    parameters = inspect.signature(target, eval_str=package != "lightning").parameters
    named = {name: p for name, p in parameters.items() if p.kind is not p.VAR_POSITIONAL}
    if any(p.kind is p.KEYWORD_ONLY for p in named.values()) or package == "mimicbench":
        named = {name: p for name, p in named.items() if p.kind in (p.KEYWORD_ONLY, p.VAR_KEYWORD)}
        if package != "lightning":
            return named
    return {name: p.replace(annotation=_simple(p.annotation)) for name, p in named.items()}


def _simple(annotation: Any) -> Any:
    """A foreign annotation, if it is one that plain YAML values can be checked against."""
    parts = typing.get_args(annotation) or (annotation,)
    return annotation if all(part in (int, float, bool, str, type(None)) for part in parts) else Any


def _validated(model: type[_Model], values: Any, key: str) -> _Model:
    try:
        checked = model.model_validate(values)
    except ValidationError as error:
        raise UserError(_sentence(error, key, model)) from None
    for name, value in values.items():
        if isinstance(value, bool) and type(getattr(checked, name)) in (int, float):  # pydantic takes True for 1
            raise UserError(f"{key}.{name}={value} is refused: it should be a number.".removeprefix("."))
    return checked


def _sentence(error: ValidationError, key: str, model: type[BaseModel]) -> str:
    unknown = ("extra_forbidden", "unexpected_keyword_argument")
    # A misspelt key is missing too; that it is misspelt tells more.
    first = min(error.errors(include_url=False), key=lambda one: one["type"] not in unknown)
    place = ".".join(str(part) for part in (key, *first["loc"]) if part != "")
    if first["type"] in unknown:
        known = sorted(_keys(model, first["loc"][:-1]))
        close = difflib.get_close_matches(str(first["loc"][-1]), known, n=1)
        advice = f"did you mean '{close[0]}'?" if close else f"the keys here are {', '.join(known)}."
        of_trained = _configurable(get_object(_TRAINED)) if key == "mentor" else {}
        if first["loc"][-1] in of_trained:  # an experiment set it, or debug
            advice = "a mentor that is there is not trained: choose experiment=audit, and debug=smoke_audit."
        return f"{place} is not a key of the configuration; {advice}"
    if first["type"] in ("missing", "missing_argument"):
        return f"{place} is missing; give it a value."
    return f"{place}={first['input']} is refused: {first['msg'][0].lower()}{first['msg'][1:]}."


def _keys(model: type[Any], place: tuple[int | str, ...]) -> Iterable[str]:
    """The names that are known at a place of a model, which may lie within its nested dataclasses."""
    hints = typing.get_type_hints(model)
    if not place:
        return hints.keys() - typing.get_type_hints(BaseModel).keys()
    hint = hints[str(place[0])]
    nested = next(kind for kind in (hint, *typing.get_args(hint)) if isinstance(kind, type))
    return _keys(nested, place[1:])
