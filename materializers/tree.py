"""The tree codec: plain values in one canonical msgpack, encoded and decoded in C.

Equal values give equal bytes in every process: sets are ordered by their elements' bytes, dicts keep their order, and
only exact types are taken, so that no subclass is flattened. What is no plain value becomes a reference: to a child,
where the object has a format of its own, or to an opaque object, which only pickling can save. The same opaque object
met twice is one reference; anything else is a value, and whether two equal values happen to be one object is not told
apart: they come back as two, each to be changed alone. References are numbered as they are met, so only a set of such
objects has no canonical bytes. Records are atoms that begin with the name of their class.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from itertools import chain
from operator import itemgetter
from typing import Any

import msgpack
from msgpack import ExtType, Timestamp

from ..errors import ManifestCorrupt
from .atoms import CONTAINER_CODES, RECORD_CODES, Atom, atom_of_code, atom_of_type
from .base import PICKLE_FORMAT, PLAIN_FORMAT, TooDeep
from .forms import ENUM
from .records import form_of, found_class, maker_of

_TUPLE, _SET, _FROZENSET, _CHILD, _OPAQUE = (ExtType(code, b"") for code in range(8, 13))

# msgpack takes these for what they look like, before it asks.
_LOOKALIKES = {bytearray, memoryview, ExtType, Timestamp}
_MAY_BE_LOOKALIKE = re.compile(rb"[\xc4-\xc9\xd4-\xd8]")
"""The first bytes of binaries and extensions: where they are absent, so are lookalikes."""
_CONTAINERS = {dict, list, tuple, set, frozenset}
_BUFFER_BYTES = 4096
"""What a packer begins with; it grows. By default it is so much that the system takes it back each time."""
_REPEATS_MAX = 100_000
"""How often records may be met again: those that share others at many levels would be written without end."""


class _Wrapped:
    """A lookalike, hidden from msgpack."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class _Apart:
    """An atom that came apart before msgpack asked."""

    __slots__ = ("atom", "fields")

    def __init__(self, atom: Atom, fields: list[Any]) -> None:
        self.atom = atom
        self.fields = fields


class TreeEncoder:
    """Encodes one tree and collects what it refers to."""

    def __init__(self, format_of: Callable[[object], str]) -> None:
        """Start; `format_of` says in which format an object would be saved that is no plain value."""
        self._format_of = format_of
        self._references: dict[int, list[Any]] = {}
        self._orders: dict[int, tuple[Any, list[Any]]] = {}
        """By the id of each set that was met, it and its order: were it gone, another could have its id."""
        self._records: set[int] = set()
        self._repeats = 0
        self.is_marked = False
        """Whether the tree holds anything but msgpack's own types."""
        self.children: list[Any] = []
        """Objects with a format of their own, by index of reference."""
        self.opaque: list[Any] = []
        """Objects without one, by index of reference."""
        self.classes: set[type] = set()
        """Those that the tree names."""

    def encode(self, value: object) -> bytes:
        """Give the tree's bytes.

        Raises:
            TooDeep: The value is nested in itself, or beyond msgpack's depth of 511 or its size of 4 GiB a text, or its
                records share others too often.
        """
        try:
            data = self._pack(value)
            if _MAY_BE_LOOKALIKE.search(data) and self._holds_lookalike(value):
                self.children.clear()
                data = self._pack(self._with_wrapped(value))
        except (ValueError, RecursionError) as error:
            raise TooDeep from error
        return data

    def _pack(self, value: object) -> bytes:
        return bytes(self._packer().pack(value))

    def _packer(self) -> msgpack.Packer:
        return msgpack.Packer(
            default=self._fields, strict_types=True, unicode_errors="surrogatepass", buf_size=_BUFFER_BYTES
        )

    def _fields(self, value: Any) -> list[Any]:
        """What msgpack writes in place of what it doesn't know; called by it."""
        kind = type(value)
        if kind is tuple:
            self.is_marked = True
            return [_TUPLE, *value]
        if kind is set or kind is frozenset:
            self.is_marked = True
            return [_SET if kind is set else _FROZENSET, *self._in_order(value)]
        if kind is _Apart:
            self.is_marked = True
            return [value.atom.mark, *value.fields]
        if kind is _Wrapped:
            value = value.value
            kind = type(value)
        atom = self._atom_of(value, kind)
        if atom is None:
            return self._reference(value, is_opaque=self._format_of(value) == PICKLE_FORMAT)
        fields = atom.fields(value)
        if fields is None:
            return self._reference(value, is_opaque=True)
        self._count(value, atom)
        self.is_marked = True
        return [atom.mark, *fields]

    def _atom_of(self, value: object, kind: type) -> Atom | None:
        atom = atom_of_type(kind)
        if atom is None and self._format_of(value) == PLAIN_FORMAT:
            return form_of(kind)
        return atom

    def _count(self, value: object, atom: Atom) -> None:
        if atom.code not in RECORD_CODES:
            return
        self.classes.add(atom.kind)
        if atom.code != ENUM:
            self._repeats += id(value) in self._records
            self._records.add(id(value))
            if self._repeats > _REPEATS_MAX:
                raise TooDeep

    def _in_order(self, values: set[Any] | frozenset[Any]) -> list[Any]:
        _, order = self._orders.get(id(values), (None, None))
        if order is None:
            pack, met = self._packer().pack, len(self.children)
            pairs = sorted(((pack(value), value) for value in values), key=itemgetter(0))
            del self.children[met:]
            order = [value for _, value in pairs]
            self._orders[id(values)] = values, order
        return order

    def _reference(self, value: Any, *, is_opaque: bool) -> list[Any]:
        self.is_marked = True
        if not is_opaque:
            self.children.append(value)
            return [_CHILD, len(self.children) - 1]
        reference = self._references.get(id(value))
        if reference is None:
            reference = self._references[id(value)] = [_OPAQUE, len(self.opaque)]
            self.opaque.append(value)
        return reference

    def _holds_lookalike(self, value: object) -> bool:
        """Look at the types of everything in a finite tree, a level at a time, so that the loops run in C."""
        level: list[Any] = [value]
        while level:
            kinds = set(map(type, level))
            if not kinds.isdisjoint(_LOOKALIKES):
                return True
            inner: list[Any] = []
            for kind in kinds & _CONTAINERS:
                members: list[Any] = level if len(kinds) == 1 else [one for one in level if type(one) is kind]
                inner.extend(chain.from_iterable(members))
                if kind is dict:
                    inner.extend(chain.from_iterable(map(dict.values, members)))
            for kind in kinds - _CONTAINERS - _LEAVES:
                members = [one for one in level if type(one) is kind]
                inner.extend(chain.from_iterable(self._contents(one) or () for one in members))
            level = inner
        return False

    def _contents(self, value: Any) -> tuple[Atom, list[Any]] | None:
        """The atom and the fields of a container that is no plain one."""
        atom = self._atom_of(value, type(value))
        if atom is None or atom.code not in CONTAINER_CODES:
            return None
        fields = atom.fields(value)
        return None if fields is None else (atom, list(fields))

    def _with_wrapped(self, value: Any) -> Any:
        """The same tree with its lookalikes wrapped."""
        kind = type(value)
        if kind in _LOOKALIKES:
            return _Wrapped(value)
        if kind is dict:
            return {self._with_wrapped(key): self._with_wrapped(one) for key, one in value.items()}
        if kind in _CONTAINERS:
            return kind(map(self._with_wrapped, value))
        contents = None if kind in _LEAVES else self._contents(value)
        if contents is None:
            return value
        return _Apart(contents[0], [self._with_wrapped(one) for one in contents[1]])


