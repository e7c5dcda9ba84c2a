"""Steps in other processes, and processes that die."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

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
            source.write_text(source.read_text().replace("x + 1", "x + 2"))
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
