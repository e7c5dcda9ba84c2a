"""Runs by what is known of them: lists that are read as far as they are used, and the run that a reference means."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from operator import attrgetter

from ..errors import InvalidReference, RunNotFound
from ..events.ids import RunId
from ..events.projections import Runs
from ..events.projections.runs import INTERRUPTED, RUNNING, STATUSES
from ..events.rows import Stamped, key
from ..immutable import Immutable
from .asked_runs import AskedRun, Begun, asked_runs
from .deletion import present
from .labels import tagged
from .pipeline_names import pipeline_named
from .reader import Reader
from .references import is_hex, near
from .run_names import run_named
from .views import RunView

NEWEST, OLDEST = "newest", "oldest"
_ID_PREFIX_MIN = 4
_ID_DIGITS = 32
_NEAR_NAMES = 1000


class RunQuery(Immutable):
    """Which runs are wanted, and in which order."""

    pipeline: str | None = None
    """By its name."""
    status: str | None = None
    after: int = 0
    """Only those that began after this position in the log."""
    upto: int | None = None
    """Only those that began up to and with this one."""
    tag: str | None = None
    where: str | None = None
    order: str = NEWEST
    """``newest`` or ``oldest``, or what to sort by, as ``metrics.accuracy``; with a minus, the greatest first."""


def runs_found(reader: Reader, query: RunQuery) -> Iterator[RunView]:
    """The runs that are wanted, lazily; sorted by a value, all are looked at first.

    Raises:
        InvalidReference: There is no such status.
        PipelineNotFound: The pipeline is called otherwise now.
        InvalidCondition: The condition, or what to sort by, can't be read.
    """
    if query.status is not None and query.status not in STATUSES:
        raise InvalidReference(f"no run is ever {query.status!r}", hint=near(query.status, STATUSES))
    if query.pipeline is not None:
        query = query.replaced(pipeline=pipeline_named(reader, query.pipeline) or query.pipeline)
    found = asked_runs(reader, _candidates(reader, query))
    view_of: Callable[[AskedRun], RunView] = attrgetter("view")
    if query.where is None and query.order in (NEWEST, OLDEST):
        return present(reader, map(view_of, found))
    from .asking import run_fields
    from .where import condition, ordered

    fields = run_fields()
    if query.where is not None:
        found = filter(condition(query.where, fields), found)
    if query.order in (NEWEST, OLDEST):
        return present(reader, map(view_of, found))
    return present(reader, ordered(found, query.order, fields, view_of))


def _candidates(reader: Reader, query: RunQuery) -> Iterator[Begun]:
    is_oldest_first = query.order == OLDEST
    if query.tag is not None:
        runs = (RunView(reader, RunId(subject.id)) for subject in tagged(reader, query.tag, "run"))
        some = sorted(filter(_is_known, runs), key=lambda run: run.seq, reverse=not is_oldest_first)
        return ((run.id, run.seq) for run in some if _fits(run, query))
    if query.status is not None:
        found = (run for run in _in_status(reader, query.status, query.pipeline) if _began_within(run, query))
        return ((run.id, None) for run in (sorted(found, key=lambda run: run.seq) if is_oldest_first else found))
    table = key("a") if query.pipeline is None else key("p", query.pipeline)
    return ((row[0], seq) for seq, row in _within(reader, table, query, is_oldest_first))


def _within(reader: Reader, table: bytes, query: RunQuery, is_oldest_first: bool) -> Iterator[Stamped]:
    """The rows of a list of runs that were made when one began, of the stretch that is wanted."""
    ends = [end for end in (reader.upto, query.upto) if end is not None]
    rows = reader.store.rows(Runs.name, min(ends, default=None)).history(table, newest_first=not is_oldest_first)
    for one in rows:
        if one.seq > query.after:
            yield one
        elif not is_oldest_first:
            return


def _in_status(reader: Reader, status: str, pipeline: str | None) -> Iterator[RunView]:
    if status in (RUNNING, INTERRUPTED):  # One of the running may have died unnoticed.
        running = reader.rows(Runs.name).latest(key("l"))
        for run in reversed([] if running is None else running.row):
            view = RunView(reader, RunId(run))
            if view.status == status and pipeline in (None, view.pipeline.first_name):
                yield view
    if status != RUNNING:
        table = key("e", status) if pipeline is None else key("q", pipeline, status)
        rows = reader.rows(Runs.name).history(table, newest_first=True)
        ended: Iterable[RunView] = (RunView(reader, RunId(one.row[0])) for one in rows)
        # Of all ends, only that a run was interrupted can turn out wrong, and then be right after all.
        yield from ended if status != INTERRUPTED else dict.fromkeys(run for run in ended if run.status == status)


def _is_known(run: RunView) -> bool:
    return run._reader.rows(Runs.name).latest(key("r", run.id)) is not None


def _began_within(run: RunView, query: RunQuery) -> bool:
    return run.seq > query.after and (query.upto is None or run.seq <= query.upto)


def _fits(run: RunView, query: RunQuery) -> bool:
    is_in = query.status in (None, run.status) and query.pipeline in (None, run.pipeline.first_name)
    return is_in and _began_within(run, query)


def run_meant(reader: Reader, reference: str | RunId) -> RunView:
    """The run that has this name or id, or whose id begins so (four or more hex digits).

    Raises:
        RunNotFound: None is called so; the hint says what is near.
        InvalidReference: Several ids begin so.
    """
    rows = reader.rows(Runs.name)
    if isinstance(reference, RunId):
        if rows.latest(key("r", reference)) is None:
            raise RunNotFound("there is no such run", where=reference)
        return RunView(reader, reference)
    named = run_named(reader, reference)
    if named is not None:
        return RunView(reader, named)
    ids = _ids_with_prefix(reader, reference)
    if len(ids) > 1:
        raise InvalidReference(f"several runs have ids that begin with {reference!r}", hint="Give more digits.")
    if not ids:
        names = [run.name for run in islice(runs_found(reader, RunQuery()), _NEAR_NAMES)]
        raise RunNotFound(f"no run is called {reference!r}", hint=near(reference, names))
    return RunView(reader, ids[0])


def _ids_with_prefix(reader: Reader, text: str) -> list[RunId]:
    if not is_hex(text) or not _ID_PREFIX_MIN <= len(text) <= _ID_DIGITS:
        return []
    whole_bytes = bytes.fromhex(text[: len(text) // 2 * 2])
    ids = [RunId(place[1:]) for place in reader.rows(Runs.name).keys(key("r", whole_bytes), 64)]
    alike = [RunView(reader, one) for one in ids if str(one).startswith(text.lower())]
    # Who knows a run's whole id, as from a lineage, may look at it though it was deleted.
    return [one.id for one in (alike if len(text) == _ID_DIGITS else present(reader, alike))]
