"""Forms: how several values are one, as a tuple, NamedTuple, TypedDict or dataclass, and how it is taken apart.

A step that is declared to return one gives several outputs; who calls it gets one of references, which can be unpacked,
indexed or asked for its attributes as the one of values.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_origin

from ...errors import InvalidPipeline
from .annotations import field_annotation, is_named_tuple, is_typed_dict


@dataclasses.dataclass(frozen=True, slots=True)
class Form:
    """One way in which several values are one."""

    kind: type
    """``tuple``, or the class; of a TypedDict it is the TypedDict."""
    fields: tuple[str, ...]
    """Names of the values, in order; of a tuple there are as many empty ones."""

    @property
    def name(self) -> str:
        """What it is called, unlike another's: it enters fingerprints."""
        return self.kind.__name__ if self.kind is tuple else f"{self.kind.__module__}.{self.kind.__qualname__}"

    def together(self, values: Sequence[Any]) -> Any:
        """One of these values. Of a dataclass, neither ``__init__`` nor ``__post_init__`` is called again."""
        if self.kind is tuple:
            return tuple(values)
        if is_named_tuple(self.kind):
            return tuple.__new__(self.kind, values)
        if is_typed_dict(self.kind):
            return dict(zip(self.fields, values, strict=True))
        made: Any = object.__new__(self.kind)
        for field, value in zip(self.fields, values, strict=True):
            object.__setattr__(made, field, value)
        return made

    def apart(self, value: Any) -> Sequence[Any] | str:
        """The values in one; where it is none of this form, what it is instead."""
        if self.kind is tuple:
            if not isinstance(value, tuple | list):
                return f"a {type(value).__name__}"
            return value if len(value) == len(self.fields) else f"{len(value)} values"
        if is_typed_dict(self.kind):
            return self._apart_of_dict(value)
        if not _is_exactly(type(value), self.kind):
            return f"a {type(value).__name__}"
        missing = [field for field in self.fields if not hasattr(value, field)]
        if missing:
            return f"a {type(value).__name__} without {missing[0]!r}"
        return value if is_named_tuple(self.kind) else [getattr(value, field) for field in self.fields]

    def _apart_of_dict(self, value: Any) -> Sequence[Any] | str:
        if not isinstance(value, dict):
            return f"a {type(value).__name__}"
        missing = [field for field in self.fields if field not in value]
        unknown = [field for field in value if field not in self.fields]
        if missing or unknown:
            return f"a dict without {missing[0]!r}" if missing else f"a dict with {unknown[0]!r} in it"
        return [value[field] for field in self.fields]


def declared_form(annotation: Any, where: str) -> tuple[Form, tuple[Any, ...]] | None:
    """The form that an annotation declares and the annotations of its values; None if it is that of a single value.

    Raises:
        InvalidPipeline: A field may be missing, or its annotation matters and can't be evaluated.
    """
    if annotation is tuple or get_origin(annotation) is tuple:
        arguments = get_args(annotation)
        if not arguments or Ellipsis in arguments:
            return None
        return Form(tuple, ("",) * len(arguments)), arguments
    if not isinstance(annotation, type):
        return None
    form = form_of_type(annotation)
    if form is None:
        return None
    if is_typed_dict(annotation):
        optional: frozenset[str] = getattr(annotation, "__optional_keys__", frozenset())
        if optional:
            raise InvalidPipeline(
                f"field {min(optional)!r} of {annotation.__qualname__} may be missing, and an output can't be",
                where=where,
                hint="Require it, or name the whole as one output: Annotated[…, 'name'].",
            )
    raw = _raw_fields(annotation)
    return form, tuple([field_annotation(annotation, field, raw.get(field, object)) for field in form.fields])


def form_of_type(kind: type) -> Form | None:
    """The form whose class this is."""
    if is_named_tuple(kind):
        fields: tuple[str, ...] = kind._fields  # type: ignore[attr-defined]
    elif is_typed_dict(kind):
        fields = tuple(_raw_fields(kind))
    elif dataclasses.is_dataclass(kind):
        fields = tuple(field.name for field in dataclasses.fields(kind))
    else:
        return None
    return Form(kind, fields) if fields else None


def form_of_value(value: Any) -> Form | None:
    """The form of a NamedTuple or dataclass that is its fields and nothing else; None of any other value."""
    kind = type(value)
    if kind in _NEVER or not (is_named_tuple(kind) or dataclasses.is_dataclass(kind)):
        return None
    form = form_of_type(kind)
    return form if form is None or getattr(value, "__dict__", {}).keys() <= set(form.fields) else None


_NEVER = frozenset((type(None), bool, int, float, str, bytes, list, tuple, dict, set, frozenset))


def _raw_fields(kind: type) -> Mapping[str, Any]:
    if dataclasses.is_dataclass(kind):
        return {field.name: field.type for field in dataclasses.fields(kind)}
    found: Mapping[str, Any] = getattr(kind, "__annotations__", {})
    return found


def _is_exactly(found: type, wanted: type) -> bool:
    """Whether they are one class; one that was defined again, as a notebook's cell does, counts as the same."""
    return found is wanted or (found.__module__, found.__qualname__) == (wanted.__module__, wanted.__qualname__)
