"""What is executed again after an edit, seen from outside: by the runs of a pipeline before and after it."""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from lineal.client import Client

Load = Callable[..., ModuleType]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Write modules and import the first of them afresh, as a new process would."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    directories: list[Path] = []

    def load(**modules: str) -> ModuleType:
        forget(tmp_path)
        directories.append(tmp_path / str(len(directories)))
        directories[-1].mkdir()
        for name, text in modules.items():
            (directories[-1] / f"{name}.py").write_text(textwrap.dedent(text), encoding="utf-8")
        monkeypatch.syspath_prepend(str(directories[-1]))
        return importlib.import_module(next(iter(modules)))

    yield load
    forget(tmp_path)


def forget(directory: Path) -> None:
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(str(directory)):
            del sys.modules[name]


def cached(run: object) -> set[str]:
    """The steps that were served from the cache."""
    return {name for name, step in run.steps.items() if step.is_cached}  # type: ignore[attr-defined]


MODELS = """
class Model:
    def predict(self):
        return {result}

class Idle:
    def predict(self):
        return {idle}
"""
PASSING = """
from lineal import pipeline, step
import models

@step
def make():
    return {made}

@step
def use(made):
    model = made[0] if type(made) is list else made
    return model.predict()

@pipeline
def passing():
    use(make())
"""


@pytest.mark.parametrize("made", ["models.Model()", "[models.Model()]", "[[models.Model()], models.Model()][1:]"])
def test_a_step_runs_again_if_the_class_of_an_input_changed_that_it_never_names(
    made: str, client: Client, project: Load
) -> None:
    passing = PASSING.format(made=made)
    project(flow=passing, models=MODELS.format(result=1, idle=1)).passing()
    same = project(flow=passing, models="# Models.\n" + MODELS.format(result=1, idle=2)).passing()
    assert cached(same) == {"make", "use"}
    edited = project(flow=passing, models=MODELS.format(result=2, idle=2)).passing()
    assert cached(edited) == set()
    assert edited.steps["use"].outputs["output"].load() == 2


def test_a_step_runs_again_if_the_class_of_an_input_changed_though_the_step_that_made_it_did_not(
    client: Client, project: Load
) -> None:
    passing = PASSING.format(made="models.Model()").replace("@step\ndef make", '@step(version="1")\ndef make')
    project(flow=passing, models=MODELS.format(result=1, idle=1)).passing()
    edited = project(flow=passing, models=MODELS.format(result=2, idle=1)).passing()
    assert cached(edited) == {"make"}
    assert edited.steps["use"].outputs["output"].load() == 2


LOSSES = """
def squared(x):
    return x * {by}

def halved(x):
    return x / 2
"""
FITTING = """
from functools import partial
from lineal import pipeline, step
import losses

@step(ignore_inputs=["shown_by"])
def fit(loss, shown_by=None):
    return loss(3)

@pipeline
def fitting(loss, shown_by=None):
    fit(loss, shown_by)
"""


@pytest.mark.parametrize("loss", ["losses.squared", "partial(losses.squared)", "[losses.squared][0]"])
def test_a_step_runs_again_if_a_function_changed_that_it_is_given(loss: str, client: Client, project: Load) -> None:
    def run(by: int) -> object:
        flow = project(flow=FITTING, losses=LOSSES.format(by=by))
        return flow.fitting(eval(loss, vars(flow)))

    run(1)
    assert cached(run(1)) == {"fit"}
    edited = run(2)
    assert cached(edited) == set()
    assert edited.steps["fit"].outputs["output"].load() == 6  # type: ignore[attr-defined]


def test_the_code_of_an_input_that_is_ignored_is_ignored(client: Client, project: Load) -> None:
    for by, expected in ((1, set()), (2, {"fit"})):
        flow = project(flow=FITTING, losses=LOSSES.format(by=by))
        run = flow.fitting(flow.losses.halved, flow.losses.squared)
        assert cached(run) == expected


CUTOFF = """
from lineal import pipeline, step

@step
def load():
    return {loaded}

@step
def clean(rows):
    return sorted(rows)

@step
def count(rows):
    return len(rows)

@pipeline
def counting():
    count(clean(load()))
"""


def test_a_step_that_ran_again_and_gave_equal_content_invalidates_nothing(client: Client, project: Load) -> None:
    """Early cutoff: what follows is reused, as if the step had not run."""
    project(flow=CUTOFF.format(loaded="[3, 1, 2]")).counting()
    equal = project(flow=CUTOFF.format(loaded="list((3, 1, 2))")).counting()
    assert cached(equal) == {"clean", "count"}
    reordered = project(flow=CUTOFF.format(loaded="[1, 2, 3]")).counting()
    assert cached(reordered) == {"count"}
    longer = project(flow=CUTOFF.format(loaded="[1, 2, 3, 4]")).counting()
    assert cached(longer) == set()


def test_a_dict_and_a_set_that_were_filled_in_another_order_cut_off_too(client: Client, project: Load) -> None:
    names = [f"name {number}" for number in range(20)]
    project(flow=CUTOFF.format(loaded=f"set({names})")).counting()
    again = project(flow=CUTOFF.format(loaded=f"set({names[::-1]})")).counting()
    assert cached(again) == {"clean", "count"}
