"""Cancelling a run: its process is told, as by Ctrl-C in its terminal, and records the rest itself."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

from ...cas.process import ProcessStamp
from ...errors import Conflict, Unsupported
from ...events.projections import Runs
from ...events.projections.runs import RUNNING, RunRow
from ...events.rows import key
from ...history import RunView
from ...store import Store
from ..executing.context import enclosing_runs
from .interrupts import request_stop

_LOOK_S = 0.05


def cancel(store: Store, run: RunView, *, patience_s: float = 30.0) -> None:
    """Stop a run, and return when it has ended.

    Another process gets SIGINT, which a run in the main thread takes for Ctrl-C: steps are stopped, and what was done
    by then stays. A program that has its runs in other threads, or a handler of its own, does with it what it does.
    In this process, the run stops when it waits for a step next: one that executes inline ends before. Of the run
    whose step asks for it nobody waits for the end.

    Raises:
        Conflict: It has ended, or its process has died, before; or it has not ended in time.
        Unsupported: Its process is on another host.
    """
    rows = store.committed_rows(Runs.name)
    found = rows.latest(key("r", run.id))
    row = None if found is None else RunRow.of(found.row)
    if row is None or run.status != RUNNING:
        raise Conflict(f"the run is not running: it is {run.status}", where=run.name)
    process = ProcessStamp(*row.process)
    if not process.is_of_this_host:
        raise Unsupported(f"the run's process is on {process.host}", where=run.name, hint="Cancel it there.")
    if process == ProcessStamp.current():
        request_stop(run.id)
        if run.id in enclosing_runs():
            return
    else:
        with suppress(ProcessLookupError):  # It ended since.
            os.kill(process.pid, signal.SIGINT)
    until = time.monotonic() + patience_s
    while run.status == RUNNING:
        if time.monotonic() > until:
            raise Conflict(
                f"the run goes on, though process {process.pid} was told to stop it",
                where=run.name,
                hint=f"End it with `kill {process.pid}`: the run reads interrupted then, and can be resumed.",
            )
        time.sleep(_LOOK_S)
