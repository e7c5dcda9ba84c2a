"""Runs a graph: decides for each step whether to reuse or execute, and records every fact as it becomes true."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, wait
from contextlib import closing, suppress
from functools import partial
from typing import Any

from ...errors import LinealError
from ...events import catalogue as facts
from ...events.catalogue import Event, Output
from ...events.committer import Ticket
from ...events.ids import RunId, StepRunId
from ...events.projections.cache import SLOW_US, Reusable
from ...history import Reader, RunView, StepRunView
from ...store import Store
from ..deciding.divergence import divergence
from ..deciding.preparing import Ready
from ..declaring.output_labels import declared_labels
from ..executing.context import enclosing_runs
from ..executing.hooks import HookCalls
from ..executing.reports import told
from ..executing.task import Result
from ..graph.agenda import Agenda
from ..graph.graph import Node
from ..graph.references import OutputRef
from ..graph.unfolding import Folded, Unfolding
from ..planning.plan import Plan
from ..workers.arrivals import Arrivals
from ..workers.executors import prints_here
from ..workers.nursery import GRACE_S
from ..workers.worker import Stopped
from .claims import Claims
from .flights import Flights
from .interrupts import Interrupts
from .leases import renewals
from .outcome import completed, error_of, failed, first_line, may_go_on, result_of, retried, together, warn_of_others
from .progress import ending, listener_of
from .recording import Recorder
from .retries import Retries
from .session import Session
from .stopped import stopped
from .submitting import Submitter

_PAUSE_MIN_S, _PAUSE_MAX_S = 0.002, 0.1
"""How long a run that waits for another's result lets pass until it looks again, at first and at most."""
_GRACE_S = GRACE_S + 1
"""How long a run that was interrupted waits for its steps to stop."""


