"""What the claims are tested on: small tables of one market, each row with what was known and what came after."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.market.clock import nanoseconds, timedelta, utc
from liqlab.market.market import Market
from liqlab.market.technicals import indicators
from liqlab.validation._claims.first_passage import DAY, after, extremes, path_of, reached
from liqlab.validation._claims.frozen_zones import FEES, HORIZON, frozen_map, trials, zones_with_births
from liqlab.zones._clusters import WIDTH
from liqlab.zones._sweeps import visits_of
from liqlab.zones.controls import match_controls, swing_controls
from liqlab.zones.touches import check_rules

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["TABLES", "VENDOR", "claim_samples", "concat_samples", "resampled"]

VENDOR: dict[str, Any] = {"law": "retail", "lookback": "7d"}  # much high leverage, one window: as most published maps
LOOKBACKS = ("12h", "24h", "3d", "7d")
MEETING = (25.0, 50.0, 100.0)
MIN_LAYER_BRIGHTNESS = 0.5  # a layer takes part where it is half as bright as its own brightest
MIN_POSITION_NOTIONAL = 1_000.0  # [quote] positions so small that every venue allows them 25x and more
NEAR_PRICE_SHARE = 0.02  # [1] of the price
STOPS = np.array([0.3, 0.5, 0.7, 0.9, 1.1, 1.3, 1.5, 1.7, 1.9])  # [volatility of the horizon]
RULES: dict[str, Any] = {"horizons": ("4h", "24h")}
TABLES = ("trials", "vendor", "four_hours", "one_day", "meeting", "failures", "visits", "trades", "hours", "moments",
          "stops")  # fmt: skip


@dataclass(frozen=True, eq=False)
class ClaimSamples:
    """Tables of one market by name; every table has a column time and a column market."""

    tables: Mapping[str, pd.DataFrame]


def claim_samples(name: str, market: Market, *, start: Any = None, seed: int = 0) -> dict[str, pd.DataFrame]:
    """Every table that the claims need, of one market.

    Parameters
    ----------
    name : str
        Told in the tables.
    market : Market
        Of a week or more.
    start : time-like, optional
        Only moments from here on; what lies before warms the ledger up.
    seed : int
        Of the blocks drawn from other times.

    Returns
    -------
    dict of name to DataFrame
        Those of `TABLES`.
    """
    hourly = resampled(market, "1h")
    heat = frozen_map(market)
    zones = zones_with_births(heat)
    filters = _filters(hourly)
    first = utc(start, name="start") if start is not None else market.start
    main = trials(market, heat, zones=zones, start=start, seed=seed)
    main = main.assign(overlap=_overlap(market, main), **_at(filters, main["time"]))
    meeting = frozen_map(market, law=list(MEETING), by_leverage=True, position_notional=MIN_POSITION_NOTIONAL)
    met = trials(market, meeting, start=start, seed=seed)
    tables = {
        "trials": main,
        "vendor": trials(market, frozen_map(market, **VENDOR), start=start, seed=seed),
        "four_hours": trials(market, frozen_map(resampled(market, "4h")), start=start, seed=seed),
        "one_day": trials(market, frozen_map(resampled(market, "1d"), every="1d"), start=start, seed=seed),
        "meeting": met.assign(layers=_layers(meeting, met)),
        "moments": _moments(market, heat),
        "stops": _stops(market, heat, zones, seed),
        **_visits(hourly, heat, filters),
    }
    kept = {}
    for key, table in tables.items():
        table = table[table["time"] >= first] if len(table) else table
        kept[key] = table.assign(market=name).reset_index(drop=True)
        kept[key].attrs = {}
    return kept


def concat_samples(parts: list[dict[str, pd.DataFrame]]) -> dict[str, pd.DataFrame]:
    """The tables of several markets, one below the other."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The behavior of (DataFrame|array) concatenation")
        return {key: pd.concat([part[key] for part in parts], ignore_index=True) for key in TABLES}


def resampled(market: Market, timeframe: str) -> Market:
    """The same market on wider candles; a candle that is not over is left out. Finer ones cannot be made."""
    step = timedelta(timeframe)
    if step <= market.step:
        return market
    rules = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    sums = {name: "sum" for name in ("quote_volume", "trades") if name in market.candles}
    table = market.candles.resample(step).agg(rules | sums).dropna(subset=["close"])
    table = table[pd.DatetimeIndex(table.index) + step <= market.end]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*gap")
        return replace(market, candles=table, timeframe=timeframe, path=None, mark_candles=None)


def _filters(hourly: Market) -> pd.DataFrame:
    """RSI, funding and open interest as known at the close of every hour."""
    table = indicators(hourly)
    table = table.reindex(columns=["rsi", "funding_z", "open_interest_change"]).astype(float)
    return table.set_axis(table.index + hourly.step, axis=0)


