"""A call that works for every public function: what the walks over wrong arguments begin with."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from functools import cache, partial, wraps
from importlib import import_module
from inspect import isfunction
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

import liqlab as lq

BINS: dict[str, Any] = {"price_range": (40_000.0, 90_000.0), "price_step": 50.0}
START, END = "2024-05-01", "2024-05-02"
ROOMS = ("market", "margin", "models", "maps", "zones", "cascades", "simulation", "loaders", "validation", "plot",
         "report", "app")  # fmt: skip


class Call(NamedTuple):
    """A function and arguments that it takes."""

    function: Callable[..., Any]
    arguments: dict[str, Any]


class Things(NamedTuple):
    """What the calls are made of: a small market of two days, and a simulated one whose liquidations are known."""

    market: Any
    heat: Any
    layers: Any
    live: Any
    zones: pd.DataFrame
    sweeps: pd.DataFrame
    book: pd.DataFrame
    events: pd.DataFrame
    seen: Any
    simulated: Any
    estimated: pd.DataFrame
    end: Any


@cache
def things() -> Things:
    """Made once; nothing changes them."""
    market = lq.load_example("btc-2024-05").until(END)
    heat = lq.heatmap(market, start=START, **BINS)
    simulated = lq.simulate(8, warmup=1.0, timeframe="1h")
    events = pd.DataFrame(
        {"side": ["long", "short"], "price": [57_000.0, 60_000.0], "quantity": [1.0, 2.0]},
        index=pd.DatetimeIndex(["2024-05-01 07:00", "2024-05-01 08:00"], tz="UTC", name="time"),
    )
    return Things(
        market=market,
        heat=heat,
        layers=lq.heatmap(market, start="2024-05-01 18:00", by_leverage=True, **BINS),
        live=lq.live(market, **BINS),
        zones=lq.clusters(heat),
        sweeps=lq.sweeps(market, heat),
        book=pd.DataFrame({"side": ["bid", "ask"], "price": [57_000.0, 59_000.0], "quantity": [100.0, 100.0]}),
        events=events,
        seen=lq.observed_heatmap(market, events=events),
        simulated=simulated,
        estimated=lq.expected_liquidations(simulated.market, unit="coins"),
        end=lq.cascade(heat, depth=1e-11),
    )


@cache
def quick() -> dict[str, Call]:
    """Calls by the dotted name of the function, those that take a moment."""
    t = things()
    return {**_maps(t), **_zones(t), **_rest(t), **_plots(t), **_files(t), **_followed(t)}


@cache
def slow() -> dict[str, Call]:
    """Those that take seconds."""
    t, validation, plot = things(), lq.validation, lq.plot
    m, true, seen = t.market, t.simulated.market, t.simulated.market.liquidations
    scores = lq.score(t.estimated, seen, market=true, resamples=10)
    magnet = lq.magnet(m, every="12h", paths=4, start="2024-04-01")
    fitted = lq.calibrate(true, resamples=2)
    end = {"start": true.end - pd.Timedelta("1D")}
    stood = pd.DataFrame(
        {
            "time": m.end - pd.Timedelta("6h"),
            "account": [1, 2],
            "side": ["long", "short"],
            "coins": 1.0,
            "entry": 58_000.0,
            "liquidation_price": [50_000.0, 70_000.0],
            "mark": 58_000.0,
        }
    )
    return {
        "simulation.simulate": Call(lq.simulate, {"days": 1.0, "timeframe": "1h", "warmup": 0.5}),
        "validation.bar_events": Call(validation.bar_events, {"observed": seen, "market": true}),
        "app.explore": Call(lq.explore, {"market": m}),
        "app.scan": Call(lq.scan, {"markets": {"m": m}, "workers": 1, "progress": False}),
        "validation.baselines": Call(validation.baselines, {"market": true, "observed": seen}),
        "validation.calibrate": Call(lq.calibrate, {"market": true, "resamples": 2}),
        "validation.claims": Call(lq.claims, {"markets": "btc-2024-05"}),
        "validation.classes_of_positions": Call(validation.classes_of_positions, {"positions": stood, "resamples": 2}),
        "validation.dollar_factors": Call(validation.dollar_factors, {}),
        "validation.published_heatmap": Call(validation.published_heatmap, {"heat": t.heat}),
        "validation.published_liquidations": Call(validation.published_liquidations, {"estimated": t.estimated}),
        "validation.shelf_life": Call(validation.shelf_life, {"market": true, "resamples": 2}),
        "validation.kept_results": Call(validation.kept_results, {"name": "positions"}),
        "validation.score_positions": Call(
            validation.score_positions, {"heat": t.heat, "market": m, "positions": stood, "resamples": 2}
        ),
        "validation.true_positions": Call(validation.true_positions, {"coin": "BTC"}),
        "validation.location": Call(
            validation.location,
            {"heat": lq.heatmap(true, start=true.end - pd.Timedelta("3D")),
             "events": validation.bar_events(seen, true), "resamples": 5},
        ),
        "validation.magnet": Call(
            lq.magnet, {"market": m, "horizon": "24h", "every": "12h", "paths": 4, "start": "2024-04-01"}
        ),
        "validation.placebos": Call(validation.placebos, {"estimated": t.estimated}),
        "validation.recovery": Call(validation.recovery, {"simulations": [t.simulated], "moments": 2}),
        "validation.score": Call(
            lq.score, {"estimated": t.estimated, "observed": seen, "market": true, "resamples": 10,
                       "baselines": ["last bar"]}
        ),
        "validation.walk_forward": Call(
            lq.walk_forward,
            {"market": true, "folds": 1, "checks": 1,
             "score": partial(lq.score, baselines=False, resamples=5)},
        ),
        "plot.calibration": Call(plot.calibration, {"result": fitted}),
        "plot.claims_table": Call(plot.claims_table, {"table": lq.claims("btc-2024-05")}),
        "plot.forest": Call(plot.forest, {"result": magnet}),
        "plot.magnet": Call(plot.magnet, {"result": magnet}),
        "plot.scoreboard": Call(plot.scoreboard, {"result": scores}),
        "plot.uncertainty": Call(plot.uncertainty, {"heat": fitted.heatmaps(true, members=2, **end)}),
    }  # fmt: skip


def public_functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every function that a room exports, by its dotted name."""
    for room in ROOMS:
        module = import_module(f"liqlab.{room}")
        for name in module.__all__:
            if isfunction(getattr(module, name)):
                yield f"{room}.{name}", getattr(module, name)


