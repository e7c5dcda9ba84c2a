"""Steps in notebooks: cells run again or changed, modules that IPython reloads, and scripts that it runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

SHELL = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
for cell in json.load(sys.stdin):
    shell.run_cell(cell, store_history=True).raise_error()
"""
TELLING = """
def tell(tag, run):
    step = next(iter(run.steps.values()))
    reasons = [[reason.kind, reason.what] for reason in step.why().reasons]
    print(json.dumps([tag, step.status, step.output.load(), reasons]))
"""
START = "import json\nfrom pathlib import Path\nfrom lineal import pipeline, step\nRATE = 2\n" + TELLING
SCALE = "def scale(x):\n    return x * RATE\n"
FIT = """
@step
def fit(x: int) -> float:
    return scale(x)

@pipeline
def fitting(x: int = 3):
    fit(x)
"""


class Outcome(NamedTuple):
    """What became of a step, and why."""

    status: str
    value: Any
    reasons: list[list[str]]


def session(directory: Path, *cells: str) -> dict[str, Outcome]:
    """What the cells have told, each by its tag."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", SHELL],
        input=json.dumps(cells),
        capture_output=True,
        text=True,
        timeout=300,
        cwd=directory,
        env={**os.environ, "IPYTHONDIR": str(directory / "ipython"), "PYTHONPATH": str(directory)},
    )
    assert done.returncode == 0, done.stderr + done.stdout
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    return {tag: Outcome(*told) for tag, *told in lines}


def run(tag: str, pipeline: str = "fitting") -> str:
    return f"tell({tag!r}, {pipeline}())"


def written(name: str, text: str) -> str:
    return f"_ = Path({name!r}).write_text({text!r})"


def test_cells_that_mean_the_same_are_served_and_what_changed_in_them_is_named(tmp_path: Path) -> None:
    told = session(
        tmp_path,
        *(START, SCALE, FIT, run("first"), run("again")),
        *(FIT, run("cell again")),
        *(
            "# Remark.\n%time other = 5\n" + FIT.replace("    return", "    # Another.\n    return"),
            run("remarks"),
        ),
        *(SCALE.replace("RATE", "RATE * 10"), run("helper")),
        *(SCALE, run("helper back")),
        *("RATE = 3", run("global")),
        *("RATE = 3.0", run("type")),
        *("@step\ndef fit(x: int) -> float:\n    return scale(x) + 1", run("step")),
        "tell('elsewhere', fitting.with_options(cache='off', executor=('processes', 1))())",
    )
    assert told["first"] == ("completed", 6, [["first-run", "__main__.fit"]])
    assert {tag for tag, one in told.items() if one.status == "cached"} == {
        *("again", "cell again", "remarks", "helper back")
    }
    assert told["helper"] == ("completed", 60, [["code", "def:__main__:scale"]])
    assert told["global"] == ("completed", 9, [["code", "value:__main__:RATE"]])
    assert told["type"] == ("completed", 9.0, [["code", "value:__main__:RATE"]])
    assert (told["step"].value, [kind for kind, _ in told["step"].reasons]) == (10.0, ["code"])
    assert (told["elsewhere"].value, told["elsewhere"].reasons[0][0]) == (10.0, "off")


def test_modules_that_are_reloaded_and_scripts_that_are_run_again_count_as_they_are_then(tmp_path: Path) -> None:
    scaling = "def scale(x):\n    return x * 2\n"
    script = f"from lineal import pipeline, step\nRATE = 2\n{SCALE}{FIT}"
    told = session(
        tmp_path,
        START,
        written("scaling.py", scaling),
        "%load_ext autoreload\n%autoreload 2\nfrom scaling import scale",
        *(FIT, run("first")),
        *(written("scaling.py", scaling.replace("2", "20")), run("reloaded")),
        *(written("scaling.py", "# A remark.\n" + scaling.replace("2", "20")), run("remark")),
        *(written("script.py", script), "%run script.py", run("script")),
        *("RATE = 50", run("global of the notebook")),
        *(written("script.py", "\n# A remark.\n" + script), "%run script.py", run("script with remark")),
        *(written("script.py", script.replace("RATE = 2", "RATE = 5")), "%run script.py", run("script edited")),
    )
    assert (told["first"].status, told["first"].value) == ("completed", 6)
    assert told["reloaded"] == ("completed", 60, [["code", "def:scaling:scale"]])
    assert (told["remark"].status, told["script"].value) == ("cached", 6)
    assert told["global of the notebook"].status == told["script with remark"].status == "cached"
    assert (told["script edited"].status, told["script edited"].value) == ("completed", 15)
    assert [kind for kind, _ in told["script edited"].reasons] == ["code"]


def test_a_script_has_one_cache_whether_it_is_run_by_python_or_a_notebook_or_called_there(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(
        f"from lineal import pipeline, step\nRATE = 2\n{SCALE}{FIT}\n"
        f"if __name__ == '__main__':\n    run = fitting()\n    print(run.steps['fit'].status)\n"
    )
    command = [sys.executable, "-P", "script.py"]
    first, second = (subprocess.run(command, cwd=tmp_path, capture_output=True, text=True) for _ in range(2))
    assert (first.stdout, second.stdout) == ("completed\n", "cached\n"), first.stderr + second.stderr
    told = session(
        tmp_path,
        *(START, "%run script.py", run("called"), "%run script.py", run("called again")),
        "tell('in a worker', fitting.with_options(cache='off', executor=('processes', 1))())",
        *("%run -n script.py", run("as a module")),
    )
    assert {tag: one.status for tag, one in told.items()} == {
        "called": "cached",
        "called again": "cached",
        "in a worker": "completed",
        "as a module": "completed",
    }
    assert told["as a module"].reasons == [["first-run", "script.fit"]]
