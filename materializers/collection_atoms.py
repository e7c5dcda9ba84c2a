"""Atoms of `collections`: the containers that are built in but for their name, with what they hold in its order.

A defaultdict is one where its factory is a built-in type or None; of any other, nothing but pickling knows the factory.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from typing import Any

from ..errors import ManifestCorrupt
from .atoms import Atom

_FACTORIES: dict[str, type] = {
    **{kind.__name__: kind for kind in (bool, bytearray, bytes, complex, dict, float, frozenset, int, list, set, str)},
    **{kind.__name__: kind for kind in (tuple, Counter, OrderedDict, deque)},
}
_NAMES = {kind: name for name, kind in _FACTORIES.items()}


def _with_attributes(value: Any) -> tuple[dict[Any, Any], dict[str, Any] | None]:
    return dict(value), vars(value) or None


def _ordered(items: dict[Any, Any], attributes: dict[str, Any] | None) -> OrderedDict[Any, Any]:
    made = OrderedDict(items)
    vars(made).update(attributes or {})
    return made


def _counter(counts: dict[Any, Any], attributes: dict[str, Any] | None) -> Counter[Any]:
    made: Counter[Any] = Counter()
    dict.update(made, counts)
    vars(made).update(attributes or {})
    return made


def _defaultdict_fields(value: defaultdict[Any, Any]) -> tuple[str | None, dict[Any, Any]] | None:
    factory: Any = value.default_factory
    if factory is not None and not (isinstance(factory, type) and factory in _NAMES):
        return None
    return None if factory is None else _NAMES[factory], dict(value)


def _defaultdict(factory: str | None, items: dict[Any, Any]) -> defaultdict[Any, Any]:
    return defaultdict(None if factory is None else _FACTORIES[factory], items)


def _deque(items: list[Any], max_length: int | None) -> deque[Any]:
    if max_length is not None and len(items) > max_length:
        raise ManifestCorrupt(f"a deque of at most {max_length} items has {len(items)}")
    return deque(items, max_length)


ATOMS = (
    Atom(64, OrderedDict, _with_attributes, _ordered),
    Atom(65, Counter, _with_attributes, _counter),
    Atom(66, defaultdict, _defaultdict_fields, _defaultdict),
    Atom(67, deque, lambda value: (list(value), value.maxlen), _deque),
)
