"""Progress on a terminal: one line on stderr once something takes long, gone when it is done."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ..client import Progress, reporting

PATIENCE_S = 0.5
"""What takes no longer than this is not worth a line."""


@contextmanager
def shown_progress() -> Iterator[None]:
    """Show how far what happens inside the block is, where stderr is a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, SpinnerColumn, TextColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    bars = Bars(*columns, console=Console(stderr=True), transient=True)
    tasks = {}
    begun_s = time.monotonic()

    def show(progress: Progress) -> None:
        if progress.stage not in tasks:
            tasks[progress.stage] = bars.add_task(progress.stage, total=progress.total_bytes)
        bars.update(tasks[progress.stage], completed=progress.done_bytes, total=progress.total_bytes)
        if time.monotonic() - begun_s > PATIENCE_S:
            bars.start()

    try:
        with reporting(show):
            yield
    finally:
        bars.stop()
