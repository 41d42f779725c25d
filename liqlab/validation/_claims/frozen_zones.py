"""Frozen zones and what price then did: per moment and side the brightest zone within reach, and its mirror price.

A zone is frozen at the close of a column of the map. Everything before *outcome* was known then; everything after it
was not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.maps.heatmaps import heatmap
from liqlab.market.clock import timedelta, utc
from liqlab.market.market import Market
from liqlab.validation._claims.first_passage import DAY, Path, after, extremes, matched_paths, path_of, reached
from liqlab.zones._clusters import WIDTH, every_cluster
from liqlab.zones.tracking import MAX_PEAK_SHIFT_WIDTHS, MIN_KEPT_STRENGTH, _ended, _matched

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["EVERY", "HORIZON", "MAX_ZONE_AGE", "frozen_map", "grid", "trials", "zones_with_births"]

EVERY, HORIZON, MAX_ZONE_AGE = "4h", "24h", "7d"
MIN_DISTANCE_SIGMA, MAX_DISTANCE_SIGMA = (
    0.25,
    2.0,
)  # [volatility of the horizon] nearer is touched anyway, farther hardly ever
MAX_MIRROR_BRIGHTNESS_RATIO = 0.5  # a mirror price that is itself as bright would be no comparison
WARMUP = "3d"
RETRACE_HORIZON = "4h"
MAX_UNSEEN_COLUMNS = 4
TAIL_QUANTILE = 0.005  # [1] of the candles: a wick to a sixth of the price would need six times as many bins
STEP = 0.0018  # [1] of a low price: narrower than the width of zones
FEES = 0.001  # [1] in and out as a taker, 0.05 % each


def frozen_map(market: Market, model: str | None = None, *, every: Any = EVERY, **options: Any) -> xr.Dataset:
    """A heatmap with wide columns, and bins fine enough for zones at all but the most extreme prices of a market."""
    low, high = (
        float(market.candles[name].quantile(q)) for name, q in (("low", TAIL_QUANTILE), ("high", 1 - TAIL_QUANTILE))
    )
    given = {"price_range": (0.8 * low, 1.25 * high), "price_step": STEP * low}
    return heatmap(market, model, time_step=every, **{**given, **options})


def zones_with_births(heat: xr.Dataset, *, width: float = WIDTH) -> pd.DataFrame:
    """Bright zones of every column, with the column in which each was first seen; nothing looks ahead.

    Zones are followed by the rules of `liqlab.track`.

    Returns
    -------
    DataFrame
        As from `every_cluster` (strength ≥ 1), and born (column; −1: it was there in the first column, so that its
        birth is not known), life (number of the zone: the same in every column).
    """
    zones = every_cluster(heat, width=width, least=MIN_KEPT_STRENGTH)
    low, high = heat["low"].to_numpy(), heat["high"].to_numpy()
    cuts = np.searchsorted(zones["column"].to_numpy(), np.arange(len(low) + 1))
    rows = list(zones[["side", "low", "peak", "high", "notional", "strength"]].itertuples(index=False))
    born, life_of = np.full(len(zones), -1), np.full(len(zones), -1)
    numbers: dict[int, int] = {}
    kept: list[Any] = []  # so that no two lives share an id
    alive: list[Any] = []
    for column in range(len(low)):
        alive = _ended(alive, column, low[column], high[column], MAX_UNSEEN_COLUMNS)
        found = rows[cuts[column] : cuts[column + 1]]
        alive += _matched(alive, found, column, MAX_PEAK_SHIFT_WIDTHS * width)
        place = {(zone.side, zone.peak): cuts[column] + k for k, zone in enumerate(found)}
        for life in alive:
            if life.seen[-1] == column:
                row = place[life.side, life.peak]
                born[row] = life.born if life.born > 0 else -1
                life_of[row] = numbers.setdefault(id(life), len(numbers))
                kept += [life] if life_of[row] == len(kept) else []
    return zones.assign(born=born, life=life_of)[zones["strength"] >= 1].reset_index(drop=True)


def trials(
    market: Market,
    heat: xr.Dataset,
    *,
    zones: pd.DataFrame | None = None,
    horizon: Any = HORIZON,
    most_age: Any = MAX_ZONE_AGE,
    start: Any = None,
    paths: int = 48,
    seed: int = 0,
) -> pd.DataFrame:
    """The brightest zone within reach on either side of the price at every column of a map, and what price then did.

    Parameters
    ----------
    market : Market
        Its candles are the path.
    heat : Dataset
        From `frozen_map`.
    zones : DataFrame, optional
        From `zones_with_births`, perhaps chosen among.
    horizon : duration
        How long is looked on.
    most_age : duration
        Zones first seen longer ago are left out, so that blocks of time can be longer than they are old.
    start : time-like, optional
        Only moments from here on; three days from the beginning of the market are left out in any case.
    paths : int
        Blocks of other times per trial; 0: none.
    seed : int

    Returns
    -------
    DataFrame
        time; side; sign (+1: the zone lies above); price, peak, mirror = price² ÷ peak, low, high
        [quote]; log_distance_to_peak; sigma [log return per √day]; z = log_distance_to_peak ÷ volatility of the
        horizon; age [days]; share of its side; column; fair: whether the mirror price is comparable, not traded since
        the zone was born and at most half as bright; first, first_fair: whether this is the first (comparable) trial of
        this zone. *Outcome*: hours, mirror_hours (until touched, inf: not within the horizon); returns [log] to the end
        of the horizon; back, mirror_back [log]: from the level towards where price came from, four hours after the
        touch; path_touched [0..1] and path_payoff, means over blocks of other times.
    """
    path, span = path_of(market), timedelta(horizon).as_unit("ns").value
    zones = zones_with_births(heat) if zones is None else zones
    table = _candidates(path, heat, zones, span, timedelta(most_age).as_unit("ns").value, start)
    table = table.sort_values(["column", "notional"], ascending=[True, False], kind="stable")
    table = table.drop_duplicates(["column", "side"]).reset_index(drop=True)
    bar, sign = table["at"].to_numpy(), table["sign"].to_numpy()
    level = np.log(table["peak"].to_numpy())
    hit = reached(path, bar, level, sign, span)
    other = reached(path, bar, 2 * path.close[bar] - level, -sign, span)
    table = table.assign(hours=hit.hours, mirror_hours=other.hours, returns=hit.returns,
                         back=_back(path, hit.bar, level, sign),
                         mirror_back=_back(path, other.bar, 2 * path.close[bar] - level, -sign))  # fmt: skip
    table = table[np.isfinite(table["returns"])].reset_index(drop=True)
    table["first"] = ~table["life"].duplicated()
    table["first_fair"] = table["fair"] & ~table["life"].where(table["fair"], -1 - table.index).duplicated()
    table = pd.concat([table, _yardstick(path, table, span, paths, seed)], axis=1)
    table = table.drop(columns=["at", "notional", "life"])
    table.attrs = {"horizon": str(horizon), "most_age": str(most_age), "symbol": market.symbol,
                   **{name: heat.attrs[name] for name in ("model", "law", "lookback", "time_step")}}  # fmt: skip
    return table


def _back(path: Path, bar: np.ndarray, level: np.ndarray, sign: np.ndarray) -> np.ndarray:
    """Way back from a level some hours after the bar that touched it; NaN where nothing did."""
    wait = timedelta(RETRACE_HORIZON).as_unit("ns").value
    on = bar >= 0
    gone = after(path, np.where(on, bar, 0), wait) + path.close[np.maximum(bar, 0)] - level
    return np.where(on, -sign * gone, np.nan)


def grid(horizon: int) -> np.ndarray:
    """Hours at which curves are drawn, for a horizon [ns]."""
    return np.array([1, 2, 4, 8, 12, 16, 20, 24]) / 24 * horizon / 3.6e12


def _candidates(
    path: Path, heat: xr.Dataset, zones: pd.DataFrame, span: int, most_age: int, start: Any
) -> pd.DataFrame:
    """Zones within reach, and whether their mirror price is dimmer and has not been traded either since their birth."""
    closes = heat["close_time"].to_numpy().astype("datetime64[ns]").astype(np.int64)
    at_close = np.searchsorted(path.opens, closes) - 1  # the last bar that closes with the column
    column = zones["column"].to_numpy()
    bar, born = at_close[column], at_close[np.maximum(zones["born"].to_numpy(), 0)]
    sign = np.where(zones["side"] == "short", 1, -1)
    gap = sign * (np.log(zones["peak"].to_numpy()) - path.close[bar])
    sigma = path.sigma[bar]
    z = gap / (sigma * np.sqrt(span / DAY))
    age = path.opens[bar] - path.opens[born]
    on = (zones["born"] >= 0).to_numpy() & (z >= MIN_DISTANCE_SIGMA) & (z <= MAX_DISTANCE_SIGMA) & (age <= most_age)
    on &= path.opens[bar] - path.opens[0] >= timedelta(WARMUP).as_unit("ns").value
    if start is not None:
        on &= closes[column] >= utc(start, name="start").as_unit("ns").value
    fair = extremes(path, born + 1, bar, -sign) + sign * path.close[bar] < gap
    mirror = np.exp(path.close[bar] - sign * gap)
    fair &= _brightness(heat, column, mirror) <= MAX_MIRROR_BRIGHTNESS_RATIO * _brightness(
        heat, column, zones["peak"].to_numpy()
    )
    told = zones[["column", "life", "side", "low", "high", "peak", "notional", "share"]]
    more = {"time": pd.DatetimeIndex(closes[column], tz="UTC"), "sign": sign, "price": np.exp(path.close[bar]),
            "mirror": mirror, "fair": fair, "log_distance_to_peak": gap, "sigma": sigma, "z": z, "age": age / DAY,
            "at": bar}  # fmt: skip
    return told.assign(**more)[on]


def _brightness(heat: xr.Dataset, column: np.ndarray, price: np.ndarray) -> np.ndarray:
    """Notional of both sides within one smoothing width around a price."""
    notional = heat["notional"].sum([d for d in heat["notional"].dims if d not in ("time", "price")]).to_numpy()
    running = np.concatenate([np.zeros((len(notional), 1)), notional.cumsum(axis=1)], axis=1)
    edge = heat["price_edge"].to_numpy()
    out = np.zeros(len(price))
    for column_of in np.unique(column):
        mine = column == column_of
        upper, lower = (np.interp(price[mine] * np.exp(w), edge, running[column_of]) for w in (WIDTH, -WIDTH))
        out[mine] = upper - lower
    return out


def _yardstick(path: Path, table: pd.DataFrame, span: int, paths: int, seed: int) -> pd.DataFrame:
    """Share of matched blocks of other times that touched, by the hours of the curve, and what a trade there made."""
    hours = grid(span)
    names = [f"paths_{h:g}h" for h in hours]
    if not paths or table.empty:
        return pd.DataFrame(np.nan, table.index, ["path_touched", "path_payoff", *names])
    age = np.ceil(table["age"].to_numpy() * DAY / path.step).astype(int)
    at, distance, sign = (table[name].to_numpy() for name in ("at", "log_distance_to_peak", "sign"))
    rng = np.random.default_rng(seed)
    draws, money = matched_paths(path, at, distance, sign, age, span, paths=paths, rng=rng)
    known = ~np.isnan(draws)
    count = np.where(known.sum(1) >= max(paths // 4, 1), known.sum(1), np.nan)
    share = {name: (draws <= h + 1e-9).sum(1) / count for name, h in zip(names, hours, strict=True)}
    paid = np.isfinite(money).sum(1)
    mean_payoff = np.nansum(money, 1) / np.where(paid >= max(paths // 8, 1), paid, np.nan)
    return pd.DataFrame({"path_touched": np.isfinite(draws).sum(1) / count, "path_payoff": mean_payoff,
                         **share}, index=table.index)  # fmt: skip
