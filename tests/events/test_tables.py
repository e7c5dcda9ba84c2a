"""Tables: what they show as of any event is what the log and its projections say one by one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from math import isfinite
from typing import Any

import msgpack
import pytest
from depth import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.cas import Digest
from lineal.errors import LogCorrupt
from lineal.events.catalogue import (
    CATALOGUE,
    AliasRemoved,
    AliasSet,
    Annotated,
    AnnotationsRemoved,
    ClaimEnded,
    CodeCaptured,
    EnvironmentCaptured,
    EquivalenceDeclared,
    EquivalenceRevoked,
    Event,
    FingerprintClaimed,
    ImportsTrusted,
    MetricsLogged,
    PinAdded,
    PipelineRenamed,
    RunCompleted,
    StepCompleted,
    StepStarted,
    StoreImported,
    Tagged,
    TrustRevoked,
    Unknown,
    Untagged,
)
from lineal.events.codec import decode
from lineal.events.ids import Fingerprint, RunId
from lineal.events.log import LogWriter
from lineal.events.projections import PROJECTIONS
from lineal.events.projections.runs import RunRow
from lineal.events.rows import RowReader, key
from lineal.tables import leaves, pages, parts, shapes
from lineal.tables.base import Source, batch_of
from lineal.tables.table import DEFINITIONS

EXPORTED = {
    "runs": "runs",
    "pipelines": "pipelines",
    "steps": "steps",
    "artifacts": "versions",
    "content_names": "versions",
    "cache": "cache",
    "pins": "pins",
    "releases": "releases evictions",
    "lineage": "uses productions",
    "names": "tags aliases",
    "metadata": "metadata",
    "metrics": "metrics",
    "visualizations": "visualizations",
    "causes": "code environments equivalences",
    "claims": "claims",
    "imports": "imports",
    "deletions": "deletions",
    "streams": "events",
    "references": "references",
    "parameters": "parameters",
}
"""By projection, the tables that show it."""

OF_PAYLOADS = {"payloads", "computed_metadata"}
"""Tables of what is in events alone."""

Row = dict[str, Any]


def test_every_projection_is_shown_by_a_table() -> None:
    assert EXPORTED.keys() == {projection.name for projection in PROJECTIONS}
    of_rows = {name for names in EXPORTED.values() for name in names.split()}
    of_types = {type_.partition("/")[0].replace(".", "_") for type_ in CATALOGUE}
    assert of_rows | of_types | {"payloads", "computed_metadata"} == DEFINITIONS.keys()
    assert not of_rows & of_types


def newest(ledger: Any, projection: str, table: str, upto: int) -> Iterator[tuple[bytes, int, Any]]:
    rows = RowReader(ledger.environment, projection, upto)
    for row_key in rows.keys(table.encode()):
        found = rows.latest(row_key)
        assert found is not None
        yield row_key, found.seq, found.row


def all_of(ledger: Any, projection: str, table: str, upto: int) -> Iterator[tuple[bytes, int, Any]]:
    rows = RowReader(ledger.environment, projection, upto)
    for row_key in rows.keys(table.encode()):
        for found in rows.history(row_key):
            yield row_key, found.seq, found.row


def events_one_by_one(ledger: Any, upto: int) -> Iterator[Row]:
    for one in ledger.log.scan(0, upto):
        refs = [str(ref) for ref in one.refs]
        yield {"seq": one.seq, "type": one.type, "id": str(one.id), "stream": one.stream.hex(), "refs": refs}


def references_one_by_one(ledger: Any, upto: int) -> Iterator[Row]:
    for one in ledger.log.scan(0, upto):
        yield from ({"digest": str(ref), "seq": one.seq} for ref in one.refs)


def renamed_one_by_one(ledger: Any, upto: int) -> dict[str, str]:
    """What each pipeline is called that was renamed, by its first name."""
    first: dict[str, str] = {}
    called: dict[str, str] = {}
    for one in ledger.log.scan(0, upto):
        if isinstance(one.event, PipelineRenamed):
            of = first.get(one.event.pipeline, one.event.pipeline)
            first[one.event.name] = of
            called[of] = one.event.name
    return called


def runs_one_by_one(ledger: Any, upto: int) -> Iterator[Row]:
    called = renamed_one_by_one(ledger, upto)
    for _, seq, row in newest(ledger, "runs", "r", upto):
        run = RunRow.of(row)
        columns = {name: getattr(run, name) for name in ("status", "name", "number", "message")}
        columns |= {"run": str(run.run), "pid": run.process.pid, "started_seq": run.started_seq}
        yield {**columns, "seq": seq, "pipeline": called.get(run.pipeline, run.pipeline)}


def steps_one_by_one(ledger: Any, upto: int) -> Iterator[Row]:
    for _, seq, (step, status) in newest(ledger, "steps", "s", upto):
        event = ledger.log.get(seq).event
        duration_us = getattr(event, "duration_us", None)
        failure, fingerprint = getattr(event, "failure", None), getattr(event, "fingerprint", None)
        reuses, resources = getattr(event, "reuses", None), getattr(event, "resources", None)
        yield {
            "run": str(event.run),
            "step": step,
            "status": status,
            "function": event.function,
            "seq": seq,
            "duration_s": None if duration_us is None else duration_us / 1e6,
            "fingerprint": fingerprint and str(fingerprint),
            "reuses_step": reuses and reuses.step,
            "error": failure and failure.type,
            "message": failure.message if failure else getattr(event, "because", None),
            "peak_memory_bytes": resources and resources.peak_memory_bytes,
        }


def uses_one_by_one(ledger: Any, upto: int) -> Iterator[Row]:
    for one in ledger.log.scan(0, upto):
        if one.type in ("step.completed/1", "step.reused/1", "step.failed/1"):
            for name, content, artifact, literal, source, *_ in one.event.inputs:
                taken = {"artifact": artifact, "content": str(content), "literal": literal, "source": source}
                yield {"seq": one.seq, "run": str(one.event.run), "step": one.event.step, "input": name, **taken}


def parameters_one_by_one(ledger: Any, upto: int) -> Iterator[Row]:
    for one in ledger.log.scan(0, upto):
        if one.type == "run.started/1":
            for name, content, artifact, literal, *_ in one.event.parameters:
                taken = {"artifact": artifact, "content": str(content), "literal": literal}
                yield {"seq": one.seq, "run": str(one.event.run), "parameter": name, **taken}


def productions_one_by_one(ledger: Any, upto: int) -> Iterator[Row]:
    for one in ledger.log.scan(0, upto):
        run, step = getattr(one.event, "run", None), getattr(one.event, "step", None)
        for given_ in one.event.made:
            columns = {"artifact": given_.artifact, "content": str(given_.content), "size_bytes": given_.size_bytes}
            is_executed = None if run is None else isinstance(one.event, StepCompleted)
            yield {"seq": one.seq, "run": run and str(run), "step": step, "executed": is_executed, **columns}


def versions_one_by_one(ledger: Any, upto: int) -> Iterator[Row]:
    for row_key, seq, row in newest(ledger, "artifacts", "v", upto):
        if isinstance(row[0], str):
            yield {"artifact": row[0], "version": row[1], "content": row_key[-32:].hex(), "seq": seq}


def cache_one_by_one(ledger: Any, upto: int) -> Iterator[Row]:
    for row_key, seq, _ in newest(ledger, "cache", "f", upto):
        yield {"fingerprint": row_key[1:].hex(), "seq": seq}


def visualizations_one_by_one(ledger: Any, upto: int) -> Iterator[Row]:
    for row_key, seq, (shown, _) in newest(ledger, "visualizations", "c", upto):
        for name, media_type, blob, size_bytes in shown:
            columns = {"name": name, "media_type": media_type, "blob": blob.hex(), "size_bytes": size_bytes}
            yield {"content": row_key[1:].hex(), "seq": seq, **columns}


def pins_one_by_one(ledger: Any, upto: int) -> Iterator[Row]:
    for _, seq, (label, content, _) in newest(ledger, "pins", "l", upto):
        if content is not None:
            yield {"label": label, "content": content.hex(), "seq": seq}


def releases_one_by_one(ledger: Any, upto: int) -> Iterator[Row]:
    for row_key, seq, (until, reason) in newest(ledger, "releases", "c", upto):
        yield {"content": row_key[1:].hex(), "upto": until, "reason": reason, "seq": seq}


def evictions_one_by_one(ledger: Any, upto: int) -> Iterator[Row]:
    for row_key, seq, is_gone in newest(ledger, "releases", "e", upto):
        yield {"content": row_key[1:].hex(), "is_gone": is_gone, "seq": seq}


def deletions_one_by_one(ledger: Any, upto: int) -> Iterator[Row]:
    for _, seq, (is_deleted, until, (kind, name, id_)) in newest(ledger, "deletions", "d", upto):
        of = {"kind": kind, "name": name or None, "id": id_.hex() or None}
        yield {**of, "is_deleted": is_deleted, "upto": until, "seq": seq}


def pipelines_one_by_one(ledger: Any, upto: int) -> Iterator[Row]:
    rows = RowReader(ledger.environment, "pipelines", upto)
    called = renamed_one_by_one(ledger, upto)
    for _, (name,) in rows.history(key("a")):
        for seq, (number, structure) in rows.history(key("v", name)):
            pipeline = called.get(name, name)
            yield {"pipeline": pipeline, "version": number, "structure": structure.hex(), "seq": seq}


def about(subject: Any) -> Row:
    kind, name, id_ = subject
    return {"kind": kind, "name": name or None, "id": id_.hex() or None}


def labels_one_by_one(ledger: Any, upto: int) -> dict[str, dict[Any, Row]]:
    """What stands of each kind of label, folded from the events alone."""
    tags: dict[Any, Row] = {}
    aliases: dict[Any, Row] = {}
    metadata: dict[Any, Row] = {}
    metrics: dict[Any, Row] = {}
    for one in ledger.log.scan(0, upto):
        match one.event:
            case Tagged(subject, names):
                tags |= {(subject, tag): {**about(subject), "tag": tag} for tag in names}
            case Untagged(subject, names):
                tags = {place: row for place, row in tags.items() if place not in {(subject, tag) for tag in names}}
            case AliasSet(artifact, alias, content):
                aliases[artifact, alias] = {"artifact": artifact, "alias": alias, "content": str(content)}
            case AliasRemoved(artifact, alias):
                aliases.pop((artifact, alias), None)
            case Annotated(subject, noted):
                for name, value in noted.items():
                    metadata[subject, name] = {**about(subject), "key": name, "value": json.dumps(value)}
            case AnnotationsRemoved(subject, names):
                for name in names:
                    metadata.pop((subject, name), None)
            case MetricsLogged(subject):
                for last in one.event.latest:
                    before = metrics.get((subject, last.name), {"points": 0})["points"]
                    seen = {"metric": last.name, "points": before + last.points, "step": last.step, "value": last.value}
                    metrics[subject, last.name] = {**about(subject), **seen}
    return {"tags": tags, "aliases": aliases, "metadata": metadata, "metrics": metrics}


def labels_of(name: str) -> Callable[[Any, int], Iterator[Row]]:
    return lambda ledger, upto: iter(labels_one_by_one(ledger, upto)[name].values())


def code_one_by_one(ledger: Any, upto: int) -> Iterator[Row]:
    met = (one.event for one in ledger.log.scan(0, upto))
    yield from (
        {"code": str(code), "function": function}
        for code, function in {(one.code, one.function) for one in met if isinstance(one, CodeCaptured)}
    )


def environments_one_by_one(ledger: Any, upto: int) -> Iterator[Row]:
    met = (one.event for one in ledger.log.scan(0, upto))
    yield from (
        {"environment": str(digest)}
        for digest in {one.environment for one in met if isinstance(one, EnvironmentCaptured)}
    )


def equivalences_one_by_one(ledger: Any, upto: int) -> Iterator[Row]:
    standing: dict[Any, str] = {}
    for one in ledger.log.scan(0, upto):
        match one.event:
            case EquivalenceDeclared(fingerprint, same_as, reason):
                standing[fingerprint, same_as] = reason
            case EquivalenceRevoked(fingerprint, same_as):
                standing.pop((fingerprint, same_as), None)
    for (fingerprint, same_as), reason in standing.items():
        yield {"fingerprint": str(fingerprint), "same_as": str(same_as), "reason": reason}


def claims_one_by_one(ledger: Any, upto: int) -> Iterator[Row]:
    held: dict[Any, tuple[RunId, str]] = {}
    for one in ledger.log.scan(0, upto):
        match one.event:
            case FingerprintClaimed(fingerprint, by, step):
                held[fingerprint] = by, step
            case ClaimEnded(fingerprint, by) if held.get(fingerprint, (None, ""))[0] == by:
                del held[fingerprint]
    for fingerprint, (run, step) in held.items():
        yield {"fingerprint": str(fingerprint), "run": str(run), "step": step}


def imports_one_by_one(ledger: Any, upto: int) -> Iterator[Row]:
    found: list[Row] = []
    for one in ledger.log.scan(0, upto):
        event = one.event
        if isinstance(event, StoreImported):
            found.append({"store": str(event.store), "events": event.events, "is_trusted": False, "seq": one.seq})
        elif isinstance(event, ImportsTrusted | TrustRevoked):
            for row in found:
                if row["store"] == str(event.store):
                    row["is_trusted"] = isinstance(event, ImportsTrusted)
    yield from found


def as_told(value: Any) -> Any:
    """A value of an event as a table shows it: ids and digests in hex, records by their names."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Event):
        return {name: as_told(getattr(value, name)) for name in value.FIELDS}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: as_told(inner) for name, inner in value._asdict().items()}
    if isinstance(value, dict):
        return {name: as_told(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [as_told(inner) for inner in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def payloads_one_by_one(ledger: Any, upto: int) -> Iterator[Row]:
    for one in ledger.log.scan(0, upto):
        said = as_told(one.event.payload if isinstance(one.event, Unknown) else one.event)
        yield {"seq": one.seq, "type": one.type, "payload": json.dumps(said, ensure_ascii=False)}


def events_of(type_: str) -> Callable[[Any, int], Iterator[Row]]:
    def one_by_one(ledger: Any, upto: int) -> Iterator[Row]:
        for one in ledger.log.scan(0, upto):
            if one.type == type_:
                said = dict(zip(one.event.FIELDS, map(in_columns, one.event), strict=True))
                yield {"seq": one.seq, **said}

    return one_by_one


def in_columns(value: Any) -> Any:
    """A value of an event as a column has it, where what has no type of its own is JSON."""
    if isinstance(value, dict):
        return json.dumps(as_told(value), ensure_ascii=False)
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: in_columns(inner) for name, inner in value._asdict().items()}
    if isinstance(value, list | tuple):
        return [in_columns(inner) for inner in value]
    return value.hex() if isinstance(value, bytes) else value


ORACLES: dict[str, Callable[[Any, int], Iterator[Row]]] = {
    "events": events_one_by_one,
    "references": references_one_by_one,
    "runs": runs_one_by_one,
    "steps": steps_one_by_one,
    "uses": uses_one_by_one,
    "parameters": parameters_one_by_one,
    "productions": productions_one_by_one,
    "versions": versions_one_by_one,
    "cache": cache_one_by_one,
    "pins": pins_one_by_one,
    "visualizations": visualizations_one_by_one,
    "releases": releases_one_by_one,
    "evictions": evictions_one_by_one,
    "deletions": deletions_one_by_one,
    "pipelines": pipelines_one_by_one,
    **{name: labels_of(name) for name in ("tags", "aliases", "metadata", "metrics")},
    "code": code_one_by_one,
    "environments": environments_one_by_one,
    "equivalences": equivalences_one_by_one,
    "claims": claims_one_by_one,
    "imports": imports_one_by_one,
    "payloads": payloads_one_by_one,
    **{type_.partition("/")[0].replace(".", "_"): events_of(type_) for type_ in CATALOGUE},
}


def shown(ledger: Any, name: str, upto: int) -> list[Row]:
    definition = DEFINITIONS[name]
    found: list[Row] = []
    for batch in definition.batches(Source(ledger.environment, upto)):
        found += batch_of(definition.schema, batch, len(next(iter(batch.values())))).to_pylist()
    return found


def in_order(rows: list[Row], names: list[str]) -> list[str]:
    return sorted(repr([row[name] for name in names]) for row in rows)


@settings(deadline=None, max_examples=examples(60))
@given(st.data())
def test_a_table_as_of_an_event_is_what_its_rows_and_events_say_one_by_one(
    new_ledger: Callable[[], Any], history_of_events: st.SearchStrategy[list[Event]], data: st.DataObject
) -> None:
    history = data.draw(history_of_events)
    upto = data.draw(st.integers(0, len(history)))
    page_rows = data.draw(st.sampled_from([4, 7, 1000]))
    with new_ledger() as ledger, pytest.MonkeyPatch.context() as patched:
        patched.setattr(pages, "_PAGE_ROWS", page_rows)
        patched.setattr(pages, "_LOOK_ROWS", min(page_rows, 4))
        patched.setattr(pages, "_PAGE_BYTES", data.draw(st.sampled_from([1, 1000, 1 << 20])))
        patched.setattr(leaves, "_LEAVES_BYTES", page_rows * 1024)
        patched.setattr(shapes, "_FEW_ROWS", data.draw(st.sampled_from([1, 3, 32])))
        patched.setattr(parts, "_ENOUGH_ROWS", data.draw(st.sampled_from([1, 4])))
        patched.setattr(parts, "_WAITING_BYTES", data.draw(st.sampled_from([0, 500, 1 << 20])))
        for event in history:
            ledger.append(event)
        for name, one_by_one in ORACLES.items():
            expected = list(one_by_one(ledger, upto))
            rows = shown(ledger, name, upto)
            assert len(rows) == len(expected), name
            if expected:
                columns = list(expected[0])
                assert in_order(rows, columns) == in_order(expected, columns), name


@pytest.mark.parametrize("upto", [9, 20, 45])
@pytest.mark.parametrize("page_bytes", [1, 1 << 20])
def test_a_key_whose_rows_go_over_several_pages_is_one_row(
    ledger: Any, monkeypatch: pytest.MonkeyPatch, page_bytes: int, upto: int
) -> None:
    monkeypatch.setattr(pages, "_PAGE_BYTES", page_bytes)
    monkeypatch.setattr(pages, "_PAGE_ROWS", 4)
    monkeypatch.setattr(pages, "_LOOK_ROWS", 4)
    run, fingerprint = RunId(RUN), Fingerprint(DIGEST)
    for _ in range(15):
        ledger.append(*(StepStarted(run, name, "f", fingerprint, ()) for name in ("load", "fit")))
        ledger.append(PinAdded("label", Digest(DIGEST), None))
    for name in ("steps", "pins"):
        expected = list(ORACLES[name](ledger, upto))
        assert in_order(shown(ledger, name, upto), list(expected[0])) == in_order(expected, list(expected[0]))
        assert len(expected) == (2 if name == "steps" else 1)


RUN, DIGEST, ID, ORIGIN = b"r" * 16, b"d" * 32, b"e" * 16, b"o" * 16
OUTPUT = ["output", "model", DIGEST, "f/1", "t", 5, {}]
COMPLETED = [RUN, "fit", "m.fit", DIGEST, DIGEST, [["x", DIGEST, None, "3", None]], [OUTPUT], 10, 20, None]
RUN_ENDED = {"run": RUN, "reason": "process 1 died"}
LAYOUTS = {
    "a payload by name": [1, "run.interrupted/1", ID, 7, ORIGIN, RUN, [], RUN_ENDED],
    "a type that has an upcast": [2, "run.interrupted/1", ID, 7, ORIGIN, RUN, [], list(RUN_ENDED.values())],
    "fewer fields than today": [2, "step.completed/1", ID, 7, ORIGIN, RUN, [DIGEST], COMPLETED],
    "more fields than today": [
        2,
        "step.completed/1",
        ID,
        7,
        ORIGIN,
        RUN,
        [DIGEST],
        [*COMPLETED, "d", [5, 6], False, ["x"], 9],
    ],
    "a newer envelope": [3, "step.completed/1", ID, 7, ORIGIN, RUN, [DIGEST], COMPLETED, {"more": [1]}],
    "a long envelope": [9, "step.completed/1", ID, 7, ORIGIN, RUN, [DIGEST], COMPLETED, *range(12)],
    "an unknown type": [2, "step.dreamt/7", ID, 7, ORIGIN, b"", [DIGEST, DIGEST], {"a": [{"b": 1.5}]}],
    "an unknown type by name": [1, "step.dreamt/7", ID, 7, ORIGIN, b"", [], {"a": 1}],
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_event_of_another_version_is_shown_as_it_is_read(ledger: Any, layout: str) -> None:
    body = msgpack.packb(LAYOUTS[layout])
    with ledger.environment.begin(write=True) as txn:
        changes = ledger.changes(txn)
        log, projections = LogWriter(changes), ledger.projector.writer(changes)
        for _ in range(2):
            projections.apply(decode(*log.append(body), body))
        changes.flush()
    for name, one_by_one in ORACLES.items():
        expected, rows = list(one_by_one(ledger, 2)), shown(ledger, name, 2)
        assert len(rows) == len(expected)
        columns = list(expected[0]) if expected else []
        assert in_order(rows, columns) == in_order(expected, columns)
    if not layout.startswith("a payload by name"):
        assert {row["payload"] for row in shown(ledger, "events", 2)} == {msgpack.packb(LAYOUTS[layout][7])}


def test_a_log_that_lacks_events_is_no_table(ledger: Any) -> None:
    ledger.append(*[RunCompleted(RunId(RUN))] * 5)
    with ledger.environment.begin(write=True) as txn:
        txn.delete((3).to_bytes(8, "big"), db=ledger.environment.databases["events"])
    with pytest.raises(LogCorrupt, match="missing after event 0"):
        shown(ledger, "events", 5)
