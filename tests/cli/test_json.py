"""``--json``: every object has exactly the documented fields, of the documented types."""

from __future__ import annotations

import json
import types
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

import msgpack
import pytest

import lineal
from lineal.cli import (
    comparing_kinds,
    kinds,
    reproduction_kinds,
    revising_kinds,
    transfer_kinds,
    upkeep_kinds,
    visualization_kinds,
    why_kinds,
)
from lineal.cli.event_rows import EventRows
from lineal.cli.records import event_record, json_value
from lineal.events.codec import decode

Command = Callable[..., Any]

KINDS = {
    get_args(get_type_hints(kind)["kind"])[0]: kind
    for kind in [
        *vars(kinds).values(),
        *vars(comparing_kinds).values(),
        *vars(reproduction_kinds).values(),
        *vars(revising_kinds).values(),
        *vars(transfer_kinds).values(),
        *vars(visualization_kinds).values(),
        *vars(upkeep_kinds).values(),
        *vars(why_kinds).values(),
    ]
    if is_typeddict(kind) and "kind" in kind.__annotations__
}

LISTS = [
    (["runs"], "run", 4),
    (["runs", "--limit", "2"], "run", 2),
    (["artifacts"], "artifact", 5),
    (["artifacts", "digits-model"], "artifact-version", 2),
    (["log", "--limit", "10"], "event", 10),
    (["pins"], "pin", 1),
    (["replay", "training-1"], "scene", 9),
    (["logs", "training-1"], "log-line", 1),
    (["why", "training-3"], "explanation", 3),
    (["steps", "training-1"], "step", 3),
    (["du"], "footprint", 5),
]
DOCUMENTS = [
    (["show", "training-1"], "run-detail"),
    (["show", "training-2/train"], "step-detail"),
    (["show", "raw@1"], "artifact-version-detail"),
    (["show", "digits-model@1"], "artifact-version-detail"),
    (["show", "training"], "pipeline-detail"),
    (["lineage", "digits-model@1"], "lineage"),
    (["why", "training-2/train"], "explanation"),
    (["why", "training-3/train"], "explanation"),
    (["diff", "training-1", "training-3"], "run-diff"),
    (["diff", "training-3/train"], "step-diff"),
    (["diff", "digits-model"], "version-diff"),
    (["blame", "digits-model"], "blame"),
    (["info"], "store"),
    (["init"], "initialization"),
    (["doctor"], "diagnosis"),
    (["get", "digits-model@1"], "got"),
    (["export", "--prov", "out.json", "training-1"], "exported"),
    (["export", "out.bundle", "training-1"], "bundle"),
    (["verify"], "verification"),
    (["head"], "head"),
    (["prove", "digits-model@1"], "inclusion-proof"),
    (["gc", "--keep-last", "1", "--dry-run"], "collection"),
    (["why-kept", "digits-model@1"], "holding"),
]


def faults(value: Any, hint: Any, place: str) -> list[str]:
    """Where a JSON value differs from a type."""
    if hint is Any:
        return []
    if is_typeddict(hint):
        hints = get_type_hints(hint)
        if not isinstance(value, dict) or set(value) != set(hints):
            return [f"{place} has other fields than {sorted(hints)}"]
        return [fault for name, inner in hints.items() for fault in faults(value[name], inner, f"{place}.{name}")]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return [] if value in arguments else [f"{place} is {value!r}"]
    if origin in (Union, types.UnionType):
        found = [faults(value, one, place) for one in arguments]
        return [] if [] in found else found[0]
    if origin is list:
        inner = [faults(one, arguments[0], f"{place}[]") for one in value] if isinstance(value, list) else [[place]]
        return [fault for one in inner for fault in one]
    if origin is dict:
        inner = [faults(one, arguments[1], f"{place}.*") for one in value.values()] if isinstance(value, dict) else []
        return [fault for one in inner for fault in one] if isinstance(value, dict) else [f"{place} is no object"]
    expected = (int, float) if hint is float else hint
    is_right = isinstance(value, expected) and (hint is bool or not isinstance(value, bool))
    return [] if is_right else [f"{place} is {value!r}, not {hint}"]


@pytest.mark.parametrize(("argv", "kind", "number"), LISTS)
def test_a_list_is_one_object_a_line(command: Command, argv: list[str], kind: str, number: int) -> None:
    ended = command(*argv, "--json")
    records = [json.loads(line) for line in ended.out.splitlines()]
    assert (ended.code, ended.err, len(records)) == (0, "", number)
    assert [record["kind"] for record in records] == [kind] * number
    assert [fault for record in records for fault in faults(record, KINDS[kind], kind)] == []


