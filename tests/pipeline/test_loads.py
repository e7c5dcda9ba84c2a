"""Artifacts that a running step loads by name: they are inputs of it, and a hit is checked against them."""

from __future__ import annotations

import random
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest

import lineal
from lineal import Client, pipeline, step
from lineal.errors import ArtifactNotFound, RecomputeFailed, StepFailed


@step
def scaled(x: int) -> int:
    return x * lineal.load("factor")


@step
def pinned(x: int) -> int:
    return x * lineal.artifact("factor@1").load()


@step
def scaled_in_a_thread(x: int) -> int:
    found: list[int] = []

    def scale() -> None:
        found.append(x * lineal.load("factor"))
        lineal.save(found[0], "scaled-there")

    thread = threading.Thread(target=scale)
    thread.start()
    thread.join()
    return found[0]


@pipeline
def scaling_in_a_thread(x: int) -> None:
    scaled_in_a_thread(x)


@pipeline
def scaling(x: int) -> None:
    scaled(x)
    pinned(x)


def test_what_a_step_loads_is_an_input_of_its_run(client: Client, executor: Any) -> None:
    factor = client.save(3, "factor")
    run = scaling.with_options(executor=executor)(2)
    assert run.steps["scaled"].output.load() == 6
    assert run.steps["scaled"].inputs == {"factor": factor}
    assert run.steps["pinned"].inputs == {"factor@1": factor}
    assert run.steps["scaled"].parameters == {"x": 2}
    assert [view.name for view in factor.consumers] == ["scaled", "pinned"]
    assert "factor" in {node.name for node in run.steps["scaled"].output.lineage()}


def test_what_a_thread_of_a_step_loads_and_saves_is_the_steps(client: Client, executor: Any) -> None:
    factor = client.save(3, "factor")
    step = scaling_in_a_thread.with_options(executor=executor)(2).steps["scaled_in_a_thread"]
    assert step.output.load() == 6
    assert step.inputs == {"factor": factor}
    assert client.artifact("scaled-there").producer == step


def test_a_hit_never_lies_it_is_only_served_if_the_name_means_the_same(client: Client, executor: Any) -> None:
    scaling = globals()["scaling"].with_options(executor=executor)
    factor = client.save(3, "factor")
    scaling(2)
    again = scaling(2)
    assert {view.status for view in again.steps.values()} == {"cached"}
    assert again.steps["scaled"].inputs == {"factor": factor}
    client.save(5, "factor")
    moved = scaling(2)
    assert {name: view.status for name, view in moved.steps.items()} == {"scaled": "completed", "pinned": "cached"}
    assert (moved.steps["scaled"].output.load(), moved.steps["scaled"].divergence) == (10, None)
    assert scaling(2).steps["scaled"].is_cached


def test_what_a_failed_step_loaded_is_known_too(client: Client) -> None:
    factor = client.save("text", "factor")

    @pipeline
    def failing() -> None:
        pinned.with_options(name="failing")(lineal.artifact("factor"))

    with pytest.raises((StepFailed, lineal.LinealError)):
        failing()

    @step
    def broken() -> None:
        lineal.load("factor@latest")
        raise ValueError("after")

    with pytest.raises(StepFailed, match="after"):
        pipeline(lambda: broken())()
    assert next(client.runs()).steps["broken"].inputs == {"factor@latest": factor}


def test_what_a_step_saves_comes_from_its_run(client: Client, executor: Any) -> None:
    @step(version="1")
    def training(x: int) -> int:
        lineal.save({"x": x}, "checkpoint")
        assert lineal.load("checkpoint") == {"x": x}
        return x

    @pipeline(executor=executor)
    def train(x: int) -> None:
        training(x)

    run = train(2)
    saved = client.artifact("checkpoint")
    assert saved.producer == run.steps["training"]
    assert saved.producers == [run.steps["training"]]
    assert "training" in str(saved.lineage())
    assert saved.version == 1
    assert train(2).steps["training"].is_cached
    client.release("checkpoint")
    client.collect(grace_s=0)
    with pytest.raises(RecomputeFailed, match="saved by hand"):
        client.recompute("checkpoint")


def test_what_a_step_saved_stays_though_it_failed(client: Client) -> None:
    @step
    def dying() -> None:
        lineal.save(1, "checkpoint")
        raise ValueError("after")

    with pytest.raises(StepFailed):
        pipeline(lambda: dying())()
    assert (client.load("checkpoint"), client.artifact("checkpoint").producer) == (1, None)


