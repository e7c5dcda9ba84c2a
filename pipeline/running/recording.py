"""Recording a run: what it says to the log, in an order in which no fact stands without those it follows from."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ...cas import Blob
from ...cas.process import ProcessStamp
from ...errors import LinealError
from ...events import catalogue as facts
from ...events.catalogue import Event, Process
from ...events.committer import Ticket
from ...events.ids import RunId
from ...store import Store
from ..deciding.captures import new_environment
from ..deciding.preparing import Preparer
from ..graph.graph import Node
from ..planning.plan import Plan
from ..surroundings.checkout import captured_checkout
from ..surroundings.environment import captured_environment
from .leases import lease_until_us

_GATHERED_MAX = 1000
"""Facts that are submitted together at most: a submission costs as much as a few facts, and as long as there is none,
the thread that commits leaves this one alone."""


@dataclass(slots=True)
class _Gathered:
    """Facts that are to be submitted together."""

    events: list[Event] = field(default_factory=list)
    blobs: list[Blob] = field(default_factory=list)
    after: set[Ticket] = field(default_factory=set)
    names: set[str] = field(default_factory=set)


class Recorder:
    """What one run says to the log. Threads may share it."""

    def __init__(self, store: Store, run: RunId) -> None:
        self._store = store
        self._run = run
        self._tickets: list[Ticket] = []
        self._latest: dict[str, Ticket] = {}
        self._lock = threading.RLock()
        self._gathered = _Gathered()

    def append(self, events: Sequence[Event], blobs: Sequence[Blob] = (), after: Sequence[Ticket] = ()) -> Ticket:
        """Submit facts, which stand only if those stand that they follow from."""
        with self._lock:
            self.submit()
            return self._append(events, blobs, after)

    def submit(self) -> Ticket | None:
        """Submit what was gathered, if anything: before a run waits for anything but the log."""
        with self._lock:
            gathered = self._gathered
            if not gathered.events:
                return None
            self._gathered = _Gathered()
            ticket = self._append(gathered.events, gathered.blobs, list(gathered.after))
            self._latest.update(dict.fromkeys(gathered.names, ticket))
            return ticket

    def _append(self, events: Sequence[Event], blobs: Sequence[Blob], after: Sequence[Ticket]) -> Ticket:
        ticket = self._store.append(events, blobs, after=[*self._tickets[:1], *after])
        self._tickets.append(ticket)
        return ticket

    def await_start(self) -> None:
        """Return when that the run began is durable; raise what made that fail."""
        started = self._tickets[0]
        if not started.done or started.error is not None:
            started.wait()

    def started(self, plan: Plan, preparer: Preparer) -> None:
        """Say that the run began, with its structure, environment and parameters; gathered, as `reused` says.

        It is in the first submission, and all others stand only if that does.
        """
        stamp = ProcessStamp.current()
        found = captured_checkout(plan.function)
        with self._store.blobs.batch() as batch:
            structure = batch.put(plan.graph.structure())
            environment = batch.put(captured_environment())
            checkout = None if found is None else batch.put(found)
            blobs = list(batch.publish())
        parameters, saved = preparer.parameters(plan.parameters)
        blobs += saved
        code = preparer.pipeline_code(plan)
        event = facts.RunStarted(
            self._run,
            plan.pipeline,
            structure,
            tuple(parameters),
            plan.run_name,
            Process(stamp.host, stamp.boot, stamp.pid, stamp.start_ticks),
            environment,
            plan.docstring,
            lease_until_us(),
            code.function,
            code.digest,
            plan.again,
            checkout,
        )
        self._gather([event, *new_environment(self._store, environment), *code.captured], [*blobs, *code.blobs])

    def renewed(self) -> None:
        """Say that the run goes on; durable on return."""
        self.append([facts.RunRenewed(self._run, lease_until_us())]).wait()

    def step(self, node: Node, events: Sequence[Event], blobs: Sequence[Blob]) -> Ticket:
        """Submit facts of a step, which stand only if its own earlier ones and its parents' do."""
        with self._lock:
            self.submit()
            latest = self._latest
            after = [latest[name] for name in (node.name, *node.parents) if name in latest]
            ticket = latest[node.name] = self._append(events, blobs, after)
            return ticket

    def reused(
        self, node: Node, events: Sequence[Event], blobs: Sequence[Blob], executed: Ticket | None = None
    ) -> None:
        """Gather facts of a step that was served from the cache, to be submitted with those of others like it.

        They are one submission, so they stand together, and none without those of its parents, and of the execution
        that it was served with, if that is on its way.
        """
        with self._lock:
            gathered, latest = self._gathered, self._latest
            if executed is not None:
                gathered.after.add(executed)
            for name in node.parents:
                if name not in gathered.names and name in latest:
                    gathered.after.add(latest[name])
            gathered.names.add(node.name)
            self._gather(events, blobs)

    def _gather(self, events: Sequence[Event], blobs: Sequence[Blob]) -> None:
        gathered = self._gathered
        gathered.events += events
        gathered.blobs += blobs
        if len(gathered.events) >= _GATHERED_MAX:
            self.submit()

    def skipped(self, nodes: Iterable[Node], because: str) -> None:
        """Say that these never ran."""
        events = [facts.StepSkipped(self._run, node.name, node.step.qualified_name, because) for node in nodes]
        if events:
            self.append(events)

    def completed(self) -> Ticket:
        """Say that all was done, which stands only if all else does."""
        self._store.metrics.submit(self._run)
        with self._lock:
            self._gathered.after.update(self._tickets)
            self._gather([facts.RunCompleted(self._run)], ())
            self.submit()
            return self._tickets[-1]

    def cancelled(self, reason: str) -> bool:
        """Say that somebody stopped it; see `_ended_badly`."""
        return self._ended_badly(facts.RunCancelled(self._run, reason))

    def failed(self, step: str | None, message: str) -> bool:
        """Say why it failed; see `_ended_badly`."""
        return self._ended_badly(facts.RunFailed(self._run, step, message))

    def _ended_badly(self, event: Event) -> bool:
        """Record how the run ended; False where even that can't be written: the error under way tells why.

        What made commits of this run fail was raised by it: nobody is to hear of it a second time.
        """
        try:
            self._store.metrics.submit(self._run)
            self.append([event]).wait()
        except LinealError:
            return False
        finally:
            self._store.forget_failures(self._tickets)
        return True
