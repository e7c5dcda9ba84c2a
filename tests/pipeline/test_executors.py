"""Where steps execute."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lineal.errors import InvalidPipeline
from lineal.pipeline.workers.executors import InlineExecutor, opened, shares_memory

CALLING = """
from pathlib import Path
from lineal import pipeline, step

@step
def double(x: int) -> int:
    return 2 * x

@pipeline(executor=("processes", 1))
def doubling():
    double(1)

calls = Path("calls")
if not calls.exists() or len(calls.read_text()) < 4:  # Where nothing refuses it, it must end all the same.
    calls.write_text(calls.read_text() + "." if calls.exists() else ".")
    doubling.with_options(cache=False)()
"""
"""A module that a worker can't import without calling its pipeline."""


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


def test_a_module_that_calls_a_pipeline_where_it_is_imported_starts_no_workers_from_workers(
    tmp_path: Path,
) -> None:
    (tmp_path / "calling.py").write_text(CALLING)
    told = tmp_path / "told"
    with told.open("w") as file:  # No pipe, which workers could keep open.
        done = subprocess.run([sys.executable, "-c", "import calling"], cwd=tmp_path, stderr=file, timeout=30)
    assert done.returncode == 1
    assert "a module calls a pipeline when it is imported" in told.read_text()
    assert 'Put the call under `if __name__ == "__main__":`' in told.read_text()
    assert (tmp_path / "calls").read_text() == ".."


def test_an_unknown_executor_is_refused_with_what_there_is() -> None:
    with pytest.raises(InvalidPipeline, match="Say 'inline', 'threads'"), opened("cluster"):  # type: ignore[arg-type]
        raise AssertionError("unreachable")
