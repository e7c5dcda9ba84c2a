"""Deletion as history knows it: what was taken out of the record, and what names and lists therefore leave out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain, islice
from typing import NamedTuple, Protocol, TypeVar

from ..events.catalogue import Deleted, Subject
from ..events.projections import Deletions, Lineage
from ..events.projections.deletions import deleted_key
from ..events.rows import framed, key
from .reader import Reader, moment

_LOOKED_UP = 16
"""How many of a list are looked up one by one, before all that was deleted is."""
_SUSPECTS_MAX = 10_000
"""Where more were ever deleted, all are looked up one by one."""


class Deletion(NamedTuple):
    """What took a run or an artifact version out of the record."""

    seq: int
    """Position of the event; undoing it puts back what it took."""
    time: datetime
    reason: str

    @property
    def hint(self) -> str:
        """How to get it back."""
        return f"Run `lineal undo {self.seq}` to have it back."


class Deletable(Protocol):
    """A view of something that can be deleted."""

    @property
    def subject(self) -> Subject:
        """It, as events name what they are about."""


T = TypeVar("T", bound=Deletable)


def deletion_of(reader: Reader, subject: Subject) -> Deletion | None:
    """The deletion of a run or an artifact version that stands; of a step, that of its run. None if there is none."""
    kind, name, id_ = subject
    whole = Subject("run", "", id_) if kind == "step" else subject
    found = reader.rows(Deletions.name).latest(deleted_key(whole))
    if found is None or not found.row[0]:
        return None
    if kind == "version" and _is_made_after(reader, name, id_, found.row[1]):
        return None
    recorded = reader.event(found.seq)
    reason = recorded.event.reason if isinstance(recorded.event, Deleted) else ""
    return Deletion(found.seq, moment(recorded.time_us), reason)


def is_deleted(reader: Reader, subject: Subject) -> bool:
    """Whether a run, an artifact version, or the run of a step is deleted."""
    return deletion_of(reader, subject) is not None


def has_deletions(reader: Reader) -> bool:
    """Whether anything ever was deleted, be it after the view: where nothing was, nobody has to look further."""
    return reader.rows(Deletions.name).has_any(key("d"))


def present(reader: Reader, views: Iterable[T]) -> Iterator[T]:
    """Those of runs, or of artifact versions, that are not deleted, lazily.

    Of many, those are looked up that were deleted when it had come so far.
    """
    rest = iter(views)
    return _present(reader, rest) if has_deletions(reader) else rest


def _present(reader: Reader, views: Iterator[T]) -> Iterator[T]:
    yield from (view for view in islice(views, _LOOKED_UP) if not is_deleted(reader, view.subject))
    for first in views:
        once = once_deleted(reader, first.subject.kind, most=_SUSPECTS_MAX + 1)
        for view in chain([first], views):
            is_suspect = len(once) > _SUSPECTS_MAX or view.subject in once
            if not is_suspect or not is_deleted(reader, view.subject):
                yield view


def once_deleted(reader: Reader, kind: str, name: str | None = None, *, most: int | None = None) -> set[Subject]:
    """The subjects of a kind, or of a kind and name, that ever were deleted; or so many of them."""
    rows, named = reader.rows(Deletions.name), b"" if name is None else framed(name)
    found = rows.latest_of(rows.keys(key("d") + framed(kind) + named, most))
    return {Subject(*one.row[2]) for one in found if one is not None}


def _is_made_after(reader: Reader, name: str, content: bytes, upto: int) -> bool:
    """Whether a content was made under a name after a position."""
    for seq, _ in reader.rows(Lineage.name).history(key("p", content), newest_first=True):
        if seq <= upto:
            return False
        if any((output.artifact, output.content) == (name, content) for output in reader.event(seq).event.made):
            return True
    return False
