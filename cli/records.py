"""Views of history as the records that verbs print."""

from __future__ import annotations

import math
import sys
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from ..history import (
    ArtifactVersionView,
    ArtifactView,
    History,
    PipelineVersionView,
    PipelineView,
    RunView,
    StepRunView,
    View,
    level_name,
)
from ..history.version_list import version_count

if TYPE_CHECKING:
    from ..history import Attempt as FoundAttempt
    from ..history import Eviction as FoundEviction
    from ..history import LogLine as FoundLine
    from ..history import Pin as FoundPin
    from ..history import Scene as FoundScene
    from ..history.code import Gap as FoundGap
    from ..history.deletion import Deletion
    from .kinds import (
        Artifact,
        ArtifactVersion,
        ArtifactVersionDetail,
        Attempt,
        Difference,
        DoesAgain,
        Event,
        Eviction,
        Failure,
        LogLine,
        Metric,
        PipelineDetail,
        PipelineVersion,
        Run,
        RunDetail,
        Scene,
        Step,
        StepCounts,
        StepDetail,
        TakenOut,
    )
    from .upkeep_kinds import Pin
    from .why_kinds import Gap

_LATEST_RUNS = 10
_LARGEST_DECIMAL_BITS = 10_000


def run_record(run: RunView) -> Run:
    """A run on one line."""
    return {
        "kind": "run",
        "v": 1,
        "id": str(run.id),
        "name": run.name,
        "status": run.status,
        "pipeline": run.pipeline.name,
        "started": _iso(run.started),
        "duration_s": run.duration_s,
        "message": run.message,
        "steps": _step_counts(run),
        "tags": list(run.tags),
    }


def _step_counts(run: RunView) -> StepCounts:
    statuses = [step.status for step in run.steps.values()]
    return {
        "executed": statuses.count("completed"),
        "cached": statuses.count("cached"),
        "failed": statuses.count("failed"),
        "skipped": statuses.count("skipped"),
        "running": statuses.count("running"),
        "cancelled": statuses.count("cancelled"),
        "interrupted": statuses.count("interrupted"),
    }


def run_detail(run: RunView) -> RunDetail:
    """A run in full."""
    return {
        "kind": "run-detail",
        "v": 1,
        "run": run_record(run),
        "pipeline_version": run.pipeline_version.version,
        "does_again": _does_again(run),
        "deleted": _taken_out(run.deletion),
        "parameters": json_value(run.shown_parameters),
        "environment": json_value(run.environment),
        "checkout": json_value(run.checkout),
        "steps": [step_record(step) for step in run.steps.values()],
        "annotations": json_value(run.annotations),
        "metrics": metric_records(run),
    }


def _does_again(run: RunView) -> DoesAgain | None:
    if run.again is None:
        return None
    how, earlier = run.again
    return {"how": how, "run": str(earlier.id), "run_name": earlier.name}


def step_record(step: StepRunView) -> Step:
    """A step run on one line."""
    reuses = step.reuses
    return {
        "kind": "step",
        "v": 1,
        "id": str(step.id),
        "run": str(step.id.run),
        "run_name": step.run.name,
        "name": step.name,
        "status": step.status,
        "function": step.function,
        "duration_s": step.duration_s,
        "reuses": None if reuses is None else str(reuses.id),
        "reuses_run_name": None if reuses is None else reuses.run.name,
        "outputs": {name: str(version) for name, version in step.outputs.items()},
        "tags": list(step.tags),
    }


def step_detail(step: StepRunView) -> StepDetail:
    """A step run in full."""
    resources = step.resources
    return {
        "kind": "step-detail",
        "v": 1,
        "step": step_record(step),
        "docstring": step.docstring,
        "fingerprint": None if step.fingerprint is None else str(step.fingerprint),
        "parents": [parent.name for parent in step.parents],
        "inputs": {name: version_record(version) for name, version in step.inputs.items()},
        "parameters": json_value(step.shown_parameters),
        "outputs": {name: version_record(version) for name, version in step.outputs.items()},
        "failure": _failure(step),
        "attempts": [_attempt(one) for one in step.attempts],
        "cpu_s": None if resources is None else resources.cpu_us / 1_000_000,
        "peak_memory_bytes": None if resources is None else resources.peak_memory_bytes,
        "divergence": _differences(step),
        "gaps": [gap_record(gap) for gap in step.gaps],
        "log": step.log,
        "annotations": json_value(step.annotations),
        "metadata": json_value(step.metadata),
        "metrics": metric_records(step),
    }


