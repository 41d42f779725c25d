"""Append, load, what is still missing, and repair: the verbs that fetching needs."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from liqlab.loaders.store import month as months
from liqlab.loaders.store.files import check_key, rows_of, sound
from liqlab.loaders.store.keys import COLUMNS, Key, month_file
from liqlab.loaders.store.locked_writes import locked, publish
from liqlab.loaders.store.month import DamagedError, Month, Range
from liqlab.market import market
from liqlab.market.clock import nanoseconds, timedelta, utc

__all__ = ["append", "load", "missing", "repair"]

_AHEAD = pd.Timedelta(1, "h")  # clocks differ; but nothing can be complete that lies farther in the future


def missing(key: Key, start: Any, end: Any, *, store: Any = None) -> list[Range]:
    """The ranges of ``[start, end)`` that are not yet known as complete.

    Parameters
    ----------
    key : Key
        The series.
    start, end : time-like
        Half-open range; UTC if they carry no zone.
    store : path, optional
        Folder of the store, see `folder`.

    Returns
    -------
    list of (Timestamp, Timestamp)
        Half-open, ascending, disjoint; empty when everything is there. What was answered with *nothing* (before a
        listing, in a halt) counts as known.

    Raises
    ------
    ValueError
        Where start is not before end, or a file of the range is damaged; the message names the file.
    """
    first, last = _range(start, end)
    known: list[Range] = []
    for name, _, _ in _months(first, last):
        file = month_file(key, name, store)
        notes = months.read_notes(file)
        check_key(notes, key, file)
        known += months.covered(notes) if notes else []
    return months.minus(first, last, months.joined(known))


def load(key: Key, start: Any, end: Any, *, store: Any = None) -> pd.DataFrame:
    """The stored rows of ``[start, end)``, whether the range is complete or not.

    Parameters
    ----------
    key : Key
        The series.
    start, end : time-like
        Half-open range; UTC if they carry no zone.
    store : path, optional
        Folder of the store, see `folder`.

    Returns
    -------
    DataFrame (time,)
        float64, index in UTC, ascending, unique. Without rows where there are none.

    Warns
    -----
    UserWarning
        Where quote_volume or trades of candles are known for some rows only: the column is left out.
    """
    first, last = _range(start, end)
    files = [month_file(key, name, store) for name, _, _ in _months(first, last)]
    parts = [_cut(rows, first, last) for rows in rows_of(key, files)]
    parts = [part for part in parts if len(part)]
    if not parts:
        return months.empty(key.kind)
    table = _ordered(_stacked(parts), key.kind)
    return _known_throughout(table, key) if key.kind == "candles" else table


def append(key: Key, frame: pd.DataFrame, start: Any, end: Any, *, store: Any = None, origin: dict[str, Any]) -> None:
    """Keep rows, and that ``[start, end)`` is complete with them.

    The rows are split by month; each month is published by one rename, so a crash leaves whole months of the old or
    the new state. Appending the same again changes nothing; in whatever order and in pages of whatever size the same
    data comes, the files end up the same to the byte (with one version of pyarrow).

    Parameters
    ----------
    key : Key
        The series.
    frame : DataFrame (time,)
        Columns of its kind, see `COLUMNS`; optional ones may be missing. Index tz-aware, every stamp in
        ``[start, end)``; only bars that have closed. No rows: the range is known to be empty.
    start, end : time-like
        The range that the frame answers completely.
    store : path, optional
        Folder of the store, see `folder`.
    origin : dict
        Where it comes from, in plain text and numbers, such as ``{"source": "binance rest"}``. It is written into the
        file, so nothing that differs from run to run (time of fetching, retries) belongs into it.

    Raises
    ------
    ValueError
        Where a row lies outside the range, is not what its kind must be, or differs from what is stored at its stamp:
        the store never decides which of two is true.
    OSError
        Where the disk cannot be written (full, read-only, no permission); the store stays as it was.
    """
    first, last = _range(start, end)
    if last > (limit := pd.Timestamp.now("UTC") + _AHEAD):
        raise ValueError(f"{key}: the range ends at {last}, which is in the future (now is {limit - _AHEAD}): what has "
                         "not happened cannot be complete; end at now, or set the clock")  # fmt: skip
    name = months.origin_name(origin)
    rows = _checked(frame, key, first, last)
    with locked(key.folder(store)):
        for month, since, until in _months(first, last):
            file = month_file(key, month, store)
            old = sound(key, month, store) or Month(months.empty(key.kind))
            span = (max(first, since), min(last, until))
            part = rows[(rows.index >= span[0]) & (rows.index < span[1])]
            origins = old.origins | {name: months.joined([*old.origins.get(name, []), span])}
            data = months.render(key, Month(_merged(old.rows, part, key, str(file)), origins))
            if not file.is_file() or file.read_bytes() != data:
                publish(file, data)


def repair(key: Key, start: Any, end: Any, *, store: Any = None) -> None:
    """Set the damaged months of ``[start, end)`` aside, so that they are missing; write older forms anew in today's.

    A damaged file is renamed, never deleted, and a note beside it says what was wrong.

    Parameters
    ----------
    key : Key
        The series.
    start, end : time-like
        Half-open range; UTC if they carry no zone.
    store : path, optional
        Folder of the store, see `folder`.

    Warns
    -----
    UserWarning
        One for each month that was set aside: what was wrong, and where the file is.
    """
    for name, _, _ in _months(*_range(start, end)):
        file = month_file(key, name, store)
        try:
            if months.check(file) in (0, months.VERSION):
                continue
        except DamagedError:
            pass
        with locked(key.folder(store)):
            found = sound(key, name, store)
            if found is not None:
                publish(file, months.render(key, found))


# --- ranges ---------------------------------------------------------------------------------------------------------


def _range(start: Any, end: Any) -> Range:
    first, last = utc(start).as_unit("us"), utc(end).as_unit("us")
    if not first < last:
        raise ValueError(f"start must lie before end, got {first} and {last}; ranges are half-open [start, end)")
    return first, last


def _months(start: pd.Timestamp, end: pd.Timestamp) -> Iterator[tuple[str, pd.Timestamp, pd.Timestamp]]:
    """Name, begin and end of each month that ``[start, end)`` touches."""
    at = start.normalize().replace(day=1)
    while at < end:
        following = (at + pd.Timedelta(32, "D")).replace(day=1)
        yield f"{at:%Y-%m}", at, following
        at = following


def _stacked(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """The parts one below the other, in memory of their own; as `pd.concat`, in half the time where columns agree."""
    columns = parts[0].columns
    if not all(columns.equals(part.columns) for part in parts):
        return pd.concat(parts)
    values, at = np.empty((len(columns), sum(map(len, parts)))), 0
    for part in parts:
        for row, column in enumerate(columns):
            values[row, at : at + len(part)] = part[column].to_numpy()
        at += len(part)
    index = parts[0].index.append([part.index for part in parts[1:]])
    return pd.DataFrame(values.T, index=index, columns=columns, copy=False)


def _cut(rows: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """The rows of ``[first, last)``; all of them without a copy."""
    edges = rows.index.searchsorted([first, last])
    return rows.iloc[edges[0] : edges[1]]


# --- rows -----------------------------------------------------------------------------------------------------------


def _checked(frame: pd.DataFrame, key: Key, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """The frame in the store's form: sorted, unique, inside the range, fit for its kind."""
    if not isinstance(frame, pd.DataFrame):
        raise TypeError(f"{key}: the rows must be a pandas DataFrame, got {type(frame).__name__}")
    if frame.empty:
        return months.empty(key.kind)
    columns = COLUMNS[key.kind]
    strange = [column for column in frame.columns if column not in columns.all]
    if strange:
        raise ValueError(f"{key}: the store keeps no column(s) {', '.join(map(str, strange))}; it keeps "
                         f"{', '.join(columns.all)}")  # fmt: skip
    rows = frame.sort_index(kind="stable")
    if isinstance(rows.index, pd.DatetimeIndex) and rows.index.tz is not None:
        rows.index = rows.index.tz_convert("UTC").as_unit("us").rename("time")
    with warnings.catch_warnings():  # gaps are told by whoever asks for the whole range, not page by page
        warnings.simplefilter("ignore")
        fit(rows, key)
    rows = rows.astype("float64")
    outside = (rows.index < first) | (rows.index >= last)
    if outside.any():
        raise ValueError(f"{key}: {int(outside.sum())} row(s) lie outside the range [{first}, {last}) that they are to "
                         f"answer, first {rows.index[outside][0]}; cut the frame to the range")  # fmt: skip
    return _ordered(rows[~rows.index.duplicated()], key.kind)


