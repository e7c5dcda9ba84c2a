"""What damaged blobs are a part of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
from samples import EVENT, ORIGIN, TIME_US, sample_of

import lineal
from lineal import Artifact, Client, pipeline, step
from lineal.events.catalogue import CATALOGUE, ContentRecomputed, Event, PinAdded, Restored
from lineal.events.codec import decode, encode
from lineal.history.harm import named_blobs

OF_OTHERS = (PinAdded, ContentRecomputed, Restored)
"""Facts about contents that other events have made."""


@pytest.mark.parametrize(
    "kind", [kind for kind in CATALOGUE.values() if kind not in OF_OTHERS], ids=lambda kind: kind.TYPE
)
def test_of_every_blob_that_an_event_names_it_is_known_what_it_is_a_part_of(kind: type[Event]) -> None:
    event = sample_of(kind)
    body = encode(event, event_id=EVENT, time_us=TIME_US, origin=ORIGIN)
    named = {one.digest for one in named_blobs([decode(1, bytes(32), body)])}
    assert set(event.refs) <= named


@step
def make(value: int) -> Annotated[int, Artifact("value")]:
    return value


@pipeline
def making(value: int) -> None:
    make(value)


def test_versions_and_runs_are_called_as_the_store_calls_them_after_renames_and_imports(
    client: Client, tmp_path: Path
) -> None:
    for value in range(3):
        making(value)
    client.delete("value@2")
    client.rename("value", "number")
    client.rename("making", "counting")
    making(3)
    client.export_bundle(tmp_path / "one.bundle", "number@3", "counting-4")
    with lineal.open(tmp_path / "other") as other:
        making(7)
        other.import_bundle(tmp_path / "one.bundle")
        assert next(run.name for run in other.runs()) == "making-4"
        for store in (client, other):
            uses = {one.use.what for one in named_blobs(store.store.log.scan())}
            assert {str(one) for artifact in store.artifacts() for one in artifact.versions} <= uses
            assert {f"structure of {run.name}" for run in store.runs()} <= uses
