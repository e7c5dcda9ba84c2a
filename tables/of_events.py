"""Tables of each type of event: a column for each field, what it consists of in structs and lists."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial

import pyarrow as pa

from ..events.catalogue import CATALOGUE, Event, RunStarted
from ..events.projections import Runs
from .alike import Reader
from .base import CODE, TIME, Batch, Definition, Source, always, columns, seqs, times
from .json_text import Json, json_of
from .kinds import RecordOf, payload_of
from .pages import LogPage, events_at, log_pages, of_types, row_pages
from .parts import parts


def table_of(type_: str) -> str:
    """The name of the table of a type of event: that of ``step.completed/1`` is ``step_completed``."""
    return type_.partition("/")[0].replace(".", "_")


@cache
def _payload(type_: str) -> RecordOf:
    return payload_of(CATALOGUE[type_])


def _events(type_: str, source: Source) -> Iterator[Batch]:
    for page in pages_with(type_, source):
        chosen = of_types([type_], page)
        if chosen.size:
            cells = page.cells.where(chosen).skip()
            time = times(cells.integers())
            yield {"seq": seqs(page.seqs[chosen]), "time": time, **_payload(type_).columns(cells.skip(3))}


def pages_with(type_: str, source: Source) -> Iterator[LogPage]:
    """Those that the events of a type are in: of some an index knows all, for the others the whole log is read."""
    if type_ == RunStarted.TYPE:
        for runs in row_pages(source.database, Runs.name, "a", source.upto, newest=False):
            yield from events_at(source.database, runs.seqs)
    else:
        yield from log_pages(source.database, source.upto, types=[type_])


def _payloads(source: Source) -> Iterator[Batch]:
    for part in parts(log_pages(source.database, source.upto)):
        rows = len(part.seqs)
        payload = _json(part.type_, part.cells.skip(5)).whole(rows)
        yield {"seq": seqs(part.seqs), "type": always(part.type_, rows), "payload": payload}


def _json(type_: str, cells: Reader) -> Json:
    """What events of a type say. One that a newer version writes says what it says."""
    return _payload(type_).json(cells) if type_ in CATALOGUE else json_of(cells)


def _definition(kind: type[Event]) -> Definition:
    fields = [("seq", pa.int64()), ("time", TIME), *payload_of(kind).fields]
    return Definition(table_of(kind.TYPE), pa.schema(fields), partial(_events, kind.TYPE))


EVENT_TYPES = [_definition(kind) for kind in CATALOGUE.values()]
PAYLOADS = Definition("payloads", columns(seq="int64", type=CODE, payload="string"), _payloads)
