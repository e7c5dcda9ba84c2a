"""Steps of the main program in other processes: code that no other process can import, and what it is made of."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

PROGRAM = """
import functools
import json
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from enum import Enum

import lineal
from lineal import pipeline, step

RATE = 3
TABLE = {"a": 1}

def doubled(function):
    @functools.wraps(function)
    def inner(x):
        return 2 * function(x)
    return inner

@doubled
def helper(x):
    return x * RATE + TABLE["a"]

@functools.lru_cache
def remembered(x):
    return x + 1

class Base:
    def base(self):
        return RATE

@dataclass
class Part(Base):
    size: int = 1
    more: list = field(default_factory=list)
    def get(self):
        return helper(self.size) + self.base()

class Kind(Enum):
    ONE = 1
    TWO = 2

@step
def inner_step(x: int) -> int:
    return helper(x) + Part(2).get() + Kind.ONE.value + remembered(3)

@pipeline
def inner(x: int) -> None:
    inner_step(x)

@step(cache=False)
def outer(x: int) -> int:
    return inner(x).steps["inner_step"].output.load()

@step(cache=False, version="1")
def versioned(x: int) -> int:
    return outer.function(x)

@step(cache=False)
def altering(x: int) -> int:
    global RATE
    RATE = 5
    return inner(x).steps["inner_step"].output.load()

@pipeline
def enclosing(x: int, alters: bool = False, is_versioned: bool = False) -> None:
    (altering if alters else versioned if is_versioned else outer)(x)

def tell(tag, run):
    (made,) = [one for name, one in run.steps.items()]
    nested = next(one for one in lineal.runs() if one.pipeline.name == "inner").steps["inner_step"]
    print(json.dumps([tag, nested.status, made.output.load()]), flush=True)
"""
CALLS = """
inner(1)
tell("ours", enclosing.with_options(executor=("processes", 1))(1))
tell("versioned", enclosing.with_options(executor=("processes", 1))(1, is_versioned=True))
tell("altered", enclosing.with_options(executor=("processes", 1))(1, alters=True))
tell("unaltered", enclosing.with_options(executor=("processes", 1))(1))
"""
FOREIGN = """
for kind in ("fork", "spawn"):
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(kind)) as executor:
        tell(kind, enclosing.with_options(executor=executor)(1))
"""
SHELL = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
for cell in json.load(sys.stdin):
    shell.run_cell(cell, store_history=True).raise_error()
"""
VALUE = (1 * 3 + 1) * 2 + (2 * 3 + 1) * 2 + 3 + 1 + 4
ALTERED = (1 * 5 + 1) * 2 + (2 * 5 + 1) * 2 + 5 + 1 + 4
FROM_MAIN = {
    "ours": ["cached", VALUE],
    "versioned": ["cached", VALUE],
    "altered": ["completed", ALTERED],
    "unaltered": ["cached", VALUE],
}


def told_by(command: list[str], directory: Path, given: str = "") -> dict[str, list[Any]]:
    """What a program has told, each by its tag: what became of the nested step, and the value."""
    environment = {**os.environ, "IPYTHONDIR": str(directory / "ipython"), "LINEAL_STORE": str(directory / "store")}
    done = subprocess.run(
        [sys.executable, "-P", *command],
        input=given,
        capture_output=True,
        text=True,
        timeout=300,
        cwd=directory,
        env=environment,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    return {tag: told for tag, *told in lines}


def test_a_step_of_a_script_has_one_fingerprint_in_every_process(tmp_path: Path) -> None:
    calls = "".join(f"    {line}\n" for line in (CALLS + FOREIGN).splitlines())
    (tmp_path / "script.py").write_text(f'{PROGRAM}\nif __name__ == "__main__":\n{calls}')
    told = told_by(["script.py"], tmp_path)
    assert told == {**FROM_MAIN, "fork": ["cached", VALUE], "spawn": ["cached", VALUE]}


def test_a_step_of_a_notebook_has_one_fingerprint_in_every_process(tmp_path: Path) -> None:
    cells = [f"@{cell}" if place else cell for place, cell in enumerate(PROGRAM.split("\n@"))]
    told = told_by(
        ["-c", SHELL], tmp_path, json.dumps([*cells, CALLS, "RATE = 5", CALLS.replace('tell("', 'tell("5 ')])
    )
    changed = {f"5 {tag}": ["cached", ALTERED] for tag in FROM_MAIN}
    assert told == {**FROM_MAIN, **changed}


def test_a_worker_has_of_each_task_the_classes_that_were_sent_with_it(tmp_path: Path) -> None:
    calls = """
    for number, RATE in enumerate((3, 5, 3)):
        run = inner.with_options(executor=("processes", 1), cache="off")(1)
        print(json.dumps([str(number), run.steps["inner_step"].output.load()]))
"""
    (tmp_path / "script.py").write_text(f'{PROGRAM}\nif __name__ == "__main__":\n{calls}')
    assert told_by(["script.py"], tmp_path) == {"0": [VALUE], "1": [ALTERED], "2": [VALUE]}
