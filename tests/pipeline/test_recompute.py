"""Recomputation: an evicted version is made again as it was, or it is said why not."""

from __future__ import annotations

import operator
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest

import lineal
from lineal import Artifact, Client, pipeline, step
from lineal.errors import RecomputeFailed, StepFailed

STEPS = """
    import os
    from typing import Annotated
    import numpy as np
    from lineal import Artifact, pipeline, step

    @step
    def load(n: int) -> Annotated[np.ndarray, Artifact("data")]:
        return np.full(30_000, n)

    @step
    def split(data: np.ndarray) -> tuple[Annotated[np.ndarray, "left"], Annotated[np.ndarray, "right"]]:
        return data[:10_000] + 1, data[10_000:] + 2

    @step(cache=True)
    def gather(parts, by_name, scale=1.0, /, *rest, note="", **options) -> float:
        assert type(parts) is tuple and type(parts[1]) is list
        return float(parts[0].sum() + parts[1][0].sum() + by_name["a"].sum() + by_name[0].sum()) * scale

    @step
    def changing() -> Annotated[int, Artifact("changing")]:
        return int.from_bytes(os.urandom(6), "big")

    @step(ignore_inputs=["noise"])
    def steady(noise: int) -> Annotated[int, Artifact("steady")]:
        return 12345

    @pipeline
    def job(n: int):
        left, right = split(load(n))
        gather((left, [right, 3]), {"a": left, 0: right}, 2.0, note="n")
        steady(n)

    @pipeline
    def restless():
        changing()
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module with steps, imported."""
    name = f"steps_{tmp_path.name[-12:].replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(textwrap.dedent(STEPS))
    monkeypatch.syspath_prepend(tmp_path)
    yield __import__(name)
    sys.modules.pop(name, None)


def evict(client: Client, *references: str) -> None:
    """Release versions and collect them."""
    for reference in references:
        client.release(reference)
    client.collect(grace_s=0)
    assert all(client.artifact(reference).is_evicted for reference in references)


def test_an_evicted_version_is_made_again_as_a_run_of_its_own(client: Client, project: Any) -> None:
    project.job(1)
    evict(client, "data")
    version = client.recompute("data@1")
    assert (version.is_available, version.is_evicted, version.version) == (True, False, 1)
    assert version.load()[7] == 1
    run = client.run("recompute-1")
    assert (run.status, run.pipeline.name, list(run.steps)) == ("completed", "recompute", ["load"])
    assert run.steps["load"].output == version
    assert run.steps["load"].parameters == {"n": 1}
    assert client.verify().is_sound


def test_all_that_it_was_made_from_is_made_again_first(client: Client, project: Any) -> None:
    project.job(1)
    evict(client, "data", "left", "right", "job.gather.output")
    assert client.recompute("job.gather.output").load() == (10_000 * 2 + 20_000 * 3) * 2 * 2.0
    assert [run.name for run in client.runs("recompute")] == ["recompute-3", "recompute-2", "recompute-1"]
    assert [list(run.steps) for run in client.runs("recompute")] == [["gather"], ["split"], ["load"]]
    assert all(client.artifact(name).is_available for name in ("data", "left", "right"))


def test_what_is_there_is_given_back_and_nothing_runs(client: Client, project: Any) -> None:
    project.job(1)
    assert client.recompute("data").load()[0] == 1
    assert list(client.runs("recompute")) == []


def test_a_step_that_gives_something_else_now_leaves_the_version_evicted_and_says_so(
    client: Client, project: Any
) -> None:
    project.restless()
    evict(client, "changing@1")
    with pytest.raises(RecomputeFailed, match="gave another value than changing@1 was") as caught:
        client.recompute("changing@1")
    assert caught.value.hint == "What it gave is changing@2; changing@1 stays evicted."
    assert client.artifact("changing@1").is_evicted
    assert client.artifact("changing@2").is_available


def test_changed_code_is_refused_before_anything_runs_and_what_differs_is_named(
    client: Client, project: Any, tmp_path: Path
) -> None:
    project.job(1)
    evict(client, "data", "left")
    path = Path(project.__file__)
    path.write_text(path.read_text().replace("+ 2", "+ 333"))
    del sys.modules[project.__name__]
    head = client.head
    with pytest.raises(RecomputeFailed, match="the code of step 'split' is not what it was") as caught:
        client.recompute("left")
    assert caught.value.hint is not None
    assert "split" in caught.value.hint
    assert client.head == head
    assert client.recompute("data").is_available


