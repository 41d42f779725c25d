"""Times as files write them (epoch numbers of any unit, ISO text, with a zone or without) → one UTC index."""

from __future__ import annotations

import contextlib
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd

from liqlab.market.clock import distances, nanoseconds, timedelta, timeframe_of

__all__ = ["begins_of_bars", "instants", "stamps"]

_FIRST = pd.Timestamp("2009-01-01", tz="UTC")  # no exchange is older than bitcoin
_UTC = pd.DatetimeTZDtype("us", "UTC")
_NONE = np.zeros(1, bool)
_OFFSET = r"(?:Z|:\d\d.*[+-]\d\d(?::?\d\d)?)$"
_REMEDY = "write ISO times (2024-05-01 07:00+00:00) or epoch s, ms, µs or ns"


def stamps(column: pd.Series, *, file: str, now: pd.Timestamp, zone: str | None = None) -> pd.DatetimeIndex:
    """Times of any understood spelling as a UTC index [µs].

    Parameters
    ----------
    column : Series (rows,)
        Epoch numbers, whose unit (s, ms, µs, ns) is seen from each number's magnitude; ISO strings; datetimes.
    file : str
        What to call the table in messages.
    now : Timestamp
        Times must lie between 2009 and a day after it.
    zone : str, optional
        Zone of times that carry none. None: they are read as UTC, with a warning.

    Raises
    ------
    ValueError
        Where a time is missing, unreadable, out of range, or falls into a clock change of its zone.

    Examples
    --------
    >>> stamps(pd.Series([1714521600, 1714521900000]), file="x.csv", now=pd.Timestamp("2024-06-01", tz="UTC"))[1]
    Timestamp('2024-05-01 00:05:00+0000', tz='UTC')
    """
    ready = _ready(column, now)
    if ready is not None:
        return ready
    if column.isna().any():
        _refuse_time(column, column.isna().to_numpy(), file, "is missing", "drop or complete the row")
    values = column.infer_objects() if column.dtype == object else column
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        index = pd.DatetimeIndex(values)
        index = index.tz_convert("UTC") if index.tz is not None else _localised(index, column, zone, file)
    elif (quick := _quick(values)) is not None:
        index = quick if quick.tz is not None else _localised(quick, column, zone, file)
    else:
        numbers = pd.to_numeric(values, errors="coerce")
        if numbers.notna().any():
            _refuse_time(column, numbers.isna().to_numpy(), file, "is not a number like the others", _REMEDY)
            index = _from_epoch(numbers, column, now, file)
        else:
            index = _from_text(values.astype(str), column, zone, file)
    last = now + pd.Timedelta(days=1)
    outside = (
        (index < _FIRST) | (index > last) if len(index) and (index.min() < _FIRST or index.max() > last) else _NONE
    )
    _refuse_time(column, outside, file, f"lies outside {_FIRST:%Y-%m-%d} … {now:%Y-%m-%d} + 1 day", _REMEDY)
    return index.as_unit("us").rename("time")


def _ready(column: pd.Series, now: pd.Timestamp) -> pd.DatetimeIndex | None:
    """Whole epoch milliseconds, or datetimes in UTC [µs], if all are in range: most tables; None for all else."""
    first, last = (int(moment.timestamp()) * 1000 for moment in (_FIRST, now + pd.Timedelta(days=1)))
    if column.dtype == np.int64 and len(column):
        whole = column.to_numpy()
        if first <= whole.min() and whole.max() <= last:
            return pd.DatetimeIndex((whole * 1000).view("datetime64[us]"), dtype=_UTC, name="time", copy=False)
    elif isinstance(column.dtype, pd.DatetimeTZDtype) and column.dtype.unit == "us" and len(column):
        index = pd.DatetimeIndex(column, name="time").tz_convert("UTC")
        if first <= index.asi8.min() // 1000 and index.asi8.max() // 1000 <= last:  # a missing one lies far below
            return index
    return None


def _refuse_time(column: pd.Series, bad: Any, file: str, what: str, remedy: str) -> None:
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        value = column.iloc[row]
        raise ValueError(f"{file}: column {column.name!r}, row {row} is {_shown(value)}: it {what} "
                         f"({int(bad.sum())} such row(s)); {remedy}")  # fmt: skip


def _shown(value: Any) -> str:
    """A stamp as its table has it. Years that Python's own dates do not know are written by numpy."""
    if isinstance(value, pd.Timestamp) and not 1 <= value.year <= 9999:
        return str(value.asm8)
    return repr(value) if isinstance(value, str) else str(value)


