"""Two step runs, compared: code, inputs, outputs, metrics and times."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...events.projections.steps import SKIPPED
from ..code_changes import code_changes
from ..ingredients import Ingredients, ingredients_of
from ..input_changes import input_changes
from ..nearest import beginning
from ..reader import Reader
from ..reasons import Reason
from ..views import StepRunView
from ..why import Difference
from .changes import (
    MetricChange,
    differences,
    metric_changes,
    reason_lines,
    row_of,
    seconds_text,
)
from .told import NOTHING, Part, Told


class StepDiff(Told):
    """What differs between two step runs, or of a step that only one run has; `str` tells it."""

    name: str
    """The step's; of two names, the new one."""
    old: str | None
    """Run and step, as in ``training-2/fit``; None where the earlier run has no such step."""
    new: str | None
    old_status: str | None
    new_status: str | None
    function: Difference | None
    """None where it is the same function."""
    code: tuple[Reason, ...]
    """By symbol, each with the diff of its source where that was captured."""
    inputs: tuple[Reason, ...]
    """Parameters and artifacts that it took, with the places inside them that differ."""
    outputs: tuple[Difference, ...]
    """The artifact versions that it gave."""
    metrics: tuple[MetricChange, ...]
    """All of them, those that are the same included."""
    old_duration_s: float | None
    new_duration_s: float | None

    @property
    def is_same(self) -> bool:
        """Whether both have it, and of the same causes it gave the same."""
        return not self.presence and not (self.function or self.code or self.inputs or self.outputs)

    @property
    def presence(self) -> str:
        """``added`` or ``removed``; empty where both have it."""
        return "added" if self.old is None else "removed" if self.new is None else ""

    @property
    def title(self) -> str:
        return f"{self.old or NOTHING} → {self.new or NOTHING}: {'the same' if self.is_same else self.summary}"

    @property
    def summary(self) -> str:
        """What differs, in a few words."""
        if self.presence:
            return self.presence
        kinds = {"function": self.function, "code": self.code, "inputs": self.inputs, "outputs": self.outputs}
        return ", ".join(kind for kind, found in kinds.items() if found) or "the same"

    def parts(self) -> Iterator[Part]:
        columns = ("what", "before", "now")
        what = [
            ("status", self.old_status or NOTHING, self.new_status or NOTHING),
            ("duration", seconds_text(self.old_duration_s), seconds_text(self.new_duration_s)),
            *([row_of(self.function)] if self.function else []),
        ]
        yield Part("step", columns, tuple(what))
        yield Part("inputs", text=reason_lines(self.inputs))
        yield Part("outputs", columns, tuple(map(row_of, self.outputs)))
        changed = (one for one in self.metrics if not one.is_same)
        yield Part("metrics", ("metric", "before", "now", "change"), tuple(one.row() for one in changed))
        yield Part("code", text=reason_lines(self.code))
        yield from (Part(one.what, diff=one.diff) for one in self.code if one.diff)

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "old": self.old,
            "new": self.new,
            "old_status": self.old_status,
            "new_status": self.new_status,
            "function": None if self.function is None else self.function._asdict(),
            "code": [one.to_dict() for one in self.code],
            "inputs": [one.to_dict() for one in self.inputs],
            "outputs": [one._asdict() for one in self.outputs],
            "metrics": [one.to_dict() for one in self.metrics],
            "old_duration_s": self.old_duration_s,
            "new_duration_s": self.new_duration_s,
            "is_same": self.is_same,
        }


def step_diff(reader: Reader, old: StepRunView | None, new: StepRunView | None) -> StepDiff:
    """Compare two step runs, one of which may be missing. Cost: a few lookups, and the blobs of what differs."""
    named = old if new is None else new
    code: tuple[Reason, ...] = ()
    inputs: tuple[Reason, ...] = ()
    causes = [None if one is None else _ingredients(reader, one) for one in (old, new)]
    if causes[0] is not None and causes[1] is not None:
        code = tuple(code_changes(causes[0], causes[1]))
        inputs = tuple(input_changes(reader, causes[0], causes[1]))
    functions = [None if one is None else one.function for one in (old, new)]
    outputs = differences(_outputs(old), _outputs(new))
    is_other = None not in (old, new) and functions[0] != functions[1]
    return StepDiff(
        name="" if named is None else named.name,
        old=_title(old),
        new=_title(new),
        old_status=None if old is None else old.status,
        new_status=None if new is None else new.status,
        function=Difference("function", functions[0], functions[1]) if is_other else None,
        code=code,
        inputs=inputs,
        outputs=outputs,
        metrics=metric_changes(metric_values(old), metric_values(new)),
        old_duration_s=None if old is None else old.duration_s,
        new_duration_s=None if new is None else new.duration_s,
    )


def _title(step: StepRunView | None) -> str | None:
    return None if step is None else f"{step.run.name}/{step.name}"


def metric_values(of: StepRunView | None) -> dict[str, float]:
    """The last value of each metric of a step run."""
    return {} if of is None else {name: metric.value for name, metric in of.metrics.items()}


def _ingredients(reader: Reader, step: StepRunView) -> Ingredients | None:
    begun = None if step.status == SKIPPED else beginning(reader, step.id)
    return None if begun is None else ingredients_of(reader, begun)


def _outputs(step: StepRunView | None) -> dict[str, str]:
    return {} if step is None else {name: str(version) for name, version in step.outputs.items()}