def _maps(t: Things) -> dict[str, Call]:
    m, heat, shown = t.market, t.heat, {"start": START, **BINS}
    return {
        "maps.heatmap": Call(lq.heatmap, {"market": m, "time_step": "1h", "lookback": "3d", "end": END, **shown}),
        "maps.liquidation_map": Call(lq.liquidation_map, {"heat": heat, "at": END}),
        "maps.levels": Call(lq.levels, {"market": m, "start": "2024-05-01 23:00", "at": END}),
        "maps.expected_liquidations": Call(lq.expected_liquidations, {"market": m, "start": START, "end": END}),
        "maps.balance": Call(lq.balance, {"market": m}),
        "maps.explain": Call(lq.explain, {"market": m, "price": 56_490.0, "at": END, "price_step": 50.0}),
        "maps.combine": Call(lq.combine, {"markets": [m, replace(m, exchange="bybit")], **shown}),
        "maps.live": Call(lq.live, {"market": m, **BINS}),
        "maps.lookback_heatmaps": Call(lq.lookback_heatmaps, {"market": m, "lookbacks": ["12h", "1d"], **shown}),
        "maps.model_heatmaps": Call(lq.model_heatmaps, {"market": m, "models": ["volume", "decay"], **shown}),
        "maps.observed_heatmap": Call(lq.observed_heatmap, {"market": m, "events": t.events}),
    }


