"""Nothing is overwritten: each query works at any past position of the log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from depth import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from memory import IN_MEMORY

from lineal.cas import digest_of
from lineal.directory import create_store
from lineal.errors import LinealError
from lineal.events.catalogue import Event
from lineal.events.codec import Recorded
from lineal.events.ids import Fingerprint
from lineal.events.projections import Projection, RowWriter
from lineal.history import ArtifactVersionView, History, PipelineView, RunView, StepRunView
from lineal.store import Store

START_US = 1_900_000_000_000_000
CONTENTS = [bytes([number]) for number in range(5)]
OF_LOG = ("events", "payloads", "store_created")
"""The tables that show the ids of events, and of the store, which are each time others."""
CONTENTS_NAMED = [digest_of(content) for content in CONTENTS]


@contextmanager
def store_of(events: list[Event], clocks_us: list[int]) -> Iterator[Store]:
    """A store whose log has these events, recorded at these times."""
    with TemporaryDirectory(dir=IN_MEMORY) as folder:
        path = Path(folder) / "store"
        create_store(path, START_US)
        times = iter(clocks_us)
        store = Store(path, read_only=False, clock=lambda: START_US + next(times))
        try:
            with store.blobs.batch() as batch:
                for content in CONTENTS:
                    batch.put(content)
                receipts = batch.publish()
            for event in events:
                store.append([event], receipts)
            store.flush()
            yield store
        finally:
            store._users = 1
            store.close()


def said(ask: Callable[[], Any]) -> Any:
    """An answer, or how it is refused: histories made at random have runs without a beginning, and the like."""
    try:
        return ask()
    except LinealError as error:
        return type(error).__name__, error.what


def everything(history: History) -> dict[str, Any]:
    """All that the read API says, as of the view; what it says of the bytes that are there now left out."""
    statuses = ("running", "completed", "failed", "cancelled", "interrupted")
    return {
        "head": history.head.seq,
        "events": [(one.seq, one.type, one.time_us) for one in history.events()],
        "runs": [run(one) for one in history.runs()],
        "by status": {status: [str(one.id) for one in history.runs(status=status)] for status in statuses},
        "found": [
            said(lambda one=one: [str(run.id) for run in history.runs(**one)])
            for one in (
                {"where": "metrics.loss < 5 or status == 'failed'"},
                {"tag": "best", "order": "oldest"},
                {"since": 3, "until": 9},
                {"order": "-duration_s"},
            )
        ],
        "versions": [str(one.content) for one in history.versions(where="version > 1")],
        "pipelines": [pipeline(one) for one in history.pipelines()],
        "artifacts": {one.name: [version(each) for each in one.versions] for one in history.artifacts()},
        "pins": history.pins(),
        "names": [history.versions_of(digest_of(content)) for content in CONTENTS],
        "cache": [said(lambda one=one: history.reusable(Fingerprint(digest_of(one)))) for one in CONTENTS],
        "references": [
            said(lambda one=one: str(history.artifact(one))) for one in ("data", "model@1", "data@" + "0" * 8)
        ],
        "by digest": [said(lambda one=one: str(history.artifact(f"data@{digest_of(one)}"))) for one in CONTENTS],
        "by name": [said(lambda one=one: str(history.run(one).id)) for one in ("named", "p-1", "q-2", "00000000")],
        "tagged": {tag: said(lambda tag=tag: list(map(repr, history.tagged(tag)))) for tag in ("best", "data")},
        "annotated": {name: said(lambda name=name: repr(history.annotated(name))) for name in ("old", "model")},
        "labelled": [history.has_labels(kind) for kind in ("artifact", "version", "pipeline", "run", "step")],
        "like": [one.name for one in history.artifacts(like="*o*")],
        "made from": said(lambda: history.made_from(CONTENTS_NAMED[0]).to_dict()),
        "projected": list(history.projected(Mentions()).history(b"m")),
        "tables": {name: said(lambda name=name: table(history, name)) for name in history.tables if name not in OF_LOG},
    }


def table(history: History, name: str) -> list[dict[str, Any]]:
    """The rows of a table."""
    rows: list[dict[str, Any]] = history.tables[name].to_arrow().to_pylist()
    return rows


class Mentions(Projection):
    """A user's own fold, which needs all that came before."""

    name = "mentions"
    events = None

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        before = rows.latest(b"m") or [0]
        rows.add(b"m", [before[0] + len(recorded.named)])