def _at(table: pd.DataFrame, times: pd.Series) -> dict[str, np.ndarray]:
    """Rows of a table at the last stamp not after each moment."""
    row = np.searchsorted(nanoseconds(table.index), nanoseconds(pd.DatetimeIndex(times)), side="right") - 1
    return {str(name): np.where(row >= 0, table[name].to_numpy()[np.maximum(row, 0)], np.nan) for name in table}


def _relative(heat: xr.Dataset, amount: np.ndarray, table: pd.DataFrame) -> np.ndarray:
    """Notional within one width of a zone's peak, over the most that any price of that column has."""
    edge = heat["price_edge"].to_numpy()
    centre = (edge[1:] + edge[:-1]) / 2
    out = np.zeros(len(table))
    columns, peaks = table["column"].to_numpy(), table["peak"].to_numpy()
    for row in np.unique(columns):
        mine = columns == row
        running = np.append(0.0, amount[row].cumsum())
        within = np.interp(centre * np.exp(WIDTH), edge, running) - np.interp(centre * np.exp(-WIDTH), edge, running)
        here = np.interp(peaks[mine] * np.exp(WIDTH), edge, running)
        here = here - np.interp(peaks[mine] * np.exp(-WIDTH), edge, running)
        out[mine] = here / within.max() if within.max() > 0 else 0.0
    return out


def _overlap(market: Market, table: pd.DataFrame) -> np.ndarray:
    """In how many of four windows a zone is bright."""
    count = np.zeros(len(table))
    for lookback in LOOKBACKS:
        heat = frozen_map(market, lookback=lookback)
        count += _relative(heat, heat["notional"].sum("side").to_numpy(), table) >= MIN_LAYER_BRIGHTNESS
    return count


def _layers(heat: xr.Dataset, table: pd.DataFrame) -> np.ndarray:
    """How many leverages are bright at a zone."""
    count = np.zeros(len(table))
    for leverage in heat["leverage"].to_numpy():
        layer = heat["notional"].sel(leverage=leverage).sum("side").transpose("time", "price")
        count += _relative(heat, layer.to_numpy(), table) >= MIN_LAYER_BRIGHTNESS
    return count


