"""What source texts say, kept from one process to the next: a text that was described once need not be parsed again.

Invariant: what is kept of a text follows from its bytes, the version of Python and our own code alone, and is looked up
by the digests of all three. The file is a cache: what is torn, too large, of another's hand or in any way other than
we write it counts as nothing. It is sealed with what nobody can know who was not on this machine since it started, as
a store may come from anywhere, and what it says would be believed of other stores' steps, too.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgpack
from blake3 import blake3

from ...cas.digest import DIGEST_BYTES, Digest, digest_of
from ...cas.durable import write_all
from ...cas.files import BlobFiles
from ...cas.process import ProcessStamp
from ...errors import LinealError
from .framing import frame_all, frame_bytes, frame_str
from .reads import Read
from .stores import AttributeStore, LocalImport

FILE_MAX_BYTES = 16 * 1024 * 1024
_SAYS = ("bytecode", "canonical", "definitions", "framing", "reads", "source_index", "stores")
"""Our modules by which it is decided what a text says."""

Place = tuple[str, int]
"""Qualified name and first line of a piece of code."""
Classes = tuple[str, tuple[Place, ...]]
"""Qualified name of a class, and where the methods stand that it is known by."""
Stores = tuple[tuple[AttributeStore, ...], tuple[LocalImport, ...]]
T = TypeVar("T")


class Decoration(NamedTuple):
    """A decorator."""

    path: tuple[str, ...] | None
    """The dotted name that is applied or called, None for other expressions."""
    digest: Digest
    reads: tuple[Read, ...]


class Said(NamedTuple):
    """What a text says of one definition, as `definitions.Definition` has it."""

    digest: Digest
    decorations: tuple[Decoration, ...]
    reads: tuple[Read, ...]
    literal_defaults: frozenset[str]
    bound: frozenset[str]
    first_line: int
    last_line: int


@dataclass(slots=True)
class Known:
    """What is known of one text; each entry is read when it is first asked for."""

    parameters: dict[Place, tuple[str, ...] | None] = field(default_factory=dict)
    """Those of the one function that stands at a place; None of a generator, whose are not its own."""
    functions: dict[Place, Said] = field(default_factory=dict)
    classes: dict[Classes, Said | None] = field(default_factory=dict)
    has_class: dict[str, bool] = field(default_factory=dict)
    bindings: dict[str, tuple[Digest, tuple[Read, ...]] | None] = field(default_factory=dict)
    module: Digest | None = None
    stores: Stores | None = None


class SourceIndex:
    """What this process knows of texts, by their digests: learned here, or read from the stores that it used."""

    def __init__(self) -> None:
        """Know nothing."""
        self._known: dict[Digest, Known] = {}
        self._kept: dict[Digest, bytes] = {}
        """What was read and nobody has asked for, packed: most of what a store has a process never asks for."""
        self._learned = 0
        self._of_store: dict[Path, int] = {}
        """How much had been learned when the file of a store was last as it should be."""

    def of(self, text: Digest) -> Known:
        """What is known of a text; what is learned is added there, and `learned` called."""
        found = self._known.get(text)
        if found is None:
            kept = self._kept.pop(text, None)
            found = self._known[text] = Known() if kept is None else _unpacked(kept)
        return found

    def learned(self) -> None:
        """Hear that something was added."""
        self._learned += 1

    def use(self, store: Path) -> None:
        """Know what a store has, too; once for each."""
        if store not in self._of_store:
            self._of_store[store] = self._learned
            self._kept.update((text, kept) for text, kept in _read(_path_in(store)) if text not in self._known)

    def keep(self, store: Path) -> None:
        """Let a store have what was learned, if anything was; what it can't take it does without."""
        if self._of_store.get(store, self._learned) != self._learned:
            self._of_store[store] = self._learned
            with suppress(LinealError, OSError):  # A cache: a full disk, or one that can't be written, has none.
                _write(store, self._encoded())

    def _encoded(self) -> bytes:
        """What was used here, then what was not, as far as there is room."""
        # Copies, as other threads may learn meanwhile.
        known, kept = self._known.copy(), self._kept.copy()
        entries = chain(((text, _packed(one)) for text, one in known.items()), kept.items())
        packed, left = [], FILE_MAX_BYTES
        for entry in entries:
            one = msgpack.packb(entry)
            left -= len(one)
            if left < 0:
                break
            packed.append(one)
        return b"".join(packed)


@cache
def _version() -> Digest:
    """Of Python, and of our code that says what texts say."""
    parts = [frame_str(sys.version)]
    for name in _SAYS:
        module = import_module(f".{name}", __package__)
        parts.append(frame_bytes(Path(module.__file__ or "").read_bytes()))
    return digest_of(frame_all(b"V", parts))


def seal(body: bytes) -> bytes | None:
    """The digest of some bytes, keyed by what tells this start of the machine from all others; None where nothing does.

    Source: Linux random(4), ``boot_id``; keyed hashing as in the specification of BLAKE3.
    """
    boot = ProcessStamp.current().boot
    return blake3(body, key=digest_of(frame_str(boot))).digest() if boot else None


