"""What a step declares to give: read from its return annotation.

``-> T`` is one output, ``-> tuple[A, B]`` is two, ``-> None`` is none. A NamedTuple, TypedDict or dataclass is one
output for each of its fields. ``Annotated[T, "name"]`` and ``Annotated[T, Artifact("name")]`` are one output whatever
``T`` is, and name its artifact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, get_args, get_origin

from ...errors import InvalidPipeline
from ...history import check_name
from ...labels import plain_annotations
from ...materializers import REGISTRY, Materializer
from .annotations import UNKNOWN, bare, return_annotation
from .forms import Form, declared_form

SINGLE_OUTPUT = "output"


@dataclass(frozen=True)
class Artifact:
    """Names the artifact that an output becomes, inside ``Annotated``, and says what its versions are given.

    Raises:
        InvalidName: The name or a tag can't be one.
        UnsavableValue: The metadata is not plain, as `Client.annotate` says.
        InvalidPipeline: The materializer is none, or its format is taken.
    """

    name: str
    tags: Iterable[str] = ()
    """Tags of each version, there as soon as the version is."""
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Annotations of each version, by key, likewise."""
    materializer: type[Materializer[Any]] | None = None
    """What saves it, instead of what is registered for its type; its format counts in the fingerprint."""

    def __post_init__(self) -> None:
        check_name(self.name, "artifact")
        if isinstance(self.tags, str):
            raise InvalidPipeline(f"the tags of {self.name!r} are a single text", hint=f"Write tags=[{self.tags!r}].")
        object.__setattr__(self, "tags", tuple(check_name(tag, "tag") for tag in self.tags))
        object.__setattr__(self, "metadata", plain_annotations(self.metadata))
        chosen: Any = self.materializer
        if chosen is not None:
            if not (isinstance(chosen, type) and issubclass(chosen, Materializer)):
                raise InvalidPipeline(
                    f"the materializer of {self.name!r} is {chosen!r}, no class of materializers",
                    hint="Give a subclass of lineal.Materializer.",
                )
            REGISTRY.add_format(chosen)


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """One declared output."""

    name: str
    artifact: str | None
    """The artifact's name; None where it is to be named after pipeline, step and output."""
    declared: Artifact | None = None
    """All that was declared of its artifact."""
    length: int | None = None
    """How many items its value has, where the annotation says so: then it can be unpacked before there is a value."""

    @property
    def materializer(self) -> Materializer[Any] | None:
        """What is to save it; None if that follows from its type."""
        chosen = None if self.declared is None else self.declared.materializer
        return None if chosen is None else REGISTRY.add_format(chosen)

    @property
    def cause(self) -> str:
        """What it adds to the fingerprint; no name has an ``@``."""
        materializer = self.materializer
        return self.name if materializer is None else f"{self.name}@{materializer.format}"


@dataclass(frozen=True, slots=True)
class Outputs:
    """The declared outputs of a step, in order."""

    specs: tuple[OutputSpec, ...]
    form: Form | None = None
    """How they are returned together; None where there is one, which is returned itself."""
    is_labelled: bool = field(init=False)
    """Whether tags or metadata are declared of any."""

    def __post_init__(self) -> None:
        declared = [spec.declared for spec in self.specs if spec.declared is not None]
        object.__setattr__(self, "is_labelled", any(one.tags or one.metadata for one in declared))

    @property
    def names(self) -> tuple[str, ...]:
        """Their names, in order."""
        return tuple([spec.name for spec in self.specs])

    @property
    def causes(self) -> tuple[str, ...]:
        """What they add to the fingerprint, in order."""
        return tuple([spec.cause for spec in self.specs])

    def together(self, values: Sequence[Any]) -> Any:
        """What a call gives: one value, or all in their form; None if there is none."""
        if self.form is not None:
            return self.form.together(values)
        return values[0] if values else None

    def apart(self, returned: Any, step: str) -> Sequence[Any]:
        """What a step returned, output by output. Raises `InvalidPipeline` where that is not what it declares."""
        if self.form is not None:
            values = self.form.apart(returned)
            if not isinstance(values, str):
                return values
            declared = f"{len(self.specs)} outputs" if self.form.kind is tuple else f"a {self.form.kind.__name__}"
            raise InvalidPipeline(
                f"step {step!r} declares {declared} but returned {values}",
                hint="Return one value for each output that it declares.",
            )
        if not self.specs and returned is not None:
            raise InvalidPipeline(
                f"step {step!r} is declared to return None but returned a {type(returned).__name__}",
                hint="Correct its return annotation.",
            )
        return (returned,) if self.specs else ()


def declared_outputs(function: Callable[..., Any]) -> Outputs:
    """Read a function's return annotation.

    Raises:
        InvalidPipeline: Two outputs have one name, an output is declared in a way that can't be, or an annotation that
            matters here can't be evaluated.
    """
    annotation = return_annotation(function)
    where = function.__qualname__
    if annotation is None or annotation is type(None):
        return Outputs(())
    several = declared_form(annotation, where)
    if several is None:
        return Outputs((_spec(annotation, SINGLE_OUTPUT, where),))
    form, annotations = several
    specs = [
        _spec(one, name or f"{SINGLE_OUTPUT}_{number}", where, is_field=bool(name))
        for number, (name, one) in enumerate(zip(form.fields, annotations, strict=True))
    ]
    met: set[str] = set()
    for spec in specs:
        if spec.name in met:
            raise InvalidPipeline(f"two outputs have the same name {spec.name!r}", where=where, hint="Name them apart.")
        met.add(spec.name)
    artifacts = [spec.artifact for spec in specs if spec.artifact is not None]
    for artifact in artifacts:
        if artifacts.count(artifact) > 1:
            raise InvalidPipeline(
                f"two outputs become versions of the same artifact {artifact!r}", where=where, hint="Name them apart."
            )
    return Outputs(tuple(specs), form)


def _spec(annotation: Any, default_name: str, where: str, *, is_field: bool = False) -> OutputSpec:
    if annotation is UNKNOWN:
        return OutputSpec(default_name, None)
    length = _length(bare(annotation))
    declared = _declared(annotation, where)
    if declared is None:
        return OutputSpec(default_name, None, length=length)
    return OutputSpec(default_name if is_field else declared.name, declared.name, declared, length)


def _declared(annotation: Any, where: str) -> Artifact | None:
    """What is declared of the artifact, in ``Annotated``; a text is its name."""
    if get_origin(annotation) is not Annotated:
        return None
    found: list[Any] = [
        extra for extra in get_args(annotation)[1:] if isinstance(extra, str | Artifact) or extra is Artifact
    ]
    if len(found) > 1:
        raise InvalidPipeline(
            f"an output is named more than once: {', '.join(map(repr, found))}", where=where, hint="Name it once."
        )
    if found and found[0] is Artifact:
        raise InvalidPipeline("Artifact is given without a name", where=where, hint="Write Artifact('name').")
    only = found[0] if found else None
    declared: Artifact | None = Artifact(only) if isinstance(only, str) else only
    return declared


def _length(annotation: Any) -> int | None:
    several = get_args(annotation) if get_origin(annotation) is tuple else getattr(annotation, "_fields", ())
    return len(several) if several and Ellipsis not in several else None
