"""Why is this band here? The bars, sides and leverages that stand behind one cell of a heatmap."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from liqlab.engine.grid import STEP, first_cell, price_of
from liqlab.engine.inputs import EngineInputs
from liqlab.engine.records import SIDES
from liqlab.engine.shared_run import ledger_run
from liqlab.maps.arguments import check_same_market, column_at, estimated
from liqlab.maps.heatmaps import BIN, round_number
from liqlab.maps.stacking import one_heatmap
from liqlab.maps.tables import bars_by, with_ranges
from liqlab.market.arguments import checked
from liqlab.market.clock import nanoseconds, timedelta
from liqlab.market.market import Market
from liqlab.market.provenance import Provenance
from liqlab.models._assumptions import Assumptions

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Lots", "Standing", "cell_edges", "explain", "standing_at"]

_NEAR = 1.05  # times the price, to either side: how far the nearest positions are looked for


@checked()
def explain(
    market: Market,
    price: float,
    *,
    at: Any = None,
    model: str | None = None,
    price_step: float | None = None,
    lookback: Any = None,
    assumptions: Assumptions | Any = None,
    heat: xr.Dataset | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Who stands behind a band: the positions that the model has at a price at a moment, by bar, side and leverage.

    Parameters
    ----------
    market : Market
        As in `heatmap`.
    price : float
        A price inside the band [quote].
    at : time-like, optional
        The moment: bars that close after it are not looked at. Default: the end of the heatmap, as wherever one is
        taken; without one, the end of the market.
    model, lookback, assumptions, **options
        As in `heatmap`.
    price_step : float, optional
        Width of the cell [quote]: the multiple of it that holds the price. Default: that of the heatmap; without one, a
        round number near 5 bp of the price.
    heat : Dataset or Live, optional
        The map that the band was seen in, made from this market: it gives the assumptions, the lookback, the cell and
        the moment, and the sum of ``notional`` is its cell.

    Returns
    -------
    DataFrame
        One row per bar, side and class of leverage, the largest first: opened_at (open of the bar), side, leverage (of
        the class), leverage_low, leverage_high (what the class stands for, and the prices are means of), entry_price,
        liquidation_price [quote], standing [coins], notional [quote], share of the cell's notional, age (from the
        bar's close to the moment), distance_from_entry = liquidation_price ÷ entry_price − 1 [1]. ``attrs``: low and
        high edge of the cell [quote], at: the moment.

    Raises
    ------
    ValueError
        Where no bar had closed by then or the market had ended, the price is not positive, or the heatmap is of another
        market.
    TypeError
        Assumptions besides a heatmap that has its own.

    Warns
    -----
    UserWarning
        Where nothing stands in the cell: the table is empty, and the words name the nearest positions.

    Examples
    --------
    >>> import liqlab as lq
    >>> who = lq.explain(lq.load_example("btc-2024-05"), 56_490, at="2024-05-01 15:30", price_step=25)
    >>> round(float(who["share"].sum()), 9), str(who["side"].iloc[0])
    (1.0, 'long')
    """
    if not price > 0:
        raise ValueError(f"price must be > 0 quote, got {price!r}; pass a price inside the band")
    if price_step is not None and not price_step > 0:
        raise ValueError(f"price_step must be > 0 quote, got {price_step!r}; leave it out for a round number")
    if heat is not None:
        given = {"model": model, "assumptions": assumptions, "lookback": lookback, **options}
        assumptions, lookback, at, price_step = _of_map(market, heat, at, price_step, given)
        model, options = None, {}
    standing = standing_at(market, Assumptions.given(assumptions, model, options), at, lookback)
    width = price_step or round_number(BIN * price)
    edges = cell_edges(price, width)
    if not edges[0] > 0:
        raise ValueError(f"price_step must be at most price, {price:,.6g} quote, got {width:,.6g}: it would begin "
                         "at 0; pass a narrower price_step, or leave it out for a round number")  # fmt: skip
    table = pd.concat([_positions(standing, side, edges) for side in SIDES], ignore_index=True)
    if table.empty:
        warnings.warn(_nothing_at(market, price, edges, standing), stacklevel=3)
    table = table.sort_values("notional", ascending=False, ignore_index=True, kind="stable")
    opened = standing.opens[table.pop("bar")]
    table.insert(0, "opened_at", opened)
    table["share"] = table["notional"] / table["notional"].sum()
    table["age"] = standing.opens[-1] - opened.to_series(index=table.index)
    table["distance_from_entry"] = table["liquidation_price"] / table["entry_price"] - 1
    with_ranges(table, standing.inputs.assumptions.law)
    table.attrs.update(symbol=market.symbol, exchange=market.exchange)
    table.attrs.update(low=float(edges[0]), high=float(edges[1]), at=standing.opens[-1] + market.step)
    return table


