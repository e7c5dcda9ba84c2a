"""Runs a graph: decides for each step whether to reuse or execute, and records every fact as it becomes true."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ..cas import Blob, Digest
from ..cas.process import ProcessStamp
from ..errors import LinealError, StepFailed
from ..events import catalogue as facts
from ..events.catalogue import Difference, Event, Input, Output, Process
from ..events.committer import Ticket
from ..events.ids import Fingerprint, RunId, StepRunId
from ..events.projections.cache import SLOW_US, Reusable
from ..history import newest_content
from ..store import Store
from .cache import StepCache
from .captures import new_code, new_environment
from .claims import Claims
from .environment import captured_environment
from .executors import shares_memory
from .fingerprint import CodeManifest, CodeWalker, fingerprint
from .graph import Agenda, Graph, Node, OutputRef, causes
from .leases import lease_until_us, renewals
from .literals import Literals
from .parcel import Parcel, execute_parcel
from .task import Result, Task, execute, failure_of, text_of

_PAUSE_MIN_S, _PAUSE_MAX_S = 0.002, 0.1
"""How long a run that waits for another's result lets pass until it looks again, at first and at most."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run and how."""

    pipeline: str
    graph: Graph
    parameters: Mapping[str, Any]
    docstring: str | None
    run_name: str | None
    cache: bool
    """Whether steps that don't say so themselves may be served from the cache."""


@dataclass(slots=True)
class Ready:
    """A step whose inputs are known."""

    node: Node
    inputs: tuple[Input, ...]
    fingerprint: Fingerprint
    code: CodeManifest
    blobs: list[Blob] = field(default_factory=list)
    """Receipts of literals and code, which the step's first event names."""
    captured: Sequence[Event] = ()
    """What goes with its first event."""
    newest: Reusable | None = None
    """The newest step run of the fingerprint when this one began."""
    is_claimed: bool = False
    begun_us: int = 0
    begun_ns: int = 0
    """When it was first looked for in the cache, on the clock of `time.perf_counter_ns`."""

    def causes(self, run: RunId) -> tuple[RunId, str, str, Fingerprint, Digest, tuple[Input, ...]]:
        """What every fact of the step's end begins with."""
        step = self.node.step.qualified_name
        return run, self.node.name, step, self.fingerprint, self.code.digest, self.inputs


