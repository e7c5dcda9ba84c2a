"""The nouns of history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import pytest

import lineal
from lineal import Artifact, Client, pipeline, step
from lineal.cas.process import ProcessStamp
from lineal.errors import ArtifactNotFound, BlobCorrupt, BlobMissing, Invalid, InvalidName, StepNotFound
from lineal.events.catalogue import Process, RunStarted, StepReused
from lineal.events.ids import RunId, StepRunId
from lineal.post_execution import get_pipeline, get_pipelines, get_run


@step
def load(rows: int) -> Annotated[pd.DataFrame, "table"]:
    """Make a table."""
    return pd.DataFrame({"x": np.arange(rows), "y": np.arange(rows) * 2.0})


@step
def fit(table: pd.DataFrame, degree: int = 1) -> tuple[Annotated[dict, Artifact("model")], Annotated[float, "score"]]:
    return {"degree": degree, "mean": float(table["y"].mean())}, 0.5


@pipeline
def training(rows: int = 10, degree: int = 1):
    """Train a model."""
    return fit(load(rows), degree=degree)


def test_the_classic_walk_works_as_written(client: Client) -> None:
    training(10)
    training(20)
    walked = get_pipelines()[0].versions[0].runs[0].get_step(step="fit").outputs["model"].read()
    assert walked == {"degree": 1, "mean": 19.0}
    assert get_pipeline("training").versions[0].runs[1].get_step(step=load).output.read().shape == (10, 2)
    assert get_pipeline(pipeline=training).name == "training"
    assert get_run("training-1").status == "completed"


def test_an_input_or_output_that_is_not_there_is_a_miss_that_says_what_is_near(client: Client) -> None:
    fitted = training(10).get_step("fit")
    with pytest.raises(ArtifactNotFound, match="Did you mean score"):
        _ = fitted.outputs["scor"]
    with pytest.raises(ArtifactNotFound, match="Did you mean table"):
        _ = fitted.inputs["tabel"]
    assert fitted.outputs.get("scor") is None


def test_a_run_says_what_it_was(client: Client) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    run = training(rows=10, degree=2)
    assert (run.pipeline.name, run.pipeline_version.version, run.status) == ("training", 1, "completed")
    assert run.parameters == {"rows": 10, "degree": 2}
    assert before < run.started < datetime.now(UTC) + timedelta(seconds=1)
    assert run.duration_s is not None
    assert 0 < run.duration_s < 60
    assert run.environment["packages"]["numpy"] == np.__version__
    assert list(run.steps) == ["load", "fit"]
    with pytest.raises(StepNotFound, match="Did you mean load"):
        run.get_step("laod")


def test_a_step_run_says_what_it_took_and_gave(client: Client) -> None:
    fitted = training(10).steps["fit"]
    assert fitted.function == f"{__name__}.fit"
    assert {name: str(version) for name, version in fitted.inputs.items()} == {"table": "table@1"}
    assert fitted.parameters == {"degree": 1}
    assert {name: str(version) for name, version in fitted.outputs.items()} == {"model": "model@1", "score": "score@1"}
    assert fitted.run.steps["load"].docstring == "Make a table."
    with pytest.raises(ArtifactNotFound, match="2 outputs"):
        _ = fitted.output


def test_a_version_is_a_distinct_content_and_equal_content_is_a_production_not_a_version(client: Client) -> None:
    first = training(10).steps["load"].output
    training.with_options(cache=False)(10)
    training(20)
    training(10)
    artifact = client.artifact("table").artifact
    assert [version.version for version in artifact.versions] == [2, 1]
    assert artifact.versions[1] == first
    assert len(first.producers) == 2
    assert first.producer is not None
    assert first.producer.run.name == "training-1"


def test_a_version_knows_its_type_size_and_metadata(client: Client) -> None:
    table = training(10).steps["load"].output
    assert table.type.endswith("DataFrame")
    assert table.size_bytes > 160
    assert table.metadata["rows"] == 10
    assert table.load().equals(pd.DataFrame({"x": np.arange(10), "y": np.arange(10) * 2.0}))


def test_some_columns_and_rows_of_a_version_are_loaded(client: Client) -> None:
    training(rows=9)
    version = client.artifact("table")
    expected = version.load()[["y"]][2:5]
    for read in (version.load, version.read):
        pd.testing.assert_frame_equal(read(columns=["y"], rows=slice(2, 5)), expected)
    with pytest.raises(Invalid, match="no column"):
        version.load(columns=["z"])


def test_a_version_names_every_blob_it_is_made_of(client: Client) -> None:
    wide = pd.DataFrame(np.arange(200_000.0).reshape(100, 2000))
    version = client.save({"wide": wide, "long": np.arange(100_000)}, "x")
    client.flush()
    stored = {entry.digest for entry in client.store.blobs.entries()}
    assert next(version.blobs()) == version.content
    assert set(version.blobs()) <= stored
    assert len(set(version.blobs())) > 1000


def test_consumers_include_those_served_from_the_cache(client: Client) -> None:
    table = training(10).steps["load"].output
    training(10)
    assert [(used.run.name, used.name) for used in table.consumers] == [("training-1", "fit"), ("training-2", "fit")]


def test_a_changed_structure_is_a_new_version_of_the_pipeline(client: Client) -> None:
    training(10)

    @pipeline(name="training")
    def longer() -> None:
        fit(load.with_options(name="other")(3))

    run = longer()
    assert run.pipeline_version.version == 2
    versions = client.pipeline("training").versions
    assert [(version.version, len(version.runs)) for version in versions] == [(2, 1), (1, 1)]
    assert [one["name"] for one in versions[0].graph["steps"]] == ["other", "fit"]


def test_a_value_whose_bytes_are_gone_says_which_step_can_make_it_again(client: Client) -> None:
    table = training(100_000).steps["load"].output
    for part in table.manifest.named():
        client.store.blobs.files.path(part.digest).unlink(missing_ok=True)
    for pack in (client.path / "packs").iterdir():
        pack.unlink()
    with pytest.raises(BlobMissing, match="Step 'load' of run training-1 made it"):
        table.load()
    assert table.lineage().nodes
    assert training(100_000).steps["load"].output.load().shape == (100_000, 2)


def test_reading_never_runs_and_never_unpickles_until_a_value_is_loaded(tmp_path: Path) -> None:
    with lineal.open(tmp_path / "store") as store:
        store.save({"bomb": Bomb()}, "bomb")
    with lineal.open(tmp_path / "store", read_only=True, allow_pickle=False) as store:
        version = store.artifact("bomb")
        described = (version.type, version.format, version.size_bytes, version.metadata, str(version.lineage()))
        assert described
        assert Bomb.loaded == 0
        with pytest.raises(lineal.LinealError, match="pickle"):
            version.load()
        assert Bomb.loaded == 0
    with lineal.open(tmp_path / "store", read_only=True) as store:
        store.load("bomb")
    assert Bomb.loaded == 1


class Bomb:
    """Counts how often it is unpickled."""

    loaded = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return _explode, ()


def _explode() -> Bomb:
    Bomb.loaded += 1
    return Bomb()


@pytest.mark.parametrize("name", ["a\nb", "\x1b[31mred", "a/b", "a@b", " "])
def test_a_step_or_run_can_not_be_called_what_could_not_be_written(client: Client, name: str) -> None:
    @pipeline
    def one() -> None:
        load.with_options(name=name)(1)

    with pytest.raises(InvalidName, match="can't name a step"):
        one()
    with pytest.raises(InvalidName, match="can't name a run"):
        training.with_options(run_name=name)(1)
    assert list(client.runs()) == []


def test_shown_parameters_are_plain_values_and_texts_of_the_others(client: Client) -> None:
    @step
    def take(a: Any, b: Any) -> int:
        return 1

    @pipeline
    def taking(a: Any) -> None:
        take(a, [1, "x"])

    run = taking(np.arange(3))
    assert run.shown_parameters == {"a": "<ndarray>"}
    assert run.steps["take"].shown_parameters == {"a": "<ndarray>", "b": [1, "x"]}
    assert run.parameters["a"].tolist() == [0, 1, 2]


def test_a_store_opened_read_only_shows_a_dead_run_as_interrupted_and_writes_nothing(store_path: Path) -> None:
    with lineal.open(store_path) as store:
        run = training(2)
        started = next(one.event for one in store.events() if one.stream == run.id)
        assert isinstance(started, RunStarted)
        said = {name: getattr(started, name) for name in started.FIELDS}
        ended = Process(ProcessStamp.current().host, "an earlier boot", 1, 1)
        store.store.append([RunStarted(**(said | {"run": RunId.new(), "name": "dead", "process": ended}))]).wait()
        head = store.head
    with lineal.open(store_path, read_only=True) as store:
        assert store.run("dead").status == "interrupted"
        assert store.head == head


def said_again(event: Any, **others: Any) -> Any:
    return type(event)(**({name: getattr(event, name) for name in event.FIELDS} | others))


def test_a_run_whose_blobs_tell_nothing_of_it_is_told_as_corrupt_and_its_steps_explain_themselves(
    client: Client,
) -> None:
    training(2)
    again = training(2)
    events = [one.event for one in client.events() if one.stream == again.id]
    batch, run = client.store.blobs.batch(), RunId.new()
    number, text = batch.put(b"\x07"), batch.put(b"no msgpack")
    told = [
        said_again(event, run=run, name="strange", structure=number, environment=text, checkout=number)
        if isinstance(event, RunStarted)
        else said_again(event, run=run)
        for event in events
    ]
    client.store.append(told, batch.publish()).wait()
    strange = client.run("strange")
    for what in (lambda: strange.environment, lambda: strange.checkout, lambda: strange.pipeline_version.graph):
        with pytest.raises(BlobCorrupt, match="told of a run"):
            what()
    assert "hit" in str(strange.steps["fit"].why())


def test_a_step_that_reuses_itself_says_its_metrics(client: Client) -> None:
    training(2)
    run = training(2)
    reused = next(one.event for one in client.events() if isinstance(one.event, StepReused) and one.stream == run.id)
    itself = said_again(reused, step="itself", reuses=StepRunId(run.id, "itself"))
    client.store.append([itself]).wait()
    assert run.steps["itself"].metrics == {}
