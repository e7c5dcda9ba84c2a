"""Digests of values by structure: typed, length-framed, and the same in every process.

Equal structure gives equal bytes whatever the hash seed, the order of a dict or the sharing of parts; values that
differ in type or content anywhere differ. Sets and dicts are ordered by their encoded elements.
"""

from __future__ import annotations

import copyreg
import gc
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from functools import cached_property
from types import BuiltinFunctionType, FunctionType, MappingProxyType, MemberDescriptorType, MethodType, ModuleType
from typing import Any

from ...cas.digest import Digest, digest_of
from .arrays import encode_array
from .drift import drifts
from .framing import (
    ELLIPSIS,
    NONE,
    frame,
    frame_all,
    frame_bool,
    frame_bytes,
    frame_complex,
    frame_float,
    frame_int,
    frame_str,
)
from .main_module import module_named

MAX_BYTES = 1 << 30
"""Values with more bytes than this are not digested: reading them would cost more than it tells."""
_MAX_PARTS = 200_000  # a live object of a large library may lead to all of it
_DOMAIN = frame_str("lineal.value/1")
_COLLAPSE_FROM_BYTES = 1024
_ARRAY_LIBRARIES = frozenset({"numpy", "pandas"})
_WITHOUT_STABLE_STATE = frozenset({"torch"})
CODE_TYPES = (FunctionType, BuiltinFunctionType, type, ModuleType)
_WRITTEN_AS_TEXT = {
    "decimal.Decimal": str,
    "fractions.Fraction": str,
    "uuid.UUID": str,
    "zoneinfo.ZoneInfo": str,
    "datetime.date": str,
}
_TOLD_BY_ATTRIBUTES = {
    "typing.TypeVar": ("__name__", "__bound__", "__constraints__"),
    "typing.TypeAliasType": ("__name__", "__value__"),
}

Refer = Callable[[object, "ValueEncoder"], bytes | None]
"""How code inside a value is named: functions, classes, modules, and objects that stand for them; else None."""


class Undigestible(Exception):
    """A part of the value has no structure that could be read; never leaves this package."""


def is_scalar(value: object) -> bool:
    """Whether the value is of a type that a literal can give whole."""
    return type(value) in _SCALARS


def frame_scalar(value: object) -> bytes:
    """The encoding of a scalar."""
    return _SCALARS[type(value)](value)


def value_digest(value: object) -> Digest | None:
    """Digest a value by its structure; None if a part of it has none: code of the project, a socket, a lock.

    Cost: about 1 µs for a scalar; arrays at the speed of BLAKE3.
    """
    try:
        return digest_of(_DOMAIN + ValueEncoder().encode(value))
    except (Undigestible, RecursionError):
        return None


