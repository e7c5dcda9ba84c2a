"""The rows of `Artifacts` that tell of versions, by columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pyarrow as pa

from ..events.projections import Artifacts
from .base import Source
from .cuts import Positions
from .packed import Integers
from .pages import row_pages


class VersionRows(NamedTuple):
    """A page of them."""

    artifacts: pa.Array
    numbers: Integers
    contents: pa.Array
    seqs: Positions
    """The events that made contents versions."""


def version_rows(source: Source) -> Iterator[VersionRows]:
    """All versions as of an event, by the names of artifacts and then by contents."""
    for page in row_pages(source.database, Artifacts.name, "v", source.upto, newest=True):
        chosen = (page.keys.skip_text().letters() == _CONTENT).nonzero()[0]
        if chosen.size:
            record = page.cells.where(chosen).entered()
            names, numbers = record.texts(), record.integers()
            yield VersionRows(names, numbers, page.keys.where(chosen).digests(), page.seqs[chosen])


_CONTENT = ord("c")
