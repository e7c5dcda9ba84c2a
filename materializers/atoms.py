"""Atoms: small types that msgpack doesn't know, written as a marked list of fields.

An atom stands in a tree as ``[mark, field, …]``, the mark being an empty extension type that carries the atom's code.
Codes are forever: 0 to 15 belong to this file and `tree`, the next sixteen to the standard library, and so on; those
of records, which are atoms too, are in `records`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from msgpack import ExtType

from ..errors import ManifestCorrupt

# Learnt when a type or code of theirs is first met.
_MODULES = {1: "stdlib_atoms", 2: "numpy_scalars", 3: "pandas_scalars", 4: "collection_atoms"}
_LIBRARIES = {
    "collections": "collection_atoms",
    **dict.fromkeys(("datetime", "decimal", "fractions", "pathlib", "uuid", "zoneinfo"), "stdlib_atoms"),
    "numpy": "numpy_scalars",
    "pandas": "pandas_scalars",
}

RECORD_CODES = range(80, 96)
CONTAINER_CODES = range(64, 96)
"""Of atoms whose fields may hold anything."""

Maker = Callable[..., Any]


class Atom:
    """How values of one type come apart into fields, and together again."""

    __slots__ = ("code", "fields", "kind", "make", "mark")

    def __init__(self, code: int, kind: type, fields: Callable[[Any], Sequence[Any] | None], make: Maker) -> None:
        """Describe a type.

        Args:
            code: What the mark carries; types that are made alike may share one.
            kind: The type, exactly.
            fields: Gives the fields, which may be anything that can be encoded, or None for a value it can't do.
            make: Takes the fields, which may be damaged, and gives the value.
        """
        self.code = code
        self.kind = kind
        self.fields = fields
        self.make = make
        self.mark = ExtType(code, b"")


def _int_bytes(value: int) -> tuple[bytes]:
    return (value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True),)


def _int(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=True)


def _bytearray(data: bytes) -> bytearray:
    if not isinstance(data, bytes):
        raise ManifestCorrupt("a bytearray is not made of bytes")
    return bytearray(data)


_by_type: dict[type, Atom] = {}
_by_code: dict[int, Atom] = {}
_learnt: set[str] = set()


def _learn(atoms: Sequence[Atom]) -> None:
    _by_type.update((atom.kind, atom) for atom in atoms)
    _by_code.update((atom.code, atom) for atom in atoms)


_learn(
    [
        Atom(0, int, _int_bytes, _int),
        Atom(1, complex, lambda value: (value.real, value.imag), complex),
        Atom(2, bytearray, lambda value: (bytes(value),), _bytearray),
        Atom(3, range, lambda value: (value.start, value.stop, value.step), range),
        Atom(4, slice, lambda value: (value.start, value.stop, value.step), slice),
    ]
)


def atom_of_type(kind: type) -> Atom | None:
    """The atom for exactly this type, if there is one."""
    atom = _by_type.get(kind)
    if atom is None:
        module = _LIBRARIES.get(str(kind.__module__).partition(".")[0])
        if module is not None and module not in _learnt:
            _learn_module(module)
            atom = _by_type.get(kind)
    return atom


def atom_of_code(code: int) -> Atom:
    """The atom with this code.

    Raises:
        ManifestCorrupt: There is none.
    """
    module = _MODULES.get(code >> 4)
    if code not in _by_code and module is not None and module not in _learnt:
        _learn_module(module)
    if code not in _by_code:
        raise ManifestCorrupt(f"a tree holds a mark of unknown code {code}")
    return _by_code[code]


def _learn_module(module: str) -> None:
    _learn(import_module(f".{module}", __package__).ATOMS)
    _learnt.add(module)
