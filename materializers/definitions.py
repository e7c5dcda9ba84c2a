"""Definitions: classes that no module leads to in another process, each a part of its own beside the values of it.

A definition carries an id that follows from what it says. By that it is known when it is loaded: as the class that it
was saved from, as the class of that name in the main program where that is defined the same, or as one that was loaded
before. So a script that is run again finds instances of its own classes, and loads the members of its own enumerations.
"""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from threading import Lock
from types import FunctionType
from typing import Any, ClassVar
from weakref import WeakKeyDictionary, WeakValueDictionary

from blake3 import blake3
from cloudpickle import cloudpickle as parts

from ..cas.manifest import Plain
from ..errors import ManifestCorrupt, Unsupported
from .base import DEFINITION_FORMAT, Materializer, PartReader, PartWriter
from .canonical import PROTOCOL, CanonicalPickler, canonical_bytes
from .code_parts import DERIVED, CodeParts, leads_to
from .forms import NOT_BY_NAME

_ID_CHARACTERS = 32


@dataclass(frozen=True, slots=True, eq=False)
class Definition:
    """A class, apart from a value."""

    id: str
    """Equal for equal definitions in every process, whatever their comments and wherever they stand."""
    stream: bytes
    """A canonical pickle of the class."""
    code: frozenset[str]
    """The classes and functions that it names, as `name_of_code` gives them."""
    packages: frozenset[str]
    """Top-level packages that those and its attributes are of."""


_known: WeakValueDictionary[str, type] = WeakValueDictionary()
"""Classes that were saved or loaded here, by id."""
_first = Lock()
"""Held while what was loaded becomes known: of threads that load one class, the first says which it is."""
_defined: WeakKeyDictionary[type, tuple[bytes, Definition]] = WeakKeyDictionary()
"""Definitions that were made, with the digests of quick pickles: while that of a class is equal, so is what it is."""


def is_defined_here(kind: type) -> bool:
    """Whether a class has to be saved with its values: no module leads to it elsewhere."""
    return kind.__module__ != "builtins" and not leads_to(kind)


def definition_of(kind: type) -> Definition:
    """What a class is defined as: its bases, methods and attributes, and what those name."""
    witness = _witness(kind)
    found = _defined.get(kind)
    if found is None or found[0] != witness:
        id_ = blake3(canonical_bytes(kind)).hexdigest()[:_ID_CHARACTERS]
        stream = io.BytesIO()
        pickler = _DefinitionPickler(stream, kind, id_)
        pickler.dump(kind)
        made = Definition(id_, stream.getvalue(), frozenset(pickler.code), frozenset(pickler.packages))
        found = _defined[kind] = witness, made
        _known[id_] = kind
    return found[1]


class Definitions(Materializer[Definition]):
    """Definitions as parts. What is loaded is the class."""

    format: ClassVar[str] = DEFINITION_FORMAT
    runs_code: ClassVar[bool] = True

    def save(self, value: Definition, parts: PartWriter) -> Plain:
        parts.names(value.code)
        parts.buffer("stream", value.stream)
        return {"id": value.id}

    def load(self, head: Any, parts: PartReader) -> Any:
        if not isinstance(head, dict) or type(head.get("id")) is not str:
            raise ManifestCorrupt("a definition has no id", where=self.format)
        known = _known.get(head["id"])
        if known is not None:
            return known
        try:
            made = Loader(io.BytesIO(parts.buffer("stream"))).load()
        except (pickle.UnpicklingError, EOFError) as error:
            raise ManifestCorrupt(f"a definition can't be read: {error}", where=self.format) from error
        except Exception as error:
            raise Unsupported(
                f"a class can't be rebuilt here: {type(error).__name__}: {error}",
                hint="Load it under the Python and with the code that saved it.",
            ) from error
        return _known.get(head["id"], made)  # Another thread may have made it meanwhile, and was the first.


