"""A long history answers as its events do when they are gone through one by one, now and as of past moments; and as a
store whose log really ends there.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
from histories import History as Events
from histories import Moment, grow
from recounted import Key, Recounted, Run, StepKey, execution, given

import lineal
from lineal.cas import Digest
from lineal.events.catalogue import Subject
from lineal.events.ids import Fingerprint
from lineal.history import ArtifactVersionView, History, Lineage, StepRunView
from lineal.history.prov import prov_document

Said = dict[str, Any]
_EVERYTHING = 10**9


class Sample(NamedTuple):
    """What is looked at closely."""

    runs: list[Run]
    versions: list[Key]
    pairs: list[tuple[Key, Key]]
    names: list[str]


def is_above(value: Any, least: float) -> bool:
    return value is not None and value > least


RUN_QUERIES: dict[str, tuple[dict[str, Any], Any]] = {
    "all": ({}, lambda run: True),
    "pipeline": ({"pipeline": "pipeline-3"}, lambda run: run.pipeline == "pipeline-3"),
    "oldest": ({"order": "oldest", "limit": 50}, lambda run: True),
    "a page": ({"limit": 20, "offset": 35}, lambda run: True),
    "both": (
        {"where": "params.lr > 0.1 and metrics.accuracy >= 0.5"},
        lambda run: run.parameters["lr"] > 0.1 and run.metrics.get("accuracy", -1) >= 0.5,
    ),
    "of a pipeline": (
        {"pipeline": "pipeline-5", "where": "params.lr > 0.1"},
        lambda run: run.pipeline == "pipeline-5" and run.parameters["lr"] > 0.1,
    ),
    "either": (
        {"where": "params.kind == 'tree' or metrics.accuracy < 0.1", "order": "oldest"},
        lambda run: run.parameters["kind"] == "tree" or run.metrics.get("accuracy", 1) < 0.1,
    ),
    "not": (
        {"where": "not metrics.accuracy > 0.5"},
        lambda run: "accuracy" in run.metrics and not run.metrics["accuracy"] > 0.5,
    ),
    "missing": (
        {"where": "metrics.accuracy is None and params.nothing is None and status != 'failed'"},
        lambda run: "accuracy" not in run.metrics and run.status != "failed",
    ),
    "failed": ({"status": "failed"}, lambda run: run.status == "failed"),
    "completed": (
        {"status": "completed", "where": "params.lr < 0.001", "limit": 100},
        lambda run: run.status == "completed" and run.parameters["lr"] < 0.001,
    ),
    "running": ({"status": "running"}, lambda run: run.status == "running"),
    "best": ({"order": "-metrics.accuracy", "limit": 30}, lambda run: True),
    "least": (
        {"order": "params.lr", "where": "metrics.loss > 0.2"},
        lambda run: is_above(run.metrics.get("loss"), 0.2),
    ),
}


def recounted_runs(told: Recounted) -> Iterator[tuple[str, list[str]]]:
    present = told.present_runs()
    for label, (asked, meets) in RUN_QUERIES.items():
        found = [run for run in present if meets(run)]
        order = asked.get("order", "newest")
        if order == "oldest":
            found.reverse()
        elif order != "newest":
            of = (lambda run: run.parameters["lr"]) if order == "params.lr" else (lambda run: -run.metrics["accuracy"])
            is_sortable = (lambda run: True) if order == "params.lr" else (lambda run: "accuracy" in run.metrics)
            missing = [run for run in found if not is_sortable(run)]
            found = sorted(filter(is_sortable, found), key=of) + missing
        elif asked.get("status") in ("failed", "completed"):
            found.sort(key=lambda run: -run.ended)
        yield label, [run.id.hex() for run in found[asked.get("offset", 0) :][: asked.get("limit")]]


def of_lineage(found: Lineage | None) -> Any:
    if found is None:
        return None
    assert found.is_complete
    return {tuple(key) for key in found.nodes}, {tuple(step) for step in found.steps}


def step_of(view: StepRunView | None) -> StepKey | None:
    return None if view is None else (view.id.run, view.id.step)


def keys_of(views: dict[str, ArtifactVersionView]) -> dict[str, Key]:
    return {name: (one.name, one.content) for name, one in views.items()}


def asked(history: History, sample: Sample) -> Said:
    """What a history says."""
    said: Said = {}
    for label, (query, _) in RUN_QUERIES.items():
        said[f"runs {label}"] = [str(run.id) for run in history.runs(**query)]
    for run in sample.runs:
        ask_run(history, run, said)
    for key in sample.versions:
        ask_version(history, key, said)
    for one, other in sample.pairs:
        path = version_at(history, one).path_to(version_at(history, other), nodes_max=_EVERYTHING)
        said[f"path {one} {other}"] = None if path is None else len(path)
    said["artifacts"] = [one.name for one in history.artifacts()]
    for name in sample.names:
        where = "metadata.rows > 100 or metadata.accuracy > 0.5"
        said[f"versions of {name}"] = [one.content for one in history.versions(name)]
        said[f"some of {name}"] = [one.content for one in history.versions(name, where=where)]
        said[f"candidates of {name}"] = [one.content for one in history.versions(name, where="'candidate' in tags")]
    said["candidates"] = [(one.name, one.content) for one in history.versions(tag="candidate")]
    said["pins"] = {pin.label: pin.content for pin in history.pins()}
    said["pipelines"] = {one.name for one in history.pipelines()}
    tables = history.tables
    said["tables"] = {
        name: sum(batch.num_rows for batch in tables[name].batches())
        for name in ("runs", "steps", "versions", "uses", "pins")
    }
    found = history.bisect("accuracy", "> 0.9", pipeline="pipeline-2")
    said["bisect"] = [(turn.before.value, turn.at.value) for turn in found.turns]
    return said


def version_at(history: History, key: Key) -> ArtifactVersionView:
    return history.artifact(f"{key[0]}@{key[1].hex()}")


def ask_run(history: History, run: Run, said: Said) -> None:
    view = history.run(run.id.hex()[:16])
    said[f"run {run.id.hex()}"] = {
        "name": view.name,
        "status": view.status,
        "pipeline": view.pipeline.name,
        "parameters": view.parameters,
        "metrics": {name: metric.value for name, metric in view.metrics.items()},
        "steps": {name: step.status for name, step in view.steps.items()},
        "inputs": {name: keys_of(step.inputs) for name, step in view.steps.items()},
        "outputs": {name: keys_of(step.outputs) for name, step in view.steps.items()},
        "reuses": {name: step_of(step.reuses) for name, step in view.steps.items()},
        "hits": {name for name, step in view.steps.items() if step.is_cached and "hit" in str(step.why())},
    }
    document = prov_document(view.steps.values())
    said[f"prov {run.id.hex()}"] = {
        (one["prov:activity"][5:37], one["prov:entity"][-64:]) for one in document.get("wasGeneratedBy", {}).values()
    }
    newest = next(iter(history.runs(run.pipeline)))
    changes = history.diff(view, newest, load=False)
    said[f"diff {run.id.hex()}"] = {reason.what for reason in changes.parameters}  # type: ignore[union-attr]


def ask_version(history: History, key: Key, said: Said) -> None:
    view = version_at(history, key)
    said[f"version {key}"] = {
        "number": view.version,
        "tags": set(view.tags),
        "aliases": set(view.aliases),
        "annotations": view.annotations,
        "producers": [step_of(one) for one in view.producers],
        "producer": step_of(view.producer),
        "consumers": [step_of(one) for one in view.consumers],
        "upstream": of_lineage(view.lineage(nodes_max=_EVERYTHING)),
        "one level": {tuple(one) for one in view.lineage(depth=1).nodes},
        "downstream": of_lineage(view.downstream(nodes_max=_EVERYTHING)),
        "made from it": {tuple(one) for one in history.made_from(Digest(key[1]), nodes_max=_EVERYTHING).nodes},
    }
    producer = view.producer
    if producer is not None and producer.code is not None:
        made = history.made_from(producer.code, nodes_max=_EVERYTHING)
        said[f"code of {key}"] = {tuple(one) for one in made.nodes}
        fingerprint = producer.fingerprint
        assert fingerprint is not None
        said[f"cached {key}"] = step_of(history.reusable(Fingerprint(fingerprint)))
    if view.version > 1:
        said[f"blame {key}"] = [(one.old, one.new) for one in history.blame(view).causes[:1]]


def recounted(told: Recounted, sample: Sample) -> Said:
    """What its events say."""
    said: Said = {f"runs {label}": runs for label, runs in recounted_runs(told)}
    for run in sample.runs:
        recount_run(told, run, said)
    for key in sample.versions:
        recount_version(told, key, said)
    for one, other in sample.pairs:
        away = told.distances([one], told.children)
        said[f"path {one} {other}"] = away[other] + 1 if other in away else None
    said["artifacts"] = sorted(name for name in told.versions if told.present_versions(name))
    for name in sample.names:
        recount_artifact(told, name, said)
    said["candidates"] = [
        key for name in said["artifacts"] for key in told.present_versions(name) if "candidate" in tags(told, key)
    ]
    said["pins"] = told.pins
    said["pipelines"] = {run.pipeline for run in told.present_runs()}
    said["tables"] = {
        "runs": len(told.runs),
        "steps": sum(len(run.steps) for run in told.runs.values()),
        "versions": len(told.first),
        "uses": told.inputs,
        "pins": len(told.pins),
    }
    measured = [run.metrics["accuracy"] for run in reversed(told.present_runs()) if is_measured(run)]
    said["bisect"] = [pair for pair in pairwise(measured) if len({v > 0.9 for v in pair}) == 2]
    return said


def is_measured(run: Run) -> bool:
    return run.pipeline == "pipeline-2" and "accuracy" in run.metrics


def tags(told: Recounted, key: Key) -> set[str]:
    return told.tags.get(Subject("version", key[0], Digest(key[1])), set())


def recount_artifact(told: Recounted, name: str, said: Said) -> None:
    keys = told.present_versions(name)
    said[f"versions of {name}"] = [content for _, content in keys]
    said[f"candidates of {name}"] = [key[1] for key in keys if "candidate" in tags(told, key)]
    notes = {key: told.notes.get(Subject("version", *key), {}) for key in keys}
    said[f"some of {name}"] = [
        key[1] for key in keys if is_above(told.row_count(key), 100) or is_above(notes[key].get("accuracy"), 0.5)
    ]


def recount_run(told: Recounted, run: Run, said: Said) -> None:
    now = told.runs[run.id]
    ran = {name: told.told.get((run.id, name)) for name in now.steps}
    inputs = {name: getattr(event, "inputs", ()) for name, event in ran.items()}
    said[f"run {run.id.hex()}"] = {
        "name": now.name,
        "status": now.status,
        "pipeline": now.pipeline,
        "parameters": now.parameters,
        "metrics": now.metrics,
        "steps": {name: "interrupted" if s == "running" != now.status else s for name, s in now.steps.items()},
        "inputs": {
            name: {one.name: (one.artifact, one.content) for one in taken if one.artifact is not None}
            for name, taken in inputs.items()
        },
        "outputs": {
            name: {one.name: (one.artifact, one.content) for one in event.made} if event else {}
            for name, event in ran.items()
        },
        "reuses": {
            name: execution(event) if event and now.steps[name] == "cached" else None for name, event in ran.items()
        },
        "hits": {name for name, status in now.steps.items() if status == "cached"},
    }
    said[f"prov {run.id.hex()}"] = {
        (run.id.hex(), content.hex())
        for name, event in ran.items()
        if event and now.steps[name] == "completed"
        for _, content in given(event)
    }
    newest = next(one for one in told.present_runs() if one.pipeline == now.pipeline)
    differ = {name for name, value in now.parameters.items() if newest.parameters[name] != value}
    said[f"diff {run.id.hex()}"] = differ


def recount_version(told: Recounted, key: Key, said: Said) -> None:
    subject, origin = Subject("version", key[0], Digest(key[1])), told.origin(key)
    up, down = told.distances([key], told.parents), told.distances([key], told.children)
    number = told.versions[key[0]][key[1]]
    everywhere = [(name, key[1]) for name, versions in told.versions.items() if key[1] in versions]
    executed = origin is not None and told.runs[origin[0]].steps[origin[1]] == "completed"
    said[f"version {key}"] = {
        "number": number,
        "tags": tags(told, key),
        "aliases": {alias for (name, alias), content in told.aliases.items() if (name, content) == key},
        "annotations": told.notes.get(subject, {}),
        "producers": told.makers.get(key[1], []),
        "producer": origin if executed else None,
        "consumers": list(dict.fromkeys((one.run, one.step) for one in told.users.get(key, ()))),
        "upstream": (set(up), {step for one in up if (step := told.origin(one)) is not None}),
        "one level": {one for one, away in up.items() if away <= 1},
        "downstream": (set(down), {execution(one) for at in down for one in told.users.get(at, ())}),
        "made from it": set(told.distances(everywhere, told.children)),
    }
    if executed:
        assert origin is not None
        event = told.told[origin]
        made = [one for end in told.of_code[event.code] for one in given(end)]
        saved = [one for end in told.of_code[event.code] for one in told.saved.get(execution(end), ())]
        said[f"code of {key}"] = set(told.distances(list(dict.fromkeys(made + saved)), told.children))
        said[f"cached {key}"] = told.executed[event.fingerprint]
    if number > 1:
        said[f"blame {key}"] = [(f"{key[0]}@{number - 1}", f"{key[0]}@{number}")]


def sampled(told: Recounted, chance: Random, count: int) -> Sample:
    """Some of everything that is there."""
    names = [name for name in told.versions if told.present_versions(name)]
    some = [(name, chance.choice(list(told.versions[name]))) for name in chance.choices(names, k=count)]
    versions = [key for key in some if not told.is_deleted(Subject("version", *key))]
    pairs = [(key, chance.choice(list(told.distances([key], told.children)))) for key in versions[: count // 2]]
    pairs += [(chance.choice(versions), chance.choice(versions)) for _ in range(2)]
    present = told.present_runs()
    return Sample(chance.sample(present, min(count, len(present))), versions, pairs, chance.choices(names, k=2))


def cut(moments: Iterator[Moment], events: int) -> Iterator[Moment]:
    """The moments of so many events; the last may be cut short."""
    for moment in moments:
        yield Moment(moment.events[:events], moment.blobs)
        events -= len(moment.events)
        if events <= 0:
            return


def check(folder: Path, events: int, places: list[int], count: int) -> None:
    """Grow a history, and hold its answers against what its events say, at some places."""
    chance = Random(events)
    told = Recounted()
    with lineal.open(folder / "store") as client:
        grow(client.store, Events(4).moments(events), 1000)
        log = client.events()
        for place in [*places, client.head.seq]:
            for recorded in islice(log, place - told.seq):
                told.take(recorded.event)
            assert told.seq == place
            sample = sampled(told, chance, count)
            said = asked(client.as_of(place), sample)
            expected = recounted(told, sample)
            assert said.keys() == expected.keys()
            for question, answer in expected.items():
                assert said[question] == answer, question
            if place == places[0]:
                truncated = folder / "truncated"
                with lineal.open(truncated) as other:
                    grow(other.store, cut(Events(4).moments(events), place - 1), 1000)
                    assert other.head.seq == place
                    assert asked(other.as_of(place), sample) == said


def test_a_history_answers_as_its_events_do_and_as_a_store_that_ends_where_it_is_looked_at(tmp_path: Path) -> None:
    check(tmp_path, 6000, [2500, 4000], 8)


@pytest.mark.torture
def test_a_history_of_a_million_events_answers_as_its_events_do(tmp_path: Path) -> None:
    check(tmp_path, 1_000_000, [200_000, 600_000], 25)
