"""Globals of modules that workers import: a result computed with other values than were digested is never served."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from lineal import Client
from lineal.pipeline.running.outcome import OtherValueWarning

RATES = """
from lineal import pipeline, step

RATE = {rate}

@step
def scaled(x: int) -> int:
    return x * RATE

@step
def shifted(x: int) -> int:
    return x + RATE

@pipeline
def scaling(x: int) -> None:
    for number in range(3):
        scaled.with_options(name=f"scaled-{{number}}")(x + number)
        shifted.with_options(name=f"shifted-{{number}}")(x + number)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module of pipelines, where workers find it, too."""
    (tmp_path / "rates_of_workers.py").write_text(RATES.format(rate=2))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "rates_of_workers", raising=False)
    return importlib.import_module("rates_of_workers")


def outputs(run: Any) -> list[int]:
    return [one.output.load() for one in run.steps.values()]


@pytest.mark.filterwarnings("error")
def test_workers_have_the_values_of_a_module_that_was_changed_and_reloaded(client: Client, module: Any) -> None:
    in_workers = module.scaling.with_options(executor=("processes", 2))
    assert outputs(in_workers(10)) == [20, 12, 22, 13, 24, 14]
    Path(module.__file__).write_text(RATES.format(rate=300))
    module = importlib.reload(module)
    run = module.scaling.with_options(executor=("processes", 2))(10)
    assert outputs(run) == [3000, 310, 3300, 311, 3600, 312]
    assert {one.status for one in module.scaling(10).steps.values()} == {"cached"}


def test_what_a_worker_computes_with_other_values_is_told_of_and_not_served(client: Client, module: Any) -> None:
    module.RATE = 7
    with pytest.warns(OtherValueWarning, match=r"is not served.*value:rates_of_workers:RATE"):
        run = module.scaling.with_options(executor=("processes", 2))(10)
    assert outputs(run) == [20, 12, 22, 13, 24, 14]
    here = module.scaling(10)
    assert outputs(here) == [70, 17, 77, 18, 84, 19]
    assert {one.status for one in here.steps.values()} == {"completed"}
