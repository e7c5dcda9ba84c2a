"""Which store a command reads, and as of when."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from ..client import Client, open_to_read
from ..client import open as open_client
from ..errors import RunNotFound
from ..history import History, When
from .units import age

WHEN = "an event's number, a time such as 2031-05-01T14:30 (local, or with Z or +02:00), '2h ago', or a run"
STDOUT = "-"
"""As a path to write to."""
_SEQ_DIGITS_MAX = 18
_AGO = " ago"


def add_as_of(parser: argparse.ArgumentParser) -> None:
    """Add the option that looks at the past."""
    parser.add_argument("--as-of", metavar="WHEN", type=when, help=f"what the store knew then: {WHEN}")


def when(text: str) -> When:
    """An argument that is a place in the log; what is no number, time or age names a run. Local time needs no zone."""
    if text.isascii() and text.isdigit() and len(text) <= _SEQ_DIGITS_MAX:
        return int(text)
    try:
        if text.endswith(_AGO):
            return datetime.now(UTC) - age(text.removesuffix(_AGO))
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        return text


def count(text: str) -> int:
    """An argument that counts: a whole number from 0 on."""
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


def opened(options: argparse.Namespace, *, check_structure: bool = False) -> Client:
    """The store of the command line, which must exist, for reading."""
    return open_to_read(options.store, check_structure=check_structure)


def opened_to_write(options: argparse.Namespace) -> Client:
    """The store of the command line, which must exist, for writing."""
    return open_client(options.store, create=False)


@contextmanager
def opened_history(options: argparse.Namespace) -> Iterator[History]:
    """The store of the command line, or its past."""
    with opened(options) as client:
        yield client if options.as_of is None else _past(client, options.as_of)


def _past(client: Client, place: When) -> History:
    try:
        return client.as_of(place)
    except RunNotFound as error:
        if error.details.get("was_there"):
            raise
        raise RunNotFound(error.what, hint=f"{error.hint} Or give {WHEN}.") from error
