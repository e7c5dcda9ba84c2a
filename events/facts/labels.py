"""Facts that people and programs add to the record: tags, aliases, annotations and metrics."""

from __future__ import annotations

from typing import Any, ClassVar

from ...cas.digest import Digest
from .base import Event
from .records import MetricColumn, MetricPoint, Subject


class _Labelled(Event):
    """An event about a subject, in the stream of the subject's run if it has one."""

    subject: Subject

    @property
    def stream(self) -> bytes:
        return self.subject.id if self.subject.kind in ("run", "step") else b""


class Tagged(_Labelled):
    """Tags were put on a subject; those it has stay."""

    TYPE: ClassVar[str] = "tags.added/1"
    tags: tuple[str, ...]


class Untagged(_Labelled):
    """Tags were taken off a subject."""

    TYPE: ClassVar[str] = "tags.removed/1"
    tags: tuple[str, ...]


class AliasSet(Event):
    """An alias of an artifact points to a version from now on; one that was in use is moved."""

    TYPE: ClassVar[str] = "alias.set/1"
    artifact: str
    alias: str
    content: Digest


class AliasRemoved(Event):
    """An alias of an artifact points to nothing any more."""

    TYPE: ClassVar[str] = "alias.removed/1"
    artifact: str
    alias: str


class Annotated(_Labelled):
    """Metadata was put on a subject, key by key; a key it has is given the new value."""

    TYPE: ClassVar[str] = "metadata.set/1"
    values: dict[str, Any]


class AnnotationsRemoved(_Labelled):
    """Keys of a subject's metadata were taken away."""

    TYPE: ClassVar[str] = "metadata.removed/1"
    keys: tuple[str, ...]


class MetricsLogged(_Labelled):
    """Values of metrics, many at once: one event a flush."""

    TYPE: ClassVar[str] = "metrics.logged/1"
    latest: tuple[MetricPoint, ...]
    """Each metric's last value."""
    columns: tuple[MetricColumn, ...]
    """Empty where they take more than 64 KiB, and so are a blob."""
    points: Digest | None = None
    """Blob of the columns, in msgpack: the list that would be the field."""

    @property
    def refs(self) -> tuple[Digest, ...]:
        return () if self.points is None else (self.points,)
