"""Metrics as they are read back, whatever way they took into the log."""

from __future__ import annotations

import math

import pytest

import lineal.metrics
from lineal import Client, pipeline, step
from lineal.errors import BlobMissing, InvalidName, NotFound, UnsavableValue
from lineal.events.catalogue import MetricsLogged
from lineal.history import RunView


@step
def one() -> int:
    return 1


@pipeline
def ones() -> None:
    one()


@pytest.fixture
def run(client: Client) -> RunView:
    """A run to log of."""
    ones()
    return client.run("ones-1")


def flushes(client: Client) -> list[MetricsLogged]:
    """The events that brought metrics."""
    client.flush()
    return [recorded.event for recorded in client.events() if isinstance(recorded.event, MetricsLogged)]


def test_a_metric_that_is_not_there_says_which_is_near(client: Client, run: RunView) -> None:
    with pytest.raises(NotFound) as none:
        run.metrics["los"]
    assert "log_metric" in str(none.value)
    client.log_metrics(run, {"loss": 0.5})
    with pytest.raises(NotFound) as near:
        run.metrics["los"]
    assert near.value.hint == "Did you mean loss?"
    assert run.metrics.get("los") is None
    client.log_metrics(run.steps["one"], {"accuracy": 1.0})
    ones()
    with pytest.raises(NotFound, match="accuracy"):
        client.run("ones-2").steps["one"].metrics["acuracy"]


def test_points_come_back_in_order_with_their_steps_times_and_values(client: Client, run: RunView) -> None:
    for epoch in range(5):
        client.log_metrics(run, {"loss": 1 / (epoch + 1), "lr": 0.1}, step=epoch * 10)
    loss = run.metrics["loss"]
    assert (loss.value, loss.last.step, loss.count) == (0.2, 40, 5)
    assert loss.series().values == [1 / (epoch + 1) for epoch in range(5)]
    assert loss.series().steps == [0, 10, 20, 30, 40]
    assert loss.series().times == sorted(loss.series().times)
    assert [(point.step, point.value) for point in run.metrics["lr"].points()] == [
        (step, 0.1) for step in (0, 10, 20, 30, 40)
    ]
    assert list(run.metrics) == ["loss", "lr"]


def test_many_points_make_few_events_and_large_ones_are_a_blob(client: Client, run: RunView) -> None:
    number = lineal.metrics.FLUSH_POINTS * 2 + 5
    for place in range(number):
        client.log_metrics(run, {"loss": float(place)})
    events = flushes(client)
    assert len(events) <= 6
    assert any(event.points is not None and event.columns == () for event in events)
    assert any(event.points is None and event.columns for event in events)
    series = run.metrics["loss"].series()
    assert series.steps == list(range(number))
    assert series.values == [float(place) for place in range(number)]
    assert client.verify().is_sound


def test_the_past_has_the_points_of_then(client: Client, run: RunView) -> None:
    client.log_metrics(run, {"loss": 3.0})
    client.flush()
    then = client.head.seq
    client.log_metrics(run, {"loss": 2.0, "late": 1.0})
    client.flush()
    past = client.as_of(then).run("ones-1").metrics
    assert (list(past), past["loss"].value, past["loss"].series().values) == (["loss"], 3.0, [3.0])
    assert run.metrics["loss"].series().values == [3.0, 2.0]


def test_steps_go_on_where_an_earlier_session_stopped(client: Client, run: RunView) -> None:
    client.log_metrics(run, {"loss": 1.0}, step=7)
    client.flush()
    client.store.metrics.start_over()
    client.log_metrics(run, {"loss": 2.0, "new": 0.0})
    assert run.metrics["loss"].series().steps == [7, 8]
    assert run.metrics["new"].series().steps == [0]


def test_metrics_of_a_run_its_steps_and_other_things_stay_apart(client: Client, run: RunView) -> None:
    client.save(1, "n")
    for number, of in enumerate((run, "ones-1/one", "n", "ones")):
        client.log_metrics(of, {"x": number})
    found = [client.find(of).metrics["x"].value for of in ("ones-1", "ones-1/one", "n", "ones")]
    assert found == [0.0, 1.0, 2.0, 3.0]


def test_numbers_that_are_not_finite_come_back(client: Client, run: RunView) -> None:
    for value in (math.nan, math.inf, -math.inf, -0.0):
        client.log_metrics(run, {"x": value})
    nan, *others = run.metrics["x"].series().values
    assert math.isnan(nan)
    assert [math.copysign(1, other) for other in others] == [1, -1, -1]
    assert others[:2] == [math.inf, -math.inf]


@pytest.mark.parametrize("value", ["1.0", None, [1.0], 1j, b"1"])
def test_what_is_no_number_is_refused_by_name_and_nothing_of_it_is_logged(
    client: Client, run: RunView, value: object
) -> None:
    with pytest.raises(UnsavableValue, match="'bad'"):
        client.log_metrics(run, {"good": 1.0, "bad": value})  # type: ignore[dict-item]
    assert run.metrics == {}


def test_a_step_that_is_no_whole_number_and_a_name_that_is_no_text_are_refused(client: Client, run: RunView) -> None:
    for place in (1.5, 1 << 63):
        with pytest.raises(UnsavableValue, match="step"):
            client.log_metrics(run, {"x": 1.0}, step=place)  # type: ignore[arg-type]
    for name in ("", "a\nb", "x" * 201, 3):
        with pytest.raises(InvalidName):
            client.log_metrics(run, {name: 1.0})  # type: ignore[dict-item]
    client.log_metrics(run, {"train/precision@10": 1.0})
    assert list(run.metrics) == ["train/precision@10"]


def test_points_that_are_lost_are_named_by_verification_and_the_last_value_stays(client: Client, run: RunView) -> None:
    for place in range(lineal.metrics.FLUSH_POINTS + 1):
        client.log_metrics(run, {"loss": float(place)})
    (points,) = [event.points for event in flushes(client) if event.points is not None]
    client.store.blobs.files.path(points).unlink()
    (damage,) = client.verify().damages
    assert damage.hurts == ("metrics of ones-1",)
    assert run.metrics["loss"].value == float(lineal.metrics.FLUSH_POINTS)
    with pytest.raises(BlobMissing):
        run.metrics["loss"].series()
