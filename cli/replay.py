"""The verb ``replay``."""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Iterable, Iterator
from functools import partial

from . import kinds
from .event_rows import EventRows
from .layout import Row
from .meant import RUN_HELP, run_meant
from .outcome import ExitCode
from .output import Output
from .past import add_as_of, opened_history
from .records import scene_record

EXAMPLE = "lineal replay training-1 --speed 10"
COLUMNS = ("at", "type", "what")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument(
        "--speed", metavar="X", type=_speed, help="so many times as fast as it went; by default 1, on a terminal"
    )
    pace.add_argument("--instant", action="store_true", help="without waiting; the default for --json and in a pipe")
    add_as_of(parser)


def execute(options: argparse.Namespace, output: Output) -> int:
    """Show how a run went."""
    speed = options.speed
    if speed is None and not options.instant and not options.json and sys.stdout.isatty():
        speed = 1.0
    with opened_history(options) as history:
        rows = EventRows(history)
        scenes = map(scene_record, run_meant(history, options.run).replay())
        if speed is None:
            output.listing(scenes, COLUMNS, partial(_row, rows))
        else:
            output.live(_paced(scenes, speed), COLUMNS, partial(_row, rows))
    return ExitCode.OK


def _speed(text: str) -> float:
    speed = float(text)
    if not 0 < speed < math.inf:
        raise ValueError(text)
    return speed


def _paced(scenes: Iterable[kinds.Scene], speed: float) -> Iterator[tuple[kinds.Scene]]:
    """Each scene when it is due; lateness is caught up, so that the pace holds over the whole run."""
    begun_s = time.monotonic()
    for scene in scenes:
        time.sleep(max(0.0, begun_s + scene["at_s"] / speed - time.monotonic()))
        yield (scene,)


def _row(rows: EventRows, scene: kinds.Scene) -> Row:
    at = f"+{scene['at_s']:.3f} s"
    event, printed = scene["event"], scene["printed"]
    if event is not None:
        return (at, *rows.row(event)[2:])
    assert printed is not None
    return at, printed["stream"], f"{printed['step']}: {printed['text'].rstrip()}"
