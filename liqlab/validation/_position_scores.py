"""Estimated maps against positions that are known: which distances from the price hold how much, band by band."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.engine.records import SIDES
from liqlab.maps.arguments import as_columns, estimated
from liqlab.market.arguments import at_least, checked, within_0_and_1
from liqlab.market.clock import nanoseconds
from liqlab.market.market import Market
from liqlab.validation._positions import POSITIONS, REACH, distance_of, draw_accounts, is_older
from liqlab.validation.resampling import interval

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["score_positions"]

STEP = 0.02  # width of a bin, as a share of the mark
EDGES = np.round(np.arange(0, REACH + STEP / 2, STEP), 4)
BANDS = {"0-10 %": (0.0, 0.1), "10-20 %": (0.1, 0.2), "20-40 %": (0.2, 0.4), "40-80 %": (0.4, 0.8),
         "10-80 %": (0.1, 0.8)}  # fmt: skip
PARTS = ("0-10 %", "10-20 %", "20-40 %", "40-80 %")
FORECASTS = ("map", "earlier days, other accounts", "earlier days, same accounts", "nearer is more", "volume profile",
             "uniform", "placebo: another day", "placebo: mirrored")  # fmt: skip
MAX_SHARE = 0.05  # of a band, that one account may hold
SPLIT = 2_654_435_761  # Knuth's multiplier: the halves of the accounts do not follow their numbers


@checked(positions=POSITIONS)
def score_positions(
    heat: xr.Dataset,
    market: Market,
    *,
    positions: pd.DataFrame,
    older: bool = True,
    resamples: int = 200,
    level: float = 0.9,
    seed: int = 0,
) -> pd.DataFrame:
    """Rank correlation of a map, of profiles and of placebos with what truly stood, by side and band of distance.

    Parameters
    ----------
    heat : Dataset
        From `liqlab.heatmap`; of every moment the last column that was closed by then is taken.
    market : Market
        Whose candles give the volume profile and decide which entries are older than they.
    positions : DataFrame
        As `true_positions` gives them.
    older : bool
        False leaves out positions whose entry lies outside all prices traded since the market begins.
    resamples, level, seed : int, float, int
        Of the bootstrap that draws accounts; moments are held as they are.

    Returns
    -------
    DataFrame (side, band, forecast)
        value, low, high: Spearman's correlation over the bins of a band (2 % of the mark each), mean over moments and
        over both halves of the accounts; lead, lead_low, lead_high: how far the map is ahead, paired; accounts in the
        band; moments that count. A forecast that is the same in all bins ranks nothing: 0.

    Raises
    ------
    ValueError
        Positions before the map's first closed column, or none at all.

    Assumptions
    -----------
    - What stands at a distance: coins × liquidation price. No account holds more than 5 % of a band; where fewer than
      twenty are in it, all count alike.
    - Accounts are split in two by a hash of their number. Each half is foretold by the *other* half's mean profile over
      earlier days; ``earlier days, same accounts`` has seen these very accounts before, which no map has.
    - ``nearer is more`` is any law of distances that only falls, as the fitted one does beyond 10 %, with all entries
      at the present price. ``another day``: the map's profile half of all moments away. ``mirrored``: the profile of
      the other side. ``volume profile``: traded volume by price since the market begins.
    """
    at_least(2, resamples=resamples)
    within_0_and_1(level=level)
    heat = estimated(as_columns(heat))
    if not len(positions):
        raise ValueError("positions are empty; pass those of validation.true_positions(coin), or your own")
    if not older:
        positions = positions[~is_older(positions, market)]
    moments = pd.DatetimeIndex(sorted(positions["time"].unique()))
    made = _profiles(heat, _marks(positions, moments), moments)
    volume = _volume(market, _marks(positions, moments), moments)
    rows = {}
    for s, side in enumerate(SIDES):
        mine = positions[positions["side"] == side]
        stood, names = _stood(mine, moments)
        _, drawn = draw_accounts(names, resamples, seed)
        half = (names.astype(np.uint64) * np.uint64(SPLIT) % np.uint64(2**32)) < 2**31
        other_day = np.roll(made[s], len(moments) // 2, axis=0)
        fixed = {"map": made[s], "nearer is more": np.broadcast_to(-EDGES[1:], made[s].shape), "volume profile":
                 volume[s], "placebo: another day": other_day, "placebo: mirrored": made[1 - s]}  # fmt: skip
        for name, (low, high) in BANDS.items():
            on = (EDGES[:-1] >= low - 1e-9) & (EDGES[1:] <= high + 1e-9)
            found = _scores(stood[:, :, on], drawn, half, moments, {k: v[:, on] for k, v in fixed.items()})
            there = np.any(stood[:, :, on] > 0, axis=2)
            counts = {"accounts": int(there.any(axis=1).sum()), "moments": int(there.any(axis=0).sum())}
            for forecast, values in found.items():
                told = [*interval(values, level), *interval(found["map"] - values, level)]
                names_ = ("value", "low", "high", "lead", "lead_low", "lead_high")
                rows[side, name, forecast] = dict(zip(names_, told, strict=True)) | counts
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["side", "band", "forecast"])


def _marks(positions: pd.DataFrame, moments: pd.DatetimeIndex) -> np.ndarray:
    return positions.groupby("time")["mark"].median().reindex(moments).to_numpy()


def _prices(mark: float) -> list[np.ndarray]:
    """Edges of the bins in quote, outward, longs below the mark and shorts above."""
    return [mark * (1 - EDGES), mark * (1 + EDGES)]


def _profiles(heat: Any, marks: np.ndarray, moments: pd.DatetimeIndex) -> np.ndarray:
    """The map's notional by distance (side, moment, bin), from the last column closed by each moment."""
    closed = heat["close_time"].to_numpy().astype("datetime64[ns]").astype(np.int64)
    column = np.searchsorted(closed, nanoseconds(moments), side="right") - 1
    if column.min() < 0:
        raise ValueError(f"heat has no column closed by {moments[0]}, when positions begin; make it from earlier on "
                         "with start=")  # fmt: skip
    notional = heat["notional"].transpose("time", "price", "side", ...)
    amount = notional.to_numpy().reshape(*notional.shape[:3], -1).sum(axis=3)
    edge = heat["price_edge"].to_numpy()
    found = np.zeros((2, len(moments), len(EDGES) - 1))
    for m, (k, mark) in enumerate(zip(column, marks, strict=True)):
        for s, prices in enumerate(_prices(mark)):
            total = np.concatenate([[0.0], np.cumsum(amount[k, :, s])])
            found[s, m] = np.abs(np.diff(np.interp(prices, edge, total)))
    return found


