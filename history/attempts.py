"""The attempts of a step run: the executions it took."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from ..cas.digest import Digest
from ..events.catalogue import Failure, StepCompleted, StepFailed, StepRetried, StepStopped
from ..events.ids import StepRunId
from ..events.rows import key
from .logs import text_of
from .reader import Reader, moment

AttemptEvent = StepRetried | StepStopped | StepCompleted | StepFailed


_STATUS: dict[type, str] = {StepCompleted: "completed", StepStopped: "cancelled"}


class Attempt(NamedTuple):
    """One execution of a step in a run."""

    number: int
    """From 1."""
    status: str
    """completed, failed or cancelled."""
    failure: Failure | None
    """What it raised, if it failed."""
    started: datetime
    duration_s: float
    delay_s: float | None
    """How long the next one waited, in seconds; None if there was none."""
    log: str
    """What it printed and logged."""


def attempt_events(reader: Reader, id_: StepRunId, last: object) -> Iterator[AttemptEvent]:
    """The facts of the attempts, oldest first, up to the last fact of the step run."""
    for seq, _ in reader.rows("steps").history(key("t", id_.run, id_.step)):
        event = reader.event(seq).event
        if isinstance(event, StepRetried | StepStopped):
            yield event
    if isinstance(last, StepCompleted | StepFailed):
        yield last


def attempt(reader: Reader, number: int, event: AttemptEvent) -> Attempt:
    """An attempt as its fact tells it. Raises as `text_of` does."""
    return Attempt(
        number,
        _STATUS.get(type(event), "failed"),
        event.failure if isinstance(event, StepRetried | StepFailed) else None,
        moment(event.started_us),
        event.duration_us / 1_000_000,
        event.delay_us / 1_000_000 if isinstance(event, StepRetried) else None,
        _log(reader, event.log),
    )


def _log(reader: Reader, digest: Digest | None) -> str:
    return "" if digest is None else text_of(reader, digest)
