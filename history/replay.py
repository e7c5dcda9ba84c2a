"""Replay: a run as it went, event by event, with what its steps printed in between."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import NamedTuple

from ..cas.digest import Digest
from ..errors import BlobMissing
from ..events.codec import Recorded
from .logs import Frame, frame_text, frames_of
from .reader import Reader


class Printed(NamedTuple):
    """A piece of what a step printed."""

    step: str
    stream: str
    """stdout, stderr, or log of a logging record."""
    text: str


class Scene(NamedTuple):
    """Something that happened in a run: an event, or something printed."""

    at_s: float
    """Seconds since the run began. Never less than that of the one before: clocks step back, a run does not."""
    event: Recorded | None
    printed: Printed | None


class _Due(NamedTuple):
    """What is to come, in order: by time, then by the event that brought it, then as it was printed."""

    at_us: int
    seq: int
    number: int
    what: Recorded | Printed | _Log


class _Log(NamedTuple):
    """What an execution printed, not read yet."""

    blob: Digest
    step: str
    end_us: int


def scenes(reader: Reader, events: Iterator[Recorded]) -> Iterator[Scene]:
    """The scenes of a run, from its events.

    Memory: its events, and what those steps printed that were under way at the same time. Nothing is shown of what
    was printed and is gone.
    """
    due = _due(list(events))
    heapq.heapify(due)
    while due:
        at_us, seq, _, what = heapq.heappop(due)
        if isinstance(what, _Log):
            for number, frame in enumerate(_frames(reader, what.blob)):
                printed_us = min(at_us + frame.at_us, what.end_us)
                printed = Printed(what.step, frame.stream, frame_text(frame))
                heapq.heappush(due, _Due(printed_us, seq, number, printed))
        elif isinstance(what, Printed):
            yield Scene(at_us / 1_000_000, None, what)
        else:
            yield Scene(at_us / 1_000_000, what, None)


def _due(events: list[Recorded]) -> list[_Due]:
    """The events at their times since the first one, and the logs at those of the events that began them."""
    due: list[_Due] = []
    begun: dict[str, _Due] = {}
    now_us = 0
    for recorded in events:
        now_us = max(now_us, recorded.time_us - events[0].time_us)
        happened = _Due(now_us, recorded.seq, -1, recorded)
        due.append(happened)
        step, log = _of_step(recorded)
        if step is not None and log is not None:
            start = begun.get(step, happened)
            begun_us = getattr(recorded.event, "started_us", 0) - events[0].time_us
            begun_us = min(max(begun_us, start.at_us), now_us)  # It may have waited for a worker.
            due.append(_Due(begun_us, start.seq, 0, _Log(log, step, now_us)))
        if step is not None:
            begun[step] = happened
    return due


def _of_step(recorded: Recorded) -> tuple[str | None, Digest | None]:
    """The step that an event tells of, and the blob of what it printed."""
    event = recorded.event
    return getattr(event, "step", None), getattr(event, "log", None)


def _frames(reader: Reader, blob: Digest) -> list[Frame]:
    try:
        return frames_of(reader, blob)
    except BlobMissing:
        return []
