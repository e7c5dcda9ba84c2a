"""What steps printed and logged: frames of a blob, and the lines that people read.

A frame is ``[microseconds since the step began, stream, text]``; one of a logging record has ``log`` for a stream, and
after its text the level, as `logging` numbers them, and the logger's name.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

import msgpack

from ..cas.digest import Digest
from ..errors import BlobCorrupt
from .reader import Reader, moment

_LEVELS = {10: "DEBUG", 20: "INFO", 30: "WARNING", 40: "ERROR", 50: "CRITICAL"}


class Frame(NamedTuple):
    """A piece of what a step printed, or a record that it logged."""

    at_us: int
    """Since the step began."""
    stream: str
    """``stdout``, ``stderr``, or ``log``."""
    text: str
    level: int | None = None
    logger: str | None = None


class LogLine(NamedTuple):
    """A line of what a step printed or logged."""

    time: datetime
    stream: str
    """``stdout``, ``stderr``, or ``log`` of a logging record."""
    level: int | None
    """As `logging` numbers them; None of what was printed."""
    logger: str | None
    text: str
    """Without the end of the line."""


def frames_of(reader: Reader, blob: Digest) -> list[Frame]:
    """The frames of a log. Raises `BlobMissing` or `BlobCorrupt`."""
    try:
        frames = msgpack.unpackb(reader.store.blobs.read(blob), unicode_errors="surrogatepass")
        return [Frame(*frame) for frame in frames]
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise BlobCorrupt("what a step printed can't be read", where=blob, hint="Run `lineal verify`.") from error


def text_of(reader: Reader, blob: Digest) -> str:
    """A log as one text; before that of a record stand its level and logger."""
    return "".join(map(frame_text, frames_of(reader, blob)))


def frame_text(frame: Frame) -> str:
    """A frame as it reads between others."""
    if frame.level is None:
        return frame.text
    return f"{level_name(frame.level)} {frame.logger}: {frame.text}"


def lines_of(reader: Reader, blob: Digest, started_us: int) -> Iterator[LogLine]:
    """The lines of a log of a step that began then."""
    for frame in frames_of(reader, blob):
        yield from frame_lines(frame, started_us)


def frame_lines(frame: Frame, started_us: int) -> Iterator[LogLine]:
    """The lines of a frame of a step that began then."""
    time = moment(started_us + frame.at_us)
    for line in frame.text.removesuffix("\n").split("\n"):
        yield LogLine(time, frame.stream, frame.level, frame.logger, line)


def level_name(level: int) -> str:
    """What a level is called; one between the standard ones as the one below with what it has more."""
    below = max((known for known in _LEVELS if known <= level), default=0)
    name = _LEVELS.get(below, "NOTSET")
    return name if level == below else f"{name}+{level - below}"
