"""Changing the record: deleting, renaming and undoing, now and as it was at every moment before."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from schooling import training, versions

import lineal
from lineal import Client, pipeline, step
from lineal.changing import Deletion
from lineal.errors import (
    ArtifactEvicted,
    ArtifactNotFound,
    Conflict,
    Invalid,
    InvalidReference,
    LinealError,
    RunNotFound,
)
from lineal.events.catalogue import ContentsReleased, Deleted
from lineal.history import History, RunView


def names(history: History) -> list[str]:
    return [run.name for run in history.runs()]


def collected(client: Client) -> Any:
    return client.collect(grace_s=0)


def test_a_deleted_run_is_in_no_list_and_has_no_name_and_the_past_has_it(three: Client) -> None:
    run, seq = three.run("training-1"), three.head.seq
    three.tag(run, "seen")
    three.annotate(run, {"note": 1})
    done = three.delete("training-1", reason="wrong data")
    assert (done.runs, done.versions, len(done.seqs)) == (("training-1",), (), 1)
    assert names(three) == ["training-3", "training-2"]
    assert [one.name for one in three.pipeline("training").runs] == ["training-3", "training-2"]
    assert [one.name for one in three.pipeline("training").versions[0].runs] == ["training-3", "training-2"]
    assert [one.name for one in three.runs("training", status="completed")] == ["training-3", "training-2"]
    assert (three.tagged("seen"), three.annotated("note")) == ([], [])
    with pytest.raises(RunNotFound, match=rf"was deleted at event {done.seqs[0]}(?s:.*)lineal undo {done.seqs[0]}"):
        three.run("training-1")
    with pytest.raises(RunNotFound):
        three.run(str(run.id)[:12])
    assert names(three.as_of(seq)) == ["training-3", "training-2", "training-1"]
    assert three.as_of(seq).run("training-1") == run


def test_deleting_a_run_kills_neither_lineage_nor_cache(three: Client) -> None:
    before, content = three.artifact("model@1").lineage().to_dict(), three.artifact("model@1").content
    three.delete("training-1", outputs=True)
    three.delete("training-2")
    assert three.artifact(f"model@{content}").lineage().to_dict() == before
    assert three.artifact("data@1").producer is not None
    assert three.artifact("data@1").producer.run.deletion is not None
    assert [one.status for one in training(rate=0.25).steps.values()] == ["cached", "cached"]
    whole_id = str(three.artifact("model@2").producer.run.id)  # type: ignore[union-attr]
    assert three.run(whole_id).name == "training-2"


def test_a_dry_run_says_what_would_go_and_what_depends_on_it_and_does_nothing(three: Client) -> None:
    three.alias("model@1", "champion")
    head = three.head
    foretold = three.delete("training-2", dry_run=True, outputs=True)
    assert (foretold.is_dry_run, foretold.runs, foretold.versions, foretold.seqs) == (True, ("training-2",), (), ())
    assert {(one.version, one.reason) for one in foretold.kept} == {
        ("data@1", "run training-1 gave it, too"),
        ("model@2", "run training-3 gave it, too"),
    }
    assert [(one.of, one.what, one.how) for one in foretold.dependents] == [
        ("training-2", "training-3/fit", "reuses its results")
    ]
    (alias,) = three.delete("model@1", dry_run=True).dependents
    assert alias == ("model@1", "model@champion", "points to it")
    assert [one.what for one in three.delete("data@1", dry_run=True).dependents] == [
        "training-1/fit",
        "training-2/fit",
        "training-3/fit",
    ]
    assert three.head == head


def test_what_a_deletion_says_that_it_frees_is_what_the_next_collection_frees(client: Client) -> None:
    client.save(bytes(range(256)) * 400, "raw")
    client.save(bytes(range(255, -1, -1)) * 400, "raw")
    client.save([1], "other")
    client.flush()
    collected(client)
    done = client.delete("raw@1")
    assert (done.versions, done.released) == (("raw@1",), ("raw@1",))
    assert done.freed_bytes > 100_000
    assert collected(client).freed_bytes == done.freed_bytes
    assert client.load("raw") == bytes(range(255, -1, -1)) * 400


def test_a_deleted_version_is_passed_over_and_its_number_is_not_given_again(client: Client) -> None:
    for number in range(3):
        client.save(number, "value")
    client.alias("value@3", "best")
    client.tag("value@3", "good")
    client.delete("value@3")
    assert versions(client, "value") == ["value@2", "value@1"]
    assert client.load("value") == 1
    assert client.artifact("value").artifact.latest == client.artifact("value@2")
    assert client.artifact("value").artifact.aliases == {}
    for reference in ("value@3", "value@best"):
        with pytest.raises(ArtifactNotFound, match="value@3 was deleted"):
            client.artifact(reference)
    with pytest.raises(ArtifactNotFound, match="no version with the alias or tag 'good'"):
        client.artifact("value@good")
    assert str(client.save(7, "value")) == "value@4"


def test_a_version_that_is_made_again_is_back_and_its_bytes_are_kept(client: Client) -> None:
    client.save([1, 2], "value")
    client.save([3, 4], "value")
    client.delete("value@1")
    client.save([1, 2], "value")
    client.flush()
    collected(client)
    assert client.load("value@1") == [1, 2]
    assert versions(client, "value") == ["value@2", "value@1"]


def test_an_artifact_goes_with_all_its_versions_and_a_pipeline_with_all_its_runs(three: Client) -> None:
    done = three.delete(three.artifact("model").artifact)
    assert done.versions == ("model@2", "model@1")
    assert [one.name for one in three.artifacts()] == ["data"]
    with pytest.raises(ArtifactNotFound, match="all versions of model are deleted"):
        three.load("model")
    done = three.delete("training", outputs=True)
    assert (len(done.runs), done.versions, three.pipelines(), names(three)) == (3, ("data@1",), [], [])


def test_a_content_that_has_another_version_is_not_released(client: Client) -> None:
    client.save([1, 2], "one")
    client.name("one@1", "two")
    assert client.delete("one@1").released == ()
    collected(client)
    assert client.load("two@1") == [1, 2]
    assert client.delete("two@1").released == ("two@1",)


def test_a_deleted_version_keeps_nothing_from_a_policy(client: Client) -> None:
    client.save([1, 2], "one")
    client.name("one@1", "two")
    client.save([3, 4], "two")
    client.delete("one@1")
    done = client.collect(lineal.Retention(keep_last=1), grace_s=0)
    assert [str(one) for one in done.released] == ["two@1"]
    assert not client.artifact("two@1").is_available


def test_what_a_step_took_as_a_literal_stays(client: Client) -> None:
    @step
    def take(values: list) -> int:
        return len(values)

    @pipeline
    def taking() -> None:
        take([1, 2, 3])

    client.save([1, 2, 3], "value")
    taking()
    assert client.delete("value@1").released == ()
    collected(client)
    assert client.run("taking-1").steps["take"].parameters == {"values": [1, 2, 3]}


def test_what_is_pinned_running_or_deleted_already_is_refused(client: Client) -> None:
    refused: list[Deletion | LinealError] = []

    @step
    def meddle(data: list) -> int:
        for of in ("meddling-1", "input@1"):
            try:
                refused.append(client.delete(of))
            except LinealError as error:
                refused.append(error)
        return 1

    @pipeline
    def meddling() -> None:
        meddle(client.artifact("input@1"))

    client.save([1], "input")
    client.save([2], "pinned")
    client.pin("pinned@1", "keep")
    meddling()
    assert [type(one) for one in refused] == [Conflict, Conflict]
    with pytest.raises(Conflict, match="pinned as keep"):
        client.delete("pinned@1")
    with pytest.raises(InvalidReference, match="with its run only"):
        client.delete("meddling-1/meddle")
    run = client.run("meddling-1")
    client.delete(run)
    with pytest.raises(InvalidReference, match="deleted already"):
        client.delete(run)


def test_a_deletion_is_undone_whole_until_its_bytes_are_freed(client: Client) -> None:
    client.save([1, 2], "value")
    client.tag("value@1", "good")
    (seq,) = client.delete("value@1").seqs
    undone = client.undo(seq)
    assert (undone.type, undone.gone) == (Deleted.TYPE, ())
    collected(client)
    assert client.load("value@good") == [1, 2]
    with pytest.raises(Conflict, match="nothing is left"):
        client.undo(seq)
    client.undo(undone.seqs[0])
    assert client.artifacts() == []
    collected(client)
    *_, again = client.events(types=Deleted)
    back = client.undo(again.seq)
    assert [one.startswith("value@") for one in back.gone] == [True]
    assert client.artifact("value@1").is_evicted
    with pytest.raises(ArtifactEvicted):
        client.load("value@1")


def test_a_deletion_that_was_undone_is_not_what_undoes_a_later_one(client: Client) -> None:
    client.save([1, 2], "value")
    (first,) = client.delete("value@1").seqs
    client.undo(first)
    (second,) = client.delete("value@1").seqs
    with pytest.raises(Conflict, match="nothing is left"):
        client.undo(first)
    client.undo(second)
    assert client.load("value@1") == [1, 2]


def test_a_release_is_undone_while_the_bytes_are_there(client: Client) -> None:
    client.save([1, 2], "value")
    client.release("value@1")
    (seq,) = [one.seq for one in client.events(types=ContentsReleased)]
    assert client.artifact("value@1").released is not None
    client.undo(seq)
    assert client.artifact("value@1").released is None
    assert client.as_of(seq).artifact("value@1").released is not None
    collected(client)
    assert client.load("value@1") == [1, 2]
    client.release("value@1")
    seq = client.head.seq
    collected(client)
    with pytest.raises(ArtifactEvicted, match="collected since"):
        client.undo(seq)


UNDONE: list[tuple[str, Callable[[Client], object]]] = [
    ("tag", lambda client: client.tag("value@1", "new", "old")),
    ("untag", lambda client: client.untag("value@1", "old")),
    ("alias", lambda client: client.alias("value@2", "new")),
    ("moved alias", lambda client: client.alias("value@2", "old")),
    ("unalias", lambda client: client.unalias("value", "old")),
    ("annotate", lambda client: client.annotate("value@1", {"old": 2, "new": 3})),
    ("forget", lambda client: client.annotate("value@1", remove=["old"])),
    ("pin", lambda client: client.pin("value@1", "new")),
    ("moved pin", lambda client: client.pin("value@2", "old")),
    ("unpin", lambda client: client.unpin("old")),
    ("name", lambda client: client.name("value@1", "other")),
    ("rename", lambda client: client.rename("value", "other")),
    ("rename run", lambda client: client.rename("training-1", "best")),
    ("delete", lambda client: client.delete("value@2")),
    ("delete run", lambda client: client.delete("training-1", outputs=True)),
]


def everything(history: History) -> dict[str, Any]:
    """What people can change."""
    return {
        "runs": [(run.name, run.status, run.tags, run.annotations, run.ended_seq) for run in history.runs()],
        "artifacts": {
            artifact.name: (
                artifact.tags,
                {alias: str(version) for alias, version in artifact.aliases.items()},
                [(str(one), one.content, one.tags, one.annotations, one.released) for one in artifact.versions],
            )
            for artifact in history.artifacts()
        },
        "pins": [(pin.label, pin.content) for pin in history.pins()],
        "named": {name: said(lambda name=name: str(history.run(name).id)) for name in ("training-1", "best")},
    }


def said(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except LinealError as error:
        return type(error).__name__


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which there is something of everything. Not to be written to: copy it."""
    path = tmp_path_factory.mktemp("labelled") / "store"
    with lineal.open(path) as client:
        training()
        client.save([1], "value")
        client.save([2], "value")
        client.tag("value@1", "old")
        client.alias("value@1", "old")
        client.annotate("value@1", {"old": 1})
        client.pin("value@1", "old")
        client.tag(client.artifact("value").artifact, "whole")
    return path


