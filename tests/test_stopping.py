"""Threads that are started while one is to be stopped."""

from __future__ import annotations

import threading

from children import ended_well, forked

from lineal.stopping import guarded_starts


def test_a_child_that_is_forked_while_starts_are_guarded_has_threads_started_as_ever_afterwards() -> None:
    start = threading.Thread.start
    guarded = guarded_starts()
    guarded.__enter__()

    def child() -> None:
        assert threading.Thread.start is start
        guarded.__exit__(None, None, None)
        for _ in range(2):
            with guarded_starts():
                assert threading.Thread.start is not start
            assert threading.Thread.start is start

    try:
        assert threading.Thread.start is not start
        children = [forked(child)]
    finally:
        guarded.__exit__(None, None, None)
    assert ended_well(children)
    assert threading.Thread.start is start
