"""Comparing two stored values by their digests: where they differ, told without loading them.

What is made of built-in types is read, which runs no code but Python's own. All else is compared part by part: of a
table, a part is a column. Nothing of a third party is imported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..cas.blob import BlobReader, read_manifest
from ..cas.digest import Digest, digest_of
from ..cas.manifest import BlobPart, Manifest, ManifestPart, Part
from ..cas.tree import DIRECTORY_FORMAT
from ..errors import ManifestCorrupt
from ..immutable import Immutable
from .base import PLAIN_FORMAT, Selection, shown
from .builtins import PlainValues
from .describing import OF_VALUES, PROBLEM
from .forms import Record, contents_of
from .loading import ManifestReader
from .registry import REGISTRY

READ_MAX_BYTES = 1024 * 1024
"""A plain value of more is not read: that it differs is all that is told."""
_COLUMN = re.compile(r"(?:column\.)?(\d+)(?:\..*)?")
_ALL_THERE_IS = ("data", "values")
"""Names of parts that are the value itself."""
_LABELLED_BY = ("dtypes", "types", "schema")
"""Keys of metadata under which a table's materializer says which columns there are, in order."""


_SAID_BY_VALUES = OF_VALUES | {PROBLEM}


class Leaf(NamedTuple):
    """One place where two values differ."""

    path: str
    """Inside the value, as Python would write it; empty for the value as a whole."""
    old: str | None
    """A short text; None where there is nothing, or what is there has no text."""
    new: str | None


class _Inner(Immutable):
    """Stands for a value inside another that is not loaded."""

    part: Manifest | ManifestPart
    number: int = 0

    @property
    def digest(self) -> Digest:
        return self.part.digest

    def __repr__(self) -> str:
        return f"<{self.part.type if isinstance(self.part, Manifest) else 'value'} {str(self.digest)[:8]}>"


class Stored(NamedTuple):
    """A stored value, and what its materializer said of it."""

    manifest: Manifest
    metadata: Mapping[str, Any]


def leaves(old: Stored, new: Stored, blobs: BlobReader) -> Iterator[Leaf]:
    """Where the new value differs from the old one, in the order of the value, lazily; nothing if they are equal.

    Raises:
        BlobMissing, Corrupt: A part can't be read.
    """
    if old.manifest.digest == new.manifest.digest:
        return
    found = False
    for leaf in _manifests(old, new, blobs, ""):
        found = True
        yield leaf
    if not found:
        yield Leaf("", None, None)


def _manifests(old: Stored, new: Stored, blobs: BlobReader, path: str) -> Iterator[Leaf]:
    if old.manifest.digest == new.manifest.digest:
        return
    if old.manifest.type != new.manifest.type or old.manifest.format != new.manifest.format:
        yield Leaf(path, *_named_apart(old.manifest, new.manifest))
    elif old.manifest.format == PLAIN_FORMAT:
        if max(_data_bytes(old.manifest), _data_bytes(new.manifest)) > READ_MAX_BYTES:
            yield Leaf(path, None, None)
        else:
            yield from _values(_outline(old.manifest, blobs), _outline(new.manifest, blobs), blobs, path)
    else:
        yield from _metadata(old.metadata, new.metadata, path)
        yield from _parts(_by_label(old), _by_label(new), blobs, path)


def _named_apart(old: Manifest, new: Manifest) -> tuple[str, str]:
    return (old.type, new.type) if old.type != new.type else (old.format, new.format)


def _data_bytes(manifest: Manifest) -> int:
    return sum(len(part) if isinstance(part, bytes) else part.size_bytes for part in _data(manifest))


def _data(manifest: Manifest) -> Iterator[bytes | BlobPart]:
    return (part for name, part in manifest.parts if name == "data" and isinstance(part, bytes | BlobPart))


class _Unloaded(ManifestReader):
    """Gives parts that are values as what stands for them."""

    __slots__ = ()

    def value(self, name: str, selection: Selection | None = None) -> Any:
        part = self._parts[name]
        assert isinstance(part, Manifest | ManifestPart)
        return _Opaque(part) if name == "opaque" else _Inner(part)


class _Opaque(list[_Inner]):
    """A list of objects of which only the whole can be told apart."""

    def __init__(self, part: Manifest | ManifestPart) -> None:
        self._part = part

    def __getitem__(self, number: Any) -> Any:
        return _Inner(self._part, number)


def _outline(manifest: Manifest, blobs: BlobReader) -> Any:
    """A plain value, with what has a format of its own inside it left out."""
    try:
        return PlainValues().load(manifest.head, _Unloaded(manifest, blobs, REGISTRY))
    except (LookupError, TypeError, ValueError) as error:
        raise ManifestCorrupt(f"the manifest does not describe a plain value: {error}") from error


