"""Progress of runs: what is told of one while it goes, to whoever wants to hear it; not how it is shown."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, NamedTuple, Protocol, get_args

from ...cas import progress as of_bytes
from ...errors import InvalidPipeline
from ..workers.worker import Stopped

Mode = Literal["auto", "live", "plain", "none"]
"""How runs are shown: as suits the place, as a table that changes, a line for each step, or not at all."""


class Beginning(NamedTuple):
    """A run that begins."""

    pipeline: str
    run: str
    """Its id in hex."""
    name: str | None
    """None where it is to be named after its pipeline and number."""
    steps: int
    """How many steps it has, as far as that is known."""
    prints_here: bool
    """Whether its steps print through the streams of this process."""
    mode: Mode | None
    """How it is to be shown; None if nobody has said."""
    parts: Literal["steps", "runs"] = "steps"
    """What it consists of: a sweep consists of runs, and is told of as a run is of its steps."""


class RunListener(Protocol):
    """Hears of one run. It is called by whichever thread drives the run, and must neither raise nor take long."""

    def step(self, name: str, status: str, duration_s: float | None) -> None:
        """A step is running now, or ended: completed, cached, failed, skipped."""

    def progress(self, name: str, done: float, total: float | None, note: str) -> None:
        """A step that runs told how far it is; any thread may call this."""

    def ended(self, status: str) -> None:
        """The run completed, failed or was cancelled."""


class _Nobody:
    """Hears of runs that nobody watches."""

    def step(self, name: str, status: str, duration_s: float | None) -> None:
        pass

    def progress(self, name: str, done: float, total: float | None, note: str) -> None:
        pass

    def ended(self, status: str) -> None:
        pass


NOBODY: RunListener = _Nobody()
_mode: ContextVar[Mode | None] = ContextVar("lineal_progress_mode", default=None)
_sweep: ContextVar[tuple[RunListener, str] | None] = ContextVar("lineal_progress_sweep", default=None)
"""What hears of the sweep that a run is part of, and what the run is called there."""
_show: Callable[[Beginning], RunListener | None] | None = None


def show_runs_with(show: Callable[[Beginning], RunListener | None]) -> None:
    """Let this decide of each run how it is shown; it gives what hears of the run, if anything."""
    global _show
    _show = show


def listener_of(*, pipeline: str, run: str, name: str | None, steps: int, prints_here: bool) -> RunListener:
    """What hears of a run that begins; of one that is part of a sweep, only that hears."""
    sweep = _sweep.get()
    if sweep is not None:
        return _Part(*sweep, steps)
    if _show is None:
        return NOBODY
    return _show(Beginning(pipeline, run, name, steps, prints_here, _mode.get())) or NOBODY


def sweep_listener_of(*, pipeline: str, runs: int, prints_here: bool) -> RunListener:
    """What hears of a sweep that begins, of so many runs, 0 if that is not known."""
    if _show is None:
        return NOBODY
    return _show(Beginning(pipeline, "", f"sweep of {pipeline}", runs, prints_here, _mode.get(), "runs")) or NOBODY


@contextmanager
def part_of(sweep: RunListener, name: str) -> Iterator[None]:
    """Let what hears of a sweep hear of the run that this thread begins inside the block, under a name."""
    token = _sweep.set((sweep, name))
    try:
        yield
    finally:
        _sweep.reset(token)


class _Part:
    """Hears of a run that is part of a sweep, and tells of it as of a step."""

    def __init__(self, sweep: RunListener, name: str, steps: int) -> None:
        self._sweep = sweep
        self._name = name
        self._steps = steps
        self._ended_steps = 0
        self._begun_s = time.monotonic()
        sweep.step(name, "running", None)

    def step(self, name: str, status: str, duration_s: float | None) -> None:
        is_running = status == "running"
        self._ended_steps += not is_running
        self._sweep.progress(self._name, self._ended_steps, self._steps or None, name if is_running else "")

    def progress(self, name: str, done: float, total: float | None, note: str) -> None:
        pass

    def ended(self, status: str) -> None:
        self._sweep.step(self._name, status, time.monotonic() - self._begun_s)


@contextmanager
def ending(listener: RunListener) -> Iterator[None]:
    """Tell a listener how what happens inside the block came to its end."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit, Stopped):
        listener.ended("cancelled")
        raise
    except BaseException:
        listener.ended("failed")
        raise
    listener.ended("completed")


@contextmanager
def reporting(how: Mode | of_bytes.Listener) -> Iterator[None]:
    """Say how progress is told of everything that this thread or task does inside the block.

    Args:
        how: Of runs: ``"live"``, a table on the terminal; ``"plain"``, a line for each step on stderr; ``"none"``;
            or ``"auto"``: a table if stderr is a terminal and this is no CI, else nothing. What nobody says is left to
            the variable ``LINEAL_PROGRESS``, which takes the same words. Or a function that hears of what takes long in
            saving, loading and upkeep: it is called from whichever thread does the work, one call at a time, and what
            it raises ends the work.

    Raises:
        InvalidPipeline: It is neither.
    """
    if callable(how):
        with of_bytes.reporting(how):
            yield
        return
    if how not in get_args(Mode):
        raise InvalidPipeline(
            f"progress can't be shown {how!r}", hint=f"Say {', '.join(map(repr, get_args(Mode)))}, or pass a function."
        )
    token = _mode.set(how)
    try:
        yield
    finally:
        _mode.reset(token)
