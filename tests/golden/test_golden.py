"""Stores that the code of each format's time has made: read for as long as there are formats, value by value.

What they must say is known from ``make.py``, which filled them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import lineal
from lineal import Retention
from lineal.errors import ArtifactEvicted, Conflict
from lineal.events.catalogue import ArtifactSaved, RunCompleted, RunFailed

VALUES = {
    "samples@1": np.arange(50_000, dtype=np.int64),
    "model@1": {"rate": 0.1, "mean": 24_999.5},
    "model@2": {"rate": 0.5, "mean": 24_999.5},
    "score@1": 10.0,
    "score@2": 50.0,
    "small@1": {"letters": ["a", "b"], "number": 1},
    "small@2": {"letters": ["a", "b"], "number": 2},
    "grows@1": np.arange(100_000, dtype=np.int64),
    "grows@2": np.arange(150_000, dtype=np.int64),
    "several@1": [np.full(5_000, number, dtype=np.int32) for number in range(4)],
    "frame@1": pd.DataFrame({"x": np.arange(2_000), "y": ["even", "odd"] * 1_000}),
    "table@1": pa.table({"x": pa.array(range(3_000), pa.int32())}),
    "text@1": "grüße " * 20_000,
    "bytes@1": b"\0\1" * 30_000,
    "plain@1": (None, True, 1.5, {3, 4}),
}
ONLY_IN = {1: {}, 2: {"gone@1": None}}
RUNS = [("completed", 0), ("completed", 3), ("completed", 1), ("failed", 1)]
"""Oldest first: what became of each run, and how many of its steps came from the cache."""


@pytest.fixture(params=[1, 2])
def version(request: pytest.FixtureRequest) -> int:
    return request.param


@pytest.fixture
def opened(golden: Callable[[int], Path], version: int) -> Iterator[lineal.Client]:
    with lineal.open(golden(version)) as client:
        yield client


def is_equal(one: Any, other: Any) -> bool:
    if isinstance(one, list):
        return len(one) == len(other) and all(map(is_equal, one, other))
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, pd.DataFrame | pa.Table):
        return one.equals(other)
    return type(one) is type(other) and one == other


def test_a_golden_store_has_every_value_that_was_saved(opened: lineal.Client, version: int) -> None:
    assert opened.verify().damages == ()
    versions = {str(one) for artifact in opened.artifacts() for one in artifact.versions}
    assert versions == {*VALUES, *ONLY_IN[version]}
    for reference, value in VALUES.items():
        assert is_equal(opened.load(reference), value), reference


def test_a_golden_store_tells_its_runs_and_what_came_from_the_cache(opened: lineal.Client) -> None:
    runs = list(opened.runs())[::-1]
    assert [(run.status, sum(step.is_cached for step in run.steps.values())) for run in runs] == RUNS
    assert [run.parameters["rate"] for run in runs] == [0.1, 0.1, 0.5, 2.0]
    first, second, _, failed = runs
    assert second.steps["fit"].reuses.run == first
    assert first.steps["load"].log == "loading 50000\n"
    assert {name: step.status for name, step in failed.steps.items() if not step.is_cached}["fit"] == "failed"
    assert failed.steps["fit"].failure.type == "ValueError"
    assert failed.steps["fit"].failure.message == "2.0 is too fast"


def test_a_golden_store_tells_what_was_made_from_what(opened: lineal.Client) -> None:
    origins = {f"{node.name}@{node.version}": node for node in opened.artifact("score@2").lineage()}
    parents = {reference: [parent.name for parent in node.parents] for reference, node in origins.items()}
    assert parents == {"score@2": ["model"], "model@2": ["samples"], "samples@1": []}
    assert opened.artifact("model@2").producer.parameters == {"rate": 0.5}
    assert {step.function for step in opened.artifact("samples@1").consumers} == {"__main__.fit"}


def test_a_golden_store_can_be_seen_as_it_was(opened: lineal.Client) -> None:
    events = list(opened.events())
    ended = [one.seq for one in events if isinstance(one.event, RunCompleted | RunFailed)]
    past = opened.as_of(ended[0])
    assert [run.status for run in past.runs()] == ["completed"]
    assert {artifact.name for artifact in past.artifacts()} == {"samples", "model", "score"}
    assert past.load("model@latest") == VALUES["model@1"]
    first_saved = next(one.seq for one in events if isinstance(one.event, ArtifactSaved))
    assert opened.as_of(first_saved).load("small@latest") == VALUES["small@1"]
    assert opened.load("small@latest") == VALUES["small@2"]


def test_what_was_released_and_pinned_in_a_golden_store_still_is(golden: Callable[[int], Path]) -> None:
    with lineal.open(golden(2)) as client:
        assert [(pin.label, pin.content) for pin in client.pins()] == [("kept", client.artifact("small@1").content)]
        with pytest.raises(ArtifactEvicted):
            client.load("gone@1")


def test_a_golden_store_goes_on(opened: lineal.Client) -> None:
    opened.save({"number": 3}, "small")
    opened.flush()
    assert opened.load("small@3") == {"number": 3}
    assert opened.verify().is_sound


def test_the_golden_log_of_an_older_format_is_kept_to_the_byte_until_told(golden: Callable[[int], Path]) -> None:
    path = golden(1)
    before = (path / "log" / "data.mdb").read_bytes()
    with lineal.open(path) as client:
        client.save({"number": 3}, "small")
        client.flush()
        assert (path / "log.1" / "data.mdb").read_bytes() == before
        with pytest.raises(Conflict, match="drop-old"):
            client.collect(Retention(keep_last=1), grace_s=0)
        assert client.collect(Retention(keep_last=1), grace_s=0, dry_run=True).freed_bytes > 0
    with lineal.open(path) as client:
        assert (path / "log.1" / "data.mdb").read_bytes() == before
        assert [(old.version, old.path, old.size_bytes) for old in client.old_logs()] == [
            (1, path / "log.1", len(before))
        ]
        client.drop_old_logs()
        assert client.old_logs() == []
        assert not (path / "log.1").exists()
        assert client.collect(Retention(keep_last=1), grace_s=0).freed_bytes > 0
        assert client.verify().is_sound