def test_what_is_loaded_outside_of_steps_or_of_other_stores_is_no_input(client: Client, tmp_path: Path) -> None:
    client.save(3, "factor")
    with lineal.open(tmp_path / "other") as other:
        other.save(4, "factor")

    @step
    def elsewhere() -> int:
        with lineal.open(tmp_path / "other") as other:
            return other.load("factor")

    @pipeline
    def reading() -> None:
        assert lineal.load("factor") == 3
        elsewhere()

    run = reading()
    assert (run.steps["elsewhere"].output.load(), run.steps["elsewhere"].inputs) == (4, {})


def test_in_other_processes_the_nearest_store_is_that_of_the_run(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            """
            import lineal
            from lineal import pipeline, step

            @step
            def scaled(x: int) -> int:
                return x * lineal.load("factor")

            @pipeline(executor="processes")
            def scaling(x: int):
                scaled(x)

            if __name__ == "__main__":
                with lineal.open("somewhere") as store:
                    store.save(3, "factor")
                    run = scaling(2)
                    print(run.steps["scaled"].output.load(), list(run.steps["scaled"].inputs))
            """
        )
    )
    done = subprocess.run([sys.executable, script.name], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr) == ("6 ['factor']\n", "")


def test_what_a_step_saves_in_a_worker_is_committed_by_the_process_of_its_run(client: Client) -> None:
    @step(version="1")
    def training(x: int) -> str:
        import threading

        from lineal.cas.environment import Environment

        begin = Environment.begin

        def only_reading(*args: Any, write: bool = False, **kwargs: Any) -> Any:
            assert not write, "workers never write the log"
            return begin(*args, **kwargs)

        Environment.begin = only_reading  # type: ignore[method-assign]
        saved = lineal.save(list(range(x)), "checkpoint")
        large = lineal.save(bytes(range(256)) * 4096, "large")
        assert (saved.version, saved.load(), len(large.load())) == (1, [0, 1], 1024 * 1024)
        try:
            lineal.save(threading.Lock(), "refused")
        except lineal.LinealError as error:
            return type(error).__name__
        return "saved"

    run = pipeline(lambda x: training(x), name="train", executor=("processes", 1))(2)
    assert run.steps["training"].output.load() == "UnsavableValue"
    assert client.artifact("checkpoint").producer == run.steps["training"]
    assert client.load("large") == bytes(range(256)) * 4096


def test_what_a_step_in_a_worker_saves_is_saved_though_it_failed_or_was_stopped(client: Client) -> None:
    @step(version="1", timeout_s=3)
    def dying(how: str) -> None:
        import os
        import time

        lineal.save(how, how)
        if how == "raising":
            raise ValueError("after")
        if how == "ending":
            os._exit(3)
        time.sleep(600)

    for how in ("raising", "ending", "sleeping"):
        with pytest.raises(StepFailed):
            pipeline(lambda how: dying(how), executor="processes")(how)
        assert client.load(how) == how


def test_threads_that_a_step_in_a_worker_has_left_behind_save_nothing(client: Client, tmp_path: Path) -> None:
    @step(version="1")
    def leaving(told: str) -> None:
        import contextvars
        import threading
        import time

        def later() -> None:
            time.sleep(0.2)
            try:
                lineal.save(1, "late")
            except lineal.LinealError as error:
                Path(told).write_text(error.what)

        threading.Thread(target=contextvars.copy_context().run, args=(later,)).start()

    @step(version="1")
    def waiting(told: str) -> None:
        import time

        while not Path(told).exists():
            time.sleep(0.01)

    @pipeline(executor=("processes", 1))
    def both() -> None:
        leaving(str(tmp_path / "told"))
        waiting(str(tmp_path / "told"))

    both()
    assert (tmp_path / "told").read_text() == "the step has ended"
    assert "late" not in {artifact.name for artifact in client.artifacts()}


@step
def followed(x: int) -> str:
    name = lineal.load("pointer@now")
    return f"{name} {lineal.load(f'{name}@now')}"


@pipeline
def following(x: int) -> None:
    followed(x)


def point(client: Client, name: str, value: object) -> None:
    """Let the alias ``now`` of an artifact mean this value."""
    version = client.save(value, name)
    client.alias(f"{name}@{version.version}", "now")


def test_a_result_serves_again_once_its_references_mean_again_what_it_loaded(client: Client, executor: Any) -> None:
    run = following.with_options(executor=executor)
    point(client, "left", 3)
    point(client, "right", 4)
    for name in ("left", "right"):
        point(client, "pointer", name)
        assert run(1).steps["followed"].status == "completed"
    point(client, "pointer", "left")
    back = run(1).steps["followed"]
    assert (back.is_cached, back.output.load()) == (True, "left 3")
    assert back.reuses is not None
    assert back.reuses.run.name == "following-1"
    assert client.reusable(back.fingerprint) == back.reuses
    point(client, "left", 5)
    assert client.reusable(back.fingerprint) is None
    assert run(1).steps["followed"].status == "completed"


