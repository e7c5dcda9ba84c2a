"""Progress of runs: what is told of one while it goes, to whoever wants to hear it; not how it is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, NamedTuple, Protocol, get_args

from ..cas import progress as of_bytes
from ..errors import InvalidPipeline

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
_show: Callable[[Beginning], RunListener | None] | None = None


def show_runs_with(show: Callable[[Beginning], RunListener | None]) -> None:
    """Let this decide of each run how it is shown; it gives what hears of the run, if anything."""
    global _show
    _show = show


def listener_of(*, pipeline: str, run: str, name: str | None, steps: int, prints_here: bool) -> RunListener:
    """What hears of a run that begins."""
    if _show is None:
        return NOBODY
    return _show(Beginning(pipeline, run, name, steps, prints_here, _mode.get())) or NOBODY


@contextmanager
def ending(listener: RunListener) -> Iterator[None]:
    """Tell a listener how what happens inside the block came to its end."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
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
