"""Every argument means what its user meant, or an error names it and says what to write."""

from __future__ import annotations

import inspect
import random
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import liqlab as lq
from liqlab.market.market import Market
from tests.conftest import LONG
from tests.public_calls import BINS, START, public_functions, quick, slow, things


@pytest.fixture(scope="module")
def market() -> Market:
    return lq.load_example("btc-2024-05").until("2024-05-02")


@pytest.fixture(scope="module")
def heat(market: Market) -> xr.Dataset:
    return lq.heatmap(market, start=START, **BINS)


@pytest.fixture(scope="module")
def live(market: Market) -> Any:
    return lq.live(market, **BINS)


# --- durations and moments ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("bare", [3, 24.0, np.int64(7), True])
def test_a_bare_number_is_no_duration(market: Market, bare: Any) -> None:
    """Three nanoseconds were taken for three days before: an empty map under a plausible title."""
    calls: dict[str, Callable[[], Any]] = {
        "lookback": lambda: lq.heatmap(market, lookback=bare),
        "time_step": lambda: lq.heatmap(market, time_step=bare),
        "half_life": lambda: lq.heatmap(market, "decay", half_life=bare),
        "embargo": lambda: lq.walk_forward(market, embargo=bare),
        "before": lambda: lq.event_windows(market, [START], before=bare),
        "horizon": lambda: lq.magnet(market, horizon=bare),
        r"horizons\[0\]": lambda: lq.zones.swing_controls(market, horizons=[bare]),
        r"lookbacks\[0\]": lambda: lq.lookback_heatmaps(market, lookbacks=[bare]),
        "vwap": lambda: lq.indicators(market, vwap=bare),
    }
    for name, call in calls.items():
        with pytest.raises(ValueError, match=rf"^{name}.*has no unit; write '\d+d'"):
            call()


