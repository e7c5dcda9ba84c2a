"""Metrics on their way into the log: points are gathered in columns, so that many of them make one event.

A point waits for others no longer than until the next one comes, `FLUSH_S` after the last event; what is gathered then,
or is `FLUSH_POINTS` large, is submitted. So metrics that come slowly are in the log at once, and those that come fast
cost little. The rest is submitted when its run ends, when somebody reads metrics, and on `flush` and `close`.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from operator import index
from typing import Any, Protocol

import msgpack

from .cas import Blob, BlobStore
from .errors import InvalidName, UnsavableValue
from .events.catalogue import MetricColumn, MetricPoint, MetricsLogged, Subject

FLUSH_S = 1.0
FLUSH_POINTS = 10_000
INLINE_MAX_BYTES = 64 * 1024
"""Columns that take more are a blob."""

_NAME_MAX_BYTES = 200
_KNOWN_MAX = 10_000
_STEP_BITS = 63


class Appends(Protocol):
    """Submits events, with the receipts of blobs that they name."""

    def __call__(self, events: list[MetricsLogged], blobs: list[Blob]) -> object:
        """Submit them."""


class MetricsBuffer:
    """The points of a store's subjects that are not submitted yet. Threads may share it; a forked child starts empty.

    Memory: about a hundred bytes for each of at most `FLUSH_POINTS` points.
    """

    def __init__(
        self,
        append: Appends,
        blobs: BlobStore,
        last_step: Callable[[Subject, str], int | None],
        clock: Callable[[], int],
    ) -> None:
        """Submit through ``append``; ``last_step`` looks up what was submitted, ``clock`` gives microseconds."""
        self._append = append
        self._blobs = blobs
        self._last_step = last_step
        self._clock = clock
        self.start_over()
        _buffers.add(self)

    def start_over(self) -> None:
        """Be empty: in a forked child, what is gathered is the parent's to submit."""
        self._gathering = threading.RLock()
        self._gathered: dict[Subject, dict[str, _Column]] = {}
        self._points = 0
        self._steps: dict[tuple[Subject, str], int] = {}
        self._submitted_s = float("-inf")

    def log(
        self, subject: Subject, values: Mapping[str, float], *, step: int | None = None, time_us: int | None = None
    ) -> None:
        """Take a point of each of these metrics, as of now or another time.

        Args:
            subject: What they are about; it must be there.
            values: By metric; what `float` takes, texts excepted.
            step: Where the points stand on the metrics' axis; by default one after each metric's last one, from 0.

        Raises:
            InvalidName, UnsavableValue: A metric can't be called so, or a value or the step is no number.
        """
        checked = {check_metric(name): metric_value(name, value) for name, value in values.items()}
        at = None if step is None else metric_step(step)
        time_us = self._clock() if time_us is None else time_us
        with self._gathering:
            columns = self._gathered.setdefault(subject, {})
            for name, value in checked.items():
                known = subject, name
                place = self._steps[known] = self._next_step(known) if at is None else at
                columns.setdefault(name, _Column()).add(place, time_us, value)
            self._points += len(checked)
            if self._points >= FLUSH_POINTS or time.monotonic() - self._submitted_s >= FLUSH_S:
                self.submit()

    def _next_step(self, known: tuple[Subject, str]) -> int:
        last = self._steps.get(known)
        last = self._last_step(*known) if last is None else last
        return 0 if last is None else last + 1

    def submit(self, run: bytes | None = None) -> None:
        """Submit what is gathered, or what of it is about this run and its steps: an event for each subject."""
        if not self._points:
            return
        with self._gathering:
            chosen = [subject for subject in self._gathered if run is None or subject.id == run]
            taken = {subject: self._gathered.pop(subject) for subject in chosen}
            self._points -= sum(len(column.values) for columns in taken.values() for column in columns.values())
            if run is None:
                self._submitted_s = time.monotonic()
            if len(self._steps) > _KNOWN_MAX:
                self._steps.clear()
            events, blobs = [], []
            for subject, columns in taken.items():
                event, receipts = self._event(subject, columns)
                events.append(event)
                blobs += receipts
            if events:
                self._append(events, blobs)

    def _event(self, subject: Subject, gathered: Mapping[str, _Column]) -> tuple[MetricsLogged, list[Blob]]:
        latest = tuple(column.last(name) for name, column in gathered.items())
        columns = tuple(column.frozen(name) for name, column in gathered.items())
        packed = msgpack.packb(columns, unicode_errors="surrogatepass")
        if len(packed) <= INLINE_MAX_BYTES:
            return MetricsLogged(subject, latest, columns), []
        with self._blobs.batch() as batch:
            points = batch.put(packed)
            return MetricsLogged(subject, latest, (), points), list(batch.publish())


class _Column:
    """Points of one metric."""

    __slots__ = ("steps", "times_us", "values")

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.times_us: list[int] = []
        self.values: list[float] = []

    def add(self, step: int, time_us: int, value: float) -> None:
        self.steps.append(step)
        self.times_us.append(time_us)
        self.values.append(value)

    def last(self, name: str) -> MetricPoint:
        return MetricPoint(name, len(self.values), self.steps[-1], self.times_us[-1], self.values[-1])

    def frozen(self, name: str) -> MetricColumn:
        return MetricColumn(name, tuple(self.steps), tuple(self.times_us), tuple(self.values))


def check_metric(name: str) -> str:
    """Give back a metric's name; refuse one that can't be shown safely. Signs such as ``/`` and ``@`` are fine."""
    if not isinstance(name, str) or not name.isprintable() or not name.strip():
        raise InvalidName(f"{name!r} can't name a metric", hint="Use printable characters.")
    if len(name) * 4 > _NAME_MAX_BYTES and len(name.encode("utf-8", "surrogatepass")) > _NAME_MAX_BYTES:
        raise InvalidName(f"the name {name[:40]!r}… is longer than {_NAME_MAX_BYTES} bytes", hint="Shorten it.")
    return name


def metric_value(name: str, value: Any) -> float:
    """A metric's value as a float. Raises `UnsavableValue` for what is no number."""
    if type(value) is float:
        return value
    try:
        if isinstance(value, str | bytes | bytearray):
            raise TypeError("a text")
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise UnsavableValue(
            f"metric {name!r} is a {type(value).__qualname__}, not a number", hint="Log one number a point."
        ) from error


def metric_step(step: Any) -> int:
    """A place on a metric's axis. Raises `UnsavableValue` for what is no whole number."""
    try:
        place = index(step)
    except TypeError as error:
        raise UnsavableValue(f"the step {step!r} is no whole number", hint="Count steps from 0.") from error
    if place.bit_length() > _STEP_BITS:
        raise UnsavableValue(f"the step {place} has more than 64 bits", hint="Count steps from 0.")
    return place


_buffers: weakref.WeakSet[MetricsBuffer] = weakref.WeakSet()


def _start_over_in_child() -> None:
    for buffer in list(_buffers):
        buffer.start_over()


os.register_at_fork(after_in_child=_start_over_in_child)
