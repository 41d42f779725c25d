"""Which prices were traded, in which order, and which of them could liquidate: candles, finer path, mark price."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from liqlab.market.clock import nanoseconds, step_of
from liqlab.market.market import Market
from liqlab.market.provenance import TouchUse

__all__ = ["CandleSegments", "split_candles"]


@dataclass(frozen=True, eq=False)
class CandleSegments:
    """Candles, or where a finer path covers them, their segments in the order of trading.

    Attributes
    ----------
    bar : ndarray (segment,), int64
        Candle of the segment.
    low, high : ndarray (segment,)
        Range of traded prices [quote]: where positions open.
    typical : ndarray (segment,) or None
        Volume-weighted price where the volume in quote is known, else (high + low + close) / 3 [quote]; if asked for.
    touch_low, touch_high : ndarray (segment,)
        Range that liquidates [quote]: of the mark price where the market has it, else of the traded one.
    weight : ndarray (segment,)
        Share of the candle's volume in the segment; sums to 1 per candle.
    touch_use : TouchUse
        What decided that a level was reached.
    """

    bar: np.ndarray
    low: np.ndarray
    high: np.ndarray
    typical: np.ndarray | None
    touch_low: np.ndarray
    touch_high: np.ndarray
    weight: np.ndarray
    touch_use: TouchUse


def split_candles(market: Market, *, typical: bool = False) -> CandleSegments:
    """Cut a market's candles along its finer path, find the prices that liquidate and, if asked for, the typical ones.

    The path says in which *order* prices were reached. What was reached is said by the candle: segments are clipped to
    its range, and the segment with the path's extreme takes the candle's, for the path may be another venue's. Where
    there is a mark candle of the same time, it says what could liquidate, in the same manner.
    """
    candles = market.candles
    middle = _typical(candles) if typical else None
    low, high = candles["low"].to_numpy(), candles["high"].to_numpy()
    mark = _mark(market)
    use = TouchUse(len(candles))
    if mark is not None:
        known = np.isfinite(mark[0])
        mark = np.where(known, mark[0], low), np.where(known, mark[1], high)
        use = TouchUse(len(candles), mark_bars=int(known.sum()))
    if market.path is None:
        return CandleSegments(
            np.arange(len(candles)), low, high, middle, *(mark or (low, high)), np.ones(len(candles)), use
        )
    bar, segment_low, segment_high, middle, weight = _along(market, market.path, middle)
    use = replace(use, path_bars=int((np.bincount(bar) > 1).sum()))
    traded = _within(bar, segment_low, segment_high, low, high)
    touched = _within(bar, segment_low, segment_high, *mark) if mark else traded
    return CandleSegments(bar, *traded, None if middle is None else np.clip(middle, *traded), *touched, weight, use)


def _typical(candles: pd.DataFrame) -> np.ndarray:
    plain = candles[["high", "low", "close"]].mean(axis=1).to_numpy()
    if "quote_volume" in candles:
        volume = candles["volume"].to_numpy()
        plain = np.divide(candles["quote_volume"].to_numpy(), volume, out=plain.copy(), where=volume > 0)
    return np.clip(plain, candles["low"].to_numpy(), candles["high"].to_numpy())


def _mark(market: Market) -> tuple[np.ndarray, np.ndarray] | None:
    """Low and high of the mark price in every candle, NaN where it is not known; None without mark candles."""
    table = market.mark_candles
    if table is None:
        return None
    if len(table) > 1 and step_of(table) != market.step:
        raise ValueError(f"mark_candles must have the candles' time frame {market.timeframe}, got {step_of(table)}; "
                         "resample them")  # fmt: skip
    joined = table[["low", "high"]].reindex(market.candles.index)
    return joined["low"].to_numpy(), joined["high"].to_numpy()


def _along(market: Market, path: pd.DataFrame, typical: np.ndarray | None) -> tuple[Any, ...]:
    """Candle, low, high, typical price and weight of each segment; candles that the path does not cover stay whole."""
    candles, step, finer = market.candles, market.step.as_unit("ns").value, step_of(path).as_unit("ns").value
    opens, stamps = nanoseconds(candles.index), nanoseconds(path.index)
    of = np.searchsorted(opens, stamps, side="right") - 1
    inside = (of >= 0) & (stamps + finer <= opens[of] + step)
    covered = np.bincount(of[inside], minlength=len(opens)) == step // finer
    row, bare = np.flatnonzero(inside & covered[of]), np.flatnonzero(~covered)
    order = np.argsort(np.concatenate([of[row], bare]), kind="stable")

    def both(fine: np.ndarray, coarse: np.ndarray) -> np.ndarray:
        return np.concatenate([fine[row], coarse[bare]])[order]

    bar = both(of, np.arange(len(opens)))
    low, high = (both(path[x].to_numpy(), candles[x].to_numpy()) for x in ("low", "high"))
    middle = None if typical is None else both(path[["high", "low", "close"]].mean(axis=1).to_numpy(), typical)
    volume = both(path["volume"].to_numpy() if "volume" in path else np.ones(len(path)), np.ones(len(opens)))
    first, segments = _groups(bar)
    total = np.repeat(np.add.reduceat(volume, first), segments)
    weight = np.divide(volume, total, out=1.0 / np.repeat(segments, segments), where=total > 0)
    return bar, low, high, middle, weight


def _within(
    bar: np.ndarray, low: np.ndarray, high: np.ndarray, floor: np.ndarray, ceiling: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Pieces clipped to their candle's range; those with the path's extreme take the candle's."""
    first, segments = _groups(bar)
    lowest, highest = (np.repeat(f.reduceat(x, first), segments) for f, x in ((np.minimum, low), (np.maximum, high)))
    bottom, top = floor[bar], ceiling[bar]
    return (np.where(low == lowest, bottom, np.clip(low, bottom, top)),
            np.where(high == highest, top, np.clip(high, bottom, top)))  # fmt: skip


def _groups(bar: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First segment of each candle, and for each candle how many segments it has."""
    first = np.flatnonzero(np.diff(bar, prepend=-1))
    return first, np.diff(np.append(first, len(bar)))
