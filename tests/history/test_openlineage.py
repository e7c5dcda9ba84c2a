"""OpenLineage: events conform to the definitions of the official client, which are generated from the schemas."""

from __future__ import annotations

import json
import re
import types
from collections.abc import Iterator
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import attrs
import openlineage.client.facet_v2 as facets
import pytest
from openlineage.client.event_v2 import RunEvent

import lineal
from lineal import Artifact, pipeline, step
from lineal.errors import StepFailed
from lineal.history import openlineage_events, step_runs_behind
from lineal.history.openlineage_facets import repository_url

DEFINITIONS = {
    one._get_schema(): one
    for module in [facets, *(found for found in vars(facets).values() if isinstance(found, types.ModuleType))]
    for one in vars(module).values()
    if isinstance(one, type) and issubclass(one, facets.BaseFacet)
}
LACKING = object()
FILLED_IN = {"_producer", "_schemaURL", "producer", "schemaURL"}
"""What the specification requires, and the official client fills in where its user says nothing."""
types_of = cache(get_type_hints)
URI = re.compile(r"[a-z][a-z0-9+.-]*:[!-~]+")


def faults(value: Any, hint: Any, place: str = "event") -> list[str]:
    """Where JSON differs from a type: fields that are lacking, unknown, or of another type, and ill-formed texts."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        found = [faults(value, one, place) for one in arguments]
        return [] if [] in found else found[0]
    if origin is list:
        inner = [faults(one, arguments[0], f"{place}[]") for one in value] if isinstance(value, list) else [[place]]
        return [fault for some in inner for fault in some]
    if origin is dict:
        items = value.items() if isinstance(value, dict) else [("", None)]
        return [fault for name, one in items for fault in faults(one, arguments[1], f"{place}.{name}")]
    if isinstance(hint, type) and issubclass(hint, Enum):
        return [] if value in [one.value for one in hint] else [f"{place} is {value!r}"]
    if attrs.has(hint):
        return list(object_faults(value, hint, place))
    return [] if type(value) is hint else [f"{place} is no {hint}"]


def object_faults(value: Any, hint: Any, place: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{place} is no object"
        return
    if issubclass(hint, facets.BaseFacet):
        defined = DEFINITIONS.get(str(value.get("_schemaURL")))
        if defined is None or not issubclass(defined, hint):
            yield f"{place} conforms to no {hint.__name__}"
            return
        hint = defined
    is_open = issubclass(hint, facets.BaseFacet) and "/facets/" not in hint._get_schema()
    hints = types_of(hint)
    fields = {field.name: field for field in attrs.fields(hint)}
    required = {name for name, field in fields.items() if field.default is attrs.NOTHING}
    lacking = (required | FILLED_IN & set(fields)) - set(value)
    yield from (f"{place}.{name} is lacking" for name in lacking)
    for name, one in value.items():
        if name not in fields:
            if not is_open:
                yield f"{place}.{name} is unknown"
            continue
        inside = faults(one, hints[name], f"{place}.{name}")
        yield from inside
        if not inside and one is not None:
            yield from ill_formed(name, one, fields[name].validator, f"{place}.{name}")


def ill_formed(name: str, value: Any, validate: Any, place: str) -> Iterator[str]:
    if name in FILLED_IN | {"url", "uri"} and not URI.fullmatch(value):
        yield f"{place} is no URI"
    try:
        if validate is not None:
            validate(None, attrs.fields_dict(RunEvent).get(name), value)
    except ValueError as error:
        yield f"{place}: {error}"


@step
def load() -> Annotated[Any, Artifact("a number/é", tags=["small"])]:
    """Make a table."""
    import pandas as pd

    return pd.DataFrame({"x": [1, 2, 3], "naïve": ["a", "b", "c"]})


@step
def total(table: Any, factor: float, fails: bool) -> Annotated[int, "sum"]:
    if fails:
        raise ValueError("no\x1b[2J")
    return int(table["x"].sum() * factor)


@step
def after(x: int) -> int:
    return x


@pipeline
def summing(fails: bool = False) -> None:
    """Sum up."""
    after(total(load(), 2.0, fails))


@pytest.fixture(scope="module")
def store_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("openlineage") / "store"
    with lineal.open(path, visualize=False) as store:
        store.tag(summing(), "nightly")
        summing()
        with pytest.raises(StepFailed):
            summing(fails=True)
        store.flush()
    return path


@pytest.fixture
def events(store_path: Path) -> list[dict[str, Any]]:
    with lineal.open(store_path, read_only=True) as store:
        return json.loads(json.dumps(list(openlineage_events(step_runs_behind(store.runs()))), allow_nan=False))


def test_events_conform_to_the_official_definitions(events: list[dict[str, Any]]) -> None:
    assert [fault for event in events for fault in faults(event, RunEvent)] == []
    assert {event["schemaURL"] for event in events} == {RunEvent._get_schema()}


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Everything in JSON with its path, less what is below the facet that is Lineal's own: its fields are free."""
    if path:
        yield path, value
    if path[-1:] != ("lineal",):
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for name, one in items:
            yield from places(one, (*path, name))


