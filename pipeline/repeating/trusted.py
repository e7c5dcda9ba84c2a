"""Whether what came from another store may be run again: its events say which code that is, and with what."""

from __future__ import annotations

from collections.abc import Iterator

from ...errors import LoadRefused
from ...events.ids import RunId
from ...events.projections import Steps
from ...events.rows import key
from ...history import Reader, RunView, Trust
from ...history.sources import capture_of


def require_trusted(reader: Reader, run: RunView) -> None:
    """Raise `LoadRefused` where a run, a step of it or its recorded sources came from a store that is not trusted.

    Also for the code of today: a run says which function of all that can be imported was called, and with what.
    """
    trust = Trust(reader.store)
    if trust.is_needed:
        _require(trust, [run.seq, *_steps(reader, run.id), *_captures(reader, run)], run.name)


def require_trusted_step(reader: Reader, run: RunId, step: str) -> None:
    """The same for one step run alone, and without its sources."""
    trust = Trust(reader.store)
    if trust.is_needed:
        _require(trust, _steps(reader, run, step), step)


def is_trusted_step(reader: Reader, run: RunId, step: str) -> bool:
    """Whether `require_trusted_step` lets it pass."""
    trust = Trust(reader.store)
    return not trust.is_needed or not any(map(trust.doubted_source, _steps(reader, run, step)))


def _require(trust: Trust, seqs: list[int], name: str) -> None:
    source = next(filter(None, map(trust.doubted_source, seqs)), None)
    if source is not None:
        raise LoadRefused(
            f"the code that {name} ran was imported from store {source}, which is not trusted",
            hint=f"If you trust whoever made it, run `lineal trust {source}`.",
        )


def _steps(reader: Reader, run: RunId, step: str | None = None) -> list[int]:
    """The positions of all facts of a run's steps, or of one."""
    rows = reader.rows(Steps.name)
    keys = rows.keys(key("s", run)) if step is None else [key("s", run, step)]
    return [seq for one in keys for seq, _ in rows.history(one)]


def _captures(reader: Reader, run: RunView) -> Iterator[int]:
    """Where the sources were captured that are restored for a run."""
    beginning = run.beginning
    codes = {(step.code, step.function) for step in run.steps.values()} | {(beginning.code, beginning.function)}
    for code, function in codes:
        found = None if code is None or function is None else capture_of(reader, code, function)
        if found is not None:
            yield found.seq
