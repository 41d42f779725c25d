"""Bright zones of a map: found on the smoothed profile over log price, ranked by what stands in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.engine.records import SIDES
from liqlab.maps.arguments import check_same_market, column_at, estimated
from liqlab.maps.attribution import cell_edges, standing_at
from liqlab.maps.stacking import one_heatmap, own_attrs
from liqlab.market.arguments import checked, warn
from liqlab.market.checks import no_text
from liqlab.market.provenance import Provenance
from liqlab.models._assumptions import Assumptions
from liqlab.models._law import Law
from liqlab.zones.broad import blocks
from liqlab.zones.profile_peaks import smooth_all_nb, smoother, zones_nb

if TYPE_CHECKING:
    import xarray as xr

    from liqlab.market.market import Market

__all__ = ["clusters", "every_cluster"]

WIDTH = 0.003
FALSE_ALARMS = 0.2
ATR_COLUMNS = 14
COLUMNS = ["rank", "side", "kind", "low", "peak", "high", "notional", "share", "prominence", "brightness",
           "distance_to_edge", "distance_to_peak", "distance_to_peak_atr"]  # fmt: skip
KINDS = ("ridge", "step")
PART = 0.05  # a leverage is named if it holds this part of a zone


@checked()
def clusters(
    heat: xr.Dataset,
    at: Any = None,
    *,
    width: float = WIDTH,
    false_alarms: float = FALSE_ALARMS,
    market: Market | None = None,
) -> pd.DataFrame:
    """Bright zones of a map at one moment, ranked by the notional that stands in them.

    Below the clusters stand the bright blocks that are none, with ``broad`` True and the reason. The price of
    `max_pain` always lies in one of both.

    Parameters
    ----------
    heat : Dataset or Live
        From `heatmap`; one moment of it, or a live map.
    at : time-like, optional
        UTC: the last column closed at or before it; default: the last column.
    width : float
        Scale [log price]: standard deviation of the Gaussian that smooths the profile, 0.003 is 0.3 % of the price.
        Finer structure is blurred; what is broader than sixteen widths to a side is background and no zone.
    false_alarms : float
        Zones [1] that noise alone may show per side of a map, on average.
    market : Market, optional
        The market that the heatmap was made of, for the age and leverages of each zone (`explain` at its peak).

    Returns
    -------
    DataFrame
        One row per zone, the largest notional first: rank (1, 2, …), side (of the positions), kind (*ridge*: both its
        sides are darker; *step*: a bright region begins there, the far side stays bright), low, peak, high [quote],
        notional [quote] standing between low and high, share [0..1] of the side's notional, prominence [quote per 1 %
        of price], brightness [0..1] of the peak relative to the map's brightest, distance_to_edge = near edge ÷
        price − 1 (0 where the price is inside), distance_to_peak = peak ÷ price − 1 [1], distance_to_peak_atr = (peak
        − price) ÷ ATR [1], broad, reason. With leverages in the map: leverages, those that the classes with a
        twentieth of the zone or more stand for, ``10x`` or ``7.1–14x``. With a market: age [days], mean weighted by
        notional, and leverages. ``attrs``: at, start of the map, price, atr [quote], width, false_alarms, and what the
        map was made of.

        broad: no cluster, but a block where the smoothed profile is at least half as high as its side's highest
        point; low and high are where it passes that height. It is listed where its highest point lies in no cluster, or
        clusters hold less than half of it (and not where it has less than a twentieth of its side); reason says what it
        lacks of a cluster. It may hold clusters, so that its notional is not to be added to theirs.

    Raises
    ------
    ValueError
        Where no column had closed by then, the map had ended before, it is of another market than the one given, or the
        width is smaller than the map's bins where the price stands.

    Assumptions
    -----------
    - A bin's notional is spread evenly over its log price; the profile is smoothed there, so that other bins of the
      same ledger give the same zones.
    - Peak: a maximum of the smoothed profile g. Prominence: g there less the higher of the two lowest points on its
      left and right, each looked for up to sixteen widths away or up to a higher point. Low and high: where g has
      fallen by half the prominence, or the lowest point between two zones.
    - A ridge is a peak of g. A step is a peak of the excess of g over its mean within sixteen widths to both sides, as
      far as the side's positions reach: there its prominence and limits are the excess's own. Where both overlap it is
      a ridge. A law of few leverages makes ridges, a broad one steps, where prices begin that were not reached lately.
    - A zone's peak rises by a fifth of its height, is no dimmer than a twentieth of its side's brightest, and its
      prominence is at least 1.2 + ln(n ÷ false_alarms) standard deviations of the noise around it. n = 0.195 × range
      ÷ width, at least 20, is how many maxima smoothed noise has. The noise is read off the side itself, sixteen
      widths to each side of the peak: the median of what a Gaussian of half the width shows beyond the full one.
    - The noise is independent from bin to bin, around a background that varies by less than a fifth over sixteen
      widths, with ten or more independent positions per width and bins of at most a quarter of it. Measured on 400
      maps each, even and humped, at the default of 0.2: exponential 0.03 to 0.09, gamma of shape ½ 0.08 to 0.15, of
      shape 4 0.01 to 0.08, Poisson of mean 1 0.03 to 0.14, uniform 0.06 and less. Outside of that there are more:
      lognormal (σ 1) 0.36 to 0.47, positions spread evenly over 1.4 widths 0.4 to 1.0, bins of 0.6 widths 0.3 to 0.5
      (exponential) and 0.9 to 1.1 (gamma ½), and several where most bins of a region are empty.
    - ATR: Wilder's of 14 columns, from the columns closed by then; NaN before there are 14.

    References
    ----------
    S. O. Rice, "Mathematical analysis of random noise", Bell System Technical Journal 24 (1945): maxima of noise.
    J. W. Wilder, New Concepts in Technical Trading Systems (1978): average true range.

    Examples
    --------
    >>> import liqlab as lq
    >>> heat = lq.heatmap(lq.load_example("btc-2024-05"), start="2024-04-30", end="2024-05-02", price_step=25)
    >>> zones = lq.clusters(heat, at="2024-05-01 07:00")
    >>> bool((zones["low"] < zones["peak"]).all()), bool(zones[~zones["broad"]]["notional"].is_monotonic_decreasing)
    (True, True)
    """
    heat = one_heatmap(estimated(heat))
    if market is not None:
        check_same_market(market, heat)
    row = column_at(heat, at)
    snap = heat.isel(time=row)
    found = every_cluster(heat, width=width, false_alarms=false_alarms, columns=slice(row, row + 1))
    table = found[COLUMNS].sort_values("rank", ignore_index=True).assign(broad=False, reason="")
    table = _with_blocks(table, heat, row, width, false_alarms)
    moment = pd.Timestamp(snap["close_time"].item(), tz="UTC")
    if "leverage" in heat["notional"].dims:
        law = Assumptions.of(heat).law
        table["leverages"] = [_meeting(snap["notional"], zone, law) for zone in table.itertuples()]
    if market is not None:
        table = _aged(table, heat, market, moment)
    kept = {**origin(heat), "at": moment, "start": pd.Timestamp(heat["time"].to_numpy()[0], tz="UTC"),
            "price": float(snap["close"]), "atr": float(atr(heat)[row]), "width": width,
            "false_alarms": false_alarms}  # fmt: skip
    table.attrs = kept
    return table


@checked()
def every_cluster(
    heat: xr.Dataset,
    *,
    width: float = WIDTH,
    false_alarms: float = FALSE_ALARMS,
    columns: slice | None = None,
    least: float = 1.0,
) -> pd.DataFrame:
    """Bright zones of every column of a heatmap, as `clusters` finds them one moment at a time.

    Parameters
    ----------
    heat, width, false_alarms
        As in `clusters`.
    columns : slice, optional
        Only these columns; default: all.
    least : float
        Strength asked for, 1 for zones; less to see also what has this part of what a zone needs.

    Returns
    -------
    DataFrame
        column (number), close_time (UTC), then as from `clusters`, and strength (1 and more for a zone: the least of
        what it has ÷ what it needs of contrast, brightness and prominence over noise); sorted by column, side, peak.
        A column's zones depend on that column's map alone, its distance_to_peak_atr on the columns up to it.
    """
    check_positive(width=width, false_alarms=false_alarms)
    heat = one_heatmap(estimated(heat))
    part = heat if columns is None else heat.isel(time=columns)
    edges = part["price_edge"].to_numpy()
    amount = by_side(part)
    amount[:, _too_coarse(part, width)] = 0.0
    full, half = smoother(edges, width), smoother(edges, width, finer=0.5)
    rows, top = [], np.zeros(part.sizes["time"])
    for side in (0, 1):
        found, brightest = zones_nb(amount[side], (full.first, full.weight), (half.first, half.weight), full.log_edge,
                                    full.origin, full.step, full.cells, float(false_alarms), float(least))  # fmt: skip
        top = np.maximum(top, brightest)
        rows.append(np.column_stack([found, np.full(len(found), side)]))
    found = np.concatenate(rows)
    found = found[np.lexsort((found[:, 2], found[:, 9], found[:, 0]))]
    column, which = found[:, 0].astype(np.int64), found[:, 9].astype(np.int64)
    price, true_range = part["close"].to_numpy(), atr(heat)[columns or slice(None)]
    total, peak = amount.sum(axis=2), np.exp(found[:, 2])
    first = columns.start or 0 if columns else 0
    table = pd.DataFrame({
        "column": column + first,
        "close_time": pd.DatetimeIndex(part["close_time"].to_numpy()[column]).tz_localize("UTC"),
        "side": np.array(SIDES)[which],
        "kind": np.array(KINDS)[found[:, 8].astype(np.int64)],
        "low": np.exp(found[:, 1]), "peak": peak, "high": np.exp(found[:, 3]),
        "notional": found[:, 6], "share": found[:, 6] / total[which, column],
        "prominence": 0.01 * found[:, 5], "brightness": found[:, 4] / top[column],
        "distance_to_edge": to_edge(np.exp(found[:, 1]), np.exp(found[:, 3]), price[column]),
        "distance_to_peak": peak / price[column] - 1,
        "distance_to_peak_atr": (peak - price[column]) / true_range[column],
        "strength": found[:, 7],
    })  # fmt: skip
    order = table.sort_values(["column", "notional"], ascending=[True, False], kind="stable").index
    table["rank"] = 0
    table.loc[order, "rank"] = table.loc[order].groupby("column").cumcount() + 1
    table.attrs = origin(heat)
    return table[["column", "close_time", *COLUMNS, "strength"]]


def to_edge(low: Any, high: Any, price: Any) -> np.ndarray:
    """Way from the price to the near edge of a zone [1], signed; 0 where the price is in it.

    >>> to_edge(np.array([110.0, 90.0, 80.0]), np.array([120.0, 105.0, 95.0]), 100.0).round(9).tolist()
    [0.1, 0.0, -0.05]
    """
    return np.asarray(np.clip(price, low, high) / price - 1)


def _with_blocks(table: pd.DataFrame, heat: xr.Dataset, row: int, width: float, false_alarms: float) -> pd.DataFrame:
    """Clusters of a column, and below them its bright blocks that are none."""
    part = heat.isel(time=slice(row, row + 1))
    amount, edges = by_side(part)[:, 0], part["price_edge"].to_numpy()
    if (np.diff(edges)[0] / part["close"].to_numpy() > width * (1 + 1e-9)).any():
        return table  # too coarse to be looked at, as every_cluster has said
    price, true_range = float(part["close"].item()), float(atr(heat)[row])
    grid = smoother(edges, width)
    top = float(smooth_all_nb(amount, grid.first, grid.weight, grid.cells).max())
    rows = []
    for s, side in enumerate(SIDES):
        mine = table[table["side"] == side]
        for x in blocks(amount[s], edges, width, false_alarms, list(zip(mine["low"], mine["high"], strict=True))):
            low, peak, high = np.exp([x.low, x.peak, x.high])
            rows.append({
                "rank": 0, "side": side, "kind": "broad", "low": low, "peak": peak, "high": high, "notional": x.amount,
                "share": x.amount / amount[s].sum(), "prominence": 0.01 * x.rise, "brightness": x.height / top,
                "distance_to_edge": float(to_edge(low, high, price)), "distance_to_peak": peak / price - 1,
                "distance_to_peak_atr": (peak - price) / true_range, "broad": True, "reason": x.reason,
            })  # fmt: skip
    if not rows:
        return table
    below = pd.DataFrame(rows).sort_values("notional", ascending=False, kind="stable")
    below["rank"] = np.arange(len(table) + 1, len(table) + len(below) + 1)
    return pd.concat([table, below] if len(table) else [below], ignore_index=True)


def _too_coarse(heat: xr.Dataset, width: float) -> np.ndarray:
    """Columns whose bins are wider than the scale where the price stands: no zone can be told there."""
    bins = np.diff(heat["price_edge"].to_numpy())[0] / heat["close"].to_numpy()
    coarse = bins > width * (1 + 1e-9)
    if coarse.all():
        raise ValueError(f"width must be at least the bins' own, got {width!r} where bins are {bins.min():.3g} of the "
                         "price wide or more; pass a larger width, or a smaller price_step to heatmap")  # fmt: skip
    if coarse.any():
        warn(f"{int(coarse.sum())} of {len(coarse)} columns have bins wider than {width:g} of the price: no zone "
             "is looked for there; pass a larger width, or a smaller price_step to heatmap")  # fmt: skip
    return coarse


def origin(heat: xr.Dataset) -> dict[Any, Any]:
    """What a table of zones says of the map that it was read from."""
    names = ("quote", "symbol", "exchange", "timeframe", "model", "law", "lookback", "open_interest")
    attrs = own_attrs(heat).attrs
    return {name: attrs.get(name, "") for name in names}


def by_side(heat: xr.Dataset) -> np.ndarray:
    """Notional (side, time, price) as the kernels want it; what is not a number holds nothing."""
    amount = one_heatmap(heat)["notional"]
    if "leverage" in amount.dims:
        amount = amount.sum("leverage")
    values = amount.transpose("side", "time", "price").sel(side=list(SIDES)).to_numpy()
    return np.ascontiguousarray(np.nan_to_num(values, nan=0.0), dtype=np.float64)


def atr(heat: xr.Dataset) -> np.ndarray:
    """Wilder's average true range of the columns [quote], NaN before there are 14 or where it is 0."""
    high, low, close = (heat[name].to_numpy().astype(np.float64) for name in ("high", "low", "close"))
    before = np.append(close[:1], close[:-1])
    true_range = np.maximum(high, before) - np.minimum(low, before)
    mean, n = np.full(len(close), np.nan), ATR_COLUMNS
    if len(close) >= n:
        mean[n - 1] = true_range[:n].mean()
        for k in range(n, len(close)):
            mean[k] = mean[k - 1] + (true_range[k] - mean[k - 1]) / n
    mean[mean == 0] = np.nan  # a price that never moved is no yardstick
    return mean