def each_place(events: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], tuple[str | int, ...], Any]]:
    """Every place that an event has, once, with the first event that has it."""
    seen: set[tuple[str | int, ...]] = set()
    for event in events:
        for path, value in places(event):
            if path not in seen:
                seen.add(path)
                yield event, path, value


def changed(event: dict[str, Any], path: tuple[str | int, ...], new: Any) -> dict[str, Any]:
    """An event with something else at a path; with nothing there for `LACKING`."""
    copy = json.loads(json.dumps(event))
    inner = copy
    for name in path[:-1]:
        inner = inner[name]
    if new is LACKING:
        del inner[path[-1]]
    else:
        inner[path[-1]] = new
    return copy


def is_faulty(event: dict[str, Any]) -> bool:
    return faults(event, RunEvent) != []


def test_another_type_at_any_place_does_not_conform(events: list[dict[str, Any]]) -> None:
    others: list[Any] = [["a list"], {"an": "object"}, 1.5, "a text", None]
    for event, path, value in each_place(events):
        same = [one for one in others if type(one) is not type(value)]
        unnoticed = [one for one in same if not is_faulty(changed(event, path, one))]
        # What need not be there may be null; a parameter's value may be anything.
        assert unnoticed in ([], [None]) or path[-3:-2] == ("parameters",), path


REQUIRED = {
    "event": {"eventTime", "producer", "schemaURL", "run", "job"},
    "run": {"runId"},
    "job": {"namespace", "name"},
    "inputs": {"namespace", "name"},
    "outputs": {"namespace", "name"},
    "parent": {"run", "job"},
    "processing_engine": {"version"},
    "jobType": {"processingType", "integration"},
    "documentation": {"description"},
    "sourceCode": {"language", "sourceCode"},
    "errorMessage": {"message", "programmingLanguage"},
    "version": {"datasetVersion"},
    "fields": {"name"},
    "parameters": {"key"},
    "tags": {"key", "value"},
}
"""What the specification requires, by what it is in; of a facet beside ``_producer`` and ``_schemaURL``."""
FORMED = {"eventTime", "runId", "producer", "schemaURL", "_producer", "_schemaURL"}


def test_whatever_is_lacking_or_unknown_or_ill_formed_does_not_conform(events: list[dict[str, Any]]) -> None:
    seen = set()
    for event, path, value in each_place(events):
        name, above = path[-1], [one for one in ("event", *path[:-1]) if isinstance(one, str)]
        facet = path[-2] if path[-3:-2] in (("facets",), ("outputFacets",)) else None
        if isinstance(value, dict) and name not in ("facets", "outputFacets", "lineal"):
            assert is_faulty(changed(event, (*path, "unheardOf"), 1)), path
        if (name in REQUIRED.get(above[-1], ()) and facet in (None, above[-1])) or str(name).startswith("_"):
            seen.add((above[-1], name))
            assert is_faulty(changed(event, path, LACKING)), path
        if name in FORMED:
            assert is_faulty(changed(event, path, "no such thing")), path
    assert seen >= {(where, name) for where, names in REQUIRED.items() for name in names}


def told(events: list[dict[str, Any]], kind: str, job: str) -> list[dict[str, Any]]:
    return [one for one in events if (one["eventType"], one["job"]["name"]) == (kind, job)]


def test_each_run_and_step_run_starts_and_ends_once(events: list[dict[str, Any]]) -> None:
    kinds: dict[str, list[str]] = {}
    for event in events:
        kinds.setdefault(event["run"]["runId"], []).append(event["eventType"])
    assert sorted(map(tuple, kinds.values())) == sorted([("START", "COMPLETE")] * 9 + [("START", "FAIL")] * 2)
    assert events == sorted(events, key=lambda event: event["eventTime"])


