"""Where steps execute."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lineal.errors import InvalidPipeline
from lineal.pipeline.executors import InlineExecutor, opened, shares_memory


def test_inline_calls_at_once_and_the_future_carries_what_was_raised() -> None:
    executor = InlineExecutor()
    assert executor.submit(divmod, 7, 2).result() == (3, 1)
    future = executor.submit(divmod, 7, 0)
    assert future.done()
    with pytest.raises(ZeroDivisionError):
        future.result()


def test_an_interrupt_passes_through_inline() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        InlineExecutor().submit(interrupted)


@pytest.mark.parametrize(("choice", "expected"), [("inline", True), ("processes", False)])
def test_only_executors_of_this_process_share_memory(choice: Any, expected: bool) -> None:
    with opened(choice) as executor:
        assert shares_memory(executor) is expected
    with ThreadPoolExecutor(1) as threads:
        assert shares_memory(threads)


def test_an_unknown_executor_is_refused_with_what_there_is() -> None:
    with pytest.raises(InvalidPipeline, match="Say 'inline', 'threads'"), opened("cluster"):  # type: ignore[arg-type]
        raise AssertionError("unreachable")