def _nothing_at(market: Market, price: float, edges: np.ndarray, standing: Standing) -> str:
    """That no position stands in a cell, and where the nearest are, or where they may be."""
    found = {}
    for word, (low, high) in (("below", (price / _NEAR, edges[0])), ("above", (edges[1], price * _NEAR))):
        lots = [standing.lots(side, np.array([[low, high]])) for side in SIDES]
        prices = np.concatenate([lot.notional / lot.coins for lot in lots])
        if len(prices):
            found[word] = prices.max() if word == "below" else prices.min()
    none = f"price: no estimated position stands between {edges[0]:,.6g} and {edges[1]:,.6g}, so the table is empty; "
    if found:
        words = " and ".join(f"{where:,.6g} {word}" for word, where in found.items())
        return f"{none}the nearest stand at about {words} it: pass one of these, or a wider price_step"
    known = market.candles.loc[: standing.opens[-1]]
    return (f"{none}this market traded between {known['low'].min():,.6g} and {known['high'].max():,.6g}: pass a price "
            "in or near that range")  # fmt: skip


def _of_map(
    market: Market, heat: Any, at: Any, price_step: float | None, given: dict[str, Any]
) -> tuple[Assumptions, str | None, Any, float]:
    """Assumptions, lookback, moment and width of a cell of the map that a band was seen in."""
    named = [name for name, value in given.items() if value is not None]
    if named:
        raise TypeError(f"heat has its own assumptions and lookback, got {', '.join(named)} besides; leave out either")
    heat = one_heatmap(estimated(heat))
    check_same_market(market, heat)
    edges = heat["price_edge"].to_numpy()
    closed = pd.Timestamp(heat["close_time"].to_numpy()[column_at(heat, at)], tz="UTC")
    step = float(edges[1] - edges[0]) if price_step is None else price_step
    return Assumptions.of(heat), Provenance.of(heat).lookback or None, closed, step


def _positions(standing: Standing, side: str, edges: np.ndarray) -> pd.DataFrame:
    """Positions of one side in a band of prices, by bar and leverage: sums, and prices as means weighted by coins."""
    lots = standing.lots(side, edges[None])
    sums = pd.DataFrame({"bar": lots.bar, "leverage": lots.leverage})
    sums["entry_price"], sums["liquidation_price"] = lots.notional * lots.entry_to_level, lots.notional
    sums["standing"], sums["notional"] = lots.coins, lots.notional
    table = sums.groupby(["bar", "leverage"], sort=False, as_index=False).sum()
    for name in ("entry_price", "liquidation_price"):
        table[name] /= table["standing"]
    table.insert(1, "side", side)
    return table


def cell_edges(price: Any, width: float) -> np.ndarray:
    """Low and high edge of the cell of a heatmap that holds each price [quote]: (…, 2)."""
    low = np.floor(np.asarray(price, float) / width * (1 + 1e-12)) * width
    return np.stack([low, low + width], axis=-1)


class Lots(NamedTuple):
    """What stands in bands of prices, lot by lot: openings of one step at one leverage.

    Attributes
    ----------
    band, bar : ndarray (lot,), int64
        Number of the band; candle of the opening.
    leverage : ndarray (lot,)
    coins, notional : ndarray (lot,)
        What stands of them [coins], and × its level price [quote].
    entry_to_level : ndarray (lot,)
        Entry price ÷ level price [1].
    """

    band: np.ndarray
    bar: np.ndarray
    leverage: np.ndarray
    coins: np.ndarray
    notional: np.ndarray
    entry_to_level: np.ndarray