class Runner:
    """One run of one plan. Make one, call `run` once."""

    def __init__(self, store: Store, plan: Plan, executor: Executor, *, allow_pickle: bool) -> None:
        self.run_id = RunId.new()
        self._allow_pickle = allow_pickle
        self._store = store
        self._plan = plan
        self._executor = executor
        self._cache = StepCache(store)
        self._walker = CodeWalker()
        self._literals = Literals(store.blobs)
        self._tickets: list[Ticket] = []
        self._latest: dict[str, Ticket] = {}
        self._failed_step: str | None = None
        self._recorded_code: set[Digest] = set()
        self._given: dict[tuple[str, str], Output] = {}
        self._agenda = Agenda(plan.graph)
        self._claims = Claims(store, self.run_id)
        self._is_slow: dict[Any, bool] = {}
        self._waiting: deque[Ready] = deque()
        self._pause_s = _PAUSE_MIN_S
        self._executing: dict[str, Ready] = {}

    def run(self) -> RunId:
        """Run to the end; everything recorded is durable on return, and where it raises, too.

        Raises:
            StepFailed: A step raised; the cause is what it raised.
            LinealError: An input or output could not be stored or loaded.
        """
        self._start()
        try:
            with renewals.kept(self._renew):
                self._run_steps()
            self._store.metrics.submit(self.run_id)
            self._append([facts.RunCompleted(self.run_id)], after=self._tickets).wait()
        except (KeyboardInterrupt, SystemExit) as stop:
            self._end(facts.RunCancelled(self.run_id, f"stopped by {type(stop).__name__}"))
            raise
        except BaseException as error:
            self._end(facts.RunFailed(self.run_id, self._failed_step, _first_line(error)))
            raise
        return self.run_id

    def _start(self) -> None:
        stamp = ProcessStamp.current()
        with self._store.blobs.batch() as batch:
            structure = batch.put(self._plan.graph.structure())
            environment = batch.put(captured_environment())
            blobs = list(batch.publish())
        parameters = []
        for name, value in self._plan.parameters.items():
            literal = self._literals.save(name, value)
            blobs += literal.blobs
            parameters.append(Input(name, literal.content, None, literal.text, None))
        event = facts.RunStarted(
            self.run_id,
            self._plan.pipeline,
            structure,
            tuple(parameters),
            self._plan.run_name,
            Process(stamp.host, stamp.boot, stamp.pid, stamp.start_ticks),
            environment,
            self._plan.docstring,
            lease_until_us(),
        )
        self._append([event, *new_environment(self._store, environment)], blobs).wait()

    def _renew(self) -> None:
        """Say that the run goes on, in the thread that renews; what executes by now takes long, so it is claimed."""
        self._append([facts.RunRenewed(self.run_id, lease_until_us())]).wait()
        for name, ready in list(self._executing.items()):
            if not ready.is_claimed and self._may_reuse(ready.node):
                ready.is_claimed = self._claims.attempt(ready.fingerprint, name) is None
                if ready.is_claimed and name not in self._executing:  # Else whoever finishes it ends the claim.
                    self._append(self._ended_claim(ready))

    def _end(self, event: Event) -> None:
        """Record how the run ended; where even that can't be written, the error under way tells why.

        What made commits of this run fail was raised by it: nobody is to hear of it a second time.
        """
        try:
            self._store.metrics.submit(self.run_id)
            self._append([event]).wait()
        except LinealError:
            return
        finally:
            self._store.forget_failures(self._tickets)

    def _append(self, events: Sequence[Event], blobs: Sequence[Blob] = (), after: Sequence[Ticket] = ()) -> Ticket:
        ticket = self._store.append(events, blobs, after=after)
        self._tickets.append(ticket)
        return ticket

    def _record(self, node: Node, events: Sequence[Event], blobs: Sequence[Blob]) -> None:
        """Submit facts of a step, which stand only if those stand that they follow from: its own and its parents'."""
        names = (node.name, *node.parents)
        after = [self._latest[name] for name in names if name in self._latest]
        self._latest[node.name] = self._append(events, blobs, after)

    def _run_steps(self) -> None:
        running: dict[Future[Any], Ready] = {}
        try:
            while self._agenda or running or self._waiting:
                while node := self._agenda.next_ready():
                    self._begin(self._prepare(node), running)
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
        if self._may_reuse(node):
            reusable = self._cache.served(ready.fingerprint, ready.newest, node.step.outputs)
            if reusable is not None:
                self._reuse(ready, reusable)
                return
            if not ready.is_claimed and self._is_computed_once(node):
                ready.is_claimed = self._claims.attempt(ready.fingerprint, node.name) is None
                if ready.is_claimed:
                    self._begin(ready, running)  # Anew: who held it before may have completed since that look.
                else:
                    self._waiting.append(ready)
                return
        self._execute(ready, running)

    def _execute(self, ready: Ready, running: dict[Future[Any], Ready]) -> None:
        node = ready.node
        started = facts.StepStarted(
            self.run_id, node.name, node.step.qualified_name, ready.fingerprint, ready.inputs, ready.code.digest
        )
        self._record(node, [started, *ready.captured], ready.blobs)
        self._executing[node.name] = ready
        future = self._submit(ready)
        if future.done():
            self._finish(ready, future)
        else:
            running[future] = ready

    def _may_reuse(self, node: Node) -> bool:
        wanted: bool | None = node.step.options.cache
        return self._plan.cache if wanted is None else wanted

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
        inputs: list[Input] = []
        blobs: list[Blob] = []
        for source in node.sources:
            if isinstance(source.value, OutputRef):
                given = self._given[source.value.node, source.value.output]
                inputs.append(Input(source.path, given.content, given.artifact, None, source.value.node))
            else:
                literal = self._literals.save(source.path, source.value, node.name)
                blobs += literal.blobs
                inputs.append(Input(source.path, literal.content, None, literal.text, None))
        options = node.step.options
        code = self._walker.manifest(node.step.function, depends_on=options.depends_on, version=options.version)
        captured: Sequence[Event] = ()
        if code.digest not in self._recorded_code:
            self._recorded_code.add(code.digest)
            captured = new_code(self._store, code.digest, node.step.qualified_name)
            with self._store.blobs.batch() as batch:
                batch.put(code.encoded)
                blobs += batch.publish()
        given_by = causes(node.arguments, [taken.content for taken in inputs])
        counted = {name: cause for name, cause in given_by.items() if name not in options.ignore_inputs}
        print_ = Fingerprint(fingerprint(code=code.digest, inputs=counted, outputs=node.step.outputs.names))
        return Ready(node, tuple(inputs), print_, code, blobs, captured)

    def _reuse(self, ready: Ready, reusable: Reusable) -> None:
        node = ready.node
        outputs = tuple(given._replace(artifact=self._artifact(node, given.name)) for given in reusable.outputs)
        self._give(node, outputs)
        event = facts.StepReused(
            *ready.causes(self.run_id),
            outputs,
            reusable.step,
            ready.begun_us,
            (time.perf_counter_ns() - ready.begun_ns) // 1000,
            node.step.__doc__,
        )
        self._record(node, [event, *ready.captured, *self._ended_claim(ready)], ready.blobs)

    def _artifact(self, node: Node, output: str) -> str:
        """The artifact's name in this run: a reused step may have had another name, or another pipeline."""
        for spec in node.step.outputs.specs:
            if spec.name == output and spec.artifact is not None:
                return str(spec.artifact)
        return f"{self._plan.pipeline}.{node.name}.{output}"

    def _give(self, node: Node, outputs: tuple[Output, ...]) -> None:
        for output in outputs:
            self._given[node.name, output.name] = output
        self._agenda.done(node)

    def _submit(self, ready: Ready) -> Future[Any]:
        node = ready.node
        task = Task(
            self._plan.pipeline,
            node.name,
            node.step.function,
            node.arguments,
            tuple(taken.content for taken in ready.inputs),
            node.step.outputs,
            self._allow_pickle,
        )
        blobs = self._store.blobs
        if shares_memory(self._executor):
            newest = partial(newest_content, self._store)
            return self._executor.submit(copy_context().run, execute, task, blobs.batch(), blobs, newest)
        artifacts = [self._artifact(node, output) for output in node.step.outputs.names]
        succeeded = {name: newest_content(self._store, name) for name in artifacts}
        rows = blobs.rows_under([*task.contents, *filter(None, succeeded.values())])
        parcel = Parcel(blobs.files.root, task, ready.code.encoded, rows, succeeded)
        return self._executor.submit(execute_parcel, parcel.packed())

    def _finish(self, ready: Ready, future: Future[Any]) -> None:
        """Record what a step came to. Raises what the step raised."""
        result = self._result(future)
        del self._executing[ready.node.name]
        if result.failure is not None:
            self._fail(ready, result, result.failure)
        node = ready.node
        self._give(node, result.outputs)
        if result.duration_us >= SLOW_US:
            self._is_slow[node.step.function] = True
            ready.newest = self._cache.newest(ready.fingerprint)  # Somebody else may have been faster.
        self._cache.announce(ready.fingerprint, Reusable(StepRunId(self.run_id, node.name), result.outputs))
        event = facts.StepCompleted(
            *ready.causes(self.run_id),
            result.outputs,
            result.started_us,
            result.duration_us,
            result.log,
            node.step.__doc__,
            result.resources,
        )
        self._record(node, [event, *self._consequences(ready, result.outputs)], result.blobs)

    def _consequences(self, ready: Ready, outputs: tuple[Output, ...]) -> list[Event]:
        """What is true with the completion of a step, in the same commit."""
        events = self._ended_claim(ready)
        differences = () if ready.newest is None else _differences(ready.newest.outputs, outputs)
        if ready.newest is not None and differences:
            name, first = ready.node.name, ready.newest.step
            events.append(facts.DivergenceSeen(self.run_id, name, ready.fingerprint, first, differences))
        return events

    def _result(self, future: Future[Any]) -> Result:
        """What an executor gave; where it failed itself, as a pool does whose process died, a result that says so."""
        try:
            answer = future.result()
        except Exception as error:  # noqa: BLE001 — an executor may be anybody's
            is_ours = isinstance(error, LinealError)
            return Result((), (), None, time.time_ns() // 1000, 0, None, failure_of(error), error, is_ours)
        return answer if isinstance(answer, Result) else Result.unpacked(answer)

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
        self._record(node, [event, *self._ended_claim(ready)], result.blobs)
        self._failed_step = self._failed_step or node.name
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
        events = [
            facts.StepSkipped(self.run_id, node.name, node.step.qualified_name, _first_line(error)) for node in skipped
        ]
        if events:
            self._append(events)


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
