"""What the log says of one run by itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..cas.process import ProcessStamp
from ..errors import LogCorrupt, RunNotFound
from ..events.catalogue import RunStarted, Subject
from ..events.codec import Recorded
from ..events.ids import RunId
from ..events.projections.runs import INTERRUPTED, RUNNING, RunRow
from ..events.rows import key
from .deletion import Deletion, deletion_of
from .labels import Labelled
from .literals import literal_values
from .reader import Reader, moment
from .selection import Selection, selected
from .surroundings import Checkout, checkout_in, environment_in

if TYPE_CHECKING:
    from .replay import Scene


class RunRecord(Labelled):
    """A run as its events tell it."""

    def __init__(self, reader: Reader, id_: RunId) -> None:
        self._reader = reader
        self.id = id_

    @property
    def subject(self) -> Subject:
        """It, as events name what they are about."""
        return Subject("run", "", self.id)

    @property
    def _row(self) -> RunRow:
        found = self._reader.rows("runs").latest(key("r", self.id))
        if found is None:
            raise RunNotFound("there is no such run", where=self.id)
        return RunRow.of(found.row)

    @cached_property
    def beginning(self) -> RunStarted:
        """The fact that it began."""
        event = self._reader.event(self._row.started_seq).event
        if not isinstance(event, RunStarted):
            raise LogCorrupt("the run's row names an event of another kind", hint="Run `lineal rebuild`.")
        return event

    @property
    def name(self) -> str:
        """Its own name, else that of its pipeline and its number."""
        return self._row.name

    @property
    def seq(self) -> int:
        """Position of the event that began it."""
        return self._row.started_seq

    @property
    def ended_seq(self) -> int | None:
        """Position of the event that ended it; None while it runs."""
        found = self._reader.rows("runs").latest(key("r", self.id))
        return None if found is None else RunRow.of(found.row).ended_seq

    @property
    def deletion(self) -> Deletion | None:
        """What took it out of the record; None while it is there."""
        return deletion_of(self._reader, self.subject)

    @property
    def status(self) -> str:
        """running, completed, failed, cancelled or interrupted."""
        row = self._row
        if row.status != RUNNING or not self._reader.sees_the_dead:
            return row.status
        is_alive = ProcessStamp(*row.process).is_taken_for_alive(row.lease_until_us, self._reader.now_us)
        return RUNNING if is_alive else INTERRUPTED

    @property
    def docstring(self) -> str | None:
        """The pipeline function's docstring, as it was then."""
        return self.beginning.docstring

    @property
    def message(self) -> str | None:
        """What made it fail or end early."""
        return self._row.message

    @property
    def parameters(self) -> dict[str, Any]:
        """What the pipeline was called with."""
        return literal_values(self._reader, self.beginning.parameters)

    @property
    def shown_parameters(self) -> dict[str, Any]:
        """The same to be shown: values that are not plain as a short text, so that nothing is imported or run."""
        return literal_values(self._reader, self.beginning.parameters, only_plain=True)

    @property
    def environment(self) -> dict[str, Any]:
        """Python, machine, packages and variables it ran with."""
        return environment_in(self._reader, self.beginning.environment)

    @property
    def checkout(self) -> Checkout | None:
        """The git checkout that its code came from; None if it came from none."""
        blob = self.beginning.checkout
        return None if blob is None else checkout_in(self._reader, blob)

    @property
    def started(self) -> datetime:
        """When it began."""
        return moment(self._row.started_us)

    @property
    def ended(self) -> datetime | None:
        """When it ended; None while it runs."""
        ended_us = self._row.ended_us
        return None if ended_us is None else moment(ended_us)

    @property
    def duration_s(self) -> float | None:
        """How long it took, in seconds; None while it runs."""
        row = self._row
        return None if row.ended_us is None else (row.ended_us - row.started_us) / 1_000_000

    def events(self) -> Iterator[Recorded]:
        """Its events, oldest first, lazily."""
        return selected(self._reader, Selection(run=self.id), 0, self._reader.head_seq)

    def replay(self) -> Iterator[Scene]:
        """It as it went, with what its steps printed in between; as far as it has come, if it still runs."""
        from .replay import scenes

        upto = self.ended_seq or self._reader.head_seq
        return scenes(self._reader, selected(self._reader, Selection(run=self.id), 0, upto))