@dataclass(frozen=True, eq=False)
class Standing:
    """All that stands at a moment, to be asked who is behind bands of prices.

    Attributes
    ----------
    inputs : EngineInputs
        Those of the candles that had closed.
    survival : ndarray (step, side, rate_group)
        What closing has left of a coin opened in each step.
    opens : DatetimeIndex (bar,)
        Opens of these candles.
    first_step : int
        First step that the lookback still holds.
    """

    inputs: EngineInputs
    survival: np.ndarray
    opens: pd.DatetimeIndex
    first_step: int

    def lots(self, side: str, edges: np.ndarray) -> Lots:
        """Who is liquidated between the edges of each band.

        A step's openings stand at a level cell if they were spread over the entry cell that lies the class's distance
        away, and if no price since, its own step's included, has reached the level. Shorts are longs in the mirror.

        Parameters
        ----------
        side : 'long' or 'short'
        edges : ndarray (band, 2)
            Prices [quote].
        """
        s, steps, ladder = SIDES.index(side), self.inputs.steps, self.inputs.ladder
        first, end = first_cell(edges[:, 0]), first_cell(edges[:, 1])
        low, high = steps.entry_low, steps.entry_high
        if s:
            first, end, low, high = 1 - end, 1 - first, -high, -low
        groups = self._alike[s]
        away, version = ladder.cells[s, groups[:, 0]], ladder.tier_version[groups[:, 0]]
        begin = max(int(np.searchsorted(self._unreached[s], first.min(initial=1 << 40), side="right")), self.first_step)
        step, band, row = _meetings(low[begin:], high[begin:], first, end, away)
        step += begin
        bottom = np.maximum(first[band], low[step] - away[row])
        top = np.minimum(np.minimum(end[band] - 1, high[step] - away[row]), self._unreached[s][step] - 1)
        on = (top >= bottom) & (version[row] == steps.tier_version[step])
        step, band, row, bottom, top = (x[on] for x in (step, band, row, bottom, top))
        share = ladder.share[s][groups] * (
            np.diff(groups, axis=1, prepend=-1) != 0
        )  # a row that is repeated counts once
        left = np.sum(self.survival[step[:, None], s, ladder.rate_groups[0][groups[row]]] * share[row], axis=1)
        coins = steps.opened[s, step] / (high[step] - low[step] + 1) * left
        price = _sums(first, end, mirror=bool(s))
        notional = coins * (price[band, top - first[band] + 1] - price[band, bottom - first[band]])
        coins = coins * (top - bottom + 1)
        ratio = np.exp((-1 if s else 1) * STEP * away)
        on = coins > 0
        return Lots(band[on], self.inputs.bar[step[on]], ladder.leverage[groups[row[on], 0]], coins[on], notional[on],
                    ratio[row[on]])  # fmt: skip

    @cached_property
    def _unreached(self) -> tuple[np.ndarray, np.ndarray]:
        """By side, in its mirror: the lowest cell that each step and those after it have reached; ascending."""
        steps = self.inputs.steps
        low, high = (np.minimum.accumulate(x[::-1])[::-1] for x in (steps.touch_low, -steps.touch_high))
        return low, high

    @cached_property
    def _alike(self) -> tuple[np.ndarray, np.ndarray]:
        """By side: leverage levels that differ in their close rate alone (group, row), the last row repeated."""
        ladder, found = self.inputs.ladder, []
        for s in (0, 1):
            rows: dict[tuple[float, ...], list[int]] = {}
            for row, key in enumerate(zip(ladder.tier_version, ladder.leverage, ladder.cells[s], strict=True)):
                rows.setdefault(key, []).append(row)
            most = max(map(len, rows.values()))
            found.append(np.array([each + each[-1:] * (most - len(each)) for each in rows.values()]))
        return found[0], found[1]


def _meetings(
    low: np.ndarray, high: np.ndarray, first: np.ndarray, end: np.ndarray, away: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Steps whose entry cells come near those of a band at a distance: step, band and distance of every such pair."""
    entry = (first[:, None] + away).ravel()
    order = np.argsort(entry, kind="stable")
    widest = int((end - first).max(initial=0))
    start, stop = (np.searchsorted(entry[order], x, side="left") for x in (low - widest + 1, high + 1))
    count = stop - start
    step = np.repeat(np.arange(len(low)), count)
    each = np.arange(len(step)) - np.repeat(np.cumsum(count) - count - start, count)
    band, row = np.divmod(order[each], len(away))
    return step, band, row


def _sums(first: np.ndarray, end: np.ndarray, *, mirror: bool) -> np.ndarray:
    """Running sums of the level prices of each band's cells (band, cell + 1)."""
    cells = first[:, None] + np.arange(int((end - first).max(initial=0)))
    price = price_of(-cells if mirror else cells)
    return np.concatenate([np.zeros((len(first), 1)), np.cumsum(price, axis=1)], axis=1)


def standing_at(market: Market, assumptions: Assumptions, at: Any = None, lookback: Any = None) -> Standing:
    """All that stands at a moment, of what was opened within the lookback; ValueError where no bar had closed."""
    bars = bars_by(market, at)
    inputs, survival = ledger_run(market, assumptions).until(bars)
    opens = market.candles.index[:bars]
    stamps, first = nanoseconds(opens), 0
    if lookback is not None:
        alive = stamps[-1] + market.step.as_unit("ns").value - timedelta(lookback, "lookback").as_unit("ns").value
        first = int(np.searchsorted(stamps[inputs.bar], alive))
    return Standing(inputs, survival, pd.DatetimeIndex(opens), first)
