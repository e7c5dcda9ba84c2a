"""What a run is called: by its name of today; one that was deleted, or is called otherwise now, is told of."""

from __future__ import annotations

from ..errors import RunNotFound
from ..events.catalogue import Subject
from ..events.ids import RunId
from ..events.projections import Runs
from ..events.projections.runs import RunRow
from ..events.rows import key
from .deletion import deletion_of
from .reader import Reader


def run_named(reader: Reader, name: str) -> RunId | None:
    """The newest run of a name; None where none was ever called so.

    Raises:
        RunNotFound: All that were are deleted, or are called otherwise now; the hint says how to get at one.
    """
    rows = reader.rows(Runs.name)
    miss: RunNotFound | None = None
    for _, row in rows.history(key("n", name), newest_first=True):
        run = RunId(row[0])
        found = rows.latest(key("r", run))
        state = None if found is None else RunRow.of(found.row)
        deletion = deletion_of(reader, Subject("run", "", run))
        if state is None:
            continue
        if state.name == name and deletion is None:
            return run
        if miss is None and state.name == name and deletion is not None:
            miss = RunNotFound(f"run {name} was deleted at event {deletion.seq}", hint=deletion.hint, was_there=True)
        elif miss is None:
            miss = _called_otherwise(name, state.name)
    if miss is not None:
        raise miss
    return None


def _called_otherwise(name: str, now: str) -> RunNotFound:
    return RunNotFound(f"no run is called {name!r} any more", hint=f"It is called {now} now.", was_there=True)
