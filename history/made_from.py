"""Made from: everything that some bytes went into, as a value or a part of one, as code, or as an environment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgpack

from ..cas import BlobStore, Digest
from ..errors import NotFound
from ..events.catalogue import CodeCaptured, RunStarted, StepCompleted, StepFailed, StepReused
from ..events.projections import Lineage as LineageRows
from ..events.projections import References, Steps
from ..events.rows import key
from .downstream import Downstream
from .lineage import Lineage
from .lineage_parts import VersionKey
from .reader import Reader
from .tracing import NODES_MAX, pages

_ENDED = {StepCompleted.TYPE, StepReused.TYPE, StepFailed.TYPE}


def made_from(
    reader: Reader,
    digest: Digest,
    small: bytes | None = None,
    *,
    depth: int | None = None,
    nodes_max: int = NODES_MAX,
) -> Lineage:
    """Everything that was made from a blob: from values that have it in them, by code or in an environment that it is.

    Small: its bytes, where they are so few that they may stand in the manifests of values, instead of their digest.
    Of values whose bytes were collected, what they had in them is not known. Cost: a look at every manifest of the
    store; then as for what is downstream.

    Raises:
        NotFound: Nothing was.
    """
    contents = containing(reader.store.blobs, digest, small)
    roots = [VersionKey(name, content) for content in contents for name, _ in reader.names_of(content)]
    steps = sorted({*_took_as_literals(reader, contents), *_ran_with(reader, digest)})
    if not roots and not steps:
        raise NotFound(f"nothing was made from {str(digest)[:12]}…", hint="No value, code or environment here has it.")
    followed = Downstream(reader, nodes_max=nodes_max)
    followed.begin_at(roots)
    followed.begin_at_steps(steps)
    followed.follow(depth)
    return followed.lineage(roots)


def containing(blobs: BlobStore, digest: Digest, small: bytes | None = None) -> list[Digest]:
    """The blob itself and every manifest that it is in, at whatever depth, by its digest or as its bytes."""
    found = {digest: None}
    new: list[bytes] = [digest, *([] if small is None else [small])]
    while new:
        sought, new = new, []
        for manifest, encoded in blobs.manifests_with(sought):
            # The bytes may be there as a piece of others: what is in it by itself is told by decoding it.
            if manifest not in found and _has(encoded, sought):
                found[manifest] = None
                new.append(manifest)
    return list(found)


def _has(manifest: bytes, sought: Sequence[bytes]) -> bool:
    """Whether one of these is a value of its own in a manifest."""
    waiting: list[Any] = [msgpack.unpackb(manifest, strict_map_key=False, unicode_errors="surrogatepass")]
    while waiting:
        one = waiting.pop()
        if isinstance(one, bytes) and one in sought:
            return True
        if isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
    return False


def _took_as_literals(reader: Reader, contents: Iterable[Digest]) -> Iterator[int]:
    """The events that ended step runs which took one of these as a literal."""
    rows = reader.rows(LineageRows.name)
    for content in contents:
        yield from (seq for seq, row in rows.history(key("c", content)) if row[3] is None)


def _ran_with(reader: Reader, digest: Digest) -> Iterator[int]:
    """The events that ended step runs whose code this is, or is a file of, or whose run had it as its environment."""
    rows, log = reader.rows(References.name), reader.store.log
    for page in pages(seq for seq, _ in rows.history(key("r", digest))):
        for recorded in log.get_all(page):
            event = recorded.event if recorded.type in (CodeCaptured.TYPE, RunStarted.TYPE) else None
            if isinstance(event, CodeCaptured) and event.code != digest:
                yield from _of_code(reader, event.code)
            elif isinstance(event, RunStarted) and digest in (event.environment, event.checkout):
                yield from _of_run(reader, event.run)
            elif recorded.type in _ENDED and recorded.fields.code == digest:
                yield recorded.seq


def _of_code(reader: Reader, code: Digest) -> Iterator[int]:
    rows = reader.rows(References.name).history(key("r", code))
    for page in pages(seq for seq, _ in rows):
        ended = (one for one in reader.store.log.get_all(page) if one.type in _ENDED)
        yield from (one.seq for one in ended if one.fields.code == code)


def _of_run(reader: Reader, run: bytes) -> Iterator[int]:
    rows = reader.rows(Steps.name)
    last = (rows.latest(place) for place in rows.keys(key("s", run)))
    for page in pages(one.seq for one in last if one is not None):
        yield from (one.seq for one in reader.store.log.get_all(page) if one.type in _ENDED)