def test_no_result_serves_for_other_contents_than_it_loaded_however_they_change(client: Client) -> None:
    dice = random.Random(7)
    contents: dict[str, Any] = {"pointer": "left", "left": 0, "right": 0}
    for name, content in contents.items():
        point(client, name, content)
    executed = set()
    for _ in range(60):
        name = dice.choice([*contents])
        contents[name] = dice.choice(["left", "right"]) if name == "pointer" else dice.randrange(3)
        point(client, name, contents[name])
        ran = following(1).steps["followed"]
        expected = f"{contents['pointer']} {contents[contents['pointer']]}"
        assert ran.output.load() == expected
        assert ran.is_cached is (expected in executed)
        executed.add(expected)
    assert len(executed) == 6


def test_of_results_that_loaded_the_same_the_newest_serves(client: Client) -> None:
    point(client, "left", 1)
    point(client, "pointer", "left")
    following(1)
    refreshed = following.with_options(cache="refresh")(1)
    point(client, "left", 2)
    following(1)
    point(client, "left", 1)
    reused = following(1).steps["followed"].reuses
    assert reused is not None
    assert reused.id == refreshed.steps["followed"].id


def test_a_result_whose_bytes_are_gone_is_told_though_others_loaded_something_else_since(client: Client) -> None:
    for value in (1, 2):
        point(client, "left", value)
        point(client, "pointer", "left")
        following(1)
    point(client, "left", 1)
    client.release("following.followed.output@1")
    client.collect(grace_s=0)
    ran = following(1).steps["followed"]
    assert ran.status == "completed"
    assert [reason.kind for reason in ran.why().reasons] == ["evicted"]


@step
def hoping(x: int) -> int:
    try:
        return x * lineal.load("factor")
    except ArtifactNotFound:
        return -x


@pipeline
def hopes(x: int) -> None:
    hoping(x)


def test_what_was_made_where_there_was_no_artifact_serves_no_longer_once_there_is_one(
    client: Client, executor: Any
) -> None:
    run = hopes.with_options(executor=executor)
    assert run(2).steps["hoping"].output.load() == -2
    again = run(2).steps["hoping"]
    assert (again.is_cached, again.output.load()) == (True, -2)
    client.save(3, "factor")
    there = run(2).steps["hoping"]
    assert (there.is_cached, there.output.load(), there.divergence) == (False, 6, None)
    assert [(one.kind, one.what, one.old, one.new) for one in there.why().reasons] == [
        ("reference", "factor", None, "factor@1")
    ]
    client.delete("factor@1")
    gone = run(2).steps["hoping"]
    assert (gone.is_cached, gone.output.load()) == (True, -2)


def test_a_run_that_is_resumed_executes_what_had_loaded_what_is_something_else_by_now(client: Client) -> None:
    @step(version="1")
    def failing(x: int) -> None:
        if not {"ready"} & {one.name for one in client.artifacts()}:
            raise ValueError("not yet")

    @pipeline
    def both(x: int) -> None:
        failing.after(scaled(x), hoping(x))(x)

    client.save(3, "factor")
    with pytest.raises(StepFailed):
        both(2)
    with pytest.raises(StepFailed):
        both(2)
    client.save(5, "factor")
    client.save(1, "ready")
    run = both.resume("both-2")
    assert {name: run.steps[name].output.load() for name in ("scaled", "hoping")} == {"scaled": 10, "hoping": 10}


def test_what_a_step_labels_in_a_worker_is_committed_by_the_process_of_its_run(client: Client) -> None:
    @step(version="1")
    def labelling(where: str) -> list[str]:
        from lineal.cas.environment import Environment

        begin = Environment.begin

        def only_reading(*args: Any, write: bool = False, **kwargs: Any) -> Any:
            assert not write, "workers never write the log"
            return begin(*args, **kwargs)

        Environment.begin = only_reading  # type: ignore[method-assign]
        with lineal.open(where) as store:
            store.tag("factor@1", "candidate")
            store.alias("factor@1", "champion")
            store.annotate("factor@1", {"by": "a step"})
            store.pin("factor@1", "kept")
            store.name("factor@1", "other")
            store.rename("factor", "renamed")
            try:
                store.untag("renamed@1", "unheard")
            except lineal.LinealError as error:
                return [type(error).__name__, *store.artifact("renamed@champion").tags]
        return []

    client.save(3, "factor")
    run = pipeline(lambda where: labelling(where), name="labelled", executor=("processes", 1))(str(client.path))
    assert run.steps["labelling"].output.load() == ["LabelNotFound", "candidate"]
    version = client.artifact("renamed@champion")
    assert (version.tags, version.annotations) == (("candidate",), {"by": "a step"})
    assert [pin.label for pin in client.pins()] == ["kept"]
    assert client.load("other") == 3
