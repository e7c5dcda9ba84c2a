"""Metrics as history knows them: the last value of each at once, its points when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgpack

from ..cas.digest import Digest
from ..errors import LogCorrupt, NotFound
from ..events.catalogue import MetricColumn, MetricsLogged, Subject
from ..events.projections import Metrics
from ..events.projections.metrics import metric_key
from ..events.rows import Row
from .reader import Reader, moment
from .references import near


class Point(NamedTuple):
    """One value of a metric."""

    step: int
    time: datetime
    """When it was logged."""
    value: float


class Series(NamedTuple):
    """All values of a metric in columns, in the order in which they were logged."""

    steps: list[int]
    times: list[datetime]
    values: list[float]


class MetricView:
    """A metric of a run, a step run, or whatever it was logged of."""

    def __init__(self, reader: Reader, subject: Subject, row: Row) -> None:
        self._reader = reader
        self._subject = subject
        name, count, step, time_us, value = row
        self.name: str = name
        self.count: int = count
        """How many points it has."""
        self.last = Point(step, moment(time_us), value)
        """The point logged last."""

    @property
    def value(self) -> float:
        """The value logged last."""
        return self.last.value

    def points(self) -> Iterator[Point]:
        """Its points in the order in which they were logged, lazily: an event or blob of them at a time.

        Raises:
            BlobMissing, BlobCorrupt: Those that are a blob are not there as they were written.
        """
        for steps, times_us, values in self._columns():
            for step, time_us, value in zip(steps, times_us, values, strict=True):
                yield Point(step, moment(time_us), value)

    def series(self) -> Series:
        """Its points in columns. Raises as `points`."""
        series = Series([], [], [])
        for steps, times_us, values in self._columns():
            series.steps.extend(steps)
            series.times.extend(map(moment, times_us))
            series.values.extend(values)
        return series

    def _columns(self) -> Iterator[tuple[Sequence[int], Sequence[int], Sequence[float]]]:
        rows = self._reader.rows(Metrics.name).history(metric_key(self._subject, self.name))
        for seq, _ in rows:
            event = self._reader.event(seq).event
            if not isinstance(event, MetricsLogged):
                raise LogCorrupt("the metric's row names an event of another kind", hint="Run `lineal rebuild`.")
            columns = event.columns if event.points is None else self._in_blob(event.points)
            for name, steps, times_us, values in columns:
                if name == self.name:
                    yield steps, times_us, values

    def _in_blob(self, points: Digest) -> list[MetricColumn]:
        columns: list[MetricColumn] = msgpack.unpackb(
            self._reader.store.blobs.read(points), unicode_errors="surrogatepass"
        )
        return columns

    def __repr__(self) -> str:
        return f"<Metric {self.name} {self.value} at step {self.last.step}>"


class MetricsByName(dict[str, MetricView]):
    """Metrics by name. A name that is not there is a `NotFound`, which says what is near."""

    def __missing__(self, name: str) -> MetricView:
        raise NotFound(f"there is no metric {name!r}", hint=_hint(name, self))


def _hint(name: str, known: Mapping[str, MetricView]) -> str:
    return near(name, known) if known else "None was logged; a step logs one with lineal.log_metric."


def metrics_of(reader: Reader, subject: Subject) -> Mapping[str, MetricView]:
    """The metrics of a subject by name, sorted."""
    found = reader.rows(Metrics.name).newest(metric_key(subject))
    views = [MetricView(reader, subject, one.row) for one in found]
    return MetricsByName({view.name: view for view in sorted(views, key=lambda view: view.name)})
