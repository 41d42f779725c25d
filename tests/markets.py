"""Small markets: made by hand, and drawn at random to be as nasty as real ones.

`steps_and_ladders` draws the ledger's own input in cells (fast, far nastier than prices can be); `markets` draws whole
markets with tables, so that models, joins and the path are walked through as well.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import Phase, settings
from hypothesis import strategies as st

from liqlab.engine.grid import STEP
from liqlab.engine.records import Ladder, Steps
from liqlab.market.market import Market

START = pd.Timestamp("2024-05-01", tz="UTC")
LAWS: dict[str, Any] = {"measured": "measured", "ten": {10: 1.0}, "near and far": {5: 0.5, 125: 0.5}}
COINS = (0.0, 1e-6, 0.5, 1.0, 3.0, 1e6)


def few(examples: int) -> settings:
    """Number of random examples of a costly test, failures as they come; forty times as many with LIQLAB_LONG=1."""
    many = examples * (40 if os.environ.get("LIQLAB_LONG") == "1" else 1)
    return settings(max_examples=many, phases=[Phase.explicit, Phase.generate])


# --- by hand --------------------------------------------------------------------------------------------------------


def at_cell(cell: float) -> float:
    """The price in the middle of a cell of the default grid."""
    return math.exp((cell + 0.5) * STEP)


def frame(rows: Sequence[Any], columns: str, *, every: str = "15min", start: Any = START) -> pd.DataFrame:
    """A time table: one row after the other, `every` so often."""
    index = pd.date_range(
        start, periods=len(rows), freq=every, tz=None if pd.Timestamp(start).tz else "UTC", name="time"
    )
    return pd.DataFrame(np.array(rows, float).reshape(len(rows), -1), index=index, columns=columns.split())


def candles(rows: Sequence[Any], *, every: str = "15min", start: Any = START) -> pd.DataFrame:
    """Candles from (open, high, low, close, volume[, taker_buy_volume]) per row."""
    names = ["open", "high", "low", "close", "volume", "taker_buy_volume"][: len(rows[0])]
    return frame(rows, " ".join(names), every=every, start=start)


def oi(values: Sequence[float], *, every: str = "15min", start: Any = START) -> pd.DataFrame:
    """Open interest; NaN rows are left out, as a venue leaves them out."""
    return frame(values, "open_interest", every=every, start=start).dropna()


def tiers(
    *rows: tuple[float, float, float, float, float],
    as_of: str = "2024-01-01",
    symbol: str = "X/USDT:USDT",
    exchange: str = "venue",
) -> Any:
    """Tiers from (floor, ceiling, rate, amount, max leverage); default: one endless tier of 1 %, up to 125x."""
    rows = rows or ((0.0, 1e12, 0.01, 0.0, 125.0),)
    names = ["min_notional", "max_notional", "maintenance_margin_rate", "maintenance_amount", "max_leverage"]
    table = pd.DataFrame(rows, columns=names)
    return table.assign(exchange=exchange, symbol=symbol, as_of=pd.Timestamp(as_of), tier=range(1, len(rows) + 1))


def market(rows: Sequence[Any], *, every: str = "15min", **tables: Any) -> Market:
    """A market of symbol X on `venue` with the one-tier table unless told otherwise."""
    given = {
        "leverage_tiers": tiers(),
        "symbol": "X/USDT:USDT",
        "exchange": "venue",
        "timeframe": every.replace("min", "m"),
    }
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*gap")  # holes are what these markets are made for
        return Market(candles(rows, every=every), **{**given, **tables})


# --- at random, in cells --------------------------------------------------------------------------------------------


@st.composite
def steps_and_ladders(draw: Any, *, longest: int = 25) -> tuple[Steps, Ladder]:
    """Steps that jump through many levels or stand still, in one or two tier versions, open interest of every kind."""
    n = draw(st.integers(1, longest))
    jumps = st.one_of(st.integers(-3, 3), st.integers(-3, 3), st.integers(-60, 60))
    middle = np.cumsum(draw(st.lists(jumps, min_size=n, max_size=n)))
    width = np.array(draw(st.lists(st.sampled_from([0, 0, 1, 2, 5, 30]), min_size=n, max_size=n)))
    over = np.array(draw(st.lists(st.sampled_from([0, 0, 0, 2, -1]), min_size=n, max_size=n)))
    low, high = middle - width // 2, middle + (width + 1) // 2
    over = np.maximum(over, -(width // 2))
    opened = draw(st.lists(st.sampled_from(COINS), min_size=2 * n, max_size=2 * n))
    tier_version = np.sort(draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)))
    touch = (low - over, high + over)
    fades = draw(st.lists(st.sampled_from([0.0, 0.01, 1.0, 900.0]), min_size=n, max_size=n))
    fade = np.array(fades) if draw(st.sampled_from([False, False, True])) else None
    interest = draw(interests(n))
    if fade is not None:
        interest[fade > 0] = np.nan
    steps = Steps(*touch, low, high, np.reshape(opened, (2, n)), interest, tier_version, fade)
    return steps, draw(ladders())


@st.composite
def interests(draw: Any, n: int) -> np.ndarray:
    """Open interest after each step: unknown, steady, wild, collapsing to 1 % and to 0, or known here and there."""
    kind = draw(st.sampled_from(["unknown", "steady", "wild", "collapse", "holes"]))
    if kind == "unknown":
        return np.full(n, np.nan)
    if kind == "steady":
        return 10.0 + np.cumsum(draw(st.lists(st.sampled_from([0.0, 0.5, 1.0, -0.2]), min_size=n, max_size=n)))
    if kind == "collapse":
        factor = draw(st.lists(st.sampled_from([1.0, 1.0, 0.9, 0.01, 0.0, 1e-9]), min_size=n, max_size=n))
        return np.array([1e3 * f for f in factor])
    values = st.sampled_from([0.0, 1e-6, 1.0, 2.0, 5.0, 1e6, *([math.nan] * (kind == "holes"))])
    return np.array(draw(st.lists(values, min_size=n, max_size=n)))


@st.composite
def ladders(draw: Any) -> Ladder:
    """One to three classes in each of two tier versions, closing alike or each at its own close rate."""
    sizes = draw(st.tuples(st.integers(1, 3), st.integers(1, 2)))
    tier_version = np.repeat([0, 1], sizes)
    n = len(tier_version)
    cells = np.array(draw(st.lists(st.integers(1, 45), min_size=2 * n, max_size=2 * n))).reshape(2, n)
    share = np.array(draw(st.lists(st.sampled_from([0.1, 0.5, 1.0]), min_size=2 * n, max_size=2 * n))).reshape(2, n)
    for g in (0, 1):
        share[:, tier_version == g] /= share[:, tier_version == g].sum(axis=1, keepdims=True)
    close_rates = st.lists(st.sampled_from([0.1, 1.0, 1.0, 3.0, 40.0]), min_size=n, max_size=n)
    close_rate = np.array(draw(close_rates)) if draw(st.booleans()) else None
    return Ladder(np.arange(1.0, n + 1), cells, share, tier_version, close_rate)


# --- at random, in prices -------------------------------------------------------------------------------------------


@st.composite
def markets(
    draw: Any, *, longest: int = 14, finer: bool = True, mark: bool = False, interest: bool | None = None
) -> Market:
    """A market of 1 … `longest` quarter hours with everything that goes wrong in real tables."""
    n = draw(st.integers(1, longest))
    base = draw(st.sampled_from([1e-6, 1.0, 60_000.0, 1e6]))
    rows = draw(_rows(n, base))
    given: dict[str, Any] = {}
    taker = draw(st.sampled_from(["none", "candle", "coarser"]))
    if taker == "candle":
        share = draw(st.lists(st.sampled_from([0.0, 0.3, 1.0, math.nan]), min_size=n, max_size=n))
        rows = [(*row, row[4] * x) for row, x in zip(rows, share, strict=True)]
    if taker == "coarser" and n > 4:
        shares = draw(st.lists(st.sampled_from([0.0, 0.5, 0.7, 1.0]), min_size=2, max_size=n // 4 + 1))
        given["taker"] = frame(shares, "taker_buy_share", every="1h")
    if draw(st.booleans()) if interest is None else interest:
        given["open_interest"] = draw(_interest_tables(n))
    if finer and draw(st.booleans()):
        given["path"] = draw(_paths(rows))
    if mark and draw(st.booleans()):  # a little off, and not for every candle
        off = draw(st.sampled_from([1.0, 1.0005, 0.999]))
        table = frame([tuple(off * x for x in row[:4]) for row in rows], "open high low close")
        given["mark_candles"] = table.iloc[: draw(st.integers(1, n))]
    if draw(st.booleans()):
        other = tiers((0.0, 1e12, 0.004, 0.0, 125.0), as_of="2024-05-01T01:00")
        given["leverage_tiers"] = pd.concat([tiers(), other], ignore_index=True)
    return market(rows, **given)


@st.composite
def _rows(draw: Any, n: int, base: float) -> list[tuple[float, ...]]:
    """Bars a few cells wide whose opens jump through many levels now and then; some flat, some without volume."""
    moves = st.sampled_from([0.0, 0.0002, -0.0003, 0.0007, -0.01, 0.012, -0.09, 0.12])
    widths = st.sampled_from([0.0, 0.0, 0.0001, 0.0006, 0.004])
    rows, price = [], base
    for _ in range(n):
        price *= math.exp(draw(moves))
        high, low = price * math.exp(draw(widths)), price * math.exp(-draw(widths))
        close = draw(st.sampled_from([low, high, price]))
        rows.append((price, high, low, close, draw(st.sampled_from(COINS[:-1]))))
    return rows


@st.composite
def _interest_tables(draw: Any, n: int) -> pd.DataFrame:
    """Stamps at the first open or after it; changes larger than the volume; holes; a collapse; a dead market."""
    kind = draw(st.sampled_from(["every bar", "holes", "hourly", "one", "late", "collapse"]))
    size = st.sampled_from([0.0, 0.3, 10.0, 10.5, 11.0, 1000.0])
    if kind == "one":
        return oi([draw(size)])
    if kind == "hourly":
        return oi(draw(st.lists(size, min_size=n // 4 + 2, max_size=n // 4 + 2)), every="1h")
    if kind == "collapse":
        return oi([10.0 + 0.1 * k for k in range(n // 2 + 1)] + [0.1] * (n - n // 2) + [0.0])
    values = np.array(draw(st.lists(size, min_size=n + 1, max_size=n + 1)))
    if kind == "holes":
        values[1:n:2] = math.nan
        values[n // 3 : n // 2] = math.nan
    return oi(values, start=START + pd.Timedelta(minutes=30 if kind == "late" else 0))


@st.composite
def _paths(draw: Any, rows: list[tuple[float, ...]]) -> pd.DataFrame:
    """Three five-minute bars per candle: the candle's own, or another venue's, a little off; a bar may be missing."""
    off = draw(st.sampled_from([1.0, 1.0003, 0.9991]))
    pieces = []
    for open_, high, low, close, *_ in rows:
        volume = draw(st.sampled_from([0.0, 1.0, 5.0]))
        first = [
            (open_, high, open_, high, 1.0),
            (high, high, low, low, volume),
            (low, max(close, low), low, close, 2.0),
        ]
        second = [
            (open_, open_, low, low, volume),
            (low, high, low, high, 1.0),
            (high, high, min(close, high), close, 0.0),
        ]
        pieces += draw(st.sampled_from([first, second]))
    table = frame([(*(off * x for x in row[:4]), row[4]) for row in pieces], "open high low close volume", every="5min")
    missing = draw(st.sampled_from([None, 0, 4]))
    table = table.drop(table.index[[missing]]) if missing is not None and len(table) > missing + 3 else table
    return table.drop(columns="volume") if draw(st.booleans()) else table
