"""Controls for the stories about bright zones: touches of ordinary swing highs and lows, told and matched alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from liqlab.maps.arguments import check_same_market
from liqlab.maps.tables import _first_at_or_below as first_at_or_below
from liqlab.market.arguments import Table, checked
from liqlab.market.clock import between, nanoseconds, span_of, timedelta, utc
from liqlab.market.market import Market
from liqlab.zones.touches import Bars, bars_of, check_rules, classify_visits, visit_columns

__all__ = ["match_controls", "swing_controls"]

VISITS = Table("lq.sweeps(market, heat)", "time side low high atr first_bar_penetration_atr decided_at")
WIDTH = 0.5  # [ATR] of a swing's band where there are no sweeps to take it from


@checked(sweeps=VISITS)
def swing_controls(
    market: Market,
    sweeps: pd.DataFrame | None = None,
    *,
    swing_bars: int = 10,
    window: Any = "7d",
    width: float | None = None,
    start: Any = None,
    end: Any = None,
    impulse: float = 1.0,
    within: int = 3,
    beyond: float = 1.0,
    atr_bars: int = 14,
    horizons: Sequence[Any] = ("1h", "4h", "24h"),
    buffer_atr: float = 0.1,
) -> pd.DataFrame:
    """Touches of ordinary swing highs and lows, in the form of `sweeps`: what bright zones are to be compared with.

    A swing high is a bar whose high is above those of the `swing_bars` bars before it and of the `swing_bars` bars
    after it; it is known when the last of these closes. It stands until it is first traded again, at most `window`
    long. Its band reaches from the old extreme outwards by `width` × ATR. Swing lows are the mirror.

    Parameters
    ----------
    market : Market
    sweeps : DataFrame, optional
        From `liqlab.sweeps`. Left out are swings first traded while a visit of that table on the same side was going
        on, so that what remains was touched where *no* zone was bright; the width of the bands is taken from it.
    swing_bars : int
        Bars on either side.
    window : duration
        A swing is forgotten after this span.
    width : float, optional
        Width of the band [ATR]; default: the median of `sweeps`, else 0.5.
    start, end : time-like, optional
        Only touches in ``[start, end)``; default: the range of the map that `sweeps` was made from, else all.
    impulse, within, beyond, atr_bars, horizons, buffer_atr
        As in `liqlab.sweeps`; give the same.

    Returns
    -------
    DataFrame
        Columns as in `liqlab.sweeps`; zone_seen_at is when the swing was known; rank, peak (the old extreme); what only
        a map knows (notional, share, swept, swept_share) is NaN.

    Examples
    --------
    >>> import liqlab as lq
    >>> controls = lq.zones.swing_controls(lq.load_example("tia-2023"))
    >>> bool((controls["zone_seen_at"] <= controls["time"]).all())
    True
    """
    if int(swing_bars) != swing_bars or swing_bars < 1:
        raise ValueError(f"swing_bars must be a whole number of bars >= 1, got {swing_bars!r}")
    rules = check_rules(impulse, within, beyond, atr_bars, buffer_atr, horizons)
    bars = bars_of(market, rules.atr_bars)
    if width is None:
        width = WIDTH if sweeps is None or sweeps.empty else _median_width(sweeps)
    if sweeps is not None:
        check_same_market(market, sweeps, "sweeps", timeframe=False)
        start = sweeps.attrs.get("start") if start is None else start
        end = sweeps.attrs.get("end") if end is None else end
    if not 0 < width < np.inf:
        raise ValueError(
            f"width must be a number of ATR > 0, got {width!r}; the default is {WIDTH:g}, or that of `sweeps`"
        )
    age = timedelta(window, "window").as_unit("ns").value
    swings = pd.concat(
        [_swings(bars, side, int(swing_bars), age, width) for side in ("long", "short")], ignore_index=True
    )
    table = classify_visits(bars, swings, rules)
    opens = pd.DatetimeIndex(market.candles.index).as_unit("ns")
    bar, known = table.pop("bar").to_numpy(int), table.pop("known").to_numpy(int)
    table["time"], table["zone_seen_at"] = opens[bar], opens[known] + market.step
    table = table.assign(rank=1, notional=np.nan, share=np.nan, swept=np.nan, swept_share=np.nan)
    span = span_of(bars.opens)
    first, last = (utc(given, name=name, span=span) for name, given in (
        ("start", market.start if start is None else start), ("end", market.end if end is None else end)))  # fmt: skip
    on = between(bars.opens[bar], first, last) & ~_visited(table, sweeps)
    table = table.loc[on, visit_columns(rules)].reset_index(drop=True)
    table.attrs.update(symbol=market.symbol, exchange=market.exchange, start=first, end=last)
    return table


def _median_width(sweeps: pd.DataFrame) -> float:
    return float(((sweeps["high"] - sweeps["low"]) / sweeps["atr"]).median())


def _swings(bars: Bars, side: str, swing_bars: int, span: int, width: float) -> pd.DataFrame:
    """Swing extremes of one side with the bar that first traded them again, if that came within the span."""
    sign = 1 if side == "short" else -1
    extreme, _, _ = bars.mirrored(sign)
    before = pd.Series(extreme).rolling(swing_bars).max().shift().to_numpy()
    after = pd.Series(extreme[::-1]).rolling(swing_bars).max().shift().to_numpy()[::-1]
    at = np.flatnonzero((extreme > before) & (extreme > after))
    at = at[at + swing_bars + 1 < len(extreme)]
    again = first_at_or_below(-extreme, at + swing_bars + 1, -extreme[at])
    on = (again >= 0) & (bars.opens[np.maximum(again, 0)] - bars.opens[at] <= span)
    at, again = at[on], again[on]
    level, outer = sign * extreme[at], sign * extreme[at] + sign * width * bars.atr[again]
    table = {"bar": again, "known": at + swing_bars, "side": side, "low": np.minimum(level, outer),
             "high": np.maximum(level, outer), "peak": level}  # fmt: skip
    return pd.DataFrame(table)


def _visited(table: pd.DataFrame, sweeps: pd.DataFrame | None) -> np.ndarray:
    """Which touches came while a visit of a bright zone on the same side was going on."""
    inside = np.zeros(len(table), bool)
    if sweeps is None or sweeps.empty:
        return inside
    for side in ("long", "short"):
        zones = sweeps[sweeps["side"] == side].sort_values("time")
        if zones.empty:
            continue
        mine = (table["side"] == side).to_numpy()
        begin = nanoseconds(pd.DatetimeIndex(zones["time"]))
        finish = nanoseconds(pd.DatetimeIndex(zones["decided_at"].fillna(pd.Timestamp("2200-01-01", tz="UTC"))))
        latest = np.maximum.accumulate(finish)
        stamps = nanoseconds(pd.DatetimeIndex(table["time"]))
        last = np.searchsorted(begin, stamps, side="right") - 1
        inside |= mine & (last >= 0) & (stamps < latest[np.maximum(last, 0)])
    return inside


@checked(sweeps=VISITS, controls=VISITS)
def match_controls(
    sweeps: pd.DataFrame,
    controls: pd.DataFrame,
    *,
    volatility: float = 1.5,
    penetration: float = 0.5,
    hours: float = 4.0,
) -> pd.DataFrame:
    """For every sweep one control that looks like it, by what was known when its first bar closed.

    The rule: the same side; ATR ÷ price within the factor `volatility`; the penetration of the first bar within
    `penetration` ATR; the time of day within `hours`, around the clock. Of those left, the nearest, each difference
    measured in its limit and added up squared. Sweeps choose in order of time, and no control is taken twice. Only
    decided rows take part. Nothing that came after the first bar is looked at.

    Parameters
    ----------
    sweeps : DataFrame
        From `liqlab.sweeps`.
    controls : DataFrame
        From `swing_controls`, or another table of that form.
    volatility : float
        Largest ratio [1] of ATR ÷ price.
    penetration : float
        Largest difference [ATR] of the first bar's penetration.
    hours : float
        Largest difference [h] of the time of day, at most 12.

    Returns
    -------
    DataFrame (sweep,)
        The controls chosen, indexed by the row of `sweeps` that each belongs to. ``attrs["unmatched"]``: number of
        decided sweeps without one.

    Examples
    --------
    >>> import liqlab as lq
    >>> controls = lq.zones.swing_controls(lq.load_example("tia-2023"))
    >>> lq.zones.match_controls(controls.head(5), controls).attrs["unmatched"]  # a table matches itself
    0
    """
    if not (volatility > 1 and penetration > 0 and 0 < hours <= 12):
        raise ValueError(
            f"volatility must be > 1, penetration > 0 ATR and 0 < hours <= 12, got {volatility!r}, {penetration!r}, "
            f"{hours!r}"
        )
    mine = sweeps[sweeps["decided_at"].notna()].sort_values("time", kind="stable")
    theirs = controls[controls["decided_at"].notna()]
    scales = np.array([np.log(volatility), penetration, hours])
    ours, others = _marks(mine), _marks(theirs)
    free = np.ones(len(theirs), bool)
    chosen: dict[Any, int] = {}
    for row, mark, side in zip(mine.index, ours, mine["side"], strict=True):
        gap = np.abs(others - mark)
        gap[:, 2] = np.minimum(gap[:, 2], 24 - gap[:, 2])
        gap = gap / scales
        fits = free & (theirs["side"] == side).to_numpy() & (gap <= 1).all(axis=1)
        if fits.any():
            best = int(np.argmin(np.where(fits, (gap**2).sum(axis=1), np.inf)))
            free[best] = False
            chosen[row] = best
    table = theirs.iloc[list(chosen.values())].set_axis(pd.Index(list(chosen), name="sweep"), axis=0)
    table.attrs.update(unmatched=len(mine) - len(chosen))
    return table


def _marks(table: pd.DataFrame) -> np.ndarray:
    """Logarithm of ATR ÷ price, penetration of the first bar [ATR], hour of the day."""
    near = table["low"].where(table["side"] == "short", table["high"])
    clock = pd.DatetimeIndex(table["time"])
    hour = clock.hour + clock.minute / 60
    return np.column_stack([np.log(table["atr"] / near), table["first_bar_penetration_atr"], hour])
