"""What a book shows: the heatmap, one moment of it, its levels, its flows, its balance sheet.

All amounts are *estimated* from market data; none is read from accounts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab import __version__
from liqlab.book import STEP, Columns, Record, cell_of, price_of, run
from liqlab.laws import Law
from liqlab.market import Market, naive, nanoseconds, timedelta, timeframe_of, utc
from liqlab.steps import Script, write

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["balance", "expected_liquidations", "heatmap", "levels", "liquidation_map"]

SIDES = ["long", "short"]
# A bin is about 5 bp wide: the level of 100x is twelve bins away from its entry, and a picture has no use for more.
BIN = 5e-4
# Bins reach far enough below and above the candles for every level from 3x on.
BELOW, ABOVE = 0.65, 1.45
MOST_COLUMNS, MOST_BINS, MOST_LEVELS = 2_000, 2_500, 5_000_000


def heatmap(
    market: Market,
    model: str = "open_interest",
    *,
    start: Any = None,
    end: Any = None,
    lookback: Any = None,
    column: Any = None,
    price_range: tuple[float, float] | None = None,
    price_step: float | None = None,
    by_leverage: bool = False,
    same_bar: float = 0.5,
    law: str | Law | Mapping[float, float] = "measured",
    **options: Any,
) -> xr.Dataset:
    """Estimated liquidation heatmap: notional that would be liquidated, by time, price and side.

    Parameters
    ----------
    market : Market
        Everything in it before `start` warms the book.
    model : str
        ``open_interest`` (default), ``volume``; see `liqlab.models`.
    start, end : time-like, optional
        What is shown, half-open, UTC; default: all.
    lookback : duration, optional
        ``"24h"``, ``"7d"``: show only positions opened within this span before each column (the vendors' windows).
    column : duration, optional
        Width of a column, a multiple of the time frame; default: the smallest that gives at most 2,000 columns.
    price_range : (low, high), optional
        Prices [quote] covered by bins; default 0.65 × the lowest to 1.45 × the highest price shown.
    price_step : float, optional
        Width of a bin [quote]; default: a round number near 5 bp of the first price shown.
    by_leverage : bool
        Keep the classes of the law apart in a further dimension ``leverage``.
    same_bar : float
        Share [0..1] of the positions reached within the bar of their opening that counts as liquidated.
    law : str, Law or mapping {leverage: share}
        How far from their entries positions are liquidated; see `liqlab.law`.
    **options
        The model's own, and ``entries``, ``position_notional``, shared by all models.

    Returns
    -------
    xarray.Dataset
        ``notional`` (time, price, side[, leverage]): coins × liquidation price [quote], estimated, standing at the
        close of the column's last bar. ``placed``, ``unplaced`` (time, side): coins with known and unknown entries.
        ``open, high, low, close`` [quote], ``volume`` [coins] (time) of the column. Coordinates: time (open of the
        column's first bar, UTC without zone), close_time, price (centre of the bin), price_edge, side.
        attrs: what it was made from and how.

    Raises
    ------
    ValueError, TypeError
        A range without candles, a column that is no multiple of the time frame, an unknown model or option.

    Assumptions
    -----------
    Those of the model and of the law; positions opened in a bar are spread evenly over its range; touches are taken
    from last prices.

    Examples
    --------
    >>> import liqlab as lq
    >>> heat = lq.heatmap(lq.load_example("btc-2024-05"), start="2024-05-01", end="2024-05-02")
    >>> heat["notional"].dims, heat.sizes["time"]
    (('time', 'price', 'side'), 96)
    """
    script = write(market, model, law=law, **options)
    first, last, frame = _columns(market, start, end, column)
    edges = _edges(frame, price_range, price_step)
    last_step = np.searchsorted(script.bar, last, side="right") - 1
    alive = _alive(market, script, last, lookback)
    columns = Columns(last_step, alive, edges, by_leverage)
    record = run(script.steps, script.ladder, columns=columns, same_bar=same_bar)
    attrs = _attrs(market, model, script, lookback, same_bar)
    return _dataset(record, frame, edges, script.ladder.leverage if by_leverage else None, attrs)


def liquidation_map(heat: xr.Dataset, at: Any = None) -> xr.Dataset:
    """One moment of a heatmap: the last column closed at or before it.

    Parameters
    ----------
    heat : Dataset
        From `heatmap`.
    at : time-like, optional
        UTC; default: the last column.

    Returns
    -------
    xarray.Dataset
        ``notional`` (price, side) and the column's other variables.

    Raises
    ------
    ValueError
        Where no column had closed by then.

    Examples
    --------
    >>> import liqlab as lq
    >>> heat = lq.heatmap(lq.load_example("btc-2024-05"), start="2024-05-01", end="2024-05-02")
    >>> str(lq.liquidation_map(heat, at="2024-05-01 07:00").close_time.values)[:16]
    '2024-05-01T07:00'
    """
    closes = heat["close_time"].to_numpy()
    moment = closes[-1] if at is None else np.datetime64(utc(at).tz_localize(None), "ns")
    row = int(np.searchsorted(closes, moment, side="right")) - 1
    if row < 0:
        raise ValueError(f"no column had closed by {utc(at)}; the first closes at {closes[0]} UTC")
    return heat.isel(time=row)


def expected_liquidations(
    market: Market, model: str = "open_interest", *, unit: str = "quote", same_bar: float = 0.5, **options: Any
) -> pd.DataFrame:
    """Estimated liquidations per bar and side: what the bar's prices reached of what stood before, and in it.

    Parameters
    ----------
    market, model, same_bar, **options
        As in `heatmap`.
    unit : 'quote' or 'coins'
        Coins × level price, or coins.

    Returns
    -------
    DataFrame (time,)
        Columns long, short [unit]; index: open of the bar.
    """
    if unit not in ("quote", "coins"):
        raise ValueError(f"unit must be 'quote' or 'coins', got {unit!r}")
    script = write(market, model, **options)
    record = run(script.steps, script.ladder, flows=True, same_bar=same_bar)
    amount = record.liquidated_notional if unit == "quote" else record.liquidated
    first = np.flatnonzero(np.diff(script.bar, prepend=-1))
    return pd.DataFrame(np.add.reduceat(amount, first, axis=0), index=market.candles.index, columns=SIDES)


def balance(
    market: Market, model: str = "open_interest", *, by_leverage: bool = False, same_bar: float = 0.5, **options: Any
) -> pd.DataFrame:
    """The book's balance sheet: what opened, left and stands, per bar and side, in coins.

    Parameters
    ----------
    market, model, same_bar, **options
        As in `heatmap`.
    by_leverage : bool
        One row per bar and rung instead of one per bar.

    Returns
    -------
    DataFrame
        Columns (quantity, side). opened, liquidated, closed, placed [coins]: ``placed`` grows by opened − liquidated
        − closed. unplaced [coins]: open interest whose entries are unknown. open_interest [coins] is placed + unplaced
        wherever it is known; coverage [0..1] = placed ÷ (placed + unplaced). By leverage: the first four only.
    """
    script = write(market, model, **options)
    record = run(script.steps, script.ladder, flows=True, by_rung=by_leverage, same_bar=same_bar)
    first = np.flatnonzero(np.diff(script.bar, prepend=-1))
    final = np.append(first[1:], len(script.bar)) - 1
    index = market.candles.index
    if by_leverage:
        return _rungs(script, record, first, final, index)
    flows = {name: np.add.reduceat(getattr(record, name), first, axis=0) for name in ("liquidated", "closed")}
    placed, unplaced = record.placed[final], record.unplaced[final]
    total = placed + unplaced
    coverage = np.divide(placed, total, out=np.zeros_like(placed), where=total > 0)
    target = np.repeat(script.steps.open_interest[final][:, None], 2, axis=1)
    table = {"opened": script.opened.T, **flows, "placed": placed, "unplaced": unplaced, "open_interest": target,
             "coverage": coverage}  # fmt: skip
    return pd.concat({name: pd.DataFrame(x, index=index, columns=SIDES) for name, x in table.items()}, axis=1)


def levels(
    market: Market,
    model: str = "open_interest",
    *,
    start: Any = None,
    end: Any = None,
    at: Any = None,
    same_bar: float = 0.5,
    **options: Any,
) -> pd.DataFrame:
    """Every liquidation level on its own row: for lessons and small windows.

    Parameters
    ----------
    market, model, same_bar, **options
        As in `heatmap`.
    start, end : time-like, optional
        Only positions opened in this range; earlier ones still count in the book.
    at : time-like, optional
        The moment of the table: bars that close after it are not looked at. Default: the end of the market.

    Returns
    -------
    DataFrame
        opened_at (open of the bar), side, leverage, entry_price, liquidation_price [quote], opened [coins], standing
        [coins] at the moment, notional = standing × liquidation_price [quote], touched_at (open of the bar that
        reached it, NaT if none has).

    Raises
    ------
    ValueError
        Where the table would pass five million rows.
    """
    market = market if at is None else market.until(at)
    script = write(market, model, **options)
    record = run(script.steps, script.ladder, flows=True, same_bar=same_bar)
    chosen = _within(nanoseconds(market.candles.index)[script.bar], start, end)
    table = _level_table(script, record, np.flatnonzero(chosen))
    opens = market.candles.index
    table.insert(0, "opened_at", opens[table.pop("bar")])
    touched = table.pop("touched_bar").to_numpy()
    table["touched_at"] = opens[np.maximum(touched, 0)].where(touched >= 0)
    return table


# --- what is shown ----------------------------------------------------------------------------------------------------


def _within(stamps: np.ndarray, start: Any, end: Any) -> np.ndarray:
    first = -(2**62) if start is None else utc(start).as_unit("ns").value
    last = 2**62 if end is None else utc(end).as_unit("ns").value
    return (stamps >= first) & (stamps < last)


def _columns(market: Market, start: Any, end: Any, column: Any) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """First and last candle of every column, and the columns' own candles."""
    stamps = nanoseconds(market.candles.index)
    chosen = np.flatnonzero(_within(stamps, start, end))
    if not chosen.size:
        raise ValueError(f"no candle lies in [{start}, {end}); the market runs from {market.start} to {market.end}")
    step = market.step.as_unit("ns").value
    width = _width(step, stamps[chosen], column)
    begins = np.flatnonzero(np.diff(stamps[chosen] // width, prepend=-1))
    first, last = chosen[begins], chosen[np.append(begins[1:], chosen.size) - 1]
    values = {name: market.candles[name].to_numpy() for name in ("open", "high", "low", "close", "volume")}
    part = slice(first[0], last[-1] + 1)
    at = first - first[0]
    frame = pd.DataFrame(
        {
            "open": values["open"][first],
            "high": np.maximum.reduceat(values["high"][part], at),
            "low": np.minimum.reduceat(values["low"][part], at),
            "close": values["close"][last],
            "volume": np.add.reduceat(values["volume"][part], at),
            "close_time": naive(market.candles.index[last] + market.step),
        },
        index=naive(market.candles.index[first]),
    )
    return first, last, frame


def _width(step: int, stamps: np.ndarray, column: Any) -> int:
    """Width of a column [ns]; whole columns are counted from 1970, so that no column depends on what is shown."""
    if column is not None:
        width = timedelta(column).as_unit("ns").value
        if width % step:
            raise ValueError(f"a column must be a multiple of the time frame {timeframe_of(pd.Timedelta(step, unit='ns'))}"
                             f", got {column!r}")  # fmt: skip
        return width
    for factor in (1, 2, 3, 4, 6, 12, 24, 48, 96, 288, 672, 2016, 10080):
        if np.unique(stamps // (factor * step)).size <= MOST_COLUMNS:
            return factor * step
    return (int(stamps[-1] - stamps[0]) // (MOST_COLUMNS * step) + 1) * step


def _edges(frame: pd.DataFrame, price_range: tuple[float, float] | None, price_step: float | None) -> np.ndarray:
    """Edges of the bins: whole multiples of the step, so that no bin depends on what came later."""
    low, high = price_range or (BELOW * frame["low"].min(), ABOVE * frame["high"].max())
    if not 0 < low < high:
        raise ValueError(f"price_range must be (low, high) with 0 < low < high, got {price_range!r}")
    if price_step is not None and not price_step > 0:
        raise ValueError(f"price_step must be > 0 quote, got {price_step!r}")
    width = price_step or _round_number(BIN * frame["open"].iloc[0])
    while price_step is None and (high - low) / width > MOST_BINS:
        width = _round_number(width * 1.999)
    first = max(np.floor(low / width * (1 + 1e-12)), 1.0)
    return np.arange(first, max(np.ceil(high / width * (1 - 1e-12)), first + 1) + 1) * width


def _round_number(x: float) -> float:
    """1, 2, 2.5 or 5 × 10^k, the nearest in ratio.

    >>> _round_number(29.75), _round_number(0.0048)
    (25.0, 0.005)
    """
    power = 10.0 ** np.floor(np.log10(x))
    numbers = np.array([1.0, 2.0, 2.5, 5.0, 10.0])
    return float(f"{numbers[np.argmin(np.abs(np.log(x / (power * numbers))))] * power:.12g}")


def _alive(market: Market, script: Script, last: np.ndarray, lookback: Any) -> np.ndarray:
    """First step of every column that its lookback still holds."""
    if lookback is None:
        return np.zeros(len(last), np.int64)
    opens = nanoseconds(market.candles.index)
    closes = opens[last] + market.step.as_unit("ns").value
    bar = np.searchsorted(opens, closes - timedelta(lookback).as_unit("ns").value, side="left")
    return np.searchsorted(script.bar, bar, side="left")


def _attrs(market: Market, model: str, script: Script, lookback: Any, same_bar: float) -> dict[str, str]:
    """Provenance, in strings, so that a Dataset can be saved."""
    return {
        "title": "Estimated liquidation heatmap",
        "symbol": market.symbol,
        "exchange": market.exchange,
        "timeframe": market.timeframe,
        "quote": market.quote,
        "coin": market.coin,
        "model": model,
        "lookback": "" if lookback is None else timeframe_of(timedelta(lookback)),
        **script.used,
        "parameters": json.dumps({**script.parameters, "same_bar": same_bar}),
        "sources": json.dumps({name: dict(source) for name, source in market.sources.items()}),
        "liqlab": __version__,
    }


def _dataset(
    record: Record, frame: pd.DataFrame, edges: np.ndarray, leverage: np.ndarray | None, attrs: dict[str, str]
) -> xr.Dataset:
    import xarray as xr

    if leverage is None:
        notional = (("side", "time", "price"), record.notional)
        coords: dict[str, Any] = {}
    else:  # rungs of different tier tables carry the same label: one layer per leverage
        labels = np.unique(leverage)
        layers = np.stack([record.notional[:, leverage == x].sum(axis=1) for x in labels], axis=-1)
        notional = (("side", "time", "price", "leverage"), layers)
        coords = {"leverage": labels}
    data = {name: ("time", frame[name].to_numpy()) for name in ("open", "high", "low", "close", "volume")}
    data |= {name: (("side", "time"), record.balance[:, k]) for k, name in enumerate(("placed", "unplaced"))}
    coords |= {
        "time": frame.index.to_numpy(),
        "price": (edges[1:] + edges[:-1]) / 2,
        "side": SIDES,
        "close_time": ("time", frame["close_time"].to_numpy()),
        "price_edge": ("price_edge", edges),
    }
    heat = xr.Dataset({"notional": notional, **data}, coords=coords, attrs=attrs).transpose(
        "time", "price", "side", ...
    )
    words = {"notional": "estimated notional standing at its liquidation price", "price": "price", "volume": "volume"}
    units = {"notional": attrs["quote"], "price": attrs["quote"], "volume": attrs["coin"]}
    for name, unit in units.items():
        heat[name].attrs.update(long_name=words[name], units=unit)
    return heat


# --- tables -----------------------------------------------------------------------------------------------------------


def _rungs(
    script: Script, record: Record, first: np.ndarray, final: np.ndarray, index: pd.DatetimeIndex
) -> pd.DataFrame:
    """Balance by bar and leverage."""
    ladder = script.ladder
    opened = script.steps.opened.T[:, :, None] * ladder.share
    opened = np.where(script.steps.epoch[:, None, None] == ladder.epoch, opened, 0.0)
    parts = {
        "opened": np.add.reduceat(opened, first, axis=0),
        "liquidated": np.add.reduceat(record.by_rung[..., 1], first, axis=0),
        "closed": np.add.reduceat(record.by_rung[..., 2], first, axis=0),
        "placed": record.by_rung[final, :, :, 0],
    }
    labels = np.unique(ladder.leverage)
    rows = pd.MultiIndex.from_product([index, labels], names=["time", "leverage"])
    tables = {}
    for name, value in parts.items():
        merged = np.stack([value[:, :, ladder.leverage == x].sum(axis=2) for x in labels], axis=1)
        tables[name] = pd.DataFrame(merged.reshape(-1, 2), index=rows, columns=SIDES)
    return pd.concat(tables, axis=1)


def _level_table(script: Script, record: Record, chosen: np.ndarray) -> pd.DataFrame:
    """Rows (step × side × rung × entry cell) with their touch and what is left of them; no kernel is used."""
    steps, ladder = script.steps, script.ladder
    width = (steps.entry_high - steps.entry_low + 1)[chosen]
    rows = int(width.sum()) * ladder.cells.size
    if rows > MOST_LEVELS:
        raise ValueError(f"this would be {rows:,} levels; choose a smaller start/end (at most {MOST_LEVELS:,} rows), "
                         "or use heatmap")  # fmt: skip
    step = np.repeat(chosen, width)
    entry = np.concatenate([np.arange(a, b + 1) for a, b in zip(steps.entry_low[chosen], steps.entry_high[chosen],
                                                                strict=True)] or [np.empty(0, int)])  # fmt: skip
    parts = [_levels_of(script, record, s, j, step, entry, np.repeat(width, width)) for s in (0, 1)
             for j in range(len(ladder.leverage))]  # fmt: skip
    return pd.concat(parts, ignore_index=True).sort_values(
        ["bar", "side", "leverage"], ignore_index=True, kind="stable"
    )


def _levels_of(
    script: Script, record: Record, s: int, j: int, step: np.ndarray, entry: np.ndarray, width: np.ndarray
) -> pd.DataFrame:
    steps, ladder = script.steps, script.ladder
    mine = steps.epoch[step] == ladder.epoch[j]
    step, entry, width = step[mine], entry[mine], width[mine]
    level = entry - ladder.cells[s, j] if s == 0 else entry + ladder.cells[s, j]
    # mirror the shorts, so that "touched" always means: the first step from its own on whose extreme is <= the level
    extreme, height = (steps.touch_low, level) if s == 0 else (-steps.touch_high, -level)
    touched = _first_at_or_below(extreme, step, height)
    if steps.since_low is not None and steps.since_high is not None:
        begun = steps.since_low if s == 0 else -steps.since_high
        touched = np.where(begun[step] <= height, step, touched)
    opened = steps.opened[s, step] * ladder.share[s, j] / width
    left = np.where(touched < 0, _survival(record.survival[:, s], step), 0.0)
    price = price_of(level)
    return pd.DataFrame(
        {
            "bar": script.bar[step],
            "side": SIDES[s],
            "leverage": ladder.leverage[j],
            "entry_price": price_of(entry),
            "liquidation_price": price,
            "opened": opened,
            "standing": opened * left,
            "notional": opened * left * price,
            "touched_bar": np.where(touched < 0, -1, script.bar[np.maximum(touched, 0)]),
        }
    )


def _survival(factor: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Product of the shares that closing left, from each step to the last."""
    return np.cumprod(factor[::-1])[::-1][step]


def _first_at_or_below(extreme: np.ndarray, step: np.ndarray, height: np.ndarray) -> np.ndarray:
    """First index >= step with extreme <= height, −1 if there is none: binary descent in tables of running minima."""
    n = len(extreme)
    tables = [extreme]
    while (1 << len(tables)) <= n:
        half = 1 << (len(tables) - 1)
        tables.append(np.minimum(tables[-1][:-half], tables[-1][half:]))
    at = step.copy()
    for k in range(len(tables) - 1, -1, -1):
        fits = at + (1 << k) <= n
        skip = np.zeros(len(at), bool)
        skip[fits] = tables[k][at[fits]] > height[fits]
        at += skip * (1 << k)
    return np.where(at < n, at, -1)
