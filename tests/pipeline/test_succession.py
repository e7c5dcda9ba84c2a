"""What the outputs of steps succeed, wherever they execute."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import pytest

from lineal import Client, pipeline, step
from lineal.events.catalogue import ContentVisualized
from lineal.pipeline import Pipeline


def drawn(choice: Any, elsewhere: Any) -> Pipeline[[int], Any]:
    """A pipeline of this executor, whose step travels whole: no other process can import this module."""

    @step(cache=False)
    def draw(count: int) -> Annotated[np.ndarray, "drawn"]:
        return np.random.default_rng(1).random(count)

    @pipeline(executor=elsewhere if choice == "elsewhere" else choice)
    def drawing(count: int) -> None:
        draw(count)

    return drawing


@pytest.mark.parametrize("choice", ["inline", ("processes", 1), "elsewhere"])
def test_of_a_large_output_that_succeeds_another_only_what_is_new_is_stored(
    client: Client, choice: Any, elsewhere: Any
) -> None:
    run = drawn(choice, elsewhere)
    run(400_000)
    first_bytes = client.usage().stored_bytes
    second = run(410_000)
    assert client.usage().stored_bytes - first_bytes < 0.1 * first_bytes
    assert np.array_equal(second.steps["draw"].output.load(), np.random.default_rng(1).random(410_000))


@pytest.mark.parametrize("choice", ["inline", ("processes", 1), "elsewhere"])
def test_what_a_content_shows_of_itself_is_kept_once_wherever_it_is_made_again(
    client: Client, choice: Any, elsewhere: Any
) -> None:
    run = drawn(choice, elsewhere)
    for _ in range(2):
        run(20_000)
    client.flush()
    assert sum(isinstance(one.event, ContentVisualized) for one in client.events()) == 1
