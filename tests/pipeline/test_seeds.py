"""Seeds: the same randomness for the same causes, wherever and in whatever order."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import types
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import lineal
from lineal import Client, pipeline, step
from lineal.errors import InvalidPipeline
from lineal.events.ids import Fingerprint
from lineal.pipeline.surroundings.seeds import Entropy, seeded


@step
def draw(number: int) -> list:
    """Draw from all that there is."""
    own = lineal.context()
    return [random.random(), float(np.random.rand()), int(own.rng().integers(1 << 60)), own.seed, own.rng().random()]


@step
def draw_inside(number: int) -> list:
    """Draw before and after a seeded pipeline that runs inside, in threads."""
    before = random.random()
    with ThreadPoolExecutor(2) as pool:
        drawing.with_options(executor=pool, seed=3)(number)
    return [before, random.random()]


@pipeline
def drawing(number: int) -> None:
    """Two steps that differ in an argument."""
    draw(number)
    draw(number + 1)


@pipeline
def mixing(number: int) -> None:
    """Two steps, of which one has a seed of its own."""
    draw.with_options(seed=5)(number)
    draw(number)


@pipeline
def nested(number: int) -> None:
    """A step that runs a pipeline."""
    draw_inside(number)


def drawn(run: Any) -> list[list[Any]]:
    """What its steps gave."""
    return [view.output.load() for view in run.steps.values()]


def test_a_seed_gives_the_same_in_threads_and_in_every_order(client: Client) -> None:
    seeded_ = drawing.with_options(seed=1, cache=False)
    first = drawn(seeded_(1))
    with ThreadPoolExecutor(2) as pool:
        for _ in range(3):
            random.seed()
            np.random.seed()
            assert drawn(seeded_.with_options(executor=pool)(1)) == first
    assert drawn(seeded_(2))[0] == first[1]
    assert first[0] != first[1]


def test_a_seed_counts_among_the_causes_and_is_on_record(client: Client) -> None:
    first, second, third = (drawing.with_options(seed=seed)(1) for seed in (1, 2, 1))
    assert drawn(first) != drawn(second)
    assert [view.status for view in third.steps.values()] == ["cached", "cached"]
    assert first.steps["draw"].parameters == {"number": 1, "@seed": 1}
    unseeded = drawing(1)
    assert [view.status for view in unseeded.steps.values()] == ["completed", "completed"]
    assert unseeded.steps["draw"].parameters == {"number": 1}


def test_a_seed_of_a_step_goes_before_that_of_the_pipeline(client: Client) -> None:
    mixed = mixing.with_options(seed=1)(1)
    assert [view.parameters["@seed"] for view in mixed.steps.values()] == [5, 1]


def test_the_callers_generators_are_where_they_were(client: Client) -> None:
    random.seed(7)
    np.random.seed(7)
    expected = [random.random(), float(np.random.rand())]
    random.seed(7)
    np.random.seed(7)
    drawing.with_options(seed=1)(1)
    assert [random.random(), float(np.random.rand())] == expected


def test_without_a_seed_the_generators_are_left_alone_and_rng_is_still_the_same(client: Client) -> None:
    random.seed(7)
    first = drawn(drawing.with_options(cache=False)(1))
    again = drawn(drawing.with_options(cache=False)(1))
    random.seed(7)
    assert first[0][0] == random.random()
    assert first[0][0] != again[0][0]
    assert first[0][2:] == again[0][2:]
    assert first[0][3] is None


def test_a_seeded_pipeline_in_a_seeded_step_disturbs_nothing_and_waits_for_nobody(client: Client) -> None:
    runs = [nested.with_options(seed=1, cache=False)(number) for number in (1, 1)]
    assert drawn(runs[0]) == drawn(runs[1])
    ((before, after),) = drawn(runs[0])
    source = random.Random(Entropy(runs[0].steps["draw_inside"].fingerprint or Fingerprint(bytes(32)), 1).seed)
    assert [before, after] == [source.random(), source.random()]


def test_of_seeded_steps_in_threads_one_runs_at_a_time() -> None:
    def draw_slowly(seed: int) -> list[float]:
        with seeded(seed):
            return [(meeting.wait(0.01), random.random())[1] for _ in range(5)]

    meeting = threading.Event()
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(draw_slowly, (1, 2, 1)))
    assert found[0] == found[2] == [random.Random(1).random(), *found[0][1:]]
    source = random.Random(2)
    assert found[1] == [source.random() for _ in range(5)]


def test_torch_is_seeded_where_it_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    torch = types.SimpleNamespace(
        get_rng_state=lambda: "state",
        set_rng_state=lambda state: calls.append(("set", state)),
        manual_seed=lambda seed: calls.append(("seed", seed)),
        cuda=types.SimpleNamespace(
            is_initialized=lambda: True,
            get_rng_state_all=lambda: "states",
            set_rng_state_all=lambda states: calls.append(("set cuda", states)),
        ),
    )
    monkeypatch.setitem(sys.modules, "torch", torch)
    with seeded(5):
        pass
    assert calls == [("seed", 5), ("set", "state"), ("set cuda", "states")]


@pytest.mark.parametrize("seed", [1.0, "1", True, -1, 1 << 64])
def test_what_is_no_seed_is_refused(seed: Any) -> None:
    with pytest.raises(InvalidPipeline, match="no whole number"):
        draw.with_options(seed=seed)
    with pytest.raises(InvalidPipeline, match="no whole number"):
        drawing.with_options(seed=seed)


def test_a_seed_is_the_same_in_every_process() -> None:
    code = (
        "from lineal.pipeline.surroundings.seeds import Entropy; from lineal.events.ids import Fingerprint;"
        "one = Entropy(Fingerprint(bytes(32)), 4); print(one.seed, one.rng().integers(1 << 60))"
    )
    one = Entropy(Fingerprint(bytes(32)), 4)
    told = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.split() == [str(one.seed), str(one.rng().integers(1 << 60))]
    assert one.seed != Entropy(Fingerprint(bytes(32)), 5).seed


def test_an_evicted_result_of_a_seeded_step_can_be_made_again(client: Client) -> None:
    run = drawing.with_options(seed=9)(1)
    version = run.steps["draw"].output
    value = version.load()
    client.release(str(version))
    client.collect(grace_s=0)
    assert version.is_evicted
    assert client.recompute(str(version)).load() == value
