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
from .output import Output, stdout_is_gone
from .past import WHEN, add_as_of, count, opened_history, when
from .records import event_record
from .units import ID_DIGITS, NOTHING, time_text

EXAMPLE = "lineal log --since training-1 --type step.completed --type step.failed"
COLUMNS = ("seq", "time", "type", "what")
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
        if options.follow:
            output.live(_followed(history, options), COLUMNS, event_row)
        else:
            output.listing(map(event_record, _events(history, options, history.head.seq)), COLUMNS, event_row)
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


def event_row(event: Event) -> Row:
    """An event's row under `COLUMNS`."""
    name = event["type"].partition("/")[0]
    what = _what(event["payload"]) if event["is_known"] else "written by a newer version"
    return str(event["seq"]), time_text(event["time"]), name, what


def _what(payload: dict[str, Any]) -> str:
    words = [_subject(payload)] if "run" in payload else []
    forms = _FORMS if words else _OF_NO_RUN | _FORMS
    words += [form(payload[name]) for name, form in forms.items() if payload.get(name)]
    return " ".join(words) or NOTHING


def _subject(step_run: dict[str, Any]) -> str:
    step = step_run.get("step")
    run = str(step_run["run"])[:ID_DIGITS]
    return f"{run}/{step}" if step else run


def _names(outputs: list[dict[str, Any]]) -> str:
    return ", ".join(output["artifact"] for output in outputs)


def _labelled(subject: dict[str, Any]) -> str:
    id_ = subject["id"][:ID_DIGITS]
    parts = [subject["name"], id_] if subject["kind"] != "step" else [id_, subject["name"]]
    sign = "@" if subject["kind"] == "version" else "/"
    return f"{subject['kind']} {sign.join(filter(None, parts))}"


_FORMS: dict[str, Callable[[Any], str]] = {
    "store": str,
    "subject": _labelled,
    "subjects": lambda subjects: ", ".join(map(_labelled, subjects)),
    "tags": lambda tags: f"with {', '.join(tags)}",
    "values": lambda values: f"with {', '.join(values)}",
    "keys": lambda keys: f"without {', '.join(keys)}",
    "latest": lambda latest: f"with {', '.join(point['name'] for point in latest)}",
    "alias": str,
    "artifact": lambda name: f"of {name}",
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

_OF_NO_RUN: dict[str, Callable[[Any], str]] = {
    "environment": lambda digest: digest[:ID_DIGITS],
    "code": lambda digest: digest[:ID_DIGITS],
    "fingerprint": lambda fingerprint: fingerprint[:ID_DIGITS],
    "same_as": lambda fingerprint: f"as {fingerprint[:ID_DIGITS]}",
    "by": lambda run: f"by {run[:ID_DIGITS]}",
    "function": lambda function: f"of {function}",
}
"""Those that only say most of an event that is of no run; before the others."""
