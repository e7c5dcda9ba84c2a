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
import dataclasses, enum, typing

class Predicting:
    def predict(self):
        return {result}

class Model(Predicting):
    pass

@dataclasses.dataclass
class Record(Predicting):
    x: int = 1

class Kind(Predicting, enum.Enum):
    ONE = 1

class Row(typing.NamedTuple):
    x: int = 1
    def predict(self):
        return {result}

class Error(Predicting, Exception):
    pass

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


MADE = [
    *("models.Model()", "[models.Model()]", "[[models.Model()], models.Model()][1:]"),
    *("models.Record()", "models.Kind.ONE", "models.Row()", "models.Error()", "[models.Record()]"),
]


@pytest.mark.parametrize("made", MADE)
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


METHODS = """
import asyncio
from lineal import pipeline, step

class Trainer:
    def __init__(self, rate):
        self.rate = rate
    def fit(self, x):
        return self.scaled(x) * self.rate
    def scaled(self, x):
        return x / {by}
    @staticmethod
    def fixed(x):
        return x + {by}

async def waited(x):
    await asyncio.sleep(0)
    return x * {by}

@step
async def wait(x):
    return await waited(x)

fit = step(Trainer({rate}).fit)
fixed = step(Trainer.fixed)

@pipeline
def training():
    fit(3.0)
    fixed(3.0)
    wait(3.0)
"""


def test_methods_and_async_functions_are_steps_like_any_other(client: Client, project: Load) -> None:
    project(flow=METHODS.format(by=2, rate=1)).training()
    same = project(flow="# Training.\n" + METHODS.format(by=2, rate=1)).training()
    assert cached(same) == {"fit", "fixed", "wait"}
    other_state = project(flow=METHODS.format(by=2, rate=5)).training()
    assert cached(other_state) == {"fixed", "wait"}
    other_code = project(flow=METHODS.format(by=4, rate=5)).training()
    assert cached(other_code) == set()
    assert [step.outputs["output"].load() for step in other_code.steps.values()] == [3.75, 7.0, 12.0]


DRIFTING = """
import itertools
import logging
import queue
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, lru_cache
from lineal import pipeline, step

LOG = logging.getLogger("drifting")
READY, PLACES, LOCAL = threading.Event(), threading.Semaphore(3), threading.local()
POOL, WAITING, DICE, NUMBERS = ThreadPoolExecutor(1), queue.Queue(), random.Random(3), itertools.count()
SOURCE = open(__file__)

@lru_cache
def remembered(x):
    return x + 1

class Slow:
    lock = threading.Lock()
    @cached_property
    def answer(self):
        return 42

SLOW = Slow()

@step
def drift(x):
    LOG.setLevel(logging.ERROR)
    READY.set(), PLACES.acquire(), WAITING.put(x)
    LOCAL.x = x
    DICE.random(), next(NUMBERS), SOURCE.read()
    with SLOW.lock:
        return POOL.submit(remembered, x).result() + SLOW.answer

@pipeline
def drifting():
    drift(1)
"""


def test_a_step_that_uses_up_locks_queues_caches_and_files_is_the_same_step_afterwards(
    client: Client, project: Load
) -> None:
    flow = project(flow=DRIFTING)
    assert cached(flow.drifting()) == set()
    assert cached(flow.drifting()) == {"drift"}
    flow.SOURCE.close()
    flow.POOL.shutdown()
    edited = project(flow=DRIFTING.replace("random.Random(3)", "random.Random(4)"))
    assert cached(edited.drifting()) == set()
    edited.SOURCE.close()
    edited.POOL.shutdown()


def test_a_container_that_a_step_fills_counts_by_what_it_holds(client: Client, project: Load) -> None:
    """No syntax tells a memo from a registry: filled by the step itself, or by anybody, it is another cause."""
    text = "from lineal import pipeline, step\nSEEN = {}\n@step\ndef see(x):\n    SEEN[x] = 1\n    return len(SEEN)\n"
    text += "@pipeline\ndef seeing(x):\n    see(x)\n"
    flow = project(flow=text)
    first = flow.seeing(1)
    assert cached(flow.seeing(1)) == set()
    assert cached(project(flow=text).seeing(1)) == {"see"}
    assert first.steps["see"].outputs["output"].load() == 1
    filled = project(flow=text.replace("SEEN = {}", "SEEN = {5: 1}"))
    assert cached(filled.seeing(1)) == set()


MATERIALIZED = """
from typing import Annotated
import lineal
from lineal import Artifact, Materializer
from lineal.materializers import register

class Signal:
    def __init__(self, samples):
        self.samples = samples

{register}
class Signals(Materializer):
    format = "shop.signal/1"
    types = (Signal,)

    def save(self, value, parts):
        return [{saved} for one in value.samples]

    def load(self, head, parts):
        return Signal(head)

@lineal.step
def record() -> {annotation}:
    return Signal([1, 2])

@lineal.step
def measure(signal):
    return sum(signal.samples)

@lineal.step
def other() -> int:
    return 3

@lineal.pipeline
def listening():
    measure(record())
    other()
"""


@pytest.mark.parametrize(
    ("register", "annotation"),
    [
        ("@register", "Signal"),
        ("@register", 'Annotated[list[Signal] | Signal, "signal"]'),
        ("", 'Annotated[Signal, Artifact("signal", materializer=Signals)]'),
    ],
    ids=["registered", "registered, deep inside", "declared"],
)
def test_an_edit_of_a_materializer_counts_for_the_steps_that_use_it(
    client: Client, project: Load, register: str, annotation: str
) -> None:
    def run(saved: str) -> tuple[set[str], object]:
        module = project(shop=MATERIALIZED.format(register=register, annotation=annotation, saved=saved))
        done = module.listening()
        return cached(done), done.steps["measure"].outputs["output"].load()

    assert run("one") == (set(), 3)
    assert run("one") == ({"record", "measure", "other"}, 3)
    assert run("one * 2") == ({"other"}, 6)