def _path_in(store: Path) -> Path:
    return store / "cache" / "sources-{}.{}".format(*sys.version_info)


def _read(path: Path) -> list[tuple[Digest, bytes]]:
    """The entries of a file, unless it is not just what this version wrote for this user."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:  # A FIFO is not waited for.
            status = os.fstat(file.fileno())
            is_ours = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o022
            if not is_ours or status.st_size > FILE_MAX_BYTES + 2 * DIGEST_BYTES:
                return []
            version, digest, body = file.read(DIGEST_BYTES), file.read(DIGEST_BYTES), file.read()
        if version != _version() or digest != seal(body):
            return []
        unpacker = msgpack.Unpacker(use_list=False, strict_map_key=False, max_buffer_size=FILE_MAX_BYTES)
        unpacker.feed(body)
        return [(Digest(text), _of(bytes, kept)) for text, kept in unpacker]
    except (OSError, ValueError, TypeError, msgpack.UnpackException):
        return []


def _write(store: Path, body: bytes) -> None:
    """Put the file in its place whole; it need not be there after a power cut."""
    path, sealed = _path_in(store), seal(body)
    if sealed is None:
        return
    path.parent.mkdir(exist_ok=True)
    scratch = BlobFiles(store).scratch()
    try:
        write_all(scratch.fd, _version() + sealed + body)
        os.replace(scratch.path, path)
    finally:
        scratch.discard()


# What is kept, as plain values. Their texts may be any that literals have, half of a surrogate pair, too.


def _packed(known: Known) -> bytes:
    packed: bytes = msgpack.packb(_plain(known), unicode_errors="surrogatepass")
    return packed


def _unpacked(kept: bytes) -> Known:
    """What is known, nothing where that is not as it is written."""
    try:
        return _known(msgpack.unpackb(kept, use_list=False, strict_map_key=False, unicode_errors="surrogatepass"))
    except (TypeError, ValueError, LookupError, msgpack.UnpackException):  # InvalidDigest among them.
        return Known()


def _plain(known: Known) -> Any:
    return (
        [(*place, names) for place, names in known.parameters.copy().items()],
        [(*place, _plain_said(said)) for place, said in known.functions.copy().items()],
        [(*key, None if said is None else _plain_said(said)) for key, said in known.classes.copy().items()],
        [*known.has_class.copy().items()],
        [(name, one and (one[0], _plain_reads(one[1]))) for name, one in known.bindings.copy().items()],
        known.module,
        known.stores,
    )


def _plain_said(said: Said) -> Any:
    decorations = [(path, digest, _plain_reads(reads)) for path, digest, reads in said.decorations]
    defaults, bound = sorted(said.literal_defaults), sorted(said.bound)
    return said.digest, decorations, _plain_reads(said.reads), defaults, bound, said.first_line, said.last_line


def _plain_reads(reads: Iterable[Read]) -> Any:
    return [(read.path, read.module, read.level, read.computed) for read in reads]


def _known(kept: Any) -> Known:
    parameters, functions, classes, has_class, bindings, module, stores = kept
    return Known(
        {(_text(name), _number(line)): None if names is None else _texts(names) for name, line, names in parameters},
        {(_text(name), _number(line)): _said(said) for name, line, said in functions},
        {(_text(name), _places(codes)): None if said is None else _said(said) for name, codes, said in classes},
        {_text(name): _truth(whether) for name, whether in has_class},
        {_text(name): None if one is None else (Digest(one[0]), _reads(one[1])) for name, one in bindings},
        None if module is None else Digest(module),
        None if stores is None else _stores(*stores),
    )


def _said(kept: Any) -> Said:
    digest, decorations, reads, defaults, bound, first_line, last_line = kept
    return Said(
        Digest(digest),
        tuple([Decoration(None if path is None else _texts(path), Digest(d), _reads(r)) for path, d, r in decorations]),
        _reads(reads),
        frozenset(_texts(defaults)),
        frozenset(_texts(bound)),
        _number(first_line),
        _number(last_line),
    )


def _reads(kept: Any) -> tuple[Read, ...]:
    return tuple([Read(_texts(path), _name(module), _number(level), _name(how)) for path, module, level, how in kept])


def _stores(stores: Any, imports: Any) -> Stores:
    found = [AttributeStore(_texts(target), _name(name), _truth(within)) for target, name, within in stores]
    return tuple(found), tuple([LocalImport(_text(name), _text(module), _name(one)) for name, module, one in imports])


def _places(kept: Any) -> tuple[Place, ...]:
    return tuple([(_text(name), _number(line)) for name, line in kept])


def _texts(kept: Any) -> tuple[str, ...]:
    return tuple(map(_text, kept))


def _name(kept: Any) -> str | None:
    return None if kept is None else _text(kept)


def _text(kept: Any) -> str:
    return _of(str, kept)


def _number(kept: Any) -> int:
    return _of(int, kept)


def _truth(kept: Any) -> bool:
    return _of(bool, kept)


def _of(kind: type[T], kept: Any) -> T:
    if type(kept) is not kind:
        raise TypeError(f"{kept!r} is no {kind.__name__}")
    return kept


SOURCE_INDEX = SourceIndex()
"""This process's."""
