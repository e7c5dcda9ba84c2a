"""Sweeps: one pipeline run for many sets of parameters; what several of them need is computed once."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

from ..errors import InvalidPipeline, LinealError
from ..history import Reader, RunView
from ..in_force import InForce
from .runner import Runner
from .session import Session

if TYPE_CHECKING:
    from .plan import Plan

_DRAINED_RUNS = 32
"""After so many runs all is made durable: to run and to commit by turns is faster than both at once."""
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


class Sweep(Sequence[Trial]):
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


def parameter_sets(
    sets: Iterable[Mapping[str, Any]] | None, axes: Mapping[str, Any], where: str
) -> Iterator[dict[str, Any]]:
    """The sets of parameters: each of those given, with each combination of the axes; the last axis turns fastest.

    Raises:
        InvalidPipeline: An axis is empty, or a set gives what an axis gives, too.
    """
    ranged = {name: value if isinstance(value, _AXES) else [value] for name, value in axes.items()}
    for name, values in ranged.items():
        if not len(values):
            raise InvalidPipeline(f"the sweep has no value for {name!r}", where=where, hint="Leave it out instead.")
    for given in [{}] if sets is None else sets:
        twice = sorted(given.keys() & ranged.keys())
        if twice:
            raise InvalidPipeline(f"the sweep has {twice[0]!r} twice", where=where, hint="Say it in one place.")
        for values in itertools.product(*ranged.values()):
            yield {**given, **dict(zip(ranged, values, strict=True))}


def run_all(
    in_force: InForce, planned: Iterable[tuple[Mapping[str, Any], Plan]], executor: Executor, *, stops: bool
) -> Sweep:
    """Run plans one after the other, and wait once for all to be durable.

    Raises:
        StepFailed: A run failed, and the sweep is to stop then; the runs before it are durable.
    """
    reader = Reader(in_force.store, allow_pickle=in_force.allow_pickle)
    session: Session | None = None
    trials: list[Trial] = []
    try:
        for parameters, plan in planned:
            allow_pickle = in_force.allow_pickle
            session = session or Session(in_force.writable(), plan.policy, plan.seed, allow_pickle=allow_pickle)
            runner = Runner(in_force.writable(), plan, executor, allow_pickle=in_force.allow_pickle, session=session)
            error: LinealError | None = None
            try:
                runner.run(waits=False)
            except LinealError as failure:
                if stops:
                    raise
                error = failure
            trials.append(Trial(parameters, RunView(reader, runner.run_id), error))
            if len(trials) % _DRAINED_RUNS == 0:
                in_force.store.flush()
    finally:
        in_force.store.flush()
    return Sweep(trials)
