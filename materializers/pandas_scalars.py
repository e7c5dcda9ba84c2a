"""Atoms of pandas: points in time and durations in their unit, spans, intervals, and what is missing."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

import numpy as np
import pandas as pd

from .atoms import Atom


def zone_name(zone: tzinfo) -> str | None:
    """The name by which this pandas knows just this zone; another one may make it of another library's type."""
    name = str(zone)
    try:
        known = pd.DatetimeTZDtype("ns", name).tz
    except (LookupError, TypeError, ValueError):
        return None
    # One zone of pytz is many objects, told apart by what they were last asked for.
    is_known = type(known) is type(zone) and (known == zone or hasattr(zone, "zone"))
    return name if is_known else None


def _timestamp(value: Any) -> tuple[int, str, str | tzinfo | None]:
    zone = value.tzinfo
    return int(value.asm8.view("i8")), value.unit, None if zone is None else zone_name(zone) or zone


def _make_timestamp(count: int, unit: str, zone: str | tzinfo | None) -> Any:
    moment = pd.Timestamp(np.array(count, f"M8[{unit}]")[()])
    return moment if zone is None else moment.tz_localize("UTC").tz_convert(zone)


def _timedelta(value: Any) -> tuple[int, str]:
    return int(value.asm8.view("i8")), value.unit


def _make_timedelta(count: int, unit: str) -> Any:
    return pd.Timedelta(np.array(count, f"m8[{unit}]")[()])


def _period(value: Any) -> tuple[int, str]:
    return value.ordinal, value.freqstr


def _make_period(ordinal: int, frequency: str) -> Any:
    return pd.Period(ordinal=ordinal, freq=frequency)


ATOMS = (
    Atom(48, pd.Timestamp, _timestamp, _make_timestamp),
    Atom(49, pd.Timedelta, _timedelta, _make_timedelta),
    Atom(50, pd.Period, _period, _make_period),
    Atom(51, pd.Interval, lambda value: (value.left, value.right, value.closed), pd.Interval),
    Atom(52, type(pd.NaT), lambda _: (), lambda: pd.NaT),
    Atom(53, type(pd.NA), lambda _: (), lambda: pd.NA),
)