def labels(one: Any) -> Any:
    """What people and programs have put on something."""
    return one.tags, one.annotations, {name: (each.latest, len(each)) for name, each in one.metrics.items()}


def run(one: RunView) -> dict[str, Any]:
    """A run."""
    return {
        "id": str(one.id),
        "state": (one.name, one.status, one.message, one.seq, one.ended_seq, one.started, one.duration_s),
        "pipeline": (one.pipeline.name, said(lambda: one.pipeline_version.version)),
        "parameters": said(lambda: one.shown_parameters),
        "steps": [step(each) for each in one.steps.values()],
        "step": [said(lambda name=name: one.get_step(name)) for name in ("load", "train", "none")],
        "events": [each.seq for each in one.events()],
        "labels": said(lambda: labels(one)),
        "replay": said(lambda: [(each.at_s, each.event and each.event.seq) for each in one.replay()]),
    }


def step(one: StepRunView) -> dict[str, Any]:
    """A step run."""
    return {
        "state": (one.name, one.status, one.is_cached, one.function, one.fingerprint, one.started, one.duration_s),
        "inputs": said(lambda: {name: str(each) for name, each in one.inputs.items()}),
        "outputs": said(lambda: {name: str(each) for name, each in one.outputs.items()}),
        "parents": said(lambda: [each.id for each in one.parents]),
        "reuses": said(lambda: one.reuses),
        "failure": one.failure,
        "labels": said(lambda: labels(one)),
        "divergence": said(lambda: repr(one.divergence)),
        "why": said(lambda: str(one.why())),
        "parameters": said(lambda: one.shown_parameters),
    }


def pipeline(one: PipelineView) -> dict[str, Any]:
    """A pipeline."""
    versions = [(each.version, each.structure, [str(run.id) for run in each.runs]) for each in one.versions]
    found = {"name": one.name, "versions": versions, "runs": [str(each.id) for each in one.runs]}
    return found | {"labels": said(lambda: labels(one))}


def version(one: ArtifactVersionView) -> dict[str, Any]:
    """An artifact version."""
    return {
        "state": (one.name, one.version, one.content, one.created, one.type, one.format, one.size_bytes, one.metadata),
        "kept": (one.released, one.eviction, one.is_evicted),
        "lineage": said(lambda: one.lineage().to_dict()),
        "downstream": said(lambda: one.downstream().to_dict()),
        "downstream in part": said(lambda: str(one.downstream(depth=1))),
        "producer": said(lambda: one.producer),
        "edges": (one.producers, one.consumers),
        "labels": said(lambda: (labels(one), one.aliases)),
    }


clocks = st.lists(st.integers(-5, 20), min_size=60, max_size=60)
"""How far the clock goes on before each event, or back."""


@settings(max_examples=examples(20), suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(data=st.data(), moves=clocks)
def test_nothing_is_overwritten_the_past_is_what_a_store_says_whose_log_ends_there(
    history_of_events: Any, data: st.DataObject, moves: list[int]
) -> None:
    events = data.draw(history_of_events)
    clocks_us = [sum(moves[: place + 1]) for place in range(len(events))]
    upto = data.draw(st.integers(0, len(events)))
    with store_of(events, clocks_us) as whole, store_of(events[:upto], clocks_us) as ended:
        seq = upto + 1
        past = everything(History(whole).as_of(seq))
        assert past == everything(History(ended).as_of(seq))
        _times_lead_there(History(whole), [0, *clocks_us])
        _runs_lead_there(History(whole))


def _times_lead_there(history: History, clocks_us: list[int]) -> None:
    """As of a time is as of the last position before the first event that is later."""
    for time_us in {0, *clocks_us, max(clocks_us) + 1}:
        wanted = next((place for place, one in enumerate(clocks_us) if one > time_us), len(clocks_us))
        time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=START_US + time_us)
        found = said(lambda time=time: history.as_of(time).head.seq)
        assert found == wanted or (wanted == 0 and found[0] == "InvalidReference")


def _runs_lead_there(history: History) -> None:
    """As of a run is as of the event that ended it, and now if none has."""
    for one in history.runs():
        past = history.as_of(one)
        if one.ended_seq is None:  # It may read as interrupted now, as nobody goes on with it; nobody recorded so.
            assert past.head == history.head
        else:
            assert past.head.seq > one.seq
            assert past.run(one.id).status == one.status
            assert history.as_of(past.head.seq - 1).run(one.id).status == "running"
