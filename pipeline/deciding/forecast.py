"""Forecasts: which steps of a pipeline would run, why, and what that is expected to take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from ...history import Reason
from ...history.code import Gap
from ...history.expectation import Expectation
from ...history.why import Mention

Prospect = Literal["hit", "miss", "unknown"]


@dataclass(frozen=True, slots=True)
class ForeseenStep:
    """What would become of one step."""

    name: str
    function: str
    verdict: Prospect
    """``hit``: it would be served from the cache; ``miss``: it would execute; ``unknown``: either, which depends on
    what steps give that would execute before it."""
    reasons: tuple[Reason, ...] = ()
    """Of a miss: all causes at once."""
    reuses: Mention | None = None
    """Of a hit: the step run that executed; None where that is another step of the same run."""
    shares: str | None = None
    """Of a hit: the step of the same run that will have executed the same."""
    compared_with: Mention | None = None
    """Of a miss: the earlier step run that the changes are told against."""
    waits_for: tuple[str, ...] = ()
    """Of what is unknown: the steps whose outputs decide it. Where they give what they gave before, it is served."""
    expected: Expectation | None = None
    """What its function took when it executed; None where it has never done so."""
    gaps: tuple[Gap, ...] = ()
    """Where its fingerprint is less exact than its code."""

    @property
    def why(self) -> str:
        """The verdict's grounds, in one line."""
        if self.reuses is not None:
            return f"reuses {self.reuses}"
        if self.shares is not None:
            return f"shares the result of {self.shares}"
        if self.waits_for:
            return f"may run: it depends on what {', '.join(self.waits_for)} will give"
        told = [reason.text for reason in self.reasons]
        more = f" and {len(told) - 3} more" if len(told) > 3 else ""
        return f"{'; '.join(told[:3])}{more}"

    def to_dict(self) -> dict[str, Any]:
        """It in plain values, as JSON takes them."""
        return {
            "name": self.name,
            "function": self.function,
            "verdict": self.verdict,
            "why": self.why,
            "reasons": [reason.to_dict() for reason in self.reasons],
            "reuses": None if self.reuses is None else self.reuses.to_dict(),
            "shares": self.shares,
            "compared_with": None if self.compared_with is None else self.compared_with.to_dict(),
            "waits_for": list(self.waits_for),
            "expected": None if self.expected is None else self.expected._asdict(),
            "gaps": [gap.to_dict() for gap in self.gaps],
        }


@dataclass(frozen=True, slots=True, repr=False)
class Forecast:
    """What a run of a pipeline would do; printed or shown, it is a table."""

    pipeline: str
    steps: tuple[ForeseenStep, ...]
    """In the order of the graph."""

    def __iter__(self) -> Iterator[ForeseenStep]:
        return iter(self.steps)

    def __getitem__(self, name: str) -> ForeseenStep:
        """A step by its name in the run."""
        return next(step for step in self.steps if step.name == name)

    def __repr__(self) -> str:
        rows = [("step", "verdict", "expected", "why")]
        rows += [(step.name, step.verdict, expected_text(step), step.why) for step in self.steps]
        widths = [max(len(row[place]) for row in rows) for place in range(3)]
        lines = ["  ".join((*map(str.ljust, row[:3], widths), row[3])) for row in rows]
        gaps = dict.fromkeys(f"{gap.kind}: {gap.text}" for step in self.steps for gap in step.gaps)
        return "\n".join([*lines, "", self.summary, *gaps])

    def duration_s(self, *verdicts: Prospect) -> float:
        """How long the steps of these verdicts are expected to take one after the other, as far as any is known."""
        return sum(step.expected.duration_s for step in self.steps if step.expected and step.verdict in verdicts)

    @property
    def summary(self) -> str:
        """How many steps would run, and what that is expected to take, in one line."""
        counts = {
            verdict: sum(step.verdict == verdict for step in self.steps) for verdict in ("hit", "miss", "unknown")
        }
        must, may = self.duration_s("miss"), self.duration_s("miss", "unknown")
        took = f"{must:.3f} s" if must == may else f"{must:.3f} to {may:.3f} s"
        unheard = sum(step.verdict != "hit" and step.expected is None for step in self.steps)
        more = f", and {unheard} that never ran before" if unheard else ""
        told = f"{counts['miss']} to run, {counts['unknown']} may run, {counts['hit']} served"
        return f"{self.pipeline}: {told}; expected to take {took}{more}"

    def to_dict(self) -> dict[str, Any]:
        """It in plain values, as JSON takes them."""
        return {"pipeline": self.pipeline, "summary": self.summary, "steps": [step.to_dict() for step in self.steps]}


def expected_text(step: ForeseenStep) -> str:
    """What it is expected to take and give, where it may execute, and from how many executions that is drawn."""
    if step.verdict == "hit":
        return "-"
    took = step.expected
    return "never ran" if took is None else f"{took.duration_s:.3f} s, {took.size_bytes:,} B ({took.executions}x)"
