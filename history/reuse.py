"""Reuse as history knows it: what the cache serves a fingerprint from, or would have at a past moment."""

from __future__ import annotations

from ..errors import LogCorrupt
from ..events.catalogue import StepCompleted
from ..events.ids import Fingerprint
from ..events.log import Log
from ..events.projections import Cache
from ..events.rows import RowReader, key
from .eviction import eviction_of
from .reader import Reader


def reusable(reader: Reader, fingerprint: Fingerprint) -> StepCompleted | None:
    """The execution that a step of this fingerprint is served from, as of the view; None where it has to execute.

    An execution serves as long as the bytes of all that it gave are there. In the past the log says whether they were;
    in the present they are looked for.
    """
    executed = newest_execution(reader.rows(Cache.name), reader.store.log, fingerprint)
    if executed is None:
        return None
    contents = [output.content for output in executed.outputs]
    if reader.upto is None:
        are_there = all(map(reader.store.blobs.holds, contents))
    else:
        are_there = all(eviction_of(reader, content) is None for content in contents)
    return executed if are_there else None


def newest_execution(rows: RowReader, log: Log, fingerprint: Fingerprint) -> StepCompleted | None:
    """The newest execution for a fingerprint by the rows of `Cache`, whether what it gave is still there or not."""
    found = rows.latest(key("f", fingerprint))
    return None if found is None else execution_at(log, found.seq)


def execution_at(log: Log, seq: int) -> StepCompleted:
    """The execution at a position that a row of `Cache` names."""
    executed = log.get(seq).event
    if not isinstance(executed, StepCompleted):
        raise LogCorrupt("a row of the cache names an event of another kind", hint="Run `lineal rebuild`.")
    return executed
