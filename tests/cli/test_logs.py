"""What steps printed and logged, as the command line shows it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lineal
from lineal import pipeline, step
from lineal.errors import StepFailed

Command = Callable[..., Any]


@step
def sell(count: int) -> int:
    """Log and print."""
    logging.getLogger("shop").info("selling %d", count)
    print(f"sold\x1b[2J {count}\nto two")
    return count


@step
def deliver(count: int) -> None:
    """Fail, with a warning before."""
    logging.getLogger("shop").warning("late")
    raise ValueError(count)


@pipeline
def shop() -> None:
    """Sell and deliver."""
    deliver(sell(3))


@pytest.fixture(scope="module")
def sold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two failed runs, of which the second reuses a step."""
    path = tmp_path_factory.mktemp("logs") / "store"
    with lineal.open(path):
        for _ in range(2):
            with pytest.raises(StepFailed):
                shop()
    return path


def rows(command: Command, store: Path, *argv: str) -> list[list[str]]:
    """The rows of a listing, without times."""
    ended = command("logs", *argv, "--store", str(store))
    assert (ended.code, ended.err) == (0, "")
    return [line.split(maxsplit=2)[1:] for line in ended.out.splitlines()]


def test_the_lines_of_all_steps_of_a_run_are_shown_in_order_of_time(command: Command, sold: Path) -> None:
    assert rows(command, sold, "shop-1") == [
        ["STEP", "FROM          TEXT"],
        ["shop-1/sell", "INFO shop     selling 3"],
        ["shop-1/sell", "stdout        sold\\x1b[2J 3"],
        ["shop-1/sell", "stdout        to two"],
        ["shop-1/deliver", "WARNING shop  late"],
    ]


def test_of_a_step_that_was_reused_the_lines_of_its_execution_are_shown(command: Command, sold: Path) -> None:
    assert [step for step, _ in rows(command, sold, "shop-2/sell")[1:]] == ["shop-1/sell"] * 3
    assert [step for step, _ in rows(command, sold, "shop-2")[1:]] == ["shop-2/deliver"]


def test_a_level_leaves_out_what_is_below_it_and_what_was_only_printed(command: Command, sold: Path) -> None:
    assert [text for _, text in rows(command, sold, "shop-1", "--level", "info")[1:]] == [
        "INFO shop     selling 3",
        "WARNING shop  late",
    ]
    assert [text for _, text in rows(command, sold, "shop-1", "--level", "warning")[1:]] == ["WARNING shop  late"]
    assert rows(command, sold, "shop-1", "--level", "error") == []


def test_times_and_levels_are_in_the_json(command: Command, sold: Path) -> None:
    ended = command("logs", "shop-1/deliver", "--json", "--store", str(sold))
    (line,) = map(json.loads, ended.out.splitlines())
    assert (line["level"], line["logger"], line["text"], line["stream"]) == ("WARNING", "shop", "late", "log")
    with lineal.open(sold, read_only=True) as store:
        step = store.run("shop-1").steps["deliver"]
        assert [one.time.isoformat(timespec="microseconds") for one in step.logs] == [line["time"]]
        assert step.log == "WARNING shop: late\n"
        assert step.started is not None
        assert next(step.logs).time >= step.started


def test_what_is_not_there_is_said_so(command: Command, sold: Path) -> None:
    assert command("logs", "shop-9", "--store", str(sold)).code == 3
    assert command("logs", "shop-1/steal", "--store", str(sold)).code == 3
