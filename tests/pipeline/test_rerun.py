"""Reruns: a historical run's pipeline again, with the code and the parameters of then, whatever became of its files."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import lineal
from lineal import Client, pipeline, rerun, step
from lineal.cli import main
from lineal.errors import CodeMissing, InvalidPipeline, LoadRefused, RunNotFound, StepFailed

PROJECT = {
    "again_flow.py": """
        from lineal import pipeline, step
        from again_parts import shapes
        from again_parts.deep.scaling import scaled

        @step
        def make(size: int) -> list:
            return [shapes.Shape([scaled(one) for one in range(size)], shapes.Kind.ROUND)]

        @step
        def area(made: list, unit: str) -> str:
            (shape,) = made
            assert isinstance(shape, shapes.Shape), type(shape)
            assert shape.kind is shapes.Kind.ROUND
            if unit == "none":
                raise ValueError("no unit")
            return f"{shape.area()} {unit}"

        @pipeline
        def job(size: int = 3, *, unit: str = "m", code: str = "c"):
            area(make(size), unit)
    """,
    "again_parts/__init__.py": "from . import shapes\n",
    "again_parts/shapes.py": """
        from dataclasses import dataclass
        from enum import Enum
        from .unused import NOTHING

        class Kind(Enum):
            ROUND = "round"

        @dataclass
        class Shape:
            sides: list
            kind: Kind

            def area(self) -> int:
                return sum(self.sides)
    """,
    "again_parts/unused.py": "NOTHING = None\n",
    "again_parts/deep/scaling.py": """
        from ..shapes import Shape

        def scaled(value):
            return value * 10
    """,
}
"""With a package, a namespace package in it, relative imports, and values that are instances of its classes."""

Write = Callable[..., Any]


@step
def count(data: list) -> int:
    return len(data)


@step
def count_all(data: list, more: list) -> int:
    return len(data) + len(more)


@pipeline
def naming() -> None:
    count(lineal.artifact("data"))


@step(cache=False)
def found(number: int) -> int:
    return number


@step
def gone(number: int) -> int:
    if not Path("go").exists():
        raise OSError(number)
    return number


@pipeline(dynamic=True)
def choosing() -> None:
    if found(4) > 3:
        gone(2)


@pipeline
def taking(data: Any, more: list) -> None:
    count_all(data, more)


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes the project, with some files otherwise, and imports its pipeline anew."""
    root = tmp_path / "project"
    monkeypatch.syspath_prepend(root)

    def forget() -> None:
        for name in [name for name in sys.modules if name.startswith("again_")]:
            del sys.modules[name]

    def written(**changed: str) -> Any:
        forget()
        for path, text in PROJECT.items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            old, new = changed.get(file.stem, "=>").split("=>")
            file.write_text(textwrap.dedent(text.replace(old, new) if old else text))
        return __import__("again_flow").job

    yield written
    forget()


def statuses(run: Any) -> list[str]:
    return [one.status for one in run.steps.values()]


def test_after_an_edit_the_code_of_then_gives_what_it_gave_by_hits_and_by_execution(
    client: Client, write: Write
) -> None:
    first = write()(4, unit="km")
    edited = write(scaling="value * 10=>value * 11", shapes="sum(self.sides)=>-sum(self.sides)")(4, unit="km")
    assert edited.steps["area"].output.load() == "-66 km"

    hits = rerun(first)
    assert hits.again == ("rerun", first)
    assert statuses(hits) == ["cached", "cached"]
    executed = rerun("job-1", cache=False)
    assert statuses(executed) == ["completed", "completed"]
    for run in (hits, executed):
        assert run.parameters == first.parameters
        assert run.steps["area"].output == first.steps["area"].output
        assert [one.fingerprint for one in run.steps.values()] == [one.fingerprint for one in first.steps.values()]
    assert executed.steps["area"].output.load() == "60 km"
    assert edited.steps["make"].output.load()[0].area() == -66  # This process has the modules that it had.