def _volume(market: Market, marks: np.ndarray, moments: pd.DatetimeIndex) -> np.ndarray:
    """Volume traded by distance from the present mark (side, moment, bin), each bar's spread evenly over its range."""
    candles = market.candles
    closed = nanoseconds(candles.index + market.step)
    low, high, volume = (candles[name].to_numpy() for name in ("low", "high", "volume"))
    width = np.maximum(high - low, 1e-9 * high)
    found = np.zeros((2, len(moments), len(EDGES) - 1))
    for m, mark in enumerate(marks):
        bars = slice(0, int(np.searchsorted(closed, nanoseconds(moments[m : m + 1])[0], side="right")))
        for s, prices in enumerate(_prices(mark)):
            below = np.clip((prices[:, None] - low[bars]) / width[bars], 0, 1) @ volume[bars]
            found[s, m] = np.abs(np.diff(below))
    return found


def _stood(mine: pd.DataFrame, moments: pd.DatetimeIndex) -> tuple[np.ndarray, np.ndarray]:
    """What stood (account, moment, bin) [quote], no account above its share of a band; the accounts' numbers."""
    names, code = np.unique(mine["account"].to_numpy(), return_inverse=True)
    away = distance_of(mine)
    reach = (away >= 0) & (away < REACH)
    place = np.searchsorted(EDGES, away[reach], side="right") - 1
    value = (mine["coins"] * mine["liquidation_price"]).to_numpy()[reach]
    stood = np.zeros((len(names), len(moments), len(EDGES) - 1))
    np.add.at(stood, (code[reach], moments.get_indexer(pd.DatetimeIndex(mine["time"]))[reach], place), value)
    for low, high in (BANDS[name] for name in PARTS):
        on = slice(int(np.searchsorted(EDGES, low)), int(np.searchsorted(EDGES, high)))
        for m in range(len(moments)):
            stood[:, m, on] *= _limits(stood[:, m, on].sum(axis=1))[:, None]
    return stood, names


