"""First passage on candles: when a price was reached after a moment, and when stretches of other times reached it.

Nothing before a moment uses what comes after it; what is drawn from other times is a yardstick, not a forecast.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from liqlab.maps.tables import _first_at_or_below as first_at_or_below
from liqlab.market.clock import nanoseconds, timedelta
from liqlab.market.market import Market

__all__ = ["Outcome", "Path", "after", "extremes", "matched_paths", "path_of", "reached"]

DAY = 86_400 * 10**9
VOLATILITY = "3d"  # span of the volatility that distances are measured in
ALIKE = 0.1  # [1] of all moments, in rank of volatility, to either side
CANDIDATES = 6  # other moments drawn for each one that is wanted


@dataclass(frozen=True, eq=False)
class Path:
    """Candles as arrays, with the running extremes that make any stretch of them quick to look up.

    Attributes
    ----------
    opens, step : ndarray (bar,), int
        [ns].
    high, low, close : ndarray (bar,)
        [log price].
    sigma : ndarray (bar,)
        Volatility [log return per √day] of the three days up to the bar's close; NaN before there is a day.
    tops : list of ndarray
        Running maxima of (high, −low) over 1, 2, 4, … bars.
    """

    opens: np.ndarray
    step: int
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    sigma: np.ndarray
    tops: list[np.ndarray]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What followed each moment.

    Attributes
    ----------
    hours : ndarray
        Until the level was reached [h], inf where it was not within the horizon: end of the bar that reached it.
    returns : ndarray
        Log return to the end of the horizon.
    bar : ndarray
        Bar that reached it, −1: none.
    """

    hours: np.ndarray
    returns: np.ndarray
    bar: np.ndarray


