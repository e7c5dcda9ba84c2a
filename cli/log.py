"""The verb ``log``."""

from __future__ import annotations

import argparse
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from ..history import History
from .kinds import Event
from .layout import Row
from .outcome import ExitCode
from .output import Output
from .past import add_as_of, count, opened_history
from .records import event_record
from .units import ID_DIGITS, NOTHING, time_text

EXAMPLE = "lineal log --limit 10 --json"
COLUMNS = ("seq", "time", "type", "what")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.add_argument("--after", metavar="SEQ", type=count, help="only events after this one")
    parser.add_argument(
        "--limit", metavar="N", type=count, help="at most so many: the first ones with --after, else the last ones"
    )
    parser.add_argument("--run", metavar="RUN", help="only events of this run: its name, id, or beginning of its id")
    add_as_of(parser)


def execute(options: argparse.Namespace, output: Output) -> int:
    """List events."""
    with opened_history(options) as history:
        output.listing(map(event_record, _events(history, options)), COLUMNS, event_row)
    return ExitCode.OK


def _events(history: History, options: argparse.Namespace) -> Iterable[Any]:
    stream = None if options.run is None else history.run(options.run).id
    is_last = options.limit is not None and options.after is None
    after = max(0, history.head.seq - options.limit) if is_last and stream is None else options.after or 0
    events: Iterator[Any] = history.events(after)
    if stream is not None:
        events = (recorded for recorded in events if recorded.stream == stream)
    return deque(events, options.limit) if is_last else islice(events, options.limit)


def event_row(event: Event) -> Row:
    """An event's row under `COLUMNS`."""
    name = event["type"].partition("/")[0]
    what = _what(event["payload"]) if event["is_known"] else "written by a newer version"
    return str(event["seq"]), time_text(event["time"]), name, what


def _what(payload: dict[str, Any]) -> str:
    words = [_subject(payload)] if "run" in payload else []
    words += [form(payload[name]) for name, form in _FORMS.items() if payload.get(name)]
    return " ".join(words) or NOTHING


def _subject(step_run: dict[str, Any]) -> str:
    step = step_run.get("step")
    run = str(step_run["run"])[:ID_DIGITS]
    return f"{run}/{step}" if step else run


def _names(outputs: list[dict[str, Any]]) -> str:
    return ", ".join(output["artifact"] for output in outputs)


_FORMS: dict[str, Callable[[Any], str]] = {
    "store": str,
    "pipeline": lambda name: f"of {name}",
    "name": lambda name: f"as {name}",
    "output": lambda output: _names([output]),
    "contents": lambda contents: f"{len(contents)} content{'' if len(contents) == 1 else 's'}",
    "label": str,
    "content": lambda content: f"on {content[:ID_DIGITS]}",
    "outputs": lambda outputs: f"gave {_names(outputs)}",
    "reuses": lambda step_run: f"as in {_subject(step_run)}",
    "failure": lambda failure: f"raised {failure['type']}: {failure['message']}",
    "message": lambda message: f"because {message}",
    "reason": lambda reason: f"because {reason}",
    "because": lambda because: f"because {because}",
}
"""How the fields of an event that say most are put, in this order."""
