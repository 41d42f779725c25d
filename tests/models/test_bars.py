"""What a model may look at: the same at a bar's close from the whole market, from its past alone, and bar by bar."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import liqlab as lq
from liqlab.market import OpenInterestUse, TakerUse
from liqlab.market.market import Market
from liqlab.models import Bars, Flow, _discovery
from liqlab.models._bars import PER_BAR
from tests.markets import START, few, market, markets, oi

pytestmark = pytest.mark.filterwarnings("ignore:.*gap.s.")
ROWS = [(100, 101, 99, 100, volume) for volume in (4.0, 6.0, 2.0, 8.0, 5.0, 1.0)]
UNUSED = OpenInterestUse("not used", reason="made up"), TakerUse("none")


def same(found: Bars, expected: Bars) -> None:
    for name in PER_BAR:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)


def test_volume_is_summed_over_thirty_days() -> None:
    """Daily bars of 1, 2, 3, … coins: the sum of the last thirty of them, from the first on."""
    rows = [(100, 101, 99, 100, 1.0 + k) for k in range(40)]
    bars = Bars.of(market(rows, every="1D", timeframe="1d"))
    assert bars.bars_per_day == 1.0
    assert bars.recent_volume[[0, 1, 29, 30, 39]].tolist() == [1.0, 3.0, 465.0, 495.0, 765.0]
    assert bars.recent_bars[[0, 1, 29, 30, 39]].tolist() == [1, 2, 30, 30, 30]


def test_open_interest_is_known_from_its_stamp_on() -> None:
    """Hourly on quarter hours, from 15 minutes before the first candle: it closes the bar at whose end it stands."""
    start = START - pd.Timedelta("15min")
    bars = Bars.of(market(ROWS, open_interest=oi([50.0, 60.0, 55.0], every="1h", start=start)))
    assert bars.open_interest_before == 50.0
    assert bars.open_interest.tolist() == [50.0, 50.0, 60.0, 60.0, 60.0, 60.0]
    assert bars.candles_covered.tolist() == [0, 0, 3, 0, 0, 0]
    assert not bars.after_gap.any()


def test_the_first_stamp_and_one_after_a_hole_are_marked() -> None:
    """Reported at the closes of bars 0, 1 and 5; four bars apart, where one is usual."""
    stamps = oi([50.0, 60.0, np.nan, np.nan, np.nan, 80.0], start=START + pd.Timedelta("15min"))
    bars = Bars.of(market(ROWS, open_interest=stamps))
    assert np.isnan(bars.open_interest_before)
    assert bars.after_gap.tolist() == [True, False, False, False, False, True]
    assert bars.candles_covered.tolist() == [1, 1, 0, 0, 0, 4]


@few(30)
@given(drawn=markets(mark=False), part=st.floats(0.0, 1.0))
def test_bars_say_nothing_of_what_comes_later(drawn: Market, part: float) -> None:
    """Those of the market as it was known at a close are the first of those of the whole market."""
    n = 1 + int(part * (len(drawn.candles) - 1))
    known, whole = Bars.of(drawn.until(drawn.candles.index[n - 1] + drawn.step)), Bars.of(drawn)
    same(known, whole.part(0, n))
    np.testing.assert_array_equal(known.open_interest_before, whole.open_interest_before)


@pytest.mark.parametrize("begin", [1, 3, 5])
def test_bars_carried_on_are_those_of_the_whole_market(begin: int) -> None:
    """Every bar that a live map hands to its model, against `Bars.of` of all that has happened."""
    stamps = oi([50.0, 60.0, np.nan, 75.0, np.nan, np.nan, np.nan, 80.0, 70.0], start=START + pd.Timedelta("15min"))
    whole = market(ROWS * 2, open_interest=stamps)
    ledger = lq.live(whole.until(whole.candles.index[begin - 1] + whole.step))
    reported = stamps["open_interest"].to_dict()
    for k in range(begin, len(whole.candles)):
        time = whole.candles.index[k]
        ledger.update(whole.candles.iloc[k].to_dict(), time=time, open_interest=reported.get(time + whole.step))
        same(ledger._memory.last, Bars.of(whole).part(k, k + 1))


def moving_mean(bars: Bars) -> Flow:
    """Opens the mean volume of three bars."""
    mean = np.convolve(bars.volume, np.ones(3) / 3)[: len(bars)]
    return Flow(np.stack([mean, mean]), np.full(len(bars), np.nan), *UNUSED)


def rising(bars: Bars) -> Flow:
    """Longs where the close rose, shorts where it fell."""
    up = np.diff(bars.close, prepend=bars.close[0]) > 0
    return Flow(np.stack([bars.volume * up, bars.volume * ~up]), np.full(len(bars), np.nan), *UNUSED)


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a function a model, as a file in the folder would."""

    def add(function: Any) -> str:
        module = ModuleType(f"liqlab.models.{function.__name__}")
        setattr(module, function.__name__, function)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setattr(_discovery, "names", lambda: [function.__name__])
        return function.__name__

    return add


def test_a_model_of_ones_own_is_one_function_for_maps_and_live_maps(added: Any) -> None:
    name, bins = added(rising), {"price_range": (50.0, 200.0), "price_step": 0.5}
    rows = [(100 + k % 3, 103, 99, 100 + (k + 1) % 3, 1.0 + k) for k in range(12)]
    whole = market(rows)
    ledger = lq.live(market(rows[:6]), name, **bins)
    for time, row in whole.candles.iloc[6:].iterrows():
        ledger.update(row.to_dict(), time=time)
    column = lq.liquidation_map(lq.heatmap(whole, name, time_step="15m", **bins))
    np.testing.assert_array_equal(ledger.map()["notional"].values, column["notional"].values)
    assert float(column["notional"].sum()) > 0


def test_a_live_map_refuses_a_model_that_looks_further_back(added: Any) -> None:
    name = added(moving_mean)
    lq.heatmap(market(ROWS), name)
    with pytest.raises(ValueError, match=r"'moving_mean' cannot be carried on bar by bar: its opened of the bar that"):
        lq.live(market(ROWS), name)


def test_a_market_without_open_interest_has_none() -> None:
    bars = Bars.of(replace(market(ROWS), open_interest=None))
    assert np.isnan(bars.open_interest).all() and not bars.candles_covered.any() and not bars.after_gap.any()