def fit(rows: pd.DataFrame, key: Key) -> None:
    """Raise where rows are not what `liqlab.market` asks of their kind, or stand off their time frame."""
    if key.kind in ("liquidation_events", "depth"):
        _fit_recorded(rows, key)
        return
    check = getattr(market, f"check_{key.kind}")
    unknown = [column for column in COLUMNS[key.kind].optional if column in rows and rows[column].isna().any()]
    table = rows.drop(columns=unknown)
    step = timedelta(key.timeframe) if key.timeframe else pd.Timedelta(1, "D")
    if key.kind == "funding_rate" or not key.timeframe:
        check(table)
        return
    if step >= pd.Timedelta(12, "h"):  # long bars open where their venue cuts them, all at the same phase
        check(table)
        _one_phase(rows, key, step)
        return
    # The checks take the smallest distance for the step; a thin page may not show it, one more row in its place does.
    witness = table.iloc[-1:].set_axis(table.index[-1:] + step) if isinstance(table.index, pd.DatetimeIndex) else None
    check(pd.concat([table, witness]))
    off = nanoseconds(rows.index) % step.as_unit("ns").value != 0
    if off.any():
        raise ValueError(f"{key}: {int(off.sum())} stamp(s) are no multiples of {key.timeframe}, first "
                         f"{rows.index[off][0]}; is the time frame right?")  # fmt: skip


