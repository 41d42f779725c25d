"""Sweeps: price reaches a zone that was bright before, and either comes back or goes on.

The table is made for arithmetic, not for praise: every touch is in it, also those that came to nothing, and nothing
that a trader would have had to know comes from after the moment at which it would have been known.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.maps.arguments import check_common_time, check_same_market, check_same_source, estimated
from liqlab.maps.stacking import one_heatmap
from liqlab.maps.tables import _first_at_or_below as first_at_or_below
from liqlab.market.arguments import Table, checked
from liqlab.market.clock import timedelta
from liqlab.market.market import Market
from liqlab.zones._clusters import WIDTH, every_cluster
from liqlab.zones.touches import Bars, Rules, bars_of, check_rules, classify_visits, visit_columns

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["sweeps"]


@checked(zones=Table("lq.zones.every_cluster(heat)", "column side low peak high notional share"))
def sweeps(
    market: Market,
    heat: xr.Dataset,
    *,
    zones: pd.DataFrame | None = None,
    width: float = WIDTH,
    top_n: int | None = 3,
    impulse: float = 1.0,
    within: int = 3,
    beyond: float = 1.0,
    atr_bars: int = 14,
    horizons: Sequence[Any] = ("1h", "4h", "24h"),
    buffer_atr: float = 0.1,
) -> pd.DataFrame:
    """Every visit of price to a zone that was bright before: how deep it went, whether it came back, what followed.

    A zone counts if it is a cluster of the last column *closed* before the bar opened, and if that column closed
    outside it; a zone touched in the very bar that made it was not bright before. A bar touches a zone of shorts when
    its high reaches the zone's low edge, a zone of longs when its low reaches the high edge; this is the *near* edge,
    the other one the *far* edge. One row per visit: until the class is known, and until a close lies outside the zone,
    further touches of zones of that side that overlap it belong to the same visit.

    *Inside* means: back on the near edge's side from which price came; a bar closes inside when its close lies strictly
    before the near edge. *Impulsive* means: some bar of the visit travelled from the close before it to its extreme
    beyond at least `impulse` × ATR: as far one way as an ordinary bar spans in all. Then

    - *swing failure*: impulsive, and a close inside in the bar of the touch or in one of the `within` bars after it;
    - *acceptance*, the trend goes on: no such close, and the last of these bars closes more than `beyond` × ATR past
      the near edge, or past the far edge where that is less;
    - *undecided*: everything else; ``reason`` says what.

    Parameters
    ----------
    market : Market
        The one that the map was made from.
    heat : Dataset
        From `liqlab.heatmap`. Its columns say how fresh the zones are: with columns wider than a candle, only the first
        touch after a column's close is seen, since the column does not know what has been traded since. Give it
        `time_step`, `price_step` and `price_range` where maps of different ends are to be compared: by default these
        depend on what is shown.
    zones : DataFrame, optional
        Zones of your own: column (number), side, low, high, peak, notional, share; default: the clusters of every
        column, see `liqlab.clusters`.
    width : float
        As in `liqlab.clusters`.
    top_n : int, optional
        Only so many of the brightest zones of each side and column; None: all. Sources speak of the brightest cluster;
        three leave room for the next two.
    impulse : float
        Least way [ATR] of one bar in an impulsive break.
    within : int
        Bars after that of the touch in which the close may come back. Three: a failure is told to be immediate, and a
        wick of two candles is still one.
    beyond : float
        Least distance [ATR] past the near edge of a close that has gone on: one ordinary bar. Zones may be many ATR
        wide, and price that holds inside one has not failed.
    atr_bars : int
        ATR here is the mean true range of so many bars that closed before the touch; fourteen as Wilder had it.
    horizons : sequence of duration
        What followed is told after these.
    buffer_atr : float
        Distance [ATR] of the stop behind the wick.

    Returns
    -------
    DataFrame
        One row per visit. time (open of the bar of the touch), zone_seen_at (close of the column that had the zone),
        side, rank (1: the brightest of its side), low, high, peak [quote]; notional [quote], share of its side's
        notional, both estimated; swept: the part of notional between near edge and extreme [quote], swept_share [1];
        extreme [quote] of the visit; penetration beyond the near edge as a fraction, penetration_atr [ATR];
        first_bar_penetration_atr: that of the first bar; max_bar_move_atr: the longest way of one bar [ATR]; atr
        [quote]; bars_to_return (0: the bar itself, NaN: not in time); class, reason, decided_at: when the class was
        known (NaT: not yet); trade: the side of who trades against the break; entry (close of the deciding bar), stop
        (buffer_atr behind the extreme), invalidation (extreme or far edge, whichever lies further: a close beyond says
        that price was accepted there) [quote]. Only known later: stopped_at (first bar that reached the stop within the
        longest horizon, NaT: none), after_1h, after_4h, after_24h: return [1] from entry, positive where the trade
        *against* the break gains, also where the class is acceptance; NaN where no bar closes at that moment.
        ``attrs``: symbol; start, end of the map; the rules.

    Raises
    ------
    ValueError
        Rules out of range; a map of another market, or one that shares no time with this one.

    Assumptions
    -----------
    The zones are estimates. A wide bar may have passed the zone and come back in any order. Behind a gap in the candles
    a visit is decided by the first bar that shows that time has passed.

    References
    ----------
    *Swing failure pattern* as it is told by traders; no reviewed source defines it, so the definitions are these.

    Examples
    --------
    >>> import liqlab as lq
    >>> market = lq.load_example("btc-2024-05")
    >>> heat = lq.heatmap(market, start="2024-04-30", end="2024-05-02")
    >>> table = lq.sweeps(market, heat)
    >>> bool((table["zone_seen_at"] <= table["time"]).all())
    True
    """
    rules = check_rules(impulse, within, beyond, atr_bars, buffer_atr, horizons)
    heat = one_heatmap(estimated(heat))
    check_same_market(market, heat)
    check_common_time(market, heat)
    check_same_source(zones, heat)
    table = visits_of(market, heat, rules, zones=zones, width=width, top_n=top_n)
    first, last = (pd.Timestamp(x, tz="UTC") for x in (heat["time"].to_numpy()[0], heat["close_time"].to_numpy()[-1]))
    told = {"width": width, "top_n": top_n, "impulse": impulse, "within": within, "beyond": beyond,
            "atr_bars": atr_bars, "buffer_atr": buffer_atr}  # fmt: skip
    table.attrs.update(symbol=market.symbol, exchange=market.exchange, start=first, end=last, rules=json.dumps(told))
    return table


def visits_of(
    market: Market,
    heat: xr.Dataset,
    rules: Rules,
    *,
    zones: pd.DataFrame | None = None,
    width: float = WIDTH,
    top_n: int | None = 3,
) -> pd.DataFrame:
    """The rows of `sweeps`; the candles may be coarser than those that the map was made from."""
    bars = bars_of(market, rules.atr_bars)
    zones = every_cluster(heat, width=width) if zones is None else zones
    _check_zones(zones, heat)
    place = zones.groupby(["column", "side"])["notional"].rank(ascending=False, method="first")
    zones = zones.assign(rank=place.astype(np.int64))
    if top_n is not None:
        if int(top_n) != top_n or top_n < 1:
            raise ValueError(f"top_n must be a whole number of zones >= 1 or None, got {top_n!r}")
        zones = zones[zones["rank"] <= top_n]
    table = classify_visits(bars, _touches(bars, heat, zones), rules)
    table["swept"] = _swept(heat, table)
    table["swept_share"] = table["swept"] / table["notional"]
    table["time"] = pd.DatetimeIndex(market.candles.index).as_unit("ns")[table["bar"].to_numpy(int)]
    table["zone_seen_at"] = pd.DatetimeIndex(heat["close_time"].to_numpy()[table["column"].to_numpy(int)], tz="UTC")
    return table[visit_columns(rules)]


def _check_zones(zones: pd.DataFrame, heat: xr.Dataset) -> None:
    """Zones of a user's own: sides and columns that the map has."""
    if not zones["side"].isin(["long", "short"]).all():
        raise ValueError("zones: side must be 'long' or 'short'; lq.zones.every_cluster(heat) gives such a table")
    if not zones["column"].isin(range(heat.sizes["time"])).all():
        raise ValueError(f"zones: column must be the number of a column of heat, 0 to {heat.sizes['time'] - 1}; "
                         "lq.zones.every_cluster(heat) numbers them")  # fmt: skip


