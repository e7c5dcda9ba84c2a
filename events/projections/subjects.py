"""Subjects as keys: an artifact, a version, a pipeline, a run or a step run in the rows of projections."""

from __future__ import annotations

from typing import Any

from ..rows import framed


def subject_key(subject: Any) -> bytes:
    """A subject as a part of a key, whether it is a `Subject` or as an event has it stored; those of a kind together.

    At most 244 bytes: a key has room for one more text besides.
    """
    kind, name, id_, *_ = subject
    place: bytes = framed(kind) + framed(name) + bytes([len(id_)]) + id_
    return place
