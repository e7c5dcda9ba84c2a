"""Runs a graph: decides for each step whether to reuse or execute, and records every fact as it becomes true."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import closing, suppress
from functools import partial
from typing import Any

from ...errors import LinealError
from ...events.catalogue import Event, Output
from ...events.ids import RunId
from ...store import Store
from ..deciding.divergence import divergence
from ..deciding.outlook import Outlook
from ..deciding.preparing import Ready
from ..declaring.output_labels import declared_labels
from ..graph.graph import Node
from ..graph.references import OutputRef
from ..graph.unfolding import Folded, Unfolding
from ..planning.plan import Plan
from ..workers.worker import Stopped
from .beginning import Beginning
from .course import Course
from .ending import Ending
from .interrupts import Interrupts
from .leases import renewals
from .outcome import first_line, together
from .progress import ending
from .session import Session
from .stopped import stopped
from .trying import Trying


class Runner:
    """One run of one plan. Make one, call `run` once."""

    def __init__(
        self, store: Store, plan: Plan, executor: Executor, *, allow_pickle: bool, session: Session | None = None
    ) -> None:
        """Prepare a run; in a session with others, or for itself."""
        course = self._course = Course(store, plan, executor, allow_pickle=allow_pickle, session=session)
        self.run_id = course.run_id
        self._store = store
        self._plan = plan
        self._record, self._calls, self._agenda = course.record, course.calls, course.agenda
        self._unfolding = Unfolding(plan.pipeline, partial(course.preparer.length, given=course.given))
        self._interrupts = Interrupts(self.run_id)
        self._ending = Ending(course, self._consequences)
        self._trying = Trying(course, executor, self._interrupts, self._ending.finish, allow_pickle=allow_pickle)
        preparer, cache = course.preparer, course.cache
        self._outlook = Outlook(store, self._agenda, course.given, cache, preparer, self._prepare)
        self._beginning = Beginning(course, self._trying, self._outlook)

    def run(self, *, waits: bool = True) -> RunId:
        """Run to the end; everything recorded is durable on return, and where it raises, too.

        Where it doesn't wait, that it completed is durable when the store was flushed, and what makes that fail is
        raised there.

        Raises:
            StepFailed: A step raised; the cause is what it raised.
            LinealError: An input or output could not be stored or loaded.
        """
        course, record, hooks = self._course, self._record, self._plan.hooks
        with self._interrupts.taken(), closing(self._trying), closing(course.flights), ending(course.heard_by):
            record.started(self._plan, course.preparer)
            course.awaits_start = waits
            started = record.submit() if waits or hooks.on_start is not None else None
            if started is not None:
                self._calls.start(started, hooks, course.view)
            try:
                with renewals.kept(self._renew):
                    self._run_steps()
                ended = record.completed()
                if waits:
                    ended.wait()
            except (KeyboardInterrupt, SystemExit, Stopped) as stop:
                is_recorded = record.cancelled(f"stopped by {type(stop).__name__}")
                if is_recorded:
                    name = course.view().name
                    stop.add_note(f"{name} is recorded as cancelled; `lineal resume {name}` goes on with it.")
                self._tell_of_bad_end(is_recorded)
                raise
            except BaseException as error:
                self._tell_of_bad_end(record.failed(course.failed_step, first_line(error)))
                raise
            self._calls.owe(ended, hooks, course.view, is_well=True)
            self._calls.make_all()
        return self.run_id

    def _tell_of_bad_end(self, is_recorded: bool) -> None:
        self._calls.make_all()
        if is_recorded:
            self._calls.end(self._plan.hooks, self._course.view, is_well=False)

    def stop(self) -> None:
        """Have the run cancelled as by Ctrl-C when it waits next; from any thread."""
        self._interrupts.request()

    def _renew(self) -> None:
        """Say that the run goes on, in the thread that renews; what executes by now takes long, so it is claimed."""
        self._record.renewed()
        self._beginning.claim_what_lasts()

    def _run_steps(self) -> None:
        course = self._course
        try:
            if self._plan.body is not None:
                with self._interrupts.opened():
                    self._plan.body(self)
            self._go_on(until=None)
            if self._plan.failure == "stop" and course.lost:
                raise next(iter(course.lost.values()))  # The body went on, but the run was not to.
        except Exception as error:
            self._give_up(error)
            raise
        except BaseException:
            self._stop()
            raise
        if course.failures:
            raise together(course.failures, self._plan.pipeline, course.view())

    def _go_on(self, until: Callable[[], bool] | None) -> None:
        """Run what is on the agenda, to the end or until something is so; what can begin has begun then."""
        agenda, beginning, trying, retries = self._agenda, self._beginning, self._trying, self._course.retries
        self._outlook.forget()
        while agenda or trying.running or beginning.waiting or retries:
            while node := agenda.next_ready():
                if isinstance(node, Folded):
                    self._unfold(node)
                else:
                    beginning.begin_next(node)
            for ready in retries.take_due():
                trying.begin(ready)
            self._course.flights.land()
            self._calls.make_due()
            if until is not None and until():
                return
            if trying.running or beginning.waiting or retries:
                self._record.submit()
                trying.wait(self._pause_until_s())

    def take(self, node: Node) -> None:
        """Take a call that the body of a dynamic pipeline makes, and begin what can begin."""
        with self._interrupts.held():
            self._add(node)
            self._go_on(until=lambda: True)

    def wait_for(self, name: str) -> None:
        """Go on until a call is done. Raises what it failed with, or what kept it from running; it is handled then."""
        course = self._course
        with self._interrupts.held():
            self._go_on(until=lambda: self._agenda.is_done(name) or name in course.lost)
        if (error := course.lost.get(name)) is not None:
            course.failures = [one for one in course.failures if one is not error]
            raise error

    def value_of(self, ref: OutputRef) -> Any:
        """The value of an output that is there, loaded anew."""
        return self._course.preparer.value(ref, self._course.given)

    def _prepare(self, node: Node) -> Ready:
        """A step whose inputs are known by now."""
        return self._course.preparer.prepare(node, self._course.given)

    def _consequences(self, ready: Ready, outputs: tuple[Output, ...]) -> list[Event]:
        """What is true with the completion of a step, in the same commit."""
        labels = declared_labels(self._store, ready.node.step.outputs, outputs)
        return [*self._course.ended_claim(ready), *labels, *divergence(self.run_id, ready, outputs)]

    def _add(self, node: Node) -> None:
        """Put a call on the agenda, or record that it can't run."""
        if not self._agenda.add(node):
            lost = self._course.lost
            failed = next(lost[parent] for parent in sorted(node.parents) if parent in lost)
            self._course.skip([node, *self._agenda.drop_after(node.name)], failed)

    def _unfold(self, folded: Folded) -> None:
        """Put on the agenda what is known to be called by now."""
        for node in self._unfolding.unfold(folded):
            self._add(node)
        if self._unfolding.is_unfolded(folded.name):
            self._agenda.done(folded.name)

    def _pause_until_s(self) -> float | None:
        """How long to wait for what executes at most; None if for nothing else."""
        pauses = [self._beginning.look_again()] if self._beginning.waiting else []
        if self._course.retries:
            pauses.append(self._course.retries.pause_s())
        return min(pauses, default=None)

    def _give_up(self, error: Exception) -> None:
        """Let what executes end and record it; record that the others never ran."""
        course, running = self._course, self._trying.running
        course.is_ending = True
        cancelled = {future for future in running if future.cancel()}
        begun = [*(ready for future, ready in running.items() if future in cancelled), *self._beginning.waiting]
        skipped = [*(ready.node for ready in begun), *self._agenda.left()]
        for future, ready in running.items():
            if future not in cancelled:
                _note(error, ready, partial(self._ending.finish, ready, future))
        for ready, result in course.retries:
            if result.failure is not None:
                _note(error, ready, partial(self._ending.fail, ready, result, result.failure))
        for other in course.failures:
            error.add_note(f"before that: {first_line(other)}")
        course.skip(skipped, error)

    def _stop(self) -> None:
        """Stop what executes, after an interrupt, and record what it came to."""
        course, running = self._course, self._trying.running
        course.is_ending = True
        for future in self._trying.stop():
            ready = running[future]
            if future.cancelled():
                del course.executing[ready.node.name]  # It never began.
            elif future.exception() is None:
                _note(Exception(), ready, partial(self._ending.finish, ready, future))
        for ready, _ in course.retries:
            course.executing.pop(ready.node.name, None)
        with suppress(LinealError):  # What stops the run is what is raised.
            self._record.append(*stopped(self._store, self.run_id, course.executing.values()))


def _note(error: Exception, ready: Ready, end: Callable[[], object]) -> None:
    try:
        end()
    except Exception as another:  # noqa: BLE001 — recorded already; the first failure is what is raised
        error.add_note(f"step {ready.node.name!r} failed too: {first_line(another)}")