def _zones(t: Things) -> dict[str, Call]:
    m, heat, zones = t.market, t.heat, t.zones
    controls = lq.zones.swing_controls(m, start=START)
    deep = {"depth": 1e-11}
    return {
        "zones.clusters": Call(lq.clusters, {"heat": heat, "at": END, "width": 0.003, "market": m}),
        "zones.nearest": Call(lq.nearest, {"heat": heat, "at": END, "broad": False}),
        "zones.track": Call(lq.track, {"heat": heat, "patience": 4}),
        "zones.every_cluster": Call(lq.zones.every_cluster, {"heat": heat}),
        "zones.confluence": Call(lq.confluence, {"heat": {"a": heat, "b": heat}, "at": END, "zones": zones}),
        "zones.cumulative": Call(lq.cumulative, {"heat": heat, "at": END}),
        "zones.max_pain": Call(lq.max_pain, {"heat": heat, "at": END}),
        "zones.sweeps": Call(lq.sweeps, {"market": m, "heat": heat}),
        "zones.swing_controls": Call(lq.zones.swing_controls, {"market": m, "start": START}),
        "zones.swing_sweeps": Call(lq.zones.swing_sweeps, {"market": m, "side": "long"}),
        "zones.match_controls": Call(lq.zones.match_controls, {"sweeps": t.sweeps, "controls": controls}),
        "zones.stop_zones": Call(lq.stop_zones, {"zones": zones, "price": 58_000.0, "side": "long"}),
        "zones.assess_positions": Call(
            lq.assess_positions, {"held": {"side": "long", "entry_price": 57_000, "leverage": 5}, "heat": heat}
        ),
        "zones.event_windows": Call(lq.event_windows, {"market": m, "times": [START], "before": "1h", "after": "1h"}),
        "zones.summarise_periods": Call(lq.zones.summarise_periods, {"market": m, "spans": [["a", START, END]]}),
        "zones.frozen_maps": Call(lq.zones.frozen_maps, {"market": m, "heat": heat, "moments": [END], "side": "long"}),
        "zones.compare_levels": Call(
            lq.zones.compare_levels,
            {"heat": heat, "path": m.candles, "expected": [[56_490, 34.0]], "moments": [END], "width": 130.0},
        ),
        "plot.small_maps": Call(lq.plot.small_maps, {"maps": {"one": heat}, "within": 0.2, "columns": 2}),
        "app.alerts": Call(lq.alerts, {"heat": heat, "rules": ["a cluster is swept"], "quiet": "2h"}),
        "cascades.cascade": Call(lq.cascade, {"heat": heat, "shock": -0.03, **deep}),
        "cascades.amplification": Call(lq.amplification, {"heat": heat, "shocks": [-0.03], **deep}),
        "cascades.critical_zones": Call(lq.critical_zones, {"heat": heat, **deep}),
        "cascades.price_impact": Call(lq.price_impact, {"market": m, "start": START, "end": END, "draws": 10}),
    }


def _rest(t: Things) -> dict[str, Call]:
    m, true, seen = t.market, t.simulated.market, t.simulated.market.liquidations
    position = {"entry_price": 60_000.0, "side": "long", "leverage": 25}
    return {
        "market.indicators": Call(lq.indicators, {"market": m}),
        "market.check_candles": Call(lq.market.check_candles, {"candles": m.candles}),
        "market.check_open_interest": Call(lq.market.check_open_interest, {"open_interest": m.open_interest}),
        "market.check_funding_rate": Call(lq.market.check_funding_rate, {"funding_rate": m.funding_rate}),
        "market.check_leverage_tiers": Call(lq.market.check_leverage_tiers, {"tiers": true.leverage_tiers}),
        "market.check_liquidation_events": Call(
            lq.market.check_liquidation_events, {"liquidation_events": t.events}
        ),
        "market.check_liquidations": Call(lq.market.check_liquidations, {"liquidations": seen}),
        "market.check_mark_candles": Call(lq.market.check_mark_candles, {"candles": m.candles}),
        "market.check_taker": Call(
            lq.market.check_taker, {"taker": pd.DataFrame({"taker_buy_share": 0.5}, index=m.candles.index)}
        ),
        "market.check_trades": Call(
            lq.market.check_trades,
            {"trades": pd.DataFrame({"price": 1.0, "quantity": 1.0, "taker_buy": True}, index=m.candles.index[:3])},
        ),
        "margin.liquidation_price": Call(lq.liquidation_price, position),
        "margin.bankruptcy_price": Call(lq.bankruptcy_price, position),
        "margin.contract_of": Call(lq.margin.contract_of, {"symbol": "BTC/USDT:USDT"}),
        "margin.formulas": Call(lq.margin.formulas, {}),
        "margin.tier_units": Call(lq.margin.tier_units, {}),
        "margin.tier_history": Call(
            lq.margin.tier_history,
            {"exchange": "binanceusdm", "symbol": "BTC/USDT:USDT", "start": START, "end": "2024-06-01"},
        ),
        "margin.tiers_for": Call(lq.margin.tiers_for, {"exchange": "binanceusdm", "symbol": "BTC/USDT:USDT"}),
        "margin.tiers_from_ccxt": Call(
            lq.margin.tiers_from_ccxt,
            {
                "tiers": [{"minNotional": 0, "maxNotional": 50_000, "maintenanceMarginRate": 0.004,
                           "maxLeverage": 125, "info": {"cum": "0"}}],
                "symbol": "BTC/USDT:USDT", "exchange": "binanceusdm", "as_of": START,
            },
        ),
        "models.find": Call(lq.models.find, {"model": "volume"}),
        "models.law": Call(lq.models.law, {"law": "retail"}),
        "models.names": Call(lq.models.names, {}),
        "models.options_of": Call(lq.models.options_of, {"model": "volume"}),
        "loaders.read_case": Call(lq.read_case, {"name": "xrp-squeeze"}),
        "loaders.capabilities": Call(lq.capabilities, {"exchange": "binanceusdm"}),
        "loaders.channels": Call(lq.loaders.channels, {}),
        "loaders.examples": Call(lq.examples, {}),
        "loaders.load_example": Call(lq.load_example, {"name": "btc-2024-05"}),
        "loaders.venue_units": Call(lq.loaders.venue_units, {"exchange": "okx"}),
        "loaders.read": Call(lq.read, {"candles": m.candles.iloc[:50]}),
    }  # fmt: skip


