"""Entries of a journal → the store: whole minutes, each forced order once, and the spans that were seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from liqlab.loaders import store as shelf
from liqlab.loaders.recording.minutes import MINUTE
from liqlab.loaders.store import Key
from liqlab.loaders.store.keys import COLUMNS
from liqlab.loaders.streams import stream_of

__all__ = ["KINDS", "Span", "events_of", "key_of", "settle", "spans"]

Span = tuple[int, int]
KINDS = {"c": "candles", "m": "mark_candles", "l": "liquidation_events", "o": "open_interest", "f": "funding_rate",
         "d": "depth"}  # fmt: skip
_CHANNELS = {"c": "trades", "m": "mark", "l": "liquidation_events", "o": "open_interest", "f": "funding_rate"}


def key_of(exchange: str, symbol: str, kind: str) -> Key:
    """Where a recorded kind is kept: bars as 1m, what is stamped by its moment without a time frame."""
    return Key(exchange, symbol, kind, "1m" if kind in ("candles", "mark_candles") else "")


def settle(entries: Sequence[Sequence[Any]], exchange: str, symbol: str, *, store: Any = None) -> list[int]:
    """Put entries into the store; the same entries once more change nothing.

    Parameters
    ----------
    entries : list
        As `Tape` gives them.
    exchange, symbol : str
        Whose they are.
    store : path, optional
        Folder of the store.

    Returns
    -------
    list of int
        Opens [ms] of the minutes whose trades were not all seen: they are left to be fetched, or stay a gap.
    """
    seen = spans((entry[1], entry[2]) for entry in entries if entry[0] == "a")
    for letter in ("c", "m"):
        _minutes(letter, entries, exchange, symbol, store)
    lacking = stream_of(exchange).lacking()  # silence there says nothing
    for letter in (letter for letter in ("o", "f", "d") if KINDS[letter] not in lacking):
        rows = {int(entry[1]): entry[2:] for entry in entries if entry[0] == letter}
        _instants(letter, rows, seen, exchange, symbol, store)
    if KINDS["l"] not in lacking:
        _forced(entries, seen, exchange, symbol, store)
    whole = {entry[1] for entry in entries if entry[0] == "c" and entry[2]}
    return sorted({entry[1] for entry in entries if entry[0] == "c"} - whole)


def spans(each: Iterable[Span]) -> list[Span]:
    """Half-open spans in order, those that touch made one.

    >>> spans([(5, 7), (0, 3), (3, 4)])
    [(0, 4), (5, 7)]
    """
    out: list[Span] = []
    for first, last in sorted(each):
        if out and first <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], last))
        elif first < last:
            out.append((first, last))
    return out


def _origin(letter: str, exchange: str) -> dict[str, str]:
    channel = next((one for one in stream_of(exchange).CHANNELS if one.kind == _CHANNELS.get(letter)), None)
    return {"exchange": exchange, "origin": f"recorded: {channel.name if channel else 'order book'}"}


def _time(ms: int) -> pd.Timestamp:
    return pd.Timestamp(int(ms), unit="ms", tz="UTC")


def _keep(letter: str, key: Key, frame: pd.DataFrame, span: Span, exchange: str, store: Any) -> None:
    """Append what the store does not know yet of a span."""
    first, last = _time(span[0]), _time(span[1])
    for start, end in shelf.missing(key, first, last, store=store):
        part = frame[(frame.index >= start) & (frame.index < end)]
        shelf.append(key, part, start, end, store=store, origin=_origin(letter, exchange))


def _frame(stamps: Sequence[int], rows: Sequence[Sequence[float]], kind: str, *, unit: str = "ms") -> pd.DataFrame:
    names = COLUMNS[kind].all
    index = pd.DatetimeIndex(np.array(stamps, "int64").astype(f"datetime64[{unit}]")).as_unit("us").tz_localize("UTC")
    values = np.array([list(row)[: len(names)] for row in rows], dtype="float64").reshape(len(rows), -1)
    return pd.DataFrame(values, columns=list(names[: values.shape[1]]), index=index.rename("time"))


def _minutes(letter: str, entries: Sequence[Sequence[Any]], exchange: str, symbol: str, store: Any) -> None:
    rows = {entry[1]: entry[3:] for entry in entries if entry[0] == letter and entry[2]}
    if not rows:
        return
    stamps = sorted(rows)
    frame = _frame(stamps, [rows[stamp] for stamp in stamps], KINDS[letter])
    for span in spans((stamp, stamp + MINUTE) for stamp in stamps):
        _keep(letter, key_of(exchange, symbol, KINDS[letter]), frame, span, exchange, store)


def _instants(
    letter: str, rows: dict[int, Sequence[float]], seen: list[Span], exchange: str, symbol: str, store: Any
) -> None:
    """Rows of moments; one that lies outside of what was seen is known for its own millisecond."""
    if not rows and letter == "d":
        return
    stamps = sorted(rows)
    frame = _frame(stamps, [rows[stamp] for stamp in stamps], KINDS[letter]) if stamps else pd.DataFrame()
    key = key_of(exchange, symbol, KINDS[letter])
    for span in spans([*seen, *((stamp, stamp + 1) for stamp in stamps)]):
        part = frame[(frame.index >= _time(span[0])) & (frame.index < _time(span[1]))] if stamps else frame
        known = shelf.load(key, _time(span[0]), _time(span[1]), store=store)
        part = part[~part.index.isin(known.index)] if stamps else part
        shelf.append(key, part, _time(span[0]), _time(span[1]), store=store, origin=_origin(letter, exchange))


def _forced(entries: Sequence[Sequence[Any]], seen: list[Span], exchange: str, symbol: str, store: Any) -> None:
    """Forced orders. Several may fall on one millisecond: the store's stamps count them up in microseconds."""
    orders = {(*entry[1:5], entry[7]): entry for entry in entries if entry[0] == "l"}
    key = key_of(exchange, symbol, "liquidation_events")
    for span in spans([*seen, *((order[0], order[0] + 1) for order in orders)]):
        mine = sorted(order for order in orders if span[0] <= order[0] < span[1])
        known = shelf.load(key, _time(span[0]), _time(span[1]), store=store)
        stamps, rows = _numbered(mine, orders, known)
        frame = _frame(stamps, rows, "liquidation_events", unit="us") if stamps else pd.DataFrame()
        end = max(span[1], -(-(stamps[-1] + 1) // 1000) if stamps else 0)
        shelf.append(key, frame, _time(span[0]), _time(end), store=store, origin=_origin("l", exchange))


def _numbered(
    mine: list[tuple[Any, ...]], orders: dict[tuple[Any, ...], Sequence[Any]], known: pd.DataFrame
) -> tuple[list[int], list[Sequence[float]]]:
    """Microseconds and values of the orders that the store does not hold yet."""
    taken: dict[int, list[tuple[float, ...]]] = {}
    for stamp, row in zip(_micros(known), known.to_numpy()[:, :3], strict=True):
        taken.setdefault(stamp // 1000, []).append(tuple(row))
    used = set(_micros(known))
    out: list[tuple[int, Sequence[float]]] = []
    for order in mine:
        time, what = int(order[0]), (float(order[1]), *order[2:4])
        if taken.get(time, []).count(what) > order[4]:
            continue  # the store has as many of these as the venue told
        stamp = time * 1000
        while stamp in used:
            stamp += 1
        used.add(stamp)
        out.append((stamp, orders[order][2:7]))
    out.sort(key=lambda row: row[0])
    return [stamp for stamp, _ in out], [values for _, values in out]


def _micros(table: pd.DataFrame) -> list[int]:
    return [int(stamp) for stamp in pd.DatetimeIndex(table.index).as_unit("us").asi8]


def events_of(table: pd.DataFrame) -> pd.DataFrame:
    """Forced orders as the store holds them → as `Market` takes them: side in words, the venue's own milliseconds."""
    if table.empty:
        return table.assign(side=pd.Series(dtype=str))
    side = np.where(table["side"].to_numpy() > 0, "long", "short")
    return table.assign(side=side).set_axis(pd.DatetimeIndex(table.index).floor("ms"))