def test_a_number_is_a_moment_only_where_one_unit_puts_it_near_the_data(heat: xr.Dataset) -> None:
    stamp = pd.Timestamp("2024-05-01 07:00", tz="UTC")
    told = lq.liquidation_map(heat, "2024-05-01 07:00")
    for per in (1, 1_000, 1_000_000, 1_000_000_000):
        assert lq.liquidation_map(heat, int(stamp.timestamp()) * per).identical(told)
    for wrong in (3, 20240501, int(stamp.timestamp()) // 60, -1, float("nan")):
        with pytest.raises(ValueError, match=r"^at: .*; write it as '2024-05-01 07:00' \(UTC\)"):
            lq.liquidation_map(heat, wrong)


# --- one argument for whatever shows a map ------------------------------------------------------------------------


def test_a_live_map_shows_the_columns_of_one_run_bit_for_bit(market: Market) -> None:
    """The last hundred bars, sixty of them from the history, forty fed one by one; and no more than are remembered."""
    whole = replace(market, taker=None)
    cut = whole.candles.index[-40]
    ledger = lq.live(whole.until(cut), **BINS)
    stamps = whole.open_interest["open_interest"].to_dict()
    for _, row in whole.candles.loc[cut:].iterrows():
        ledger.update(row, open_interest=stamps.get(row.name + whole.step))
    seen = ledger.heatmap(100)
    one = lq.heatmap(whole, start=whole.candles.index[-100], **BINS)
    for name in ("notional", "attributed_oi", "unattributed_oi", "open", "close", "volume", "close_time"):
        np.testing.assert_array_equal(seen[name].to_numpy(), one[name].to_numpy(), err_msg=name)
    assert seen.sizes["time"] == 100 and ledger.heatmap().sizes["time"] == 500
    for n in (0, 501, 2.0, "3", True):
        with pytest.raises(ValueError, match="n must be a whole number of bars from 1 to the 500"):
            ledger.heatmap(n)


def test_whatever_takes_a_map_takes_a_moment_and_a_live_map(heat: xr.Dataset, live: Any) -> None:
    """What was read from the last column, from that moment alone, and from the live map is the same."""
    calls: list[Callable[[Any], Any]] = [
        lq.liquidation_map, lq.cumulative, lq.max_pain, lambda x: lq.cascade(x, depth=1e-11).steps,
        lambda x: lq.amplification(x, depth=1e-11), lambda x: lq.critical_zones(x, depth=1e-11),
        lambda x: lq.clusters(x).drop(columns="distance_to_peak_atr"), lambda x: lq.stop_zones(x),
        lambda x: lq.nearest(x).drop(columns="distance_to_peak_atr"),
        lambda x: lq.assess_positions({"side": "long", "entry_price": 57_000, "leverage": 5}, x),
    ]  # fmt: skip
    for call in calls:
        told = call(heat)
        for shown in (lq.liquidation_map(heat), live):
            same = call(shown)
            if isinstance(told, pd.DataFrame):
                pd.testing.assert_frame_equal(same, told, check_exact=True)
            else:
                np.testing.assert_array_equal(same["notional"], told["notional"])


@pytest.mark.parametrize("draw", [lq.plot.heatmap, lq.plot.liquidation_map, lq.plot.four_maps, lq.plot.explore])
def test_figures_take_them_too(draw: Callable[[Any], Any], heat: xr.Dataset, live: Any) -> None:
    for shown in (lq.liquidation_map(heat), live):
        draw(shown)


# --- whose map ----------------------------------------------------------------------------------------------------


def test_a_map_of_another_market_is_refused(market: Market, heat: xr.Dataset) -> None:
    others = [replace(market, symbol="ETH/USDT:USDT"), replace(market, exchange="bybit"),
              replace(market, candles=market.candles.iloc[::2], timeframe="30m")]  # fmt: skip
    for other in others:
        for call in (
            lambda m: lq.sweeps(m, heat),
            lambda m: lq.clusters(heat, market=m),
            lambda m: lq.explain(m, 57_000.0, heat=heat),
        ):
            with pytest.raises(ValueError, match="heat was made from BTC/USDT:USDT binanceusdm 15m, and market is "):
                call(other)


def test_whatever_is_laid_over_a_map_is_of_the_same_market(market: Market, heat: xr.Dataset, tmp_path: Path) -> None:
    other = lq.load_example("eth-2024-07").until("2024-07-03")
    theirs = lq.heatmap(other, start="2024-07-02", price_step=5.0)
    zones, every = lq.clusters(theirs), lq.zones.every_cluster(theirs)
    refused = {
        r"heat was made from BTC/USDT:USDT binanceusdm 15m, and market is ETH": [
            lambda: lq.plot.heatmap(heat, other),
            lambda: lq.plot.four_maps(heat, other),
            lambda: lq.plot.png(heat, tmp_path / "x.png", other),
            lambda: lq.magnet(other, heat),
        ],
        r"heats was made from BTC/USDT:USDT": [lambda: lq.plot.explore(heat, other)],
        r"zones was made from ETH/USDT:USDT binanceusdm, and heat from BTC": [
            lambda: lq.plot.heatmap(heat, zones=zones),
            lambda: lq.plot.png(heat, tmp_path / "x.png", zones=zones),
            lambda: lq.sweeps(market, heat, zones=every),
            lambda: lq.confluence({"a": heat, "b": heat}, zones=zones),
        ],
        r"table was made from ETH": [
            lambda: lq.plot.clusters(zones, heat=heat),
            lambda: lq.plot.sweeps(lq.sweeps(other, theirs), heat),
            lambda: lq.plot.explain(lq.explain(other, float(zones["peak"].iloc[0]), heat=theirs), market),
        ],
    }
    for words, calls in refused.items():
        for call in calls:
            with pytest.raises(ValueError, match=words):
                call()
    zones.attrs = {name: value for name, value in zones.attrs.items() if name not in ("symbol", "exchange")}
    with pytest.raises(ValueError, match=r"zones lies from .*, wholly outside of heat, which shows"):
        lq.plot.heatmap(heat, zones=zones)


def test_explain_and_clusters_speak_of_one_moment(market: Market) -> None:
    """A map that ends before the market: both at its end, and the positions behind a cell add up to the cell."""
    heat = lq.heatmap(market, start="2024-04-29", end="2024-05-01", lookback="3d", **BINS)
    zones = lq.clusters(heat)
    price = float(zones["peak"].iloc[0])
    who = lq.explain(market, price, heat=heat)
    assert who.attrs["at"] == zones.attrs["at"] == pd.Timestamp("2024-05-01", tz="UTC")
    cell = lq.liquidation_map(heat)["notional"].sum("side").sel(price=price, method="nearest")
    assert who["notional"].sum() == pytest.approx(float(cell), rel=1e-6)
    low, high = who["leverage_low"], who["leverage_high"]
    assert (low <= who["leverage"]).all() and (who["leverage"] <= high).all() and (low < high).any()
    with pytest.raises(TypeError, match="heat has its own assumptions and lookback, got lookback besides"):
        lq.explain(market, price, heat=heat, lookback="7d")


def test_a_lookback_that_the_history_does_not_hold_is_told(market: Market) -> None:
    with pytest.warns(UserWarning, match="lookback: the market begins 2023-.*start later, choose a shorter lookback"):
        heat = lq.heatmap(market, start="2024-05-01 12:00", lookback="900d", **BINS)
    assert "hold less than 900d" in heat.attrs["lookback_held"]
    assert "lookback_held" not in lq.heatmap(market, start="2024-05-01 12:00", lookback="7d", **BINS).attrs


# --- the candle's own time ----------------------------------------------------------------------------------------


def test_a_candle_that_is_not_the_next_one_is_refused(market: Market) -> None:
    row = market.candles.iloc[-1]
    ledger = lq.live(market.until(row.name), **BINS)
    ledger.update(row)
    before = ledger.map()
    for wrong, words in (
        ({"candle": row}, "it is the last one again"),
        ({"candle": row.to_dict()}, "the very numbers of the last bar"),
        ({"candle": market.candles.iloc[-5]}, "it is an earlier one"),
        ({"candle": row.to_dict() | {"time": row.name + pd.Timedelta("20min")}}, "off the regular step of 15m"),
        ({"candle": row, "time": row.name + pd.Timedelta("15min")}, "the candle's own is"),
    ):
        with pytest.raises(ValueError, match=words):
            ledger.update(**wrong)
    assert ledger.map().identical(before)


# --- wrong kinds of every argument --------------------------------------------------------------------------------

REMEDY = re.compile(r"pass|write|choose|leave|lq\.|put|such as|make|use|has |one of|must|give|add|check|there are|\(")
# they ask the network, run notebooks or write where they are told
APART = {"loaders.fetch", "loaders.fetch_depth", "loaders.load", "report.build_page", "report.build_site",
         *(f"app.to_{where}" for where in ("command", "log", "terminal", "webhook"))}  # fmt: skip
# the word for what an argument is, where a message says it rather than the argument's name
SAID = {"name": "(called|name)", "replay": "(example|replay)", "path": "(file|reads|path)", "models": "model",
        "positions": "position", "events": "(events|market is)"}  # fmt: skip
WRITE = {("plot.png", "path"), ("report.save", "path")}


@cache
def odd() -> dict[str, Any]:
    """Of a wrong kind, empty, swapped, of another market, of another time, or one element alone."""
    t, other = things(), lq.load_example("eth-2024-07").until("2024-07-03")
    theirs = lq.heatmap(other, start="2024-07-02", price_step=5.0)
    return {
        "text": "abc", "empty text": "", "0": 0, "-1": -1, "3": 3, "2.5": 2.5, "nan": float("nan"), "inf": float("inf"),
        "1e30": 1e30, "10**30": 10**30, "True": True, "None": None, "[]": [], "{}": {}, "[None]": [None], "[3]": [3],
        "two texts": ("a", "b"), "swapped": (9e4, 4e4), "object": object(), "bytes": b"x", "1j": 1j, "{1}": {1},
        "function": len, "type": int, "NaT": pd.NaT, "path": Path("nowhere/x.csv"), "later": "2031-01-01",
        "earlier": "2001-01-01", "24h": "24h", "900d": "900d", "[moment]": [START],
        "no table": pd.DataFrame(), "another table": pd.DataFrame({"x": [1.0]}), "no column": pd.Series(dtype=float),
        "no array": np.array([]), "no dataset": xr.Dataset(), "market": t.market, "other market": other,
        "one candle": replace(t.market, candles=t.market.candles.iloc[-1:], open_interest=None, funding_rate=None),
        "heat": t.heat, "other heat": theirs, "observed": t.seen, "one column": t.heat.isel(time=[-1]),
        "no columns": t.heat.isel(time=[]), "one bin": t.heat.isel(price=[400]), "moment": lq.liquidation_map(t.heat),
        "live": t.live, "by leverage": t.layers, "[heat]": [t.heat], "[market]": [t.market], "{heat}": {"a": t.heat},
        "zones": t.zones, "no zones": t.zones.iloc[:0], "one zone": t.zones.iloc[:1],
        "other zones": lq.clusters(theirs),
        "sweeps": t.sweeps, "candles": t.market.candles, "one row": t.market.candles.iloc[:1],
    }  # fmt: skip


def refusal(call: Callable[[], Any], *names: str, others: Iterable[str] = ()) -> str:
    """What is wrong with how a call fails; nothing where it does not, or names the argument and says what to do."""
    try:
        call()
    except (ValueError, TypeError, FileNotFoundError, lq.report.ReportError) as error:
        trace, text = error.__traceback__, str(error)
        while trace and trace.tb_next:
            trace = trace.tb_next
        ours = trace is not None and "/liqlab/" in trace.tb_frame.f_code.co_filename
        named = any(re.search(rf"(?<![a-z]){SAID.get(name, name)}", text) for name in names)
        named = named or any(re.search(rf"\b{name}[=:]", text) for name in others)
        what = "" if ours and REMEDY.search(text) else "foreign, or no remedy: "
        what = what or ("" if named else "it is not said which argument: ")
        return what and f"{what}{type(error).__name__}: {text[:150]}"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:150]}"
    return ""


