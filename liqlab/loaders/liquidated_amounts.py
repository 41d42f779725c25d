"""Liquidations against what was traded: no bar, and no stretch of bars, liquidates more than was exchanged in it."""

from __future__ import annotations

import warnings

import numpy as np

from liqlab.market.clock import nanoseconds, step_of
from liqlab.market.market import Market

__all__ = ["check_liquidated"]

_MOST_LIQUIDATED = 0.1  # of the volume of all bars; .0009 and .0013 in the hourly examples of 2024
_FEWEST = 30  # bars


def check_liquidated(market: Market, file: str) -> None:
    """No bar liquidates more than it traded; the bars beside it are allowed for, as clocks differ."""
    table = market.liquidations
    assert table is not None
    length = step_of(table) if len(table) > 1 else market.step
    opens, stamps = nanoseconds(market.candles.index), nanoseconds(table.index)
    width, span = market.step.as_unit("ns").value, length.as_unit("ns").value
    traded = np.concatenate([[0.0], np.cumsum(market.candles["volume"].to_numpy())])
    begin, stop = np.searchsorted(opens, stamps - width), np.searchsorted(opens, stamps + span + width)
    inside = (stamps >= opens[0]) & (stamps + span <= opens[-1] + width)
    volume, coins = traded[stop] - traded[begin], table[["long", "short"]].sum(axis=1).to_numpy()
    over = inside & (coins > volume * (1 + 1e-6))
    if over.any():
        row = int(np.flatnonzero(over)[0])
        raise ValueError(f"{file}: liquidations at {table.index[row]} are {coins[row]:,.6g}, more than the "
                         f"{volume[row]:,.6g} coins traded in and beside that bar ({int(over.sum())} of "
                         f"{int(inside.sum())} bars): they are not in coins, or of several venues; pass "
                         "units={'liquidations': 'quote'} or 'contracts' with contract_size=")  # fmt: skip
    _together(coins[inside], begin[inside], stop[inside], traded, file)


def _together(coins: np.ndarray, begin: np.ndarray, stop: np.ndarray, traded: np.ndarray, file: str) -> None:
    """Nor do all bars together: what each may borrow from its neighbours is there once, not once a bar."""
    if not len(coins):
        return
    total, volume = float(coins.sum()), float(traded[stop.max()] - traded[begin.min()])
    told = f"{file}: {total:,.6g} coins are liquidated in {len(coins)} bars where {volume:,.6g} were traded"
    remedy = "pass units={'liquidations': 'quote'} or 'contracts' with contract_size="
    if total > volume * (1 + 1e-6):
        raise ValueError(f"{told}: they are not in coins, or of several venues; {remedy}")
    if len(coins) >= _FEWEST and total > _MOST_LIQUIDATED * volume:
        warnings.warn(f"{told} (usual: about a thousandth); if they are not in coins, {remedy}", stacklevel=2)
