"""What steps printed and logged, as the command line shows it."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lineal
from lineal import pipeline, step
from lineal.errors import StepFailed, StepNotFound

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


def until(is_so: Callable[[], bool]) -> bool:
    """Wait for something, half a minute at most."""
    end = time.monotonic() + 30
    while not is_so() and time.monotonic() < end:
        time.sleep(0.01)
    return is_so()


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


def test_a_pipeline_stands_for_its_newest_run(command: Command, sold: Path) -> None:
    assert [step for step, _ in rows(command, sold, "shop")[1:]] == ["shop-2/deliver"]
    assert [step for step, _ in rows(command, sold, "shop/sell")[1:]] == ["shop-1/sell"] * 3
    steps = command("steps", "shop", "--store", str(sold)).out.splitlines()
    assert [line.split()[0] for line in steps[1:]] == ["shop-2/sell", "shop-2/deliver"]
    replayed = command("replay", "shop", "--instant", "--store", str(sold)).out
    assert re.search(r"shop-2/sell gave \S+ as in shop-1/sell\n", replayed)
    explained = command("why", "shop", "--store", str(sold)).out.splitlines()
    assert explained[1].split() == ["sell", "hit", "reuses", "shop-1/sell"]


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


def test_of_a_pipeline_whose_runs_are_deleted_it_is_said_that_they_are(command: Command, tmp_path: Path) -> None:
    store = ("--store", str(tmp_path / "store"))
    with lineal.open(tmp_path / "store"), pytest.raises(StepFailed):
        shop()
    assert command("rm", "shop-1", "--yes", *store).code == 0
    for verb in ("logs", "steps", "replay"):
        ended = command(verb, "shop", *store)
        assert (ended.code, "deleted" in ended.err) == (3, True)


FOLLOWED = """
import sys, time
from pathlib import Path
import lineal
from lineal import pipeline, step

gate = Path(sys.argv[3])

@step(retries=1, timeout_s=float(sys.argv[4]) or None)
def talk(gate: str) -> None:
    attempt = lineal.context().attempt
    print(f"attempt {attempt} begins")
    while not Path(f"{gate}{attempt}").exists():
        time.sleep(0.001)
    print("between\\nlines", flush=True)
    print("same")
    print("same")
    if attempt == 1:
        raise ValueError("once more")

@step
def quick(word: str) -> str:
    print(word)
    return word

@pipeline
def talking():
    quick.after(talk(str(gate)))("quick")

if __name__ == "__main__":
    with lineal.open(sys.argv[1]):
        talking.with_options(executor=sys.argv[2])()
"""


@pytest.mark.parametrize(
    ("executor", "timeout_s", "of"),
    [("inline", "0", ""), ("threads", "0", ""), ("processes", "0", "/talk"), ("inline", "60", "/talk")],
)
def test_following_tells_lines_while_their_step_runs_each_once_until_the_end(
    tmp_path: Path, executor: str, timeout_s: str, of: str
) -> None:
    store, gate = tmp_path / "store", tmp_path / "gate"
    (tmp_path / "main.py").write_text(FOLLOWED)
    with lineal.open(store) as client:
        running = subprocess.Popen(
            [sys.executable, "-P", str(tmp_path / "main.py"), str(store), executor, str(gate), timeout_s]
        )
        assert until(lambda: any(client.runs()))
    command = [sys.executable, "-P", "-m", "lineal", "logs", f"talking-1{of}", "-f", "--json", "--store", str(store)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        told = []
        for attempt in (1, 2):
            told.append(json.loads(following.stdout.readline()))
            Path(f"{gate}{attempt}").touch()
            told += [json.loads(following.stdout.readline()) for _ in range(4)]
        told += map(json.loads, following.stdout)
        assert following.wait() == 0
    assert running.wait() == 0
    said = ["between", "lines", "same", "same"]
    ended = [] if of else ["quick"]
    assert [line["text"] for line in told] == ["attempt 1 begins", *said, "attempt 2 begins", *said, *ended]
    assert [line["step"] for line in told] == ["talk"] * 10 + ended
    assert not list((store / "tmp").glob("*-log"))


def test_following_what_has_ended_tells_what_there_is(command: Command, sold: Path) -> None:
    assert rows(command, sold, "shop-2", "--follow") == rows(command, sold, "shop-2")
    assert rows(command, sold, "shop-2/sell", "-f") == rows(command, sold, "shop-2/sell")


def test_following_ends_with_a_run_whose_process_was_killed(tmp_path: Path) -> None:
    store = tmp_path / "store"
    (tmp_path / "main.py").write_text(FOLLOWED)
    script = [sys.executable, "-P", str(tmp_path / "main.py"), str(store), "inline", str(tmp_path / "gate"), "0"]
    with lineal.open(store) as client, subprocess.Popen(script) as running:
        assert until(lambda: any(client.runs()))
        lines = client.follow_logs("talking-1")
        step, line = next(lines)
        assert (step.name, line.text) == ("talk", "attempt 1 begins")
        running.kill()
        running.wait()
        assert list(lines) == []
        with pytest.raises(StepNotFound):
            list(client.follow_logs("talking-1", "another"))