@pytest.mark.parametrize(("how", "change"), UNDONE, ids=[how for how, _ in UNDONE])
def test_undoing_puts_back_what_was_and_undoing_that_does_it_again(
    labelled: Path, tmp_path: Path, how: str, change: Callable[[Client], object]
) -> None:
    with lineal.open(shutil.copytree(labelled, tmp_path / "copied")) as client:
        before, seq = everything(client), client.head.seq
        change(client)
        changed, last = everything(client), client.head.seq
        assert changed != before
        undone = client.undo(last if how.startswith("rename") else seq + 1)
        assert everything(client) == before
        assert (everything(client.as_of(seq)), everything(client.as_of(last))) == (before, changed)
        for one in reversed(undone.seqs):
            client.undo(one)
        assert everything(client) == changed
        client.rebuild()
        assert everything(client.as_of(last)) == changed
        assert client.verify().is_sound


def test_what_has_changed_since_is_not_undone(client: Client) -> None:
    for number in range(3):
        client.save(number, "value")
    client.alias("value@1", "best")
    seq = client.head.seq
    client.alias("value@2", "best")
    with pytest.raises(Conflict, match="value@best has changed since"):
        client.undo(seq)
    client.annotate("value", {"note": 1})
    seq = client.head.seq
    client.annotate("value", {"note": 2})
    with pytest.raises(Conflict, match="note has changed since"):
        client.undo(seq)
    with pytest.raises(Invalid, match=r"artifact\.saved/1, can't be undone"):
        client.undo(2)
    with pytest.raises(Invalid, match="there is no event 10000"):
        client.undo(10_000)


def test_of_a_renamed_artifact_what_was_released_stays_so(client: Client) -> None:
    client.save([1], "value")
    client.save([2], "value")
    client.save([3], "value")
    client.release("value@1")
    collected(client)
    client.release("value@2")
    client.rename("value", "other")
    assert [one.is_evicted for one in client.versions("other")] == [False, False, True]
    assert [one.released is None for one in client.versions("other")] == [True, False, False]
    collected(client)
    assert [one.is_evicted for one in client.versions("other")] == [False, True, True]


def test_the_latest_that_a_policy_keeps_is_the_latest_that_is_there(client: Client) -> None:
    for number in range(4):
        client.save([number], "value")
    client.delete("value@4")
    client.collect(lineal.Retention(keep_last=1), grace_s=0)
    assert [one.is_available for one in client.versions("value")] == [True, False, False]
    assert client.load("value") == [2]


def test_a_reader_of_the_whole_id_sees_why_a_run_was_deleted(three: Client) -> None:
    run = three.run("training-2")
    three.delete(run, reason="wrong data")
    found: RunView = three.run(str(run.id))
    assert found.deletion is not None
    assert (found.deletion.reason, found.deletion.seq) == ("wrong data", three.head.seq)
