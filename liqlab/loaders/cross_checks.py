"""What one table of a market refutes in another: positions cannot grow or shrink by more than was traded."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from liqlab.market.clock import nanoseconds
from liqlab.market.market import Market

__all__ = ["check_turnover", "turnover", "warn_of_turns"]

MIN_STEPS = 20  # fewer show nothing
MAX_SHARE = (
    0.05  # of steps in which open interest may move more than was traded: snapshots are taken at no exact moment
)

# 19 perpetuals of Binance have 1.4 … 4.7 turns a day, single days .3 … 19.4; the change is .03 … .08 of the volume.
USUAL_TURNS = (0.1, 30.0)
MOST_CHANGE = 0.2
DAYS_OF_TURNS = 2  # fewer show an hour's mood


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


def warn_of_turns(daily: float, interest: float, price: float, market: Market, file: str) -> None:
    """Warn of open interest as another coin's would be, by its turns a day and its change beside the volume.

    Parameters
    ----------
    daily, interest : float
        Traded a day, and open in the median [coins].
    price : float
        [quote]
    market : Market
    file : str
        What to call the table in messages.

    Warns
    -----
    UserWarning
        Where it turns over far less or more often than those markets that were looked at, with the numbers. Coins
        whose numbers are alike (SOL and AVAX) are not told apart.
    """
    assert market.open_interest is not None
    low, high = USUAL_TURNS
    turns = daily / interest
    steps = turnover(market.candles, market.open_interest).query("volume > 0")
    share = float((steps["change"] / steps["volume"]).median()) if len(steps) >= MIN_STEPS else 0.0
    if low <= turns <= high and not (turns < 1 and share > MOST_CHANGE):
        return
    warnings.warn(f"{file}: {interest:,.6g} {market.coin} are open, {interest * price:,.6g} {market.quote} at "
                  f"{price:,.6g}, where {daily:,.6g} a day were traded: {turns:.3g} turns a day (usual: {low:g} to "
                  f"{high:g}), and it changes by {share:.2g} of what is traded (usual: below {MOST_CHANGE:g}). Is it "
                  "of this coin and venue, and in coins? Compare with the venue's page; pass the table that belongs "
                  "to the candles, or units={'open_interest': …}", stacklevel=2)  # fmt: skip
