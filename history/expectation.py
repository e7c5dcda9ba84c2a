"""What a step is expected to take: the median of the executions that its function had."""

from __future__ import annotations

from itertools import islice
from statistics import median_low
from typing import NamedTuple

from ..events.projections import Lineage
from ..events.rows import key
from .reader import Reader

EXECUTIONS_MAX = 100
"""How many executions are looked at, the newest."""
_STEP_RUNS_MAX = 10_000
"""How many step runs are looked through for them: most may have been served from the cache."""


class Expectation(NamedTuple):
    """What an execution of a function took so far, by the median of the newest."""

    executions: int
    """How many it is drawn from, at most `EXECUTIONS_MAX`."""
    duration_s: float
    size_bytes: int
    """Of all that an execution gave."""


def expected(reader: Reader, function: str) -> Expectation | None:
    """What an execution of a function is expected to take; None where it has never executed to its end."""
    rows = reader.rows(Lineage.name).history(key("f", function), newest_first=True)
    ended = (row for _, row in islice(rows, _STEP_RUNS_MAX))
    took = [(duration_us, size) for _, _, duration_us, size in ended if duration_us is not None]
    newest = took[:EXECUTIONS_MAX]
    if not newest:
        return None
    durations_us, sizes_bytes = zip(*newest, strict=True)
    return Expectation(len(newest), median_low(durations_us) / 1_000_000, median_low(sizes_bytes))
