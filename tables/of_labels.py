"""Tables of what people and programs have noted: tags, aliases, metadata and the last values of metrics.

Each row is decoded, with the event that made it, which takes as long as ten rows of another table.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import msgpack
import pyarrow as pa

from ..events.log import Log
from ..events.projections import Metadata, Metrics, Names
from .base import CODE, TIME, Batch, Definition, Source, columns
from .of_log import plain
from .pages import row_pages

Fields = Any
"""The fields of the event that made a row."""
Line = tuple[Any, ...]
_SUBJECT = {"kind": CODE, "name": "string", "id": "string"}


def _lines(
    projection: str, table: str, schema: pa.Schema, read: Callable[[Any, Fields], Iterator[Line]], source: Source
) -> Iterator[Batch]:
    """A row for each line that the newest rows of a table's keys give, with the position of their events."""
    log = Log(source.database)
    for page in row_pages(source.database, projection, table, source.upto, newest=True):
        found: list[Line] = []
        for seq, value in zip(page.seqs.tolist(), page.values, strict=True):
            row = msgpack.unpackb(value, strict_map_key=False, unicode_errors="surrogatepass")
            found += [(*line, seq) for line in read(row, log.get(seq).fields)]
        if found:
            yield {
                field.name: pa.array(_readable(column), field.type)
                for field, column in zip(schema, zip(*found, strict=True), strict=True)
            }


def _readable(column: tuple[Any, ...]) -> list[Any]:
    """Texts as Arrow takes them: half a surrogate pair has no form there."""
    return [one.encode("utf-8", "replace").decode() if isinstance(one, str) else one for one in column]


def _subject(fields: Fields) -> Line:
    kind, name, id_ = fields.subject
    return kind, name or None, id_.hex() or None


def _tags(tags: list[str], fields: Fields) -> Iterator[Line]:
    return ((*_subject(fields), tag) for tag in tags)


def _aliases(row: Any, fields: Fields) -> Iterator[Line]:
    alias, content = row
    if content is not None:
        yield fields.artifact, alias, content.hex()


def _metadata(row: Any, fields: Fields) -> Iterator[Line]:
    if len(row) > 1:
        yield *_subject(fields), row[0], json.dumps(plain(row[1]), ensure_ascii=False)


def _metrics(row: Any, fields: Fields) -> Iterator[Line]:
    yield *_subject(fields), *row


def _of(
    name: str, projection: str, table: str, read: Callable[[Any, Fields], Iterator[Line]], /, **types: Any
) -> Definition:
    schema = columns(**types, seq="int64")
    return Definition(name, schema, partial(_lines, projection, table, schema, read))


TAGS = _of("tags", Names.name, "t", _tags, **_SUBJECT, tag="string")
ALIASES = _of("aliases", Names.name, "a", _aliases, artifact="string", alias="string", content="string")
METADATA = _of("metadata", Metadata.name, "m", _metadata, **_SUBJECT, key="string", value="string")
METRICS = _of(
    "metrics",
    Metrics.name,
    "m",
    _metrics,
    **_SUBJECT,
    metric="string",
    points="int64",
    step="int64",
    time=TIME,
    value="float64",
)
