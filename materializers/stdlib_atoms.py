"""Atoms of the standard library: dates and times, exact numbers, ids and paths."""

from __future__ import annotations

import os
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from pathlib import PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any
from uuid import UUID, SafeUUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..errors import Unsupported
from .atoms import Atom


def _time(value: time | datetime) -> tuple[Any, ...]:
    return value.hour, value.minute, value.second, value.microsecond, value.fold, value.tzinfo


def _make_time(hour: int, minute: int, second: int, microsecond: int, fold: int, zone: tzinfo | None) -> time:
    return time(hour, minute, second, microsecond, zone, fold=fold)


def _make_datetime(year: int, month: int, day: int, *rest: Any) -> datetime:
    return datetime.combine(date(year, month, day), _make_time(*rest))


def _timezone(value: timezone) -> tuple[Any, ...]:
    # The offset, and the name if it was given one: what pickling asks for.
    arguments: tuple[Any, ...] = value.__getinitargs__()  # type: ignore[attr-defined]
    return arguments


def _make_zone(key: str) -> ZoneInfo:
    try:
        return ZoneInfo(key)
    except ZoneInfoNotFoundError as error:
        raise Unsupported(f"the time zone {key} is not known here", hint="Install tzdata.") from error


ATOMS = (
    Atom(16, date, lambda value: (value.year, value.month, value.day), date),
    Atom(17, time, _time, _make_time),
    Atom(18, datetime, lambda value: (value.year, value.month, value.day, *_time(value)), _make_datetime),
    Atom(19, timedelta, lambda value: (value.days, value.seconds, value.microseconds), timedelta),
    Atom(20, timezone, _timezone, timezone),
    # A zone read from a file of no name can't be found again.
    Atom(21, ZoneInfo, lambda value: None if value.key is None else (value.key,), _make_zone),
    Atom(22, Decimal, lambda value: (str(value),), Decimal),
    Atom(23, Fraction, lambda value: (value.numerator, value.denominator), Fraction),
    Atom(
        24,
        UUID,
        lambda value: (value.bytes, value.is_safe.value),
        lambda data, is_safe: UUID(bytes=data, is_safe=SafeUUID(is_safe)),
    ),
    Atom(25, PurePosixPath, lambda value: (str(value),), PurePosixPath),
    Atom(26, PureWindowsPath, lambda value: (str(value),), PureWindowsPath),
    # A path of the other system can still be looked at.
    Atom(27, PosixPath, lambda value: (str(value),), PosixPath if os.name == "posix" else PurePosixPath),
    Atom(28, WindowsPath, lambda value: (str(value),), WindowsPath if os.name == "nt" else PureWindowsPath),
)
