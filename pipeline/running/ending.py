"""Ending: what an attempt came to is recorded, with all that follows from it, and others find it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

from ...errors import LinealError
from ...events.catalogue import Event, Failure, Output
from ...events.committer import Ticket
from ...events.ids import StepRunId
from ...events.projections.cache import SLOW_US, Reusable
from ..deciding.preparing import Ready
from ..executing.reports import told
from ..executing.task import Result
from .course import Course
from .outcome import completed, error_of, failed, may_go_on, result_of, retried, warn_of_others


class Ending:
    """Ends the steps of one run that executed."""

    def __init__(self, course: Course, consequences: Callable[[Ready, tuple[Output, ...]], list[Event]]) -> None:
        """``consequences`` gives what is true with the completion of a step, in the same commit."""
        self._course = course
        self._consequences = consequences

    def finish(self, ready: Ready, future: Future[Any]) -> None:
        """Record what an attempt came to. Raises what the step raised, if the run is not to go on."""
        course, node = self._course, ready.node
        result = result_of(future, ready, course.store)
        ready.loads, ready.missed = result.loads, result.missed
        if result.failure is not None:
            self._take_failure(ready, result, result.failure)
            return
        del course.executing[node.name]
        course.give(node, result.outputs)
        if result.duration_us >= SLOW_US:
            course.is_slow[node.step.function] = True
            ready.newest = course.cache.newest(ready.fingerprint)  # Somebody else may have been faster.
        event, step = completed(course.run_id, ready, result), StepRunId(course.run_id, node.name)
        course.heard_by.step(node.name, "completed", result.duration_us / 1_000_000)
        consequences = [*self._consequences(ready, result.outputs), *told(course.store, step, result)]
        ticket = course.record.step(node, [event, *consequences], result.blobs)
        self._land(ready, ticket, is_well=True)
        warn_of_others(ready, result)
        if ready.policy.offers and not result.others:
            completed_us = result.started_us + result.duration_us
            reusable = Reusable(step, result.outputs, completed_us, ready.loads, ready.missed)
            course.cache.announce(ready.fingerprint, reusable, ticket)

    def fail(self, ready: Ready, result: Result, failure: Failure) -> LinealError:
        """Record that a step failed for good, and give what a run raises for it."""
        course, node = self._course, ready.node
        del course.executing[node.name]
        event = failed(course.run_id, ready, result, failure)
        told_of = told(course.store, StepRunId(course.run_id, node.name), result)
        ticket = course.record.step(node, [event, *course.ended_claim(ready), *told_of], result.blobs)
        self._land(ready, ticket, is_well=False)
        course.failed_step = course.failed_step or node.name
        course.heard_by.step(node.name, "failed", result.duration_us / 1_000_000)
        return error_of(ready, result, failure, course.plan.pipeline, course.view())

    def _land(self, ready: Ready, ticket: Ticket, *, is_well: bool) -> None:
        """Let others find what a step came to once that is committed, and its hooks be called."""
        course = self._course
        if ready.is_in_flight:
            course.flights.end(ready.fingerprint, ticket)
        hooks = ready.node.step.options.hooks
        course.calls.owe(ticket, hooks, partial(course.step_view, ready.node.name), is_well=is_well)

    def _take_failure(self, ready: Ready, result: Result, failure: Failure) -> None:
        """Have a step tried again, or record that it failed and raise that, if the run is not to go on."""
        course = self._course
        attempts = ready.node.step.options.attempts
        is_users = not result.is_ours and not course.is_ending
        if is_users and attempts.may_retry(ready.attempt, result.exception, result.kinds):
            self._retry(ready, result, failure, attempts.delay_after_s(ready.attempt, course.run_id, ready.node.name))
            return
        error = course.lost[ready.node.name] = self.fail(ready, result, failure)
        if course.plan.failure == "stop" or course.is_ending or not may_go_on(error):
            raise error
        course.failures.append(error)
        course.skip(course.agenda.drop_after(ready.node.name), error)

    def _retry(self, ready: Ready, result: Result, failure: Failure, delay_s: float) -> None:
        course, node = self._course, ready.node
        event = retried(course.run_id, ready, result, failure, delay_s)
        told_of = told(course.store, StepRunId(course.run_id, node.name), result)
        course.record.step(node, [event, *told_of], result.blobs)
        course.retries.add(ready, result, delay_s)
