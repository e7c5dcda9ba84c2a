"""Renaming runs, artifacts and pipelines: what was known of them is known under the new name."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from children import ended_well, forked
from contending import RACERS, naming, racing
from schooling import trained, training, versions

import lineal
from lineal import Client, pipeline
from lineal.changing import renaming, undoing
from lineal.errors import (
    ArtifactNotFound,
    Conflict,
    InvalidName,
    InvalidReference,
    PipelineNotFound,
    RunNotFound,
    StepFailed,
)
from lineal.post_execution import get_pipeline


def test_a_run_is_renamed_and_its_old_name_says_so(three: Client) -> None:
    ended = three.run("training-1").ended_seq
    renamed = three.rename("training-1", "baseline")
    assert (renamed.kind, renamed.old, renamed.name) == ("run", "training-1", "baseline")
    run = three.run("baseline")
    assert (run.name, run.ended_seq, run.status) == ("baseline", ended, "completed")
    with pytest.raises(RunNotFound, match="It is called baseline now"):
        three.run("training-1")
    assert three.as_of(renamed.seq - 1).run("training-1") == run
    assert training().name == "training-4"
    assert "in baseline" in str(three.artifact("model@1").lineage())
    with pytest.raises(Conflict, match="another run is called"):
        three.rename("training-2", "baseline")
    with pytest.raises(InvalidName):
        three.rename("baseline", "a/b")
    with pytest.raises(InvalidReference, match="can't be renamed"):
        three.rename("training-2/fit", "schooling")


def test_a_pipeline_is_renamed_with_its_runs_versions_labels_and_cache(three: Client) -> None:
    three.tag("training", "nightly")
    runs = [run.id for run in three.pipeline("training").runs]
    renamed = three.rename("training", "fitting")
    assert (renamed.kind, renamed.old, renamed.name) == ("pipeline", "training", "fitting")
    pipeline = three.pipeline("fitting")
    assert [one.name for one in three.pipelines()] == ["fitting"]
    assert [run.id for run in pipeline.runs] == [run.id for run in pipeline.versions[0].runs] == runs
    assert [run.id for run in three.runs("fitting")] == runs
    assert [run.id for run in three.runs("fitting", status="completed")] == runs
    assert [run.id for run in three.runs(where="pipeline == 'fitting'")] == runs
    assert pipeline.tags == ("nightly",)
    assert [repr(one) for one in three.tagged("nightly")] == ["<Pipeline fitting>"]
    assert {*three.tables["runs"].to_arrow()["pipeline"].to_pylist()} == {"fitting"}
    assert {*three.tables["pipelines"].to_arrow()["pipeline"].to_pylist()} == {"fitting"}
    for ask in (three.pipeline, three.runs, three.find):
        with pytest.raises(PipelineNotFound, match="It was renamed to fitting"):
            ask("training")
    past = three.as_of(renamed.seq - 1)
    assert [run.id for run in past.pipeline("training").runs] == runs
    assert past.pipelines()[0].name == "training"
    with pytest.raises(PipelineNotFound):
        past.pipeline("fitting")


def test_the_function_of_a_renamed_pipeline_goes_on_with_it_under_its_old_and_its_new_name(three: Client) -> None:
    versions = len(three.pipeline("training").versions)
    three.rename("training", "fitting")
    assert training().name == "fitting-4"
    again = pipeline(name="fitting")(trained)()
    assert (again.name, again.pipeline.name) == ("fitting-5", "fitting")
    assert {step.status for step in again.steps.values()} == {"cached"}
    assert len(three.pipeline("fitting").runs) == 5
    assert len(three.pipeline("fitting").versions) == versions
    assert get_pipeline(training).name == "fitting"
    assert "first run" not in str(training.with_options(cache=False)().steps["fit"].why())


def test_renaming_a_pipeline_is_undone_unless_its_name_is_given_away(three: Client) -> None:
    pipeline(name="other")(trained)()
    with pytest.raises(Conflict, match="there is a pipeline 'other'"):
        three.rename("training", "other")
    seq = three.rename("training", "fitting").seq
    other = three.rename("other", "training").seq
    assert training().pipeline.first_name == "other"
    assert [len(three.pipeline(name).runs) for name in ("training", "fitting")] == [2, 3]
    with pytest.raises(Conflict, match="there is a pipeline 'training'"):
        three.undo(seq)
    three.undo(other)
    again = three.undo(seq).seqs[0]
    assert [len(three.pipeline(name).runs) for name in ("other", "training")] == [2, 3]
    with pytest.raises(Conflict, match="nothing is left"):
        three.undo(seq)
    three.undo(again)
    assert three.pipeline("fitting").runs[0].name == "training-3"


def test_an_artifact_is_renamed_with_its_numbers_labels_and_lineage(three: Client) -> None:
    three.save({"rate": 9}, "model")
    three.delete("model@1")
    three.alias("model@2", "best")
    three.tag("model@2", "good")
    three.annotate("model@3", {"note": 1})
    lineage = len(three.artifact("model@2").lineage())
    seq = three.rename("model", "classifier").seq
    assert [one.name for one in three.artifacts()] == ["classifier", "data"]
    assert versions(three, "classifier") == ["classifier@3", "classifier@2"]
    assert str(three.artifact("classifier@best")) == "classifier@2"
    assert str(three.artifact("classifier@good")) == "classifier@2"
    assert three.artifact("classifier@3").annotations == {"note": 1}
    assert len(three.artifact("classifier@2").lineage()) == lineage
    with pytest.raises(ArtifactNotFound):
        three.load("model")
    with pytest.raises(Conflict, match="there is an artifact 'data'"):
        three.rename("classifier", "data")
    with pytest.raises(InvalidReference, match="is one version"):
        three.rename("classifier@2", "other")
    three.undo(seq)
    assert versions(three, "model") == ["model@3", "model@2"]
    assert [one.name for one in three.artifacts()] == ["data", "model"]


def meanwhile(monkeypatch: pytest.MonkeyPatch, room: ModuleType, other: Callable[[], object]) -> None:
    """Have another process do something once, after a change was decided on, before it is recorded."""
    recording = room.record

    def record(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(room, "record", recording)
        assert ended_well([forked(other)])
        return recording(*arguments, **options)

    monkeypatch.setattr(room, "record", record)


@pytest.mark.parametrize("what", ["pipeline", "run", "artifact"])
def test_of_two_processes_that_give_one_name_at_once_the_second_is_refused(
    three: Client, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    pipeline(name="other")(trained)()
    old, others = {
        "pipeline": ("training", "other"),
        "run": ("training-1", "training-2"),
        "artifact": ("data", "model"),
    }[what]
    meanwhile(monkeypatch, renaming, partial(three.rename, others, "the-one"))
    head = three.head.seq
    with pytest.raises(Conflict, match="the-one"):
        three.rename(old, "the-one")
    renamed = [recorded.event for recorded in three.events(since=head) if recorded.type.endswith(".renamed/1")]
    assert [one.name for one in renamed] == ["the-one"]
    three.rename(old, "another")


def test_undoing_a_renaming_is_refused_if_another_process_takes_the_name_meanwhile(
    three: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline(name="other")(trained)()
    seq = three.rename("training", "fitting").seq
    meanwhile(monkeypatch, undoing, partial(three.rename, "other", "training"))
    with pytest.raises(Conflict, match="there is a pipeline 'training'"):
        three.undo(seq)
    assert sorted(one.name for one in three.pipelines()) == ["fitting", "training"]


def test_eight_processes_that_race_for_one_name_leave_it_to_one(three: Client, store_path: Path) -> None:
    for number in range(8):
        pipeline(name=f"p{number}")(trained)()
    start = three.head.seq

    def race(number: int) -> None:
        handle = lineal.open(store_path)
        while handle.head.seq == start:
            pass
        with suppress(Conflict):
            handle.rename(f"p{number}", "the-one")

    children = [forked(partial(race, number)) for number in range(8)]
    three.save(1, "go")
    three.flush()
    assert ended_well(children)
    assert len([recorded for recorded in three.events(since=start) if recorded.type == "pipeline.renamed/1"]) == 1
    assert [one.name for one in three.pipelines()].count("the-one") == 1


@pytest.mark.parametrize("things", [("training-1", "training-2"), ("data", "model"), ("training", "other")])
def test_a_step_in_a_worker_that_gives_a_name_that_is_taken_fails_as_in_the_driver(
    three: Client, things: tuple[str, str]
) -> None:
    pipeline(name="other")(trained)()
    head = three.head.seq
    with pytest.raises(StepFailed) as failed:
        naming(three.path, *things)
    assert isinstance(failed.value.__cause__, Conflict)
    assert "the-one" in str(failed.value.__cause__)
    given = [recorded for recorded in three.events(since=head) if recorded.type.endswith(".renamed/1")]
    assert [recorded.event.name for recorded in given] == ["the-one"]


def test_of_steps_in_workers_and_of_drivers_that_want_one_name_at_once_one_has_it(
    three: Client, store_path: Path, tmp_path: Path
) -> None:
    for number in range(2 * RACERS):
        pipeline(name=f"p{number}")(trained)()
    head = three.head.seq

    def race(number: int) -> None:
        start = tmp_path / f"start-{number}"
        start.mkdir()
        run = racing([f"p{number}", f"p{number + 1}"], store_path, start)
        assert len(run.steps) == RACERS

    assert ended_well([forked(partial(race, number)) for number in (0, RACERS)])
    given = [recorded for recorded in three.events(since=head) if recorded.type == "pipeline.renamed/1"]
    assert len(given) == 1
    done = [one.output.load() for run in three.runs("racing") for one in run.steps.values()]
    assert sorted(done) == [False, False, False, True]
