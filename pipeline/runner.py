"""Runs a graph: decides for each step whether to reuse or execute, and records every fact as it becomes true."""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from typing import Any

from ..cas import Blob, Digest
from ..errors import LinealError, StepFailed, StepTimeout, WorkerDied
from ..events import catalogue as facts
from ..events.catalogue import Difference, Event, Output
from ..events.ids import RunId, StepRunId
from ..events.projections.cache import SLOW_US, Reusable
from ..store import Store
from .agenda import Agenda
from .claims import Claims
from .executors import shares_memory
from .graph import Node
from .leases import renewals
from .output_labels import declared_labels
from .plan import Plan
from .preparing import Ready
from .progress import listener_of
from .recording import Recorder
from .reports import take_points, told
from .session import Session
from .submitting import Submitter
from .task import Result, failure_of, text_of

_PAUSE_MIN_S, _PAUSE_MAX_S = 0.002, 0.1
"""How long a run that waits for another's result lets pass until it looks again, at first and at most."""


class Runner:
    """One run of one plan. Make one, call `run` once."""

    def __init__(
        self, store: Store, plan: Plan, executor: Executor, *, allow_pickle: bool, session: Session | None = None
    ) -> None:
        """Prepare a run; in a session with others, or for itself."""
        self.run_id = RunId.new()
        self._store = store
        self._plan = plan
        session = session or Session(store, plan.policy, plan.seed)
        self._preparer = session.preparer
        self._cache = session.cache
        self._record = Recorder(store, self.run_id)
        self._heard_by = listener_of(
            pipeline=plan.pipeline,
            run=str(self.run_id),
            name=plan.run_name,
            steps=len(plan.graph.nodes),
            prints_here=shares_memory(executor),
        )
        self._submitter = Submitter(
            store, plan, self.run_id, executor, allow_pickle=allow_pickle, hear=self._heard_by.progress
        )
        self._claims = Claims(store, self.run_id)
        self._agenda = Agenda(plan.graph.nodes)
        self._given: dict[tuple[str, str], Output] = {}
        self._is_slow: dict[Any, bool] = {}
        self._executing: dict[str, Ready] = {}
        self._waiting: deque[Ready] = deque()
        self._pause_s = _PAUSE_MIN_S
        self._failed_step: str | None = None

    def run(self, *, waits: bool = True) -> RunId:
        """Run to the end; everything recorded is durable on return, and where it raises, too.

        Where it doesn't wait, that it completed is durable when the store was flushed, and what makes that fail is
        raised there.

        Raises:
            StepFailed: A step raised; the cause is what it raised.
            LinealError: An input or output could not be stored or loaded.
        """
        self._record.started(self._plan, self._preparer)
        started = self._record.submit() if waits else None
        if started is not None:
            started.wait()
        try:
            with renewals.kept(self._renew):
                self._run_steps()
            completed = self._record.completed()
            if waits:
                completed.wait()
            self._heard_by.ended("completed")
        except (KeyboardInterrupt, SystemExit) as stop:
            self._heard_by.ended("cancelled")
            self._record.cancelled(f"stopped by {type(stop).__name__}")
            raise
        except BaseException as error:
            self._heard_by.ended("failed")
            self._record.failed(self._failed_step, _first_line(error))
            raise
        return self.run_id

    def _renew(self) -> None:
        """Say that the run goes on, in the thread that renews; what executes by now takes long, so it is claimed."""
        self._record.renewed()
        for name, ready in list(self._executing.items()):
            if not ready.is_claimed and ready.policy.takes and ready.policy.offers:
                ready.is_claimed = self._claims.attempt(ready.fingerprint, name) is None
                if ready.is_claimed and name not in self._executing:  # Else whoever finishes it ends the claim.
                    self._record.append(self._ended_claim(ready))

    def _run_steps(self) -> None:
        running: dict[Future[Any], Ready] = {}
        try:
            while self._agenda or running or self._waiting:
                while node := self._agenda.next_ready():
                    self._begin(self._prepare(node), running)
                if running or self._waiting:
                    self._record.submit()
                pause_s = self._look_again(running) if self._waiting else None
                if not running and self._waiting:
                    time.sleep(pause_s or 0)
                if running:
                    done, _ = wait(running, pause_s, return_when=FIRST_COMPLETED)
                    for future in done:
                        self._finish(running.pop(future), future)
        except Exception as error:
            self._give_up(running, error)
            raise
        except BaseException:
            for future in running:
                future.cancel()
            raise

    def _look_again(self, running: dict[Future[Any], Ready]) -> float:
        """Begin what waits for other runs, if it need not any more; tell how long to pause if it does."""
        count = len(self._waiting)
        for _ in range(count):
            self._begin(self._waiting.popleft(), running)
        is_same = count == len(self._waiting)
        self._pause_s = min(self._pause_s * 1.5, _PAUSE_MAX_S) if is_same else _PAUSE_MIN_S
        return self._pause_s

    def _begin(self, ready: Ready, running: dict[Future[Any], Ready]) -> None:
        """Serve a step from the cache, have it wait for who computes the same, or submit it.

        One that finished at once is finished at once.
        """
        node = ready.node
        if not ready.begun_us:
            ready.begun_us, ready.begun_ns = time.time_ns() // 1000, time.perf_counter_ns()
        ready.newest = self._cache.newest(ready.fingerprint)
        done = self._plan.done.get(node.name)
        if done is not None and done.fingerprint == ready.fingerprint and self._cache.holds(done.result):
            self._reuse(ready, done.result)
            return
        if ready.policy.takes:
            reusable = self._cache.served(ready.fingerprint, ready.newest, node.step.outputs)
            if reusable is not None and not _is_expired(reusable, ready):
                self._reuse(ready, reusable)
                return
            ready.because = None if reusable is None else "expired"
            if not ready.is_claimed and ready.policy.offers and self._is_computed_once(node):
                ready.is_claimed = self._claims.attempt(ready.fingerprint, node.name) is None
                if ready.is_claimed:
                    self._begin(ready, running)  # Anew: who held it before may have completed since that look.
                else:
                    self._waiting.append(ready)
                return
        else:
            ready.because = ready.policy.mode
        self._execute(ready, running)

    def _execute(self, ready: Ready, running: dict[Future[Any], Ready]) -> None:
        node = ready.node
        started = facts.StepStarted(
            self.run_id,
            node.name,
            node.step.qualified_name,
            ready.fingerprint,
            ready.inputs,
            ready.code.digest,
            ready.because,
        )
        captured, blobs = self._preparer.captured(ready)
        self._record.step(node, [started, *captured], blobs)
        self._executing[node.name] = ready
        self._heard_by.step(node.name, "running", None)
        ready.tried_us = time.time_ns() // 1000
        future = self._submitter.submit(ready, 1)
        if future.done():
            self._finish(ready, future)
        else:
            running[future] = ready

    def _is_computed_once(self, node: Node) -> bool:
        wanted: bool | None = node.step.options.once
        if wanted is not None:
            return wanted
        function = node.step.function
        is_slow = self._is_slow.get(function)
        if is_slow is None:
            is_slow = self._is_slow[function] = self._cache.is_slow(node.step.qualified_name)
        return is_slow

    def _ended_claim(self, ready: Ready) -> list[Event]:
        return [facts.ClaimEnded(ready.fingerprint, self.run_id)] if ready.is_claimed else []

    def _prepare(self, node: Node) -> Ready:
        return self._preparer.prepare(node, self._given)

    def _reuse(self, ready: Ready, reusable: Reusable) -> None:
        node = ready.node
        outputs = tuple(
            [Output(given.name, self._artifact(node, given.name), *given[2:]) for given in reusable.outputs]
        )
        self._give(node, outputs)
        event = facts.StepReused(
            *ready.causes(self.run_id),
            outputs,
            reusable.step,
            ready.begun_us,
            (time.perf_counter_ns() - ready.begun_ns) // 1000,
            node.step.__doc__,
        )
        captured, blobs = self._preparer.captured(ready)
        executed = self._cache.submission(reusable.step)
        labels = declared_labels(self._store, node.step.outputs, outputs)
        self._heard_by.step(node.name, "cached", event.duration_us / 1_000_000)
        self._record.reused(node, [event, *captured, *labels, *self._ended_claim(ready)], blobs, executed)

    def _artifact(self, node: Node, output: str) -> str:
        """The artifact's name in this run: a reused step may have had another name, or another pipeline."""
        for spec in node.step.outputs.specs:
            if spec.name == output and spec.artifact is not None:
                return str(spec.artifact)
        return f"{self._plan.pipeline}.{node.name}.{output}"

    def _give(self, node: Node, outputs: tuple[Output, ...]) -> None:
        for output in outputs:
            self._given[node.name, output.name] = output
        self._agenda.done(node.name)

    def _finish(self, ready: Ready, future: Future[Any]) -> None:
        """Record what a step came to. Raises what the step raised."""
        result = self._result(ready, future)
        del self._executing[ready.node.name]
        if result.failure is not None:
            self._fail(ready, result, result.failure)
        node = ready.node
        self._give(node, result.outputs)
        if result.duration_us >= SLOW_US:
            self._is_slow[node.step.function] = True
            ready.newest = self._cache.newest(ready.fingerprint)  # Somebody else may have been faster.
        event = facts.StepCompleted(
            *ready.causes(self.run_id),
            result.outputs,
            result.started_us,
            result.duration_us,
            result.log,
            node.step.__doc__,
            result.resources,
            ready.policy.offers,
        )
        self._heard_by.step(node.name, "completed", result.duration_us / 1_000_000)
        consequences = [*self._consequences(ready, result.outputs), *self._told(node, result)]
        ticket = self._record.step(node, [event, *consequences], result.blobs)
        if ready.policy.offers:
            completed_us = result.started_us + result.duration_us
            completed = Reusable(StepRunId(self.run_id, node.name), result.outputs, completed_us)
            self._cache.announce(ready.fingerprint, completed, ticket)

    def _told(self, node: Node, result: Result) -> list[Event]:
        """What a step told beside its outputs; its metrics go their own way."""
        step_run = StepRunId(self.run_id, node.name)
        take_points(self._store, step_run, result.points)
        return told(step_run, result.metadata, result.outputs)

    def _consequences(self, ready: Ready, outputs: tuple[Output, ...]) -> list[Event]:
        """What is true with the completion of a step, in the same commit."""
        events = [*self._ended_claim(ready), *declared_labels(self._store, ready.node.step.outputs, outputs)]
        differences = () if ready.newest is None else _differences(ready.newest.outputs, outputs)
        if ready.newest is not None and differences:
            name, first = ready.node.name, ready.newest.step
            events.append(facts.DivergenceSeen(self.run_id, name, ready.fingerprint, first, differences))
        return events

    def _result(self, ready: Ready, future: Future[Any]) -> Result:
        """What an executor gave; where it failed itself, as a pool does whose process died, a result that says so."""
        try:
            answer = future.result()
        except Exception as error:  # noqa: BLE001 — an executor may be anybody's
            return self._failed_outside(ready, error)
        return answer if isinstance(answer, Result) else Result.unpacked(answer)

    def _failed_outside(self, ready: Ready, error: Exception) -> Result:
        is_cut_off = isinstance(error, StepTimeout | WorkerDied)
        printed = error.details.pop("log", None) if isinstance(error, StepTimeout | WorkerDied) else None
        log: Digest | None = None
        blobs: tuple[Blob, ...] = ()
        if printed is not None:
            with self._store.blobs.batch() as batch:
                log, blobs = batch.put(printed), batch.publish()
        now_us = time.time_ns() // 1000
        is_ours = isinstance(error, LinealError) and not is_cut_off
        began_us = ready.tried_us
        return Result((), blobs, log, began_us, now_us - began_us, None, failure_of(error), error, is_ours)

    def _fail(self, ready: Ready, result: Result, failure: facts.Failure) -> None:
        node = ready.node
        event = facts.StepFailed(
            *ready.causes(self.run_id),
            failure,
            result.started_us,
            result.duration_us,
            result.log,
            node.step.__doc__,
            result.resources,
        )
        self._record.step(node, [event, *self._ended_claim(ready), *self._told(node, result)], result.blobs)
        self._failed_step = self._failed_step or node.name
        self._heard_by.step(node.name, "failed", result.duration_us / 1_000_000)
        if result.is_ours and isinstance(result.exception, LinealError):
            raise result.exception
        raise StepFailed(
            f"step {node.name!r} raised {failure.type}: {failure.message}",
            where=self._plan.pipeline,
            hint=f"See its traceback and output with `lineal show {str(self.run_id)[:8]}/{node.name}`.",
            step=node.name,
            run=self.run_id,
            traceback=failure.traceback,
        ) from result.exception

    def _give_up(self, running: dict[Future[Any], Ready], error: Exception) -> None:
        """Let what executes end and record it; record that the others never ran."""
        cancelled = {future for future in running if future.cancel()}
        begun = [*(ready for future, ready in running.items() if future in cancelled), *self._waiting]
        skipped = [*(ready.node for ready in begun), *self._agenda.left()]
        for future, ready in running.items():
            if future in cancelled:
                continue
            try:
                self._finish(ready, future)
            except Exception as another:  # noqa: BLE001 — recorded by _finish; the first failure is what is raised
                error.add_note(f"step {ready.node.name!r} failed too: {_first_line(another)}")
        for node in skipped:
            self._heard_by.step(node.name, "skipped", None)
        self._record.skipped(skipped, _first_line(error))


def _is_expired(found: Reusable, ready: Ready) -> bool:
    expires_after_us = ready.policy.expires_after_us
    return expires_after_us is not None and ready.begun_us - found.completed_us >= expires_after_us


def _differences(first: tuple[Output, ...], again: tuple[Output, ...]) -> tuple[Difference, ...]:
    before = {output.name: output.content for output in first}
    return tuple(
        [
            Difference(output.name, before[output.name], output.content)
            for output in again
            if before.get(output.name, output.content) != output.content
        ]
    )


def _first_line(error: BaseException) -> str:
    what = error.what if isinstance(error, LinealError) else f"{type(error).__name__}: {text_of(error)}"
    return what.partition("\n")[0][:1000]
