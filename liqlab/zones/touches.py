"""What becomes of a visit: price reaches a band, breaks into it, and comes back or goes on.

The same rules for the bright zones of a map (`sweeping`) and for ordinary swing highs and lows (`controls`), so that
both can be compared. Everything is computed in the mirror of the side: upwards always means into the band.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from liqlab.maps.tables import _first_at_or_below as first_at_or_below
from liqlab.market.clock import nanoseconds, timedelta, timeframe_of
from liqlab.market.market import Market

__all__ = ["CLASSES", "Bars", "Rules", "bars_of", "visit_columns", "classify_visits", "check_rules"]

CLASSES = ("swing failure", "acceptance", "undecided")
OUTCOME = ["extreme", "penetration", "penetration_atr", "first_bar_penetration_atr", "max_bar_move_atr", "atr",
           "bars_to_return", "class", "reason", "decided_at", "trade", "entry", "stop", "invalidation",
           "stopped_at"]  # fmt: skip
BAND = ["time", "zone_seen_at", "side", "rank", "low", "high", "peak", "notional", "share", "swept", "swept_share"]
NO_BAR = np.iinfo(np.int64).max
REASONS = ("came back after an impulsive break", "went on", "came back without an impulsive break",
           "stayed at the edge", "came back too late", "the data end")  # fmt: skip


@dataclass(frozen=True)
class Rules:
    """What counts as impulsive, how long a visit may last, and where the stop goes; see `liqlab.sweeps`."""

    impulse: float
    within: int
    beyond: float
    atr_bars: int
    buffer_atr: float
    horizons: tuple[pd.Timedelta, ...]

    @property
    def after(self) -> list[str]:
        """Names of the columns that tell what followed: after_24h rather than after_1d."""
        hour = pd.Timedelta("1h")
        return [f"after_{timeframe_of(x) if x % hour else f'{x // hour}h'}" for x in self.horizons]


@dataclass(frozen=True, eq=False)
class Bars:
    """Candles as arrays; ``atr`` (bar,) [quote] is that of the bars before."""

    opens: np.ndarray
    step: int
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    atr: np.ndarray

    def mirrored(self, sign: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Extreme towards the band, close, and close of the bar before, so that the band lies above."""
        extreme, close = (self.high, self.close) if sign > 0 else (-self.low, -self.close)
        return extreme, close, np.append(np.nan, close[:-1])


def check_rules(
    impulse: float, within: int, beyond: float, atr_bars: int, buffer_atr: float, horizons: Sequence[Any]
) -> Rules:
    """Check the rules of a visit."""
    for name, value, least in (("impulse", impulse, 0), ("beyond", beyond, 0), ("buffer_atr", buffer_atr, 0)):
        if not value >= least:
            raise ValueError(f"{name} must be >= {least} ATR, got {value!r}")
    for name, count, fewest in (("within", within, 0), ("atr_bars", atr_bars, 1)):
        if int(count) != count or count < fewest:
            raise ValueError(f"{name} must be a whole number of bars >= {fewest}, got {count!r}")
    if not len(horizons):
        raise ValueError("horizons must hold at least one duration; pass ('1h', '4h', '24h')")
    return Rules(float(impulse), int(within), float(beyond), int(atr_bars), float(buffer_atr),
                 tuple(timedelta(x) for x in horizons))  # fmt: skip


def visit_columns(rules: Rules) -> list[str]:
    """Columns of a table of visits, in order."""
    return [*BAND, *OUTCOME, *rules.after]


def bars_of(market: Market, atr_bars: int) -> Bars:
    """Candles as arrays, with the mean true range of up to `atr_bars` bars that closed before each bar opened."""
    table = market.candles
    high, low, close = (table[name].to_numpy(float) for name in ("high", "low", "close"))
    before = np.append(np.nan, close[:-1])
    true_range = np.fmax(high, before) - np.fmin(low, before)
    atr = pd.Series(true_range).rolling(atr_bars, min_periods=1).mean().shift().to_numpy()
    return Bars(nanoseconds(table.index), market.step.as_unit("ns").value, high, low, close, atr)


def classify_visits(bars: Bars, touches: pd.DataFrame, rules: Rules) -> pd.DataFrame:
    """What each touch of a band came to.

    Parameters
    ----------
    bars : Bars
    touches : DataFrame
        bar (number of the bar that reached the band), side ('short': the band lies above, 'long': below), low, high
        [quote]; further columns are kept.
    rules : Rules

    Returns
    -------
    DataFrame
        One row per visit, by bar: the columns given, those of `OUTCOME`, and `Rules.after`. A touch of a band that
        overlaps one whose visit goes on is no row of its own.
    """
    parts = []
    for side, sign in (("long", -1), ("short", 1)):
        mine = touches[touches["side"] == side]
        low, high = mine["low"].to_numpy(float), mine["high"].to_numpy(float)
        near, far = (low, high) if sign > 0 else (-high, -low)
        order = np.lexsort((near, mine["bar"].to_numpy()))
        mine, near, far = mine.iloc[order], near[order], far[order]
        kept, last = _visits(bars, mine["bar"].to_numpy(int), near, far, sign, rules)
        mine = mine.iloc[kept]
        told = _outcome(bars, mine["bar"].to_numpy(int), last, near[kept], far[kept], sign, rules)
        parts.append(pd.concat([mine.reset_index(drop=True), told], axis=1))
    whole = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    return whole.sort_values(["bar", "side", "low"], ignore_index=True, kind="stable")