def path_of(market: Market) -> Path:
    """The candles of a market as a path."""
    table = market.candles
    high, low, close = (np.log(table[name].to_numpy(float)) for name in ("high", "low", "close"))
    step = market.step.as_unit("ns").value
    day, span = max(DAY // step, 2), max(timedelta(VOLATILITY).as_unit("ns").value // step, 2)
    squared = pd.Series(np.append(np.nan, np.diff(close)) ** 2)
    sigma = np.sqrt(squared.rolling(int(span), min_periods=int(day)).mean().to_numpy() * DAY / step)
    sigma[sigma == 0] = np.nan
    tops = [np.stack([high, -low])]
    while (2 << (len(tops) - 1)) <= len(high):
        half = 1 << (len(tops) - 1)
        tops.append(np.maximum(tops[-1][:, :-half], tops[-1][:, half:]))
    return Path(nanoseconds(table.index), step, high, low, close, sigma, tops)


def extremes(path: Path, first: np.ndarray, last: np.ndarray, sign: np.ndarray) -> np.ndarray:
    """Furthest log price in the direction of `sign`, times the sign, over the bars first … last (both in)."""
    width = last - first + 1
    level = np.frexp(np.maximum(width, 1).astype(float))[1] - 1
    row = (sign < 0).astype(int)
    out = np.full(len(first), -np.inf)
    for k in np.unique(level[width > 0]):
        on = (level == k) & (width > 0)
        table = path.tops[k]
        out[on] = np.maximum(table[row[on], first[on]], table[row[on], last[on] - (1 << k) + 1])
    return out


def reached(path: Path, bar: np.ndarray, level: np.ndarray, sign: np.ndarray, horizon: int) -> Outcome:
    """When a log price is reached after the close of a bar.

    Parameters
    ----------
    path : Path
    bar : ndarray (moment,)
        The moment is the close of this bar; the next one is the first that counts.
    level : ndarray (moment,)
        Log price; above the close where `sign` is +1, below where it is −1.
    sign : ndarray (moment,)
    horizon : int
        [ns]
    """
    begin = np.minimum(bar + 1, len(path.close) - 1)
    close_time = path.opens[bar] + path.step
    hit = np.full(len(bar), -1)
    for s, extreme in ((1, -path.high), (-1, path.low)):
        on = sign == s
        hit[on] = first_at_or_below(extreme, begin[on], -s * level[on])
    there = (hit > bar) & (path.opens[np.maximum(hit, 0)] < close_time + horizon)
    hours = np.where(there, (path.opens[np.maximum(hit, 0)] + path.step - close_time) / 3.6e12, np.inf)
    return Outcome(hours, after(path, bar, horizon), np.where(there, hit, -1))


def after(path: Path, bar: np.ndarray, horizon: int) -> np.ndarray:
    """Log return from the close of a bar to the last close within the horizon; NaN where the data end before."""
    wanted = path.opens[bar] + horizon
    at = np.searchsorted(path.opens, wanted, side="right") - 1
    there = (bar >= 0) & (path.opens[-1] >= wanted)
    return np.where(there, path.close[at] - path.close[np.maximum(bar, 0)], np.nan)


def matched_paths(
    path: Path, bar: np.ndarray, distance: np.ndarray, sign: np.ndarray, age: np.ndarray, horizon: int, *,
    paths: int, rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """The same question asked at other moments of the same market: blocks of its path, of age and horizon together.

    For each trial moments of about the same volatility are drawn at which a price at the same distance, in units of the
    volatility known there, had not been traded for as long as the zone's age. So the drawn blocks are survivors, as the
    zone is; and as volatility reverts to its mean, a calm moment is compared with calm ones. Every second block is
    turned upside down, so that the drift of the market, and a magnet at work all the time, do not enter the yardstick.

    Parameters
    ----------
    path : Path
    bar, sign : ndarray (trial,)
    distance : ndarray (trial,)
        [log price], > 0.
    age : ndarray (trial,)
        Bars since the zone was born.
    horizon : int
        [ns]
    paths : int
        Blocks per trial.
    rng : Generator

    Returns
    -------
    hours : ndarray (trial, path)
        Until the level was reached [h], inf: not within the horizon; NaN where no block could be had.
    payoff : ndarray (trial, path)
        Of a trade towards the level that takes profit there and is closed at the horizon [log return], scaled to the
        trial's volatility; NaN for blocks turned upside down: trades are compared with trades of the same direction.
    """
    known = np.flatnonzero(np.isfinite(path.sigma))
    known = known[path.opens[known] + path.step + horizon <= path.opens[-1] + path.step]
    shape = (len(bar), paths * CANDIDATES)
    if not len(known):
        return np.full((len(bar), paths), np.nan), np.full((len(bar), paths), np.nan)
    start = _alike(path.sigma, known, bar, shape, rng)
    scale = path.sigma[start] / path.sigma[bar][:, None]
    turned = np.broadcast_to(np.where(np.arange(shape[1]) % 2, -1, 1), shape)
    way = sign[:, None] * turned
    gap = distance[:, None] * scale
    first = start - age[:, None]
    top = extremes(path, np.maximum(first, 0).ravel(), start.ravel(), way.ravel()).reshape(shape)
    apart = np.abs(path.opens[start] - path.opens[bar][:, None]) >= horizon  # its own future is no yardstick
    fits = (first >= 0) & apart & (top - way * path.close[start] < gap)
    order = np.argsort(~fits, axis=1, kind="stable")[:, :paths]
    drawn = (fits, start, gap, scale, way, turned)
    fits, start, gap, scale, way, turned = (np.take_along_axis(x, order, 1) for x in drawn)
    found = reached(path, start.ravel(), (path.close[start] + way * gap).ravel(), way.ravel(), horizon)
    hours = found.hours.reshape(start.shape)
    payoff = np.where(np.isfinite(hours), gap, way * found.returns.reshape(start.shape)) / scale
    return np.where(fits, hours, np.nan), np.where(fits & (turned > 0), payoff, np.nan)


def _alike(
    sigma: np.ndarray, known: np.ndarray, bar: np.ndarray, shape: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """Bars drawn from those whose volatility ranks within a tenth of all around each trial's."""
    order = known[np.argsort(sigma[known], kind="stable")]
    place = np.searchsorted(sigma[order], sigma[bar])
    reach = max(int(ALIKE * len(order)), 1)
    low = np.clip(place - reach, 0, max(len(order) - 2 * reach, 0))
    return order[np.minimum(low[:, None] + rng.integers(0, 2 * reach, shape), len(order) - 1)]