class ValueEncoder:
    """Encodes one value; not to be used for a second one that may have died in between.

    Args:
        refer: Names code met inside the value; without it only the standard library's code has a name.
        is_lenient: Encode what has no structure by its type's name alone, and list it in ``opaque``.
    """

    def __init__(self, refer: Refer | None = None, *, is_lenient: bool = False) -> None:
        self.opaque: list[str] = []
        self._refer = refer or _refer_to_stdlib
        self.is_lenient = is_lenient
        self._bytes_left = MAX_BYTES
        self._parts_left = _MAX_PARTS if is_lenient else sys.maxsize
        self._known: dict[int, tuple[object, bytes]] = {}
        self._depths: dict[int, int] = {}
        self._lowest = sys.maxsize  # the outermost value that a back reference below the current one points to

    def encode(self, value: object) -> bytes:
        """The typed, framed bytes; self-delimiting. Above 1 KiB the inner structure is collapsed to its digest."""
        scalar = _SCALARS.get(type(value))
        if scalar is not None:
            return scalar(value)
        key = id(value)
        known = self._known.get(key)
        if known is not None:
            return known[1]
        depth = len(self._depths)
        if key in self._depths:
            self._lowest = min(self._lowest, self._depths[key])
            return frame(b"^", b"%d" % (depth - self._depths[key]))
        self._parts_left -= 1
        outer, self._lowest = self._lowest, sys.maxsize
        self._depths[key] = depth
        try:
            data = self._compound(value)
        except Undigestible:
            if not self.is_lenient:
                raise
            self.opaque.append(name_of(type(value)))
            self.class_name(type(value))  # its code counts, though its state does not
            data = frame(b"?", frame_str(self.opaque[-1]))
        finally:
            del self._depths[key]
        if len(data) >= _COLLAPSE_FROM_BYTES:
            data = b"H" + digest_of(data)
        if self._lowest >= depth:
            self._known[key] = (value, data)
            self._lowest = outer
        else:
            self._lowest = min(self._lowest, outer)
        return data

    def encode_all(self, tag: bytes, values: Iterable[object]) -> bytes:
        """A sequence of values, in their order."""
        return frame_all(tag, [self.encode(value) for value in values])

    def class_name(self, kind: type) -> bytes:
        """A type as part of its instance: named even where its code can't be told."""
        return self._refer(kind, self) or frame(b"K", frame_str(name_of(kind)))

    def buffer(self, data: bytes | memoryview) -> bytes:
        """A large buffer, by its digest."""
        self._bytes_left -= memoryview(data).nbytes
        if self._bytes_left < 0:
            raise Undigestible(f"more than {MAX_BYTES} bytes")
        return b"B" + digest_of(data)

    def _compound(self, value: object) -> bytes:
        kind = type(value)
        if self._parts_left < 0:
            raise Undigestible(f"more than {_MAX_PARTS} parts")
        encode = _CONTAINERS.get(kind)
        if encode is not None:
            return encode(self, value)
        named = self._refer(value, self)
        if named is not None:
            return named
        if isinstance(value, MethodType):
            return self.encode_all(b"y", (value.__func__, value.__self__))
        if isinstance(value, CODE_TYPES):
            raise Undigestible(f"code: {name_of(value)}")
        if self.is_lenient and drifts(kind):
            if kind in (map, filter) or kind.__module__ == "itertools":  # how far it is drifts, what it calls does not
                called = [held for held in gc.get_referents(value) if isinstance(held, (FunctionType, MethodType))]
                if called:
                    self.opaque.append(name_of(kind))
                    return self.encode_all(b"?", (name_of(kind), *called))
            raise Undigestible(f"state that drifts: {name_of(kind)}")
        top = kind.__module__.partition(".")[0]
        if top in _ARRAY_LIBRARIES:
            data = encode_array(self, value)
            if data is not None:
                return data
        if top in _WITHOUT_STABLE_STATE:
            raise Undigestible(f"no stable state: {name_of(kind)}")
        try:
            return self._instance(value, kind)
        except (Undigestible, RecursionError):
            raise
        except Exception as error:
            raise Undigestible(f"{name_of(kind)}: {error}") from error

    def _instance(self, value: object, kind: type) -> bytes:
        name = f"{kind.__module__}.{kind.__qualname__}"
        write = _WRITTEN_AS_TEXT.get(name)
        if write is not None:
            return frame_all(b"x", [frame_str(name), frame_str(write(value))])
        if name.startswith("pathlib.") and hasattr(value, "parts"):
            return frame_all(b"p", [frame_str(kind.__name__), frame_str(str(value))])
        if name in ("datetime.datetime", "datetime.time"):
            moment: Any = value
            text = moment.replace(tzinfo=None).isoformat()
            return self.encode_all(b"m", (name, text, moment.fold, moment.tzinfo))
        if name == "re.Pattern":
            pattern: Any = value
            return frame_all(b"r", [self.encode(pattern.pattern), frame_int(pattern.flags)])
        if name in _TOLD_BY_ATTRIBUTES:
            return self.encode_all(b"a", (name, *(getattr(value, told, None) for told in _TOLD_BY_ATTRIBUTES[name])))
        if isinstance(value, Enum):
            return frame_all(b"e", [self.class_name(kind), frame_str(value.name), self.encode(value.value)])
        if isinstance(value, OrderedDict):  # Its order is part of what it equals, unlike that of other dicts.
            return self._subclassed(value, kind, self.encode_all(b"t", value.items()))
        for base, container in _CONTAINERS.items():
            if isinstance(value, base) and base in _SUBCLASSABLE:
                return self._subclassed(value, kind, container(self, value))
        for base, scalar in _SCALARS.items():
            if isinstance(value, base):
                return self._subclassed(value, kind, scalar(value))
        if hasattr(kind, "__dataclass_fields__"):
            return self.encode_attributes(value)
        return self._reduced(value, kind)

    def encode_attributes(self, value: object) -> bytes:
        """An instance by its class and attributes, whatever it says of itself when it is pickled."""
        return frame_all(b"D", [self.class_name(type(value)), self._attributes(value)])

    def _subclassed(self, value: object, kind: type, data: bytes) -> bytes:
        """An instance of a subclass of a built-in: its class, what the built-in holds, what it adds."""
        extra = [self._attributes(value)]
        factory = getattr(value, "default_factory", None)
        if factory is not None:
            extra.append(self.encode(factory))
        return frame_all(b"u", [self.class_name(kind), data, *extra])

    def _attributes(self, value: object) -> bytes:
        own = getattr(value, "__dict__", {})
        return _dict(self, _without_caches(type(value), {**own, **_slots(value), **_field_values(value)}))

    def _reduced(self, value: object, kind: type) -> bytes:
        reduce = copyreg.dispatch_table.get(kind)
        reduced: Any = value.__reduce_ex__(4) if reduce is None else reduce(value)
        if isinstance(reduced, str):
            module = getattr(value, "__module__", None) or kind.__module__
            if not _is_found(module, reduced, value):
                raise Undigestible(f"{name_of(kind)}, which is not the {reduced} of a module")
            return frame_all(b"g", [self.class_name(kind), frame_str(str(module)), frame_str(reduced)])
        make, arguments, state, items, pairs = (*reduced, None, None, None)[:5]
        if isinstance(state, dict):
            state = _without_caches(kind, state) or None
        parts = [self._maker(make), *map(self._maker, arguments[:1]), self.encode_all(b"t", arguments[1:])]
        parts += [self.encode(state), self.encode(list(items or ())), self.encode(dict(pairs or ()))]
        return frame_all(b"o", [self.class_name(kind), *parts])

    def _maker(self, value: object) -> bytes:
        """What rebuilds an object: a class or function that counts by its name."""
        if isinstance(value, type):
            return self.class_name(value)
        if isinstance(value, (FunctionType, BuiltinFunctionType)):
            return self._refer(value, self) or frame(b"M", frame_str(name_of(value)))
        return self.encode(value)


