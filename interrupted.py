"""Runs whose process died without a word, as a store finds them when it is opened."""

from __future__ import annotations

from collections.abc import Callable

from .cas.process import ProcessStamp
from .events.catalogue import Process, RunInterrupted
from .events.projections.runs import RunRow
from .events.rows import Row, key


def interruptions(newest: Callable[[bytes], Row | None], clock: Callable[[], int]) -> list[RunInterrupted]:
    """What is to be said of the runs that read as running but whose process is dead, or is taken for it."""
    running = [RunRow.of(newest(key("r", run))) for run in newest(key("l")) or []]
    if not running:
        return []
    at_us = clock()
    dead = [run for run in running if not ProcessStamp(*run.process).is_taken_for_alive(run.lease_until_us, at_us)]
    return [RunInterrupted(run.run, _reason(run.process)) for run in dead]


def _reason(process: Process) -> str:
    what = "died" if ProcessStamp(*process).is_of_this_host else "has not renewed its lease"
    return f"process {process.pid} on {process.host} {what}"