def _from_epoch(numbers: pd.Series, column: pd.Series, now: pd.Timestamp, file: str) -> pd.DatetimeIndex:
    """Each number by its own magnitude: archives have changed their unit from one month to the next."""
    size = numbers.to_numpy("float64")
    whole = numbers.to_numpy("int64") if pd.api.types.is_integer_dtype(numbers.dtype) else None
    first, last = _FIRST.timestamp(), (now + pd.Timedelta(days=1)).timestamp()
    micros, understood = np.zeros(len(size), "int64"), np.zeros(len(size), bool)
    for per_second in (1, 10**3, 10**6, 10**9):  # the four ranges cannot overlap: last < 1000 · first
        here = (size >= first * per_second) & (size <= last * per_second)
        if whole is None:
            micros[here] = np.rint(size[here] * (1e6 / per_second)).astype("int64")
        else:
            micros[here] = whole[here] * (10**6 // per_second) if per_second <= 10**6 else whole[here] // 1000
        understood |= here
    span = f"is no epoch s, ms, µs or ns between {_FIRST:%Y-%m-%d} and {now:%Y-%m-%d} + 1 day"
    _refuse_time(column, ~understood, file, span, _REMEDY)
    return pd.DatetimeIndex(micros.view("datetime64[us]")).tz_localize("UTC")


def _from_text(text: pd.Series, column: pd.Series, zone: str | None, file: str) -> pd.DatetimeIndex:
    text = text.str.strip().str.replace(r"\s*(?:UTC|GMT)$", "Z", regex=True)
    moments = pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce")
    _refuse_time(column, moments.isna().to_numpy(), file, "is not an ISO time", _REMEDY)
    index = pd.DatetimeIndex(moments)
    bare = ~text.str.contains(_OFFSET).to_numpy(bool)
    if bare.any():
        micros = index.as_unit("us").asi8.copy()
        micros[bare] = _localised(index[bare].tz_localize(None), column[bare], zone, file).as_unit("us").asi8
        index = pd.DatetimeIndex(micros.view("datetime64[us]")).tz_localize("UTC")
    return index


def _quick(values: pd.Series) -> pd.DatetimeIndex | None:
    """ISO times that all carry an offset, or none of them, by arrow; None where it is not that simple."""
    import pyarrow as pa

    if pd.api.types.is_numeric_dtype(values.dtype) or not all(isinstance(one, str) for one in values.head(3)):
        return None
    for kind in (pa.timestamp("us", "UTC"), pa.timestamp("us")):
        with contextlib.suppress(pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
            text = pa.array(values)
            if not (pa.types.is_string(text.type) or pa.types.is_large_string(text.type)):
                return None
            moments = _micros(text, kind).view("datetime64[us]")
            return pd.DatetimeIndex(moments, dtype=_UTC if kind.tz else None, copy=False)
    return None


def _micros(text: Any, kind: Any) -> np.ndarray:
    """ISO times as numbers [µs]; arrow casts on one core, so that two share a year of minutes."""
    half = len(text) // 2
    with ThreadPoolExecutor(2) as pool:
        parts = pool.map(lambda part: part.cast(kind).cast("int64"), (text[:half], text[half:]))
        return np.concatenate([part.to_numpy(zero_copy_only=False) for part in parts])


def _localised(naive: pd.DatetimeIndex, column: pd.Series, zone: str | None, file: str) -> pd.DatetimeIndex:
    if zone is None:
        warnings.warn(f"{file}: {len(naive)} time(s) carry no zone and were read as UTC; pass timezone='UTC' if that "
                      "is right, else the zone they are in, such as timezone='Europe/Berlin'",
                      stacklevel=2)  # fmt: skip
        return naive.tz_localize("UTC")
    local = naive.tz_localize(zone, ambiguous="NaT", nonexistent="NaT")
    skipped = naive.tz_localize(zone, ambiguous=np.zeros(len(naive), bool), nonexistent="NaT").isna()
    remedy = "write the times with their offset, or in UTC"
    _refuse_time(column, skipped, file, f"does not exist in {zone} (the clock was put forward)", remedy)
    _refuse_time(column, local.isna(), file, f"stands for two moments in {zone} (the clock was put back)", remedy)
    return local.tz_convert("UTC")


_MINUTE = 60 * 10**9
_JUST_BEFORE = (10**3, 10**6, 10**9)  # …59.999999, …59.999, …59


def begins_of_bars(
    index: pd.DatetimeIndex, *, closes: bool, ends: pd.Series | None, timeframe: str, file: str
) -> tuple[pd.DatetimeIndex, str]:
    """Stamps of bars → their opens, where the stamps show that they are closes.

    Parameters
    ----------
    index : DatetimeIndex (bar,)
        Ascending.
    closes : bool
        The layout is known to stamp by closes.
    ends : Series (some bars,), optional
        What stands beside some of them as the bars' closes, indexed by the stamps.
    timeframe : str
        Length of a bar where it is told.
    file : str
        What to call it in messages.

    Returns
    -------
    index : DatetimeIndex (bar,)
    note : str
        ``stamps: closes → opens`` where they were, else empty.

    Raises
    ------
    ValueError
        Where the closes beside them belong to bars of another length or place, or a single close stands alone.

    Examples
    --------
    >>> closes = pd.DatetimeIndex(["2024-05-01 00:59:59.999", "2024-05-01 01:59:59.999"], tz="UTC")
    >>> begins_of_bars(closes, closes=False, ends=None, timeframe="", file="x.csv")[0].strftime("%H:%M").tolist()
    ['00:00', '01:00']
    """
    last = int(nanoseconds(index[-1:])[0])
    just_before = next((gap for gap in _JUST_BEFORE if (last + gap) % _MINUTE == 0
                        and ((nanoseconds(index) + gap) % _MINUTE == 0).all()), 0)  # fmt: skip
    if ends is not None and not closes:
        step = _step(index, timeframe)
        closes = _are_the_ends(nanoseconds(ends.index), nanoseconds(pd.DatetimeIndex(ends)), step, file)
    if not (closes or just_before):
        return index, ""
    step = _step(index, timeframe)
    if step is None:
        raise ValueError(f"{file}: its one stamp, {index[0]}, is the close of a bar whose length cannot be seen; pass "
                         "timeframe='1h' or the like")  # fmt: skip
    opens = (nanoseconds(index) + just_before - step).astype("datetime64[ns]")
    return pd.DatetimeIndex(opens).tz_localize("UTC").as_unit("us").rename("time"), "stamps: closes → opens"


def _step(index: pd.DatetimeIndex, timeframe: str) -> int | None:
    """Length of a bar [ns]: as told, else the shortest distance of two different stamps."""
    if timeframe:
        return int(timedelta(timeframe, "timeframe").as_unit("ns").value)
    if len(index) > 1 and (shortest := distances(index.asi8)[0]) > 0:
        return int(pd.Timedelta(shortest, unit=index.unit).as_unit("ns").value)
    apart = np.diff(nanoseconds(index))
    return int(apart[apart > 0].min()) if (apart > 0).any() else None


def _are_the_ends(moments: np.ndarray, ends: np.ndarray, step: int | None, file: str) -> bool:
    """Whether stamps and the closes beside them are the same; they may also be a bar apart, and nothing else."""
    second = 10**9
    apart = ends - moments
    if (np.abs(apart) <= second).mean() > 0.95:
        return True
    if step is None or (np.abs(apart - step) <= second).mean() > 0.95:
        return False
    row = int(np.flatnonzero(np.abs(apart - step) > second)[0])
    bar = timeframe_of(pd.Timedelta(step, unit="ns"))
    told = pd.Timedelta(int(apart[row]), unit="ns")
    stamp = pd.Timestamp(moments[row], tz="UTC")
    off = int((np.abs(apart - step) > second).sum())
    raise ValueError(f"{file}: the bar at {stamp} closes {told} later by its column of closes, but the rows are {bar} "
                     f"apart, in {off} of {len(apart)} rows looked at; drop the column that is wrong")  # fmt: skip


# From this day on Binance's open-interest history is labelled by the begin of its five minutes, before by their end.
_RELABELLED = pd.Timestamp("2026-06-25", tz="UTC")
_PERIOD = pd.Timedelta(5, "min")


def instants(labels: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Labels of Binance's ``metrics`` archive → the instants at which these snapshots were taken.

    Up to 24 June 2026 a label is the instant itself (a day's file runs from 00:05 to 00:00 of the next day); since then
    it lies five minutes before it (00:00 … 23:55), which nothing announces. Read as it stands, such a value would be
    known five minutes early.

    Parameters
    ----------
    labels : DatetimeIndex (rows,)
        The labels of one file, in its order.

    Returns
    -------
    DatetimeIndex (rows,)
        Five minutes later where the new meaning holds.

    Assumptions
    -----------
    - The label of that midnight is the end of the old day where older rows stand beside it, else the begin of the new
      one; where it stands twice, the first is the old one.
    - Should the change have been undone since, the values come five minutes late: never too early.

    Examples
    --------
    >>> instants(pd.DatetimeIndex(["2026-06-24 00:05", "2026-06-26 00:00"], tz="UTC")).strftime("%H:%M").tolist()
    ['00:05', '00:05']
    """
    if len(labels) == 0:
        return labels
    late = np.asarray(labels > _RELABELLED)
    edge = np.flatnonzero(np.asarray(labels == _RELABELLED))
    old_day_here = bool((labels < _RELABELLED).any())
    late[edge[1:] if old_day_here else edge] = True
    return pd.DatetimeIndex(labels.where(~late, labels + _PERIOD))