@pytest.mark.parametrize(("argv", "kind"), DOCUMENTS)
def test_one_thing_is_one_document(command: Command, argv: list[str], kind: str) -> None:
    ended = command(*argv, "--json")
    record = json.loads(ended.out)
    assert (ended.code, ended.err, record["kind"]) == (0, "", kind)
    assert faults(record, KINDS[kind], kind) == []


def test_a_rebuild_and_damage_have_the_documented_fields(command: Command, copied: Any) -> None:
    rebuilt = json.loads(command("rebuild", "--store", str(copied), "--json").out)
    assert faults(rebuilt, KINDS["rebuild"], "rebuild") == []
    with lineal.open(copied, read_only=True) as store:
        (part,) = store.artifact("raw@1").manifest.named()
    (blob,) = (copied / "blobs").rglob(str(part.digest))
    blob.unlink()
    ended = command("verify", "--store", str(copied), "--json")
    verification = json.loads(ended.out)
    assert faults(verification, KINDS["verification"], "verification") == []
    (damage,) = verification["damaged"]
    assert (ended.code, verification["is_sound"]) == (5, False)
    assert (damage["digest"], damage["is_missing"], damage["hurts"]) == (blob.name, True, ["raw@1"])


def test_what_writes_has_the_documented_fields(command: Command, copied: Any) -> None:
    for argv, kind in (
        (["pin", "digits-model@2", "best", "--expires", "30d"], "pin"),
        (["unpin", "best"], "unpin"),
        (["gc", "--keep-last", "1", "--grace", "0s"], "collection"),
        (["show", "digits-model@1"], "artifact-version-detail"),
        (["recompute", "digits-model@2"], "recomputation"),
        (["repack", "digits-model@2"], "repacking"),
        (["visualize", "digits-model@2", "--output", "page.html"], "visualizations"),
        (["visualize", "digits-model@2", "--output", "page.html", "--again"], "visualizations"),
        (["tag", "digits-model@2", "good"], "labels"),
        (["alias", "digits-model@2", "best"], "labels"),
        (["annotate", "digits-model@2", "accuracy=0.9", "note=fine"], "labels"),
        (["name", "digits-model@2", "approved"], "labels"),
        (["show", "digits-model@2"], "artifact-version-detail"),
        (["why-kept", "digits-model@2"], "holding"),
        (["unalias", "digits-model", "best"], "labels"),
        (["untag", "digits-model@2", "good"], "labels"),
        (["rm", "training-3", "--outputs"], "deletion"),
        (["rm", "training-3", "--yes", "--reason", "wrong"], "deletion"),
        (["rename", "training-2", "baseline"], "renaming"),
        (["rename", "digits-model", "classifier"], "renaming"),
    ):
        record = json.loads(command(*argv, "--store", str(copied), "--json").out)
        assert faults(record, KINDS[kind], kind) == []
    undone = json.loads(command("undo", str(record["seq"]), "--store", str(copied), "--json").out)
    assert faults(undone, KINDS["undoing"], "undoing") == []


def test_what_is_imported_has_the_documented_fields(command: Command, trained: Any, store_path: Any) -> None:
    command("export", "out.bundle", "training-1", "--store", str(trained))
    with lineal.open(store_path):
        pass
    for argv, kind in (
        (["import", "out.bundle"], "arrival"),
        (["imports"], "import-source"),
        (["trust", "out.bundle"], "import-source"),
        (["distrust", "out.bundle"], "import-source"),
    ):
        record = json.loads(command(*argv, "--store", str(store_path), "--json").out)
        assert faults(record, KINDS[kind], kind) == []


def test_heads_and_proofs_have_the_documented_fields(command: Command) -> None:
    head = command("head").out.strip()
    proofs = {
        "inclusion": ["prove", "digits-model@1"],
        "extension": ["prove", "--extends", command("head", "--as-of", "3").out],
    }
    for kind, argv in proofs.items():
        proof = command(*argv, "--json").out
        assert faults(json.loads(proof), KINDS[f"{kind}-proof"], kind) == []
        Path("proof.json").write_text(proof)
        proven = json.loads(command("check-proof", "proof.json", "--head", head, "--json").out)
        assert (faults(proven, KINDS[kind], kind), proven["is_known_head"]) == ([], True)
    verification = json.loads(command("verify", "--quick", "--head", head, "--json").out)
    assert faults(verification, KINDS["verification"], "verification") == []
    assert [check["head"] for check in verification["heads"]] == [head]


def test_a_bisection_has_its_documented_fields(command: Command, copied: Any) -> None:
    with lineal.open(copied) as store:
        for run, value in (("training-1", 0.5), ("training-3", float("inf"))):
            store.log_metrics(run, {"loss": value})
    bisection = json.loads(command("bisect", "loss > 1", "--store", str(copied), "--json").out)
    assert faults(bisection, KINDS["bisection"], "bisection") == []
    assert (bisection["first"]["at"]["run"], bisection["first"]["at"]["value"]) == ("training-3", "inf")


