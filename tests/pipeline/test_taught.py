"""Materializers that the main program registers, or imports from where its steps don't, save in every process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCALES = """
import fractions
from lineal.materializers import Materializer, register

class Scale(fractions.Fraction):
    pass
"""
SAVING = """
from lineal.materializers import Materializer, register
from scales import Scale

@register
class ScaleMaterializer(Materializer):
    format = "test.scale/1"
    types = (Scale,)

    def save(self, value, parts):
        return [value.numerator, value.denominator]

    def load(self, head, parts):
        return Scale(*head)
"""
SCRIPT = """
import multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor
import lineal, saving
from scales import Scale
from lineal import pipeline, step
from lineal.materializers import Materializer, register

class Box:
    def __init__(self, size):
        self.size = size

@register
class BoxMaterializer(Materializer):
    format = "test.box/1"
    types = (Box,)

    def save(self, value, parts):
        return value.size

    def load(self, head, parts):
        return Box(head)

@step
def make(size: int) -> Box:
    return Box(size)

@step
def weigh(box: Box) -> int:
    return box.size

@step
def scale(size: int):
    from scales import Scale
    return Scale(size, 7)

@pipeline
def packing(size: int):
    weigh(make(size))
    scale(size)

if __name__ == "__main__":
    with lineal.open(sys.argv[1]):
        for how in ("inline", "processes", "spawn"):
            pool = how if how != "spawn" else ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
            steps = packing.with_options(executor=pool, cache=False)(5).steps
            made = [steps[name].output for name in ("make", "scale")]
            print(how, steps["weigh"].output.load(), *(one.format for one in made), *(one.version for one in made))
            if how == "spawn":
                pool.shutdown()
"""


def test_a_value_is_saved_alike_wherever_its_step_executes(tmp_path: Path) -> None:
    for name, text in (("scales", SCALES), ("saving", SAVING), ("script", SCRIPT)):
        (tmp_path / f"{name}.py").write_text(text)
    command = [sys.executable, "script.py", "store"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    expected = [f"{how} 5 test.box/1 test.scale/1 1 1" for how in ("inline", "processes", "spawn")]
    assert done.stdout.splitlines() == expected
