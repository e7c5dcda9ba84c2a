"""The cache decision."""

from __future__ import annotations

from lineal import Client, pipeline, step
from lineal.cas import digest_of
from lineal.events.catalogue import StepCompleted
from lineal.events.ids import Fingerprint
from lineal.pipeline.deciding.cache import StepCache


@step
def one(x: int) -> list:
    return [x] * 10


@pipeline
def single(x: int) -> None:
    one(x)


def test_a_fingerprint_is_found_while_its_outputs_can_be_loaded(client: Client) -> None:
    run = single(1)
    fingerprint = run.steps["one"].fingerprint
    assert fingerprint is not None
    cache = StepCache(client.store)
    found = cache.newest(fingerprint)
    assert found is not None
    assert cache.served(fingerprint, found, one.outputs) is found
    assert found.step == run.steps["one"].id
    assert [output.content for output in found.outputs] == [run.steps["one"].output.content]
    another = Fingerprint(digest_of(b"another"))
    assert cache.newest(another) is None
    assert cache.served(another, None, one.outputs) is None


def test_what_a_hit_reuses_is_always_the_execution_itself(client: Client) -> None:
    single(1)
    single(1)
    third = single(1)
    reused = third.steps["one"].reuses
    assert reused is not None
    assert reused.status == "completed"
    assert sum(isinstance(recorded.event, StepCompleted) for recorded in client.events()) == 1


def test_the_cache_survives_deletion_of_every_projection(client: Client) -> None:
    single(1)
    client.rebuild()
    assert single(1).steps["one"].is_cached
