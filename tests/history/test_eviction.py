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
    client.collect(grace_s=0)
    assert (version.is_available, version.is_evicted) == (False, True)
    assert version.metadata["shape"] == [5000]
    assert version.producer is not None
    assert version.producer.id == run.steps["make"].id
    assert [node.name for node in version.lineage()] == ["made"]
    (said,) = (one.seq for one in client.store.log.scan() if one.type == facts.ContentsReleased.TYPE)
    with pytest.raises(ArtifactEvicted, match=f"made@1 was evicted at event {said}: too old") as caught:
        version.load()
    assert caught.value.hint == "Step 'make' of run making-1 made it: run `lineal recompute made@1`."


def test_a_version_saved_by_hand_says_that_it_has_to_be_saved_again(client: Client) -> None:
    version = client.save(np.arange(5_000), "x")
    client.flush()
    release(client, version.content)
    client.collect(grace_s=0)
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


def test_what_was_evicted_then_and_what_is_gone_now_are_two_questions(client: Client) -> None:
    run = making(1)
    version = run.steps["make"].output
    there = client.head.seq
    client.release("made@1")
    released = client.head.seq
    client.collect(grace_s=0)
    gone = client.head.seq
    client.recompute("made@1")
    again = client.head.seq
    client.release("made@1")
    client.collect(grace_s=0)

    seen = {seq: client.as_of(seq).artifact("made@1") for seq in (there, released, gone, again)}
    assert {seq: one.is_evicted for seq, one in seen.items()} == {
        there: False,
        released: False,
        gone: True,
        again: False,
    }
    eviction = seen[gone].eviction
    assert eviction is not None
    assert released < eviction.seq <= gone
    for one in (*seen.values(), version):
        assert one.is_available is False
        assert one.evicted_since is not None
        assert again < one.evicted_since.seq <= client.head.seq
    client.recompute("made@1")
    assert {one.evicted_since for one in seen.values()} == {None}
    assert all(one.is_available for one in seen.values())


def test_the_past_lists_what_has_been_evicted_since(client: Client) -> None:
    making(1)
    client.save(np.arange(5_000), "x")
    before = client.head.seq
    client.release("x@1")
    client.collect(grace_s=0)
    between = client.head.seq
    client.release("made@1")
    client.collect(grace_s=0)
    client.save(1, "later")
    assert [str(one) for one in client.as_of(2).evicted()] == []
    assert sorted(str(one) for one in client.as_of(before).evicted()) == ["made@1", "x@1"]
    assert [str(one) for one in client.as_of(between).evicted()] == ["made@1"]
    assert sorted(str(one) for one in client.evicted()) == ["made@1", "x@1"]
    client.save(np.arange(5_000), "x")
    assert [str(one) for one in client.as_of(before).evicted()] == ["made@1"]


def test_the_cache_is_as_it_was_and_serves_only_what_was_there(client: Client) -> None:
    executed = making(1).steps["make"]
    fingerprint = executed.fingerprint
    assert fingerprint is not None
    there = client.head.seq
    assert client.as_of(executed.run.seq).reusable(fingerprint) is None
    client.release("made@1")
    client.collect(grace_s=0)
    gone = client.head.seq
    assert client.reusable(fingerprint) is None
    again = making(1).steps["make"]
    assert again.status == "completed"
    assert [client.as_of(seq).reusable(fingerprint) is not None for seq in (there, gone)] == [True, False]
    served = client.as_of(there).reusable(fingerprint)
    assert served is not None
    assert served.id == executed.id
    assert client.reusable(fingerprint) == again
    assert making(1).steps["make"].reuses == again
