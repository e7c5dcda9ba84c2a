"""Two runs, compared: parameters, code, environment, structure, and step by step what they took, gave and measured."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from ...errors import LinealError
from ..code_changes import code_changes
from ..ingredients import Ingredients, code_ingredients
from ..input_changes import taken_changes
from ..reader import Reader
from ..reasons import Reason, time_text
from ..surroundings import Checkout
from ..views import RunView
from ..why import Difference, environment_differences
from .changes import (
    CodeChange,
    MetricChange,
    differences,
    merged,
    metric_changes,
    reason_lines,
    row_of,
    seconds_text,
)
from .steps import StepDiff, metric_values, step_diff
from .told import NOTHING, Part, Told

_CHANGED = ("what", "before", "now")


class RunSide(NamedTuple):
    """One of the runs that are compared."""

    id: str
    name: str
    pipeline: str
    pipeline_version: int
    status: str
    started: datetime
    duration_s: float | None

    @classmethod
    def of(cls, run: RunView) -> RunSide:
        """What is said of a run."""
        version = run.pipeline_version
        return cls(str(run.id), run.name, run.pipeline.name, version.version, run.status, run.started, run.duration_s)

    @property
    def pipeline_text(self) -> str:
        """Its pipeline, with the version."""
        return f"{self.pipeline}, version {self.pipeline_version}"

    def to_dict(self) -> dict[str, Any]:
        """It in plain values."""
        return {**self._asdict(), "started": self.started.isoformat()}


class RunDiff(Told):
    """What differs from one run to another; `str` tells it."""

    old: RunSide
    new: RunSide
    parameters: tuple[Reason, ...]
    """What the pipeline was called with, with the places inside that differ."""
    code: tuple[CodeChange, ...]
    """By symbol, of all steps together and of the pipeline's own function."""
    environment: tuple[Difference, ...]
    """Python, machine, packages and variables; and the checkout, as ``checkout.commit``."""
    structure: tuple[Difference, ...]
    """Steps that are in one graph only, and what they are wired to otherwise."""
    steps: tuple[StepDiff, ...]
    """Every step of either run, the new one's first."""
    metrics: tuple[MetricChange, ...]
    """All metrics, those that are the same included; a step's as ``step/metric``."""

    @property
    def is_same(self) -> bool:
        """Whether of the same causes both made the same; times, environments and metrics aside."""
        return not (self.parameters or self.code or self.structure) and all(step.is_same for step in self.steps)

    @property
    def outputs(self) -> tuple[Difference, ...]:
        """The artifact versions that differ, under step and output."""
        return tuple(one._replace(what=f"{step.name}.{one.what}") for step in self.steps for one in step.outputs)

    @property
    def inputs(self) -> tuple[Reason, ...]:
        """What steps took that differs, parameters and artifacts."""
        return tuple(one._replace(text=f"{step.name}: {one.text}") for step in self.steps for one in step.inputs)

    @property
    def title(self) -> str:
        return f"{self.old.name} → {self.new.name}{': the same' if self.is_same else ''}"

    def parts(self) -> Iterator[Part]:
        yield Part("runs", _CHANGED, tuple(self._sides()))
        yield Part("parameters", text=reason_lines(self.parameters))
        yield Part("environment", _CHANGED, tuple(map(row_of, self.environment)))
        yield Part("structure", _CHANGED, tuple(map(row_of, self.structure)))
        yield Part("inputs", text=reason_lines(self.inputs))
        yield Part("outputs", _CHANGED, tuple(map(row_of, self.outputs)))
        changed = (one for one in self.metrics if not one.is_same)
        yield Part("metrics", ("metric", "before", "now", "change"), tuple(one.row() for one in changed))
        columns = ("step", "status before", "now", "duration before", "now", "differs in")
        yield Part("steps", columns, tuple(map(_step_row, self.steps)))
        yield Part("code", text="\n".join(line for one in self.code for line in _code_lines(one)))
        yield from (Part(one.reason.what, diff=one.reason.diff) for one in self.code if one.reason.diff)

    def _sides(self) -> Iterator[tuple[str, str, str]]:
        old, new = self.old, self.new
        yield "run", old.name, new.name
        yield "pipeline", old.pipeline_text, new.pipeline_text
        yield "status", old.status, new.status
        yield "started", time_text(old.started), time_text(new.started)
        yield "duration", seconds_text(old.duration_s), seconds_text(new.duration_s)

    def to_dict(self) -> dict[str, Any]:
        return {
            "old": self.old.to_dict(),
            "new": self.new.to_dict(),
            "parameters": [one.to_dict() for one in self.parameters],
            "code": [one.to_dict() for one in self.code],
            "environment": [one._asdict() for one in self.environment],
            "structure": [one._asdict() for one in self.structure],
            "steps": [one.to_dict() for one in self.steps],
            "metrics": [one.to_dict() for one in self.metrics],
            "is_same": self.is_same,
        }


