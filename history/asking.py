"""Asking: what conditions can ask of runs and of artifact versions, and how it is looked up."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from ..events.catalogue import Subject
from ..events.projections import Metadata, Metrics, Names
from ..events.projections.metadata import note_key
from ..events.projections.metrics import metric_key
from ..events.projections.names import tags_key
from ..events.projections.runs import RUNNING, STATUSES
from ..events.projections.steps import CACHED
from ..events.projections.subjects import subject_key
from ..events.rows import framed
from .asked import Column
from .asked_runs import AskedRun
from .asked_versions import AskedVersion
from .measured import last_of_steps
from .reader import moment
from .where import Fields


def run_fields() -> Fields[AskedRun]:
    """What can be asked of runs. Cost: a lookup for each that is asked for, a page of runs at a time, and for each
    step of a run that has not itself the metric asked for."""
    tags = _RUN.column(Names.name, tags_key)
    return Fields(
        single={
            "name": lambda run: run.state.name,
            "id": lambda run: str(run.id),
            "status": _status,
            "pipeline": lambda run: run.pipeline,
            "version": lambda run: run.view.pipeline_version.version,
            "started": lambda run: moment(run.state.started_us),
            "ended": lambda run: None if (ended_us := run.state.ended_us) is None else moment(ended_us),
            "duration_s": _duration_s,
            "message": lambda run: run.state.message,
            "tags": lambda run: tuple(run.latest(tags) or ()),
            "steps": lambda run: len(run.view.steps),
            "cached_steps": lambda run: sum(step.status == CACHED for step in run.view.steps.values()),
        },
        keyed={
            "params": AskedRun.parameter,
            "metrics": _last_metric,
            "metadata": _last_note,
        },
        choices={"status": STATUSES},
    )


class _Kind(NamedTuple):
    """How things of a kind are named in keys: what subjects of theirs end with."""

    subject: Subject
    named: bytes

    def column(self, projection: str, place: Callable[[Subject], bytes], after: bytes = b"") -> Column:
        """The column of what rows have of them, by how the key of a subject is made."""
        return Column(projection, place(self.subject).removesuffix(self.named), after)


_NOTHING = Subject("version", "", b"")
_RUN = _Kind(Subject("run", "", bytes(16)), bytes(16))
_VERSION = _Kind(_NOTHING, subject_key(_NOTHING))


@lru_cache
def _metric(kind: _Kind, name: str) -> Column:
    return kind.column(Metrics.name, metric_key, framed(name))


@lru_cache
def _note(kind: _Kind, name: str) -> Column:
    return kind.column(Metadata.name, note_key, framed(name))


def _last_metric(run: AskedRun, name: str) -> Any:
    row = run.latest(_metric(_RUN, name))
    return last_of_steps(run.reader, run.id, name) if row is None else row[4]


def _last_note(run: AskedRun, name: str) -> Any:
    row = run.latest(_note(_RUN, name))
    return None if row is None or len(row) < 2 else row[1]


def _status(run: AskedRun) -> str:
    status = run.state.status
    return run.view.status if status == RUNNING else status  # Its process may have died unnoticed.


def _duration_s(run: AskedRun) -> float | None:
    state = run.state
    return None if state.ended_us is None else (state.ended_us - state.started_us) / 1_000_000


def version_fields() -> Fields[AskedVersion]:
    """What can be asked of artifact versions. Cost: as for runs; that of the event that made each, about 10 µs."""
    tags = _VERSION.column(Names.name, tags_key)
    return Fields(
        single={
            "name": lambda version: version.made.key.name,
            "version": lambda version: version.made.number,
            "content": lambda version: str(version.made.key.content),
            "type": lambda version: version.output.type,
            "format": lambda version: version.output.format,
            "size_bytes": lambda version: version.output.size_bytes,
            "created": lambda version: moment(version.recorded.time_us),
            "tags": lambda version: tuple(version.latest(tags) or ()),
            "aliases": lambda version: version.view.aliases,
            "evicted": lambda version: version.view.is_evicted,
        },
        keyed={"metadata": _metadata, "metrics": _metric_of_version},
    )


def _metadata(version: AskedVersion, name: str) -> Any:
    noted = version.annotation(_note(_VERSION, name))
    return version.output.metadata.get(name) if noted is None else noted


def _metric_of_version(version: AskedVersion, name: str) -> Any:
    row = version.latest(_metric(_VERSION, name))
    return None if row is None else row[4]
