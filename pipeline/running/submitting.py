"""Submitting: how a step that is ready gets to the executor of its run."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import ExitStack
from contextvars import copy_context
from functools import cached_property, partial
from typing import Any

from ...cas import Digest
from ...cas.files import Scratch
from ...events.ids import RunId, StepRunId
from ...history import Trust, is_visualized, newest_content
from ...history.live_logs import live_log_name
from ...store import Store
from ..capturing.broadcast import Broadcast
from ..capturing.capture import is_drawn_on, routed
from ..deciding.preparing import Ready
from ..executing.giving import Giver
from ..executing.parcel import CodeParcel, Order, Succeeded, execute_apart, execute_parcel, packed_parcel
from ..executing.reports import Before, OfStep, StoreReports, hear_from, run_name
from ..executing.task import Task, execute
from ..graph.graph import TracedStep
from ..graph.literals import is_scalar
from ..planning.plan import Plan
from ..surroundings.seeds import Entropy
from ..workers.executors import shares_memory
from ..workers.meeting import MeetingPoint
from ..workers.pool import WorkerPool
from ..workers.step_threads import StepThreads
from ..workers.workforce import Terms


class Submitter:
    """Submits the steps of one run. In this process they share its store; elsewhere they are sent what they need."""

    def __init__(
        self,
        store: Store,
        plan: Plan,
        run: RunId,
        executor: Executor,
        *,
        allow_pickle: bool,
        within: tuple[RunId, ...],
        hear: Callable[[str, float, float | None, str], object],
    ) -> None:
        """Submit to this executor; ``hear`` is told how far steps are, those in workers of ours included."""
        self._hear = hear
        self._store = store
        self._plan = plan
        self._run = run
        self._executor = executor
        self._allow_pickle = allow_pickle
        self._trust = Trust(store)
        self._within = within
        self._newest, self._shown = partial(newest_content, store), partial(is_visualized, store)
        self._orders: dict[tuple[TracedStep, Digest], bytes] = {}
        self._until_closed = ExitStack()
        self._is_routed = False

    def submit(self, ready: Ready, attempt: int) -> Future[Any]:
        """Have a step executed; the future gives a `Result`, or one packed.

        Where the executor refuses it, the future tells.
        """
        try:
            return self._submit(ready, self._task(ready, attempt))
        except Exception as error:  # noqa: BLE001 — an executor may be anybody's
            refused: Future[Any] = Future()
            refused.set_exception(error)
            return refused

    def stop(self, future: Future[Any]) -> None:
        """Stop what was submitted, as far as its executor can."""
        if isinstance(self._executor, StepThreads | WorkerPool):
            self._executor.stop(future)
        else:
            future.cancel()

    def close(self) -> None:
        """Remove what was laid out for workers, and let go of the streams."""
        self._until_closed.close()

    def _task(self, ready: Ready, attempt: int) -> Task:
        node, contents = ready.node, ready.contents
        # Literals were saved here; what was taken as an artifact may have come from elsewhere.
        taken = [one.given for one in ready.inputs if one.artifact is not None]
        return Task(
            self._plan.pipeline,
            node.name,
            node.step.function,
            node.arguments,
            contents,
            node.step.outputs,
            self._allow_pickle and (not taken or self._trust.allows(taken)),
            self._run,
            Entropy(ready.fingerprint, ready.seed),
            attempt,
            node.unchecked,
            self._store.path,
            self._within,
            ready.policy.visualizes is not False,
            {number: one.value for number, one in enumerate(node.sources) if is_scalar(one.value)},
        )

    def _submit(self, ready: Ready, task: Task) -> Future[Any]:
        timeout_s = ready.node.step.options.attempts.timeout_s
        blobs = self._store.blobs
        if timeout_s is None and shares_memory(self._executor):
            if not self._is_routed:
                self._until_closed.enter_context(routed())
                self._is_routed = True
            giver = Giver(blobs.batch(), blobs, self._newest, self._shown)
            reports = StoreReports(self._store, StepRunId(self._run, task.step), partial(self._hear, task.step))
            live = self._broadcast.of(task.step, task.attempt)
            return self._executor.submit(copy_context().run, execute, task, giver, reports, live)
        data = self._parcel(ready, task)
        hear = partial(hear_from, self._store, partial(self._hear, task.step))
        if isinstance(self._executor, WorkerPool):
            terms = Terms(timeout_s, ready.node.step.qualified_name if timeout_s is None else None, hear)
            return self._executor.submit_as(terms, execute_parcel, data)
        if timeout_s is None:
            return self._executor.submit(execute_parcel, data)
        if shares_memory(self._executor):
            return self._executor.submit(copy_context().run, execute_apart, data, timeout_s, hear)
        return self._executor.submit(execute_apart, data, timeout_s)

    def _parcel(self, ready: Ready, task: Task) -> bytes:
        loaded = [content for number, content in enumerate(task.contents) if number not in task.scalars]
        rows = self._store.blobs.rows_under(loaded)
        if isinstance(self._executor, WorkerPool):
            return packed_parcel(self._order(ready), task, rows, None)
        artifacts = [output.artifact or f"{task.pipeline}.{task.step}.{output.name}" for output in task.outputs.specs]
        before = {name: Before.of(self._store, name) for name in artifacts}
        for one in before.values():
            rows.update(one.rows)
        contents = {name: one.content for name, one in before.items()}
        shown = {one for one in contents.values() if one is not None and is_visualized(self._store, one)}
        return packed_parcel(self._order(ready), task, rows, Succeeded(contents, shown))

    def _order(self, ready: Ready) -> bytes:
        step = ready.node.step
        known = self._orders.get((step, ready.code.digest))
        if known is None:
            store = self._store
            code = CodeParcel.of(step, ready.code, self._scratch)
            root, pipeline = store.blobs.files.root, self._plan.pipeline
            within, live = self._within, self._broadcast.path
            order = Order(
                root=root,
                store=store.path,
                pipeline=pipeline,
                run=self._run,
                run_name=self._name,
                within=within,
                allow_pickle=self._allow_pickle,
                code=code,
                live=live,
                is_drawn_on=is_drawn_on(),
                meeting="" if self._has_lines else self._meeting.address,
            )
            known = self._orders[step, ready.code.digest] = order.packed()
        return known

    def _scratch(self) -> Scratch:
        scratch = self._store.blobs.files.scratch()
        self._until_closed.callback(scratch.discard)
        return scratch

    @property
    def _has_lines(self) -> bool:
        """Whether what the executor is given can tell and ask without more ado."""
        return isinstance(self._executor, WorkerPool) or shares_memory(self._executor)

    @cached_property
    def _meeting(self) -> MeetingPoint:
        point = MeetingPoint(self._hear_afar)
        self._until_closed.callback(point.close)
        return point

    def _hear_afar(self, of: OfStep) -> Any:
        return hear_from(self._store, partial(self._hear, of.step), of.told)

    @cached_property
    def _broadcast(self) -> Broadcast:
        broadcast = Broadcast(self._store.blobs.files.named_scratch(live_log_name(self._run)))
        self._until_closed.callback(broadcast.end)
        return broadcast

    @cached_property
    def _name(self) -> str:
        return run_name(self._store, self._run)
