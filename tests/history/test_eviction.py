"""What was released: as the views of history show it, now and in the past."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import pytest

from lineal import Artifact, Client, pipeline, step
from lineal.cas import Changes, Digest
from lineal.cas.store import CATALOG
from lineal.errors import ArtifactEvicted, BlobMissing
from lineal.events import catalogue as facts
from lineal.history.views import ArtifactVersionView


@step
def make(n: int) -> Annotated[np.ndarray, Artifact("made")]:
    return np.full(5_000, n)


@pipeline
def making(n: int) -> None:
    make(n)


def release(client: Client, *contents: Digest, upto: int | None = None) -> None:
    """Say that nothing has to keep these any more."""
    client.store.append([facts.ContentsReleased(contents, "too old", client.head.seq if upto is None else upto)])
    client.flush()


def remove(client: Client, version: ArtifactVersionView) -> None:
    """Take the bytes of a version away."""
    environment = client.store._env
    with environment.begin(write=True) as txn:
        changes = Changes(environment, txn)
        assert changes.get(CATALOG, version.content) is not None
        txn.delete(version.content, db=environment.databases[CATALOG])


def test_an_evicted_version_keeps_its_lineage_and_names_what_can_make_it_again(client: Client) -> None:
    run = making(1)
    version = run.steps["make"].output
    release(client, version.content)
    assert (version.is_available, version.is_evicted) == (True, False)
    remove(client, version)
    assert (version.is_available, version.is_evicted) == (False, True)
    assert version.metadata["shape"] == [5000]
    assert version.producer is not None
    assert version.producer.id == run.steps["make"].id
    assert [node.name for node in version.lineage()] == ["made"]
    with pytest.raises(ArtifactEvicted, match="made@1 was evicted at event 6: too old") as caught:
        version.load()
    assert caught.value.hint == "Step 'make' of run making-1 made it: run `lineal recompute made@1`."


def test_a_version_saved_by_hand_says_that_it_has_to_be_saved_again(client: Client) -> None:
    version = client.save(np.arange(5_000), "x")
    client.flush()
    release(client, version.content)
    remove(client, version)
    with pytest.raises(ArtifactEvicted) as caught:
        client.load("x")
    assert caught.value.hint == "It was saved by hand: save it again."


def test_a_version_whose_bytes_are_lost_without_a_release_is_not_evicted(client: Client) -> None:
    version = client.save(np.arange(5_000), "x")
    client.flush()
    remove(client, version)
    assert (version.is_available, version.is_evicted, version.released) == (False, False, None)
    with pytest.raises(BlobMissing):
        version.load()


def test_the_past_knows_by_what_and_when_a_version_was_released_and_when_it_was_not_yet(client: Client) -> None:
    version = client.save(1.5, "x")
    client.flush()
    before = client.head.seq
    release(client, version.content)
    after = client.head.seq
    client.save(1.5, "x")
    assert client.as_of(before).artifact("x").released is None
    released = client.as_of(after).artifact("x").released
    assert released is not None
    assert (released.seq, released.reason) == (after, "too old")
    assert released.time >= version.created
    assert client.artifact("x").released is None


def test_what_a_pin_or_a_later_use_as_a_literal_holds_is_not_released(client: Client) -> None:
    @step
    def take(rate: float) -> int:
        return int(rate)

    @pipeline
    def taking(rate: float) -> None:
        take(rate)

    pinned, literal = client.save(1.5, "pinned"), client.save(2.5, "literal")
    release(client, pinned.content, literal.content)
    client.store.append([facts.PinAdded("best", pinned.content, expires_us=2**60)])
    taking(2.5)
    assert (pinned.released, literal.released) == (None, None)
    client.store.append([facts.PinRemoved("best")])
    assert pinned.released is not None
    client.store.append([facts.PinAdded("best", pinned.content, expires_us=5)])
    assert pinned.released is not None


def test_a_release_does_not_reach_what_was_made_after_it_was_decided(client: Client) -> None:
    version = client.save(1, "x")
    decided = client.head.seq
    client.save(1, "x")
    release(client, version.content, upto=decided)
    assert version.released is None
