"""Plantings: attributes that the project sets on modules and classes of others.

Others' code counts by its version, which says nothing of what the project has put into it. So every imported module of
the project is searched for statements that store an attribute outside of the project, wherever they stand: what is
live at such a place counts for all that reaches the library, whether or not it reaches the module that planted it.
"""

from __future__ import annotations

import linecache
import sys
from collections.abc import Iterable, Iterator
from types import FunctionType, ModuleType
from typing import NamedTuple

from .boundary import Origins
from .definitions import SourceText
from .live import class_symbol, home_of
from .main_module import module_named
from .sources import SOURCES
from .stores import AttributeStore, LocalImport
from .values import is_scalar

_OF_THE_INTERPRETER = frozenset({"sys", "builtins"})
"""Where much is set that causes nothing: streams, hooks, paths. What is put into ``builtins`` counts once read."""
_MISSING = object()


class Planted(NamedTuple):
    """What is live where the project has stored it outside of itself."""

    place: str
    """``module:name``."""
    value: object


class _Own(NamedTuple):
    """A module of the project."""

    module: ModuleType
    spec: object
    """Its specification when it was looked at: a reload gives it another."""
    texts: tuple[SourceText, ...]
    """Those that store attributes."""


class Plantings:
    """The plantings of this process; each of the project's modules is searched once."""

    def __init__(self) -> None:
        self._count = 0
        self._looked_at: set[str] = set()
        self._own: dict[str, _Own] = {}

    def live(self, origins: Origins) -> dict[str, dict[str, object]]:
        """What is planted by now, by its place, by the top-level module that it was planted into.

        Cost: a tenth of a microsecond for a module of the project; those that are new are read and searched.
        """
        self._look_at_new(origins)
        found: dict[str, dict[str, object]] = {}
        for module, texts in [*((own.module, own.texts) for own in self._own.values() if own.texts), *_cells()]:
            for text in texts:
                for top, planted in _planted(module, text, origins):
                    found.setdefault(top, {})[planted.place] = planted.value
        return found

    def _look_at_new(self, origins: Origins) -> None:
        modules = sys.modules
        gone = [
            name
            for name, own in self._own.items()
            if modules.get(name) is not own.module or getattr(own.module, "__spec__", None) is not own.spec
        ]
        if not gone and self._count == len(modules):
            return
        for name in gone:
            del self._own[name]
        self._looked_at.difference_update(gone)
        self._count = len(modules)
        for name in sorted(modules.keys() - self._looked_at):
            self._looked_at.add(name)
            module = modules.get(name)
            if isinstance(module, ModuleType) and origins.is_followed(name):
                path = getattr(module, "__file__", None)
                texts = SOURCES.texts(path, vars(module)) if isinstance(path, str) else ()
                self._own[name] = _Own(module, getattr(module, "__spec__", None), _storing(texts))


def _cells() -> Iterator[tuple[ModuleType, tuple[SourceText, ...]]]:
    """The cells of a notebook, or the lines of a prompt."""
    main = module_named("__main__")
    if main is None or hasattr(main, "__file__"):
        return
    for filename, entry in [*linecache.cache.items()]:
        if len(entry) > 1 and entry[1] is None:
            yield main, _storing(SOURCES.texts(filename, vars(main)))


def _storing(texts: Iterable[SourceText]) -> tuple[SourceText, ...]:
    return tuple([text for text in texts if text.stores[0]])


def _planted(module: ModuleType, text: SourceText, origins: Origins) -> Iterator[tuple[str, Planted]]:
    stores, imports = text.stores
    for store in stores:
        for root in _roots(store, module, imports):
            yield from _stored(root, store, origins)


def _roots(store: AttributeStore, module: ModuleType, imports: Iterable[LocalImport]) -> Iterator[object]:
    """What the first name of the target may be."""
    name = store.target[0]
    if name in vars(module):
        yield vars(module)[name]
    for imported in imports if store.in_function else ():
        if imported.name == name:
            source = sys.modules.get(imported.module)
            yield source if imported.attribute is None else _attribute(source, imported.attribute)


def _stored(root: object, store: AttributeStore, origins: Origins) -> Iterator[tuple[str, Planted]]:
    """What is live where a store puts it, if that is outside of the project."""
    owner, top = root, _outside(root, origins)
    place = "" if top is None else _name(root)
    for name in store.target[1:]:
        owner = _attribute(owner, name)
        top = top or _outside(owner, origins)
        is_named = top is not None and isinstance(owner, (ModuleType, type))
        place = _name(owner) if is_named else f"{place}{name}."
    if top is None or top in _OF_THE_INTERPRETER:
        return
    names = [store.attribute] if store.attribute is not None else sorted(getattr(owner, "__dict__", ()))
    for name in names:
        value = _attribute(owner, name)
        is_code = isinstance(value, (FunctionType, type)) and origins.is_followed(*home_of(value))
        if is_code or (store.attribute is not None and value is not _MISSING and _counts(value, store)):
            yield top, Planted(f"{place}{name}", value)


def _counts(value: object, store: AttributeStore) -> bool:
    """Whether a value counts that is no code of the project: of what a function may not have stored, scalars do."""
    return not store.in_function or is_scalar(value) or isinstance(value, FunctionType)


def _outside(value: object, origins: Origins) -> str | None:
    """The top-level module of others that a module or class belongs to."""
    if isinstance(value, ModuleType):
        return None if origins.is_followed(value.__name__) else value.__name__.partition(".")[0]
    if isinstance(value, type):
        module: object = value.__module__
        is_others = isinstance(module, str) and not origins.is_followed(module)
        return str(module).partition(".")[0] if is_others else None
    return None


def _name(owner: object) -> str:
    """What the place of an attribute begins with."""
    return f"{owner.__name__}:" if isinstance(owner, ModuleType) else f"{class_symbol(owner).partition(':')[2]}."  # type: ignore[arg-type]


def _attribute(owner: object, name: str) -> object:
    """An attribute as it is stored; of modules and classes what they hold, so that nothing is imported or warned of."""
    if isinstance(owner, type) or type(owner) is ModuleType:
        return vars(owner).get(name, _MISSING)
    try:
        return getattr(owner, name, _MISSING)
    except Exception:  # noqa: BLE001 — others' code: what can't be read there, the step can't rely on either
        return _MISSING


PLANTINGS = Plantings()
"""The process's own."""
