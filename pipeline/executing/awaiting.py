"""Awaiting: a step that is an async function is run to its end in the thread that executes it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from types import CoroutineType
from typing import Any


def awaited(returned: Any) -> Any:
    """What a call gave; where that is a coroutine, what it gives in an event loop of its own.

    Where a loop runs already, as in a notebook, the coroutine is run in another thread meanwhile.
    """
    if type(returned) is not CoroutineType:
        return returned
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(returned)
    with ThreadPoolExecutor(1) as other:
        return other.submit(copy_context().run, asyncio.run, returned).result()
