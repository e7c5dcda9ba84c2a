"""Reruns: the pipeline of a historical run once more, with what it was called with then."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import msgpack

from ...errors import CodeMissing, InvalidPipeline
from ...events.catalogue import Again
from ...events.ids import RunId
from ...history import Reader, RunView
from ...history.code import CodeManifest
from ...history.why import environment_differences
from ...in_force import InForce, existing_store
from ..declaring.declared import declared
from ..fingerprint import CodeWalker, carried_by
from ..graph.graph import Graph
from ..pipeline import Pipeline, PipelineOptions
from ..planning.earlier import RunReference, recorded_arguments, run_of
from ..planning.pinning import pinned
from ..step import Step
from ..surroundings.environment import captured_environment
from ..surroundings.script import MAIN
from .apart import call_apart
from .trusted import require_trusted

CodeChoice = Literal["recorded", "current"]
_log = logging.getLogger("lineal")
_SOURCES = ("def:", "class:", "module:", "file:", "root")


def rerun(run: RunReference, /, *, code: CodeChoice = "recorded", cache: bool = True, **overrides: Any) -> RunView:
    """Run the pipeline of a historical run again, with the parameters that it was called with.

    As causes that are the same have the same fingerprints, steps are served from the cache where it still has them.

    Args:
        run: A run in the store in force: a view of it, its id, its name, or the beginning of its id.
        code: ``"recorded"``: the code that ran then, in a process of its own, with the packages that are installed
            here; what differs from the environment of then is logged. ``"current"``: the code of today, in this one.
        cache: Whether steps may be served from the cache; if not, all execute, and what they give is not offered to
            later runs.
        overrides: Parameters that are to be different.

    Raises:
        RunNotFound: There is no such run.
        LoadRefused: The run was imported from a store that is not trusted.
        CodeMissing: Its code was not recorded, does not give what it gave then, or can't be imported; nothing has run.
        InvalidPipeline: The pipeline has no such parameter.
        StepFailed: A step raised; the new run is recorded as failed.
    """
    return rerun_with(run, overrides, code=code, cache=cache)


def rerun_with(
    run: RunReference, overrides: Mapping[str, Any], *, code: CodeChoice = "recorded", cache: bool = True
) -> RunView:
    """The same with the overrides as a mapping, so that parameters may be called as the other arguments are."""
    in_force = existing_store()
    reader = _reader(in_force)
    earlier = run_of(reader, run)
    here = msgpack.unpackb(captured_environment(), unicode_errors="surrogateescape")
    for difference in environment_differences(earlier.environment, here):
        _log.warning("%s differs from the environment of %s", difference, earlier.name)
    if code == "current":
        made = run_again(earlier.id, cache, overrides, is_recorded=False)
    elif code == "recorded":
        made = call_apart(in_force, earlier, _run_recorded, earlier.id, cache, overrides)
    else:
        raise InvalidPipeline(f"there is no code {code!r}", hint="Say 'recorded' or 'current'.")
    return RunView(reader, made)


def _run_recorded(run: RunId, cache: bool, overrides: Mapping[str, Any]) -> RunId:
    return run_again(run, cache, overrides, is_recorded=True)


def run_again(run: RunId, cache: bool, overrides: Mapping[str, Any], *, is_recorded: bool) -> RunId:
    """Run a run's pipeline in this process; see `rerun`. Recorded code must be what it was."""
    reader = _reader(existing_store())
    earlier = run_of(reader, run)
    pipeline = found_pipeline(earlier)
    arguments = pipeline.bind_again(recorded_arguments(reader, earlier.beginning), overrides)
    plan = pipeline.planned(arguments)
    if is_recorded:
        require_recorded_code(reader, earlier, plan.graph)
    if not cache:
        off = {node.step.name: {"cache": "off"} for node in plan.graph.nodes}
        plan = pipeline.with_options(cache="off", steps=off).planned(arguments)
    plan = pinned(plan, reader, run, overrides.values())
    return pipeline.execute(replace(plan, again=Again("rerun", run))).id


def require_recorded_code(reader: Reader, run: RunView, graph: Graph) -> None:
    """Raise `CodeMissing` if the source of a step of a run, as it was imported here, is not what it was."""
    walker = CodeWalker()
    for node in graph.nodes:
        recorded = run.steps[node.name].code if node.name in run.steps else None
        if recorded is None or run.steps[node.name].function != node.step.qualified_name:
            continue
        then = CodeManifest.decode(reader.store.blobs.read(recorded))
        differing = source_differences(code_like(walker, node.step, then), then)
        if differing:
            raise CodeMissing(
                f"the recorded code of step {node.name!r} of {run.name} is not what ran: {differing[0]} differs",
                hint=f"Run it with the code of today: `lineal rerun {run.name} --code current`.",
            )


def code_like(walker: CodeWalker, step: Step[..., Any], then: CodeManifest) -> CodeManifest:
    """The code of a step as it is here, where its inputs are made of what they were made of for a recorded manifest."""
    options = step.options
    return walker.manifest(
        step.function, depends_on=options.depends_on, version=options.version, carried=carried_by(then)
    )


def source_differences(found: CodeManifest, then: CodeManifest) -> list[str]:
    """The symbols whose source differs from the recorded one; values and versions may be others here."""
    diff = found.diff(then)
    return [one for one in (*diff.changed, *diff.added, *diff.removed) if one.startswith(_SOURCES)]


def found_pipeline(run: RunView) -> Pipeline[..., Any]:
    """The pipeline of a run as it can be imported here, by the name that its function had.

    Raises:
        CodeMissing: It can't be imported.
        LoadRefused: The run is of another store, which is not trusted: what it names may be any function.
    """
    require_trusted(_reader(existing_store()), run)
    function = run.beginning.function
    if function is None:
        raise CodeMissing(
            f"of {run.name} it is not known which function its pipeline was",
            hint="An older version recorded it, or it has none. In Python, call the pipeline itself.",
        )
    found: Pipeline[..., Any] | None = declared(
        function, Pipeline, lambda plain: Pipeline(plain, PipelineOptions(name=run.pipeline.name))
    )
    if found is None:
        raise CodeMissing(
            f"the pipeline of {run.name}, {function}, can't be imported",
            hint="Name the script that ran with --script."
            if function.startswith(f"{MAIN}.")
            else "Do it where that module can be imported; a function inside another one never can.",
        )
    return found


def _reader(in_force: InForce) -> Reader:
    return Reader(in_force.store, allow_pickle=in_force.allow_pickle)
