"""What the log says of one step run by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..cas.digest import Digest
from ..errors import LogCorrupt, StepNotFound
from ..events.catalogue import (
    Failure,
    Input,
    Resources,
    StepCompleted,
    StepFailed,
    StepReused,
    StepSkipped,
    StepStarted,
    StepStopped,
    Subject,
)
from ..events.codec import Recorded
from ..events.ids import Fingerprint, StepRunId
from ..events.rows import key
from .attempts import Attempt, attempt, attempt_events
from .labels import Labelled
from .literals import literal_values
from .logs import LogLine, lines_of, text_of
from .metrics import MetricsByName, MetricView
from .reader import Reader, moment

if TYPE_CHECKING:
    from .code import Gap
    from .sources import Sources

StepEvent = StepStarted | StepCompleted | StepReused | StepFailed | StepSkipped


class StepRecord(Labelled):
    """A step run as its events tell it."""

    def __init__(self, reader: Reader, id_: StepRunId) -> None:
        self._reader = reader
        self.id = id_
        self.name = id_.step
        """Name within the run."""

    @property
    def subject(self) -> Subject:
        """It, as events name what they are about."""
        return Subject("step", self.id.step, self.id.run)

    @property
    def recorded(self) -> Recorded:
        """The last fact of it, as it is in the log."""
        found = self._reader.rows("steps").latest(key("s", self.id.run, self.id.step))
        if found is None:
            raise StepNotFound(f"no step {self.name!r} in this run", where=self.id.run)
        return self._reader.event(found.seq)

    @property
    def _event(self) -> StepEvent:
        event = self.recorded.event
        if not isinstance(event, StepEvent):
            raise LogCorrupt("the step's row names an event of another kind", hint="Run `lineal rebuild`.")
        return event

    @property
    def _ended(self) -> StepEvent | StepStopped:
        """The fact of its end or, where its run was cancelled before, of how far it had come."""
        event = self._event
        if isinstance(event, StepStarted):
            for one in attempt_events(self._reader, self.id, event):
                if isinstance(one, StepStopped):
                    return one
        return event

    @property
    def function(self) -> str:
        """Module and qualified name of the step's function."""
        return self._event.function

    @property
    def docstring(self) -> str | None:
        """The function's docstring."""
        return getattr(self._event, "docstring", None)

    @property
    def fingerprint(self) -> Fingerprint | None:
        """Digest of what determined the result; None for a skipped step."""
        return getattr(self._event, "fingerprint", None)

    @property
    def code(self) -> Digest | None:
        """Digest of its code manifest; None for a skipped step."""
        return getattr(self._event, "code", None)

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """Where its fingerprint is less exact than its code: it sees less there, or more, than what is used."""
        from .ingredients import gaps_in

        return gaps_in(self._reader, self.code)

    @property
    def sources(self) -> Sources | None:
        """The source files of its code, as they were when the store first met it; None where none were captured.

        Raises:
            BlobMissing: They are gone.
        """
        from .sources import sources_of

        code = self.code
        return None if code is None else sources_of(self._reader, code, self.function)

    @property
    def _taken(self) -> tuple[Input, ...]:
        return getattr(self._event, "inputs", ())

    @property
    def parameters(self) -> dict[str, Any]:
        """The literals it took, by parameter."""
        return literal_values(self._reader, self._taken)

    @property
    def shown_parameters(self) -> dict[str, Any]:
        """The same to be shown: values that are not plain as a short text, so that nothing is imported or run."""
        return literal_values(self._reader, self._taken, only_plain=True)

    @property
    def started(self) -> datetime | None:
        """When it began; None if it never did, or has not ended."""
        started_us = getattr(self._ended, "started_us", None)
        return None if started_us is None else moment(started_us)

    @property
    def duration_s(self) -> float | None:
        """How long it took, in seconds; None while it runs or if it never did."""
        duration_us = getattr(self._ended, "duration_us", None)
        return None if duration_us is None else duration_us / 1_000_000

    @property
    def failure(self) -> Failure | None:
        """What it raised."""
        event = self._event
        return event.failure if isinstance(event, StepFailed) else None

    @property
    def resources(self) -> Resources | None:
        """What its execution took of the machine; None if it did not execute, or took less than a millisecond."""
        return getattr(self._event, "resources", None)

    @property
    def _executed(self) -> StepRecord | None:
        """The step run whose execution it reuses; None if it executed itself."""
        event = self._event
        return StepRecord(self._reader, event.reuses) if isinstance(event, StepReused) else None

    @property
    def metadata(self) -> dict[str, Any]:
        """What was annotated of it and, over which that goes, of the step run that it `reuses`."""
        executed = self._executed
        return self.annotations if executed is None else {**executed.annotations, **self.annotations}

    @property
    def metrics(self) -> Mapping[str, MetricView]:
        """The metrics that were logged of it or, where it has none of a name, of the step run that it `reuses`."""
        executed = self._executed
        return (
            super().metrics
            if executed is None
            else MetricsByName({**super(StepRecord, executed).metrics, **super().metrics})
        )

    @property
    def log(self) -> str:
        """What it printed and logged, in order, in its last attempt."""
        digest = getattr(self._ended, "log", None)
        return "" if digest is None else text_of(self._reader, digest)

    @property
    def attempts(self) -> list[Attempt]:
        """Its executions, oldest first; none if it did not execute, and without the one that goes on.

        Raises:
            BlobMissing, BlobCorrupt: What was kept of what one printed is not there as it was written.
        """
        events = attempt_events(self._reader, self.id, self._event)
        return [attempt(self._reader, number, event) for number, event in enumerate(events, 1)]

    @property
    def logs(self) -> Iterator[LogLine]:
        """What it printed and logged, line by line with times, in all its attempts.

        Raises:
            BlobMissing, BlobCorrupt: What was kept of it is not there as it was written.
        """
        for event in attempt_events(self._reader, self.id, self._event):
            if event.log is not None:
                yield from lines_of(self._reader, event.log, event.started_us)