def test_an_input_that_does_not_count_is_no_hindrance(client: Client, project: Any) -> None:
    project.job(1)
    evict(client, "steady")
    assert client.recompute("steady").load() == 12345


def test_a_version_saved_by_hand_or_by_a_local_function_can_not_be_made_again(client: Client) -> None:
    @step
    def inner() -> Annotated[int, Artifact("local")]:
        return 77

    @pipeline
    def local() -> None:
        inner()

    local()
    client.save(1.5, "saved")
    evict(client, "saved", "local")
    with pytest.raises(RecomputeFailed, match="saved by hand"):
        client.recompute("saved")
    with pytest.raises(RecomputeFailed, match="can't be imported"):
        client.recompute("local")


def test_a_step_that_raises_now_is_recorded_as_failed(
    client: Client, project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.job(1)
    evict(client, "data")

    monkeypatch.setattr(np, "full", operator.itemgetter("no such item"))  # nobody's code, so no cause of its own
    with pytest.raises(StepFailed, match="itemgetter expected"):
        client.recompute("data")
    assert client.run("recompute-1").status == "failed"
    assert client.artifact("data").is_evicted


def test_a_version_is_made_again_in_a_process_that_has_imported_nothing_yet(
    project: Any, tmp_path: Path, store_path: Path
) -> None:
    with lineal.open(store_path) as client:
        project.job(1)
        evict(client, "left")
    script = "import sys, lineal\nprint(lineal.open(sys.argv[1]).recompute('left').load()[0])"
    command = [sys.executable, "-c", script, str(store_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "2\n"


SHAPES: list[Callable[[Any, Any], Any]] = [
    lambda a, b: [a, b],
    lambda a, b: (a, [b]),
    lambda a, b: {"x": a, "y": (1, b)},
    lambda a, b: {0: a, 1: b},
    lambda a, b: [{"k][0": [a]}, {(1, "]["): b}],
    lambda a, b: {True: a, 1.5: [[b]]},
]


@pytest.mark.parametrize("number", range(len(SHAPES)))
def test_arguments_are_put_together_again_whatever_they_were_gathered_in(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    module = sys.modules[__name__]
    monkeypatch.setitem(sys.modules, "lineal_shapes", module)
    monkeypatch.setattr(described.function, "__module__", "lineal_shapes")

    @pipeline
    def shaping() -> None:
        described(SHAPES[number](one(1), one(2)))

    shaping()
    text = client.load("described")
    evict(client, "described")
    assert client.recompute("described").load() == text


@step(cache=False)
def one(n: int) -> int:
    return n


@step
def described(value: Any) -> Annotated[str, Artifact("described")]:
    return repr(value) + " " * 20_000


SCRIPT = """
from pathlib import Path
from typing import Annotated
import lineal
from lineal import pipeline, step

OFFSET = 40

@step
def answer() -> Annotated[list, "answer"]:
    return [OFFSET + 2] * 10_000

@pipeline
def asking():
    answer()

if __name__ == "__main__":
    Path("ran").open("a").write("x")
    with lineal.open("store") as store:
        asking()
        store.release("answer")
        store.collect(grace_s=0)
"""


def test_a_step_of_a_script_is_found_in_it_without_running_the_script_once_more(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    subprocess.run([sys.executable, "-P", "script.py"], cwd=tmp_path, check=True)
    command = [sys.executable, "-P", "-m", "lineal", "recompute", "answer@1", "--store", "store"]
    refused = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert refused.returncode == 1
    assert "--script" in refused.stderr
    done = subprocess.run([*command, "--script", "script.py"], cwd=tmp_path, capture_output=True, text=True)
    assert "its digest is the same" in done.stdout, done.stderr
    assert (tmp_path / "ran").read_text() == "x"
    (tmp_path / "script.py").write_text(SCRIPT.replace("OFFSET = 40", "OFFSET = 41"))
    with lineal.open(tmp_path / "store") as store:
        assert store.load("answer@1") == [42] * 10_000
        store.release("answer@1")
        store.collect(grace_s=0)
    changed = subprocess.run([*command, "--script", "script.py"], cwd=tmp_path, capture_output=True, text=True)
    assert "is not what it was" in changed.stderr
