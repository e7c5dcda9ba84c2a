"""Beginning: what is ready is served from the cache, waits for who computes the same, or is tried."""

from __future__ import annotations

import time
from collections import deque
from functools import partial

from ...events import catalogue as facts
from ...events.catalogue import Output
from ...events.projections.cache import Reusable
from ..deciding.outlook import Outlook
from ..deciding.preparing import Ready
from ..declaring.output_labels import declared_labels
from ..graph.graph import Node
from .claims import Claims
from .course import Course
from .trying import Trying

_PAUSE_MIN_S, _PAUSE_MAX_S = 0.002, 0.1
"""How long a run that waits for another's result lets pass until it looks again, at first and at most."""


class Beginning:
    """Begins the steps of one run."""

    def __init__(self, course: Course, trying: Trying, outlook: Outlook) -> None:
        self._course = course
        self._outlook = outlook
        self._trying = trying
        self._cache = course.cache
        self._claims = Claims(course.store, course.run_id)
        self.waiting: deque[Ready] = deque()
        """What others compute by now."""
        self._pause_s = _PAUSE_MIN_S

    def begin_next(self, node: Node) -> None:
        """Begin a step whose turn it is, as `begin` says."""
        ready = self._outlook.ready(node)
        served = None if self._course.plan.done else self._outlook.served(ready)
        if served is None:
            self.begin(ready)
        else:
            ready.begun_us, ready.begun_ns = time.time_ns() // 1000, time.perf_counter_ns()
            self._reuse(ready, served)

    def begin(self, ready: Ready) -> None:
        """Serve a step from the cache, have it wait for who computes the same, or try it.

        One that finished at once is finished at once.
        """
        course, node = self._course, ready.node
        if not ready.begun_us:
            ready.begun_us, ready.begun_ns = time.time_ns() // 1000, time.perf_counter_ns()
        landed = course.flights.landed
        ready.newest = self._cache.newest(ready.fingerprint)
        done = course.plan.done.get(node.name)
        if done is not None and done.fingerprint == ready.fingerprint and self._cache.holds(done.result):
            self._reuse(ready, done.result)
            return
        reusable = self._cache.serve(ready)
        if reusable is not None:
            self._reuse(ready, reusable)
            self._outlook.widen()
            return
        self._outlook.narrow()
        if ready.policy.takes and ready.policy.offers:
            if not self._is_first(ready):
                self.waiting.append(ready)
                return
            if landed != course.flights.landed:
                self.begin(ready)  # Anew: what landed since that look may be the same.
                return
            if not ready.is_claimed and self._is_computed_once(node):
                holder = self._claims.attempt(ready.fingerprint, node.name)
                ready.is_claimed = holder is None
                if holder is None:
                    self.begin(ready)  # Anew: who held it before may have completed since that look.
                    return
                if holder.run not in course.within:  # Else it may be queued behind the step this run was begun in.
                    self.waiting.append(ready)
                    return
        self._execute(ready)

    def look_again(self) -> float:
        """Begin what waits for other runs, if it need not any more; tell how long to pause if it does."""
        count = len(self.waiting)
        for _ in range(count):
            self.begin(self.waiting.popleft())
        is_same = count == len(self.waiting)
        self._pause_s = min(self._pause_s * 1.5, _PAUSE_MAX_S) if is_same else _PAUSE_MIN_S
        return self._pause_s

    def claim_what_lasts(self) -> None:
        """Claim what executes by now, as it takes long; in the thread that renews the run's lease."""
        course = self._course
        for name, ready in list(course.executing.items()):
            if not ready.is_claimed and ready.policy.takes and ready.policy.offers:
                ready.is_claimed = self._claims.attempt(ready.fingerprint, name) is None
                if ready.is_claimed and name not in course.executing:  # Else whoever finishes it ends the claim.
                    course.record.append(course.ended_claim(ready))

    def _is_first(self, ready: Ready) -> bool:
        """Whether nothing in this process computes the same by now."""
        if not ready.is_in_flight:
            ready.is_in_flight = self._course.flights.take(ready.fingerprint)
        return ready.is_in_flight

    def _is_computed_once(self, node: Node) -> bool:
        wanted: bool | None = node.step.options.once
        if wanted is not None:
            return wanted
        is_slow, function = self._course.is_slow, node.step.function
        if function not in is_slow:
            is_slow[function] = self._cache.is_slow(node.step.qualified_name)
        return is_slow[function]

    def _execute(self, ready: Ready) -> None:
        course, node = self._course, ready.node
        started = facts.StepStarted(
            course.run_id,
            node.name,
            node.step.qualified_name,
            ready.fingerprint,
            ready.inputs,
            ready.code.digest,
            ready.because,
        )
        captured, blobs = course.preparer.captured(ready)
        ticket = course.record.step(node, [started, *captured], blobs)
        if course.awaits_start:
            course.record.await_start()
        course.executing[node.name] = ready
        course.calls.start(ticket, node.step.options.hooks, partial(course.step_view, node.name))
        course.heard_by.step(node.name, "running", None)
        self._trying.begin(ready)

    def _reuse(self, ready: Ready, reusable: Reusable) -> None:
        course, node = self._course, ready.node
        outputs = tuple([self._as_here(node, given) for given in reusable.outputs])
        course.give(node, outputs)
        if ready.is_in_flight:
            course.flights.end(ready.fingerprint)
        ready.loads, ready.missed = reusable.loads, reusable.missed
        event = facts.StepReused(
            *ready.causes(course.run_id),
            outputs,
            reusable.step,
            ready.begun_us,
            (time.perf_counter_ns() - ready.begun_ns) // 1000,
            node.step.__doc__,
            ready.missed,
        )
        captured, blobs = course.preparer.captured(ready)
        executed = self._cache.submission(reusable.step)
        labels = declared_labels(course.store, node.step.outputs, outputs)
        course.heard_by.step(node.name, "cached", event.duration_us / 1_000_000)
        course.record.reused(node, [event, *captured, *labels, *course.ended_claim(ready)], blobs, executed)

    def _as_here(self, node: Node, given: Output) -> Output:
        """An output under its artifact's name in this run: a reused step may have had another name, or pipeline."""
        artifact = f"{self._course.plan.pipeline}.{node.name}.{given.name}"
        for spec in node.step.outputs.specs:
            if spec.artifact is not None and spec.name == given.name:
                artifact = str(spec.artifact)
        return given if given.artifact == artifact else Output(given.name, artifact, *given[2:])
