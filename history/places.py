"""Places in the log from which the past is looked at: a position, or a time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from ..errors import InvalidReference
from .reader import Reader, moment


class Place(NamedTuple):
    """A place in the log."""

    seq: int
    """The last event before it."""
    time_us: int | None = None
    """The time there, where it was asked for by time; None where it is that of the last event."""


def at_position(reader: Reader, seq: int) -> Place:
    """Right after an event. Raises `InvalidReference` if there is no such event yet."""
    head = reader.head_seq
    if not 1 <= seq <= head:
        raise InvalidReference(f"there is no event {seq}", hint=f"The log goes from 1 to {head}.")
    return Place(seq)


def at_time(reader: Reader, time: datetime) -> Place:
    """Right before the first event that is later than a time; see `events.timeline` for clocks that step back.

    Raises:
        InvalidReference: The time has no zone, or is before the first event.
    """
    place = before_later(reader, time)
    if place.seq == 0:
        raise InvalidReference(
            f"nothing was there at {time}", hint=f"The log begins at {moment(reader.event(1).time_us)}."
        )
    return place


def before_later(reader: Reader, time: datetime) -> Place:
    """As `at_time`, at 0 for a time before the first event."""
    if time.utcoffset() is None:
        raise InvalidReference(
            f"the time {time} has no zone",
            hint="Write datetime(…, tzinfo=UTC), or add the local zone with .astimezone().",
        )
    time_us = microseconds(time)
    return Place(reader.store.position_at(time_us, reader.head_seq), time_us)


def microseconds(time: datetime) -> int:
    """An aware time as microseconds since the epoch, exactly: a float would round."""
    elapsed = time - datetime(1970, 1, 1, tzinfo=UTC)
    return (elapsed.days * 86_400 + elapsed.seconds) * 1_000_000 + elapsed.microseconds
