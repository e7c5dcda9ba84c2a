"""Upcasts: what older versions wrote, read as today's events. What is stored never changes.

An upcast is a pure function of the stored payload, a list of its fields; it gives the type to read it as, which may
have an upcast of its own, and that type's payload.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .catalogue import RunCancelled, RunInterrupted

Payload = list[Any]
Upcast = Callable[[Payload], tuple[str, Payload]]

_STOPPED = "stopped by "


def _run_interrupted_1(payload: Payload) -> tuple[str, Payload]:
    """Version 1 stood for a run that somebody stopped, too; its reason tells which it was."""
    run, reason, *_ = payload
    return (RunCancelled.TYPE if reason.startswith(_STOPPED) else RunInterrupted.TYPE), [run, reason]


UPCASTS: dict[str, Upcast] = {"run.interrupted/1": _run_interrupted_1}
"""By type and version as stored."""

FIELDS_1: dict[str, tuple[str, ...]] = {"run.interrupted/1": ("run", "reason")}
"""The fields, in order, of types that envelopes of version 1 hold and the catalogue has no more.

Their payloads were maps from a field's name to its value.
"""


def upcast(type_: str, payload: Payload, upcasts: dict[str, Upcast] = UPCASTS) -> tuple[str, Payload]:
    """The type and payload to read a stored event as."""
    while (step := upcasts.get(type_)) is not None:
        type_, payload = step(payload)
    return type_, payload
