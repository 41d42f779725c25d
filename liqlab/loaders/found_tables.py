"""A table as it was found, before its columns are understood: one level of names, stamps in a column, whose it is."""

from __future__ import annotations

import re

import pandas as pd

from liqlab.loaders.layouts import LAYOUTS, fold

__all__ = ["told_venue", "with_stamps"]

_IN_UTC = re.compile(r"[\s_]*\(?\b(?:UTC|GMT)\)?$", re.IGNORECASE)
_NO_ZONE = r"\d{4}\D\d\d?\D\d\d?(?:[T ]\d\d?:\d\d(?::\d\d(?:\.\d+)?)?)?"


def with_stamps(frame: pd.DataFrame, file: str) -> pd.DataFrame:
    """The table with one level of columns, and its stamps in a column that bears a name.

    Examples
    --------
    >>> table = pd.DataFrame({"Date": ["2024.05.01"], "Time": ["07:00"], "Close": [60_000.0]})
    >>> with_stamps(table, "x.csv").to_dict("list")
    {'Time': ['2024-05-01 07:00'], 'Close': [60000.0]}
    """
    return _told_in_utc(_joined_stamps(_with_index(_flat(frame, file))))


def _told_in_utc(found: pd.DataFrame) -> pd.DataFrame:
    """Times whose column says that they are in UTC, ``Time(UTC)``: it is written behind each that says nothing.

    >>> _told_in_utc(pd.DataFrame({"Time (UTC)": ["2024-05-01 07:00"], "Rate": [1e-4]})).iloc[0, 0]
    '2024-05-01 07:00Z'
    """
    for place, name in enumerate(found.columns):
        bare = _IN_UTC.sub("", str(name))
        if bare == name or not _is_time(bare) or fold(bare) in set(map(fold, found.columns)):
            continue
        column = found[name]
        if not (pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_datetime64_any_dtype(column.dtype)):
            text = column.astype(str).str.strip()
            column = text.where(~text.str.fullmatch(_NO_ZONE), text + "Z")
        found = found.drop(columns=name)
        found.insert(place, bare, column)
    return found


def _flat(frame: pd.DataFrame, file: str) -> pd.DataFrame:
    """Columns of two levels, of which one names the only symbol, as columns of one."""
    if not isinstance(frame.columns, pd.MultiIndex):
        return frame
    levels = [level for level, values in enumerate(zip(*frame.columns, strict=True)) if len(set(values)) > 1]
    if len(levels) > 1:
        first = ", ".join(map(str, frame.columns[:3]))
        raise ValueError(f"{file}: the columns have {len(levels)} levels, {first} …; pass those of one symbol: "
                         "frame.xs('BTC-USD', axis=1, level=1)")  # fmt: skip
    return frame.set_axis(frame.columns.get_level_values(levels[0] if levels else 0), axis=1)


def _joined_stamps(found: pd.DataFrame) -> pd.DataFrame:
    """A column of days beside one of clock times becomes one of times; a first column without a name is one."""
    names = {fold(name): name for name in found.columns}
    if {"date", "time"} <= set(names) and len(found):
        day, clock = found[names["date"]], found[names["time"]].astype(str)
        if clock.str.fullmatch(r"\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?").all():
            days = day.astype(str).str.replace(".", "-", regex=False)
            found = found.drop(columns=names["date"]).assign(**{names["time"]: days + " " + clock.str.zfill(5)})
    first = str(found.columns[0])
    if (not first or first.startswith("Unnamed: ")) and not any(_is_time(str(name)) for name in found.columns):
        return found.set_axis(["time", *found.columns[1:]], axis=1)
    return found


def _with_index(frame: pd.DataFrame) -> pd.DataFrame:
    """An index of times becomes the column ``time``, a named one a column of its name."""
    index = frame.index
    if isinstance(index, pd.RangeIndex) and index.name is None:
        return frame
    name = str(index.name) if index.name is not None else "time" if isinstance(index, pd.DatetimeIndex) else ""
    if isinstance(index, pd.DatetimeIndex) and not _is_time(name):
        name = "time"
    if not name or fold(name) in {fold(column) for column in frame.columns}:
        return frame.reset_index(drop=True)
    found = frame.reset_index(drop=True)
    found.insert(0, name, index)
    return found


def _is_time(name: str) -> bool:
    return any(fold(name) == fold(theirs) for layout in LAYOUTS for theirs, ours in layout.columns.items()
               if ours in ("time", "close_time"))  # fmt: skip


# Names that data vendors give to the venues.
_VENDORS = {"binance-futures": "binanceusdm", "binance-delivery": "binancecoinm", "okex-swap": "okx",
            "okex-futures": "okx", "okex": "okx", "huobi-dm-linear-swap": "htx", "huobi-dm-swap": "htx", "huobi": "htx",
            "gate-io-futures": "gate", "gateio": "gate", "cryptofacilities": "krakenfutures"}  # fmt: skip


def told_venue(found: pd.DataFrame, exchange: str, file: str) -> str:
    """The venue that a column ``exchange`` names."""
    column = next((name for name in found.columns if fold(name) == "exchange"), None)
    if column is None:
        return ""
    names = [str(name).lower() for name in found[column].dropna().unique()]
    if len(names) > 1:
        raise ValueError(f"{file}: rows of {len(names)} venues, {', '.join(names[:10])}; pass those of one")
    venue = _VENDORS.get(names[0], names[0]) if names else ""
    if exchange and venue and exchange[:3] != venue[:3]:
        raise ValueError(f"{file}: its column {column!r} says {names[0]!r}, but exchange says {exchange!r}; pass a "
                         "table of that venue")  # fmt: skip
    return venue