SLOW = {"app.explore", "app.scan", "simulation.simulate",
        "plot.calibration", "plot.claims_table", "plot.forest", "plot.magnet",
        "plot.scoreboard", "plot.uncertainty", *(f"validation.{name}" for name in ("bar_events", "baselines",
        "calibrate", "claims", "classes_of_positions", "dollar_factors", "kept_results", "location", "magnet",
        "placebos", "published_heatmap", "published_liquidations", "recovery", "score", "score_positions", "shelf_life",
        "true_positions", "walk_forward"))}  # fmt: skip
WALKED = sorted(name for name, _ in public_functions() if name not in APART and (LONG or name not in SLOW))


def test_every_public_function_is_walked() -> None:
    assert {*WALKED} == {*quick(), *(slow() if LONG else ())}
    assert {*APART} | SLOW < {name for name, _ in public_functions()}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", WALKED)
def test_no_argument_of_a_wrong_kind_ends_in_a_foreign_error(name: str) -> None:
    """Right, or a ValueError or TypeError of our own that names the argument and a remedy; never an IndexError or such.

    Two odd values for every parameter, all of them with LIQLAB_LONG=1; and every two arguments in each other's place.
    """
    function, arguments = (slow() if name in SLOW else quick())[name]
    function(**arguments)
    failed, draw, strange = [], random.Random(name), odd()
    parameters = inspect.signature(function).parameters.values()
    for parameter in (p.name for p in parameters if p.kind is not p.VAR_KEYWORD and (name, p.name) not in WRITE):
        for kind in strange if LONG else draw.sample(sorted(strange), 2):
            given = {**arguments, parameter: strange[kind]}
            if found := refusal(lambda given=given: function(**given), parameter, others=arguments):
                failed.append(f"{name}({parameter}={kind}): {found}")
    for one, other in combinations([each for each in arguments if (name, each) not in WRITE], 2):
        given = {**arguments, one: arguments[other], other: arguments[one]}
        if found := refusal(lambda given=given: function(**given), one, other):
            failed.append(f"{name}({one} and {other} swapped): {found}")
    assert not failed, "\n".join(failed)
