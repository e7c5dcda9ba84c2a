"""Captured sources: the source files of a step's code as they were when the store first met it, read back.

A small blob says which files there are and where in them each symbol of the code manifest stands; each file is a blob
of its own, so that one that stays the same is stored once. Layout: msgpack of ``["lineal.sources/1", [[module, path,
is package, digest, left out], …], [[symbol, file, first line, last line], …]]``, both lists sorted.
"""

from __future__ import annotations

import importlib.util
import textwrap
from collections.abc import Iterable
from functools import cached_property
from typing import Any, NamedTuple, Self

import msgpack

from ..cas.blob import BlobReader
from ..cas.digest import Digest
from ..errors import Corrupt, LinealError
from ..events.catalogue import CodeCaptured
from ..events.projections import Causes
from ..events.rows import Stamped, key
from .reader import Reader
from .trust import Trust

DOMAIN = "lineal.sources/1"


class SourceFile(NamedTuple):
    """One source file, or a text that was compiled without one, such as a notebook's cell.

    A module is there twice where its code came of several texts.
    """

    module: str
    """Its module's name: ``__main__`` for a script or a notebook."""
    path: str | None
    """Relative to the directory that is on the import path, with slashes; None for a text without file."""
    is_package: bool
    digest: Digest | None
    """Blob of its bytes; None where they were left out."""
    left_out: str | None = None
    """Why they were left out."""


class Place(NamedTuple):
    """Lines on which a symbol of the code manifest stands; one that several statements make has several."""

    symbol: str
    file: int
    """Index into the files."""
    first_line: int
    """Decorators included, from 1."""
    last_line: int


class SourceIndex(NamedTuple):
    """Which files a step's code is in, and where."""

    files: tuple[SourceFile, ...]
    places: tuple[Place, ...]

    @classmethod
    def of(cls, files: Iterable[SourceFile], places: Iterable[tuple[str, SourceFile, int, int]]) -> Self:
        """Sort them."""
        ordered = sorted(set(files), key=lambda file: (file.module, file.path or "", file.digest or b""))
        index = {file: number for number, file in enumerate(ordered)}
        placed = {Place(symbol, index[file], first, last) for symbol, file, first, last in places}
        return cls(tuple(ordered), tuple(sorted(placed)))

    @property
    def encoded(self) -> bytes:
        """The bytes of the blob."""
        packed: bytes = msgpack.packb([DOMAIN, self.files, self.places], unicode_errors="surrogatepass")
        return packed

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read the bytes back.

        Raises:
            Corrupt: They are no such index.
        """
        try:
            domain, files, places = msgpack.unpackb(data, unicode_errors="surrogatepass")
            if domain != DOMAIN:
                raise Corrupt("the bytes are no index of sources", found=domain)
            return cls(tuple(map(_file, files)), tuple(Place(*place) for place in places))
        except (ValueError, TypeError, LinealError, msgpack.UnpackException) as error:
            raise Corrupt(f"the bytes of an index of sources can't be read: {error}") from error


def _file(row: list[Any]) -> SourceFile:
    module, path, is_package, digest, left_out = row
    return SourceFile(module, path, is_package, None if digest is None else Digest(digest), left_out)


class Sources:
    """The captured sources of one function's code. They are text only: nothing of them is imported or run."""

    def __init__(self, index: SourceIndex, blobs: BlobReader) -> None:
        self.files = index.files
        """Every file that was captured: those that the step reaches, and those that they import."""
        self.places = index.places
        self._blobs = blobs
        self._texts: dict[Digest, str] = {}

    def read(self, file: SourceFile) -> bytes | None:
        """The bytes of a file; None where they were left out.

        Raises:
            BlobMissing: They are gone.
        """
        return None if file.digest is None else self._blobs.read(file.digest)

    def text(self, symbol: str) -> str | None:
        """The lines on which a symbol of the manifest stands, dedented; None where that was not captured.

        Raises:
            BlobMissing: They are gone.
        """
        places = self._places.get(symbol, ())
        return "\n".join(filter(None, map(self._lines, places))) or None

    def function_text(self, function: str) -> str | None:
        """As `text`, of the function of this module and qualified name."""
        symbols = (symbol for symbol in self._places if symbol.partition(":")[2].replace(":", ".") == function)
        return next((self.text(symbol) for symbol in symbols if symbol.startswith("def:")), None)

    @cached_property
    def _places(self) -> dict[str, list[Place]]:
        found: dict[str, list[Place]] = {}
        for place in self.places:
            found.setdefault(place.symbol, []).append(place)
        return found

    def _lines(self, place: Place) -> str | None:
        digest = self.files[place.file].digest
        if digest is None:
            return None
        text = self._texts.get(digest)
        if text is None:
            text = self._texts[digest] = _decoded(self._blobs.read(digest))
        lines = text.split("\n")[place.first_line - 1 : place.last_line]
        return textwrap.dedent("\n".join(lines))


def _decoded(data: bytes) -> str:
    """Source as text: in the encoding that it declares, where that can be."""
    try:
        return importlib.util.decode_source(data)
    except (SyntaxError, UnicodeDecodeError):
        return data.decode("utf-8", "replace")


def capture_of(reader: Reader, code: Digest, function: str) -> Stamped | None:
    """The row of a capture of a function's code, of those of stores that are not trusted only if there is no other."""
    return Trust(reader.store).newest(reader.rows(Causes.name), key("c", code, function))


def sources_of(reader: Reader, code: Digest, function: str) -> Sources | None:
    """What was captured when a function first had this code; None where an older version did not.

    Raises:
        BlobMissing: It is gone.
    """
    found = capture_of(reader, code, function)
    event = None if found is None else reader.event(found.seq).event
    if not isinstance(event, CodeCaptured) or event.sources is None:
        return None
    blobs = reader.store.blobs
    return Sources(SourceIndex.decode(blobs.read(event.sources)), blobs)
