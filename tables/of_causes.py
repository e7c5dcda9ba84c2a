"""Tables of what determines results: code and environments that were met, fingerprints that are one, and claims."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from ..events.catalogue import CodeCaptured, EnvironmentCaptured
from ..events.projections import Causes, Claims
from .base import Batch, Definition, Source, columns, seqs
from .pages import row_pages, texts_at


def _code(source: Source) -> Iterator[Batch]:
    for page in row_pages(source.database, Causes.name, "c", source.upto, newest=True):
        code, (function, is_digest) = page.keys.digests(), page.keys.texts()
        if is_digest.any():
            function = texts_at(source.database, page.seqs, [CodeCaptured.TYPE], ["function"])["function"]
        yield {"code": code, "function": function, "seq": seqs(page.seqs)}


def _environments(source: Source) -> Iterator[Batch]:
    for page in row_pages(source.database, Causes.name, "e", source.upto, newest=True):
        said = texts_at(source.database, page.seqs, [EnvironmentCaptured.TYPE], ["python", "platform"])
        yield {"environment": page.keys.digests(), **said, "seq": seqs(page.seqs)}


def _equivalences(source: Source) -> Iterator[Batch]:
    for page in row_pages(source.database, Causes.name, "q", source.upto, newest=True):
        rows, declared = page.cells.trailing_elements()
        one = declared.entered()
        same_as, reason = one.hexes(), one.texts()
        fingerprint = page.keys.digests().take(pa.array(rows))
        yield {"fingerprint": fingerprint, "same_as": same_as, "reason": reason, "seq": seqs(page.seqs[rows])}


def _claims(source: Source) -> Iterator[Batch]:
    for page in row_pages(source.database, Claims.name, "f", source.upto, newest=True):
        claim = page.cells.entered()
        run, step = claim.hexes(), claim.texts()
        found = {"fingerprint": page.keys.digests(), "run": run, "step": step, "seq": seqs(page.seqs)}
        is_held = pa.array(np.flatnonzero(run.is_valid().to_numpy(zero_copy_only=False)))
        yield {name: column.take(is_held) for name, column in found.items()}


CODE_MET = Definition("code", columns(code="string", function="string", seq="int64"), _code)
ENVIRONMENTS = Definition(
    "environments", columns(environment="string", python="string", platform="string", seq="int64"), _environments
)
EQUIVALENCES = Definition(
    "equivalences", columns(fingerprint="string", same_as="string", reason="string", seq="int64"), _equivalences
)
CLAIMS = Definition("claims", columns(fingerprint="string", run="string", step="string", seq="int64"), _claims)