def _touches(bars: Bars, heat: xr.Dataset, zones: pd.DataFrame) -> pd.DataFrame:
    """First bar that reached each zone while its column was the last one closed."""
    closes = heat["close_time"].to_numpy().astype(np.int64)
    column, price = zones["column"].to_numpy(int), heat["close"].to_numpy()
    begin = np.searchsorted(bars.opens, closes)
    width = timedelta(heat.attrs["time_step"]).as_unit("ns").value  # the last column serves as long as any other
    until = np.append(begin[1:], np.searchsorted(bars.opens, closes[-1:] + width))
    parts = []
    for side, sign in (("long", -1), ("short", 1)):
        extreme, _, _ = bars.mirrored(sign)
        near = zones["low"].to_numpy() if sign > 0 else -zones["high"].to_numpy()
        mine = (zones["side"] == side).to_numpy() & (begin[column] < len(bars.opens)) & (sign * price[column] < near)
        at = np.flatnonzero(mine)
        hit = first_at_or_below(-extreme, begin[column[at]], -near[at])
        on = (hit >= 0) & (hit < until[column[at]])
        parts.append(zones.iloc[at[on]].assign(bar=hit[on]))
    return pd.concat(parts, ignore_index=True)


def _swept(heat: xr.Dataset, table: pd.DataFrame) -> np.ndarray:
    """Notional between a zone's near edge and the extreme of its visit [quote]; bins cut by either count in part."""
    notional = heat["notional"].sum("leverage") if "leverage" in heat["notional"].dims else heat["notional"]
    amounts, edges = notional.to_numpy(), heat["price_edge"].to_numpy()
    out = np.zeros(len(table))
    for k, (column, side, low, high, extreme) in enumerate(
        zip(table["column"], table["side"], table["low"], table["high"], table["extreme"], strict=True)
    ):
        a, b = (low, min(extreme, high)) if side == "short" else (max(extreme, low), high)
        i, j = np.searchsorted(edges, [a, b], side="right") - 1
        i, j = max(i, 0), min(j, len(edges) - 2)
        part = (np.minimum(edges[i + 1 : j + 2], b) - np.maximum(edges[i : j + 1], a)) / np.diff(edges[i : j + 2])
        out[k] = (np.clip(part, 0, None) * amounts[column, i : j + 1, int(side == "short")]).sum()
    return out
