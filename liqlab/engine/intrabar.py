"""Which prices were traded, in which order, and which of them could liquidate: candles, finer path, mark price."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from liqlab.market.clock import nanoseconds, step_of
from liqlab.market.market import Market
from liqlab.market.provenance import TouchUse

__all__ = ["CandleSegments", "cut_candles", "mark_range", "split_candles"]

Extremes = tuple[np.ndarray, np.ndarray]  # low and high
LEG = 0.003  # longest piece of an ordered candle [log price]: below the distance of every level that venues allow
BLOCK = 1 << 16  # candles of which pieces are made at once


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


def split_candles(market: Market, *, typical: bool = False, ordered: bool = False) -> CandleSegments:
    """Cut a market's candles along its finer path, find the prices that liquidate and, if asked for, the typical ones.

    The path says in which *order* prices were reached. What was reached is said by the candle: segments are clipped to
    its range, and the segment with the path's extreme takes the candle's, for the path may be another venue's. Where
    there is a mark candle of the same time, it says what could liquidate, in the same manner. `ordered`: candles, of
    the path where it covers them, are cut further along the order of their prices that `_legs` takes for likely.
    """
    candles = market.candles
    middle = _typical(candles) if typical else None
    low, high = candles["low"].to_numpy(), candles["high"].to_numpy()
    mark, mark_bars = mark_range(market)
    use = TouchUse(len(candles), mark_bars=mark_bars)
    if market.path is None:
        first, last = candles["open"].to_numpy(), candles["close"].to_numpy()
        bar, traded, touched, weight = cut_candles(first, low, high, last, mark, ordered=ordered)
        return CandleSegments(bar, *traded, middle, *touched, weight, use)
    bar, (first, segment_low, segment_high, last), middle, weight = _along(market, market.path, middle)
    use = replace(use, path_bars=int((np.bincount(bar) > 1).sum()))
    if ordered:
        bar, segment_low, segment_high, weight = _legs(bar, first, segment_low, segment_high, last, weight)
    traded = _within(bar, segment_low, segment_high, low, high)
    touched = _within(bar, segment_low, segment_high, *mark) if mark else traded
    return CandleSegments(bar, *traded, None if middle is None else np.clip(middle, *traded), *touched, weight, use)


def cut_candles(
    first: np.ndarray, low: np.ndarray, high: np.ndarray, last: np.ndarray, mark: Extremes | None, *, ordered: bool
) -> tuple[np.ndarray, Extremes, Extremes, np.ndarray]:
    """Candle, traded range, range that liquidates and weight of each piece of candles without a finer path.

    Parameters
    ----------
    first, low, high, last : ndarray (candle,)
        Prices [quote].
    mark : (low, high) or None
        Range of the mark price in every candle [quote].
    ordered : bool
        Along their likely order; else every candle is one piece.
    """
    bar, weight = np.arange(len(low)), np.ones(len(low))
    if not ordered:
        return bar, (low, high), mark or (low, high), weight
    bar, piece_low, piece_high, weight = _legs(bar, first, low, high, last, weight)
    traded = _within(bar, piece_low, piece_high, low, high)
    return bar, traded, _within(bar, piece_low, piece_high, *mark) if mark else traded, weight


def _legs(*candles: np.ndarray) -> tuple[np.ndarray, ...]:
    """`_legs_of` in blocks: what is needed on the way is several times what comes out, and is held for a block only."""
    blocks = range(0, len(candles[0]), BLOCK) or [0]
    cut = [_legs_of(*(values[k : k + BLOCK] for values in candles)) for k in blocks]
    return tuple(np.concatenate(parts) for parts in zip(*cut, strict=True))


def _legs_of(
    bar: np.ndarray, first: np.ndarray, low: np.ndarray, high: np.ndarray, last: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Candle, low, high and weight of each piece of a likely path through candles, in its order.

    A candle that closes at or above its open is taken to have gone open → low → high → close, another one open → high →
    low → close: of the two orders the one with the shorter way. Its volume is spread evenly over that way [log price].
    What spans at most `LEG` stays whole: no leverage level is so near that the order inside would matter.
    """
    rise = last >= first
    corner = np.log(np.stack([first, np.where(rise, low, high), np.where(rise, high, low), last]))
    length = np.abs(np.diff(corner, axis=0))
    whole = corner.max(axis=0) - corner.min(axis=0) <= LEG
    count = np.where(whole, [[1], [0], [0]], np.ceil(length / LEG)).astype(np.int64)
    segment, leg = np.divmod(np.repeat(np.arange(count.size), count.T.ravel()), 3)
    parts = count.T.ravel()
    place = np.arange(len(segment)) - np.repeat(np.cumsum(parts) - parts, parts)
    parts = np.repeat(parts, parts)
    begin, move = corner[leg, segment], corner[leg + 1, segment] - corner[leg, segment]
    ends = np.exp(np.stack([begin + move * (place / parts), begin + move * ((place + 1) / parts)]))
    uncut = whole[segment]
    piece_low, piece_high = np.where(uncut, [low[segment], high[segment]], [ends.min(axis=0), ends.max(axis=0)])
    share = np.where(uncut, 1.0, length[leg, segment] / parts / np.maximum(length.sum(axis=0), LEG)[segment])
    return bar[segment], piece_low, piece_high, weight[segment] * share


def _typical(candles: pd.DataFrame) -> np.ndarray:
    plain = candles[["high", "low", "close"]].mean(axis=1).to_numpy()
    if "quote_volume" in candles:
        volume = candles["volume"].to_numpy()
        plain = np.divide(candles["quote_volume"].to_numpy(), volume, out=plain.copy(), where=volume > 0)
    return np.clip(plain, candles["low"].to_numpy(), candles["high"].to_numpy())


def mark_range(market: Market) -> tuple[Extremes | None, int | None]:
    """Range of the mark price in every candle, of the last price where it is not known; and in how many it is."""
    mark = _mark(market)
    if mark is None:
        return None, None
    known = np.isfinite(mark[0])
    last = (market.candles[name].to_numpy() for name in ("low", "high"))
    low, high = (np.where(known, own, other) for own, other in zip(mark, last, strict=True))
    return (low, high), int(known.sum())


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
    """Candle, prices, typical price and weight of each segment; candles that the path does not cover stay whole."""
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
    prices = tuple(both(path[x].to_numpy(), candles[x].to_numpy()) for x in ("open", "low", "high", "close"))
    middle = None if typical is None else both(path[["high", "low", "close"]].mean(axis=1).to_numpy(), typical)
    volume = both(path["volume"].to_numpy() if "volume" in path else np.ones(len(path)), np.ones(len(opens)))
    first, segments = _groups(bar)
    total = np.repeat(np.add.reduceat(volume, first), segments)
    weight = np.divide(volume, total, out=1.0 / np.repeat(segments, segments), where=total > 0)
    return bar, prices, middle, weight


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
