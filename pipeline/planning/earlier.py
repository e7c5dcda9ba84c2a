"""Earlier runs as what is run again needs them: which one is meant, its parameters, and what its steps gave."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from typing import Any, NamedTuple

from ...cas.digest import Digest
from ...errors import Conflict, InvalidPipeline, NothingToResume
from ...events.catalogue import Again, RunStarted, StepCompleted, StepReused
from ...events.ids import Fingerprint, RunId
from ...events.projections import Steps
from ...events.projections.cache import Reusable
from ...events.projections.runs import COMPLETED, RUNNING
from ...events.rows import key
from ...history import ArtifactVersionView, History, Reader, RunView, Trust, may_execute
from ...history.pipeline_names import declared_pipeline
from ...materializers import load
from ..fingerprint.main_module import module_named
from ..graph.shapes import shapes
from ..graph.templates import fill
from ..surroundings.script import MAIN

RunReference = RunView | RunId | str
"""A run: a view of it, its id, its name, or the beginning of its id."""


class Done(NamedTuple):
    """A step run that gave something, by executing or by reuse."""

    fingerprint: Fingerprint
    result: Reusable
    """The step run that executed, and what it gave."""


class Unfinished(NamedTuple):
    """What is known of a run that did not complete."""

    again: Again
    arguments: dict[str, Any]
    """What its pipeline was called with."""
    done: Mapping[str, Done]


def run_of(reader: Reader, reference: RunReference) -> RunView:
    """The run that is meant, in this store. Raises as `History.run` says."""
    history = History(reader.store, allow_pickle=reader.allow_pickle)
    return history.run(reference.id if isinstance(reference, RunView) else reference)


def recorded_arguments(reader: Reader, started: RunStarted) -> dict[str, Any]:
    """What a pipeline was called with, loaded again; artifacts as the versions that they were then.

    Raises:
        LoadRefused: Loading a value would execute code, and the store was opened not to allow that, or it was imported
            from one that is not trusted.
        BlobMissing, Corrupt: Its bytes are gone, or damaged.
        InvalidPipeline: Artifacts were gathered in it in a way that is not recorded.
    """
    values = [
        _of_here(_loaded(reader, taken.content))
        if taken.artifact is None
        else ArtifactVersionView(reader, taken.artifact, taken.content)
        for taken in started.parameters
    ]
    forms = next(shapes(started.parameters), None)
    if forms is None:
        raise InvalidPipeline(
            "what the run was called with can't be put together from what is recorded",
            where=started.pipeline,
            hint="Call its pipeline with the same values.",
        )
    return {name: fill(form, values) for name, form in forms.items()}


def _loaded(reader: Reader, content: Digest) -> Any:
    manifest = reader.manifest(content)
    allowed = may_execute(reader.store, manifest, allow_pickle=reader.allow_pickle)
    return load(manifest, reader.store.blobs, allow_pickle=allowed)


def _of_here(value: Any) -> Any:
    """A value whose class is one of the main program as an instance of that class: it was stored with a copy of it."""
    kind = type(value)
    here = getattr(module_named(MAIN), kind.__qualname__, None) if kind.__module__ == MAIN else None
    if isinstance(here, type) and here is not kind:
        value.__class__ = here
    return value


def outcome_of(reader: Reader, run: RunId, step: str) -> StepCompleted | StepReused | None:
    """What a step run came to that gave something; None if it gave nothing."""
    row = reader.rows(Steps.name).latest(key("s", run, step))
    event = None if row is None else reader.event(row.seq).event
    return event if isinstance(event, StepCompleted | StepReused) else None


def done_in(reader: Reader, run: RunId) -> Mapping[str, Done]:
    """What each step of a run gave that gave something, by its name; not where its store is not trusted."""
    rows, trust = reader.rows(Steps.name), Trust(reader.store)
    found: dict[str, Done] = {}
    for row in rows.newest(key("s", run)):
        if trust.doubted_source(row.seq) is not None:
            continue
        event = reader.event(row.seq).event
        if isinstance(event, StepCompleted | StepReused):
            found[event.step] = Done(event.fingerprint, Reusable.of(event))
    return found


def unfinished(reader: Reader, reference: RunReference, pipeline: str) -> Unfinished:
    """A run of this pipeline that is to be resumed. Raises as `Pipeline.resume` says."""
    run = run_of(reader, reference)
    if run.pipeline.first_name != declared_pipeline(reader, pipeline):
        raise InvalidPipeline(
            f"{run.name} is a run of {run.pipeline.name!r}, not of {pipeline!r}",
            hint="Resume it with its own pipeline.",
        )
    if run.status == COMPLETED:
        raise NothingToResume(
            f"{run.name} completed: there is nothing left to do",
            hint=f"To run it once more: `lineal rerun {run.name}`.",
        )
    if run.status == RUNNING:
        raise Conflict(
            f"{run.name} still goes on, in process {run.beginning.process.pid} of {run.beginning.process.host}",
            hint=f"Wait for its end, or stop it with `lineal cancel {run.name}`.",
        )
    arguments = recorded_arguments(reader, run.beginning)
    return Unfinished(Again("resume", run.id), arguments, done_in(reader, run.id))


def called_with(
    signature: inspect.Signature, recorded: Mapping[str, Any], overrides: Mapping[str, Any], pipeline: str
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and named arguments of a call, from recorded ones by parameter and what is to be different.

    Raises:
        InvalidPipeline: There is no such parameter.
    """
    parameters = signature.parameters
    arguments = dict(recorded)
    rest = next((name for name, one in parameters.items() if one.kind is one.VAR_KEYWORD), None)
    for name, value in overrides.items():
        if name in parameters or rest is None:
            arguments[name] = value
        else:
            arguments[rest] = {**arguments.get(rest, {}), name: value}
    unknown = [name for name in arguments if name not in parameters]
    if unknown:
        close = difflib.get_close_matches(unknown[0], parameters, n=1)
        raise InvalidPipeline(
            f"pipeline {pipeline!r} has no parameter {unknown[0]!r}",
            hint=f"Did you mean {close[0]!r}?" if close else f"Its signature is {signature}.",
        )
    bound = signature.bind_partial()
    bound.arguments.update({name: arguments[name] for name in parameters if name in arguments})
    return bound.args, bound.kwargs
