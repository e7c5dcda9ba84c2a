"""Tables of the log: its events, what they say as JSON, and the digests that they name."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from ..events.catalogue import Event, Unknown
from ..events.log import Log
from .base import CODE, TIME, Batch, Definition, Source, coded, columns, readable, seqs, times
from .pages import log_pages

_PIECE_EVENTS = 4096
_AS_THEY_ARE = frozenset({str, int, bool, type(None)})
_ENCODER = json.JSONEncoder(ensure_ascii=False)


def _events(source: Source) -> Iterator[Batch]:
    for page in log_pages(source.database, source.upto):
        cells = page.cells
        found = {"seq": seqs(page.seqs), "type": coded(page.codes, page.types), "id": cells.hexes()}
        found["time"] = times(cells.integers())
        found["origin"], found["stream"] = cells.hexes(), cells.hexes()
        rows, named = cells.elements()
        offsets = np.searchsorted(rows, np.arange(len(page.seqs) + 1)).astype(np.int32)
        found["refs"] = pa.ListArray.from_arrays(pa.array(offsets), named.hexes())
        found["payload"] = cells.raw()
        yield found


def _references(source: Source) -> Iterator[Batch]:
    for page in log_pages(source.database, source.upto):
        rows, named = page.cells.skip(4).elements()
        yield {"digest": named.hexes(), "seq": seqs(page.seqs[rows]), "type": coded(page.codes[rows], page.types)}


def _payloads(source: Source) -> Iterator[Batch]:
    """Each event is decoded, which takes as long as ten rows of another table."""
    pending: list[tuple[int, str, str]] = []
    for recorded in Log(source.database).scan(upto=source.upto):
        pending.append((recorded.seq, recorded.type, _ENCODER.encode(plain(recorded.event))))
        if len(pending) == _PIECE_EVENTS:
            yield _payload_batch(pending)
            pending = []
    if pending:
        yield _payload_batch(pending)


def _payload_batch(pending: list[tuple[int, str, str]]) -> Batch:
    positions, types, texts = zip(*pending, strict=True)
    return {
        "seq": pa.array(positions, pa.int64()),
        "type": pa.array(types).dictionary_encode(),
        "payload": pa.array([readable(text) for text in texts], pa.string()),
    }


def plain(value: Any) -> Any:
    """A value of an event as JSON has it: ids and digests in hex, and no number that JSON has no form for."""
    if type(value) in _AS_THEY_ARE:
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Unknown):
        return plain(value.payload)
    if isinstance(value, Event):
        return {name: plain(getattr(value, name)) for name in value.FIELDS}
    if hasattr(value, "_asdict"):
        return {name: plain(inner) for name, inner in value._asdict().items()}
    if isinstance(value, dict):
        return {_key(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _key(name: Any) -> str:
    return name if isinstance(name, str) else str(plain(name))


EVENTS = Definition(
    "events",
    columns(
        seq="int64",
        time=TIME,
        type=CODE,
        id="string",
        origin="string",
        stream="string",
        refs=pa.list_(pa.string()),
        payload="binary",
    ),
    _events,
)
PAYLOADS = Definition("payloads", columns(seq="int64", type=CODE, payload="string"), _payloads)
REFERENCES = Definition("references", columns(digest="string", seq="int64", type=CODE), _references)
