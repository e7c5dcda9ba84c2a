"""Models of pydantic, as records: their fields, which of them were set, extra and private attributes; not validated."""

from __future__ import annotations

from typing import Any

from .forms import MODEL, Find, Form, cached_names, class_name, stand_in


def form_of_model(kind: Any) -> Form:
    """The form of a model's class."""
    name, names, computed = class_name(kind), tuple(kind.model_fields), cached_names(kind)
    known = {*names, *computed}

    def fields(value: Any) -> tuple[Any, ...] | None:
        state = vars(value)
        if not known.issuperset(state):
            return None
        found = {one: state[one] for one in names if one in state}
        extra, private = value.__pydantic_extra__, value.__pydantic_private__
        return name, found, set(value.__pydantic_fields_set__), extra, private

    defaults = {
        one: (lambda field=field: field.get_default(call_default_factory=True))
        for one, field in kind.model_fields.items()
        if not field.is_required()
    }
    return Form(MODEL, kind, fields, names, defaults)


def make_model(
    find: Find | None, name: str, fields: dict[str, Any], was_set: set[str], extra: Any, private: dict[str, Any] | None
) -> Any:
    """A model again, or what stands in for it."""
    form = None if find is None else find(name)
    values = form.complete(fields) if form is not None and form.code == MODEL else None
    if form is None or values is None or values.keys() != set(form.names):
        return stand_in(name, {**fields, **(extra or {})}, find)
    kind: Any = form.kind
    made = kind.__new__(kind)
    state = {"__dict__": values, "__pydantic_fields_set__": was_set}
    for one, value in {**state, "__pydantic_extra__": extra, "__pydantic_private__": private}.items():
        # A root model has no place for what it never has: there its class says None.
        if value is not None or getattr(kind, one, value) is not None:
            object.__setattr__(made, one, value)
    return made
