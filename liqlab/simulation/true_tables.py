"""What was true in a simulated market: its positions, where they stood, and the law that was in effect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from liqlab.engine.jit import jit
from liqlab.margin import tiers_for
from liqlab.market.clock import nanoseconds, utc
from liqlab.market.market import Market
from liqlab.models._law import LEVERAGES, MAX_LOG_DISTANCE, Law, distances
from liqlab.models._law import law as _law

__all__ = ["Simulation"]

SIDES = ("long", "short")


@dataclass(frozen=True, eq=False)
class Simulation:
    """What was seen of a synthetic market, and what was true.

    Attributes
    ----------
    market : Market
        What an analyst would have: candles, open interest, liquidations, tiers.
    positions : DataFrame
        What nobody has. One row per position (a position closed in parts has one row per part, and one ``position``
        number): position, opened_at, side, quantity [coins], entry_price [quote], leverage, margin_mode (isolated,
        cross), liquidation_price [quote] (the last in force; NaN: none), liquidation_price_at_entry [quote],
        margin_added_at, closed_at, reason (liquidated, closed, open). Rows opened before the market starts are those
        that still stood then.
    path : Series (time,)
        The true price [quote] at the end of every sub-step of 10 seconds, stamped by that end; the first is the start.
    """

    market: Market
    positions: pd.DataFrame
    path: pd.Series

    @property
    def law(self) -> Law:
        """The planted law on ten leverages, weighted by the coins opened; see `law_on`."""
        return self.law_on()

    def law_on(self, leverages: Sequence[float] = LEVERAGES, *, of: str = "opened", notional: float = 10_000.0) -> Law:
        """The distances that were in effect, put on given leverages.

        Parameters
        ----------
        leverages : sequence of float
            Ascending.
        of : 'opened' or 'standing'
            Weigh positions by the coins opened, or by coins × time standing. Lives differ with the leverage, so the
            two laws differ.
        notional : float
            Notional [quote] of one position: which tier turns leverages into distances.

        Returns
        -------
        laws.Law
            Each position is counted at the leverage whose log distance is the nearest.

        Examples
        --------
        >>> from liqlab import simulate
        >>> law = simulate(2, seed=1).law_on((5, 25))
        >>> law.name, law.leverage.tolist()
        ('planted', [5.0, 25.0])
        """
        grid = np.array(leverages, float)
        table = tiers_for(self.market.exchange, self.market.symbol, leverage_tiers=self.market.leverage_tiers)
        ladder, _ = distances(_law(dict.fromkeys(grid.tolist(), 1.0)), table, position_notional=notional)
        shares = []
        for row, side in enumerate(SIDES):
            distance, weight = _distances(self, side, of)
            middle = np.log(ladder[row, :-1] * ladder[row, 1:]) / 2
            rank = np.searchsorted(-middle, -np.log(distance))
            shares.append(np.bincount(rank, weight, minlength=grid.size))
        long, short = shares
        return Law("planted", grid, long, short, f"known: the simulation's own positions, by coins {of}")

    def distances(self, quantiles: Sequence[float] = (0.1, 0.5, 0.9), *, of: str = "opened") -> pd.DataFrame:
        """Quantiles of the distance entry → liquidation in effect, as a share of the entry price.

        Parameters
        ----------
        quantiles : sequence of float
        of : 'opened' or 'standing'
            As in `law_on`.

        Returns
        -------
        DataFrame (side, quantile)
            Distance [1]; long positions that nothing liquidates have 1.
        """
        rows = {}
        for sign, side in zip((-1.0, 1.0), SIDES, strict=True):
            distance, weight = _distances(self, side, of)
            order = np.argsort(distance)
            below = np.cumsum(weight[order]) - weight[order] / 2
            rows[side] = np.abs(np.expm1(sign * np.interp(quantiles, below / weight.sum(), distance[order])))
        return pd.DataFrame(rows, index=pd.Index(list(quantiles), name="quantile")).T.rename_axis("side")

    def standing(self, times: Any, edges: np.ndarray) -> np.ndarray:
        """True notional standing at its liquidation price.

        Parameters
        ----------
        times : time-like or sequence of them, (time,)
            Instants within the market, UTC.
        edges : ndarray (bin + 1,)
            Edges of price bins [quote], ascending; half-open ``[low, high)``.

        Returns
        -------
        ndarray (time, bin, side)
            Coins × liquidation price [quote]; long first.

        Raises
        ------
        ValueError
            A moment before the market's start or after its end, edges that do not ascend.
        """
        edges = np.asarray(edges, float)
        if edges.ndim != 1 or not (np.diff(edges) > 0).all():
            raise ValueError("edges must be prices in ascending order; use np.arange(low, high, width)")
        moments = np.array([_instant(x) for x in np.atleast_1d(np.asarray(times, object))])
        for moment in moments[(moments < _instant(self.market.start)) | (moments > _instant(self.market.end))]:
            raise ValueError(f"nothing is known at {pd.Timestamp(moment)}; the market runs from {self.market.start} to "
                             f"{self.market.end}")  # fmt: skip
        order = np.argsort(moments, kind="stable")
        out = np.zeros((len(moments), len(edges) - 1, 2))
        for begin, end, price, row in _spells(self):
            bin_ = np.searchsorted(edges, price, side="right") - 1
            keep = (bin_ >= 0) & (bin_ < len(edges) - 1) & (price >= edges[0])
            side = row["side"].cat.codes.to_numpy()
            first, last = (np.searchsorted(moments[order], x, side="left") for x in (begin, end))
            _stack_nb(first[keep], last[keep], bin_[keep], side[keep], (row["quantity"].to_numpy() * price)[keep], out)
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        return out[back]

    def __repr__(self) -> str:
        return f"Simulation of {len(self.positions):,} positions\n{self.market!r}"


def _spells(simulation: Simulation) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, pd.DataFrame]]:
    """Begin and end [ns], liquidation price and rows: of all positions as entered, then of those that were moved."""
    rows = simulation.positions
    end = pd.Timestamp(simulation.market.end)
    moved, closed = rows["margin_added_at"], rows["closed_at"].fillna(end + pd.Timedelta(seconds=1))
    level = rows["liquidation_price_at_entry"].to_numpy()
    yield _ns(rows["opened_at"]), _ns(moved.fillna(closed)), level, rows
    later = moved.notna().to_numpy()
    yield _ns(moved[later]), _ns(closed[later]), rows["liquidation_price"].to_numpy()[later], rows[later]


def _instant(moment: Any) -> int:
    return utc(moment).as_unit("ns").value


def _ns(moments: pd.Series) -> np.ndarray:
    return nanoseconds(pd.DatetimeIndex(moments))


def _distances(simulation: Simulation, side: str, of: str) -> tuple[np.ndarray, np.ndarray]:
    """Log distances > 0 of a side's positions, and the weight of each."""
    if of not in ("opened", "standing"):
        raise ValueError(f"of must be 'opened' or 'standing', got {of!r}")
    start, stop = _instant(simulation.market.start), _instant(simulation.market.end)
    found = []
    for begin, end, level, rows in _spells(simulation):
        known = np.where(np.isnan(level), np.nan, np.abs(np.log(level / rows["entry_price"].to_numpy())))
        weight = rows["quantity"].to_numpy() * (rows["side"] == side).to_numpy()
        if of == "standing":
            weight = weight * np.maximum(np.minimum(end, stop) - np.maximum(begin, start), 0)
        else:
            weight = weight * (begin >= start)
        found.append((np.nan_to_num(known, nan=MAX_LOG_DISTANCE)[weight > 0], weight[weight > 0]))
        if of == "opened":
            break
    distance, weight = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return distance, weight


@jit
def _stack_nb(first: Any, last: Any, bin_: Any, side: Any, notional: Any, out: Any) -> None:
    """Add every spell to the moments that it covers."""
    for row in range(first.size):
        for t in range(first[row], last[row]):
            out[t, bin_[row], side[row]] += notional[row]
