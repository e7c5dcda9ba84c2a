"""Stopped: what the steps had printed that executed when their run was cancelled, wherever they did."""

from __future__ import annotations

import time
from collections.abc import Iterable

import msgpack

from ...cas import Blob
from ...events.catalogue import StepStopped
from ...events.ids import RunId
from ...history.live_logs import LiveLog
from ...history.logs import Frame
from ...store import Store
from ..deciding.preparing import Ready


def stopped(store: Store, run: RunId, executing: Iterable[Ready]) -> tuple[list[StepStopped], list[Blob]]:
    """The facts of steps that were stopped, with what they have broadcast, and the receipts of that."""
    printed = _printed(store, run)
    events = []
    with store.blobs.batch() as batch:
        for ready in executing:
            node = ready.node
            began_us, frames = printed.get((node.name, ready.attempt), (ready.tried_us, []))
            log = (
                batch.put(msgpack.packb(sorted(frames, key=_when), unicode_errors="surrogatepass")) if frames else None
            )
            lasted_us = time.time_ns() // 1000 - began_us
            events.append(
                StepStopped(run, node.name, node.step.qualified_name, ready.attempt, began_us, lasted_us, log)
            )
        blobs = list(batch.publish())
    return events, blobs


def _when(frame: Frame) -> int:
    return frame.at_us


def _printed(store: Store, run: RunId) -> dict[tuple[str, int], tuple[int, list[Frame]]]:
    """By step and attempt, when that began, and the frames."""
    found: dict[tuple[str, int], tuple[int, list[Frame]]] = {}
    live = LiveLog(store.blobs.files, run)
    try:
        for step, attempt, began_us, frame in live.read():
            found.setdefault((step, attempt), (began_us, []))[1].append(frame)
    finally:
        live.close()
    return found