def _moments(market: Market, heat: xr.Dataset) -> pd.DataFrame:
    """At every column: how bright it is near the price and on which side; volatility and return before and after."""
    path = path_of(market)
    closes = heat["close_time"].to_numpy().astype("datetime64[ns]").astype(np.int64)
    bar = np.searchsorted(path.opens, closes) - 1
    edge, price = heat["price_edge"].to_numpy(), heat["close"].to_numpy()
    held = {}
    for side in ("long", "short"):
        amount = heat["notional"].sel(side=side).transpose("time", "price").to_numpy()
        running = np.concatenate([np.zeros((len(amount), 1)), amount.cumsum(axis=1)], axis=1)
        low, high = ((1 - NEAR_PRICE_SHARE) * price, (1 + NEAR_PRICE_SHARE) * price)
        near = [np.interp(b, edge, r) - np.interp(a, edge, r) for a, b, r in zip(low, high, running, strict=True)]
        held[side] = np.array(near)
    total = heat["notional"].sum(["price", "side"]).to_numpy()
    near = held["long"] + held["short"]
    squared = np.append(np.nan, np.diff(path.close)) ** 2
    per_day = DAY // path.step
    known = np.append(0.0, np.nancumsum(squared))
    ahead = np.minimum(bar + 1 + per_day, len(known) - 1)
    whole = path.opens[bar] + DAY <= path.opens[-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        table = {
            "bright": np.log(near / total),
            "imbalance": (held["short"] - held["long"]) / near,
            "volatility_after": np.where(whole, np.log(known[ahead] - known[bar + 1]) / 2, np.nan),
            "return_after": 100 * after(path, bar, DAY),
            "return_before": 100 * (path.close[bar] - path.close[np.maximum(bar - per_day, 0)]),
        }
        for name, days in (("hours", 1 / 6), ("day", 1), ("week", 7)):
            begin = bar + 1 - max(int(days * per_day), 1)
            past = np.log(known[bar + 1] - known[np.maximum(begin, 0)]) / 2
            table[f"volatility_{name}"] = np.where(begin >= 0, past, np.nan)
    frame = pd.DataFrame({"time": pd.DatetimeIndex(closes, tz="UTC"), **table})
    return frame.replace([np.inf, -np.inf], np.nan)


def _stops(market: Market, heat: xr.Dataset, zones: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Stops at nine distances on both sides at every other column: inside a zone or outside, hit or not."""
    path, span = path_of(market), timedelta(HORIZON).as_unit("ns").value
    closes = heat["close_time"].to_numpy().astype("datetime64[ns]").astype(np.int64)
    columns = np.arange(seed % 2, len(closes), 2)
    bar = np.searchsorted(path.opens, closes[columns]) - 1
    known = np.isfinite(path.sigma[bar])
    columns, bar = columns[known], bar[known]
    parts = []
    for side, sign in (("long", -1), ("short", 1)):
        gap = path.sigma[bar][:, None] * STOPS * np.sqrt(span / DAY)
        level = path.close[bar][:, None] + sign * gap
        mine = zones[zones["side"] == side]
        begin = np.searchsorted(mine["column"].to_numpy(), columns)
        until = np.searchsorted(mine["column"].to_numpy(), columns, side="right")
        low, high = np.log(mine["low"].to_numpy()), np.log(mine["high"].to_numpy())
        inside = np.zeros(level.shape, bool)
        for k, (a, b) in enumerate(zip(begin, until, strict=True)):
            inside[k] = ((level[k][:, None] >= low[a:b]) & (level[k][:, None] <= high[a:b])).any(axis=1)
        where, way = np.repeat(bar, len(STOPS)), np.full(level.size, sign)
        found = reached(path, where, level.ravel(), way, span)
        before = extremes(path, np.maximum(where - span // path.step + 1, 0), where, way)
        parts.append(
            pd.DataFrame(
                {
                    "time": pd.DatetimeIndex(np.repeat(closes[columns], len(STOPS)), tz="UTC"), "side": side,
                    "z": np.tile(STOPS, len(bar)), "inside": inside.ravel(), "traded": before >= sign * level.ravel(),
                    "hit": np.where(np.isfinite(found.returns), np.isfinite(found.hours), np.nan),
                }
            )
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def _visits(hourly: Market, heat: xr.Dataset, filters: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Sweeps of bright zones with matched sweeps of ordinary swings, the trade on them, and what the hours did."""
    table = visits_of(
        hourly, heat, check_rules(impulse=1.0, within=3, beyond=1.0, atr_bars=14, buffer_atr=0.1, **RULES)
    )
    first, last = (pd.Timestamp(x, tz="UTC") for x in (heat["time"].to_numpy()[0], heat["close_time"].to_numpy()[-1]))
    table.attrs.update(start=first, end=last)
    controls = swing_controls(hourly, table, **RULES)
    fails, plain = (x[x["class"] == "swing failure"] for x in (table, controls))
    trades = fails[fails["after_24h"].notna()]
    stopped = trades["stopped_at"].notna()
    stop = -(trades["stop"] / trades["entry"] - 1).abs()
    trades = trades.assign(net=100 * (np.where(stopped, stop, trades["after_24h"]) - FEES))
    trades = trades.assign(**_at(filters, trades["decided_at"]))
    return {
        "failures": _pairs(fails, plain, filters),
        "visits": _pairs(table, controls, filters),
        "trades": trades[["time", "side", "net", "rsi", "funding_z", "open_interest_change"]],
        "hours": _hours(hourly, table),
    }


def _pairs(table: pd.DataFrame, controls: pd.DataFrame, filters: pd.DataFrame) -> pd.DataFrame:
    """Each sweep less its control [%]: return after 4 and 24 hours against the break."""
    chosen = match_controls(table, controls)
    mine = table.loc[chosen.index]
    gaps = {name: 100 * (mine[name].to_numpy() - chosen[name].to_numpy()) for name in ("after_4h", "after_24h")}
    pairs = pd.DataFrame({"time": mine["time"].to_numpy(), "side": mine["side"].to_numpy(), **gaps})
    pairs["time"] = pd.DatetimeIndex(mine["time"])
    return pairs.assign(**_at(filters, mine["decided_at"]))


def _hours(hourly: Market, table: pd.DataFrame) -> pd.DataFrame:
    """Every hour and side: was a bright zone swept, what was observed to be liquidated, what did open interest do."""
    candles, frame = hourly.candles, []
    before = candles["close"].shift()
    down, up = ((before / candles["low"] - 1).clip(lower=0), (candles["high"] / before - 1).clip(lower=0))
    change = pd.Series(np.nan, candles.index)
    if hourly.open_interest is not None and hourly.sources.get("open_interest", {}).get("kind", "own") == "own":
        known = np.log(hourly.open_interest["open_interest"])
        opens, ends = (
            known.reindex(pd.DatetimeIndex(candles.index) + x).to_numpy() for x in (pd.Timedelta(0), hourly.step)
        )
        change = pd.Series(100 * (ends - opens), candles.index)
    for side, adverse in (("long", down), ("short", up)):
        swept = candles.index.isin(pd.DatetimeIndex(table.loc[table["side"] == side, "time"]))
        coins = pd.Series(np.nan, candles.index)
        if hourly.liquidations is not None:
            coins = hourly.liquidations[side].reindex(candles.index)
            coins = (coins + coins[coins > 0].quantile(0.1)).transform(np.log)
        frame.append(pd.DataFrame({"time": candles.index, "side": side, "swept": swept.astype(float),
                                   "liquidated": coins.to_numpy(), "before": coins.shift().to_numpy(),
                                   "open_interest": change.to_numpy(), "adverse": np.sqrt(adverse.to_numpy()),
                                   "range": np.log((candles["high"] / candles["low"]).to_numpy()),
                                   "volume": np.log(candles["volume"].clip(lower=1e-9).to_numpy())}))  # fmt: skip
    return pd.concat(frame, ignore_index=True)