def _plots(t: Things) -> dict[str, Call]:
    m, heat, plot, view = t.market, t.heat, lq.plot, {"ylim": (50_000.0, 70_000.0)}
    table = lq.amplification(heat, depth=1e-11, shocks=[-0.03, 0.02])
    explained = lq.explain(m, 56_490.0, price_step=50.0)
    return {
        "plot.heatmap": Call(plot.heatmap, {"heat": heat, "market": m, "zones": t.zones, **view}),
        "plot.liquidation_map": Call(plot.liquidation_map, {"heat": heat, "at": END, **view}),
        "plot.clusters": Call(plot.clusters, {"table": t.zones, "heat": heat}),
        "plot.amplification": Call(plot.amplification, {"table": table}),
        "plot.candles": Call(plot.candles, {"table": m.candles.iloc[-50:]}),
        "plot.cascade": Call(plot.cascade, {"result": t.end, "table": table}),
        "plot.confluence": Call(plot.confluence, {"table": lq.confluence({"a": heat, "b": heat}), **view}),
        "plot.cumulative": Call(plot.cumulative, {"table": lq.cumulative(heat), "pain": lq.max_pain(heat)}),
        "plot.events": Call(plot.events, {"tables": lq.event_windows(m, [START], before="1h", after="1h")}),
        "plot.explain": Call(plot.explain, {"table": explained, "market": m}),
        "plot.explore": Call(plot.explore, {"heats": t.layers, "market": m, **view}),
        "plot.four_maps": Call(plot.four_maps, {"heat": heat, "market": m, "depth": t.book, **view}),
        "plot.indicators": Call(plot.indicators, {"table": lq.indicators(m), "start": START}),
        "plot.law": Call(plot.law, {"law": "retail"}),
        "plot.levels": Call(plot.levels, {"table": lq.levels(m, start="2024-05-01 23:30")}),
        "plot.lookback_heatmaps": Call(
            plot.lookback_heatmaps,
            {"maps": lq.lookback_heatmaps(m, lookbacks=["12h", "1d"], start="2024-05-01 12:00", **BINS)},
        ),
        "plot.observed_heatmap": Call(plot.observed_heatmap, {"seen": t.seen}),
        "plot.show": Call(plot.show, {"case": m, "start": START, "end": END}),
        "plot.sweeps": Call(plot.sweeps, {"table": t.sweeps, "heat": heat}),
    }


def _files(t: Things) -> dict[str, Call]:
    folder = Path(tempfile.mkdtemp())
    saved, live = lq.save(t.zones, folder / "zones.csv"), folder / "live.npz"
    t.live.save(live)
    return {
        "maps.load_live": Call(lq.load_live, {"path": live}),
        "loaders.load_saved": Call(lq.load_saved, {"path": saved}),
        "plot.png": Call(lq.plot.png, {"heat": t.heat, "path": folder / "map.png", "dpi": 30}),
        "report.save": Call(lq.save, {"what": t.heat, "path": folder / "map.csv"}),
        "report.list_pages": Call(lq.report.list_pages, {}),
    }


PATIENCE = 0.3  # seconds: a replay that is told to wait for its bars has been understood


def first_of(function: Callable[..., AsyncIterator[Any]]) -> Callable[..., Any]:
    """What an asynchronous function gives first, as a plain call."""

    @wraps(function)
    def call(**arguments: Any) -> Any:
        async def ask() -> Any:
            given = function(**arguments)
            try:
                return await asyncio.wait_for(anext(given), PATIENCE)  # type: ignore[arg-type]
            except (TimeoutError, StopAsyncIteration):
                return None
            finally:
                await given.aclose()  # type: ignore[attr-defined]

        return asyncio.run(ask())

    return call


def _followed(t: Things) -> dict[str, Call]:
    replayed = {"replay": t.market, "speed": None, "start": "2024-05-01 22:00"}
    return {
        "loaders.follow": Call(first_of(lq.follow), {**replayed, "columns": 3}),
        "app.watch": Call(first_of(lq.watch), {**replayed, "rules": ["a cluster of 10M appears"], "to": []}),
    }
