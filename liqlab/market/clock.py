"""One clock for all tables: UTC everywhere, durations in ccxt's spelling, zones dropped in one place."""

from __future__ import annotations

import numbers
import re
from datetime import timedelta as timedelta_type
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["between", "distances", "naive", "nanoseconds", "span_of", "step_of", "timedelta", "timeframe_of", "utc"]


_AMBIGUOUS = re.compile(r"\s*\d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b")
_CLOCK_ALONE = re.compile(r"\s*\d{1,2}:\d{2}(:\d{2})?\s*$")
_AS_TEXT = "write it as '2024-05-01 07:00' (UTC)"
_YEAR = 365 * 86_400 * 10**9  # [ns] that a number of seconds or the like may lie outside of the data it speaks of


def utc(moment: Any, *, name: str = "moment", span: tuple[int, int] | None = None) -> pd.Timestamp:
    """A moment as a UTC timestamp; without a zone it is read as UTC.

    Parameters
    ----------
    moment : time-like
        A bare number is taken only where exactly one unit of s, ms, µs and ns puts it within a year of the `span`.
    name : str
        What to call it in messages.
    span : (int, int), optional
        First and last moment [ns since 1970] of the data that it speaks of.

    Examples
    --------
    >>> utc("2024-05-01 07:00")
    Timestamp('2024-05-01 07:00:00+0000', tz='UTC')
    """
    if isinstance(moment, bool | np.bool_ | timedelta_type | np.timedelta64):
        raise TypeError(f"{name} must be a moment in time, got {moment!r}; {_AS_TEXT}")
    if isinstance(moment, numbers.Number | np.number):
        return _of_number(moment, name, span)
    if isinstance(moment, str) and _AMBIGUOUS.match(moment):
        raise ValueError(f"{name}: day or month first? {moment!r} can be read both ways; {_AS_TEXT}")
    if isinstance(moment, str) and _CLOCK_ALONE.match(moment):
        raise ValueError(f"{name}: {moment!r} has no day; {_AS_TEXT}")
    try:
        stamp = pd.Timestamp(moment)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{name}: not a moment in time: {_brief(moment)}; {_AS_TEXT}") from error
    if stamp is pd.NaT:
        raise ValueError(f"{name}: not a moment in time: {_brief(moment)}; {_AS_TEXT}")
    try:
        return (stamp.tz_localize("UTC") if stamp.tz is None else stamp.tz_convert("UTC")).as_unit("ns")
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{name}: {_brief(moment)} is beyond the years 1678 to 2261; {_AS_TEXT}") from error


