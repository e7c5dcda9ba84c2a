"""Bisection: the run at which a metric turned, and what changed there.

Every run's metric is on record, so each is looked at: unlike a search by halves, it is right where a metric turned
more than once, and finds runs that have none.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from ...errors import Invalid, NotFound
from ..measured import last_value
from ..reader import Reader
from ..references import near
from ..views import RunView
from .changes import finite, number_text
from .runs import RunDiff, run_diff
from .told import Part, Told

Predicate = Callable[[float], bool]

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_TEXT = re.compile(r"\s*(?P<metric>.*?)\s*(?P<how><=|>=|==|!=|<|>)\s*(?P<value>[^<>=!]+?)\s*")


class Measured(NamedTuple):
    """A run and its metric."""

    run: str
    id: str
    value: float | None
    """None where it has none."""
    holds: bool | None
    """Whether the predicate holds; None where there is no value."""

    def to_dict(self) -> dict[str, Any]:
        """It in plain values."""
        return {**self._asdict(), "value": finite(self.value)}


class Turn(NamedTuple):
    """Where the predicate came to hold, or ceased to."""

    before: Measured
    """The last run before that has the metric."""
    between: tuple[Measured, ...]
    """Runs in between that have none: it may have turned in one of them."""
    at: Measured
    """The first run after it turned."""

    def to_dict(self) -> dict[str, Any]:
        """It in plain values."""
        return {
            "before": self.before.to_dict(),
            "between": [one.to_dict() for one in self.between],
            "at": self.at.to_dict(),
        }


class Bisection(Told):
    """Where a metric turned over runs; `str` tells it."""

    metric: str
    predicate: str
    """As in ``< 0.9``; a function by its name."""
    runs: int
    """How many runs were looked at."""
    turns: tuple[Turn, ...]
    """Where it came to hold or ceased to, oldest first."""
    diff: RunDiff | None
    """What changed at the `first` turn; None where there is none."""

    @property
    def first(self) -> Turn | None:
        """Where the predicate first came to hold; None where it never did after a run in which it did not."""
        return next((turn for turn in self.turns if turn.at.holds), None)

    @property
    def title(self) -> str:
        what = f"{self.metric} {self.predicate}"
        if self.first is None:
            return f"{what}: no run of {self.runs} is the first for which it holds"
        at, before = self.first.at, self.first.before
        values = f"{number_text(before.value)} → {number_text(at.value)}"
        return f"{what}: first in {at.run}, after {before.run} ({values})"

    def parts(self) -> Iterator[Part]:
        columns = ("before", "value", "turned in", "value", "runs between without it")
        rows = tuple(
            (
                turn.before.run,
                number_text(turn.before.value),
                f"{turn.at.run}{'' if turn.at.holds else ' (back)'}",
                number_text(turn.at.value),
                ", ".join(one.run for one in turn.between) or "none",
            )
            for turn in self.turns
        )
        yield Part("turns", columns, rows)
        if self.diff is not None:
            yield from self.diff.parts()

    def to_dict(self) -> dict[str, Any]:
        return {
            "metric": self.metric,
            "predicate": self.predicate,
            "runs": self.runs,
            "turns": [turn.to_dict() for turn in self.turns],
            "first": None if self.first is None else self.first.to_dict(),
            "diff": None if self.diff is None else self.diff.to_dict(),
        }


def bisect(reader: Reader, runs: Iterable[RunView], metric: str, predicate: Predicate | str) -> Bisection:
    """Find where a predicate on a metric turned. Cost: a few lookups for each run and its steps.

    Args:
        reader: What to read with.
        runs: Oldest first.
        metric: A run's, else that of the first of its steps which has it; of one step as ``step/metric``.
        predicate: A function of the value, or a comparison such as ``< 0.9``.

    Raises:
        Invalid: The comparison can't be read.
        NotFound: No run has such a metric.
    """
    holds = parse_comparison(predicate) if isinstance(predicate, str) else predicate
    listed = list(runs)
    measured = [_measured(reader, run, metric, holds) for run in listed]
    if all(one.value is None for one in measured):
        names = dict.fromkeys(name for run in listed[-10:] for name in _metric_names(run))
        raise NotFound(f"no run has a metric {metric!r}", hint=near(metric, names))
    turns = tuple(_turns(measured))
    first = next((turn for turn in turns if turn.at.holds), None)
    by_id = {str(run.id): run for run in listed}
    diff = None if first is None else run_diff(reader, by_id[first.before.id], by_id[first.at.id])
    told = predicate.strip() if isinstance(predicate, str) else getattr(predicate, "__name__", repr(predicate))
    return Bisection(metric, told, len(listed), turns, diff)


def parse_condition(text: str) -> tuple[str, str]:
    """Read ``accuracy < 0.9`` as a metric and a comparison. Raises `Invalid`."""
    found = _TEXT.fullmatch(text)
    if found is None or not found["metric"]:
        raise Invalid(f"{text!r} is no condition on a metric", hint="Write one such as 'accuracy < 0.9'.")
    comparison = f"{found['how']} {found['value']}"
    parse_comparison(comparison)
    return found["metric"], comparison


def parse_comparison(text: str) -> Predicate:
    """Read ``< 0.9``. Raises `Invalid`."""
    found = _TEXT.fullmatch(text)
    try:
        if found is None or found["metric"]:
            raise ValueError(text)
        limit = float(found["value"])
    except ValueError:
        hint = f"Write one of {', '.join(_COMPARISONS)} and a number, such as '< 0.9'."
        raise Invalid(f"{text!r} is no comparison", hint=hint) from None
    compare = _COMPARISONS[found["how"]]
    return lambda value: compare(value, limit)


def _measured(reader: Reader, run: RunView, metric: str, holds: Predicate) -> Measured:
    value = last_value(reader, run.id, metric)
    return Measured(run.name, str(run.id), value, None if value is None else bool(holds(value)))


def _metric_names(run: RunView) -> Iterator[str]:
    yield from run.metrics
    for step in run.steps.values():
        yield from step.metrics


def _turns(measured: Iterable[Measured]) -> Iterator[Turn]:
    before: Measured | None = None
    between: list[Measured] = []
    for one in measured:
        if one.holds is None:
            between.append(one)
            continue
        if before is not None and before.holds != one.holds:
            yield Turn(before, tuple(between), one)
        before = one
        between.clear()
