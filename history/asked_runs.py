"""Runs as conditions ask about them: what is asked of one is looked up for its whole page at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..events.catalogue import Input, RunStarted
from ..events.ids import RunId
from ..events.projections import Parameters, Runs
from ..events.projections.parameters import parameter_key
from ..events.projections.runs import RunRow
from ..events.rows import Row
from .asked import Column, Page, in_pages
from .lineage_parts import digest_at
from .literals import literal_values
from .pipeline_names import pipeline_name
from .reader import Reader
from .views import RunView

_SPARSE_EVENTS = 100
"""Where the runs of a page are further apart than this, their beginnings are read one by one."""
_REMEMBERED_MAX = 10_000


Begun = tuple[bytes, int | None]
"""A run's id, and the position of the event that began it, where that is at hand. A plain one: there are very many."""


_STATES = Column(Runs.name, b"r")


class AskedRun:
    """A run of a page."""

    __slots__ = ("_page", "_place")

    def __init__(self, page: _Page, place: int) -> None:
        self._page = page
        self._place = place

    @property
    def id(self) -> RunId:
        """Its id."""
        return RunId(self._page.begun[self._place][0])

    @property
    def reader(self) -> Reader:
        """What it is read with."""
        return self._page.reader

    @property
    def view(self) -> RunView:
        """The same to be handed out."""
        return RunView(self._page.reader, self.id)

    @property
    def state(self) -> RunRow:
        """Its state, undecoded where that takes time."""
        row: Row = self.latest(_STATES)
        return RunRow._make(row)

    @property
    def pipeline(self) -> str:
        """What its pipeline is called."""
        return pipeline_name(self._page.reader, self.state.pipeline)

    def latest(self, column: Column) -> Row | None:
        """Its newest row of a column."""
        return self._page.latest(column, self._place)

    def parameter(self, name: str) -> Any:
        """A literal that its pipeline was called with; None if it took none of this name."""
        return self._page.parameters(name)[self._place]


class _Page(Page):
    """Some runs with those columns that were asked for, of which parameters are found by when the runs began."""

    def __init__(self, reader: Reader, values: _Values, begun: Sequence[Begun]) -> None:
        super().__init__(reader, [run for run, _ in begun])
        self.begun = begun
        self._values = values
        self._parameters: dict[str, list[Any]] = {}

    def parameters(self, name: str) -> list[Any]:
        """The values of a parameter, in the order of the runs."""
        found = self._parameters.get(name)
        if found is None:
            taken = dict(self._taken(name))
            value_of = self._values.of
            found = [None if (one := taken.get(run)) is None else value_of(name, *one) for run, _ in self.begun]
            self._parameters[name] = found
        return found

    def _taken(self, name: str) -> Iterator[tuple[bytes, tuple[bytes, str | None]]]:
        """The contents and texts of a parameter's literals, by run; those of other runs among them."""
        begun = [seq for _, seq in self.begun if seq is not None]
        if len(begun) < len(self.begun):
            states = (found for found in self.column(_STATES) if found is not None)
            begun = [RunRow._make(state.row).started_seq for state in states]
        if not begun:
            return
        first, last = min(begun), max(begun)
        if last - first > _SPARSE_EVENTS * len(begun):
            yield from self._read(name, begun)
            return
        for seq, (run, *taken) in self.reader.store.rows(Parameters.name, last).history(
            parameter_key(name), newest_first=True
        ):
            if seq < first:
                return
            yield run, tuple(taken)

    def _read(self, name: str, begun: Sequence[int]) -> Iterator[tuple[bytes, tuple[bytes, str | None]]]:
        for recorded in self.reader.store.log.get_all(begun):
            if recorded.type == RunStarted.TYPE:
                for taken, content, artifact, text, *_ in recorded.fields.parameters:
                    if taken == name and artifact is None:
                        yield recorded.fields.run, (content, text)


class _Values:
    """Loads literals, of which there are few; so they are remembered."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._known: dict[bytes, Any] = {}

    def of(self, name: str, content: bytes, text: str | None) -> Any:
        """The value of a literal."""
        known = self._known
        if content not in known:
            if len(known) >= _REMEMBERED_MAX:
                known.clear()
            taken = Input(name, digest_at(content), None, text, None)
            known[content] = literal_values(self._reader, (taken,), only_plain=True)[name]
        return known[content]


def asked_runs(reader: Reader, begun: Iterable[Begun]) -> Iterator[AskedRun]:
    """Runs to ask about, page by page."""
    values = _Values(reader)
    for some in in_pages(begun):
        page = _Page(reader, values, some)
        yield from (AskedRun(page, place) for place in range(len(some)))
