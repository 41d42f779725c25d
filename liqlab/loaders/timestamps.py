"""Times as files write them (epoch numbers of any unit, ISO text, with a zone or without) → one UTC index."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["stamps"]

_FIRST = pd.Timestamp("2009-01-01", tz="UTC")  # no exchange is older than bitcoin
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
    if column.isna().any():
        _refuse_time(column, column.isna().to_numpy(), file, "is missing", "drop or complete the row")
    values = column.infer_objects()
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        index = pd.DatetimeIndex(values)
        index = index.tz_convert("UTC") if index.tz is not None else _localised(index, column, zone, file)
    else:
        numbers = pd.to_numeric(values, errors="coerce")
        if numbers.notna().any():
            _refuse_time(column, numbers.isna().to_numpy(), file, "is not a number like the others", _REMEDY)
            index = _from_epoch(numbers, column, now, file)
        else:
            index = _from_text(values.astype(str).str.strip(), column, zone, file)
    outside = (index < _FIRST) | (index > now + pd.Timedelta(days=1))
    _refuse_time(column, outside, file, f"lies outside {_FIRST:%Y-%m-%d} … {now:%Y-%m-%d} + 1 day", _REMEDY)
    return index.as_unit("us").rename("time")


def _refuse_time(column: pd.Series, bad: Any, file: str, what: str, remedy: str) -> None:
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        value = column.iloc[row]
        shown = repr(value) if isinstance(value, str) else str(value)
        raise ValueError(f"{file}: column {column.name!r}, row {row} is {shown}: it {what} "
                         f"({int(bad.sum())} such row(s)); {remedy}")  # fmt: skip


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
    text = text.str.replace(r"\s*(?:UTC|GMT)$", "Z", regex=True)
    moments = pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce")
    _refuse_time(column, moments.isna().to_numpy(), file, "is not an ISO time", _REMEDY)
    index = pd.DatetimeIndex(moments)
    bare = ~text.str.contains(_OFFSET).to_numpy(bool)
    if bare.any():
        micros = index.as_unit("us").asi8.copy()
        micros[bare] = _localised(index[bare].tz_localize(None), column[bare], zone, file).as_unit("us").asi8
        index = pd.DatetimeIndex(micros.view("datetime64[us]")).tz_localize("UTC")
    return index


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
