"""Sweeps: one pipeline run for many sets of parameters; what several of them need is computed once."""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any, overload

from ...errors import InvalidPipeline, LinealError
from ...history import Reader, RunView
from ...history.html_runs import compared
from ...history.notebooks import InNotebooks
from ...in_force import InForce
from ...materializers.markup import Markup
from ..fingerprint.source_index import SOURCE_INDEX
from ..planning.plan import Plan
from ..workers.executors import InlineExecutor
from ..workers.pool import usable_cores
from .progress import NOBODY, RunListener, ending, part_of
from .runner import Runner
from .session import Session

_AT_ONCE = 2 * usable_cores()
"""Runs that go on at once where steps execute elsewhere: so that there is always something to execute."""
_DRAINED_RUNS = 32
"""After so many runs all is made durable: to run and to commit by turns is faster than both at once."""
_NAME_MAX = 60
_AXES = (list, tuple, range)
"""Types of keyword arguments that are taken apart; everything else is one value."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of a sweep."""

    parameters: Mapping[str, Any]
    """What it was asked for."""
    run: RunView
    error: LinealError | None
    """Why it failed; None if it completed."""


class Sweep(Sequence[Trial], InNotebooks):
    """The runs of a sweep, in the order of the sets of parameters."""

    def __init__(self, trials: Sequence[Trial]) -> None:
        self._trials = trials

    @property
    def runs(self) -> list[RunView]:
        """All of them."""
        return [trial.run for trial in self._trials]

    @property
    def failed(self) -> list[Trial]:
        """Those that did not complete."""
        return [trial for trial in self._trials if trial.error is not None]

    @overload
    def __getitem__(self, index: int) -> Trial: ...

    @overload
    def __getitem__(self, index: slice) -> Sweep: ...

    def __getitem__(self, index: int | slice) -> Trial | Sweep:
        return Sweep(self._trials[index]) if isinstance(index, slice) else self._trials[index]

    def __len__(self) -> int:
        return len(self._trials)

    def __iter__(self) -> Iterator[Trial]:
        return iter(self._trials)

    def __repr__(self) -> str:
        failed = len(self.failed)
        return f"<Sweep of {len(self)} runs{f', {failed} failed' if failed else ''}>"

    def _in_short(self) -> Iterator[Markup]:
        yield compared(self.runs, [trial.parameters for trial in self._trials])


def parameter_sets(
    sets: Iterable[Mapping[str, Any]] | None, axes: Mapping[str, Any], where: str
) -> Iterator[dict[str, Any]]:
    """The sets of parameters: each of those given, with each combination of the axes; the last axis turns fastest.

    Raises:
        InvalidPipeline: An axis is empty, a set is no mapping, or gives what an axis gives, too.
    """
    ranged = {name: value if isinstance(value, _AXES) else [value] for name, value in axes.items()}
    for name, values in ranged.items():
        if not len(values):
            raise InvalidPipeline(f"the sweep has no value for {name!r}", where=where, hint="Leave it out instead.")
    for given in [{}] if sets is None else sets:
        if not isinstance(given, Mapping):
            raise InvalidPipeline(
                f"the sweep has a {type(given).__name__} where a set of parameters is to be",
                where=where,
                hint="Give mappings, as {'rate': 0.1}, or the values of one parameter by its name: rate=[…].",
            )
        twice = sorted(given.keys() & ranged.keys())
        if twice:
            raise InvalidPipeline(f"the sweep has {twice[0]!r} twice", where=where, hint="Say it in one place.")
        for values in itertools.product(*ranged.values()):
            yield {**given, **dict(zip(ranged, values, strict=True))}


Planned = Iterable[tuple[Mapping[str, Any], Plan]]
"""What was asked for, and what that is to run."""