def _of_number(number: Any, name: str, span: tuple[int, int] | None) -> pd.Timestamp:
    """The one moment near the data that a bare number can mean, or a refusal."""
    shown = number.item() if isinstance(number, np.generic) else number
    if isinstance(shown, complex) or not np.isfinite(float(shown)):
        raise ValueError(f"{name}: not a moment in time: {shown!r}; {_AS_TEXT}")
    if span is None:
        raise ValueError(f"{name}: the number {shown!r} does not say whether it counts s, ms, µs or ns; {_AS_TEXT}, or "
                         "pd.Timestamp(…, unit='ms', tz='UTC')")  # fmt: skip
    meant = [unit for unit, per in _PER_SECOND.items()
             if span[0] - _YEAR <= float(shown) * (10**9 // per) <= span[1] + _YEAR]  # fmt: skip
    if len(meant) != 1:
        first, last = (f"{pd.Timestamp(x):%Y-%m-%d}" for x in span)
        found = f"as {' and as '.join(meant)}" if meant else "in no unit of s, ms, µs, ns"
        raise ValueError(f"{name}: the number {shown!r} lies within a year of the data ({first} to {last}) {found}; "
                         f"{_AS_TEXT}, or pd.Timestamp(…, unit='ms', tz='UTC')")  # fmt: skip
    return pd.Timestamp(int(shown * (10**9 // _PER_SECOND[meant[0]])), unit="ns", tz="UTC")


def _brief(value: Any) -> str:
    """A value as a message shows it: what is long by its type alone."""
    text = repr(value) if isinstance(value, str | int | float | type(None)) else ""
    return text if 0 < len(text) <= 80 else type(value).__name__


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
        return timedelta(timeframe, "timeframe")
    if len(table) < 2 and "timeframe" in table.attrs:
        return timedelta(table.attrs["timeframe"])
    if len(table) < 2:
        raise ValueError("the time frame of a table of one row cannot be seen; pass timeframe='1h' or the like")
    index = pd.DatetimeIndex(table.index)
    return pd.Timedelta(distances(index.asi8)[0], unit=index.unit)


def distances(stamps: np.ndarray) -> tuple[int, int]:
    """Shortest and longest distance of two neighbours, of at least two stamps; by parts that a cache holds.

    >>> distances(np.array([0, 60, 180]))
    (60, 120)
    """
    parts = [np.diff(stamps[first : first + _PART + 1]) for first in range(0, len(stamps) - 1, _PART)]
    return min(int(part.min()) for part in parts), max(int(part.max()) for part in parts)


_PART = 1 << 15


_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def timedelta(timeframe: Any, name: str = "duration") -> pd.Timedelta:
    """A duration: ccxt's time frame, ``5m``, ``1h``, ``3d``; a Timedelta passes through, a bare number does not.

    >>> timedelta("15m")
    Timedelta('0 days 00:15:00')
    >>> timedelta(3, "lookback")
    Traceback (most recent call last):
        ...
    ValueError: lookback: the number 3 has no unit; write '3d', '3h' or '3m'
    """
    if isinstance(timeframe, str):
        number, unit = timeframe[:-1], timeframe[-1:]  # M would be a month: not a fixed length, so refused
        if number.isdecimal() and len(number) < 10 and int(number) > 0 and unit in _UNITS:
            return _length(pd.Timedelta(seconds=1), int(number) * _UNITS[unit], timeframe, name)
        raise ValueError(f"{name}: not a time frame: {timeframe!r}; write 1m, 5m, 15m, 1h, 4h, 1d or 7d")
    if isinstance(timeframe, numbers.Number | np.number | np.bool_) and not isinstance(timeframe, np.timedelta64):
        whole = float(timeframe) if isinstance(timeframe, int | float | np.number) else 0.0
        shown = int(whole) if whole.is_integer() and 1 < whole < 10_000 else 3
        raise ValueError(f"{name}: the number {timeframe!r} has no unit; write '{shown}d', '{shown}h' or '{shown}m'")
    if isinstance(timeframe, np.timedelta64) and np.datetime_data(timeframe)[0] == "generic":
        raise ValueError(f"{name}: {timeframe!r} has no unit; write '3d', '3h' or '3m'")
    if not isinstance(timeframe, timedelta_type | np.timedelta64 | pd.tseries.offsets.Tick):
        raise TypeError(f"{name} must be a duration, got {_brief(timeframe)}; write '24h' or '7d'")
    length = _length(pd.Timedelta(timeframe), 1, timeframe, name)
    if not length > pd.Timedelta(0):
        raise ValueError(f"{name}: a duration must be positive, got {timeframe!r}; pass '24h' or '7d'")
    return length


def _length(unit: pd.Timedelta, times: int, given: Any, name: str) -> pd.Timedelta:
    """So many units, where nanoseconds can count them."""
    try:
        return (unit * times).as_unit("ns").as_unit(unit.unit)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{name}: {given!r} is more than 292 years; write '24h' or '7d'") from error


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
    span = span_of(stamps)
    first = -(2**62) if start is None else utc(start, name="start", span=span).as_unit("ns").value
    last = 2**62 if end is None else utc(end, name="end", span=span).as_unit("ns").value
    if start is not None and end is not None and first >= last:
        raise ValueError(f"start must be before end, got {start} and {end}; swap them, or choose a later end")
    return (stamps >= first) & (stamps < last)


def span_of(stamps: np.ndarray) -> tuple[int, int] | None:
    """First and last of ascending moments [ns], for `utc`; None where there are none."""
    return (int(stamps[0]), int(stamps[-1])) if len(stamps) else None