def _limits(sums: np.ndarray, share: float = MAX_SHARE) -> np.ndarray:
    """By what the accounts' sums are multiplied, so that none is above `share` of what is left.

    With a cap c the sum is Σ min(x, c); the largest c that is `share` of its own sum is sought from the top down.
    """
    held = np.sort(sums[sums > 0])[::-1]
    if not len(held):
        return np.ones_like(sums)
    at = np.arange(len(held))  # so many are cut
    rest = held.sum() - np.concatenate([[0.0], np.cumsum(held)[:-1]])
    free = 1 - share * at
    cap = np.where(free > 0, share * rest / np.where(free > 0, free, 1.0), np.inf)
    fits = np.flatnonzero((cap >= held) & (free > 0))  # nobody beyond those that are cut is above the cap
    most = cap[fits[0]] if len(fits) else held[-1]
    return np.where(sums > 0, np.minimum(sums, most) / np.where(sums > 0, sums, 1.0), 1.0)


def _scores(
    stood: np.ndarray, drawn: np.ndarray, half: np.ndarray, moments: pd.DatetimeIndex, fixed: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Mean rank correlation over halves and moments (1 + resample,), by forecast."""
    truth = [np.einsum("amb,ad->dmb", stood[which], drawn[which]) for which in (half, ~half)]
    seen, past = [_ranked(each) for each in truth], [_ranked(_earlier(each, moments)) for each in truth]
    found = {"uniform": np.zeros(drawn.shape[1])}
    for name in FORECASTS:
        if name in fixed:
            mine = _ranked(fixed[name][None])
            found[name] = _mean([_correlations(mine, each) for each in seen])
    found[FORECASTS[1]] = _mean([_correlations(past[1 - h], each) for h, each in enumerate(seen)])
    found[FORECASTS[2]] = _mean([_correlations(past[h], each) for h, each in enumerate(seen)])
    return {name: found[name] for name in FORECASTS}


def _mean(each: list[np.ndarray]) -> np.ndarray:
    """Mean of what is known over halves and moments, for every draw."""
    every = np.concatenate(each, axis=1)
    known = np.isfinite(every)
    return np.asarray(np.where(known, every, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1))


def _earlier(truth: np.ndarray, moments: pd.DatetimeIndex) -> np.ndarray:
    """Mean profile of the moments of earlier days (draw, moment, bin), each moment counting alike; 0 where none is."""
    total = truth.sum(axis=2, keepdims=True)
    share = np.divide(truth, total, out=np.zeros_like(truth), where=total > 0)
    day = moments.normalize().to_numpy()
    before = (day[None, :] < day[:, None]).astype(float)  # (moment, earlier moment)
    return np.einsum("me,deb->dmb", before, share)


def _correlations(forecast: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Correlation of centred ranks (draw, moment): 0 where the forecast ranks nothing, NaN where nothing stood."""
    spread = (forecast**2).sum(axis=2) * (truth**2).sum(axis=2)
    value = np.divide((forecast * truth).sum(axis=2), np.sqrt(spread), out=np.zeros(spread.shape), where=spread > 0)
    return np.where((truth**2).sum(axis=2) > 0, value, np.nan)


def _ranked(x: np.ndarray) -> np.ndarray:
    """Ranks along the bins, less their mean."""
    from scipy.stats import rankdata

    found = rankdata(x, axis=2)
    return np.asarray(found - found.mean(axis=2, keepdims=True))
