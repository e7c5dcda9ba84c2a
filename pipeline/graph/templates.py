"""Templates: the form of an argument whose inputs are stored one by one, and are put in place again when it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...cas.digest import Digest
from ...errors import InvalidPipeline
from ...history import ArtifactVersionView, ArtifactView
from ..declaring.forms import Form, form_of_value
from ..fingerprint import value_digest
from ..fingerprint.key import gathered
from .literals import SCALARS, fixed
from .mapping import RowGroups, Unmapped
from .references import NothingRef, Reference

_GATHERING = (list, tuple, dict)
_STORED = (ArtifactVersionView, ArtifactView)
_MAPS_ALONE = {Unmapped: "unmapped", RowGroups: "row_groups"}
_INPUTS = (Reference, *_STORED, *_MAPS_ALONE)


@dataclass(frozen=True, slots=True)
class Leaf:
    """Where the input of this number goes."""

    number: int


@dataclass(frozen=True, slots=True)
class Gathered:
    """A list, tuple, dict, NamedTuple or dataclass in an argument that has a step's output somewhere inside."""

    kind: type
    keys: tuple[Any, ...]
    """Of a dict, in its order."""
    key_digests: tuple[Digest, ...]
    items: tuple[Template, ...]
    form: Form | None = None
    """Of a NamedTuple or dataclass."""


_LEAVES = tuple([Leaf(number) for number in range(16)])

Template = Leaf | Gathered
"""The form of one argument, with numbered inputs at its leaves."""

Taken = tuple[str, Any]
"""An input: its path, unlike that of another one, and a reference, a stored version, or the literal as it is now."""


def taken_apart(bound: Mapping[str, Any]) -> tuple[dict[str, Template], list[Taken], tuple[str, ...]]:
    """Arguments as templates, the inputs that they take, and the parameters that take something not known yet.

    Raises:
        InvalidPipeline: A part of one can't be passed on.
        RecursionError: A part of one that holds outputs is nested in itself.
    """
    if len(bound) <= len(_LEAVES) and SCALARS.issuperset(map(type, bound.values())):
        return dict(zip(bound, _LEAVES, strict=False)), [*bound.items()], ()
    inputs = _Inputs()
    arguments: dict[str, Template] = {}
    unchecked = []
    for parameter, value in bound.items():
        literals = inputs.literals
        arguments[parameter] = inputs.template(parameter, value)
        if inputs.literals == literals or type(arguments[parameter]) is Gathered:
            unchecked.append(parameter)
    return arguments, inputs.taken, tuple(unchecked)


class _Inputs:
    """Numbers the inputs of one node while its arguments are taken apart."""

    def __init__(self) -> None:
        self.taken: list[Taken] = []
        self.literals = 0
        self._paths: set[str] = set()

    def template(self, path: str, value: Any) -> Template:
        """The form of an argument, or of a part of one."""
        kind = type(value)
        if kind in SCALARS:
            return self._leaf(path, value)
        if isinstance(value, Reference):
            if isinstance(value, NothingRef):
                raise InvalidPipeline(
                    f"step {value.node!r} gives nothing that could be passed on for {path!r}",
                    hint="To run a step after it, call step.after(…)(…).",
                )
            return self._leaf(path, value, is_literal=False)
        if kind in _MAPS_ALONE:
            raise InvalidPipeline(
                f"{path!r} is given {_MAPS_ALONE[type(value)]}(…), which only an argument of a map can be",
                hint="Call step.map(…) or step.product(…) with it, or pass the value itself.",
            )
        if isinstance(value, _STORED):
            return self._leaf(path, value.latest if isinstance(value, ArtifactView) else value, is_literal=False)
        if holds_input(value):
            return self._gathered(path, value, kind)
        return self._leaf(path, fixed(value))

    def _gathered(self, path: str, value: Any, kind: type) -> Gathered:
        if kind is dict:
            digests = tuple([key_digest(path, key) for key in value])
            items = tuple([self.template(f"{path}[{key!r}]", item) for key, item in value.items()])
            return Gathered(dict, tuple(value), digests, items)
        if kind in _GATHERING:
            items = tuple([self.template(f"{path}[{number}]", item) for number, item in enumerate(value)])
            return Gathered(kind, (), (), items)
        form = form_of_value(value)
        assert form is not None  # Else nothing would have been looked for inside.
        parts = form.apart(value)
        items = tuple([self.template(f"{path}.{name}", part) for name, part in zip(form.fields, parts, strict=True)])
        return Gathered(kind, (), (), items, form)

    def _leaf(self, path: str, value: Any, *, is_literal: bool = True) -> Leaf:
        self.literals += is_literal
        self.taken.append((self._free_path(path), value))
        return Leaf(len(self.taken) - 1)

    def _free_path(self, wanted: str) -> str:
        """Keys of a dict that differ may look alike."""
        path, number = wanted, 1
        while path in self._paths:
            number += 1
            path = f"{wanted}#{number}"
        self._paths.add(path)
        return path


