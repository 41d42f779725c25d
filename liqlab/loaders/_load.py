"""`load`: a market from the store alone, recorded or fetched; no network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from liqlab.loaders import store as shelf
from liqlab.loaders._fetch import with_intervals
from liqlab.loaders.recording.settling import events_of
from liqlab.loaders.store import Key
from liqlab.market.arguments import checked, warn
from liqlab.market.clock import nanoseconds, timedelta, utc
from liqlab.market.market import Market
from liqlab.market.resample import bar_opens

__all__ = ["load"]

_SUMS = ("volume", "quote_volume", "trades", "taker_buy_volume", "taker_buy_quote_volume")
_HOW = {"open": "first", "high": "max", "low": "min", "close": "last"}


@checked()
def load(
    symbol: str,
    *,
    exchange: str = "binanceusdm",
    timeframe: str = "5m",
    start: Any = None,
    end: Any = None,
    store: Any = None,
) -> Market:
    """Load a market from the local store: what `liqlab record` has recorded and `fetch` has fetched.

    Parameters
    ----------
    symbol : str
        ``BTC/USDT:USDT``, ccxt's spelling.
    exchange : str
        ``binanceusdm``, ccxt's spelling.
    timeframe : str
        Of the candles: taken from the store, else made of its 1m candles.
    start, end : time-like, optional
        Half-open range, UTC; default: all that the store holds of the candles.
    store : path, optional
        Folder of the store; default LIQLAB_STORE, else the user's data folder.

    Returns
    -------
    Market
        ``liquidation_events`` where forced orders were recorded, and ``liquidations`` [coins per bar] of the bars in
        which the recording ran from beginning to end. `liqlab.score`, `liqlab.calibrate` and
        `liqlab.validation.location` take both.

    Raises
    ------
    ValueError
        Where the store has no candles of this market in the range.

    Warns
    -----
    UserWarning
        Where bars are missing, or the recording of forced orders was interrupted: how long, and where first.

    Assumptions
    -----------
    - A bar is made of 1m candles only if all of its minutes are there.
    - What venues tell is what happened: `liqlab.loaders.streams.channels` says how complete each is. Binance tells one
      order per second at most, so its amounts are lower bounds.

    Examples
    --------
    >>> load("BTC/USDT:USDT", store="a/folder/without/a/store")
    Traceback (most recent call last):
    ValueError: the store holds no candles of BTC/USDT:USDT on binanceusdm; liqlab record or liqlab fetch brings ...
    """
    step = timedelta(timeframe)
    held = shelf.listing(store)
    held = held[(held["exchange"] == exchange) & (held["symbol"] == symbol)]
    candles, made = _candles(held, symbol, exchange, timeframe, step, (start, end), store)
    span = candles.index[0], candles.index[-1] + step
    tables: dict[str, Any] = {"candles": candles}
    tables["mark_candles"] = _bars(held, Key(exchange, symbol, "mark_candles", timeframe), span, step, store)
    tables["open_interest"] = _finest(held, exchange, symbol, "open_interest", span, store)
    tables["funding_rate"] = _finest(held, exchange, symbol, "funding_rate", span, store)
    if _holds(held, "liquidation_events", ""):
        tables |= _forced(Key(exchange, symbol, "liquidation_events", ""), span, candles.index, step, store)
    known = {name: table for name, table in tables.items() if table is not None and len(table)}
    sources = {name: {"exchange": exchange, "origin": "store", "kind": "own", "note": made if name == "candles" else ""}
               for name in known}  # fmt: skip
    return Market(**known, symbol=symbol, exchange=exchange, timeframe=timeframe, sources=sources)


def _holds(held: pd.DataFrame, kind: str, timeframe: str) -> bool:
    mine = held[(held["kind"] == kind) & (held["timeframe"] == timeframe)]
    return bool(len(mine)) and int(mine["rows"].sum() + mine["start"].notna().sum()) > 0


def _candles(
    held: pd.DataFrame, symbol: str, exchange: str, timeframe: str, step: pd.Timedelta, span: Sequence[Any], store: Any
) -> tuple[pd.DataFrame, str]:
    """Candles as stored, else of the minutes; whichever holds more of the range."""
    best, made = None, ""
    for source in dict.fromkeys([timeframe, "1m"]):
        mine = held[(held["kind"] == "candles") & (held["timeframe"] == source) & (held["rows"] > 0)]
        if mine.empty:
            continue
        first = utc(span[0]) if span[0] is not None else mine["first"].iloc[0]
        last = utc(span[1]) if span[1] is not None else mine["last"].iloc[0] + timedelta(source)
        if first >= last:
            continue
        rows = _bars(held, Key(exchange, symbol, "candles", source), (first, last), step, store)
        if rows is not None and len(rows) and (best is None or len(rows) > len(best)):
            best, made = rows, "" if source == timeframe else "made of 1m candles"
    if best is None:
        raise ValueError(f"the store holds no candles of {symbol} on {exchange}; liqlab record or liqlab fetch brings "
                         "them, liqlab data list shows what is there")  # fmt: skip
    return best, made


def _bars(
    held: pd.DataFrame, key: Key, span: tuple[pd.Timestamp, pd.Timestamp], step: pd.Timedelta, store: Any
) -> pd.DataFrame | None:
    """Bars of a kind in the wanted step: as stored, else of whole runs of finer ones."""
    for timeframe in dict.fromkeys([key.timeframe, "1m"]):
        if not _holds(held, key.kind, timeframe):
            continue
        rows = shelf.load(Key(key.exchange, key.symbol, key.kind, timeframe), *span, store=store)
        return rows if timedelta(timeframe) == step or rows.empty else coarser(rows, timedelta(timeframe), step)
    return None


def coarser(rows: pd.DataFrame, fine: pd.Timedelta, step: pd.Timedelta) -> pd.DataFrame:
    """Bars made of finer ones, those alone of which every part is there.

    >>> index = pd.date_range("2024-05-01", periods=7, freq="1min", tz="UTC")
    >>> rows = pd.DataFrame({"open": 1.0, "high": 2.0, "low": 0.5, "close": 1.5, "volume": 0.1}, index=index)
    >>> coarser(rows, pd.Timedelta("1min"), pd.Timedelta("5min"))["volume"].round(9).tolist()
    [0.5]
    """
    width, part = step.as_unit("ns").value, fine.as_unit("ns").value
    if width % part:
        raise ValueError(f"bars of {step} cannot be made of bars of {fine}; pass a multiple of it as timeframe")
    opens = bar_opens(nanoseconds(rows.index), width, 0)
    by = rows.groupby(opens)
    out = by.agg({name: _HOW.get(name, "sum") for name in rows.columns})
    for name in (name for name in _SUMS if name in rows):  # a sum with an unknown part is unknown
        out[name] = by[name].sum(min_count=width // part)
    out = out[(by.size() == width // part).to_numpy()]
    out.index = pd.DatetimeIndex(out.index.astype("datetime64[ns]")).as_unit("us").tz_localize("UTC").rename("time")
    return out


def _finest(
    held: pd.DataFrame, exchange: str, symbol: str, kind: str, span: tuple[pd.Timestamp, pd.Timestamp], store: Any
) -> pd.DataFrame | None:
    """Instants of a kind: recorded ones, and fetched ones where nothing was recorded within their period."""
    mine = held[(held["kind"] == kind) & (held["rows"] > 0)]
    end = span[1] + pd.Timedelta(1, "ms")
    table = None
    for timeframe in sorted(mine["timeframe"], key=lambda text: timedelta(text) if text else pd.Timedelta(0)):
        rows = shelf.load(Key(exchange, symbol, kind, timeframe), span[0], end, store=store)
        if table is None:
            table = rows
        elif len(rows):
            period = timedelta(timeframe).as_unit("ns").value
            have = np.unique(nanoseconds(table.index) // period)
            table = pd.concat([table, rows[~np.isin(nanoseconds(rows.index) // period, have)]]).sort_index()
    return with_intervals(table) if table is not None and kind == "funding_rate" else table


def _forced(
    key: Key, span: tuple[pd.Timestamp, pd.Timestamp], opens: pd.Index, step: pd.Timedelta, store: Any
) -> dict[str, Any]:
    """Forced orders, and their sums in the bars that were recorded from beginning to end."""
    events = events_of(shelf.load(key, *span, store=store))
    gaps = [gap for gap in shelf.missing(key, *span, store=store) if gap[1] - gap[0] > pd.Timedelta(1, "ms")]
    starts = pd.DatetimeIndex(opens).as_unit("us")
    whole = np.ones(len(starts), bool)
    for first, last in gaps:
        whole &= ~((starts < last) & (starts + step > first))
    if gaps:
        lost = sum((last - first for first, last in gaps), pd.Timedelta(0)).round("s")
        when = " to ".join(f"{edge:%Y-%m-%d %H:%M:%S}" for edge in gaps[0])
        warn(f"{key}: {len(gaps)} gap(s) in the recording, {lost} in all, the first from {when}; bars that "
                      "they touch have no row in liquidations")  # fmt: skip
    bar = np.searchsorted(starts, pd.DatetimeIndex(events.index), side="right") - 1
    inside = (bar >= 0) & (pd.DatetimeIndex(events.index) < starts[np.maximum(bar, 0)] + step)
    sums = {side: np.bincount(bar[inside & mine], events["quantity"].to_numpy()[inside & mine], len(starts))
            for side in ("long", "short") for mine in [(events["side"] == side).to_numpy()]}  # fmt: skip
    bars = pd.DataFrame(sums, index=starts.rename("time"))[whole]
    return {"liquidation_events": events, "liquidations": bars}