def gap_record(gap: FoundGap) -> Gap:
    """Where a fingerprint is less exact than the code, in plain values."""
    return {"gap": gap.kind, "what": gap.what, "text": gap.text}


def _failure(one: StepRunView | FoundAttempt) -> Failure | None:
    raised = one.failure
    if raised is None:
        return None
    return {"type": raised.type, "message": raised.message, "traceback": raised.traceback}


def _attempt(attempt: FoundAttempt) -> Attempt:
    return {
        "number": attempt.number,
        "status": attempt.status,
        "failure": _failure(attempt),
        "started": _iso(attempt.started),
        "duration_s": attempt.duration_s,
        "delay_s": attempt.delay_s,
        "log": attempt.log,
    }


def log_record(step: StepRunView, line: FoundLine) -> LogLine:
    """A line of what a step printed or logged."""
    return {
        "kind": "log-line",
        "v": 1,
        "time": _iso(line.time),
        "run": str(step.id.run),
        "run_name": step.run.name,
        "step": step.name,
        "stream": line.stream,
        "level": None if line.level is None else level_name(line.level),
        "logger": line.logger,
        "text": line.text,
    }


def metric_records(of: View) -> dict[str, Metric]:
    """The last point of each metric of something."""
    return {
        name: {
            "value": json_value(metric.value),
            "step": metric.last.step,
            "time": _iso(metric.last.time),
            "points": metric.count,
        }
        for name, metric in of.metrics.items()
    }


def _differences(step: StepRunView) -> list[Difference]:
    seen = step.divergence
    if seen is None:
        return []
    first = seen.first
    return [
        {
            "output": one.output,
            "first_step": str(first.id),
            "first_run_name": first.run.name,
            "first": str(one.first),
            "again": str(one.again),
        }
        for one in seen.differences
    ]


def version_record(version: ArtifactVersionView) -> ArtifactVersion:
    """An artifact version on one line."""
    return {
        "kind": "artifact-version",
        "v": 1,
        "reference": str(version),
        "name": version.name,
        "version": version.version,
        "content": str(version.content),
        "type": version.type,
        "format": version.format,
        "size_bytes": version.size_bytes,
        "created": _iso(version.created),
        "is_evicted": version.is_evicted,
        "tags": list(version.tags),
        "aliases": list(version.aliases),
    }


def version_detail(version: ArtifactVersionView) -> ArtifactVersionDetail:
    """An artifact version in full."""
    producer, released = version.producer, version.released
    return {
        "kind": "artifact-version-detail",
        "v": 1,
        "artifact_version": version_record(version),
        "released": None
        if released is None
        else {"seq": released.seq, "time": _iso(released.time), "reason": released.reason},
        "deleted": _taken_out(version.deletion),
        "evicted": _eviction(version.eviction),
        "evicted_since": _eviction(version.evicted_since),
        "metadata": json_value(version.metadata),
        "annotations": json_value(version.annotations),
        "metrics": metric_records(version),
        "visualizations": version.kept_visualizations,
        "artifact": artifact_record(version.artifact, version),
        "producer": None if producer is None else step_record(producer),
        "consumers": [step_record(step) for step in version.consumers],
        "versions": [version_record(one) for one in version.artifact.versions],
    }


def _taken_out(found: Deletion | None) -> TakenOut | None:
    return None if found is None else {"seq": found.seq, "time": _iso(found.time), "reason": found.reason}


def _eviction(found: FoundEviction | None) -> Eviction | None:
    return None if found is None else {"seq": found.seq, "time": _iso(found.time)}


