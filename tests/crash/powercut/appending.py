"""What a log goes through while it is appended to, and its projections are caught up and replayed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from log_writer import begin, numbered, value_of
from powercut.acknowledging import Acknowledge, Phase

from lineal.events import projector, replay, sorted_rows
from lineal.events.committer import Ticket
from lineal.events.projections import BEHIND, Lineage, Projection, Recorded, RowWriter, Runs, Steps, key
from lineal.store import Store, open_store

_PIECE_EVENTS = 30
_OUTDATED: tuple[type[Projection], ...] = (Runs, Steps, Lineage)


def _append(store: Store, writer: int, number: int) -> Ticket:
    with store.blobs.batch() as batch:
        batch.put(value_of(writer, number))
        blobs = batch.publish()
    return store.append(numbered(writer, number), blobs)


def _append_all(store: Store, acknowledge: Acknowledge, writer: int, numbers: Iterable[int]) -> None:
    """Append numbers, and wait now and then."""
    for number in numbers:
        ticket = _append(store, writer, number)
        if number % 4 == 3:
            ticket.wait()
            acknowledge(writer=str(writer), appended=str(number))


def log_of_one(store: Path, acknowledge: Acknowledge) -> None:
    """Begin with a log that one writer has appended to."""
    opened = open_store(store)
    acknowledge(store=str(opened.id))
    begin(opened, 1)
    _append_all(opened, acknowledge, 1, range(40))
    opened.close()


def append(store: Path, acknowledge: Acknowledge) -> None:
    """Append one by one and many at once, and catch up what is kept behind."""
    opened = open_store(store)
    begin(opened, 2)
    for first in (0, 8, 16):
        _append_all(opened, acknowledge, 2, range(first, first + 8))
        for projection in BEHIND:
            opened.rows(projection.name)
    many = [_append(opened, 2, number) for number in range(24, 60)]
    many[-1].wait()
    acknowledge(writer="2", appended="59")
    _append(opened, 2, 60)
    opened.flush()
    acknowledge(writer="2", appended="60")
    opened.close()


def _replay_in_pieces() -> None:
    """Have the rows of a replay put in many transactions, and what was appended meanwhile in some more."""
    projector._PIECE_EVENTS = replay._READ_EVENTS = _PIECE_EVENTS
    replay._PIECE_ROWS = 1
    replay._COMMIT_ROWS = sorted_rows._BLOCK_ROWS = 20
    replay._KNOWN_MAX_ROWS = 40
    sorted_rows._RANGE_BLOCKS = 1


def rebuild_in_pieces(store: Path, acknowledge: Acknowledge) -> None:
    """Replay the projections piece by piece while a forked child appends."""
    _replay_in_pieces()
    opened = open_store(store)
    child = os.fork()
    if child == 0:
        begin(opened, 2)
        _append_all(opened, acknowledge, 2, range(8))
        os._exit(0)
    opened.rebuild()
    os.waitpid(child, 0)
    begin(opened, 3)
    _append_all(opened, acknowledge, 3, range(4))
    opened.close()


def log_of_older_code(store: Path, acknowledge: Acknowledge) -> None:
    """Begin with a log of which other code has kept projections, and made other rows, in the commit and behind."""
    for projection in _OUTDATED:
        projection.version -= 1
        projection.apply = _otherwise(projection.apply)  # type: ignore[method-assign]
    log_of_one(store, acknowledge)


def _otherwise(fold: Callable[..., None]) -> Callable[..., None]:
    """A fold that makes a row more of each event."""

    def apply(self: Projection, rows: RowWriter, recorded: Recorded) -> None:
        fold(self, rows, recorded)
        rows.mark(key("z", recorded.seq))

    return apply


def upgrade(store: Path, acknowledge: Acknowledge) -> None:
    """Open it, which replays those piece by piece, and go on."""
    _replay_in_pieces()
    opened = open_store(store)
    begin(opened, 2)
    _append_all(opened, acknowledge, 2, range(8))
    opened.close()


APPENDING: dict[str, tuple[Phase, Phase]] = {
    "append": (log_of_one, append),
    "rebuild_in_pieces": (log_of_one, rebuild_in_pieces),
    "upgrade": (log_of_older_code, upgrade),
}
