"""The verb ``log``."""

from __future__ import annotations

import argparse
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from ..history import History
from .event_rows import COLUMNS, EventRows
from .kinds import Event
from .outcome import ExitCode
from .output import Output, stdout_is_gone
from .past import WHEN, add_as_of, count, opened_history, when
from .records import event_record

EXAMPLE = "lineal log --since training-1 --type step.completed --type step.failed"
_BACKLOG_EVENTS = 10
"""How many of the last events `--follow` begins with."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.add_argument("--since", metavar="WHEN", type=when, help=f"only events after this: {WHEN}; 0 for all")
    parser.add_argument(
        "--limit", metavar="N", type=count, help="at most so many: the first ones with --since, else the last ones"
    )
    parser.add_argument("--run", metavar="RUN", help="only events of this run: its name, id, or beginning of its id")
    parser.add_argument(
        "--type", metavar="TYPE", action="append", dest="types", help="only events of this type; can be repeated"
    )
    parser.add_argument(
        "-f",
        "--follow",
        action="store_true",
        help=f"go on with the events that come, until interrupted; begins with the last {_BACKLOG_EVENTS}, or --limit",
    )
    add_as_of(parser)


def execute(options: argparse.Namespace, output: Output) -> int:
    """List events."""
    with opened_history(options) as history:
        rows = EventRows(history)
        if options.follow:
            output.live(_followed(history, options), COLUMNS, rows.row)
        else:
            output.listing(map(event_record, _events(history, options, history.head.seq)), COLUMNS, rows.row)
    return ExitCode.OK


def _events(history: History, options: argparse.Namespace, upto: int) -> Iterable[Any]:
    is_last = options.limit is not None and options.since is None
    since = options.since or 0
    if is_last and options.run is None and not options.types:
        since = max(0, upto - options.limit)
    events = history.events(since, upto=upto, types=options.types, run=options.run)
    return deque(events, options.limit) if is_last else islice(events, options.limit)


def _followed(history: History, options: argparse.Namespace) -> Iterator[Iterable[Event]]:
    """The events that are there, and then each that comes; ends when nobody reads them any more."""
    if options.limit is None and options.since is None:
        options.limit = _BACKLOG_EVENTS
    upto = history.head.seq
    yield map(event_record, _events(history, options, upto))
    for recorded in history.follow(upto, types=options.types, run=options.run, until=stdout_is_gone):
        yield (event_record(recorded),)