_LEAVES = {type(None), bool, int, float, str, bytes}


def decode(
    data: bytes | memoryview, is_marked: bool, children: list[Any], opaque: list[Any], *, may_import: bool = False
) -> Any:
    """Make a tree again.

    Args:
        data: What `TreeEncoder.encode` gave.
        is_marked: What it said.
        children: The objects of the references.
        opaque: Likewise.
        may_import: Whether the classes of records may be imported; a `Record` stands in for each where not.

    Raises:
        ManifestCorrupt: The bytes are no tree.
        LookupError, TypeError, ValueError: The same.
    """
    if not is_marked:
        return msgpack.unpackb(data, strict_map_key=False, unicode_errors="surrogatepass", ext_hook=_refuse)
    decoder = _Decoder(children, opaque, may_import)
    value = msgpack.unpackb(
        data,
        strict_map_key=False,
        unicode_errors="surrogatepass",
        ext_hook=decoder.mark,
        list_hook=decoder.made,
    )
    if decoder.marks:
        raise ManifestCorrupt("a tree holds a mark that begins no list")
    return value


def _refuse(code: int, _: bytes) -> None:
    raise ManifestCorrupt(f"a tree without marks holds one of code {code}")


class _Decoder:
    """msgpack's hooks; it meets a mark before the list that the mark begins."""

    def __init__(self, children: list[Any], opaque: list[Any], may_import: bool) -> None:
        self._may_import = may_import
        self._atoms = dict(_CONTAINER_ATOMS)
        for mark, targets in ((_CHILD, children), (_OPAQUE, opaque)):
            self._atoms[mark.code] = Atom(mark.code, object, lambda _: None, partial(_target, targets))
        self.marks = 0
        """Marks that no list was made of."""

    def mark(self, code: int, data: bytes) -> Atom:
        if data:
            raise ManifestCorrupt("a tree holds a mark with a content")
        self.marks += 1
        atom = self._atoms.get(code)
        if atom is None:
            atom = self._atoms[code] = self._record(code) if code in RECORD_CODES else atom_of_code(code)
        return atom

    def _record(self, code: int) -> Atom:
        return Atom(code, object, lambda _: None, partial(maker_of(code), found_class if self._may_import else None))

    def made(self, items: list[Any]) -> Any:
        if not items or type(items[0]) is not Atom:
            return items
        self.marks -= 1
        atom = items[0]
        return tuple(items[1:]) if atom.code == _TUPLE.code else atom.make(*items[1:])


_CONTAINER_ATOMS = {
    _TUPLE.code: Atom(_TUPLE.code, tuple, tuple, lambda *items: items),
    _SET.code: Atom(_SET.code, set, tuple, lambda *items: set(items)),
    _FROZENSET.code: Atom(_FROZENSET.code, frozenset, tuple, lambda *items: frozenset(items)),
}


def _target(targets: list[Any], index: object) -> Any:
    if type(index) is not int or index < 0:
        raise ManifestCorrupt(f"a tree refers to {index!r}, which is no index")
    return targets[index]
