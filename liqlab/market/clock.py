"""One clock for all tables: UTC everywhere, durations in ccxt's spelling, zones dropped in one place."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["between", "naive", "nanoseconds", "step_of", "timedelta", "timeframe_of", "utc"]


_AMBIGUOUS = re.compile(r"\s*\d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b")


def utc(moment: Any) -> pd.Timestamp:
    """A moment as a UTC timestamp; without a zone it is read as UTC.

    >>> utc("2024-05-01 07:00")
    Timestamp('2024-05-01 07:00:00+0000', tz='UTC')
    """
    if isinstance(moment, str) and _AMBIGUOUS.match(moment):
        raise ValueError(f"day or month first? {moment!r} can be read both ways; write it as '2024-05-01 07:00' (UTC)")
    try:
        stamp = pd.Timestamp(moment)
    except (ValueError, TypeError) as error:
        raise ValueError(f"not a moment in time: {moment!r}; write it as '2024-05-01 07:00' (UTC)") from error
    if stamp is pd.NaT:
        raise ValueError(f"not a moment in time: {moment!r}; write it as '2024-05-01 07:00' (UTC)")
    return stamp.tz_localize("UTC") if stamp.tz is None else stamp.tz_convert("UTC")


def naive(index: pd.Index) -> np.ndarray:
    """UTC index → ``datetime64[ns]`` without a zone, as xarray wants it: the one place where zones are dropped."""
    return pd.DatetimeIndex(index).tz_convert("UTC").tz_localize(None).as_unit("ns").to_numpy()


def nanoseconds(index: pd.Index) -> np.ndarray:
    """UTC index → int64 nanoseconds since 1970, whatever unit the index is stored in."""
    if not isinstance(index, pd.DatetimeIndex) or index.tz is None:
        return naive(index).astype(np.int64)
    return index.asi8 * (10**9 // _PER_SECOND[index.unit]) if index.unit != "ns" else index.asi8.copy()


def step_of(table: pd.DataFrame, timeframe: str = "") -> pd.Timedelta:
    """Length of a table's bar: the stated time frame, else the smallest distance of two rows.

    A single row cannot show it; a table that `Market.until` has cut to one remembers it (``attrs["timeframe"]``).
    """
    if timeframe:
        return timedelta(timeframe)
    if len(table) < 2 and "timeframe" in table.attrs:
        return timedelta(table.attrs["timeframe"])
    if len(table) < 2:
        raise ValueError("the time frame of a table of one row cannot be seen; pass timeframe='1h' or the like")
    index = pd.DatetimeIndex(table.index)
    return pd.Timedelta(int(np.diff(index.asi8).min()), unit=index.unit)


_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def timedelta(timeframe: Any) -> pd.Timedelta:
    """ccxt's time frame as a duration: ``5m``, ``1h``, ``1d``; a Timedelta passes through.

    >>> timedelta("15m")
    Timedelta('0 days 00:15:00')
    """
    if isinstance(timeframe, str):
        number, unit = timeframe[:-1], timeframe[-1:]  # M would be a month: not a fixed length, so refused
        if number.isdigit() and int(number) > 0 and unit in _UNITS:
            return pd.Timedelta(seconds=int(number) * _UNITS[unit])
        raise ValueError(f"not a time frame: {timeframe!r}; write 1m, 5m, 15m, 1h, 4h, 1d or 7d")
    length = pd.Timedelta(timeframe)
    if not length > pd.Timedelta(0):
        raise ValueError(f"a duration must be positive, got {timeframe!r}; pass '24h' or '7d'")
    return length


def timeframe_of(step: pd.Timedelta) -> str:
    """A duration in ccxt's spelling.

    >>> timeframe_of(pd.Timedelta("15min"))
    '15m'
    """
    seconds = int(step.total_seconds())
    for unit in ("d", "h", "m"):
        if seconds >= _UNITS[unit] and seconds % _UNITS[unit] == 0:
            return f"{seconds // _UNITS[unit]}{unit}"
    return f"{seconds}s"


def between(stamps: np.ndarray, start: Any, end: Any) -> np.ndarray:
    """Which stamps [ns] lie in the half-open range ``[start, end)``; None is no bound.

    >>> between(np.array([0, 60]), None, pd.Timestamp(60))
    array([ True, False])
    """
    first = -(2**62) if start is None else utc(start).as_unit("ns").value
    last = 2**62 if end is None else utc(end).as_unit("ns").value
    if start is not None and end is not None and first >= last:
        raise ValueError(f"start must be before end, got {start} and {end}")
    return (stamps >= first) & (stamps < last)