def _meeting(notional: xr.DataArray, zone: Any, law: Law) -> str:
    """Leverages that hold a twentieth of a zone or more, of a map that keeps them apart."""
    inside = notional.sel(side=zone.side, price=slice(zone.low, zone.high)).sum("price")
    if not inside.sum() > 0:  # thinner than a bin
        inside = notional.sel(side=zone.side).sel(price=zone.peak, method="nearest")
    share = inside.to_numpy() / inside.to_numpy().sum()
    return law.named(inside["leverage"].to_numpy()[share >= PART])


def _aged(table: pd.DataFrame, heat: xr.Dataset, market: Market, moment: pd.Timestamp) -> pd.DataFrame:
    """Age and leverages of each zone, from those who stand at its peak in one bin of the map."""
    standing = standing_at(market, Assumptions.of(heat), moment, Provenance.of(heat).lookback or None)
    edge, day = heat["price_edge"].to_numpy(), np.timedelta64(1, "D")
    days = (standing.opens[-1] - standing.opens).to_numpy() / day
    law = standing.inputs.assumptions.law
    classes, age, leverages = np.unique(standing.inputs.ladder.leverage), np.full(len(table), np.nan), [""] * len(table)
    for side in SIDES:
        zones = np.flatnonzero((table["side"] == side).to_numpy())
        lots = standing.lots(side, cell_edges(table["peak"].to_numpy()[zones], float(edge[1] - edge[0])))
        place = lots.band * len(classes) + np.searchsorted(classes, lots.leverage)
        held = np.bincount(place, lots.notional, len(zones) * len(classes)).reshape(len(zones), len(classes))
        total = held.sum(axis=1)
        weighted = np.bincount(lots.band, lots.notional * days[lots.bar], len(zones))
        age[zones] = np.divide(weighted, total, out=np.full(len(zones), np.nan), where=total > 0)
        for zone, by_leverage, whole in zip(zones, held, total, strict=True):
            leverages[zone] = law.named(classes[by_leverage / whole >= PART]) if whole > 0 else ""
    return table.assign(age=age, leverages=table.get("leverages", leverages))


def check_positive(**values: float) -> None:
    no_text(**values)
    for name, value in values.items():
        if not 0 < value <= (1 if name == "width" else np.inf):
            raise ValueError(
                f"{name} must be > 0{' and at most 1' * (name == 'width')}, got {value!r}; "
                f"the defaults are {WIDTH} and {FALSE_ALARMS}"
            )
