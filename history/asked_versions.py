"""Artifact versions as conditions ask about them: what is asked of one is looked up for its whole page at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from ..errors import LogCorrupt
from ..events.catalogue import Output, Subject
from ..events.codec import Recorded
from ..events.projections.artifacts import outputs_of
from ..events.projections.subjects import subject_key
from ..events.rows import Row
from .asked import Column, Page, in_pages
from .lineage_parts import VersionKey
from .reader import Reader
from .views import ArtifactVersionView


class Made(NamedTuple):
    """A version, and the position of the event that first made it."""

    key: VersionKey
    number: int
    seq: int


class AskedVersion:
    """A version of a page."""

    __slots__ = ("_page", "_place", "made")

    def __init__(self, page: _Page, place: int, made: Made) -> None:
        self._page = page
        self._place = place
        self.made = made

    @property
    def subject(self) -> Subject:
        """It, as events name what they are about."""
        return Subject("version", *self.made.key)

    @property
    def view(self) -> ArtifactVersionView:
        """The same to be handed out."""
        return ArtifactVersionView(self._page.reader, *self.made.key)

    @property
    def recorded(self) -> Recorded:
        """The event that first made it."""
        return self._page.events[self._place]

    @property
    def output(self) -> Output:
        """What that event says of it; its fields are as they are stored."""
        name, content = self.made.key
        for output in outputs_of(self.recorded):
            if output[1] == name and output[2] == content:
                return Output._make(output)
        raise LogCorrupt(f"the event that made {name} does not name it", hint="Run `lineal rebuild`.")

    def latest(self, column: Column) -> Row | None:
        """Its newest row of a column."""
        return self._page.latest(column, self._place)

    def annotation(self, column: Column) -> Any:
        """What was annotated of it, by the column of that key."""
        row = self.latest(column)
        return None if row is None or len(row) < 2 else row[1]


class _Page(Page):
    """Some versions with those columns that were asked for."""

    def __init__(self, reader: Reader, made: Sequence[Made]) -> None:
        super().__init__(reader, [subject_key(Subject("version", *one.key)) for one in made])
        self._made = made

    @cached_property
    def events(self) -> list[Recorded]:
        """The events that first made them."""
        return self.reader.store.log.get_all([one.seq for one in self._made])


def asked_versions(reader: Reader, made: Iterable[Made]) -> Iterator[AskedVersion]:
    """Versions to ask about, page by page."""
    for some in in_pages(made):
        page = _Page(reader, some)
        yield from (AskedVersion(page, place, one) for place, one in enumerate(some))
