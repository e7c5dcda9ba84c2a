"""The root of history: references, lists, and any past moment."""

from __future__ import annotations

from typing import Annotated

import pytest

from lineal import Client, pipeline, step
from lineal.errors import ArtifactNotFound, InvalidReference, LinealError, PipelineNotFound, RunNotFound
from lineal.events import catalogue as facts
from lineal.events.ids import RunId


@step
def give(value: int) -> Annotated[int, "number"]:
    return value


@step
def double(number: int) -> Annotated[int, "doubled"]:
    return number * 2


@pipeline
def counting(value: int):
    return double(give(value))


@pipeline
def other(value: int):
    return give(value)


def test_runs_are_listed_newest_first_by_pipeline_and_status(client: Client) -> None:
    for value in range(3):
        counting(value)
    other(9)
    assert [run.name for run in client.runs()] == ["other-1", "counting-3", "counting-2", "counting-1"]
    assert [run.name for run in client.runs("counting", limit=2)] == ["counting-3", "counting-2"]
    assert list(client.runs(status="failed")) == []
    assert [pipeline.name for pipeline in client.pipelines()] == ["other", "counting"]


def test_a_run_is_found_by_name_id_and_the_beginning_of_its_id(client: Client) -> None:
    run = counting(1)
    for reference in ("counting-1", str(run.id), str(run.id)[:5], str(run.id)[:8].upper(), run.id):
        assert client.run(reference) == run
    with pytest.raises(RunNotFound, match="Did you mean counting-1"):
        client.run("countin-1")
    with pytest.raises(RunNotFound):
        client.run(RunId(bytes(16)))
    assert client.step_run("counting-1/give").status == "completed"


def test_an_id_that_begins_like_another_is_refused(client: Client) -> None:
    graph = client.store.blobs.batch()
    digest = graph.put(b"graph")
    process = facts.Process("h", "b", 1, 1)
    for tail in (1, 2):
        run = RunId(b"\xab\xcd" + bytes([tail]) * 14)
        client.store.append([facts.RunStarted(run, "p", digest, (), None, process, digest)], graph.publish()).wait()
    with pytest.raises(InvalidReference, match="several"):
        client.run("abcd")
    assert client.run("abcd02").name == "p-2"


def test_an_artifact_is_found_by_name_number_and_digest(client: Client) -> None:
    first = counting(1).steps["give"].output
    second = counting(2).steps["give"].output
    assert client.artifact("number") == client.artifact("number@latest") == client.artifact("number@2") == second
    assert client.artifact("number@1") == first
    assert client.artifact(f"number@{str(first.content)[:9]}") == first
    assert (client.load("number@1"), client.load("doubled")) == (1, 4)
    assert [artifact.name for artifact in client.artifacts()] == ["doubled", "number"]


def test_an_odd_number_of_digits_tells_versions_apart_whose_digests_differ_in_the_last(client: Client) -> None:
    with client.store.blobs.batch() as batch:
        contents = [batch.put(text) for text in (b"1643", b"4447")]
        outputs = [facts.Output("output", "data", content, "f/1", "t", 1, {}) for content in contents]
        client.store.append([facts.ArtifactSaved(output) for output in outputs], batch.publish()).wait()
    digits = [str(content)[:7] for content in contents]
    assert digits[0][:6] == digits[1][:6]
    assert [client.artifact(f"data@{some}").version for some in digits] == [1, 2]
    with pytest.raises(InvalidReference, match="several"):
        client.artifact(f"data@{digits[0][:6]}")


@pytest.mark.parametrize(
    ("reference", "error", "hint"),
    [
        ("numbr", ArtifactNotFound, "Did you mean number"),
        ("number@7", ArtifactNotFound, "1 to 1"),
        ("number@abcdef0123", ArtifactNotFound, "versions"),
        ("number@", InvalidReference, "name@3"),
        ("@3", InvalidReference, "name@3"),
        ("number@first", ArtifactNotFound, "have numbers"),
    ],
)
def test_a_miss_says_what_is_near(client: Client, reference: str, error: type[LinealError], hint: str) -> None:
    other(5)
    with pytest.raises(error) as caught:
        client.artifact(reference)
    assert hint in (caught.value.hint or "")


def test_a_pipeline_that_never_ran_is_not_found(client: Client) -> None:
    with pytest.raises(PipelineNotFound, match="none yet"):
        client.pipeline("counting")


def test_the_past_is_answered_as_it_was(client: Client) -> None:
    counting(1)
    then = client.head.seq
    counting(2)
    other(3)
    past = client.as_of(then)
    assert [run.name for run in past.runs()] == ["counting-1"]
    assert [pipeline.name for pipeline in past.pipelines()] == ["counting"]
    assert past.artifact("number").version == 1
    assert past.load("number") == 1
    assert len(past.artifact("number").consumers) == 1
    assert past.head.seq == then
    assert [recorded.seq for recorded in past.events()] == list(range(1, then + 1))
    with pytest.raises(ArtifactNotFound):
        past.artifact("number@2")
    with pytest.raises(RunNotFound):
        past.run("other-1")
    with pytest.raises(InvalidReference, match="no event"):
        client.as_of(client.head.seq + 1)


def test_a_run_seen_from_its_own_middle_is_still_running(client: Client) -> None:
    run = counting(1)
    statuses = {client.as_of(seq).run(run.id).status for seq in range(2, client.head.seq)}
    assert statuses == {"running"}
    assert client.as_of(client.head.seq).run(run.id).status == "completed"


def test_the_head_of_the_past_is_the_chain_as_it_was(client: Client) -> None:
    counting(1)
    head = client.head
    counting(2)
    assert client.as_of(head.seq).head == head
