"""Asking: what conditions can ask of runs and of artifact versions, and how it is looked up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..cas.digest import Digest
from ..events.catalogue import Subject
from ..events.projections import Metadata, Metrics
from ..events.projections.metadata import note_key
from ..events.projections.metrics import metric_key
from ..events.projections.runs import CANCELLED, COMPLETED, FAILED, INTERRUPTED, RUNNING
from ..events.projections.steps import CACHED
from .literals import literal_values
from .reader import Reader
from .views import ArtifactVersionView, RunView
from .where import Fields

STATUSES = (RUNNING, COMPLETED, FAILED, CANCELLED, INTERRUPTED)
"""What a run can be."""

_REMEMBERED_MAX = 10_000


def run_fields(reader: Reader) -> Fields[RunView]:
    """What can be asked of runs. Cost: a lookup or two for each that is asked for."""
    parameter = _parameters(reader)
    return Fields(
        single={
            "name": lambda run: run.name,
            "id": lambda run: str(run.id),
            "status": lambda run: run.status,
            "pipeline": lambda run: run.pipeline.name,
            "version": lambda run: run.pipeline_version.version,
            "started": lambda run: run.started,
            "ended": lambda run: run.ended,
            "duration_s": lambda run: run.duration_s,
            "message": lambda run: run.message,
            "tags": lambda run: run.tags,
            "steps": lambda run: len(run.steps),
            "cached_steps": lambda run: sum(step.status == CACHED for step in run.steps.values()),
        },
        keyed={
            "params": parameter,
            "metrics": lambda run, key: _metric(reader, run.subject, key),
            "metadata": lambda run, key: _note(reader, run.subject, key),
        },
        choices={"status": STATUSES},
    )


def version_fields(reader: Reader) -> Fields[ArtifactVersionView]:
    """What can be asked of artifact versions."""

    def metadata(version: ArtifactVersionView, key: str) -> Any:
        noted = _note(reader, version.subject, key)
        return version.computed_metadata.get(key) if noted is None else noted

    return Fields(
        single={
            "name": lambda version: version.name,
            "version": lambda version: version.version,
            "content": lambda version: str(version.content),
            "type": lambda version: version.type,
            "format": lambda version: version.format,
            "size_bytes": lambda version: version.size_bytes,
            "created": lambda version: version.created,
            "tags": lambda version: version.tags,
            "aliases": lambda version: version.aliases,
            "evicted": lambda version: version.is_evicted,
        },
        keyed={"metadata": metadata, "metrics": lambda version, key: _metric(reader, version.subject, key)},
    )


def _parameters(reader: Reader) -> Callable[[RunView, str], Any]:
    """Looks up parameters of runs; the values of literals, of which there are few, are remembered."""
    values: dict[Digest, Any] = {}

    def parameter(run: RunView, key: str) -> Any:
        for taken in run.beginning.parameters:
            if taken.name == key and taken.artifact is None:
                if taken.content not in values:
                    if len(values) >= _REMEMBERED_MAX:
                        values.clear()
                    values[taken.content] = literal_values(reader, (taken,), only_plain=True)[key]
                return values[taken.content]
        return None

    return parameter


def _metric(reader: Reader, subject: Subject, name: str) -> Any:
    """The value of a metric that was logged last."""
    found = reader.rows(Metrics.name).latest(metric_key(subject, name))
    return None if found is None else found.row[4]


def _note(reader: Reader, subject: Subject, name: str) -> Any:
    found = reader.rows(Metadata.name).latest(note_key(subject, name))
    return None if found is None or len(found.row) < 2 else found.row[1]