class Runner:
    """One run of one plan. Make one, call `run` once."""

    def __init__(
        self, store: Store, plan: Plan, executor: Executor, *, allow_pickle: bool, session: Session | None = None
    ) -> None:
        """Prepare a run; in a session with others, or for itself."""
        self.run_id = RunId.new()
        self._store = store
        self._plan = plan
        session = session or Session(store, plan.policy, plan.seed, allow_pickle=allow_pickle)
        self._preparer = session.preparer
        self._cache = session.cache
        self._record = Recorder(store, self.run_id)
        self._heard_by = listener_of(
            pipeline=plan.pipeline,
            run=str(self.run_id),
            name=plan.run_name,
            steps=len(plan.graph.nodes),
            prints_here=prints_here(executor),
        )
        self._within = enclosing_runs()
        self._submitter = Submitter(
            store,
            plan,
            self.run_id,
            executor,
            allow_pickle=allow_pickle,
            within=self._within,
            hear=self._heard_by.progress,
        )
        self._claims = Claims(store, self.run_id)
        self._agenda = Agenda(plan.graph.nodes)
        self._given: dict[tuple[str, str], Output] = {}
        self._unfolding = Unfolding(plan.pipeline, partial(self._preparer.length, given=self._given))
        self._is_slow: dict[Any, bool] = {}
        self._executing: dict[str, Ready] = {}
        """By name, what is tried and not at its end; of that ``_running`` is with the executor, and ``_retries`` waits
        after a failed attempt."""
        self._running: dict[Future[Any], Ready] = {}
        self._retries = Retries()
        self._waiting: deque[Ready] = deque()
        """What others compute by now."""
        self._pause_s = _PAUSE_MIN_S
        self._flights = Flights(store.path, len(self._within))
        self._arrivals = Arrivals()
        self._interrupts = Interrupts(self.run_id)
        self._arrivals.expect(self._interrupts.requested)
        self._calls = HookCalls(store)
        self._reader = Reader(store, allow_pickle=allow_pickle)
        self._view = partial(RunView, self._reader, self.run_id)
        self._failures: list[LinealError] = []
        self._lost: dict[str, LinealError] = {}
        """What failed, or can't run for that, and why."""
        self._failed_step: str | None = None
        self._is_ending = False

    def run(self, *, waits: bool = True) -> RunId:
        """Run to the end; everything recorded is durable on return, and where it raises, too.

        Where it doesn't wait, that it completed is durable when the store was flushed, and what makes that fail is
        raised there.

        Raises:
            StepFailed: A step raised; the cause is what it raised.
            LinealError: An input or output could not be stored or loaded.
        """
        with self._interrupts.taken(), closing(self._submitter), closing(self._flights), ending(self._heard_by):
            self._record.started(self._plan, self._preparer)
            started = self._record.submit() if waits or self._plan.hooks.on_start is not None else None
            if started is not None:
                started.wait()
                self._calls.start(started, self._plan.hooks, self._view)
            try:
                with renewals.kept(self._renew):
                    self._run_steps()
                ended = self._record.completed()
                if waits:
                    ended.wait()
            except (KeyboardInterrupt, SystemExit, Stopped) as stop:
                is_recorded = self._record.cancelled(f"stopped by {type(stop).__name__}")
                if is_recorded:
                    name = self._view().name
                    stop.add_note(f"{name} is recorded as cancelled; `lineal resume {name}` goes on with it.")
                self._tell_of_bad_end(is_recorded)
                raise
            except BaseException as error:
                self._tell_of_bad_end(self._record.failed(self._failed_step, first_line(error)))
                raise
            self._calls.owe(ended, self._plan.hooks, self._view, is_well=True)
            self._calls.make_all()
        return self.run_id

    def _tell_of_bad_end(self, is_recorded: bool) -> None:
        self._calls.make_all()
        if is_recorded:
            self._calls.end(self._plan.hooks, self._view, is_well=False)

    def stop(self) -> None:
        """Have the run cancelled as by Ctrl-C when it waits next; from any thread."""
        self._interrupts.request()

    def _renew(self) -> None:
        """Say that the run goes on, in the thread that renews; what executes by now takes long, so it is claimed."""
        self._record.renewed()
        for name, ready in list(self._executing.items()):
            if not ready.is_claimed and ready.policy.takes and ready.policy.offers:
                ready.is_claimed = self._claims.attempt(ready.fingerprint, name) is None
                if ready.is_claimed and name not in self._executing:  # Else whoever finishes it ends the claim.
                    self._record.append(self._ended_claim(ready))

    def _run_steps(self) -> None:
        try:
            if self._plan.body is not None:
                with self._interrupts.opened():
                    self._plan.body(self)
            self._go_on(until=None)
            if self._plan.failure == "stop" and self._lost:
                raise next(iter(self._lost.values()))  # The body went on, but the run was not to.
        except Exception as error:
            self._give_up(error)
            raise
        except BaseException:
            self._stop()
            raise
        if self._failures:
            raise together(self._failures, self._plan.pipeline, self._view())

    def _go_on(self, until: Callable[[], bool] | None) -> None:
        """Run what is on the agenda, to the end or until something is so; what can begin has begun then."""
        while self._agenda or self._running or self._waiting or self._retries:
            while node := self._agenda.next_ready():
                if isinstance(node, Folded):
                    self._unfold(node)
                else:
                    self._begin(self._prepare(node))
            for ready in self._retries.take_due():
                self._try(ready)
            self._flights.land()
            self._calls.make_due()
            if until is not None and until():
                return
            if self._running or self._waiting or self._retries:
                self._record.submit()
                self._wait(self._pause_until_s())

    def take(self, node: Node) -> None:
        """Take a call that the body of a dynamic pipeline makes, and begin what can begin."""
        with self._interrupts.held():
            self._add(node)
            self._go_on(until=lambda: True)

    def wait_for(self, name: str) -> None:
        """Go on until a call is done. Raises what it failed with, or what kept it from running; it is handled then."""
        with self._interrupts.held():
            self._go_on(until=lambda: self._agenda.is_done(name) or name in self._lost)
        if (error := self._lost.get(name)) is not None:
            self._failures = [one for one in self._failures if one is not error]
            raise error

    def value_of(self, ref: OutputRef) -> Any:
        """The value of an output that is there, loaded anew."""
        return self._preparer.value(ref, self._given)

    def _add(self, node: Node) -> None:
        """Put a call on the agenda, or record that it can't run."""
        if not self._agenda.add(node):
            failed = next(self._lost[parent] for parent in sorted(node.parents) if parent in self._lost)
            self._skip([node, *self._agenda.drop_after(node.name)], failed)

    def _pause_until_s(self) -> float | None:
        """How long to wait for what executes at most; None if for nothing else."""
        pauses = [self._look_again()] if self._waiting else []
        if self._retries:
            pauses.append(self._retries.pause_s())
        return min(pauses, default=None)

    def _wait(self, pause_s: float | None) -> None:
        """Wait until something that executes is done, or so long, and record what is."""
        self._interrupts.open()
        try:
            self._interrupts.raise_requested()
            self._arrivals.wait(pause_s)
            self._interrupts.raise_requested()
        finally:
            self._interrupts.shut()
        while (future := self._arrivals.take()) is not None:
            if (ready := self._running.pop(future, None)) is not None:
                self._finish(ready, future)

    def _unfold(self, folded: Folded) -> None:
        """Put on the agenda what is known to be called by now."""
        for node in self._unfolding.unfold(folded):
            self._add(node)
        if self._unfolding.is_unfolded(folded.name):
            self._agenda.done(folded.name)

    def _look_again(self) -> float:
        """Begin what waits for other runs, if it need not any more; tell how long to pause if it does."""
        count = len(self._waiting)
        for _ in range(count):
            self._begin(self._waiting.popleft())
        is_same = count == len(self._waiting)
        self._pause_s = min(self._pause_s * 1.5, _PAUSE_MAX_S) if is_same else _PAUSE_MIN_S
        return self._pause_s

    def _begin(self, ready: Ready) -> None:
        """Serve a step from the cache, have it wait for who computes the same, or submit it.

        One that finished at once is finished at once.
        """
        node = ready.node
        if not ready.begun_us:
            ready.begun_us, ready.begun_ns = time.time_ns() // 1000, time.perf_counter_ns()
        landed = self._flights.landed
        ready.newest = self._cache.newest(ready.fingerprint)
        done = self._plan.done.get(node.name)
        if done is not None and done.fingerprint == ready.fingerprint and self._cache.holds(done.result):
            self._reuse(ready, done.result)
            return
        reusable = self._cache.serve(ready)
        if reusable is not None:
            self._reuse(ready, reusable)
            return
        if ready.policy.takes and ready.policy.offers:
            if not self._is_first(ready):
                self._waiting.append(ready)
                return
            if landed != self._flights.landed:
                self._begin(ready)  # Anew: what landed since that look may be the same.
                return
            if not ready.is_claimed and self._is_computed_once(node):
                holder = self._claims.attempt(ready.fingerprint, node.name)
                ready.is_claimed = holder is None
                if holder is None:
                    self._begin(ready)  # Anew: who held it before may have completed since that look.
                    return
                if holder.run not in self._within:  # Else it may be queued behind the step that this run was begun in.
                    self._waiting.append(ready)
                    return
        self._execute(ready)

    def _is_first(self, ready: Ready) -> bool:
        """Whether nothing in this process computes the same by now."""
        if not ready.is_in_flight:
            ready.is_in_flight = self._flights.take(ready.fingerprint)
        return ready.is_in_flight

    def _execute(self, ready: Ready) -> None:
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
        ticket = self._record.step(node, [started, *captured], blobs)
        self._executing[node.name] = ready
        self._calls.start(ticket, node.step.options.hooks, partial(self._step_view, node.name))
        self._heard_by.step(node.name, "running", None)
        self._try(ready)

    def _try(self, ready: Ready) -> None:
        ready.attempt += 1
        ready.tried_us = time.time_ns() // 1000
        self._interrupts.open()
        try:
            future = self._submitter.submit(ready, ready.attempt)
        finally:
            self._interrupts.shut()
        if future.done():
            self._finish(ready, future)
        else:
            self._running[future] = ready
            self._arrivals.expect(future)

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
        outputs = tuple([self._as_here(node, given) for given in reusable.outputs])
        self._give(node, outputs)
        if ready.is_in_flight:
            self._flights.end(ready.fingerprint)
        ready.loads, ready.missed = reusable.loads, reusable.missed
        event = facts.StepReused(
            *ready.causes(self.run_id),
            outputs,
            reusable.step,
            ready.begun_us,
            (time.perf_counter_ns() - ready.begun_ns) // 1000,
            node.step.__doc__,
            ready.missed,
        )
        captured, blobs = self._preparer.captured(ready)
        executed = self._cache.submission(reusable.step)
        labels = declared_labels(self._store, node.step.outputs, outputs)
        self._heard_by.step(node.name, "cached", event.duration_us / 1_000_000)
        self._record.reused(node, [event, *captured, *labels, *self._ended_claim(ready)], blobs, executed)

    def _as_here(self, node: Node, given: Output) -> Output:
        """An output under its artifact's name in this run: a reused step may have had another name, or pipeline."""
        artifact = f"{self._plan.pipeline}.{node.name}.{given.name}"
        for spec in node.step.outputs.specs:
            if spec.artifact is not None and spec.name == given.name:
                artifact = str(spec.artifact)
        return given if given.artifact == artifact else Output(given.name, artifact, *given[2:])

    def _give(self, node: Node, outputs: tuple[Output, ...]) -> None:
        for output in outputs:
            self._given[node.name, output.name] = output
        self._agenda.done(node.name)

    def _finish(self, ready: Ready, future: Future[Any]) -> None:
        """Record what an attempt came to. Raises what the step raised, if the run is not to go on."""
        result = result_of(future, ready, self._store)
        ready.loads, ready.missed = result.loads, result.missed
        if result.failure is not None:
            self._take_failure(ready, result, result.failure)
            return
        del self._executing[ready.node.name]
        node = ready.node
        self._give(node, result.outputs)
        if result.duration_us >= SLOW_US:
            self._is_slow[node.step.function] = True
            ready.newest = self._cache.newest(ready.fingerprint)  # Somebody else may have been faster.
        event, step = completed(self.run_id, ready, result), StepRunId(self.run_id, node.name)
        self._heard_by.step(node.name, "completed", result.duration_us / 1_000_000)
        consequences = [*self._consequences(ready, result.outputs), *told(self._store, step, result)]
        ticket = self._record.step(node, [event, *consequences], result.blobs)
        self._land(ready, ticket, is_well=True)
        warn_of_others(ready, result)
        if ready.policy.offers and not result.others:
            completed_us = result.started_us + result.duration_us
            reusable = Reusable(step, result.outputs, completed_us, ready.loads, ready.missed)
            self._cache.announce(ready.fingerprint, reusable, ticket)

    def _consequences(self, ready: Ready, outputs: tuple[Output, ...]) -> list[Event]:
        """What is true with the completion of a step, in the same commit."""
        labels = declared_labels(self._store, ready.node.step.outputs, outputs)
        return [*self._ended_claim(ready), *labels, *divergence(self.run_id, ready, outputs)]

    def _land(self, ready: Ready, ticket: Ticket, *, is_well: bool) -> None:
        """Let others find what a step came to once that is committed, and its hooks be called."""
        if ready.is_in_flight:
            self._flights.end(ready.fingerprint, ticket)
        hooks = ready.node.step.options.hooks
        self._calls.owe(ticket, hooks, partial(self._step_view, ready.node.name), is_well=is_well)

    def _step_view(self, name: str) -> StepRunView:
        return StepRunView(self._reader, StepRunId(self.run_id, name))

    def _take_failure(self, ready: Ready, result: Result, failure: facts.Failure) -> None:
        """Have a step tried again, or record that it failed and raise that, if the run is not to go on."""
        attempts = ready.node.step.options.attempts
        is_users = not result.is_ours and not self._is_ending
        if is_users and attempts.may_retry(ready.attempt, result.exception, result.kinds):
            self._retry(ready, result, failure, attempts.delay_after_s(ready.attempt, self.run_id, ready.node.name))
            return
        error = self._lost[ready.node.name] = self._fail(ready, result, failure)
        if self._plan.failure == "stop" or self._is_ending or not may_go_on(error):
            raise error
        self._failures.append(error)
        self._skip(self._agenda.drop_after(ready.node.name), error)

    def _retry(self, ready: Ready, result: Result, failure: facts.Failure, delay_s: float) -> None:
        node = ready.node
        event = retried(self.run_id, ready, result, failure, delay_s)
        self._record.step(node, [event, *told(self._store, StepRunId(self.run_id, node.name), result)], result.blobs)
        self._retries.add(ready, result, delay_s)

    def _fail(self, ready: Ready, result: Result, failure: facts.Failure) -> LinealError:
        """Record that a step failed, and give what a run raises for it."""
        node = ready.node
        del self._executing[node.name]
        event = failed(self.run_id, ready, result, failure)
        events = [event, *self._ended_claim(ready), *told(self._store, StepRunId(self.run_id, node.name), result)]
        ticket = self._record.step(node, events, result.blobs)
        self._land(ready, ticket, is_well=False)
        self._failed_step = self._failed_step or node.name
        self._heard_by.step(node.name, "failed", result.duration_us / 1_000_000)
        return error_of(ready, result, failure, self._plan.pipeline, self._view())

    def _give_up(self, error: Exception) -> None:
        """Let what executes end and record it; record that the others never ran."""
        self._is_ending = True
        cancelled = {future for future in self._running if future.cancel()}
        begun = [*(ready for future, ready in self._running.items() if future in cancelled), *self._waiting]
        skipped = [*(ready.node for ready in begun), *self._agenda.left()]
        for future, ready in self._running.items():
            if future not in cancelled:
                self._note(error, ready, partial(self._finish, ready, future))
        for ready, result in self._retries:
            if result.failure is not None:
                self._note(error, ready, partial(self._fail, ready, result, result.failure))
        for other in self._failures:
            error.add_note(f"before that: {first_line(other)}")
        self._skip(skipped, error)

    def _skip(self, nodes: Sequence[Node], error: Exception) -> None:
        for node in nodes:
            if isinstance(error, LinealError):
                self._lost[node.name] = error
            self._heard_by.step(node.name, "skipped", None)
        self._record.skipped(nodes, first_line(error))

    def _note(self, error: Exception, ready: Ready, end: Callable[[], object]) -> None:
        try:
            end()
        except Exception as another:  # noqa: BLE001 — recorded already; the first failure is what is raised
            error.add_note(f"step {ready.node.name!r} failed too: {first_line(another)}")

    def _stop(self) -> None:
        """Stop what executes, after an interrupt; another one is waited for no longer."""
        self._is_ending = True
        for future in self._running:
            self._submitter.stop(future)
        with self._interrupts.opened():
            done, _ = wait(self._running, _GRACE_S)
        for future in done:
            if future.cancelled():
                del self._executing[self._running[future].node.name]  # It never began.
            elif future.exception() is None:
                self._note(Exception(), self._running[future], partial(self._finish, self._running[future], future))
        for ready, _ in self._retries:
            self._executing.pop(ready.node.name, None)
        with suppress(LinealError):  # What stops the run is what is raised.
            self._record.append(*stopped(self._store, self.run_id, self._executing.values()))
