"""What a step declares to give: read from its return annotation.

``-> T`` is one output, ``-> tuple[A, B]`` is two, ``-> None`` is none. ``Annotated[T, "name"]`` and
``Annotated[T, Artifact("name")]`` name an output and its artifact.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin

from ..errors import InvalidPipeline
from ..history import check_name

SINGLE_OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class Artifact:
    """Names the artifact that an output becomes, inside ``Annotated``."""

    name: str

    def __post_init__(self) -> None:
        check_name(self.name, "artifact")


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """One declared output."""

    name: str
    artifact: str | None
    """The artifact's name; None where it is to be named after pipeline, step and output."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """The declared outputs of a step, in order."""

    specs: tuple[OutputSpec, ...]
    is_tuple: bool
    """Whether the function returns a tuple of them, rather than the only one itself."""

    @property
    def names(self) -> tuple[str, ...]:
        """Their names, in order."""
        return tuple(spec.name for spec in self.specs)


def declared_outputs(function: Callable[..., Any]) -> Outputs:
    """Read a function's return annotation.

    Raises:
        InvalidPipeline: Two outputs have one name, or an annotation that matters here can't be evaluated.
    """
    annotation = _return_annotation(function)
    if annotation is None or annotation is type(None):
        return Outputs((), is_tuple=False)
    arguments = get_args(annotation)
    if get_origin(annotation) is not tuple or Ellipsis in arguments:
        return Outputs((_spec(annotation, SINGLE_OUTPUT),), is_tuple=False)
    specs = tuple(_spec(argument, f"{SINGLE_OUTPUT}_{number}") for number, argument in enumerate(arguments))
    if len({spec.name for spec in specs}) < len(specs):
        raise InvalidPipeline("two outputs have the same name", where=function.__qualname__, hint="Name them apart.")
    return Outputs(specs, is_tuple=True)


def _spec(annotation: Any, default_name: str) -> OutputSpec:
    if get_origin(annotation) is Annotated:
        for extra in get_args(annotation)[1:]:
            if isinstance(extra, Artifact):
                return OutputSpec(extra.name, extra.name)
            if isinstance(extra, str):
                return OutputSpec(check_name(extra, "artifact"), extra)
    return OutputSpec(default_name, None)


def _return_annotation(function: Callable[..., Any]) -> Any:
    """The evaluated annotation; `inspect.Signature.empty` where there is none."""
    raw = getattr(function, "__annotations__", {}).get("return", inspect.Signature.empty)
    if not isinstance(raw, str):
        return raw
    scope = getattr(inspect.unwrap(function), "__globals__", {})
    try:
        return eval(raw, dict(scope))  # an annotation is the step's own code
    except Exception as error:
        if "tuple[" not in raw.lower() and "Annotated[" not in raw:
            return inspect.Signature.empty
        raise InvalidPipeline(
            f"the return annotation {raw!r} can't be evaluated: {error}",
            where=function.__qualname__,
            hint="Import the names it uses at run time, not under TYPE_CHECKING.",
        ) from error
