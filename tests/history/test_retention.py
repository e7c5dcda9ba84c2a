"""Retention: what a policy would release of a store that pipelines have filled."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import numpy as np
import pytest

from lineal import Artifact, Client, pipeline, step
from lineal.events import catalogue as facts
from lineal.events.liveness import DECODED, Liveness
from lineal.history.retention import Plan, Retention, plan
from lineal.store import now_us


@step
def load(n: int) -> Annotated[np.ndarray, Artifact("data")]:
    return np.full(10_000, n)


@step
def train(data: np.ndarray, lr: float) -> Annotated[dict, Artifact("model")]:
    return {"weight": float(data.sum()) * lr}


@pipeline
def training(n: int, lr: float = 1.0) -> None:
    train(load(n), lr)


def planned(client: Client, retention: Retention, later: timedelta = timedelta()) -> Plan:
    """What a policy comes to, now or later."""
    client.flush()
    liveness = Liveness()
    liveness.fold(client.store.log.envelopes(0, DECODED))
    return plan(client.store, retention, liveness, now_us() + later // timedelta(microseconds=1))


def released(found: Plan) -> dict[str, str]:
    """What goes and why."""
    return {str(one): one.reason for one in found.released}


def kept(found: Plan) -> dict[str, str]:
    """What stays and why."""
    return {str(one): one.reason for one in found.kept}


def test_a_policy_with_nothing_set_releases_nothing(client: Client) -> None:
    training(1)
    training(2)
    found = planned(client, Retention())
    assert released(found) == {}
    assert kept(found)["model@1"] == "within the limits"


def test_the_last_versions_of_each_artifact_stay_and_what_they_were_made_from(client: Client) -> None:
    for n in (1, 2, 3):
        training(n)
    training(1, lr=5.0)
    found = planned(client, Retention(keep_last=1))
    assert released(found) == {
        "data@2": "not the newest version",
        "model@1": "not the newest version",
        "model@2": "not the newest version",
        "model@3": "not the newest version",
    }
    assert kept(found) == {
        "data@1": "model@4 was made from it",
        "data@3": "the latest version",
        "model@4": "the latest version",
    }
    alone = planned(client, Retention(keep_last=1, keep_used_by_kept=False))
    assert "data@1" in released(alone)


def test_what_was_not_used_for_long_goes_but_neither_the_latest_nor_what_keep_last_promises(client: Client) -> None:
    for n in range(4):
        client.save(n, "x")
    month, year = timedelta(days=30), timedelta(days=365)
    assert released(planned(client, Retention(max_age=month))) == {}
    assert list(released(planned(client, Retention(max_age=month), later=year))) == ["x@1", "x@2", "x@3"]
    assert list(released(planned(client, Retention(max_age=month, keep_last=2), later=year))) == ["x@1", "x@2"]
    all_ = planned(client, Retention(max_age=month, keep_latest=False), later=year)
    assert released(all_)["x@4"] == "not used for more than 30 days"


def test_a_version_that_was_made_again_counts_as_used_then(client: Client) -> None:
    for n in (1, 2, 1):
        client.save(n, "x")
    client.save(3, "x")
    found = planned(client, Retention(max_bytes=0))
    assert [str(one) for one in sorted(found.released, key=lambda one: one.version)] == ["x@1", "x@2"]
    size_bytes = client.usage().stored_bytes
    assert list(released(planned(client, Retention(max_bytes=size_bytes - 1)))) == ["x@2"]


def test_of_too_many_bytes_the_least_recently_used_go_until_few_enough_are_left(client: Client) -> None:
    shared = np.arange(50_000)
    for n in range(5):
        client.save({"shared": shared, "own": np.full(50_000, n)}, "x")
    client.flush()
    stored_bytes = client.usage().stored_bytes
    assert released(planned(client, Retention(max_bytes=stored_bytes))) == {}
    found = planned(client, Retention(max_bytes=stored_bytes - 500_000))
    assert list(released(found)) == ["x@1", "x@2"]
    assert kept(found)["x@3"] == "within the limits"
    assert list(released(planned(client, Retention(max_bytes=0)))) == ["x@1", "x@2", "x@3", "x@4"]


def test_a_limit_of_bytes_frees_users_before_what_they_were_made_from(client: Client) -> None:
    for n in (1, 2):
        training(n)
    found = planned(client, Retention(max_bytes=0, keep_latest=False))
    assert kept(found) == {}
    protected = planned(client, Retention(max_bytes=0))
    assert list(released(protected)) == ["data@1", "model@1"]


def test_a_pinned_version_stays_and_what_it_was_made_from(client: Client) -> None:
    for n in (1, 2, 3):
        training(n)
    client.store.append([facts.PinAdded("champion", client.artifact("model@1").content)])
    found = planned(client, Retention(keep_last=1))
    assert list(released(found)) == ["data@2", "model@2"]
    assert kept(found)["model@1"] == "pinned as champion"
    assert kept(found)["data@1"] == "model@1 was made from it"


def test_what_a_running_run_takes_and_gives_stays(client: Client) -> None:
    inside: list[Plan] = []

    @step
    def look(model: dict) -> int:
        inside.append(planned(client, Retention(keep_last=1, keep_latest=False, max_age=timedelta(0))))
        inside.append(planned(client, Retention(max_bytes=0, keep_latest=False)))
        return 1

    @pipeline
    def looking() -> None:
        look(train(load(7), 1.0))

    training(1)
    looking()
    for found in inside:
        assert "data@1" in released(found)
        assert kept(found)["data@2"] == "run looking-1 is running"
        assert kept(found)["model@2"] == "run looking-1 is running"


def test_a_content_that_goes_under_one_name_stays_under_another(client: Client) -> None:
    client.save("same", "a")
    client.save("other", "a")
    client.save("same", "b")
    found = planned(client, Retention(keep_last=1))
    assert released(found) == {}
    assert kept(found)["a@1"] == "the same content as b@1"


def test_a_literal_stays_since_nothing_could_make_it_again(client: Client) -> None:
    client.save(5.5, "rate")
    client.save(6.5, "rate")
    training(1, lr=5.5)
    assert kept(planned(client, Retention(keep_last=1)))["rate@1"] == "a step took it as a literal"


def test_contents_that_were_made_from_each_other_under_changing_names_can_go(client: Client) -> None:
    @step
    def forth(x: int) -> Annotated[str, Artifact("text")]:
        return str(x)

    @step
    def back(text: str) -> Annotated[int, Artifact("number-again")]:
        return int(text)

    @step
    def first() -> Annotated[int, Artifact("number")]:
        return 123_456

    @pipeline
    def circling() -> None:
        back(forth(first()))

    circling()
    found = planned(client, Retention(max_bytes=0, keep_latest=False))
    assert sorted(released(found)) == ["number-again@1", "number@1", "text@1"]


def test_what_was_released_before_is_not_decided_again_but_still_passes_on_what_needs_its_inputs(
    client: Client,
) -> None:
    @step
    def report(model: dict) -> Annotated[str, Artifact("report")]:
        return str(model)

    @pipeline
    def reporting(n: int) -> None:
        report(train(load(n), 2.0))

    reporting(1)
    reporting(2)
    reporting(3)
    model = client.artifact("model@1").content
    client.store.append([facts.ContentsReleased((model,), "by hand", client.head.seq)])
    client.store.append([facts.PinAdded("kept", client.artifact("report@1").content)])
    found = planned(client, Retention(keep_last=1))
    assert sorted(released(found)) == ["data@2", "model@2", "report@2"]
    assert kept(found)["data@1"] == "model@1 was made from it"
    assert "model@1" not in kept(found) | released(found)


@pytest.mark.parametrize(("age", "text"), [(timedelta(days=30), "30 days"), (timedelta(hours=1.5), "1.5 hours")])
def test_an_age_reads_as_people_say_it(client: Client, age: timedelta, text: str) -> None:
    client.save(1, "x")
    client.save(2, "x")
    found = planned(client, Retention(max_age=age), later=timedelta(days=100))
    assert released(found) == {"x@1": f"not used for more than {text}"}


def test_what_a_policy_keeps_for_its_tags_and_aliases_stays_and_what_it_was_made_from(client: Client) -> None:
    for n in (1, 2, 3, 4):
        training(n)
    client.tag("model@1", "paper")
    client.alias("model@2", "champion")
    client.tag("model@3", "other")
    found = planned(client, Retention(keep_last=1, keep_aliased=False, keep_tagged=("paper", "champion")))
    assert sorted(released(found)) == ["data@3", "model@3"]
    assert kept(found)["model@1"] == "tagged paper"
    assert kept(found)["model@2"] == "aliased champion"
    assert kept(found)["data@1"] == "model@1 was made from it"
    client.untag("model@1", "paper")
    client.alias("model@3", "champion")
    found = planned(client, Retention(keep_last=1, keep_aliased=False, keep_tagged=("paper",)))
    assert sorted(released(found)) == ["data@1", "data@2", "data@3", "model@1", "model@2", "model@3"]


def test_an_artifact_that_is_tagged_keeps_all_its_versions(client: Client) -> None:
    for n in (1, 2):
        client.save(n, "x")
        client.save(-n, "y")
    client.tag(client.artifact("x").artifact, "archive")
    found = planned(client, Retention(keep_last=1, keep_tagged=("archive",)))
    assert list(released(found)) == ["y@1"]
    assert kept(found)["x@1"] == "x is tagged archive"


def test_what_an_alias_points_to_stays_with_what_it_was_made_from_unless_aliased_versions_are_released(
    client: Client,
) -> None:
    for n in (1, 2, 3):
        training(n)
    client.alias("model@1", "champion")
    for limit in (Retention(keep_last=1), Retention(max_bytes=0), Retention(max_age=timedelta(0))):
        found = planned(client, limit, later=timedelta(days=1))
        assert sorted(released(found)) == ["data@2", "model@2"]
        assert kept(found)["model@1"] == "aliased champion"
        assert kept(found)["data@1"] == "model@1 was made from it"
    assert "model@1" in released(planned(client, Retention(keep_last=1, keep_aliased=False)))
    client.alias("model@2", "champion")
    assert "model@1" in released(planned(client, Retention(keep_last=1)))


def test_a_tag_alone_keeps_nothing(client: Client) -> None:
    for n in (1, 2):
        client.save(n, "x")
    client.tag("x@1", "paper")
    assert list(released(planned(client, Retention(keep_last=1)))) == ["x@1"]
