"""Where steps execute in tests."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import pytest

from lineal.pipeline.workers.executors import InlineExecutor


class Elsewhere(Executor):
    """Executes in this process what was packed for another one: for modules of tests, which no other can import."""

    def __init__(self) -> None:
        self._inline = InlineExecutor()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return self._inline.submit(fn, *args, **kwargs)


@pytest.fixture
def elsewhere() -> Executor:
    """An executor that is sent everything in bytes."""
    return Elsewhere()


@pytest.fixture(params=["inline", "elsewhere"])
def executor(request: pytest.FixtureRequest) -> Any:
    """Executors that share memory and that don't."""
    return Elsewhere() if request.param == "elsewhere" else "inline"