def _visits(
    bars: Bars, touched: np.ndarray, near: np.ndarray, far: np.ndarray, sign: int, rules: Rules
) -> tuple[np.ndarray, np.ndarray]:
    """Which touches begin a visit, and the bar that decides each (−1: the data end before)."""
    _, close, _ = bars.mirrored(sign)
    deadline = bars.opens[touched] + rules.within * bars.step
    final = np.searchsorted(bars.opens, deadline)  # behind a gap it is the first bar that shows that time has passed
    kept, last = [], []
    going: list[tuple[int, float, float]] = []  # (bar that ends the visit, near, far)
    for k, bar in enumerate(touched):
        going = [visit for visit in going if visit[0] >= bar]
        if any(near[k] <= visit[2] and far[k] >= visit[1] for visit in going):
            continue
        window = slice(bar, final[k] + 1)
        back = np.flatnonzero((close[window] < near[k]) & (bars.opens[window] <= deadline[k]))
        decided = bar + int(back[0]) if back.size else int(final[k])
        decided = decided if decided < len(close) else -1
        going.append((_left(close, decided, near[k], far[k]), near[k], far[k]))
        kept.append(k)
        last.append(decided)
    return np.array(kept, int), np.array(last, int)


def _left(close: np.ndarray, bar: int, near: float, far: float) -> int:
    """First bar from this one on whose close is outside the band: there the visit is over."""
    if bar < 0:
        return NO_BAR
    width = 64
    while bar < len(close):
        outside = np.flatnonzero((close[bar : bar + width] < near) | (close[bar : bar + width] > far))
        if outside.size:
            return bar + int(outside[0])
        bar, width = bar + width, 2 * width
    return NO_BAR


def _outcome(
    bars: Bars, first: np.ndarray, decided: np.ndarray, near: np.ndarray, far: np.ndarray, sign: int, rules: Rules
) -> pd.DataFrame:
    """Columns of `OUTCOME` and `Rules.after` for visits, back in real prices."""
    extreme, close, before = bars.mirrored(sign)
    known = decided >= 0
    last = np.where(known, decided, len(close) - 1)
    atr = bars.atr[first]
    wick = np.array([extreme[a : b + 1].max() for a, b in zip(first, last, strict=True)], float)
    max_bar_move_atr = np.array(
        [(extreme[a : b + 1] - before[a : b + 1]).max() for a, b in zip(first, last, strict=True)], float
    )
    max_bar_move_atr = max_bar_move_atr / atr
    in_time = bars.opens[last] <= bars.opens[first] + rules.within * bars.step
    back = known & in_time & (close[last] < near)
    went_on = close[last] > np.fmin(far, near + rules.beyond * atr)
    choices = [~known, back & (max_bar_move_atr >= rules.impulse), back, went_on, close[last] >= near]
    reason = np.select(choices, [REASONS[k] for k in (5, 0, 2, 1, 3)], default=REASONS[4])
    kind = np.select([reason == REASONS[0], reason == REASONS[1]], CLASSES[:2], default=CLASSES[2])
    stop = wick + rules.buffer_atr * atr
    closed = np.where(known, bars.opens[last] + bars.step, np.iinfo(np.int64).min)  # NaT
    entry = np.where(known, close[last], np.nan)
    table = pd.DataFrame(
        {
            "extreme": sign * wick,
            "penetration": (wick - near) / np.abs(near),
            "penetration_atr": (wick - near) / atr,
            "first_bar_penetration_atr": (extreme[first] - near) / atr,
            "max_bar_move_atr": max_bar_move_atr,
            "atr": atr,
            "bars_to_return": np.where(back, last - first, np.nan),
            "class": kind,
            "reason": reason,
            "decided_at": pd.DatetimeIndex(closed.astype("datetime64[ns]"), tz="UTC"),
            "trade": np.full(len(first), "short" if sign > 0 else "long"),
            "entry": sign * entry,
            "stop": np.where(known, sign * stop, np.nan),
            "invalidation": np.where(known, sign * np.fmax(wick, far), np.nan),
            "stopped_at": _stopped(bars, extreme, last, np.where(known, stop, np.nan), rules),
        }
    )
    for name, span in zip(rules.after, rules.horizons, strict=True):
        table[name] = _after(bars, closed, known, sign * entry, sign, span)
    return table


def _stopped(bars: Bars, extreme: np.ndarray, last: np.ndarray, stop: np.ndarray, rules: Rules) -> pd.DatetimeIndex:
    """Open of the first bar after the decision that reached the stop, within the longest horizon."""
    begin = np.minimum(last + 1, len(extreme) - 1)
    hit = first_at_or_below(-extreme, begin, np.where(np.isnan(stop), -np.inf, -stop))
    latest = bars.opens[last] + bars.step + max(rules.horizons).as_unit("ns").value
    on = (hit > last) & (bars.opens[np.maximum(hit, 0)] < latest) & ~np.isnan(stop)
    stamps = np.where(on, bars.opens[np.maximum(hit, 0)], np.iinfo(np.int64).min)
    return pd.DatetimeIndex(stamps.astype("datetime64[ns]"), tz="UTC")


def _after(
    bars: Bars, closed: np.ndarray, known: np.ndarray, entry: np.ndarray, sign: int, span: pd.Timedelta
) -> np.ndarray:
    """Return of the trade from its entry to the close of the bar that closes a span later; NaN where there is none."""
    wanted = np.where(known, closed, 0) + span.as_unit("ns").value - bars.step
    at = np.minimum(np.searchsorted(bars.opens, wanted), len(bars.opens) - 1)
    there = known & (bars.opens[at] == wanted)
    return np.where(there, -sign * (bars.close[at] / entry - 1), np.nan)
