"""What changed, in small: a value of a metric, an output, a symbol of the code."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ..reasons import Reason
from ..why import Difference
from .told import NOTHING


class MetricChange(NamedTuple):
    """A metric's last values."""

    name: str
    old: float | None
    """None where it was not logged."""
    new: float | None

    @property
    def delta(self) -> float | None:
        """By how much it went up; None where one side has no value."""
        return None if self.old is None or self.new is None else self.new - self.old

    @property
    def is_same(self) -> bool:
        """Whether the values are equal, two NaNs included."""
        if self.old is None or self.new is None:
            return self.old is self.new
        return self.old == self.new or (math.isnan(self.old) and math.isnan(self.new))

    def row(self) -> tuple[str, ...]:
        """It in a table: name, before, now, change."""
        delta = NOTHING if self.delta is None else f"{self.delta:+.6g}"
        return self.name, number_text(self.old), number_text(self.new), delta

    def to_dict(self) -> dict[str, Any]:
        """It in plain values; what is not finite as text."""
        return {
            "name": self.name,
            "old": finite(self.old),
            "new": finite(self.new),
            "delta": finite(self.delta),
        }


class CodeChange(NamedTuple):
    """A symbol of the code that differs."""

    reason: Reason
    steps: tuple[str, ...]
    """The steps whose code it is part of; empty for the pipeline's own."""

    def to_dict(self) -> dict[str, Any]:
        """It in plain values."""
        return {"reason": self.reason.to_dict(), "steps": list(self.steps)}


def finite(value: float | None) -> float | str | None:
    """A number as JSON has it: one that is not finite as its text."""
    return value if value is None or math.isfinite(value) else str(value)


def number_text(value: float | None) -> str:
    """A number in six digits."""
    return NOTHING if value is None else f"{value:.6g}"


def seconds_text(value: float | None) -> str:
    """Seconds, to the millisecond."""
    return NOTHING if value is None else f"{value:.3f} s"


def metric_changes(old: Mapping[str, float], new: Mapping[str, float]) -> tuple[MetricChange, ...]:
    """Every metric of either side, the old one's first."""
    return tuple(MetricChange(name, old.get(name), new.get(name)) for name in dict.fromkeys((*old, *new)))


def differences(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[Difference, ...]:
    """What differs between two mappings of texts, the old one's names first."""
    names = dict.fromkeys((*old, *new))
    return tuple(Difference(one, old.get(one), new.get(one)) for one in names if old.get(one) != new.get(one))


def row_of(difference: Difference) -> tuple[str, str, str]:
    """A difference in a table: what, before, now."""
    return difference.what, difference.old or NOTHING, difference.new or NOTHING


def reason_lines(reasons: Iterable[Reason]) -> str:
    """Reasons in full, their diffs left out."""
    return "\n".join(line for reason in reasons for line in reason._replace(diff="").lines())


def merged(of_steps: Iterable[tuple[str | None, Iterable[Reason]]]) -> Iterator[CodeChange]:
    """Changes of code, each once with all the steps that have it, the first to have it first."""
    steps: dict[Reason, list[str]] = {}
    for step, reasons in of_steps:
        for reason in reasons:
            found = steps.setdefault(reason, [])
            if step is not None:
                found.append(step)
    return (CodeChange(reason, tuple(found)) for reason, found in steps.items())
