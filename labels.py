"""Labelling: what people add to the record of what is there. Each verb is one commit, durable on return."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgpack

from .errors import InvalidName, LabelNotFound, UnsavableValue
from .events.catalogue import (
    AliasRemoved,
    AliasSet,
    Annotated,
    AnnotationsRemoved,
    ArtifactNamed,
    Event,
    Output,
    Subject,
    Tagged,
    Untagged,
)
from .events.projections import Artifacts
from .events.projections.artifacts import version_in
from .history import ArtifactVersionView, check_alias, check_name
from .history.labels import aliased, annotations_of, tags_of
from .history.reader import Reader
from .history.references import near
from .in_force import recorded
from .store import Store

ANNOTATIONS_MAX_BYTES = 64 * 1024
"""What one call may annotate, as msgpack has it: more belongs in an artifact."""

_KEY_MAX_BYTES = 200
_DEPTH_MAX = 32
_INT_MIN, _INT_MAX = -(1 << 63), (1 << 64) - 1


def tag(store: Store, subject: Subject, tags: Sequence[str]) -> None:
    """Put tags on a subject; those that it has stay."""
    for one in tags:
        check_name(one, "tag")
    had = tags_of(Reader(store), subject)
    new = tuple(one for one in dict.fromkeys(tags) if one not in had)
    if new:
        recorded(store, [Tagged(subject, new)])


def untag(store: Store, subject: Subject, tags: Sequence[str]) -> None:
    """Take tags off a subject: all of these or, where it lacks one of them, none. Raises `LabelNotFound`."""
    _require(tags, tags_of(Reader(store), subject), "tag")
    if tags:
        recorded(store, [Untagged(subject, tuple(dict.fromkeys(tags)))])


def alias(store: Store, version: ArtifactVersionView, name: str) -> None:
    """Make an alias of the artifact point to a version; one that is in use is moved."""
    check_alias(name)
    if aliased(Reader(store), version.name, name) != version.content:
        recorded(store, [AliasSet(version.name, name, version.content)])


def unalias(store: Store, artifact: str, name: str, known: Iterable[str]) -> None:
    """Take an alias of an artifact away. Raises `LabelNotFound`."""
    _require([name], known, "alias")
    recorded(store, [AliasRemoved(artifact, name)])


def annotate(store: Store, subject: Subject, values: Mapping[str, Any], removed: Sequence[str]) -> None:
    """Set some keys of a subject's annotations and take others away, in one commit. Raises `LabelNotFound`."""
    plain = plain_annotations(values)
    _require(removed, annotations_of(Reader(store), subject), "annotation")
    events: list[Event] = []
    if removed:
        events.append(AnnotationsRemoved(subject, tuple(dict.fromkeys(removed))))
    if plain:
        events.append(Annotated(subject, plain))
    if events:
        recorded(store, events)


def plain_annotations(values: Mapping[str, Any]) -> dict[str, Any]:
    """What can be annotated, checked, of plain types alone. Raises `UnsavableValue` or `InvalidName`."""
    plain = {_checked_key(name): _plain(value, name) for name, value in values.items()}
    size_bytes = len(msgpack.packb(plain, unicode_errors="surrogatepass"))
    if size_bytes > ANNOTATIONS_MAX_BYTES:
        largest = max(plain, key=lambda name: len(msgpack.packb(plain[name], unicode_errors="surrogatepass")))
        raise UnsavableValue(
            f"the annotations take {size_bytes:,} bytes, more than {ANNOTATIONS_MAX_BYTES:,}, most of it {largest!r}",
            hint="Save it as an artifact.",
        )
    return plain


def name(store: Store, version: ArtifactVersionView, new_name: str) -> None:
    """Make a version's content a version of another artifact, too. Raises `BlobMissing` if its bytes are gone."""
    check_name(new_name, "artifact")
    if version_in(store.rows(Artifacts.name), new_name, version.content) is None:
        output = Output(
            new_name,
            new_name,
            version.content,
            version.format,
            version.type,
            version.size_bytes,
            version.computed_metadata,
        )
        recorded(store, [ArtifactNamed(output, version.name)])


def _require(wanted: Iterable[str], there: Iterable[str], kind: str) -> None:
    there = list(there)
    for one in wanted:
        if one not in there:
            hint = near(one, there) if there else f"It has no {kind}."
            raise LabelNotFound(f"there is no {kind} {one!r}", hint=hint)


def _checked_key(name: object) -> str:
    if not isinstance(name, str) or not name.isprintable() or not name.strip():
        raise InvalidName(f"{name!r} can't be the key of an annotation", hint="Use a text of printable characters.")
    if len(name.encode("utf-8", "surrogatepass")) > _KEY_MAX_BYTES:
        raise InvalidName(f"the key {name[:40]!r}… is longer than {_KEY_MAX_BYTES} bytes", hint="Shorten it.")
    return str(name)


def _plain(value: Any, place: str, depth: int = 0) -> Any:
    """A value of plain types alone; subclasses, as of enumerations and NumPy's float64, become the type itself."""
    if depth > _DEPTH_MAX:
        raise UnsavableValue(f"annotation {place[:60]}… is nested too deeply", hint="Save it as an artifact.")
    match value:
        case None | bool():
            return value
        case int() if _INT_MIN <= value <= _INT_MAX:
            return int(value)
        case int():
            raise UnsavableValue(f"annotation {place} is an integer of more than 64 bits", hint="Annotate its text.")
        case float() | bytes() | str():
            return _bare(value)
        case list() | tuple():
            return [_plain(item, f"{place}[{number}]", depth + 1) for number, item in enumerate(value)]
        case dict():
            return {_text(one, place): _plain(item, f"{place}.{one}", depth + 1) for one, item in value.items()}
    raise _not_plain(place, value)


def _bare(value: float | bytes | str) -> float | bytes | str:
    if isinstance(value, float):
        return float(value)
    # str(value) would be what an enumeration calls its member.
    return bytes(value) if isinstance(value, bytes) else str.__str__(value)


def _text(one: object, place: str) -> str:
    if not isinstance(one, str):
        raise UnsavableValue(f"annotation {place} has the key {one!r}, which is no text", hint="Use texts as keys.")
    return str(one)


def _not_plain(place: str, value: object) -> UnsavableValue:
    kind = type(value)
    return UnsavableValue(
        f"annotation {place} is a {kind.__module__}.{kind.__qualname__}, not a plain value",
        hint="Annotate None, bool, int, float, str, bytes, and lists and dicts of them; convert or save what is else.",
    )