def test_it_needs_no_file_of_the_project_and_no_directory(
    client: Client, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write()()
    shutil.rmtree(tmp_path / "project")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    run = rerun("job-1", size=5)
    assert run.parameters == {"size": 5, "unit": "m", "code": "c"}
    assert run.steps["area"].output.load() == "100 m"
    assert statuses(run) == ["completed", "completed"]


def test_parameters_may_be_otherwise_and_must_be_known(client: Client, write: Write) -> None:
    write()()
    head = client.head
    with pytest.raises(InvalidPipeline, match="no parameter 'sise'") as caught:
        rerun("job-1", sise=1)
    assert caught.value.hint == "Did you mean 'size'?"
    with pytest.raises(RunNotFound):
        rerun("job-2")
    assert client.head == head
    at = ("--store", str(client.path))
    assert main(["rerun", "job-1", "--param", "unit=mm", "--param", "code=x", *at]) == 0
    assert client.run("job-2").parameters == {"size": 3, "unit": "mm", "code": "x"}
    assert statuses(client.run("job-2")) == ["cached", "completed"]


def test_a_step_that_raises_is_an_error_of_the_caller_too(client: Client, write: Write) -> None:
    write()()
    with pytest.raises(StepFailed, match="step 'area' raised ValueError: no unit") as caught:
        rerun("job-1", unit="none")
    assert isinstance(caught.value.__cause__, ValueError)
    assert client.run("job-2").status == "failed"


def test_with_the_code_of_today_what_changed_since_is_executed(client: Client, write: Write) -> None:
    write()()
    write(shapes="sum(self.sides)=>-sum(self.sides)")
    run = rerun("job-1", code="current", unit="mm")
    assert run.again == ("rerun", client.run("job-1"))
    assert statuses(run) == ["completed", "completed"]
    assert run.steps["area"].output.load() == "-30 mm"


def test_a_name_means_the_version_that_it_meant_then_unless_it_is_given_anew(client: Client) -> None:
    client.save([1], "data")
    naming()
    client.save([2, 2], "data")
    same = rerun("naming-1", code="current")
    assert same.steps["count"].inputs["data"] == client.artifact("data@1")
    assert statuses(same) == ["cached"]
    assert naming().steps["count"].inputs["data"] == client.artifact("data@2")


def test_a_seed_that_was_given_for_the_run_is_that_of_the_rerun(client: Client) -> None:
    client.save([1], "data")
    naming.with_options(seed=11)()
    assert statuses(rerun("naming-1", code="current")) == ["cached"]
    assert statuses(naming()) == ["completed"]


def test_an_artifact_that_a_run_was_called_with_is_the_version_of_then(client: Client) -> None:
    client.save([1], "data")
    taking(client.artifact("data"), [client.artifact("data"), 5])
    client.save([2, 2], "data")
    same = rerun("taking-1", code="current")
    assert statuses(same) == ["cached"]
    other = rerun("taking-1", code="current", data=client.artifact("data@2"))
    assert other.steps["count_all"].inputs["data"] == client.artifact("data@2")
    assert other.steps["count_all"].inputs["more[0]"] == client.artifact("data@1")


def test_a_dynamic_pipeline_is_resumed_and_rerun_like_others(client: Client, tmp_path: Path) -> None:
    client.save([1, 2], "data")
    with pytest.raises(StepFailed):
        choosing()
    (tmp_path / "go").touch()
    assert statuses(choosing.resume("choosing-1")) == ["cached", "completed"]
    assert statuses(rerun("choosing-2", code="current")) == ["completed", "cached"]


def test_what_differs_from_the_environment_of_then_is_logged(
    client: Client, write: Write, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    write()()
    rerun("job-1", code="current")
    assert caplog.messages == []
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    rerun("job-1", code="current")
    assert caplog.messages == ["variables.OMP_NUM_THREADS nothing → 3 differs from the environment of job-1"]


def test_a_file_that_was_not_recorded_is_named_before_anything_runs(client: Client, write: Write) -> None:
    padding = "#" * (1024 * 1024)
    write(unused=f"NOTHING = None\n=>NOTHING = None\n{padding}")()
    head = client.head
    with pytest.raises(
        CodeMissing, match=r"the file of module again_parts.unused was left out: it has 1,048,5"
    ) as caught:
        rerun("job-1")
    assert caught.value.hint == "Run it with the code of today: `lineal rerun job-1 --code current`."
    assert client.head == head


def test_code_that_is_restored_but_is_not_what_ran_is_refused_before_anything_runs(
    client: Client, write: Write, tmp_path: Path
) -> None:
    (tmp_path / "queries.sql").write_text("select 1")
    write(again_flow='@step\n        def make=>@step(depends_on=["queries.sql"])\n        def make')()
    assert statuses(rerun("job-1")) == ["cached", "cached"]
    (tmp_path / "queries.sql").write_text("select 2")
    head = client.head
    with pytest.raises(CodeMissing, match=r"of step 'make' of job-1 is not what ran: file:queries.sql differs"):
        rerun("job-1")
    assert client.head == head


def test_a_store_that_is_not_to_execute_what_it_holds_executes_no_recorded_code(store_path: Path, write: Write) -> None:
    with lineal.open(store_path):
        write()()
    with lineal.open(store_path, allow_pickle=False), pytest.raises(LoadRefused, match="not to execute any"):
        rerun("job-1")


SCRIPT = """
from __future__ import annotations
import sys
from dataclasses import dataclass
import lineal
from lineal import pipeline, step
sys.path.insert(0, "lib")
from helping import helped

@dataclass
class Config:
    rate: float

@step
def use(config: Config) -> Config:
    return Config(helped(config.rate))

@pipeline
def using(config: Config):
    use(config)

print("ran the script")
with lineal.open("store"):
    run = using(Config(2.0))
    last = run.steps["use"].output.load()
print(run.id)

@step
def never(x): return last

if __name__ == "__main__":
    print("ran the guarded part")
"""


def lineal_command(folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "lineal", *argv, "--store", "store"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_a_script_is_run_for_what_it_defines_only(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "helping.py").write_text("def helped(x): return x + 1\n")
    (tmp_path / "script.py").write_text(SCRIPT)
    subprocess.run([sys.executable, "-P", "script.py"], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "script.py").unlink()
    shutil.rmtree(tmp_path / "lib")
    done = lineal_command(tmp_path, "rerun", "using-1", "--no-cache")
    assert done.returncode == 0, done.stderr
    assert "ran the guarded part" not in done.stdout
    with lineal.open(tmp_path / "store", read_only=True) as store:
        first, second = store.run("using-1"), store.run("using-2")
        assert second.status == "completed"
        assert second.steps["use"].output == first.steps["use"].output
        assert len(list(store.runs())) == 2


WAITING = """
import time
from pathlib import Path
from lineal import pipeline, step

@step
def wait() -> int:
    if Path("waits").exists():
        Path("waiting").touch()
        time.sleep(60)
    return 1

@pipeline
def job():
    wait()

if __name__ == "__main__":
    import lineal
    with lineal.open("store"):
        job()
"""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_a_rerun_ends_with_who_called_it(tmp_path: Path, sent: signal.Signals) -> None:
    (tmp_path / "script.py").write_text(WAITING)
    subprocess.run([sys.executable, "script.py"], cwd=tmp_path, check=True)
    (tmp_path / "waits").touch()
    command = [sys.executable, "-P", "-m", "lineal", "rerun", "job-1", "--no-cache", "--store", "store"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    while not (tmp_path / "waiting").exists():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)
    process.send_signal(sent)
    process.communicate()
    with lineal.open(tmp_path / "store", read_only=True) as store:
        deadline = time.monotonic() + 30
        while store.run("job-2").status == "running" and time.monotonic() < deadline:
            time.sleep(0.01)
        assert store.run("job-2").status == "cancelled"
        assert process.returncode == {signal.SIGINT: 130, signal.SIGKILL: -9}[sent]


NOTEBOOK = """
import linecache, sys
CELLS = [
    "import math\\nfrom lineal import pipeline, step\\nimport lineal\\nRATE = 2\\ndef same(x):\\n    return x",
    "def helped(x):\\n    return math.floor(x) * RATE",
    "class Base:\\n    def factor(self):\\n        return 1",
    "class Scale(Base):\\n    def factor(self):\\n        return 9 + super().factor()",
    "@step\\ndef use(x: float) -> float:\\n    return helped(same(x)) + Scale().factor()",
    "def helped(x):\\n    return math.floor(x) * RATE + 0.5",
    "@pipeline\\ndef noting(x: float = 1.5):\\n    use(x)",
    "with lineal.open('store'):\\n    run = noting(2.5)\\nprint('called')",
]
for number, cell in enumerate(CELLS):
    name = f"<cell {number}>"
    linecache.cache[name] = (len(cell), None, cell.splitlines(keepends=True), name)
    exec(compile(cell, name, "exec", dont_inherit=True), globals())
"""


def test_cells_of_a_notebook_that_hold_all_they_need_are_put_in_an_order_in_which_they_run(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-P", "-c", NOTEBOOK], cwd=tmp_path, check=True, capture_output=True)
    done = lineal_command(tmp_path, "rerun", "noting-1", "--no-cache")
    assert done.returncode == 0, done.stderr
    with lineal.open(tmp_path / "store", read_only=True) as store:
        first, second = store.run("noting-1"), store.run("noting-2")
        assert second.steps["use"].status == "completed"
        assert second.steps["use"].output.load() == first.steps["use"].output.load() == 14.5
        assert second.steps["use"].fingerprint == first.steps["use"].fingerprint
