"""Why a blob is kept."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import pytest

from lineal import Artifact, Client, pipeline, step
from lineal.errors import InvalidReference, NotFound
from lineal.events import catalogue as facts
from lineal.history.holding import find_blob, why_kept
from lineal.store import now_us


@step
def make(n: int) -> Annotated[np.ndarray, Artifact("made")]:
    print("making")
    return np.full(50_000, n)


@pipeline
def making(n: int) -> None:
    make(n)


def test_a_blob_is_held_by_the_versions_that_have_it_and_the_events_that_made_them(client: Client) -> None:
    run = making(1)
    making(1)
    version = run.steps["make"].output
    (part,) = version.manifest.named()
    holding = why_kept(client._reader, part.digest)
    (hold,) = holding.holds
    assert holding.size_bytes == 400_000
    assert (hold.content, hold.versions, hold.more_events) == (version.content, ("made@1",), 0)
    assert [(event.type, event.run, event.step) for event in hold.events] == [
        ("step.reused/1", "making-2", "make"),
        ("step.completed/1", "making-1", "make"),
    ]


def test_a_log_is_held_by_its_step_and_code_by_every_run(client: Client) -> None:
    making(1)
    making(2)
    event = next(one.event for one in client.events() if isinstance(one.event, facts.StepCompleted))
    assert event.log is not None
    (log,) = why_kept(client._reader, event.log).holds
    assert (log.versions, [one.step for one in log.events]) == ((), ["make"])
    (code,) = why_kept(client._reader, event.code).holds
    assert [event.type.partition("/")[0] for event in code.events] == [
        "step.completed",
        "step.started",
        "step.completed",
        "code.captured",
        "step.started",
    ]


def test_a_released_content_is_held_by_its_pin_alone_and_then_by_nothing(client: Client) -> None:
    version = client.save(np.arange(50_000), "x")
    (part,) = version.manifest.named()
    client.store.append([facts.ContentsReleased((version.content,), "too old", client.head.seq)])
    client.store.append([facts.PinAdded("best", version.content, now_us() + 10**9)])
    client.flush()
    (hold,) = why_kept(client._reader, part.digest).holds
    assert (hold.events, [pin.label for pin in hold.pins]) == ((), ["best"])
    client.store.append([facts.PinRemoved("best")])
    client.flush()
    assert not why_kept(client._reader, part.digest).is_kept


def test_of_many_events_the_newest_are_named_and_the_others_counted(client: Client) -> None:
    for _ in range(15):
        version = client.save(3.25, "x")
    client.flush()
    (hold,) = why_kept(client._reader, version.content).holds
    assert [event.seq for event in hold.events] == list(range(16, 6, -1))
    assert hold.more_events == 5


def test_a_blob_is_found_by_the_beginning_of_its_digest(client: Client) -> None:
    content = client.save(3.25, "x").content
    client.flush()
    assert find_blob(client._reader, str(content)[:8].upper()) == content
    for prefix in ("xyz", "abc", "0" * 65):
        with pytest.raises(InvalidReference):
            find_blob(client._reader, prefix)
    with pytest.raises(NotFound):
        find_blob(client._reader, "0" * 64)
