"""What the ledger shows: the heatmap, and one moment of it. Its tables are next door, in `tables`.

All amounts are *estimated* from market data; none is read from accounts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from liqlab.engine.inputs import InputsHeader
from liqlab.engine.records import Columns, Record
from liqlab.engine.trade_ledger import ledger_for
from liqlab.maps.arguments import as_columns, column_at
from liqlab.maps.datasets import dataset, provenance
from liqlab.maps.stacking import own_attrs
from liqlab.market.arguments import checked, warn
from liqlab.market.checks import no_text
from liqlab.market.clock import between, naive, nanoseconds, timedelta, timeframe_of
from liqlab.market.market import Market
from liqlab.market.resample import bar_number, origin_of
from liqlab.models._assumptions import Assumptions

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["heatmap", "liquidation_map"]


class Ledger(Protocol):
    """What writes columns: a run over all steps, or one that is entered at a kept state."""

    @property
    def inputs(self) -> InputsHeader: ...

    def columns(self, columns: Columns) -> Record: ...


# A bin is about 5 bp wide: the level of 100x is twelve bins away from its entry, and a picture has no use for more.
BIN = 5e-4
# Bins reach far enough below and above the candles for every level from 3x on.
BELOW, ABOVE = 0.65, 1.45
MAX_COLUMNS, MAX_BINS = 2_000, 2_500
FACTORS = (1, 2, 3, 4, 6, 12, 24, 48, 96, 288, 672, 2016, 10_080)  # columns are so many candles wide
MAX_GIVEN_BINS, MAX_CELLS = 100_000, 500_000_000  # where steps are given: 4 GB of numbers
VENDOR_LOOKBACK = "24h"


@checked()
def heatmap(
    market: Market,
    model: str | None = None,
    *,
    preset: str | None = None,
    assumptions: Assumptions | Any = None,
    start: Any = None,
    end: Any = None,
    lookback: Any = None,
    time_step: Any = None,
    price_range: tuple[float, float] | None = None,
    price_step: float | None = None,
    by_leverage: bool = False,
    **options: Any,
) -> xr.Dataset:
    """Estimated liquidation heatmap: notional that would be liquidated, by time, price and side.

    Parameters
    ----------
    market : Market
        Everything in it before `start` warms the ledger.
    model : str, optional
        ``open_interest`` (default), ``volume``, ``decay``; see `liqlab.models`.
    preset : 'fitted', 'measured' or 'vendor', optional
        Assumptions by one word, see `liqlab.Assumptions.preset`; ``fitted`` is the default; ``vendor``
        draws the positions of the last 24 hours unless `lookback` is given. Its bands are crisp because four leverages
        and one entry price per bar are assumed, not because more is known. What is given beside it takes precedence.
    assumptions : Assumptions or Calibration, optional
        Everything that is assumed, in one value, instead of `model` and the options.
    start, end : time-like, optional
        What is shown, half-open, UTC; default: all.
    lookback : duration, optional
        ``"24h"``, ``"7d"``: show only positions opened within this span before each column (the vendors' windows).
        Where it reaches behind the market's start, a warning and ``attrs["lookback_held"]`` say what it holds.
    time_step : duration, optional
        Width of a column, a multiple of the time frame; default: the smallest that gives at most 2,000 columns.
    price_range : (low, high), optional
        Prices [quote] covered by bins; default 0.65 × the lowest to 1.45 × the highest price shown.
    price_step : float, optional
        Width of a bin [quote]; default: a round number near 5 bp of the first price shown.
    by_leverage : bool
        Keep the classes of the law apart in a further dimension ``leverage``; the coordinates ``leverage_low`` and
        ``leverage_high`` say for which leverages a class stands.
    **options
        The assumptions as plain keywords: ``law``, ``entries``, ``position_notional``, ``same_bar_share``, and the
        model's own; see `liqlab.Assumptions`.

    Returns
    -------
    xarray.Dataset
        ``notional`` (time, price, side[, leverage]): coins × liquidation price [quote], estimated, standing at the
        close of the column's last bar. ``attributed_oi``, ``unattributed_oi`` (time, side): coins with known and
        unknown entries. ``open, high, low, close`` [quote], ``volume`` [coins] (time) of the column. Coordinates: time
        (open of the column's first bar, UTC without zone), close_time, price (centre of the bin), price_edge, side.
        attrs: what it was made from and how.

    Raises
    ------
    ValueError, TypeError
        A range without candles, a column that is no multiple of the time frame, an unknown model or option, or
        assumptions given both ways.

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
    if preset is not None:
        if assumptions is not None or model is not None:
            raise TypeError("give preset= or model and assumptions=, not both: a preset is a model and assumptions")
        assumptions, options = Assumptions.preset(preset).replace(**options), {}
        lookback = VENDOR_LOOKBACK if preset == "vendor" and lookback is None else lookback
    run = ledger_for(market, Assumptions.given(assumptions, model, options))
    return shown_by(run, market, start, end, lookback, time_step, price_range, price_step, by_leverage)


@checked()
def liquidation_map(heat: xr.Dataset, at: Any = None) -> xr.Dataset:
    """One moment of a heatmap: the last column closed at or before it.

    Parameters
    ----------
    heat : Dataset or Live
        From `heatmap`, or several maps in one (`lookback_heatmaps`, `model_heatmaps`); one moment of it, or a live map.
    at : time-like, optional
        UTC; default: the last column. A bare number is taken where one unit of s, ms, µs and ns alone puts it within a
        year of the map.

    Returns
    -------
    xarray.Dataset
        ``notional`` (price, side) and the column's other variables.

    Raises
    ------
    ValueError
        Where no column had closed by then, or the map had ended a column or more before it.

    Examples
    --------
    >>> import liqlab as lq
    >>> heat = lq.heatmap(lq.load_example("btc-2024-05"), start="2024-05-01", end="2024-05-02")
    >>> str(lq.liquidation_map(heat, at="2024-05-01 07:00").close_time.values)[:16]
    '2024-05-01T07:00'
    """
    columns = as_columns(heat)
    return own_attrs(columns.isel(time=column_at(columns, at)))


# --- what is shown ----------------------------------------------------------------------------------------------------


def shown_by(
    run: Ledger,
    market: Market,
    start: Any = None,
    end: Any = None,
    lookback: Any = None,
    time_step: Any = None,
    price_range: tuple[float, float] | None = None,
    price_step: float | None = None,
    by_leverage: bool = False,
) -> xr.Dataset:
    """The heatmap of a market by whatever writes the columns of its ledger; arguments as in `heatmap`."""
    inputs = run.inputs
    last, width, frame = _columns(market, start, end, time_step)
    edges = edges_for(frame, price_range, price_step)
    _check_cells(len(frame), len(edges) - 1, len(np.unique(inputs.ladder.leverage)) if by_leverage else 1)
    last_step = inputs.first_step(last + 1) - 1
    alive = first_steps(market, inputs, last, lookback)
    record = run.columns(Columns(last_step, alive, edges, by_leverage))
    attrs = provenance(market, inputs, width, lookback).attrs() | short_history(market, frame["close_time"], lookback)
    return dataset(record, frame, edges, inputs if by_leverage else None, attrs)


def _columns(market: Market, start: Any, end: Any, time_step: Any) -> tuple[np.ndarray, int, pd.DataFrame]:
    """Last candle of every column, a column's width [ns], and the columns' own candles."""
    stamps = nanoseconds(market.candles.index)
    chosen = np.flatnonzero(between(stamps, start, end))
    if not chosen.size:
        raise ValueError(f"start and end: no candle lies in [{start}, {end}); the market runs from {market.start} to "
                         f"{market.end}: choose a range in it")  # fmt: skip
    step = market.step.as_unit("ns").value
    width = _width(step, stamps[chosen], time_step)
    origin = origin_of(stamps[0], step, width)
    begins = np.flatnonzero(np.diff(bar_number(stamps[chosen], width, origin), prepend=-(2**62)))
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
    return last, width, frame


def short_history(market: Market, closes: Any, lookback: Any) -> dict[str, str]:
    """Where a lookback reaches behind the market's start: what it really holds, as an attribute, and a warning."""
    if lookback is None:
        return {}
    span = timedelta(lookback, "lookback")
    held = pd.DatetimeIndex(closes).tz_localize(None) - market.start.tz_localize(None)
    short = int((held < span).sum())
    if not short:
        return {}
    first = f"{held[0].total_seconds() / 86_400:.3g}d"
    words = f"{first} in the first column; {short} of {len(held)} columns hold less than {timeframe_of(span)}"
    warn(f"lookback: the market begins {market.start:%Y-%m-%d %H:%M}, so {timeframe_of(span)} holds {words}; "
         "start later, choose a shorter lookback, or pass a longer market")  # fmt: skip
    return {"lookback_held": words}


def _width(step: int, stamps: np.ndarray, time_step: Any) -> int:
    """Width of a column [ns]; where whole columns begin says `market.resample`, so none depends on what is shown."""
    if time_step is not None:
        width = timedelta(time_step, "time_step").as_unit("ns").value
        if width % step:
            bar, next_one = (timeframe_of(pd.Timedelta(x, unit="ns")) for x in (step, (width // step + 1) * step))
            raise ValueError(f"time_step: a column must be a multiple of the time frame {bar}, got {time_step!r}; "
                             f"write {next_one!r}")  # fmt: skip
        return width
    for factor in FACTORS:
        width = factor * step
        number = bar_number(stamps, width, origin_of(stamps[0], step, width))
        if np.count_nonzero(np.diff(number)) < MAX_COLUMNS:  # they ascend, so each change is one more
            return width
    return (int(stamps[-1] - stamps[0]) // (MAX_COLUMNS * step) + 1) * step


def shown_edges(
    market: Market, start: Any, end: Any, price_range: tuple[float, float] | None, price_step: float | None
) -> np.ndarray:
    """Edges of the bins of a map of this range."""
    return edges_for(_columns(market, start, end, None)[2], price_range, price_step)


def edges_for(frame: pd.DataFrame, price_range: tuple[float, float] | None, price_step: float | None) -> np.ndarray:
    """Edges of the bins: whole multiples of the step, which comes from the first price shown.

    Only where the range would need more bins than a picture can show is the step widened, and then it depends on the
    range; give `price_step` where maps of different ends must have the same bins.
    """
    low, high = price_range or (BELOW * frame["low"].min(), ABOVE * frame["high"].max())
    if not 0 < low < high:
        raise ValueError(f"price_range must be (low, high) with 0 < low < high, got {price_range!r}; pass two prices")
    no_text(price_step=price_step)
    if price_step is not None and not price_step > 0:
        raise ValueError(f"price_step must be > 0 quote, got {price_step!r}; leave it out for a round number")
    width = price_step or round_number(BIN * frame["open"].iloc[0])
    if price_step is not None and (high - low) / width > MAX_GIVEN_BINS:
        raise ValueError(f"price_step={price_step:g} cuts {low:,.6g} to {high:,.6g} into more than {MAX_GIVEN_BINS:,} "
                         "bins; pass a larger one, or a narrower price_range")  # fmt: skip
    while price_step is None and (high - low) / width > MAX_BINS:
        width = round_number(width * 1.999)
    first = max(np.floor(low / width * (1 + 1e-12)), 1.0)
    return np.arange(first, max(np.ceil(high / width * (1 - 1e-12)), first + 1) + 1) * width


def _check_cells(columns: int, bins: int, classes: int) -> None:
    if (cells := columns * bins * 2 * classes) > MAX_CELLS:
        apart = f" × {classes} classes of leverage" if classes > 1 else ""
        raise ValueError(f"time_step and price_step give {columns:,} columns × {bins:,} bins × 2 sides{apart}, or "
                         f"{cells * 8 / 1e9:,.1f} GB; pass larger ones, or a narrower start and end")  # fmt: skip


def round_number(x: float) -> float:
    """1, 2, 2.5 or 5 × 10^k, the nearest in ratio.

    >>> round_number(29.75), round_number(0.0048)
    (25.0, 0.005)
    """
    power = 10.0 ** np.floor(np.log10(x))
    numbers = np.array([1.0, 2.0, 2.5, 5.0, 10.0])
    return float(f"{numbers[np.argmin(np.abs(np.log(x / (power * numbers))))] * power:.12g}")


def first_steps(market: Market, inputs: InputsHeader, last: np.ndarray, lookback: Any) -> np.ndarray:
    """First step of every column that its lookback still holds."""
    if lookback is None:
        return np.zeros(len(last), np.int64)
    opens = nanoseconds(market.candles.index)
    closes = opens[last] + market.step.as_unit("ns").value
    bar = np.searchsorted(opens, closes - timedelta(lookback, "lookback").as_unit("ns").value, side="left")
    return inputs.first_step(bar)
