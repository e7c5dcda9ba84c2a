"""Runs on stderr while they go: a table that changes, on a terminal, or a line for each step."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TextIO

from ..pipeline.capturing.capture import is_drawn_on, unrouted, write_with
from ..pipeline.running.progress import Beginning, RunListener
from .escape import visible
from .units import duration_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table

VARIABLE = "LINEAL_PROGRESS"
PATIENCE_S = 0.5
"""A run that takes no longer than this is not worth a table."""
_TICK_S = 0.1
_LINE_EVERY_S = 10.0
_ENDED_ROWS = 5
"""How many of the steps that have ended are in the table, the last ones."""
_ROWS_MAX = 20
_RUNNING_ROWS = 15
"""How many of the steps that run are in the table: those that began first."""
_BAR_WIDTH = 24
_STYLES = {"completed": "green", "cached": "cyan", "failed": "bold red", "running": "yellow", "skipped": "dim"}


def show(beginning: Beginning) -> RunListener | None:
    """What shows a run, as was said or as suits the place; None where it is not to be shown."""
    mode = beginning.mode or os.environ.get(VARIABLE, "auto")
    stream = None if sys.stderr is None else unrouted(sys.stderr)
    if mode == "none" or stream is None or stream.closed:
        return None
    if mode == "plain":
        return _Lines(beginning, stream)
    if not _can_change(stream):
        return _Lines(beginning, stream) if mode == "live" else None
    if mode != "live" and os.environ.get("CI"):
        return None
    if mode != "live" and not beginning.prints_here:
        return _Lines(beginning, stream)  # What other processes print would tear a table apart.
    if is_drawn_on() and not _display.is_drawing:
        return None  # The process draws that has this one execute steps.
    return _display.run(beginning, stream)


def _can_change(stream: TextIO) -> bool:
    """Whether what is written can be taken back."""
    return stream.isatty() and os.environ.get("TERM", "dumb") not in ("", "dumb", "unknown")


def _label(beginning: Beginning) -> str:
    return visible(beginning.name or beginning.pipeline)


def _ending(label: str, status: str, took_s: float, counts: _Counts) -> str:
    """What became of a run, on a line."""
    steps = str(counts)
    return f"{label}: {status} in {duration_text(took_s)}{f' ({steps})' if steps else ''}"


@dataclass(slots=True)
class _Counts:
    """How many steps of a run are in which state."""

    by_status: dict[str, int] = field(default_factory=dict)

    def add(self, status: str) -> None:
        self.by_status[status] = self.by_status.get(status, 0) + 1

    @property
    def ended(self) -> int:
        return sum(self.by_status.values())

    def __str__(self) -> str:
        return ", ".join(f"{number} {status}" for status, number in self.by_status.items())


def _known(counts: _Counts, total: int, parts: str) -> str:
    """How far something is, in its parts."""
    return f"{counts.ended} of {total} {parts}" if total else f"{counts.ended} {parts}"


def _done_text(done: float, total: float | None, note: str) -> str:
    of_total = "" if total is None else f"/{total:g}"
    return f"{done:g}{of_total} {visible(note)}".rstrip()


class _Lines:
    """A line for each step that has ended, and one for the run; every ten seconds one of how far what runs is.

    Of the runs of a sweep only those that fail have one of their own.
    """

    def __init__(self, beginning: Beginning, stream: TextIO) -> None:
        self._total = beginning.steps
        self._parts = beginning.parts
        self._lock = threading.Lock()
        self._label = _label(beginning)
        self._stream: TextIO | None = stream
        self._counts = _Counts()
        self._begun_s = self._told_s = time.monotonic()

    def step(self, name: str, status: str, duration_s: float | None) -> None:
        if status == "running":
            return
        with self._lock:
            self._counts.add(status)
            if self._parts == "steps" or status != "completed":
                took = "" if duration_s is None else f" in {duration_text(duration_s)}"
                self._say(f"{self._label}/{visible(name)}: {status}{took}")
            elif time.monotonic() - self._told_s > _LINE_EVERY_S:
                self._told_s = time.monotonic()
                self._say(f"{self._label}: {_known(self._counts, self._total, self._parts)}")

    def progress(self, name: str, done: float, total: float | None, note: str) -> None:
        with self._lock:
            if self._parts == "steps" and time.monotonic() - self._told_s > _LINE_EVERY_S:
                self._told_s = time.monotonic()
                self._say(f"{self._label}/{visible(name)}: {_done_text(done, total, note)}")

    def ended(self, status: str) -> None:
        self._say(_ending(self._label, status, time.monotonic() - self._begun_s, self._counts))

    def _say(self, what: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(f"{what}\n")
            self._stream.flush()
        except (OSError, ValueError):  # Nobody reads it any more.
            self._stream = None


@dataclass(slots=True)
class _Step:
    """A step in the table."""

    status: str
    begun_s: float
    duration_s: float | None = None
    done: float = 0
    total: float | None = None
    note: str = ""


class _Shown:
    """A run in the table."""

    def __init__(self, beginning: Beginning, display: _Display) -> None:
        self.label = _label(beginning)
        self.total = beginning.steps
        self.parts = beginning.parts
        self.begun_s = time.monotonic()
        self.counts = _Counts()
        self.steps: dict[str, _Step] = {}
        """Those that run, and the last that have ended."""
        self._display = display

    def step(self, name: str, status: str, duration_s: float | None) -> None:
        with self._display.lock:
            if status == "running":
                self.steps[name] = _Step(status, time.monotonic())
                return
            self.counts.add(status)
            step = self.steps.pop(name, None) or _Step(status, time.monotonic())
            step.status, step.duration_s = status, duration_s
            self.steps[name] = step
            if len(self.steps) > _ROWS_MAX:
                self._forget()

    def progress(self, name: str, done: float, total: float | None, note: str) -> None:
        with self._display.lock:
            step = self.steps.get(name)
            if step is not None:
                step.done, step.total, step.note = done, total, note

    def ended(self, status: str) -> None:
        self._display.end(self, status)

    def rows(self) -> list[tuple[str, _Step]]:
        """The steps that are in the table: the last ones that have ended, and those that run, but not hundreds."""
        ended = [item for item in self.steps.items() if item[1].status != "running"]
        running = [item for item in self.steps.items() if item[1].status == "running"]
        return [*ended[-_ENDED_ROWS:], *running[:_RUNNING_ROWS]]

    def _forget(self) -> None:
        for name in [name for name, step in self.steps.items() if step.status != "running"][:-_ENDED_ROWS]:
            del self.steps[name]


class _Display:
    """The table of this process's runs, drawn by a thread of its own so that those that drive runs never wait for it.

    Invariant: while it is drawn nothing else is written to the terminal by this process's steps; what they print takes
    it away first, and it comes back once their line has ended.
    """

    def __init__(self) -> None:
        self.start_over()

    def start_over(self) -> None:
        """Show nothing: a forked child has no thread that draws."""
        self.lock = threading.RLock()
        self._runs: list[_Shown] = []
        self._has_runs = threading.Event()
        self._thread: threading.Thread | None = None
        self._console: Console | None = None
        self._live: Live | None = None
        self._is_mid_line = False
        self._stream: TextIO | None = None

    @property
    def is_drawing(self) -> bool:
        """Whether runs are shown by now."""
        return bool(self._runs)

    def run(self, beginning: Beginning, stream: TextIO) -> RunListener:
        """Show a run from now on."""
        shown = _Shown(beginning, self)
        with self.lock:
            self._stream = stream
            self._runs.append(shown)
            write_with(self._write)
            if self._thread is None:
                self._thread = threading.Thread(target=self._draw_on, name="lineal-progress", daemon=True)
                self._thread.start()
            self._has_runs.set()
        return shown

    def end(self, shown: _Shown, status: str) -> None:
        """Take a run out of the table, and say what became of it if it took long."""
        with self.lock:
            self._runs.remove(shown)
            took_s = time.monotonic() - shown.begun_s
            if took_s > PATIENCE_S and self._stream is not None:
                self._erase()
                with suppress(OSError, ValueError):
                    told = _ending(shown.label, status, took_s, shown.counts)
                    self._stream.write(f"\n{told}\n" if self._is_mid_line else f"{told}\n")
                    self._stream.flush()
                self._is_mid_line = False
            if not self._runs:
                self._erase()
                self._has_runs.clear()
                write_with(None)

    def _write(self, stream: TextIO, text: str) -> int:
        """Write what a step prints, beside the table."""
        if not stream.isatty():
            return stream.write(text)
        with self.lock:
            self._erase()
            if text:
                self._is_mid_line = not text.endswith("\n")
            return stream.write(text)

    def _draw_on(self) -> None:
        while True:
            self._has_runs.wait()
            time.sleep(_TICK_S)
            with self.lock:
                if self._is_due():
                    try:
                        self._draw()
                    except (OSError, ValueError):  # The terminal is gone.
                        self._stream = self._live = None

    def _is_due(self) -> bool:
        now_s = time.monotonic()
        is_long = any(now_s - run.begun_s > PATIENCE_S for run in self._runs)
        return is_long and not self._is_mid_line and self._stream is not None

    def _draw(self) -> None:
        table = _table(self._runs)
        if self._live is not None:
            self._live.update(table, refresh=True)
            return
        from rich.console import Console
        from rich.live import Live

        if self._console is None or self._console.file is not self._stream:
            self._console = Console(file=self._stream, markup=False, highlight=False, emoji=False)
        self._live = Live(
            table,
            console=self._console,
            transient=True,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        self._live.start(refresh=True)

    def _erase(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            with suppress(OSError, ValueError):
                live.stop()


def _table(runs: list[_Shown]) -> Table:
    justify: Literal["left", "right"]
    from rich.table import Table

    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    for justify in ("left", "left", "right"):
        grid.add_column(no_wrap=True, justify=justify)
    grid.add_column(no_wrap=True, ratio=1)  # What a narrow terminal has no room for is cut off here.
    for run in runs:
        for row in _rows(run):
            grid.add_row(*row)
    return grid


def _rows(run: _Shown) -> Iterator[tuple[Any, ...]]:
    from rich.progress_bar import ProgressBar
    from rich.text import Text

    now_s = time.monotonic()
    counts = str(run.counts)
    known = _known(run.counts, run.total, run.parts) if run.total or run.parts == "runs" else ""
    yield Text(run.label, style="bold"), Text(known), Text(_elapsed(now_s - run.begun_s)), Text(counts, style="dim")
    for name, step in run.rows():
        told: Any = Text(visible(step.note), style="dim")
        elapsed_s = step.duration_s
        if step.status == "running":
            elapsed_s = now_s - step.begun_s
            if step.total:
                told = _beside(ProgressBar(step.total, step.done, width=_BAR_WIDTH), step)
            elif step.done:
                told = Text(_done_text(step.done, None, step.note), style="dim")
        yield (
            Text(f"  {visible(name)}"),
            Text(step.status, style=_STYLES.get(step.status, "")),
            Text("" if elapsed_s is None else _elapsed(elapsed_s)),
            told,
        )


def _beside(bar: Any, step: _Step) -> Any:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=_BAR_WIDTH)
    grid.add_column(no_wrap=True)
    grid.add_row(bar, Text(_done_text(step.done, step.total, step.note), style="dim"))
    return grid


def _elapsed(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else duration_text(seconds)


_display = _Display()
os.register_at_fork(after_in_child=_display.start_over)