class Loader(pickle.Unpickler):
    """Unpickles; classes that are known here are not made again, and nothing of them is changed: they are in use."""

    def __init__(self, stream: io.BytesIO, buffers: list[memoryview] | None = None) -> None:
        """Start."""
        super().__init__(stream, buffers=buffers)
        self._made: dict[type, str] = {}
        self._instead: dict[str, Callable[..., Any]] = {
            "_class_setstate": self._with_state,
            "_make_skeleton_class": self._class,
            "_make_skeleton_enum": self._enum,
        }

    def find_class(self, module: str, name: str) -> Any:
        """What a name in the stream leads to."""
        if module == parts.__name__ and name in self._instead:
            return self._instead[name]
        return super().find_class(module, name)

    def load(self) -> Any:
        """Make the value; its classes are known once it is whole."""
        value = super().load()
        for kind in self._made:
            _derive(kind)
        with _first:
            for kind, id_ in self._made.items():
                _known.setdefault(id_, kind)
        return value

    def _class(self, meta: type, name: str, bases: Any, fields: dict[str, Any], id_: str, extra: Any) -> type:
        known = _known_class(id_, fields.get("__module__"), fields.get("__qualname__", name))
        return known or self._noted(parts._make_skeleton_class(meta, name, bases, fields, None, extra), id_)

    def _enum(self, bases: Any, name: str, path: str, members: Any, module: str, id_: str, extra: Any) -> type:
        known = _known_class(id_, module, path)
        return known or self._noted(parts._make_skeleton_enum(bases, name, path, members, module, None, extra), id_)

    def _noted(self, made: type, id_: str) -> type:
        self._made[made] = id_
        return made

    def _with_state(self, kind: type, state: Any) -> type:
        if kind in self._made:
            parts._class_setstate(kind, state)
            for name in DERIVED:
                if name in vars(kind) and name not in state[0]:
                    delattr(kind, name)  # That of a class without fields, as which it began.
        return kind


class _DefinitionPickler(CanonicalPickler):
    """Pickles a class; others that it leads to are within, with ids of their own."""

    def __init__(self, stream: io.BytesIO, root: type, root_id: str) -> None:
        super().__init__(stream)
        self._root, self._root_id = root, root_id

    def id_of(self, kind: type) -> str:
        if kind is self._root:
            return self._root_id
        found = blake3(canonical_bytes(kind)).hexdigest()[:_ID_CHARACTERS]
        _known[found] = kind
        return found


class _QuickPickler(CodeParts, pickle.Pickler):
    """Pickles in C: what gives the same bytes in one process is the same."""


def _witness(kind: type) -> bytes:
    stream = io.BytesIO()
    pickler = _QuickPickler(stream, PROTOCOL)
    pickler.start()
    pickler.dump(kind)
    return blake3(stream.getbuffer()).digest()


def _known_class(id_: str, module: object, name: str) -> type | None:
    known = _known.get(id_)
    if known is None and module in NOT_BY_NAME:
        own: Any = sys.modules.get("__main__")
        for part in name.split("."):
            own = getattr(own, part, None)
        if isinstance(own, type) and is_defined_here(own) and _is_of(own, id_):
            return own
    return known


def _is_of(kind: type, id_: str) -> bool:
    try:
        return definition_of(kind).id == id_
    except Exception:  # noqa: BLE001  What can't be saved, for whatever reason, is not what was.
        return False


def _derive(kind: Any) -> None:
    """Have a class make what it makes of what is in it."""
    if issubclass(kind, Enum):
        _begin_members(kind)
    if not hasattr(kind, "__pydantic_decorators__"):
        return
    import pydantic.dataclasses

    if hasattr(kind, "model_rebuild"):
        kind.model_rebuild(force=True)
    else:
        pydantic.dataclasses.rebuild_dataclass(kind, force=True)


def _begin_members(kind: Any) -> None:
    """Have members be what they are of their values: they were made before the class had its methods."""
    begin = kind.__init__
    if begin is not Enum.__init__ and isinstance(begin, FunctionType):
        for member in kind:
            begin(member, *(member.value if isinstance(member.value, tuple) else (member.value,)))