def key_digest(path: str, key: object) -> Digest:
    """The digest of a key in a dict that is gathered. Raises `InvalidPipeline` for one that has none."""
    digest = None if isinstance(key, Reference) else value_digest(key)
    if digest is None:
        raise InvalidPipeline(
            f"a key of the dict {path!r}, a {type(key).__qualname__}, can't be told from others by its content",
            hint="Use texts or numbers as the keys of a dict that holds a step's outputs.",
        )
    return digest


def references_in(value: Any) -> list[Reference]:
    """The references that are parts of a value."""
    return [part for part in _parts_below(value) if isinstance(part, Reference)]


def substituted(value: Any, by: Callable[[Any], Any]) -> Any:
    """A value with each of its references replaced; what holds none is given as it is."""
    if isinstance(value, Reference):
        return by(value)
    if not references_in(value):
        return value
    kind = type(value)
    if kind is dict:
        return {key: substituted(item, by) for key, item in value.items()}
    items = [substituted(item, by) for item in _parts_of(value)]
    form = form_of_value(value)
    return kind(items) if form is None else form.together(items)


def holds_input(value: Any) -> bool:
    """Whether a reference, a stored artifact, or what only a map takes is a part of it."""
    return type(value) not in SCALARS and any(isinstance(part, _INPUTS) for part in _parts_below(value))


def _parts_below(value: Any) -> Iterator[Any]:
    """A value and all its parts; what is nested in itself is looked at once."""
    seen, left = {id(value)}, [value]
    while left:
        inner = left.pop()
        yield inner
        for part in _parts_of(inner):
            if type(part) not in SCALARS and id(part) not in seen:
                seen.add(id(part))
                left.append(part)


def _parts_of(value: Any) -> Sequence[Any]:
    kind = type(value)
    if kind is dict:
        return list(value.values())
    if kind in _GATHERING:
        parts: Sequence[Any] = value
        return parts
    form = form_of_value(value)
    parts_or_not = () if form is None else form.apart(value)
    return () if isinstance(parts_or_not, str) else parts_or_not


def causes(arguments: Mapping[str, Template], contents: Sequence[Digest]) -> dict[str, Digest]:
    """What each argument adds to the fingerprint: its content id, or a digest of what is gathered, and how."""
    return {
        name: contents[template.number] if isinstance(template, Leaf) else _cause(template, contents)
        for name, template in arguments.items()
    }


def _cause(template: Template, contents: Sequence[Digest]) -> Digest:
    if isinstance(template, Leaf):
        return contents[template.number]
    items = [_cause(item, contents) for item in template.items]
    kind = template.kind.__name__ if template.form is None else template.form.name
    return gathered(kind, template.key_digests, items)


def fill(template: Template, values: Sequence[Any]) -> Any:
    """An argument with the values of its inputs in place."""
    if isinstance(template, Leaf):
        return values[template.number]
    items = [fill(item, values) for item in template.items]
    if template.kind is dict:
        return dict(zip(template.keys, items, strict=True))
    return template.kind(items) if template.form is None else template.form.together(items)
