"""Tables of what stands: runs, versions, the cache, pins and what was let go, as of an event."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from ..events.catalogue import Process
from ..events.projections import Cache, Pins, Pipelines, Releases, Runs, Visualizations
from ..events.projections.runs import RunRow
from ..events.rows import framed
from .base import CODE, TIME, Batch, Definition, Source, columns, seqs, times
from .packed import Cells
from .pages import Read, RowPage, fields_of, row_pages
from .version_rows import version_rows

_RUN: dict[str, Read] = {
    "run": Cells.hexes,
    "status": Cells.texts,
    "name": Cells.texts,
    "pipeline": Cells.texts,
    "number": Cells.integers,
    "started_seq": Cells.integers,
    "started_us": Cells.integers,
    "ended_us": Cells.integers,
    "message": Cells.texts,
    "process": Cells.record,
}


def _runs(source: Source) -> Iterator[Batch]:
    names = _names(source, Runs.name)
    for page in row_pages(source.database, Runs.name, "r", source.upto, newest=True):
        batch = _run_batch(page)
        yield batch | {"pipeline": _called(batch["pipeline"], names)}


def _names(source: Source, projection: str) -> dict[str, str]:
    """What those pipelines are called that were renamed, by first name."""
    names: dict[str, str] = {}
    for page in row_pages(source.database, projection, "m", source.upto, newest=True):
        record = page.cells.entered()
        names |= zip(record.texts().to_pylist(), record.texts().to_pylist(), strict=True)
    return names


def _called(pipelines: pa.Array, names: dict[str, str]) -> pa.Array:
    return pa.array([names.get(one, one) for one in pipelines.to_pylist()], pa.string()) if names else pipelines


def _run_batch(page: RowPage) -> Batch:
    found = fields_of(page.cells.entered(), RunRow._fields, _RUN)
    process = fields_of(found["process"], Process._fields, {"host": Cells.texts, "pid": Cells.integers})
    return {
        **{name: found[name] for name in ("run", "name", "pipeline", "message")},
        "number": found["number"].arrow(),
        "status": found["status"].dictionary_encode(),
        "started": times(found["started_us"]),
        "ended": times(found["ended_us"]),
        "host": process["host"],
        "pid": process["pid"].arrow(),
        "started_seq": found["started_seq"].arrow(),
        "seq": seqs(page.seqs),
    }


def _versions(source: Source) -> Iterator[Batch]:
    for page in version_rows(source):
        yield {
            "artifact": page.artifacts,
            "version": page.numbers.arrow(),
            "content": page.contents,
            "seq": seqs(page.seqs),
        }


def _cache(page: RowPage) -> Batch:
    return {"fingerprint": page.keys.digests(), "seq": seqs(page.seqs)}


def _releases(page: RowPage) -> Batch:
    record = page.cells.entered()
    upto, reason = record.integers().arrow(), record.texts()
    return {"content": page.keys.digests(), "upto": upto, "reason": reason, "seq": seqs(page.seqs)}


def _evictions(page: RowPage) -> Batch:
    gone = page.cells.booleans()
    return {"content": page.keys.digests(), "is_gone": gone, "seq": seqs(page.seqs)}


def _pins(page: RowPage) -> Batch:
    record = page.cells.entered()
    label, content, expires = record.texts(), record.hexes(), times(record.integers())
    found = {"label": label, "content": content, "expires": expires, "seq": seqs(page.seqs)}
    is_there = pa.array(np.flatnonzero(content.is_valid().to_numpy(zero_copy_only=False)))
    return {name: column.take(is_there) for name, column in found.items()}


def _visualizations(page: RowPage) -> Batch:
    rows, shown = page.cells.entered().elements()
    one = shown.entered()
    name, media_type, blob, size_bytes = one.texts(), one.texts(), one.hexes(), one.integers().arrow()
    return {
        "content": page.keys.digests().take(pa.array(rows)),
        "name": name,
        "media_type": media_type,
        "blob": blob,
        "size_bytes": size_bytes,
        "seq": seqs(page.seqs[rows]),
    }


def _pipelines(source: Source) -> Iterator[Batch]:
    """A row a version. The key has the name, or what stands for a long one."""
    names: dict[bytes, str] = {}
    renamed = _names(source, Pipelines.name)
    for page in row_pages(source.database, Pipelines.name, "a", source.upto, newest=False):
        names |= {framed(name): renamed.get(name, name) for name in page.cells.entered().texts().to_pylist()}
    for page in row_pages(source.database, Pipelines.name, "v", source.upto, newest=False):
        record = page.cells.entered()
        number, structure = record.integers().arrow(), record.hexes()
        called = pa.array([names[key] for key in page.keys.rest().to_pylist()], pa.string())
        yield {"pipeline": called, "version": number, "structure": structure, "seq": seqs(page.seqs)}


def _batches(projection: str, table: str, read: Callable[[RowPage], Batch], source: Source) -> Iterator[Batch]:
    for page in row_pages(source.database, projection, table, source.upto, newest=True):
        yield read(page)


def _of(name: str, projection: str, table: str, read: Callable[[RowPage], Batch], /, **types: Any) -> Definition:
    """A table of the newest row of each key."""
    return Definition(name, columns(**types), partial(_batches, projection, table, read))


RUNS = Definition(
    "runs",
    columns(
        run="string",
        name="string",
        pipeline="string",
        number="int64",
        status=CODE,
        started=TIME,
        ended=TIME,
        message="string",
        host="string",
        pid="int64",
        started_seq="int64",
        seq="int64",
    ),
    _runs,
)
VERSIONS = Definition("versions", columns(artifact="string", version="int64", content="string", seq="int64"), _versions)
CACHE = _of("cache", Cache.name, "f", _cache, fingerprint="string", seq="int64")
PINS = _of("pins", Pins.name, "l", _pins, label="string", content="string", expires=TIME, seq="int64")
RELEASES = _of("releases", Releases.name, "c", _releases, content="string", upto="int64", reason="string", seq="int64")
EVICTIONS = _of("evictions", Releases.name, "e", _evictions, content="string", is_gone="bool", seq="int64")
VISUALIZATIONS = _of(
    "visualizations",
    Visualizations.name,
    "c",
    _visualizations,
    content="string",
    name="string",
    media_type="string",
    blob="string",
    size_bytes="int64",
    seq="int64",
)
PIPELINES = Definition(
    "pipelines", columns(pipeline="string", version="int64", structure="string", seq="int64"), _pipelines
)
