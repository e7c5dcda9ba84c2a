"""Why a step was served from the cache, or had to execute."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple

from ..events.ids import StepRunId
from ..immutable import Immutable
from .code import Gap
from .reasons import Reason, time_text

Verdict = Literal["hit", "miss", "skipped"]


class Mention(NamedTuple):
    """A step run that an explanation speaks of."""

    id: StepRunId
    run_name: str
    began: datetime

    def __str__(self) -> str:
        return f"{self.run_name}/{self.id.step}"

    def to_dict(self) -> dict[str, Any]:
        """It in plain values."""
        return {"id": f"{self.id.run}/{self.id.step}", "reference": str(self), "began": self.began.isoformat()}


class Difference(NamedTuple):
    """Something of the environment that differs; None where it was not there."""

    what: str
    old: str | None
    new: str | None

    def __str__(self) -> str:
        return f"{self.what} {self.old or 'nothing'} → {self.new or 'nothing'}"


class Why(Immutable):
    """Why a step run was a hit or a miss; printed or shown, it tells it."""

    step: str
    """Run and step, as in ``training-3/train``."""
    verdict: Verdict
    """``hit``: served from the cache; ``miss``: it executed; ``skipped``: neither."""
    reasons: tuple[Reason, ...]
    """All causes at once."""
    reuses: Mention | None = None
    """Of a hit: the step run that executed."""
    compared_with: Mention | None = None
    """Of a miss: the earlier step run that the changes are told against."""
    environment: tuple[Difference, ...] = ()
    """What differs in the environment, from the step run that is reused or compared with to this one."""
    gaps: tuple[Gap, ...] = ()
    """Where its fingerprint is less exact than its code."""

    def __repr__(self) -> str:
        return "\n".join(self.lines())

    @property
    def summary(self) -> str:
        """The verdict and the causes in one line."""
        if self.reuses is not None:
            return f"{self.verdict}: reuses {self.reuses}"
        told = [reason.text for reason in self.reasons]
        more = f" and {len(told) - 3} more" if len(told) > 3 else ""
        return f"{self.verdict}: {'; '.join(told[:3])}{more}"

    def lines(self) -> Iterator[str]:
        """It line by line."""
        yield f"{self.step}: {self.headline}"
        for reason in self.reasons:
            yield from (f"  {line}" for line in reason.lines())
        if self.reuses is not None or self.compared_with is not None:
            yield f"  {self.environment_text}"
        yield from (f"  {gap.kind}: {gap.text}" for gap in self.gaps)

    @property
    def headline(self) -> str:
        """The verdict, and the step run that it refers to."""
        if self.reuses is not None:
            return f"{self.verdict}, reuses {self.reuses}, which executed {time_text(self.reuses.began)}"
        if self.compared_with is not None:
            return f"{self.verdict}, compared with {self.compared_with} of {time_text(self.compared_with.began)}"
        return self.verdict

    @property
    def environment_text(self) -> str:
        """What differs in the environment, in one line."""
        if not self.environment:
            return "the environment is the same"
        return f"environment: {', '.join(map(str, self.environment))}"

    def to_dict(self) -> dict[str, Any]:
        """It in plain values, as JSON takes them."""
        return {
            "step": self.step,
            "verdict": self.verdict,
            "reuses": None if self.reuses is None else self.reuses.to_dict(),
            "compared_with": None if self.compared_with is None else self.compared_with.to_dict(),
            "reasons": [reason.to_dict() for reason in self.reasons],
            "environment": [difference._asdict() for difference in self.environment],
            "gaps": [gap.to_dict() for gap in self.gaps],
        }


def environment_differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Difference, ...]:
    """What differs between two environments as they were captured, by name, nested ones with a dot between."""
    before, after = dict(_flat(old, "")), dict(_flat(new, ""))
    names = sorted(before.keys() | after.keys())
    pairs = ((name, before.get(name), after.get(name)) for name in names)
    return tuple(Difference(name, one, other) for name, one, other in pairs if one != other)


def _flat(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, "" if name == "packages" else f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", str(value)
