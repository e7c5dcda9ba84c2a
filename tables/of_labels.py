"""Tables of what was added to the record: tags, aliases, metadata, and the last value of each metric."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..events.catalogue import AliasRemoved, AliasSet, Annotated, AnnotationsRemoved, MetricsLogged, Subject
from ..events.projections import Deletions, Metadata, Metrics, Names
from ..events.rows import framed
from .base import CODE, TIME, Batch, Definition, Source, columns, seqs, times
from .cuts import Positions
from .json_text import json_of
from .keys import IS_DIGEST
from .packed import Cells
from .pages import Read, RowPage, columns_at, fields_of, row_pages, texts_at

_SUBJECT: dict[str, Read] = {"kind": Cells.texts, "name": Cells.texts, "id": Cells.hexes}


def _subject(record: Cells) -> Batch:
    found = fields_of(record, Subject._fields, _SUBJECT)
    return {"kind": found["kind"].dictionary_encode(), "name": _given(found["name"]), "id": _given(found["id"])}


def _given(texts: pa.Array) -> pa.Array:
    """Texts, those that are empty missing."""
    return pc.if_else(pc.equal(texts, ""), None, texts)


def _subjects_of(source: Source, page: RowPage, types: Sequence[str]) -> Batch:
    """The subjects that keys begin with; of a long name they have no more than its digest, but the event has it."""
    kind, (name, is_digest) = page.keys.texts()[0], page.keys.texts()
    if is_digest.any():
        return _subjects_at(source, page.seqs, types)
    return {"kind": kind.dictionary_encode(), "name": _given(name), "id": _given(page.keys.hexes())}


def _subjects_at(source: Source, positions: Positions, types: Sequence[str]) -> Batch:
    """The subjects of events of these types."""
    wanted = {"subject": Cells.record}
    return columns_at(source.database, positions, types, wanted, lambda fields: _subject(fields["subject"]))


def _tags(source: Source) -> Iterator[Batch]:
    long: dict[bytes, str] = {}
    for page in row_pages(source.database, Names.name, "s", source.upto, newest=True):
        record = page.cells.entered()
        has = record.booleans()
        found = {**_subject(record.record()), "seq": seqs(page.seqs)}
        digests = page.keys.rest()
        tags, is_digest = page.keys.texts()
        if is_digest.any():
            long = long or _long_tags(source)
            told = [long[key[:_DIGEST_BYTES]] for key in digests.filter(pa.array(is_digest)).to_pylist()]
            tags = pc.replace_with_mask(tags, pa.array(is_digest), pa.array(told, pa.string()))
        yield {name: column.filter(has) for name, column in {"tag": tags, **found}.items()}


_DIGEST_BYTES = 33
"""Of a text in a key that is there as its digest, the byte that says so included."""


def _long_tags(source: Source) -> dict[bytes, str]:
    found: dict[bytes, str] = {}
    for page in row_pages(source.database, Names.name, "t", source.upto, newest=False):
        _, tags = page.cells.trailing_elements()
        found |= {place: tag for tag in set(tags.texts().to_pylist()) if (place := framed(tag))[0] == IS_DIGEST}
    return found


def _aliases(source: Source) -> Iterator[Batch]:
    for page in row_pages(source.database, Names.name, "a", source.upto, newest=True):
        artifact, is_digest = page.keys.texts()
        if is_digest.any():
            artifact = texts_at(source.database, page.seqs, [AliasSet.TYPE, AliasRemoved.TYPE], ["artifact"])[
                "artifact"
            ]
        record = page.cells.entered()
        found = {"artifact": artifact, "alias": record.texts(), "content": record.hexes(), "seq": seqs(page.seqs)}
        is_set = found["content"].is_valid()
        yield {name: column.filter(is_set) for name, column in found.items()}


def _metadata(source: Source) -> Iterator[Batch]:
    for page in row_pages(source.database, Metadata.name, "m", source.upto, newest=True):
        record = page.cells.entered()
        key, missing = record.texts(), record.missing()
        found = {
            **_subjects_of(source, page, (Annotated.TYPE, AnnotationsRemoved.TYPE)),
            "key": key,
            "value": json_of(record).whole(len(key)),
            "seq": seqs(page.seqs),
        }
        is_noted = pa.array(np.ones(len(key), np.bool_) if missing is None else ~missing)
        yield {name: column.filter(is_noted) for name, column in found.items()}


def _metrics(source: Source) -> Iterator[Batch]:
    for page in row_pages(source.database, Metrics.name, "m", source.upto, newest=True):
        record = page.cells.entered()
        yield {
            **_subjects_of(source, page, [MetricsLogged.TYPE]),
            "metric": record.texts(),
            "points": record.integers().arrow(),
            "step": record.integers().arrow(),
            "time": times(record.integers()),
            "value": record.floats(),
            "seq": seqs(page.seqs),
        }


def _deletions(source: Source) -> Iterator[Batch]:
    for page in row_pages(source.database, Deletions.name, "d", source.upto, newest=True):
        record = page.cells.entered()
        is_deleted, upto = record.booleans(), record.integers().arrow()
        yield {**_subject(record.record()), "is_deleted": is_deleted, "upto": upto, "seq": seqs(page.seqs)}


TAGS = Definition("tags", columns(kind=CODE, name="string", id="string", tag="string", seq="int64"), _tags)
ALIASES = Definition("aliases", columns(artifact="string", alias="string", content="string", seq="int64"), _aliases)
METADATA = Definition(
    "metadata", columns(kind=CODE, name="string", id="string", key="string", value="string", seq="int64"), _metadata
)
METRICS = Definition(
    "metrics",
    columns(
        kind=CODE,
        name="string",
        id="string",
        metric="string",
        points="int64",
        step="int64",
        time=TIME,
        value="double",
        seq="int64",
    ),
    _metrics,
)
DELETIONS = Definition(
    "deletions",
    columns(kind=CODE, name="string", id="string", is_deleted="bool", upto="int64", seq="int64"),
    _deletions,
)
