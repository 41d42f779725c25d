"""Forecasts of where liquidations fall: densities over the heatmap's bins, from what was known at the freeze."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from liqlab.maps.heatmaps import round_number

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["DENSITIES", "History", "densities"]

DENSITIES = ("map", "uniform", "distance law", "volatility", "volume profile", "swing points", "round numbers",
             "persistence", "lagged", "mirrored", "shuffled")  # fmt: skip
DAY = 86_400 * 10**9
GRID = np.concatenate([np.arange(0.0, 0.3, 2e-4), np.geomspace(0.3, 1.5, 60)])  # distances of a profile [log price]


@dataclass(frozen=True, eq=False)
class History:
    """A heatmap's arrays, and what of them is summed up once.

    Attributes
    ----------
    amount : ndarray (side, column, bin)
        Standing notional.
    edges, price : ndarray (bin + 1,), (bin,)
    low, high, close, volume : ndarray (column,)
    close_time : ndarray (column,), int64 [ns]
    profile : ndarray (side, column, distance)
        Share of each map that stands nearer to its own close than each distance of the grid.
    before : ndarray (side, column, distance)
        Mean profile of the columns before.
    lag : int
        Columns of the placebo ``lagged``; also those of a day.
    donor : ndarray (column,)
        Another day's column for the placebo ``shuffled``.
    """

    amount: np.ndarray
    edges: np.ndarray
    price: np.ndarray
    low: np.ndarray
    high: np.ndarray
    close: np.ndarray
    volume: np.ndarray
    close_time: np.ndarray
    profile: np.ndarray
    before: np.ndarray
    lag: int
    donor: np.ndarray

    @classmethod
    def of(cls, heat: xr.Dataset, *, lag: int | None, seed: int) -> History:
        """Take a heatmap apart."""
        notional = heat["notional"].sum("leverage") if "leverage" in heat["notional"].dims else heat["notional"]
        amount = np.moveaxis(notional.transpose("time", "price", "side").to_numpy(), 2, 0)
        times = heat["close_time"].to_numpy().astype("datetime64[ns]").astype(np.int64)
        if len(times) < 3:
            raise ValueError(
                f"location needs three columns or more, the heatmap has {len(times)}; choose smaller columns"
            )
        if lag is not None and not 1 <= lag < len(times):
            raise ValueError(f"lag must be from 1 to {len(times) - 1}, the columns of heat less one, got {lag!r}; "
                             "leave it out for a day")  # fmt: skip
        day = max(round(DAY / float(np.median(np.diff(times)))), 1)
        close = heat["close"].to_numpy()
        price, edges = heat["price"].to_numpy(), heat["price_edge"].to_numpy()
        profile = np.stack([_profiles(amount[s], edges, close, s) for s in (0, 1)])
        count = np.maximum(np.arange(len(times)), 1)[:, None]
        before = (np.cumsum(profile, axis=1) - profile) / count
        rng = np.random.default_rng(seed)
        far = np.abs(times[:, None] // DAY - times // DAY) >= 1
        donor = np.array([rng.choice(np.flatnonzero(row)) if row.any() else k for k, row in enumerate(far)])
        return cls(amount, edges, price, heat["low"].to_numpy(), heat["high"].to_numpy(), close,
                   heat["volume"].to_numpy(), times, profile, before, day if lag is None else lag, donor)  # fmt: skip

    @property
    def width(self) -> float:
        """Width of a bin [quote]."""
        return float(self.edges[1] - self.edges[0])

    def reached(self, column: int, side: int) -> tuple[slice, np.ndarray]:
        """Bins that the next column reaches on a side's way, and the share of each that was reached."""
        close = self.close[column]
        low, high = (
            (min(self.low[column + 1], close), close) if side == 0 else (close, max(self.high[column + 1], close))
        )
        first = int(np.clip(np.searchsorted(self.edges, low, side="right") - 1, 0, len(self.price)))
        last = int(np.clip(np.searchsorted(self.edges, high, side="left"), 0, len(self.price)))
        edges = self.edges[first : last + 1]
        if len(edges) < 2:
            return slice(first, first), np.empty(0)
        share = (np.minimum(edges[1:], high) - np.maximum(edges[:-1], low)) / np.diff(edges)
        return slice(first, last), np.clip(share, 0.0, 1.0)


