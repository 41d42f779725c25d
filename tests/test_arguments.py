"""Every argument means what its user meant, or an error names it and says what to write."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import liqlab as lq
from liqlab.market.market import Market

BINS: dict[str, Any] = {"price_range": (40_000.0, 90_000.0), "price_step": 50.0}
START, END = "2024-05-01", "2024-05-02"


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

REMEDY = re.compile(r"pass|write|choose|leave|lq\.|put|such as|make|use|has |one of|must|give|add|\(")
ODD: list[Any] = ["abc", "", 0, -1, 3, 2.5, float("nan"), True, [], {}, [None], ("a", "b"), object(),
                  pd.DataFrame(), pd.Series(dtype=float), np.array([]), xr.Dataset()]  # fmt: skip


def base(market: Market, heat: xr.Dataset) -> dict[str, tuple[Callable[..., Any], dict[str, Any]]]:
    """A call that works for every function that is walked."""
    zones = lq.clusters(heat)
    shown = {"start": START, **BINS}
    return {
        "heatmap": (lq.heatmap, {"market": market, **shown}),
        "liquidation_map": (lq.liquidation_map, {"heat": heat, "at": END}),
        "levels": (lq.levels, {"market": market, "start": "2024-05-01 23:00", "at": END}),
        "expected_liquidations": (lq.expected_liquidations, {"market": market, "start": START, "end": END}),
        "balance": (lq.balance, {"market": market}),
        "explain": (lq.explain, {"market": market, "price": 56_490.0, "at": END, "price_step": 50.0}),
        "clusters": (lq.clusters, {"heat": heat, "at": END, "width": 0.003, "false_alarms": 0.2}),
        "nearest": (lq.nearest, {"heat": heat, "at": END, "broad": False}),
        "track": (lq.track, {"heat": heat, "patience": 4}),
        "confluence": (lq.confluence, {"heat": {"a": heat, "b": heat}, "at": END, "zones": zones}),
        "cumulative": (lq.cumulative, {"heat": heat, "at": END}),
        "max_pain": (lq.max_pain, {"heat": heat, "at": END, "width": 0.003}),
        "sweeps": (lq.sweeps, {"market": market, "heat": heat, "top_n": 3, "within": 3}),
        "stop_zones": (lq.stop_zones, {"zones": zones, "price": 58_000.0, "side": "long", "buffer": 0.001}),
        "alerts": (lq.alerts, {"heat": heat, "rules": ["a cluster is swept"], "quiet": "2h"}),
        "event_windows": (lq.event_windows, {"market": market, "times": [START], "before": "1h", "after": "1h"}),
        "cascade": (lq.cascade, {"heat": heat, "depth": 1e-11, "shock": -0.03, "scale": 1.0}),
        "amplification": (lq.amplification, {"heat": heat, "depth": 1e-11, "shocks": [-0.03]}),
        "critical_zones": (lq.critical_zones, {"heat": heat, "depth": 1e-11, "scale": 1.0}),
        "price_impact": (lq.price_impact, {"market": market, "start": START, "end": END}),
        "indicators": (lq.indicators, {"market": market, "rsi": 14, "atr": 14, "vwap": "1d"}),
        "plot.heatmap": (lq.plot.heatmap, {"heat": heat, "market": market, "zones": zones, "ylim": (5e4, 7e4)}),
        "plot.liquidation_map": (lq.plot.liquidation_map, {"heat": heat, "at": END, "ylim": (5e4, 7e4)}),
        "plot.clusters": (lq.plot.clusters, {"table": zones, "heat": heat, "top": 6}),
    }  # fmt: skip


@pytest.mark.filterwarnings("ignore")
def test_no_argument_of_a_wrong_kind_ends_in_a_foreign_error(market: Market, heat: xr.Dataset) -> None:
    """Right, or a ValueError or TypeError of our own that has a remedy; never an IndexError, KeyError or the like."""
    failed = []
    for name, (function, arguments) in base(market, heat).items():
        function(**arguments)
        assert set(arguments) <= {*inspect.signature(function).parameters}
        for parameter in arguments:
            for odd in [*ODD, market, heat]:
                try:
                    function(**{**arguments, parameter: odd})
                except (ValueError, TypeError) as error:
                    trace = error.__traceback__
                    while trace and trace.tb_next:
                        trace = trace.tb_next
                    ours = trace is not None and "/liqlab/" in trace.tb_frame.f_code.co_filename
                    if not (ours and REMEDY.search(str(error))):
                        failed.append(f"{name}({parameter}={odd!r:.40}): {type(error).__name__}: {str(error)[:120]}")
                except Exception as error:
                    failed.append(f"{name}({parameter}={odd!r:.40}): {type(error).__name__}: {str(error)[:120]}")
    assert not failed, "\n".join(failed)