def run_diff(reader: Reader, old: RunView, new: RunView) -> RunDiff:
    """Compare two runs. Cost: some lookups for each step, and the blobs of what differs."""
    before, after = old.steps, new.steps
    names = dict.fromkeys((*after, *before))
    steps = tuple(step_diff(reader, before.get(name), after.get(name)) for name in names)
    values: list[dict[str, float]] = []
    for run in (old, new):
        found = {name: metric.value for name, metric in run.metrics.items()}
        for step in run.steps.values():
            found |= {f"{step.name}/{name}": value for name, value in metric_values(step).items()}
        values.append(found)
    own = _own_code(reader, old), _own_code(reader, new)
    of_pipeline = () if own[0] is None or own[1] is None else tuple(code_changes(own[0], own[1]))
    return RunDiff(
        RunSide.of(old),
        RunSide.of(new),
        tuple(taken_changes(reader, old.beginning.parameters, new.beginning.parameters, reader.store.blobs)),
        tuple(merged([(None, of_pipeline), *((step.name, step.code) for step in steps)])),
        _environments(old, new),
        differences(_structure(old), _structure(new)),
        steps,
        metric_changes(*values),
    )


def _own_code(reader: Reader, run: RunView) -> Ingredients | None:
    began = run.beginning
    if began.code is None or began.function is None:
        return None
    return code_ingredients(reader, run.pipeline.name, began.function, began.code)


def _environments(old: RunView, new: RunView) -> tuple[Difference, ...]:
    told = [_told_environment(run) for run in (old, new)]
    if told[0] is None or told[1] is None:
        return (Difference("environment", *("gone" if one is None else "there" for one in told)),)
    return environment_differences(told[0], told[1])


def _told_environment(run: RunView) -> dict[str, Any] | None:
    try:
        checkout = run.checkout
        return {**run.environment, "checkout": {} if checkout is None else _told_checkout(checkout)}
    except (LinealError, ValueError):
        return None


def _told_checkout(checkout: Checkout) -> dict[str, str | None]:
    told = {"commit": checkout.commit, "branch": checkout.branch, "remote": checkout.remote}
    dirty = ", ".join(checkout.changed[:5]) if checkout.is_dirty else None
    return {name: value for name, value in {**told, "uncommitted": dirty}.items() if value is not None}


def _structure(run: RunView) -> dict[str, str]:
    """What a graph says, a line for each step and each edge."""
    try:
        steps = run.pipeline_version.graph["steps"]
    except (LinealError, ValueError, KeyError):
        return {"graph": "gone"}
    told: dict[str, str] = {}
    for step in steps:
        name = step["name"]
        told[f"step {name}"] = f"{step['function']} gives {', '.join(step['outputs']) or 'nothing'}"
        told |= {f"{name} takes {path}": ".".join(map(str, source)) for path, source in step["inputs"].items()}
        if step.get("after"):
            told[f"{name} comes after"] = ", ".join(step["after"])
    return told


def _step_row(step: StepDiff) -> tuple[str, ...]:
    statuses = (step.old_status or NOTHING, step.new_status or NOTHING)
    return step.name, *statuses, seconds_text(step.old_duration_s), seconds_text(step.new_duration_s), step.summary


def _code_lines(change: CodeChange) -> list[str]:
    of = f"  [{', '.join(change.steps)}]" if change.steps else "  [the pipeline itself]"
    first, *more = change.reason._replace(diff="").lines()
    return [first + of, *more]