def _dict(encoder: ValueEncoder, value: Mapping[Any, object]) -> bytes:
    encode = encoder.encode
    pairs = sorted((encode(key), encode(item)) for key, item in value.items())
    return frame_all(b"d", [part for pair in pairs for part in pair])


def _property(encoder: ValueEncoder, value: property) -> bytes:
    return encoder.encode_all(b"P", (value.fget, value.fset, value.fdel))


def _view(encoder: ValueEncoder, value: memoryview) -> bytes:
    shape = encoder.encode(value.shape)
    return frame_all(b"v", [frame_str(value.format), shape, encoder.buffer(value.tobytes())])


_SCALARS: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda _: NONE,
    bool: frame_bool,
    int: frame_int,
    float: frame_float,
    complex: frame_complex,
    str: frame_str,
    bytes: frame_bytes,
    type(...): lambda _: ELLIPSIS,
    type(NotImplemented): lambda _: b"n",
}
_CONTAINERS: dict[type, Callable[[ValueEncoder, Any], bytes]] = {
    list: lambda encoder, value: encoder.encode_all(b"l", value),
    tuple: lambda encoder, value: encoder.encode_all(b"t", value),
    dict: _dict,
    set: lambda encoder, value: frame_all(b"S", sorted(map(encoder.encode, value))),
    frozenset: lambda encoder, value: frame_all(b"Z", sorted(map(encoder.encode, value))),
    bytearray: lambda encoder, value: frame(b"A", bytes(value)),
    memoryview: _view,
    range: lambda encoder, value: encoder.encode_all(b"R", (value.start, value.stop, value.step)),
    slice: lambda encoder, value: encoder.encode_all(b"w", (value.start, value.stop, value.step)),
    MappingProxyType: lambda encoder, value: frame(b"q", _dict(encoder, value)),
    property: _property,
    staticmethod: lambda encoder, value: frame(b"h", encoder.encode(value.__func__)),
    classmethod: lambda encoder, value: frame(b"k", encoder.encode(value.__func__)),
    cached_property: lambda encoder, value: frame(b"z", encoder.encode(value.func)),
}
_SUBCLASSABLE = frozenset({list, tuple, dict, set, frozenset, bytearray})


def _refer_to_stdlib(value: object, _: ValueEncoder) -> bytes | None:
    if not isinstance(value, CODE_TYPES):
        return None
    module = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None) or ""
    is_named = "<" not in getattr(value, "__qualname__", "")
    if is_named and module.partition(".")[0] in {*sys.stdlib_module_names, "builtins"}:
        return frame(b"K", frame_str(name_of(value)))
    return None


def name_of(value: Any) -> str:
    """Module and qualified name, with the private modules of the standard library's classes left as they are."""
    if isinstance(value, ModuleType):
        return value.__name__
    return f"{getattr(value, '__module__', None)}:{getattr(value, '__qualname__', None) or type(value).__name__}"


def _field_values(value: Any) -> dict[str, object]:
    fields = getattr(type(value), "__dataclass_fields__", ())
    return {name: getattr(value, name) for name in fields if hasattr(value, name)}


def _slots(value: object) -> dict[str, object]:
    """What the slots hold that classes written in Python declare."""
    held: dict[str, object] = {}
    for kind in type(value).__mro__:
        for name, member in vars(kind).items() if "__slots__" in vars(kind) else ():
            if isinstance(member, MemberDescriptorType):
                try:
                    held[name] = member.__get__(value)
                except AttributeError:
                    continue
    return held


def _is_found(module: object, name: str, value: object) -> bool:
    """Whether a global name leads to the value, as it must for what pickles by its name."""
    found: object = module_named(module) if isinstance(module, str) else None
    for part in name.split("."):
        found = getattr(found, part, None)
    return found is value


def _without_caches(kind: type, attributes: dict[Any, Any]) -> dict[Any, Any]:
    """Attributes that are no result of a `functools.cached_property`: reading one must not change the value."""
    return {
        name: item
        for name, item in attributes.items()
        if not (isinstance(name, str) and isinstance(getattr(kind, name, None), cached_property))
    }
