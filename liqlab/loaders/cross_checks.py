"""What one table of a market refutes in another: positions cannot grow or shrink by more than was traded."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from liqlab.market.clock import nanoseconds

__all__ = ["check_turnover", "turnover"]

MIN_STEPS = 20  # fewer show nothing
MAX_SHARE = (
    0.05  # of steps in which open interest may move more than was traded: snapshots are taken at no exact moment
)


def turnover(candles: pd.DataFrame, open_interest: pd.DataFrame) -> pd.DataFrame:
    """Change of open interest beside the volume of the same time.

    Parameters
    ----------
    candles : DataFrame (time,)
        volume [coins], stamped by the open of the bar.
    open_interest : DataFrame (time,)
        open_interest [coins], snapshots. Those at the edge of a candle are used.

    Returns
    -------
    DataFrame (time,)
        change: |ΔOI| since the snapshot before [coins]; volume [coins] traded meanwhile. Steps with missing candles
        are left out.

    Examples
    --------
    >>> hours = pd.date_range("2024-05-01", periods=3, freq="h", tz="UTC")
    >>> candles = pd.DataFrame({"volume": [5.0, 7.0, 9.0]}, index=hours)
    >>> interest = pd.DataFrame({"open_interest": [100.0, 97.0, 99.0]}, index=hours)
    >>> turnover(candles, interest).values.tolist()
    [[3.0, 5.0], [2.0, 7.0]]
    """
    opens, stamps = nanoseconds(candles.index), nanoseconds(open_interest.index)
    none = pd.DataFrame({"change": [], "volume": []}, dtype="float64")
    if len(opens) < 2:
        return none
    step = int(np.diff(opens).min())
    edges = np.append(opens, opens[-1] + step)
    place = np.searchsorted(edges, stamps)
    chosen = (place < len(edges)) & (edges[np.minimum(place, len(edges) - 1)] == stamps)
    place, kept = place[chosen], open_interest[chosen]
    if len(kept) < 2:
        return none
    traded = np.concatenate([[0.0], np.cumsum(candles["volume"].to_numpy())])
    whole = np.diff(place) * step == np.diff(stamps[chosen])
    table = pd.DataFrame({"change": np.abs(np.diff(kept["open_interest"])), "volume": np.diff(traded[place])},
                         index=kept.index[1:])  # fmt: skip
    return table[whole]


def check_turnover(candles: pd.DataFrame, open_interest: pd.DataFrame, *, where: str = "") -> None:
    """Refuse or warn where open interest moves by more than was traded: |ΔOI| ≤ volume, both in coins, one side.

    It can refute a unit, and prove none.

    Parameters
    ----------
    candles, open_interest : DataFrame (time,)
        As `turnover`.
    where : str
        Names the market in messages: `` of BTC/USDT:USDT on bybit``.

    Raises
    ------
    ValueError
        Where it moves by more in half of all steps: the two tables do not count the same.

    Warns
    -----
    UserWarning
        Where it does in more than one step of twenty.
    """
    steps = turnover(candles, open_interest)
    if len(steps) < MIN_STEPS:
        return
    over = steps["change"].to_numpy() > steps["volume"].to_numpy() * (1 + 1e-9)
    if over.mean() <= MAX_SHARE:
        return
    traded = steps[steps["volume"] > 0]
    ratio = float((traded["change"] / traded["volume"]).median()) if len(traded) else float("inf")
    text = (f"open interest{where} moves by more coins than were traded in {int(over.sum()):,} of {len(steps):,} steps "
            f"(|change| ÷ volume: median {ratio:.3g}, possible is at most 1)")  # fmt: skip
    if over.mean() > 0.5:
        raise ValueError(f"{text}: one of the two does not count coins, or not of this market; check unit and sides "
                         "(lq.loaders.venue_units), or leave open_interest out")  # fmt: skip
    warnings.warn(f"{text}; check unit, sides and stamps of both", stacklevel=3)