def densities(history: History, column: int, side: int, bins: slice) -> np.ndarray:
    """Every forecast over some bins (forecast, bin); 0 everywhere where a forecast has nothing to say."""
    h, price = history, history.price[bins]
    distance = np.abs(np.log(price / h.close[column]))
    outward = _away(h.edges[bins.start : bins.stop + 1], h.close[column], side)
    week, month = max(column - 7 * _per_day(h) + 1, 0), max(column - 30 * _per_day(h) + 1, 0)
    return np.stack([
        h.amount[side, column, bins],
        np.ones(len(price)),
        _at(h.before[side, column], outward),
        _half_normal(h, column, distance),
        _volume_profile(h, week, column, bins),
        _swings(h, month, column, side, price),
        _rounds(price, h.width),
        h.amount[side, column - 1, bins],
        h.amount[side, column - h.lag, bins],
        _at(h.profile[1 - side, column], outward),
        _at(h.profile[side, h.donor[column]], outward),
    ])  # fmt: skip


def _per_day(h: History) -> int:
    return max(round(DAY / float(np.median(np.diff(h.close_time)))), 1)


def _away(edges: np.ndarray, close: float, side: int) -> np.ndarray:
    """Log distance of prices from a close, down for longs and up for shorts; negative on the other side."""
    return np.log(close / edges) if side == 0 else np.log(edges / close)


def _profiles(amount: np.ndarray, edges: np.ndarray, close: np.ndarray, side: int) -> np.ndarray:
    """Share of each map that stands nearer than each distance of the grid (column, distance)."""
    made = np.zeros((len(close), len(GRID)))
    for k, own in enumerate(close):
        order = slice(None, None, -1) if side == 0 else slice(None)  # outward
        total = np.concatenate([[0.0], np.cumsum(amount[k][order])])
        nearer = np.interp(GRID, _away(edges, own, side)[order], total)
        if nearer[-1] > nearer[0]:
            made[k] = (nearer - nearer[0]) / (nearer[-1] - nearer[0])
    return made


def _at(profile: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Share of a profile between distances."""
    return np.abs(np.diff(np.interp(distance, GRID, profile)))


def _half_normal(h: History, column: int, distance: np.ndarray) -> np.ndarray:
    past = np.log(h.close[max(column - _per_day(h), 0) : column + 1])
    spread = np.sqrt(np.mean(np.diff(past) ** 2)) if len(past) > 2 else 0.0
    return np.exp(-0.5 * (distance / spread) ** 2) if spread > 0 else np.ones_like(distance)


def _volume_profile(h: History, first: int, last: int, bins: slice) -> np.ndarray:
    """Volume of columns first … last, each spread evenly over its range."""
    low, high, volume = h.low[first : last + 1, None], h.high[first : last + 1, None], h.volume[first : last + 1, None]
    bottom, top = h.edges[bins.start : bins.stop], h.edges[bins.start + 1 : bins.stop + 1]
    span = np.maximum(high - low, h.width)
    return (volume * np.clip(np.minimum(top, high) - np.maximum(bottom, low), 0, None) / span).sum(axis=0)


def _swings(h: History, first: int, last: int, side: int, price: np.ndarray) -> np.ndarray:
    """A bump, two bins wide, at every swing low (for longs) or high: an extreme beyond both its neighbours."""
    extreme = h.low[first : last + 1] if side == 0 else -h.high[first : last + 1]
    inner = extreme[1:-1]
    turn = np.abs(inner[(inner < extreme[:-2]) & (inner < extreme[2:])])
    return np.exp(-0.5 * ((price[:, None] - turn) / (2 * h.width)) ** 2).sum(axis=1)


def _rounds(price: np.ndarray, width: float) -> np.ndarray:
    """A bump, two bins wide, at every multiple of a round number near 1 % of the price."""
    step = round_number(0.01 * float(np.median(price)))
    return np.exp(-0.5 * ((price - np.round(price / step) * step) / (2 * width)) ** 2)
