"""Positions that are known: what comes along of them, and which of them a map could know at all."""

from __future__ import annotations

import numpy as np
import pandas as pd

from liqlab.engine.records import SIDES
from liqlab.loaders._examples import folder
from liqlab.market.arguments import Table, at_least, checked, within_0_and_1
from liqlab.market.market import Market
from liqlab.validation.resampling import interval

__all__ = ["POSITIONS", "REACH", "classes_of_positions", "distance_of", "draw_accounts", "true_positions"]

FILE = "positions-2026-02.csv.gz"
REACH = 0.8  # what stands farther than this share of the price is out of reach
CLASSES = ("no liquidation price", "out of reach", "older than the candles", "within reach")
POSITIONS = Table("validation.true_positions(coin)", "time account side coins entry liquidation_price mark")


@checked()
def true_positions(coin: str) -> pd.DataFrame:
    """True positions of Hyperliquid's largest accounts, as they come along.

    Parameters
    ----------
    coin : str
        ``BTC``, ``ETH`` or ``SOL``.

    Returns
    -------
    DataFrame
        One row per moment and position: time [UTC], account (a number instead of its address), side, coins [coins],
        entry, liquidation_price (missing: no price liquidates it), mark [quote].

    Raises
    ------
    ValueError
        Another coin.

    Assumptions
    -----------
    - *Selected*: the accounts that were largest by size or profit at the moment, 95 to 499 of them; who is on the list
      changes from moment to moment. Nearly all are cross-margined: their price moves with their other positions.
    - Moments of 4 to 14 February 2026, four hours apart or more.

    Examples
    --------
    >>> table = true_positions("BTC")
    >>> table["time"].nunique(), str(table["time"].min())
    (34, '2026-02-04 10:05:57+00:00')
    """
    table = pd.read_csv(folder("data") / FILE, parse_dates=["time"])
    coins = sorted(table["coin"].unique())
    if coin not in coins:
        raise ValueError(f"coin must be one of {', '.join(coins)}, got {coin!r}; there are positions of no other here")
    numbers = dict.fromkeys(("coins", "entry", "liquidation_price", "mark"), "float64")
    return table[table["coin"] == coin].drop(columns="coin").astype({"side": str, **numbers}).reset_index(drop=True)


@checked(positions=POSITIONS)
def classes_of_positions(
    positions: pd.DataFrame, market: Market | None = None, *, resamples: int = 300, level: float = 0.9, seed: int = 0
) -> pd.DataFrame:
    """Share of the value that a map could know at all, by side: not what no price reaches or older candles held.

    Parameters
    ----------
    positions : DataFrame
        As `true_positions`.
    market : Market, optional
        Whose candles a map would be made from. Without it nothing counts as older than the candles.
    resamples, level, seed : int, float, int
        Of the bootstrap that draws accounts.

    Returns
    -------
    DataFrame (side, class)
        share of the value (coins × mark) over all moments, low, high; accounts that ever were in the class. Classes:
        ``no liquidation price``; ``out of reach``, farther than 80 % of the price; ``older than the candles``: the
        entry lies outside all prices traded since the market begins; ``within reach``: the rest.
    """
    at_least(2, resamples=resamples)
    within_0_and_1(level=level)
    value = positions["coins"] * positions["mark"]
    kind = _kinds(positions, market)
    rows = {}
    for side in SIDES:
        on = (positions["side"] == side).to_numpy()
        code, drawn = draw_accounts(positions["account"].to_numpy()[on], resamples, seed)
        whole = np.bincount(code, value[on], len(drawn)) @ drawn
        for name in CLASSES if market is not None else (*CLASSES[:2], CLASSES[3]):
            mine = on & (kind == name)
            part = np.bincount(code, np.where(mine, value, 0.0)[on], len(drawn)) @ drawn
            share = np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
            told = dict(zip(("share", "low", "high"), interval(share, level), strict=True))
            rows[side, name] = {**told, "accounts": positions["account"][mine].nunique()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["side", "class"])


def _kinds(positions: pd.DataFrame, market: Market | None) -> np.ndarray:
    """The class of every position."""
    away = distance_of(positions)
    kind = np.where(np.isnan(away), CLASSES[0], np.where(away >= REACH, CLASSES[1], CLASSES[3]))
    if market is not None:
        older = (kind == CLASSES[3]) & is_older(positions, market)
        kind = np.where(older, CLASSES[2], kind)
    return kind


def is_older(positions: pd.DataFrame, market: Market) -> np.ndarray:
    """Whether the entry lies outside all prices that the market traded up to the moment."""
    candles = market.candles
    last = candles.index.searchsorted(positions["time"] - market.step, side="right") - 1
    if len(last) and last.min() < 0:
        raise ValueError(f"positions begin at {positions['time'].min()}, before the market's first complete bar of "
                         f"{candles.index[0]}; pass candles from before the positions")  # fmt: skip
    lowest, highest = candles["low"].cummin().to_numpy()[last], candles["high"].cummax().to_numpy()[last]
    return ((positions["entry"] < lowest) | (positions["entry"] > highest)).to_numpy()


def distance_of(positions: pd.DataFrame) -> np.ndarray:
    """Distance from the mark to the liquidation price, as a share of the mark; missing where there is no such price."""
    ratio = (positions["liquidation_price"] / positions["mark"]).to_numpy()
    return np.where(positions["side"] == "long", 1 - ratio, ratio - 1)


def draw_accounts(account: np.ndarray, resamples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Code of each row's account; how often each is drawn (account, 1 + resample), column 0 is the sample."""
    names, code = np.unique(account, return_inverse=True)
    count = max(len(names), 1)
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples).T
    return code, np.column_stack([np.ones(count), drawn])