def newest_version(history: History, name: str) -> ArtifactVersionView:
    """The newest version of an artifact. Raises `ArtifactNotFound`."""
    return history.artifact(f"{name}@latest")


def artifact_record(artifact: ArtifactView, of: ArtifactVersionView | None = None) -> Artifact:
    """An artifact on one line; ``of`` stands for its latest version where all are deleted."""
    count = version_count(artifact)
    latest = version_record(artifact.latest if count or of is None else of)
    return {
        "kind": "artifact",
        "v": 1,
        "name": artifact.name,
        "versions": count,
        "latest": latest,
        "tags": list(artifact.tags),
        "aliases": {alias: str(version) for alias, version in artifact.aliases.items()},
    }


def pipeline_detail(pipeline: PipelineView) -> PipelineDetail:
    """A pipeline in full."""
    return {
        "kind": "pipeline-detail",
        "v": 1,
        "name": pipeline.name,
        "versions": [_pipeline_version(version) for version in pipeline.versions],
        "latest_runs": [run_record(run) for run in islice(pipeline.runs, _LATEST_RUNS)],
        "tags": list(pipeline.tags),
        "annotations": json_value(pipeline.annotations),
        "metrics": metric_records(pipeline),
    }


def _pipeline_version(version: PipelineVersionView) -> PipelineVersion:
    return {
        "kind": "pipeline-version",
        "v": 1,
        "version": version.version,
        "structure": str(version.structure),
        "runs": len(version.runs),
        "steps": json_value(version.graph["steps"]),
    }


def pin_record(history: History, pin: FoundPin) -> Pin:
    """A pin on one line."""
    expires_us = pin.expires_us
    return {
        "kind": "pin",
        "v": 1,
        "label": pin.label,
        "content": str(pin.content),
        "artifact_versions": history.versions_of(pin.content),
        "expires": None if expires_us is None else _iso(datetime.fromtimestamp(expires_us / 1_000_000, UTC)),
        "seq": pin.seq,
    }


def event_record(recorded: Any) -> Event:
    """An event of the log, whatever its type: fields by name, digests and ids in hex."""
    event = recorded.event
    is_known = bool(event.TYPE)
    payload = {name: getattr(event, name) for name in event.FIELDS} if is_known else event.payload
    return {
        "kind": "event",
        "v": 1,
        "seq": recorded.seq,
        "id": str(recorded.id),
        "time": _iso(datetime.fromtimestamp(recorded.time_us / 1_000_000, UTC)),
        "type": event.TYPE or event.type,
        "is_known": is_known,
        "origin": str(recorded.origin),
        "stream": recorded.stream.hex(),
        "refs": [str(ref) for ref in recorded.refs],
        "chain": recorded.chain.hex(),
        "payload": json_value(payload),
    }


def scene_record(scene: FoundScene) -> Scene:
    """Something that happened in a run."""
    printed = scene.printed
    return {
        "kind": "scene",
        "v": 1,
        "at_s": scene.at_s,
        "event": None if scene.event is None else event_record(scene.event),
        "printed": None
        if printed is None
        else {"step": printed.step, "stream": printed.stream, "text": json_value(printed.text)},
    }


def json_value(value: Any) -> Any:
    """A value as JSON has it: bytes in hex, named tuples as objects, other values of the standard library as text.

    Floats that are not finite, and integers too long to be written in decimal, become text, too.
    Values of other libraries become the name of their type, ``<ndarray>``: their text can be of any length.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value) if value.bit_length() <= _LARGEST_DECIMAL_BITS else hex(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {_key(name): json_value(item) for name, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {name: json_value(item) for name, item in zip(value._fields, value, strict=True)}
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((json_value(item) for item in value), key=str)
    is_standard = type(value).__module__.partition(".")[0] in sys.stdlib_module_names
    return str(value) if is_standard else f"<{type(value).__qualname__}>"


def _key(name: Any) -> str:
    return name if isinstance(name, str) else str(json_value(name))


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="microseconds")