def test_a_forecast_has_its_documented_fields(
    command: Command, project: Callable[[dict[str, str]], types.ModuleType]
) -> None:
    project({"flow.py": "from lineal import pipeline, step\n@step\ndef f(): ...\n@pipeline\ndef p():\n    f()\n"})
    forecast = json.loads(command("plan", "flow:p", "--json").out)
    assert faults(forecast, KINDS["forecast"], "forecast") == []


def test_every_kind_is_tested() -> None:
    others = {
        "bisection",
        "deletion",
        "renaming",
        "undoing",
        "forecast",
        "rebuild",
        "reproduction",
        "migration",
        "repair",
        "damage",
        "orphan",
        "head-check",
        "inclusion",
        "extension-proof",
        "extension",
        "pipeline-version",
        "unpin",
        "recomputation",
        "repacking",
        "visualizations",
        "labels",
        "arrival",
        "import-source",
    }
    assert {kind for _, kind, *_ in LISTS + DOCUMENTS} | others == set(KINDS)


def test_a_checker_of_fields_finds_faults() -> None:
    store = dict.fromkeys(get_type_hints(kinds.Store), 0)
    assert len(faults(store, kinds.Store, "store")) == 5
    assert faults({}, kinds.StepCounts, "x") != []
    assert faults({**dict.fromkeys(get_type_hints(kinds.StepCounts), 1), "cached": True}, kinds.StepCounts, "x") != []


def test_ids_are_whole_and_times_have_a_zone(command: Command) -> None:
    for line in command("runs", "--json").out.splitlines():
        run = json.loads(line)
        assert len(bytes.fromhex(run["id"])) == 16
        assert datetime.fromisoformat(run["started"]).utcoffset() == timedelta(0)
    version = json.loads(command("show", "raw", "--json").out)["artifact_version"]
    assert len(bytes.fromhex(version["content"])) == 32


def test_the_log_has_all_fields_with_digests_in_hex(command: Command, trained: Any) -> None:
    events = [json.loads(line) for line in command("log", "--json").out.splitlines()]
    with lineal.open(trained, read_only=True) as store:
        recorded = list(store.events())
    assert [event["seq"] for event in events] == [one.seq for one in recorded]
    for event, one in zip(events, recorded, strict=True):
        assert event["type"] == one.event.TYPE
        assert event["refs"] == [ref.hex() for ref in one.refs]
        assert event["chain"] == one.chain.hex()
        assert set(event["payload"]) == set(one.event.FIELDS)
    completed = events[6]["payload"]
    assert completed["outputs"][0]["content"] == recorded[6].event.outputs[0].content.hex()
    assert completed["run"] == events[6]["stream"]
    reused = next(event["payload"] for event in events if event["type"] == "step.reused/1")
    assert reused["reuses"] == {"run": completed["run"], "step": "load"}


def test_a_run_counts_its_steps_by_what_became_of_them(command: Command) -> None:
    failed, third, second, first = (json.loads(line)["steps"] for line in command("runs", "--json").out.splitlines())
    assert {name: number for name, number in failed.items() if number} == {"cached": 2, "failed": 1}
    assert {name: number for name, number in third.items() if number} == {"executed": 2, "cached": 1}
    assert {name: number for name, number in second.items() if number} == {"cached": 3}
    assert {name: number for name, number in first.items() if number} == {"executed": 3}


def test_an_event_of_a_newer_version_is_listed_as_it_is(trained: Path) -> None:
    body = msgpack.packb([1, "tag.added/7", bytes(16), 0, bytes(16), b"", [], {"run": 1, "raw": b"\x01"}])
    event = event_record(decode(5, bytes(32), body))
    assert faults(event, kinds.Event, "event") == []
    assert (event["type"], event["is_known"], event["payload"]) == ("tag.added/7", False, {"run": 1, "raw": "01"})
    with lineal.open(trained, read_only=True) as store:
        row = EventRows(store).row(event)
    assert row == ("5", "1970-01-01T00:00:00Z", "tag.added", "written by a newer version")


class Opaque:
    """Of no library of the standard one."""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True),
        (1.5, 1.5),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (b"\x00\xff", "00ff"),
        (2**70, 2**70),
        ({1: (2, {3})}, {"1": [2, [3]]}),
        (timedelta(1), "1 day, 0:00:00"),
        (Opaque(), "<Opaque>"),
    ],
)
def test_any_value_has_a_json_form(value: Any, expected: Any) -> None:
    assert json_value(value) == expected
    assert json.loads(json.dumps(json_value(value), allow_nan=False)) == expected


def test_an_integer_too_long_for_decimal_is_given_in_hex() -> None:
    assert json_value([1 << 50_000]) == [hex(1 << 50_000)]
