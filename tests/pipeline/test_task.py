"""Steps in other processes, and processes that die."""

from __future__ import annotations

import functools
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from lineal import Client, pipeline, step
from lineal.cas import Batch, BlobFiles, MemoryBlobs
from lineal.errors import LinealError
from lineal.events.ids import Fingerprint, RunId
from lineal.materializers import save
from lineal.pipeline.declaring.outputs import declared_outputs
from lineal.pipeline.executing.giving import Giver
from lineal.pipeline.executing.reports import GatheredReports
from lineal.pipeline.executing.task import Result, Task, execute
from lineal.pipeline.graph.templates import Leaf
from lineal.pipeline.surroundings.seeds import Entropy

PROCESSES = """
    import os, sys
    from pathlib import Path
    from typing import Annotated
    import lineal, numpy as np
    from lineal import pipeline, step
    import helper

    @step
    def made(n: int) -> np.ndarray:
        print("in a worker", file=sys.stderr)
        return np.full(n, os.getpid())

    @step
    def told(values: np.ndarray, by: int) -> tuple[Annotated[int, "first"], Annotated[int, "second"]]:
        return int(values[0]), helper.add(by)

    class Odd(Exception):
        def __init__(self, a, b):
            super().__init__(a)

    @step
    def odd(x: int) -> int:
        raise Odd("x", "y")

    @pipeline
    def spread(n: int):
        told(made(n), 1); told(made(5), 2)

    @pipeline
    def bad():
        odd(made.with_options(name="m")(1) and 1) if False else odd(1)

    if __name__ == "__main__":
        with lineal.open(sys.argv[1]):
            for _ in range(2):
                run = spread.with_options(executor="processes")(100_000)
                print([view.status for view in run.steps.values()])
            pids = {run.steps[name].outputs["first"].load() for name in ("told", "told_2")}
            print(os.getpid() in pids, [run.steps[name].outputs["second"].load() for name in ("told", "told_2")])
            print(repr(run.steps["made"].reuses.log))
            try:
                bad.with_options(executor="processes")()
            except lineal.LinealError as error:
                print(type(error).__name__, "Odd" in error.what)
"""