def _fit_recorded(rows: pd.DataFrame, key: Key) -> None:
    """What only a recorder writes: forced orders (side 1 long, -1 short) and order books summed up by distance."""
    if key.kind == "liquidation_events":
        market.check_liquidation_events(rows.assign(side=rows["side"].map({1.0: "long", -1.0: "short"})))
        return
    known = rows.to_numpy("float64")
    if not (rows["mid"] > 0).all() or (known < 0).any() or np.isinf(known).any():
        raise ValueError(f"{key}: a mid price is not > 0, or a quantity is not >= 0 coins; drop these rows")


def _one_phase(rows: pd.DataFrame, key: Key, step: pd.Timedelta) -> None:
    """Refuse bars that do not lie whole steps apart, wherever their venue begins to count."""
    phase = nanoseconds(rows.index) % step.as_unit("ns").value
    if (off := phase != phase[0]).any():
        raise ValueError(f"{key}: {int(off.sum())} stamp(s) lie no whole {key.timeframe} from the first, first "
                         f"{rows.index[off][0]}; is the time frame right?")  # fmt: skip


def _merged(old: pd.DataFrame, new: pd.DataFrame, key: Key, file: str) -> pd.DataFrame:
    """Old and new rows; at a stamp that both have they must agree, and each adds the columns the other lacks."""
    if old.empty or new.empty:
        return new if old.empty else old
    both = old.index.intersection(new.index)
    if len(both):
        _refuse_conflicts(old.loc[both], new.loc[both], key, file)
        return _ordered(old.combine_first(new), key.kind)
    return _ordered(pd.concat([old, new]).sort_index(), key.kind)


def _refuse_conflicts(old: pd.DataFrame, new: pd.DataFrame, key: Key, file: str) -> None:
    for column in (column for column in old.columns if column in new.columns):
        was, now = old[column].to_numpy(), new[column].to_numpy()
        other = ~((was == now) | np.isnan(was) | np.isnan(now))
        if other.any():
            row = int(np.flatnonzero(other)[0])
            first = f"first {old.index[row]}: stored {was[row]:.17g}, new {now[row]:.17g}"
            raise ValueError(f"{key}: {int(other.sum())} of {len(old)} stamp(s) are stored with another {column}, "
                             f"{first}. This month was not written; if the new rows are right, delete {file} and "
                             "fetch the month again")  # fmt: skip


def _ordered(rows: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Columns in the kind's order; optional ones that no row knows are left out."""
    columns = COLUMNS[kind]
    kept = [c for c in columns.all if c in rows and (c in columns.required or rows[c].notna().any())]
    return rows if kept == list(rows.columns) else rows[kept]


def _known_throughout(table: pd.DataFrame, key: Key) -> pd.DataFrame:
    """Without quote_volume and trades where some rows lack them: `check_candles` takes such columns whole or not."""
    partly = [
        c for c in COLUMNS[key.kind].optional if not c.startswith("taker") and c in table and table[c].isna().any()
    ]
    if partly:
        counts = ", ".join(f"{column} in {int(table[column].isna().sum())} row(s)" for column in partly)
        warnings.warn(f"{key}: left out what the source of some rows did not tell: {counts} of {len(table)}",
                      stacklevel=3)  # fmt: skip
    return table.drop(columns=partly)
