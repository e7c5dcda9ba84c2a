"""Ingredients: what determined a step run's result, or will determine that of one which is yet to be."""

from __future__ import annotations

from collections.abc import Callable

from ..cas.blob import BlobReader
from ..cas.digest import Digest
from ..errors import LinealError
from ..events.catalogue import Input, RunStarted
from ..events.ids import Fingerprint, RunId
from ..events.projections import Runs
from ..events.projections.runs import RunRow
from ..events.rows import key
from ..immutable import Immutable
from .code import CodeManifest, Gap
from .nearest import Begun
from .reader import Reader
from .sources import Sources, sources_of


class Ingredients(Immutable):
    """What the fingerprint of a step run is made of."""

    pipeline: str
    step: str
    function: str
    fingerprint: Fingerprint
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...] | None
    """Names of the declared outputs, in order; None where that was not recorded."""
    code: Digest | None
    """Digest of the code manifest; None where an older version did not record it."""
    manifest: Callable[[], CodeManifest | None]
    """Gives the code manifest; None where it is gone."""
    sources: Callable[[], Sources | None]
    """Gives the source files of the code; None where they were not captured, or are gone."""
    blobs: BlobReader
    """Where the values of its inputs are."""


def run_row(reader: Reader, run: RunId) -> RunRow | None:
    """A run's state."""
    found = reader.rows(Runs.name).latest(key("r", run))
    return None if found is None else RunRow.of(found.row)


def ingredients_of(reader: Reader, begun: Begun) -> Ingredients:
    """What determined a step run."""
    event, step = begun.event, begun.id.step
    code = event.code
    row = run_row(reader, begun.id.run)
    return Ingredients(
        "" if row is None else row.pipeline,
        step,
        event.function,
        event.fingerprint,
        event.inputs,
        _declared_outputs(reader, row, step),
        code,
        lambda: None if code is None else _manifest(reader, code),
        lambda: None if code is None else _sources(reader, code, event.function),
        reader.store.blobs,
    )


def code_ingredients(reader: Reader, pipeline: str, function: str, code: Digest) -> Ingredients:
    """Code by itself, as of a pipeline's own function, in the shape in which it is compared."""
    return Ingredients(
        pipeline,
        "",
        function,
        Fingerprint(code),
        (),
        None,
        code,
        lambda: _manifest(reader, code),
        lambda: _sources(reader, code, function),
        reader.store.blobs,
    )


def gaps_in(reader: Reader, code: Digest | None) -> tuple[Gap, ...]:
    """Where a fingerprint is less exact than its code; none known of code that is gone or was not recorded."""
    manifest = None if code is None else _manifest(reader, code)
    return () if manifest is None else manifest.gaps


def _manifest(reader: Reader, code: Digest) -> CodeManifest | None:
    try:
        return CodeManifest.decode(reader.store.blobs.read(code))
    except LinealError:
        return None


def _sources(reader: Reader, code: Digest, function: str) -> Sources | None:
    try:
        return sources_of(reader, code, function)
    except LinealError:
        return None


def _declared_outputs(reader: Reader, row: RunRow | None, step: str) -> tuple[str, ...] | None:
    """What the pipeline's structure says of a step's outputs."""
    started = None if row is None else reader.event(row.started_seq).event
    if not isinstance(started, RunStarted):
        return None
    try:
        structure = reader.told(started.structure)
        return next((tuple(one["outputs"]) for one in structure["steps"] if one["name"] == step), None)
    except (LinealError, KeyError, TypeError):
        return None