def test_steps_are_runs_below_their_run(events: list[dict[str, Any]]) -> None:
    first = told(events, "START", "summing")[0]
    for name in ("load", "total", "after"):
        event = told(events, "START", f"summing.{name}")[0]
        assert event["run"]["facets"]["parent"]["run"]["runId"] == first["run"]["runId"]
        assert event["run"]["facets"]["parent"]["job"]["name"] == "summing"
        assert event["job"]["namespace"] == first["job"]["namespace"]
    assert told(events, "START", "summing")[1]["run"]["runId"] != first["run"]["runId"]


def test_artifacts_are_datasets_with_versions_columns_and_counts(events: list[dict[str, Any]]) -> None:
    made = told(events, "COMPLETE", "summing.load")[0]["outputs"][0]
    taken = told(events, "COMPLETE", "summing.total")[0]["inputs"][0]
    assert (made["namespace"], made["name"]) == (taken["namespace"], taken["name"])
    assert made["name"] == "a number/é"
    assert made["facets"]["version"]["datasetVersion"] == "1"
    assert [one["name"] for one in made["facets"]["schema"]["fields"]] == ["x", "naïve"]
    assert made["facets"]["tags"]["tags"] == [{"key": "small", "value": "true", "source": "USER"}]
    assert made["outputFacets"]["outputStatistics"]["rowCount"] == 3
    assert made["outputFacets"]["outputStatistics"]["size"] > 0


def test_what_was_cached_names_whose_execution_it_reuses(events: list[dict[str, Any]]) -> None:
    executed, cached, _ = told(events, "COMPLETE", "summing.load")
    assert cached["run"]["facets"]["lineal"]["isCached"]
    assert cached["run"]["facets"]["lineal"]["reuses"]["runId"] == executed["run"]["runId"]
    assert cached["outputs"][0]["facets"] == executed["outputs"][0]["facets"]
    assert "outputFacets" not in cached["outputs"][0]


def test_a_failure_has_its_message_and_trace(events: list[dict[str, Any]]) -> None:
    (failed,) = told(events, "FAIL", "summing.total")
    error = failed["run"]["facets"]["errorMessage"]
    assert error["message"] == "ValueError: no\x1b[2J"
    assert error["stackTrace"].startswith("Traceback")
    assert "errorMessage" in told(events, "FAIL", "summing")[0]["run"]["facets"]


def test_code_documentation_parameters_and_engine_are_told(events: list[dict[str, Any]]) -> None:
    begun = told(events, "START", "summing.load")[0]
    assert "pd.DataFrame" in begun["job"]["facets"]["sourceCode"]["sourceCode"]
    assert begun["job"]["facets"]["documentation"]["description"] == "Make a table."
    run = told(events, "START", "summing")
    assert run[0]["run"]["facets"]["tags"]["tags"][0]["key"] == "nightly"
    assert run[0]["run"]["facets"]["processing_engine"]["name"].startswith("Lineal on CPython 3.")
    parameters = run[2]["run"]["facets"]["executionParameters"]["parameters"]
    assert parameters == [{"key": "fails", "name": "fails", "value": "true"}]


def test_twice_the_same(events: list[dict[str, Any]], store_path: Path) -> None:
    with lineal.open(store_path, read_only=True) as store:
        again = list(openlineage_events(reversed(step_runs_behind(store.runs()))))
    assert again == events


def test_the_lineage_of_an_artifact_has_the_runs_that_its_steps_were_in(store_path: Path) -> None:
    with lineal.open(store_path, read_only=True) as store:
        events = list(openlineage_events(step_runs_behind([store.artifact("sum@1")])))
    assert [event["job"]["name"] for event in events if event["eventType"] == "START"] == [
        "summing",
        "summing.load",
        "summing.total",
    ]


@pytest.mark.parametrize(
    ("remote", "url"),
    [
        ("git@github.com:org/repo.git", "https://github.com/org/repo/tree/0a1b"),
        ("https://user@github.com/org/repo.git", "https://github.com/org/repo/tree/0a1b"),
        ("ssh://git@gitlab.com/group/sub/repo", "https://gitlab.com/group/sub/repo/-/tree/0a1b"),
        ("git@git.example.org:repo", "ssh://git.example.org/repo"),
        ("https://git.example.org:8443/a b", "https://git.example.org:8443/a%20b"),
        ("../elsewhere", None),
        ("/srv/repo.git", None),
    ],
)
def test_the_address_of_a_repository_is_a_uri(remote: str, url: str | None) -> None:
    assert repository_url(remote, "0a1b") == url
    assert url is None or URI.fullmatch(url)
