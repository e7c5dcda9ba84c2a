"""Tables of what determines results: code and environments that were met, fingerprints that are one, and claims.

Each row is read by itself: there are few of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgpack
import pyarrow as pa

from ..events.log import Log
from ..events.projections import Causes, Claims
from .base import Batch, Definition, Source, columns, readable
from .pages import row_pages

Line = dict[str, Any]


def _rows(source: Source, projection: str, table: str) -> Iterator[tuple[bytes, Any, int]]:
    """Key behind the table's letter, newest row and position of each key of a table."""
    for page in row_pages(source.database, projection, table, source.upto, newest=True):
        keys, values = page.keys.rest().to_pylist(), page.cells.raw().to_pylist()
        for key, value, seq in zip(keys, values, page.seqs.tolist(), strict=True):
            yield key, msgpack.unpackb(value, strict_map_key=False, unicode_errors="surrogatepass"), seq


def _batch(schema: pa.Schema, lines: Iterator[Line]) -> Iterator[Batch]:
    found = list(lines)
    if found:
        yield {field.name: pa.array([line[field.name] for line in found], field.type) for field in schema}


def _code(source: Source) -> Iterator[Line]:
    log = Log(source.database)
    for key, _, seq in _rows(source, Causes.name, "c"):
        yield {"code": key[:32].hex(), "function": readable(log.get(seq).fields.function), "seq": seq}


def _environments(source: Source) -> Iterator[Line]:
    log = Log(source.database)
    for key, _, seq in _rows(source, Causes.name, "e"):
        fields = log.get(seq).fields
        said = {"python": readable(fields.python), "platform": readable(fields.platform)}
        yield {"environment": key.hex(), **said, "seq": seq}


def _equivalences(source: Source) -> Iterator[Line]:
    for key, declared, seq in _rows(source, Causes.name, "q"):
        for same_as, reason in declared:
            yield {"fingerprint": key.hex(), "same_as": same_as.hex(), "reason": readable(reason), "seq": seq}


def _claims(source: Source) -> Iterator[Line]:
    for key, claim, seq in _rows(source, Claims.name, "f"):
        if claim:
            yield {"fingerprint": key.hex(), "run": claim[0].hex(), "step": readable(claim[1]), "seq": seq}


def _of(name: str, read: Callable[[Source], Iterator[Line]], **types: Any) -> Definition:
    schema = columns(**types, seq="int64")
    return Definition(name, schema, lambda source: _batch(schema, read(source)))


CODE_MET = _of("code", _code, code="string", function="string")
ENVIRONMENTS = _of("environments", _environments, environment="string", python="string", platform="string")
EQUIVALENCES = _of("equivalences", _equivalences, fingerprint="string", same_as="string", reason="string")
CLAIMS = _of("claims", _claims, fingerprint="string", run="string", step="string")
