"""The course of a run: what is known of it while it goes on, shared by what begins its steps, tries and ends them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any

from ...errors import LinealError
from ...events import catalogue as facts
from ...events.catalogue import Event, Output
from ...events.ids import RunId, StepRunId
from ...history import Reader, RunView, StepRunView
from ...store import Store
from ..deciding.preparing import Ready
from ..executing.context import enclosing_runs
from ..executing.hooks import HookCalls
from ..graph.agenda import Agenda
from ..graph.graph import Node
from ..planning.plan import Plan
from ..workers.executors import prints_here
from .flights import Flights
from .outcome import first_line
from .progress import listener_of
from .recording import Recorder
from .retries import Retries
from .session import Session


class Course:
    """That of one run, for the thread that drives it alone, but where something else is said."""

    def __init__(
        self, store: Store, plan: Plan, executor: Executor, *, allow_pickle: bool, session: Session | None
    ) -> None:
        """Begin with nothing done."""
        self.run_id = RunId.new()
        self.store = store
        self.plan = plan
        session = session or Session(store, plan.policy, plan.seed, allow_pickle=allow_pickle)
        self.preparer = session.preparer
        self.cache = session.cache
        self.record = Recorder(store, self.run_id)
        self.heard_by = listener_of(
            pipeline=plan.pipeline,
            run=str(self.run_id),
            name=plan.run_name,
            steps=len(plan.graph.nodes),
            prints_here=prints_here(executor),
        )
        self.within = enclosing_runs()
        """The runs in whose steps this one was begun."""
        self.flights = Flights(store.path, len(self.within))
        self.calls = HookCalls(store)
        self.agenda = Agenda(plan.graph.nodes)
        self.given: dict[tuple[str, str], Output] = {}
        """What its steps gave by now, by step and output."""
        self.executing: dict[str, Ready] = {}
        """By name, what is tried and not at its end, or waits in `retries`; the thread that renews looks at it, too."""
        self.retries = Retries()
        self.is_slow: dict[Any, bool] = {}
        """By function, whether an execution of it has taken long, as far as that was looked up."""
        self.failures: list[LinealError] = []
        """What is to be raised at the end of a run that goes on after failures."""
        self.lost: dict[str, LinealError] = {}
        """What failed, or can't run for that, and why."""
        self.failed_step: str | None = None
        """The first one that did."""
        self.awaits_start = True
        """Whether nothing executes before it is durable that the run began."""
        self.is_ending = False
        """Whether nothing more is to begin, nor to be tried again."""
        self._reader = Reader(store, allow_pickle=allow_pickle)
        self.view = partial(RunView, self._reader, self.run_id)

    def step_view(self, name: str) -> StepRunView:
        """The view of one of its steps."""
        return StepRunView(self._reader, StepRunId(self.run_id, name))

    def give(self, node: Node, outputs: tuple[Output, ...]) -> None:
        """Let others take what a step gave."""
        for output in outputs:
            self.given[node.name, output.name] = output
        self.agenda.done(node.name)

    def ended_claim(self, ready: Ready) -> list[Event]:
        """The fact that a step holds its claim no longer, if it does one."""
        return [facts.ClaimEnded(ready.fingerprint, self.run_id)] if ready.is_claimed else []

    def skip(self, nodes: Sequence[Node], error: Exception) -> None:
        """Record that these never ran, because of an error."""
        for node in nodes:
            if isinstance(error, LinealError):
                self.lost[node.name] = error
            self.heard_by.step(node.name, "skipped", None)
        self.record.skipped(nodes, first_line(error))
