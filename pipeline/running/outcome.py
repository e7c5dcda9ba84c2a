"""Outcomes: what an executor gave, as a result; what is recorded of it, and raised where it failed."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from ...cas import Blob, Digest
from ...errors import Corrupt, LinealError, StepFailed, StepsFailed, StepTimeout, StoreBroken, StoreFull, WorkerDied
from ...events.catalogue import Failure, StepCompleted, StepRetried
from ...events.catalogue import StepFailed as StepFailedFact
from ...events.ids import RunId
from ...history import RunView
from ...store import Store
from ..deciding.preparing import Ready
from ..executing.task import Result, failure_of, text_of


def result_of(future: Future[Any], ready: Ready, store: Store) -> Result:
    """What an executor gave; where it failed itself, as a pool does whose process died, a result that says so."""
    try:
        answer = future.result()
    except Exception as error:  # noqa: BLE001 — an executor may be anybody's
        return _failed_outside(error, ready, store)
    return answer if isinstance(answer, Result) else Result.unpacked(answer)


def _failed_outside(error: Exception, ready: Ready, store: Store) -> Result:
    """A result of what did not come to its end; what it had printed by then is kept."""
    is_cut_off = isinstance(error, StepTimeout | WorkerDied)
    printed = error.details.pop("log", None) if isinstance(error, StepTimeout | WorkerDied) else None
    log: Digest | None = None
    blobs: tuple[Blob, ...] = ()
    if printed is not None:
        with store.blobs.batch() as batch:
            log, blobs = batch.put(printed), batch.publish()
    lasted_us = time.time_ns() // 1000 - ready.tried_us
    is_ours = isinstance(error, LinealError) and not is_cut_off
    return Result((), blobs, log, ready.tried_us, lasted_us, None, failure_of(error), error, is_ours)


def error_of(ready: Ready, result: Result, failure: Failure, pipeline: str, run: RunView) -> LinealError:
    """What a run raises for a step that failed; its cause is what the step raised."""
    if result.is_ours and isinstance(result.exception, LinealError):
        return result.exception
    name = ready.node.name
    tried = f" in attempt {ready.attempt}" if ready.attempt > 1 else ""
    cut_off = result.exception if isinstance(result.exception, StepTimeout | WorkerDied) else None
    error = StepFailed(
        f"step {name!r} raised {failure.type}{tried}: {failure.message if cut_off is None else cut_off.what}",
        where=pipeline,
        hint=f"See its traceback and output with `lineal show {run.name}/{name}`.",
        step=name,
        run=run.id,
        traceback=failure.traceback,
    )
    error.__cause__ = result.exception
    if failure.traceback and getattr(result.exception, "__traceback__", None) is None:
        error.add_note(f"\nWhere it was raised, in another process:\n{failure.traceback.rstrip()}")
    return error


def may_go_on(error: BaseException) -> bool:
    """Whether other steps may do better than one that failed so."""
    return isinstance(error, LinealError) and not isinstance(error, StoreFull | StoreBroken | Corrupt)


def together(errors: Sequence[LinealError], pipeline: str, run: RunView) -> LinealError:
    """What a run raises that went on after failures."""
    if len(errors) == 1:
        return errors[0]
    error = StepsFailed(
        f"{len(errors)} steps failed; the first: {first_line(errors[0])}",
        where=pipeline,
        hint=f"See all with `lineal show {run.name}`.",
        run=run.id,
        failures=tuple(errors),
    )
    error.__cause__ = ExceptionGroup("steps that failed", errors)
    return error


def first_line(error: BaseException) -> str:
    """What an error says, in short."""
    what = error.what if isinstance(error, LinealError) else f"{type(error).__name__}: {text_of(error)}"
    return what.partition("\n")[0][:1000]


class OtherValueWarning(UserWarning):
    """A step has executed in a process where a global that it reads has another value than in that of its run."""


def warn_of_others(ready: Ready, result: Result) -> None:
    """Say why a result is not kept for later runs: it is not what its fingerprint says."""
    if result.others:
        warnings.warn(
            f"step {ready.node.name!r} is not served to later runs: {', '.join(result.others[:3])} had another value "
            "in the process where it executed. Give it when its module is imported, or pass it as an argument.",
            OtherValueWarning,
            stacklevel=2,
        )


def completed(run: RunId, ready: Ready, result: Result) -> StepCompleted:
    """The fact that a step executed to its end."""
    return StepCompleted(
        *ready.causes(run),
        result.outputs,
        result.started_us,
        result.duration_us,
        result.log,
        ready.node.step.__doc__,
        result.resources,
        ready.policy.offers and not result.others,
        ready.missed,
    )


def failed(run: RunId, ready: Ready, result: Result, failure: Failure) -> StepFailedFact:
    """The fact that a step failed for good."""
    return StepFailedFact(
        *ready.causes(run),
        failure,
        result.started_us,
        result.duration_us,
        result.log,
        ready.node.step.__doc__,
        result.resources,
    )


def retried(run: RunId, ready: Ready, result: Result, failure: Failure, delay_s: float) -> StepRetried:
    """The fact that an attempt failed and another one follows."""
    node = ready.node
    return StepRetried(
        run,
        node.name,
        node.step.qualified_name,
        ready.attempt,
        failure,
        result.started_us,
        result.duration_us,
        int(delay_s * 1_000_000),
        result.log,
    )