def _values(old: Any, new: Any, blobs: BlobReader, path: str) -> Iterator[Leaf]:
    kind = type(old)
    if kind is not type(new):
        yield Leaf(path, _text(old), _text(new))
    elif kind is dict:
        yield from _dicts(old, new, blobs, path)
    elif kind is Record:
        (before, fields), (after, others) = contents_of(old), contents_of(new)
        if before != after:
            yield Leaf(path, before.replace(":", "."), after.replace(":", "."))
        else:
            yield from _fields(fields, others, blobs, path)
    elif kind is list or kind is tuple:
        for number, (one, other) in enumerate(zip(old, new, strict=False)):
            yield from _values(one, other, blobs, f"{path}[{number}]")
        if len(old) != len(new):
            yield Leaf(f"len({path})" if path else "len", str(len(old)), str(len(new)))
    elif kind is _Inner:
        if (old.digest, old.number) != (new.digest, new.number):
            pair = [Stored(_read(one.part, blobs), {}) for one in (old, new)]
            yield from _or_whole(_manifests(pair[0], pair[1], blobs, path), path)
    elif old != new if kind in (set, frozenset) else repr(old) != repr(new):
        yield Leaf(path, _text(old), _text(new))


def _dicts(old: dict[Any, Any], new: dict[Any, Any], blobs: BlobReader, path: str) -> Iterator[Leaf]:
    is_told = False
    for key, value in old.items():
        place = f"{path}[{_text(key)}]"
        if key not in new:
            yield Leaf(place, _text(value), None)
            is_told = True
            continue
        for leaf in _values(value, new[key], blobs, place):
            yield leaf
            is_told = True
    for key, value in new.items():
        if key not in old:
            yield Leaf(f"{path}[{_text(key)}]", None, _text(value))
            is_told = True
    if not is_told and list(old) != list(new):
        yield Leaf(path, f"keys in the order {_text(list(old))}", _text(list(new)))


def _fields(old: dict[str, Any], new: dict[str, Any], blobs: BlobReader, path: str) -> Iterator[Leaf]:
    for name in dict.fromkeys((*old, *new)):
        if name not in old or name not in new:
            yield Leaf(f"{path}.{name}", *(_text(fields[name]) if name in fields else None for fields in (old, new)))
        else:
            yield from _values(old[name], new[name], blobs, f"{path}.{name}")


def _text(value: object) -> str:
    return shown(repr(value))


def _metadata(old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> Iterator[Leaf]:
    """What the materializers said otherwise, such as a shape; columns are told by themselves."""
    for name in [*old, *(name for name in new if name not in old)]:
        before, after = old.get(name), new.get(name)
        if name not in _LABELLED_BY and name not in _SAID_BY_VALUES and before != after:
            texts = [None if one is None else _text(one) for one in (before, after)]
            yield Leaf(f"{path}.{name}", *texts)


def schema_of(metadata: Mapping[str, Any]) -> dict[str, str]:
    """The types of a table's columns, by name, as its materializer said them; empty where it did not."""
    mappings = (metadata[key] for key in _LABELLED_BY if isinstance(metadata.get(key), Mapping))
    told: Mapping[Any, Any] = next(mappings, {})
    return {str(label): str(type_) for label, type_ in told.items()}


def _by_label(stored: Stored) -> dict[str, tuple[Part, ...]]:
    """The parts under the names of the columns that they are of, or their own."""
    labels = next((list(stored.metadata[key]) for key in _LABELLED_BY if stored.metadata.get(key)), [])
    found: dict[str, tuple[Part, ...]] = {}
    for name, part in stored.manifest.parts:
        column = _COLUMN.fullmatch(name)
        number = int(column[1]) if column else -1
        mark = "/" if stored.manifest.format == DIRECTORY_FORMAT else "."
        label = "" if name in _ALL_THERE_IS else f"{mark}{name}"
        label = f"[{labels[number]!r}]" if 0 <= number < len(labels) else label
        found[label] = (*found.get(label, ()), part)
    return found


def _parts(
    old: dict[str, tuple[Part, ...]], new: dict[str, tuple[Part, ...]], blobs: BlobReader, path: str
) -> Iterator[Leaf]:
    for label in dict.fromkeys((*old, *new)):
        before, after = old.get(label), new.get(label)
        place = f"{path}{label}"
        if before is None or after is None:
            yield Leaf(place, *("there" if one is not None else None for one in (before, after)))
        elif list(map(_digest, before)) != list(map(_digest, after)):
            pair = (before[0], after[0])
            if len(before) == len(after) == 1 and all(isinstance(one, Manifest | ManifestPart) for one in pair):
                inner = [Stored(_read(one, blobs), {}) for one in pair]
                yield from _or_whole(_inside(inner[0], inner[1], blobs, place), place)
            else:
                yield Leaf(place, None, None)


def _inside(old: Stored, new: Stored, blobs: BlobReader, path: str) -> Iterator[Leaf]:
    """As `_manifests`, for what is plain; of other parts of a part nobody has heard."""
    if old.manifest.format == new.manifest.format == PLAIN_FORMAT:
        yield from _manifests(old, new, blobs, path)


def _or_whole(found: Iterator[Leaf], path: str) -> Iterator[Leaf]:
    first = next(found, Leaf(path, None, None))
    yield first
    yield from found


def _read(part: Part, blobs: BlobReader) -> Manifest:
    if isinstance(part, ManifestPart):
        return read_manifest(blobs, part.digest)
    assert isinstance(part, Manifest)
    return part


def _digest(part: Part) -> Digest:
    return digest_of(part) if isinstance(part, bytes) else part.digest
