"""What a fit of the law sees: liquidations per bar, side and class for one unit of share, and what was observed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from liqlab.engine.records import SIDES
from liqlab.maps.tables import liquidated_by_class
from liqlab.margin import tier_history
from liqlab.market.clock import nanoseconds, step_of
from liqlab.market.market import Market
from liqlab.models._assumptions import Assumptions
from liqlab.models._law import Law

__all__ = ["Design", "Observed", "classes_of", "design_of", "observed_of", "spread_law"]

CLASSES = 15  # about as many as the smoothness of the prior lets differ
MIN_LEVERAGE, SPREAD = 1.5, 2


@dataclass(frozen=True, eq=False)
class Observed:
    """Observed liquidations and their bars.

    Attributes
    ----------
    bar : ndarray (row,), int64
        Row of each bar of the candles.
    first : ndarray (time,), int64
        First of those rows of each observed bar: observations may be coarser than the candles.
    amount : ndarray (side, time)
        Coins × close [quote].
    price : ndarray (candle,)
        Close [quote]: puts estimated coins into the same unit.
    block : ndarray (time,), int64
        Day of each observed bar, counted from 0.
    """

    bar: np.ndarray
    first: np.ndarray
    amount: np.ndarray
    price: np.ndarray
    block: np.ndarray

    def sums(self, coins: np.ndarray) -> np.ndarray:
        """Per observed bar [quote], from coins per candle along the first axis."""
        value = coins * self.price.reshape(-1, *[1] * (coins.ndim - 1))
        return np.add.reduceat(value[self.bar], self.first, axis=0)


@dataclass(frozen=True, eq=False)
class Design:
    """Estimated amounts per unit of share [quote], (side, time, class): of what stood before its bar or step was
    reached, and of what was reached in the step of its opening."""

    stood: np.ndarray
    caught: np.ndarray


def observed_of(market: Market) -> Observed:
    """Observed liquidations joined to the candles that they cover; bars not covered are left out."""
    table = market.liquidations
    if table is None:
        raise ValueError("this market has no observed liquidations, so there is nothing to calibrate to; pass "
                         "liquidations= (columns long, short, in coins), or calibrate on another market")  # fmt: skip
    step, wide = market.step.as_unit("ns").value, step_of(table).as_unit("ns").value
    if wide % step:
        raise ValueError(f"liquidations come every {step_of(table)}, which is no multiple of the candles' "
                         f"{market.timeframe}; sum them to a multiple")  # fmt: skip
    opens, stamps = nanoseconds(market.candles.index), nanoseconds(table.index)
    row = np.searchsorted(stamps, opens, side="right") - 1
    inside = (row >= 0) & (opens + step <= stamps[row] + wide)
    whole = np.bincount(row[inside], minlength=len(stamps)) == wide // step
    bar = np.flatnonzero(inside & whole[row])
    kept = np.unique(row[bar])
    days = np.unique(stamps[kept] // (86_400 * 10**9), return_inverse=True)
    if len(kept) and len(days[0]) < 7:
        raise ValueError(f"observed liquidations cover {len(days[0])} days; calibration resamples days and needs at "
                         "least 7")  # fmt: skip
    if not len(kept):
        raise ValueError("no candle lies under an observed liquidation; check that both cover the same time")
    first = np.searchsorted(row[bar], kept)
    price = market.candles["close"].to_numpy()
    last = bar[np.append(first[1:], len(bar)) - 1]
    coins = table[SIDES].to_numpy()[kept].T
    if not (coins > 0).any(axis=1).all():
        raise ValueError("one side has no observed liquidation at all; a law needs both")
    return Observed(bar, first, coins * price[last], price, days[1].astype(np.int64))


def classes_of(market: Market, position_notional: float) -> np.ndarray:
    """Leverages of the fit: even in log, from 1.5x to the highest that the venue allowed while it was observed."""
    highest, table = [], market.liquidations
    assert table is not None
    for _, tiers in tier_history(market.exchange, market.symbol, table.index[0], market.end,
                                 leverage_tiers=market.leverage_tiers):  # fmt: skip
        held = np.clip(np.searchsorted(tiers.floor, position_notional, side="right") - 1, 0, None)
        highest.append(float(tiers.max_leverage[held]))
    grid = np.geomspace(MIN_LEVERAGE, min(highest), CLASSES)
    rounded = np.where(grid < 10, np.round(grid, 1), np.round(grid))
    rounded[-1] = min(highest)
    return rounded


def spread_law(law: Law, leverage: np.ndarray) -> np.ndarray:
    """Shares of a law on other classes (side, class): its cumulative share, joined straight in log leverage."""
    leverage_level = np.log(law.leverage_levels)
    middle = (leverage_level[1:] + leverage_level[:-1]) / 2
    edge = np.concatenate([[leverage_level[0] - 0.1], middle, [leverage_level[-1] + 0.1]])
    mine = np.log(leverage)
    cut = np.concatenate([[-1e9], (mine[1:] + mine[:-1]) / 2, [1e9]])
    out = []
    for shares in law.level_shares:
        below = np.concatenate([[0.0], np.cumsum(shares)])
        out.append(np.diff(np.interp(cut, edge, below)))
    share = np.maximum(np.stack(out), 1e-4)  # no class is ruled out before the data are seen
    return share / share.sum(axis=1, keepdims=True)


def design_of(market: Market, seen: Observed, assumptions: Assumptions) -> Design:
    """Run the ledger under a law that opens every class; divide each class by its share.

    What a class loses depends a little on the law itself, through the closings that liquidations use up: a fit repeats
    this at the law that it found.
    """
    share = np.stack([assumptions.law.long, assumptions.law.short])
    parts = []
    for same_bar_share in (0.0, 1.0):
        changed = assumptions.replace(same_bar_share=same_bar_share)
        parts.append(np.moveaxis(seen.sums(liquidated_by_class(market, changed)), 2, 0) / share[:, None, :])
    return Design(parts[0], np.maximum(parts[1] - parts[0], 0.0))