def run_script(folder: Path, script: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a program of a user's in a folder."""
    (folder / "main.py").write_text(textwrap.dedent(script))
    return subprocess.run(
        [sys.executable, "main.py", *arguments], cwd=folder, capture_output=True, text=True, timeout=120, **options
    )


def test_steps_execute_in_other_processes_with_their_output_captured_and_their_failures_carried_over(
    tmp_path: Path,
) -> None:
    (tmp_path / "helper.py").write_text("def add(x):\n    return x + 40\n")
    done = run_script(tmp_path, PROCESSES, str(tmp_path / "store"))
    assert done.stdout.splitlines() == [
        "['completed', 'completed', 'completed', 'completed']",
        "['cached', 'cached', 'cached', 'cached']",
        "False [41, 42]",
        "'in a worker\\n'",
        "StepFailed True",
    ], done.stderr


def test_a_worker_that_would_run_other_code_than_was_fingerprinted_refuses(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("def add(x):\n    return x + 1\n")
    (tmp_path / "steps.py").write_text(
        "import helper\nfrom lineal import step\n@step\ndef f(x: int) -> int:\n    return helper.add(x)\n"
    )
    done = run_script(
        tmp_path,
        """
        from pathlib import Path
        import lineal, steps
        from lineal import pipeline

        @pipeline
        def one():
            steps.f(1)

        if __name__ == "__main__":
            source = Path("helper.py")
            source.write_text(source.read_text().replace("x + 1", "x + 1000"))
            with lineal.open("store") as store:
                try:
                    one.with_options(executor="processes")()
                except lineal.LinealError as error:
                    print(type(error).__name__, error.what)
                print([run.status for run in store.runs()], store.artifacts())
        """,
    )
    assert done.stdout.splitlines() == [
        "Conflict the source of step 'f' changed while the pipeline ran: def:helper:add",
        "['failed'] []",
    ], done.stderr


def test_a_run_killed_in_the_middle_reads_interrupted_and_its_finished_steps_are_not_repeated(tmp_path: Path) -> None:
    script = """
        import os, signal, sys
        import lineal
        from lineal import pipeline, step

        @step
        def first() -> int:
            print("first executes", flush=True)
            return 1

        @step
        def second(x: int, die: bool) -> int:
            if die:
                from lineal.client import current
                current().flush()
                os.kill(os.getpid(), signal.SIGKILL)
            return x + 1

        @pipeline
        def two(die: bool):
            second(first(), die)

        with lineal.open("store") as store:
            if sys.argv[1] == "die":
                two(True)
            dead = next(store.runs())
            print(dead.status, {name: view.status for name, view in dead.steps.items()})
            print([view.status for view in two(False).steps.values()])
    """
    killed = run_script(tmp_path, script, "die")
    assert killed.returncode == -signal.SIGKILL
    assert killed.stdout == "first executes\n"
    recovered = run_script(tmp_path, script, "live")
    assert recovered.stdout.splitlines() == [
        "interrupted {'first': 'completed', 'second': 'interrupted'}",
        "['cached', 'completed']",
    ], recovered.stderr


def called(client: Client, declared: Any, *args: Any, **kwargs: Any) -> Any:
    """What a step gives for these arguments when it is run in a pipeline."""

    @pipeline
    def calling() -> None:
        declared(*args, **kwargs)

    [view] = calling().steps.values()
    return view.output.load()


def by_position_only(a: Any = (), b: int = 3, /) -> Any:
    return [a, b]


def mixed(a: Any = (), /, b: Any = (), *c: Any, d: Any = (), **e: Any) -> Any:
    return [a, b, c, d, e]


def keyword_only(a: int, *, b: Any = (), c: int = 2) -> Any:
    return [a, b, c]


@pytest.mark.parametrize(
    ("function", "args", "kwargs"),
    [
        (by_position_only, (), {}),
        (by_position_only, (1,), {}),
        (by_position_only, (1, 2), {}),
        (mixed, (), {}),
        (mixed, (1,), {}),
        (mixed, (), {"b": 2}),
        (mixed, (1, 2, 3, 4), {"d": 5}),
        (mixed, (1,), {"d": 5, "a": 6, "z": 7}),
        (keyword_only, (1,), {}),
        (keyword_only, (), {"a": 1, "b": 2}),
    ],
)
def test_a_step_in_a_pipeline_is_called_as_it_was_written(
    client: Client, function: Any, args: Any, kwargs: Any
) -> None:
    assert called(client, step(function), *args, **kwargs) == function(*args, **kwargs)


def passing_all(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return ["wrapped", function(*args, **kwargs)]

    return wrapper


def passing_positions(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any) -> Any:
        return ["wrapped", function(*args)]

    return wrapper


def passing_names(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(**kwargs: Any) -> Any:
        return ["wrapped", function(**kwargs)]

    return wrapper


@pytest.mark.parametrize("wrap", [passing_all, passing_positions, passing_names])
def test_a_wrapper_gets_what_the_wrapped_function_takes(client: Client, wrap: Any) -> None:
    def subtract(a: int, b: int = 1) -> Any:
        return a - b

    assert called(client, step(wrap(subtract)), 5) == ["wrapped", 4]
    assert called(client, step(wrap(subtract)), 5, b=3) == ["wrapped", 2]


class Mute(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


class MuteNotes(Mute):
    @property
    def __notes__(self) -> Any:
        raise ValueError("no notes")


def raise_mute(x: int) -> int:
    raise Mute


def raise_mute_notes(x: int) -> int:
    raise MuteNotes


def raise_lineal_error(x: int) -> int:
    raise LinealError("the step's own")


def add_one(x: int) -> int:
    return x + 1


def give_a_frame(x: int) -> Any:
    return sys._getframe()


def give_too_much(x: int) -> None:
    return x  # type: ignore[return-value]


def executed(tmp_path: Path, function: Any, *, is_stored: bool = True) -> Result:
    """Execute a function of one parameter, ``x``, whose value may be missing in the store."""
    blobs, one = MemoryBlobs(), MemoryBlobs()
    content = save(1, blobs if is_stored else one).manifest.digest
    files = BlobFiles(tmp_path)
    task = Task(
        "p",
        "s",
        function,
        {"x": Leaf(0)},
        (content,),
        declared_outputs(function),
        allow_pickle=False,
        run=RunId.new(),
        entropy=Entropy(Fingerprint(bytes(32))),
    )
    return execute(task, Giver(Batch(files), blobs, lambda _: None, lambda _: False), GatheredReports("r", files))


@pytest.mark.parametrize(("function", "name"), [(raise_mute, "Mute"), (raise_mute_notes, "MuteNotes")])
def test_an_error_that_can_not_be_made_a_text_is_recorded(tmp_path: Path, function: Any, name: str) -> None:
    failure = executed(tmp_path, function).failure
    assert failure is not None
    assert failure.type.endswith(f".{name}")
    assert failure.message == f"<{name} without a text>"
    assert name in failure.traceback


@pytest.mark.parametrize(
    ("function", "is_stored", "has_failed", "is_ours"),
    [
        (add_one, True, False, False),
        (add_one, False, True, True),
        (give_a_frame, True, True, True),
        (give_too_much, True, True, True),
        (raise_lineal_error, True, True, False),
    ],
)
def test_a_failure_says_whether_it_is_the_step_s_own(
    tmp_path: Path, function: Any, is_stored: bool, has_failed: bool, is_ours: bool
) -> None:
    result = executed(tmp_path, function, is_stored=is_stored)
    assert (result.failure is not None, result.is_ours) == (has_failed, is_ours)
    assert Result.unpacked(result.packed()).is_ours == is_ours


WIDE = """
    import sys
    import lineal, numpy as np, pandas as pd
    from lineal import pipeline, step

    @step
    def made(n: int) -> pd.DataFrame:
        return pd.DataFrame(np.arange(100.0 * n).reshape(100, n)).assign(text="x" * 700)

    @step
    def total(frame: pd.DataFrame) -> float:
        return float(frame.drop(columns="text").to_numpy().sum())

    @pipeline
    def summed(n: int):
        total(made(n))

    if __name__ == "__main__":
        with lineal.open(sys.argv[1]):
            for _ in range(2):
                run = summed.with_options(executor="processes")(500)
                print([view.status for view in run.steps.values()], run.steps["total"].output.load())
"""


def test_a_value_of_many_small_blobs_reaches_another_process_and_is_found_in_the_cache(tmp_path: Path) -> None:
    done = run_script(tmp_path, WIDE, str(tmp_path / "store"))
    expected = sum(range(50_000))
    assert done.stdout.splitlines() == [
        f"['completed', 'completed'] {float(expected)}",
        f"['cached', 'cached'] {float(expected)}",
    ], done.stderr
