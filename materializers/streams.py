"""Streams: what a generator yields, saved as it comes and loaded as it is asked for, in constant memory both times.

A generator whose first item is `bytes`, `bytearray` or a `memoryview` is one blob, however it was cut: the part
``data``. Any other is the items, each a value of its own, in groups of 256: ``group.0``, ``group.1``, …. A group is a
nested value whose parts are numbered; the first 256 groups hold items, the next 256 hold groups of items, and so on, so
that no manifest ever grows long. A generator is used up by being saved; what is loaded can be gone through again.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from typing import Any, ClassVar

from ..cas.digest import Buffer
from ..cas.manifest import Plain
from ..errors import ManifestCorrupt, UnsavableValue
from .base import Materializer, PartReader, PartWriter, type_name

_GROUP_MAX = 256
_CHUNK_BYTES = 1024 * 1024
_ITEMS, _BYTES = "items", "bytes"
_END, _UNKNOWN = object(), object()


class ByteStream:
    """Bytes that a generator yielded, as one blob that is read a piece at a time."""

    def __init__(self, parts: PartReader) -> None:
        self._parts = parts
        self.size_bytes: int = parts.size_bytes("data")
        """How many there are."""

    def __iter__(self) -> Iterator[memoryview]:
        """The bytes in pieces of 1 MiB, the last one shorter."""
        for start in range(0, self.size_bytes, _CHUNK_BYTES):
            yield self.view(start, min(start + _CHUNK_BYTES, self.size_bytes))

    def __len__(self) -> int:
        return -(-self.size_bytes // _CHUNK_BYTES)

    def view(self, start: int = 0, stop: int | None = None) -> memoryview:
        """The bytes between two offsets as writable private memory, mapped where large."""
        return self._parts.buffer("data", start, stop)

    def read(self) -> bytes:
        """All bytes, in memory."""
        return bytes(self.view())

    def __repr__(self) -> str:
        return f"<ByteStream of {self.size_bytes:,} bytes>"


class ItemStream:
    """The items that a generator yielded: each is loaded anew when its turn comes."""

    def __init__(self, groups: Iterable[Any], count: int) -> None:
        self._groups = groups
        self._count = count

    def __iter__(self) -> Iterator[Any]:
        found = 0
        for item in _flattened(self._groups):
            found += 1
            yield item
        if found != self._count:
            raise ManifestCorrupt(f"a stream of {self._count:,} items has {found:,}")

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"<ItemStream of {self._count:,} items>"


class Group:
    """Up to 256 items, or groups of a depth one less, of a stream; can be gone through as often as its source."""

    def __init__(self, source: Iterable[Any], depth: int) -> None:
        self.source = source
        self.depth = depth

    def __iter__(self) -> Iterator[Any]:
        return iter(self.source) if self.depth == 1 else _flattened(self.source)


def _flattened(groups: Iterable[Any]) -> Iterator[Any]:
    for group in groups:
        if not isinstance(group, Group):
            raise ManifestCorrupt("a stream has something else in it than groups of items")
        yield from group


class Generators(Materializer[Any]):
    """Generators, and the streams that they become."""

    format: ClassVar[str] = "python.generator/1"
    exact: ClassVar[bool] = True

    def save(self, value: Any, parts: PartWriter) -> Plain:
        source = _Source(value)
        if isinstance(value, ByteStream) or isinstance(source.ahead, Buffer):
            parts.stream("data", _bytes_of(source))
            return {"kind": _BYTES}
        number = 0
        while not source.is_at_end:
            parts.value(f"group.{number}", Group(source, 1 + number // _GROUP_MAX))
            number += 1
        return {"kind": _ITEMS, "items": source.taken}

    def load(self, head: Any, parts: PartReader) -> ByteStream | ItemStream:
        kind = head["kind"]
        if kind == _BYTES:
            return ByteStream(parts)
        count, groups = head["items"], len(parts.names())
        # The last group holds at least one.
        fewest = _capacity(groups - 1) + 1 if groups else 0
        if kind != _ITEMS or type(count) is not int or not fewest <= count <= _capacity(groups):
            raise ManifestCorrupt("the head of a stream does not say of what", where=self.format)
        return ItemStream(_Values(parts, "group."), count)

    def metadata(self, value: Any) -> dict[str, Plain]:
        if isinstance(value, ItemStream):
            return {"items": len(value)}
        return {"size_bytes": value.size_bytes} if isinstance(value, ByteStream) else {}


class Groups(Materializer[Group]):
    """Groups of items, which only streams have. The head is the depth."""

    format: ClassVar[str] = "python.generator.group/1"
    exact: ClassVar[bool] = True

    def save(self, value: Group, parts: PartWriter) -> Plain:
        depth = value.depth
        source = value.source if isinstance(value.source, _Source) else _Source(value.source)
        for number in range(_GROUP_MAX):
            if source.is_at_end:
                break
            if depth == 1:
                parts.value(str(number), source.take(), step=f"[{source.taken - 1}]")
            else:
                parts.value(str(number), Group(source, depth - 1))
        return depth

    def load(self, head: Any, parts: PartReader) -> Group:
        if type(head) is not int or head < 1:
            raise ManifestCorrupt("a group of items has no depth", where=self.format)
        return Group(_Values(parts, ""), head)


def _capacity(groups: int) -> int:
    """How many items so many groups hold at most."""
    full, rest = divmod(groups, _GROUP_MAX)
    items, size = 0, _GROUP_MAX
    for _ in range(full):
        items += _GROUP_MAX * size
        size *= _GROUP_MAX
    return items + rest * size


class _Source:
    """An iterator that says when it is at its end.

    It goes on only when asked: a generator may yield the same buffer again and again, filled anew each time.
    """

    def __init__(self, items: Iterable[Any]) -> None:
        self._items = iter(items)
        self._ahead: Any = _UNKNOWN
        self.taken = 0

    def __iter__(self) -> Iterator[Any]:
        while not self.is_at_end:
            yield self.take()

    @property
    def is_at_end(self) -> bool:
        return self.ahead is _END

    @property
    def ahead(self) -> Any:
        """The next item."""
        if self._ahead is _UNKNOWN:
            self._ahead = next(self._items, _END)
        return self._ahead

    def take(self) -> Any:
        item = self.ahead
        self._ahead = _UNKNOWN
        self.taken += 1
        return item


class _Values:
    """The values of numbered parts, each loaded when its turn comes."""

    def __init__(self, parts: PartReader, prefix: str) -> None:
        self._parts = parts
        self._prefix = prefix

    def __iter__(self) -> Iterator[Any]:
        for number in range(len(self._parts.names())):
            yield self._parts.value(f"{self._prefix}{number}")


def _bytes_of(source: _Source) -> Generator[Buffer, None, None]:
    for chunk in source:
        if not isinstance(chunk, Buffer):
            raise UnsavableValue(
                f"a generator that began with bytes yielded a {type_name(type(chunk))}",
                hint="Yield bytes alone, which are one stream, or values alone: wrap bytes in a tuple.",
            )
        yield chunk
