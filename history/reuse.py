"""Reuse as history knows it: what the cache serves a fingerprint from, or would have at a past moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from ..cas.digest import Digest
from ..errors import Invalid, LogCorrupt, NotFound
from ..events.catalogue import Input, StepCompleted
from ..events.ids import Fingerprint, StoreId
from ..events.log import Log
from ..events.projections import Cache
from ..events.rows import RowReader, key
from .eviction import eviction_of
from .meaning import version_meant
from .reader import Reader
from .trust import Trust

EXECUTIONS_MAX = 256
"""How many executions of one fingerprint, the newest, are looked through for one that loaded what is meant now."""


class Meanings:
    """What references mean as of a view, each looked up once."""

    def __init__(self, reader: Reader) -> None:
        """Look up in this view."""
        self._reader = reader
        self._contents: dict[str, Digest | None] = {}

    def are_kept(self, taken: Iterable[Input], missed: Iterable[str]) -> bool:
        """Whether what was taken by references is what they mean now, and what meant nothing still does.

        What was taken otherwise is not asked about.
        """
        return all(one.reference is None or self._content(one.reference) == one.content for one in taken) and all(
            self._content(reference) is None for reference in missed
        )

    def _content(self, reference: str) -> Digest | None:
        if reference not in self._contents:
            try:
                self._contents[reference] = version_meant(self._reader, reference).content
            except (NotFound, Invalid):
                self._contents[reference] = None
        return self._contents[reference]


def reusable(reader: Reader, fingerprint: Fingerprint) -> StepCompleted | None:
    """The execution that a step of this fingerprint is served from, as of the view; None where it has to execute.

    The newest that loaded what its references mean serves, as long as the bytes of all that it gave are there. In the
    past the log says whether they were; in the present they are looked for.
    """
    executed = next(current_executions(reader, fingerprint), None)
    if executed is None:
        return None
    contents = [output.content for output in executed.outputs]
    if reader.upto is None:
        are_there = all(map(reader.store.blobs.holds, contents))
    else:
        are_there = all(eviction_of(reader, content) is None for content in contents)
    return executed if are_there else None


def newest_execution(reader: Reader, fingerprint: Fingerprint) -> StepCompleted | None:
    """The newest execution for a fingerprint, whatever it loaded, and whether what it gave is still there or not."""
    found = reader.rows(Cache.name).latest(key("f", fingerprint))
    return None if found is None else execution_at(reader.store.log, found.seq)


def current_executions(reader: Reader, fingerprint: Fingerprint) -> Iterator[StepCompleted]:
    """The executions for a fingerprint that loaded what their references mean as of the view, the newest first.

    Without those of stores that were not trusted as of then.
    """
    return (executed for source, executed in _executions(reader, fingerprint) if source is None)


def doubted_execution(reader: Reader, fingerprint: Fingerprint) -> tuple[StoreId, StepCompleted] | None:
    """The newest execution that would serve a fingerprint if the store that it came from were trusted, and that store.

    None if there is none.
    """
    for source, executed in _executions(reader, fingerprint):
        if source is not None and all(eviction_of(reader, output.content) is None for output in executed.outputs):
            return source, executed
    return None


def _executions(reader: Reader, fingerprint: Fingerprint) -> Iterator[tuple[StoreId | None, StepCompleted]]:
    """Those that loaded what their references mean, each with the store that it came from if that is not trusted."""
    meanings, trust = Meanings(reader), Trust(reader.store, reader.upto)
    for seq in executed_at(reader.rows(Cache.name), fingerprint):
        executed = execution_at(reader.store.log, seq)
        if meanings.are_kept(executed.inputs, executed.missed):
            yield trust.doubted_source(seq), executed


def executed_at(rows: RowReader, fingerprint: Fingerprint) -> Iterator[int]:
    """The positions of the newest executions for a fingerprint by the rows of `Cache`, the newest first."""
    history = rows.history(key("f", fingerprint), newest_first=True)
    return (found.seq for found in islice(history, EXECUTIONS_MAX))


def execution_at(log: Log, seq: int) -> StepCompleted:
    """The execution at a position that a row of `Cache` names."""
    executed = log.get(seq).event
    if not isinstance(executed, StepCompleted):
        raise LogCorrupt("a row of the cache names an event of another kind", hint="Run `lineal rebuild`.")
    return executed