def run_all(in_force: InForce, planned: Planned, executor: Executor, *, stops: bool, heard_by: RunListener) -> Sweep:
    """Run plans, in turn or where they execute elsewhere several at once, and wait once for all to be durable.

    Raises:
        StepFailed: A run failed, and the sweep is to stop then; the runs before it are durable.
    """
    runs = _Runs(in_force, executor, stops=stops, heard_by=heard_by)
    with ending(heard_by):
        try:
            trials = runs.in_turn(planned) if isinstance(executor, InlineExecutor) else runs.at_once(planned)
        finally:
            in_force.store.flush()
    return Sweep(trials)


def count_of(sets: Iterable[Mapping[str, Any]] | None, axes: Mapping[str, Any]) -> int:
    """How many sets of parameters `parameter_sets` gives; 0 where only going through them can tell."""
    given = 1 if sets is None else len(sets) if isinstance(sets, Sized) else 0
    return given * math.prod(len(values) for values in axes.values() if isinstance(values, _AXES))


def _name_of(parameters: Mapping[str, Any]) -> str:
    """What a run is called among those of its sweep."""
    return _shortened(", ".join(f"{name}={_shortened(repr(value))}" for name, value in parameters.items()))


def _shortened(text: str) -> str:
    """A text as far as there is room for it."""
    return text if len(text) <= _NAME_MAX else f"{text[: _NAME_MAX - 1]}…"


class _Runs:
    """The runs of one sweep."""

    def __init__(self, in_force: InForce, executor: Executor, *, stops: bool, heard_by: RunListener) -> None:
        self._heard_by = heard_by
        self._in_force = in_force
        self._store = in_force.writable()
        self._executor = executor
        self._stops = stops
        self._reader = Reader(in_force.store, allow_pickle=in_force.allow_pickle)
        self._idle: deque[Session] = deque()
        self._going_on: set[Runner] = set()
        self._is_stopped = False

    def in_turn(self, planned: Planned) -> list[Trial]:
        trials = []
        for parameters, plan in planned:
            trials.append(self._run(parameters, plan, waits=False))
            if len(trials) % _DRAINED_RUNS == 0:
                self._store.flush()
        return trials

    def at_once(self, planned: Planned) -> list[Trial]:
        """Each run is driven by a thread; plans are made in this one, when there is a thread for them.

        They wait for their commits: what one computes, another one finds only there.
        """
        ended: list[Future[Trial]] = []
        going_on: set[Future[Trial]] = set()
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="lineal-sweep") as threads:
            try:
                for parameters, plan in planned:
                    if len(going_on) == _AT_ONCE:
                        done, going_on = wait(going_on, return_when=FIRST_COMPLETED)
                        for future in done:
                            future.result()
                    future = threads.submit(copy_context().run, partial(self._run, parameters, plan, waits=True))
                    ended.append(future)
                    going_on.add(future)
                return [future.result() for future in ended]
            except BaseException:
                self._stop()
                raise

    def _stop(self) -> None:
        """Have the runs that go on cancelled, and those not begun not begin."""
        self._is_stopped = True
        for runner in tuple(self._going_on):
            runner.stop()

    def _run(self, parameters: Mapping[str, Any], plan: Plan, *, waits: bool) -> Trial:
        session = self._session(plan)
        allow_pickle = self._in_force.allow_pickle
        with part_of(self._heard_by, "" if self._heard_by is NOBODY else _name_of(parameters)):
            runner = Runner(self._store, plan, self._executor, allow_pickle=allow_pickle, session=session)
        error: LinealError | None = None
        self._going_on.add(runner)
        try:
            if self._is_stopped:
                raise KeyboardInterrupt
            runner.run(waits=waits)
        except LinealError as failure:
            if self._stops:
                raise
            error = failure
        finally:
            SOURCE_INDEX.keep(self._store.path)
            self._going_on.discard(runner)
            self._idle.append(session)
        return Trial(parameters, RunView(self._reader, runner.run_id), error)

    def _session(self, plan: Plan) -> Session:
        """One that no run uses by now."""
        try:
            return self._idle.pop()
        except IndexError:
            return Session(self._store, plan.policy, plan.seed, allow_pickle=self._in_force.allow_pickle)
