"""What was observed, as against what is estimated: observed liquidations over time × price."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab import __version__
from liqlab.market.arguments import Table, checked
from liqlab.market.clock import between, nanoseconds, step_of, timedelta, timeframe_of
from liqlab.market.market import Market
from liqlab.market.resample import bar_number, bar_opens, origin_of

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["observed_heatmap"]

SIDES = ["long", "short"]
MAX_GIVEN_BINS = 20_000
MAX_PRICE_BINS, MAX_COLUMNS = 300, 700  # a picture has no use for more


@checked(events=Table("market.liquidation_events", "side price quantity", times=True))
def observed_heatmap(
    market: Market,
    *,
    events: pd.DataFrame | None = None,
    start: Any = None,
    end: Any = None,
    time_step: Any = None,
    price_step: float | None = None,
) -> xr.Dataset:
    """Observed liquidations over time × price: the other thing that is called a liquidation heatmap.

    It shows what *was* liquidated, when and where; nothing in it stands, and nothing in it is estimated from candles.
    An event is put at its own price. A bar of `Market.liquidations` has no price: its coins are spread evenly over the
    range of the candles that it covers.

    Parameters
    ----------
    market : Market
        With liquidations, unless `events` are given.
    events : DataFrame (time,), optional
        Single liquidations: side ('long' or 'short': the position's side), price [quote], quantity [coins].
    start, end : time-like, optional
        Half-open range, UTC; default: where there are liquidations.
    time_step : duration, optional
        Width of a column, a multiple of the bar; default: the smallest that gives at most 700 columns.
    price_step : float, optional
        Height of a cell [quote]; default: a round number that gives at most 300.

    Returns
    -------
    xarray.Dataset
        ``notional`` (time, price, side): coins × price [quote], *observed*; ``open, high, low, close`` [quote] of the
        column; coordinates as in `liqlab.heatmap`. Its sum is the sum of all coins × price: nothing is lost.
        attrs: title, symbol, exchange, coin, quote, time_step, ``placing`` (how amounts were put at prices),
        ``caution``.

    Raises
    ------
    ValueError
        Where there are neither liquidations nor events, or none in the range.

    Assumptions
    -----------
    For bars: even trading over the range of the candles. Venues that publish at most one order per symbol and second
    show a part; amounts are then lower bounds, worst when most is liquidated.

    Examples
    --------
    >>> import liqlab as lq
    >>> seen = lq.observed_heatmap(lq.load_example("btc-2024-07"), start="2024-07-04", end="2024-07-06")
    >>> seen["notional"].dims, seen.sizes["time"]
    (('time', 'price', 'side'), 48)
    """
    pieces = _bars(market, start, end) if events is None else _events(market, events, start, end)
    if pieces.empty:
        raise ValueError(f"start and end: no liquidation was observed in [{start}, {end}) of "
                         f"{market.symbol or 'this market'}; choose a range with some")  # fmt: skip
    step = max(market.step, market.step if events is not None else _bar_of(market)).as_unit("ns").value
    width = _width(pieces["stamp"].to_numpy(), step, time_step)
    edges = _edges(pieces, price_step)
    stamps = pieces["stamp"].to_numpy()
    origin = origin_of(_first_open(market, events), step, width)
    first, last = bar_number(stamps[[stamps.argmin(), stamps.argmax()]], width, origin)
    cells = np.zeros((last - first + 1, len(edges) - 1, 2))
    row = bar_number(stamps, width, origin) - first
    for s, side in enumerate(SIDES):
        coins = pieces[side].to_numpy(float)
        on = coins > 0
        _spread(cells[:, :, s], row[on], pieces["low"].to_numpy()[on], pieces["high"].to_numpy()[on], coins[on], edges)
    return _dataset(market, cells, edges, (first + np.arange(len(cells))) * width + origin, width, events is not None)


def _first_open(market: Market, events: pd.DataFrame | None) -> int:
    """Open of a bar that columns are made of [ns]."""
    table = market.liquidations
    coarse = events is None and table is not None and _bar_of(market) > market.step
    return int(nanoseconds(table.index if coarse and table is not None else market.candles.index)[0])


def _bar_of(market: Market) -> pd.Timedelta:
    """Length of a bar of liquidations; of one alone it cannot be seen, and is taken to be a candle's."""
    table = market.liquidations
    return market.step if table is None or len(table) < 2 else step_of(table)


def _bars(market: Market, start: Any, end: Any) -> pd.DataFrame:
    """Coins of each bar of liquidations, with the range of the candles in it."""
    table = market.liquidations
    if table is None:
        raise ValueError(f"{market.symbol or 'this market'} has no liquidations; pass events=, or take a case whose "
                         "lq.examples()['has'] names them, such as 'btc-2024-07'")  # fmt: skip
    stamps, opens = nanoseconds(table.index), nanoseconds(market.candles.index)
    length = _bar_of(market).as_unit("ns").value
    begin, stop = np.searchsorted(opens, stamps), np.searchsorted(opens, stamps + length)
    seen = between(stamps, start, end) & (table[SIDES].sum(axis=1) > 0).to_numpy()
    if (seen & (begin == stop)).any():
        lost = table.index[np.flatnonzero(seen & (begin == stop))[0]]
        raise ValueError(f"liquidations at {lost} have no candle to tell their price; crop them, or add the candles")
    low, high = (market.candles[name].to_numpy() for name in ("low", "high"))
    at = np.flatnonzero(seen)
    return pd.DataFrame(
        {
            "stamp": stamps[at],
            "low": [low[a:b].min() for a, b in zip(begin[at], stop[at], strict=True)],
            "high": [high[a:b].max() for a, b in zip(begin[at], stop[at], strict=True)],
            **{side: table[side].to_numpy()[at] for side in SIDES},
        }
    )


def _events(market: Market, events: pd.DataFrame, start: Any, end: Any) -> pd.DataFrame:
    """Events as ranges without width."""
    wrong = ~events["side"].isin(SIDES) | ~(events["price"] > 0) | ~(events["quantity"] >= 0)
    if wrong.any():
        row = events[wrong].iloc[0]
        raise ValueError(f"events: side is long or short, price > 0, quantity >= 0; {int(wrong.sum())} row(s) are not, "
                         f"first {row[['side', 'price', 'quantity']].to_dict()} at {row.name}")  # fmt: skip
    stamps = nanoseconds(events.index)
    on = between(stamps, start, end)
    price, coins = events["price"].to_numpy(float)[on], events["quantity"].to_numpy(float)[on]
    side = events["side"].to_numpy()[on]
    return pd.DataFrame({"stamp": stamps[on], "low": price, "high": price,
                         **{name: np.where(side == name, coins, 0.0) for name in SIDES}})  # fmt: skip


def _width(stamps: np.ndarray, step: int, time_step: Any) -> int:
    """Width of a column [ns]."""
    if time_step is None:
        return step * int(-(-(stamps.max() - stamps.min() + step) // (MAX_COLUMNS * step)))
    width = timedelta(time_step).as_unit("ns").value
    if width % step:
        bar = timeframe_of(pd.Timedelta(step, unit="ns"))
        raise ValueError(f"time_step: a column must be a multiple of the bar of {bar}, got {time_step!r}")
    return width


def _edges(pieces: pd.DataFrame, price_step: float | None) -> np.ndarray:
    """Edges of the cells, whole multiples of a step."""
    from liqlab.maps.heatmaps import round_number

    low, high = pieces["low"].min(), pieces["high"].max()
    if price_step is not None and not price_step > 0:
        raise ValueError(f"price_step must be > 0 quote, got {price_step!r}")
    width = price_step or round_number(max(high - low, 1e-4 * high) / MAX_PRICE_BINS)
    if (high - low) / width > MAX_GIVEN_BINS:
        raise ValueError(f"price_step={width:g} cuts {low:,.6g} to {high:,.6g} into more than {MAX_GIVEN_BINS:,} bins; "
                         "pass a larger one")  # fmt: skip
    while price_step is None and (high - low) / width > MAX_PRICE_BINS:
        width = round_number(1.999 * width)
    return np.arange(np.floor(low / width), np.floor(high / width) + 2) * width


def _spread(
    cells: np.ndarray, row: np.ndarray, low: np.ndarray, high: np.ndarray, coins: np.ndarray, edges: np.ndarray
) -> None:
    """Add coins × price, spread evenly over their ranges, to cells (time, price)."""
    for k, a, b, amount in zip(row, low, high, coins, strict=True):
        i, j = np.searchsorted(edges, [a, b], side="right") - 1
        if a == b:
            cells[k, i] += amount * a
            continue
        cut = np.clip(edges[i : j + 2], a, b)
        cells[k, i : j + 1] += amount * (cut[1:] ** 2 - cut[:-1] ** 2) / (2 * (b - a))


def _dataset(
    market: Market, cells: np.ndarray, edges: np.ndarray, stamps: np.ndarray, width: int, single: bool
) -> xr.Dataset:
    import xarray as xr

    opens = nanoseconds(market.candles.index)
    part = market.candles[(opens >= stamps[0]) & (opens < stamps[-1] + width)]
    column = bar_opens(nanoseconds(part.index), width, int(stamps[0]))
    rules = {"open": "first", "high": "max", "low": "min", "close": "last"}
    frame = part.groupby(column).agg(rules).reindex(stamps)
    time = stamps.astype("datetime64[ns]")
    data = {name: ("time", frame[name].to_numpy()) for name in rules}
    caution = "venues that publish one order per second show a part: lower bounds"
    source = {k: dict(v) for k, v in market.sources.items() if k in ("liquidations", "candles")}
    attrs = {
        "title": "Observed liquidations", "symbol": market.symbol, "exchange": market.exchange, "coin": market.coin,
        "quote": market.quote, "time_step": timeframe_of(pd.Timedelta(width, unit="ns")), "caution": caution,
        "placing": "each at its own price" if single else "each bar over its range",
        "sources": json.dumps(source), "liqlab": __version__,
    }  # fmt: skip
    coords = {
        "time": time, "price": (edges[1:] + edges[:-1]) / 2, "side": SIDES, "price_edge": ("price_edge", edges),
        "close_time": ("time", time + np.timedelta64(width, "ns")),
    }  # fmt: skip
    seen = xr.Dataset({"notional": (("time", "price", "side"), cells), **data}, coords=coords, attrs=attrs)
    seen["notional"].attrs.update(long_name="observed liquidations", units=market.quote)
    return seen
