"""A map carried on bar by bar, saved and continued, is the map of one run, bit for bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import liqlab as lq
from liqlab import models
from liqlab.maps._live import Live, live, load_live
from liqlab.market.market import Market

BINS: dict[str, Any] = {"price_range": (20_000.0, 120_000.0), "price_step": 50.0}


def part(market: Market, start: str, end: str) -> Market:
    """A market that begins at `start` and is known up to `end`."""
    known = market.until(end)
    tables = {name: getattr(known, name) for name in ("candles", "open_interest", "funding_rate")}
    cut = {name: table.loc[start:] for name, table in tables.items() if table is not None}
    return replace(known, **cut, path=None, liquidations=None, taker=None)


def fed(ledger: Live, market: Market, after: pd.Timestamp) -> Live:
    """Every bar after a moment, with the open interest that is reported at its close."""
    stamps = {} if market.open_interest is None else market.open_interest["open_interest"].to_dict()
    for time, row in market.candles.loc[after:].iterrows():
        ledger.update(row.to_dict(), time=time, open_interest=stamps.get(time + market.step))
    return ledger


def same(ledger: Live, market: Market, model: str, **options: Any) -> None:
    """The live map is the last column of the heatmap over everything, bit for bit."""
    heat = lq.liquidation_map(lq.heatmap(market, model, time_step=market.timeframe, **BINS, **options))
    found = ledger.map()
    np.testing.assert_array_equal(found["notional"].values, heat["notional"].values)
    for name in ("attributed_oi", "unattributed_oi", "open", "high", "low", "close", "volume"):
        np.testing.assert_array_equal(found[name].values, heat[name].values, err_msg=name)
    assert found["close_time"].values == heat["close_time"].values
    np.testing.assert_array_equal(found["price_edge"].values, heat["price_edge"].values)


@pytest.mark.parametrize("model", models.names())
@pytest.mark.parametrize(
    ("case", "entries"), [("btc-2024-05", "spread"), ("btc-2024-05", "ordered"), ("btc-2025-12", "spread")]
)
def test_a_ledger_fed_bar_by_bar_is_one_run_bit_for_bit(model: str, case: str, entries: str, tmp_path: Path) -> None:
    """Hourly open interest on quarter hours, and one for every candle; saved and read again half-way."""
    whole = lq.load_example(case)
    begin = whole.candles.index[len(whole.candles) // 2]
    market = part(whole, str(begin), str(begin + pd.Timedelta("6D")))
    cut, middle = begin + pd.Timedelta("3D"), begin + pd.Timedelta("4D 05:00:00")
    ledger = live(market.until(str(cut)), model, entries=entries, **BINS)
    fed(ledger, market.until(str(middle)), cut)
    carried = load_live(ledger.save(tmp_path / "ledger.npz"))
    assert repr(carried) == repr(ledger) and sorted(p.name for p in tmp_path.iterdir()) == ["ledger.npz"]
    same(fed(carried, market, middle), market, model, entries=entries)


def test_a_history_without_open_interest_is_carried_on_with_the_assumed_one() -> None:
    market = part(lq.load_example("tia-2023"), "2023-11-05", "2023-11-12")
    market = replace(market, open_interest=None)
    bins = {"price_range": (1.0, 20.0), "price_step": 0.02}
    ledger = fed(live(market.until("2023-11-09"), **bins), market, pd.Timestamp("2023-11-09", tz="UTC"))
    heat = lq.liquidation_map(lq.heatmap(market, time_step=market.timeframe, **bins))
    np.testing.assert_array_equal(ledger.map()["notional"].values, heat["notional"].values)


def test_the_first_stamp_and_a_hole_place_nothing() -> None:
    """Open interest that begins in the middle, and one that was silent for a day: as in one run."""
    whole = part(lq.load_example("btc-2024-05"), "2024-04-25", "2024-05-03")
    stamps = whole.open_interest
    assert stamps is not None
    silent = (stamps.index > "2024-04-30") & (stamps.index < "2024-05-01")
    with pytest.warns(UserWarning, match="open_interest: 1 gap"):
        market = replace(whole, open_interest=stamps[(stamps.index > "2024-04-28 06:00") & ~silent])
    start = pd.Timestamp("2024-04-27", tz="UTC")
    ledger = fed(live(market.until(str(start)), **BINS), market, start)
    same(ledger, market, "open_interest")


def test_open_interest_that_begins_late_does_not_change_what_came_before() -> None:
    """Quarter hours with hourly figures from the middle on: until then the ledger is that of a market without any."""
    whole = part(lq.load_example("btc-2024-05"), "2024-04-25", "2024-04-29")
    stamps, middle = whole.open_interest, pd.Timestamp("2024-04-27", tz="UTC")
    assert stamps is not None
    late, none = replace(whole, open_interest=stamps[stamps.index > middle]), replace(whole, open_interest=None)
    before = slice(None, middle - pd.Timedelta("15min"))
    pd.testing.assert_frame_equal(lq.balance(late).loc[before], lq.balance(none).loc[before], check_exact=True)


def test_a_price_far_away_widens_the_grid() -> None:
    """Ten thousand cells down in one bar: nothing stands there, and nothing is lost above."""
    market = part(lq.load_example("btc-2024-05"), "2024-04-25", "2024-04-28")
    ledger = live(market, **BINS)
    low = float(market.candles["low"].min()) * 0.6
    ledger.update({"open": 60_000, "high": 60_000, "low": low, "close": low, "volume": 1.0})
    below = ledger.map()["notional"].sel(side="long")
    assert float(below.where(below["price"] > low + 100, 0.0).sum()) == 0.0 < float(below.sum())


@pytest.mark.parametrize(
    ("candle", "more", "message"),
    [
        ({"volume": -1.0}, {}, r"no candle"),
        ({"high": 1.0}, {}, r"0 < low <= open, close <= high"),
        ({"taker_buy_volume": 11.0}, {}, r"more than the volume"),
        ({}, {"time": "2024-04-27"}, r"bars come in order, each once"),
        ({}, {"open_interest": float("nan")}, r"open_interest must be >= 0"),
        ({}, {"mark": (2.0, 1.0)}, r"mark must be \(low, high\)"),
    ],
)
def test_a_bar_that_is_none_changes_nothing(candle: dict[str, float], more: dict[str, Any], message: str) -> None:
    market = part(lq.load_example("btc-2024-05"), "2024-04-27", "2024-04-28")
    ledger = live(market, **BINS)
    before, name = ledger.map(), repr(ledger)
    plain = {"open": 60_000.0, "high": 60_100.0, "low": 59_900.0, "close": 60_000.0, "volume": 10.0}
    with pytest.raises(ValueError, match=message):
        ledger.update(plain | candle, **more)
    assert ledger.map().identical(before) and repr(ledger) == name
    with pytest.raises(ValueError, match="the candle lacks volume"):
        ledger.update({k: v for k, v in plain.items() if k != "volume"})


def test_a_live_map_says_what_it_cannot() -> None:
    market = part(lq.load_example("btc-2024-05"), "2024-04-27", "2024-04-28")
    with pytest.raises(ValueError, match="a live map takes entries 'spread' or 'ordered'"):
        live(market, entries="vwap")
    with pytest.raises(ValueError, match="knows no finer path"):
        live(replace(market, path=market.candles))


def test_options_that_are_no_json_are_recorded_and_carried(tmp_path: Path) -> None:
    """A half-life as a Timedelta, κ as numpy's number: the map is that of the plain ones, and can be saved."""
    market = part(lq.load_example("btc-2024-05"), "2024-04-27", "2024-04-28")
    ledger = live(market, "decay", half_life=pd.Timedelta("1D"), share_of_volume=np.float32(0.5), **BINS)
    plain = live(market, "decay", half_life="1d", share_of_volume=0.5, **BINS)
    np.testing.assert_array_equal(load_live(ledger.save(tmp_path / "ledger.npz")).notional, plain.notional)
    more = {"open": 60_000.0, "high": 60_100.0, "low": 59_900.0, "close": 60_000.0, "volume": 10.0}
    for each in (ledger, plain):
        each.update(more)
    np.testing.assert_array_equal(ledger.notional, plain.notional)
