"""Invariants of whole markets, over every model: no look-ahead, coins conserved, no ghosts, scale; and known faults.

`check_no_look_ahead` is itself put to the test: models that cheat must be caught by it.
"""

from __future__ import annotations

import json
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
from liqlab import models
from liqlab.engine.grid import STEP
from liqlab.engine.inputs import EngineInputs, build_inputs
from liqlab.engine.ledger import run_ledger
from liqlab.engine.records import State
from liqlab.market.market import Market
from liqlab.market.provenance import OpenInterestUse, TakerUse
from liqlab.models import ENTRIES, Assumptions, Bars, Flow, _discovery
from tests.markets import LAWS, START, at_cell, candles, few, frame, market, markets, oi, tiers

pytestmark = pytest.mark.filterwarnings("ignore:.*gap.s.")
MODELS = models.names()
EVERY = [(model, law) for model in MODELS for law in LAWS]
CASES = lq.examples()
WITH_INTEREST = [name for name in CASES.index if "open_interest" in CASES.loc[name, "has"]]
BAR = pd.Timedelta("15min")
C = 92_103


def coins(market: Market) -> float:
    """The largest amount a ledger of this market holds: rounding is relative to it."""
    interest = 0.0 if market.open_interest is None else float(market.open_interest["open_interest"].max())
    return float(market.candles["volume"].sum()) + interest + 1e-9


def close(found: Any, expected: Any, scale: float = 1.0) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11 * scale)


# --- 1 no look-ahead ------------------------------------------------------------------------------------------------


def check_no_look_ahead(market: Market, model: str, moment: Any, **options: Any) -> None:
    """What is said of the time up to `moment` is the same bit for bit, whether or not the rest is known."""
    known = market.until(moment)
    same: dict[str, Any] = {"time_step": market.timeframe, "price_step": 5e-4 * float(market.candles["open"].iloc[0])}
    for lookback in (None, "1h"):
        full, cut = (lq.heatmap(m, model, lookback=lookback, **same, **options) for m in (market, known))
        price = np.intersect1d(full["price"], cut["price"])
        both = [heat.sel(time=cut["time"], price=price) for heat in (full, cut)]
        for name in ("notional", "attributed_oi", "unattributed_oi", "close_time", "close"):
            assert np.array_equal(*(heat[name] for heat in both)), f"{name} changes when the future is known"
        assert len(price) > 100
    for unit in ("quote", "coins"):
        expected = [lq.expected_liquidations(m, model, unit=unit, **options) for m in (market, known)]
        pd.testing.assert_frame_equal(expected[0].loc[: known.candles.index[-1]], expected[1], check_exact=True)
    sheets = [lq.balance(m, model, **options).loc[: known.candles.index[-1]] for m in (market, known)]
    pd.testing.assert_frame_equal(*sheets, check_exact=True, obj="balance")
    check_levels(lq.levels(market, model, **options), lq.levels(known, model, **options), known)


def check_levels(full: pd.DataFrame, cut: pd.DataFrame, known: Market) -> None:
    """Rows born by then are the same; a touch by then is known, a later one is not."""
    names = ["opened_at", "side", "leverage", "entry_price", "liquidation_price", "opened"]
    born = full[full["opened_at"] <= known.candles.index[-1]].reset_index(drop=True)
    pd.testing.assert_frame_equal(born[names], cut[names], check_exact=True, obj="levels")
    seen = born["touched_at"].where(born["touched_at"] <= known.candles.index[-1])
    pd.testing.assert_series_equal(seen, cut["touched_at"], obj="touched_at")


@pytest.mark.parametrize(("model", "law"), EVERY)
@few(5)
@given(market=markets(mark=True), data=st.data())
def test_cutting_the_future_off_changes_nothing_earlier(model: str, law: str, market: Market, data: Any) -> None:
    entries = data.draw(st.sampled_from(ENTRIES))
    bar = data.draw(st.integers(0, len(market.candles) - 1))
    moment = market.candles.index[bar] + market.step + data.draw(st.sampled_from([0, 1])) * pd.Timedelta("7min")
    check_no_look_ahead(market, model, moment, law=LAWS[law], entries=entries)


@pytest.mark.parametrize("model", MODELS)
def test_no_model_looks_ahead_at_any_bar_of_a_real_market(model: str) -> None:
    """Two days of July 2024 with open interest, taker share and path, cut at every third hour."""
    whole = lq.load_example("btc-2024-07")
    names = ("candles", "open_interest", "path")
    start, end = pd.Timestamp("2024-07-04", tz="UTC"), pd.Timestamp("2024-07-06", tz="UTC")
    part = replace(whole, **{name: getattr(whole, name).loc[start:end].iloc[:-1] for name in names}, liquidations=None)
    for moment in part.candles.index[2::9]:
        check_no_look_ahead(part, model, moment, law={10: 0.5, 50: 0.5})


@pytest.mark.parametrize("every", ["1h", "15min", "30min"])
def test_later_stamps_of_another_rhythm_change_nothing_earlier(every: str) -> None:
    """Open interest comes hourly first and then at every bar, or the other way round: no rhythm is learnt backwards."""
    first = oi([50, 52, 51, 55, 54], every="1h")
    later = oi([53.0 + 0.1 * k for k in range(24)], every=every, start=START + pd.Timedelta("4h15min"))
    rows = [(at_cell(C), at_cell(C + 3), at_cell(C - 3), at_cell(C), 10.0)] * 40
    both = market(rows, open_interest=pd.concat([first, later]))
    for hours in (1, 2, 4, 5):
        check_no_look_ahead(both, "open_interest", START + pd.Timedelta(hours=hours), law={10: 1})


@pytest.mark.parametrize("table", ["taker", "path", "open_interest", "liquidations", "mark_candles"])
def test_a_table_may_have_one_row_so_far(table: str) -> None:
    """Early in a history a finer or coarser table has one complete row; the maps of that moment can be made."""
    rows = [(at_cell(C), at_cell(C + 3), at_cell(C - 3), at_cell(C), 10.0)] * 8
    flat = (at_cell(C),) * 4
    tables = {
        "taker": frame([0.2, 0.9], "taker_buy_share", every="1h"),
        "path": frame([flat, flat], "open high low close", every="15min"),
        "open_interest": oi([50.0, 60.0], every="1h", start=START + pd.Timedelta("1h")),
        "liquidations": frame([(0, 1), (2, 3)], "long short", every="1h"),
        "mark_candles": frame([flat, flat], "open high low close"),
    }
    told = market(rows, **{table: tables[table]})
    for minutes in (15, 30, 60, 75):
        check_no_look_ahead(told, "open_interest", START + pd.Timedelta(minutes=minutes), law={10: 1})


USES = OpenInterestUse("not used", reason="made up"), TakerUse("none")


def next_bar(bars: Bars) -> Flow:
    """Opens what the *next* bar trades."""
    volume = np.append(bars.volume[1:], 0.0)
    return Flow(np.stack([volume, volume]), np.full(len(volume), np.nan), *USES)


def todays_interest(bars: Bars) -> Flow:
    """Scales all of history by the last open interest."""
    volume = bars.volume * bars.open_interest[-1]
    return Flow(np.stack([volume, volume]), np.full(len(volume), np.nan), *USES)


def whole_maximum(bars: Bars) -> Flow:
    """Measures every bar against the greatest of the whole window."""
    volume = bars.volume / bars.volume.max()
    return Flow(np.stack([volume, volume]), np.full(len(volume), np.nan), *USES)


def interpolated(bars: Bars) -> Flow:
    """Joins an hourly open interest by straight lines, the hour's end included."""
    new = bars.candles_covered > 0
    none = np.full(len(bars), np.nan)
    level = np.interp(bars.close_time, bars.close_time[new], bars.open_interest[new]) if new.any() else none
    return Flow(np.ones((2, len(bars))), level, OpenInterestUse("own"), USES[1])


@pytest.mark.parametrize("cheat", [next_bar, todays_interest, whole_maximum, interpolated])
def test_a_model_that_cheats_is_caught(cheat: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same check finds every common way to look ahead; and passes the honest models on the same market."""
    module = ModuleType(f"liqlab.models.{cheat.__name__}")
    setattr(module, cheat.__name__, cheat)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(_discovery, "names", lambda: sorted([*MODELS, cheat.__name__]))
    rows = [(at_cell(C + k), at_cell(C + k + 2), at_cell(C + k - 2), at_cell(C + k), 1.0 + k % 5) for k in range(12)]
    honest = market(rows, open_interest=oi([40, 44, 47, 45], every="1h"))
    moment = START + pd.Timedelta("45min")
    for model in MODELS:
        check_no_look_ahead(honest, model, moment, law={10: 1})
    with pytest.raises(AssertionError):
        check_no_look_ahead(honest, cheat.__name__, moment, law={10: 1})


# --- 2 conservation -------------------------------------------------------------------------------------------------


def check_conservation(market: Market, model: str, **options: Any) -> None:
    """It grows by opened − liquidated − closed, by side and class; attributed + unattributed = open interest."""
    scale = coins(market) * max(options.get("open_interest_scale", 1.0), 1.0)
    sheet = lq.balance(market, model, **options)
    close(
        sheet["attributed_oi"].diff().fillna(sheet["attributed_oi"]),
        sheet["opened"] - sheet["liquidated"] - sheet["closed"],
        scale,
    )
    known = sheet["open_interest"].notna()
    close((sheet["attributed_oi"] + sheet["unattributed_oi"])[known], sheet["open_interest"][known], 1e-2 * scale)
    assert (sheet.drop(columns=["open_interest", "coverage"]) >= -1e-12 * scale).all().all()
    assert ((sheet["coverage"] >= 0) & (sheet["coverage"] <= 1 + 1e-12) | ~known).all().all()
    assert (sheet["coverage"].isna() == ~known).all().all()


@pytest.mark.parametrize(("model", "law"), EVERY)
@few(8)
@given(market=markets(mark=True))
def test_coins_are_conserved(model: str, law: str, market: Market) -> None:
    """Together and by leverage; what is stored in the ledger is what the balance sheet says."""
    check_conservation(market, model, law=LAWS[law])
    leverage_levels = lq.balance(market, model, law=LAWS[law], by_leverage=True).unstack("leverage")  # noqa: PD010
    left = leverage_levels["opened"] - leverage_levels["liquidated"] - leverage_levels["closed"]
    close(leverage_levels["attributed_oi"].diff().fillna(leverage_levels["attributed_oi"]), left, coins(market))
    check_stored(build_inputs(market, Assumptions(model, law=LAWS[law])), coins(market))


@pytest.mark.parametrize("name", WITH_INTEREST)
def test_coins_are_conserved_in_every_case(name: str) -> None:
    market = lq.load_example(name)
    check_conservation(market, "open_interest")
    check_stored(build_inputs(market, Assumptions()), coins(market))


def check_stored(inputs: EngineInputs, scale: float) -> None:
    """Σ scale · (settled + share · opened since − swept) over rows and cells is what the sheet calls attributed."""
    record = run_ledger(inputs.steps, inputs.ladder, flows=True)
    group = inputs.ladder.rate_groups[0]
    for s in (0, 1):
        share = np.bincount(group, inputs.ladder.share[s])
        found = sum(stored(record.state, s, p, float(share[p])) for p in range(len(share)))
        close(found, record.attributed_oi[-1, s], scale)


def stored(state: State, side: int, rate_group: int, share: float) -> float:
    settled, swept, opened = (x[side, rate_group].sum() for x in (state.settled, state.swept, state.entries))
    return float(state.amounts[side, rate_group, 1] * (settled + share * opened - swept))


@few(20)
@given(market=markets(interest=True), kappa=st.sampled_from([0.01, 0.1, 1.0]))
def test_openings_respect_the_accounting_identity(market: Market, kappa: float) -> None:
    """longs + shorts opened = K + ΔOI, K = max(κV, |ΔOI|), each within max(0, ΔOI) … min(K, K + ΔOI).

    So no closing is negative.
    """
    inputs = build_inputs(market, Assumptions(share_of_volume=kappa))
    level = lq.balance(market, share_of_volume=kappa)["open_interest"]["long"].to_numpy()
    volume, opened = market.candles["volume"].to_numpy(), inputs.opened
    total = opened.sum(axis=0)
    change = np.append(np.nan, np.diff(level))
    bound = np.maximum(kappa * volume, np.abs(np.nan_to_num(change)))
    for k in range(1, len(volume)):
        with_change = np.isclose(total[k], bound[k] + change[k], rtol=1e-9, atol=1e-9)
        unknown = np.isclose(total[k], kappa * volume[k], rtol=1e-9, atol=1e-9)  # across a hole nobody knows
        assert with_change or unknown
        if with_change:
            low, high = max(0.0, change[k]), min(bound[k], bound[k] + change[k])
            assert (opened[:, k] >= low - 1e-9).all() and (opened[:, k] <= high + 1e-9).all()


# --- 3 no ghost -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "law"), EVERY)
@few(6)
@given(market=markets(finer=False))
def test_nothing_stands_where_the_newest_bars_have_traded(model: str, law: str, market: Market) -> None:
    """Bins inside a bar's range, above it for longs and below it for shorts hold exactly 0.0 at its close.

    Ordered, it is true up to the close: what opened on the last leg, from the later extreme to the close, may stand
    inside that wick.
    """
    price_step = 2e-5 * float(market.candles["open"].iloc[0])
    bins = {"price_step": price_step, "time_step": market.timeframe,
            "price_range": (0.97 * market.candles["low"].min(), 1.03 * market.candles["low"].min())}  # fmt: skip
    candles = market.candles
    ends = {"spread": (candles["low"], candles["high"]), "ordered": (candles["close"], candles["close"])}
    for entries, (lows, highs) in ends.items():
        heat = lq.heatmap(market, model, law=LAWS[law], entries=entries, **bins)
        _dark(heat, lows, highs)


def _dark(heat: Any, lows: Any, highs: Any) -> None:
    low_edge, high_edge = heat["price_edge"].values[:-1], heat["price_edge"].values[1:]
    for k, (low, high) in enumerate(zip(lows, highs, strict=True)):
        above, below = low_edge >= low * (1 + STEP), high_edge <= high * (1 - STEP)
        assert (heat["notional"].sel(side="long")[k, above] == 0.0).all()
        assert (heat["notional"].sel(side="short")[k, below] == 0.0).all()


@pytest.mark.parametrize("model", MODELS)
def test_a_swept_band_stays_dark_until_somebody_opens_anew(model: str) -> None:
    """May 2024: after the low of 1 May no long opened before it stands above that low, at any later moment."""
    whole = lq.load_example("btc-2024-05")
    rows = lq.levels(whole.until("2024-05-03"), model, start="2024-04-30", end="2024-05-01 08:00", law={20: 1})
    longs = rows[(rows["side"] == "long") & (rows["liquidation_price"] > 56_540)]
    assert len(longs) > 1000 and (longs["standing"] == 0.0).all()
    assert (longs["touched_at"] <= pd.Timestamp("2024-05-01 08:15", tz="UTC")).all()


# --- 5 scale --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_ten_times_the_coins_are_ten_times_the_map(model: str) -> None:
    """Coins × 10, the size of one position held: the same levels, ten times as bright."""
    rows = [(at_cell(C), at_cell(C + k), at_cell(C - 2 * k), at_cell(C), 1.0 + k) for k in range(9)]
    interest = [30.0, 31, 33, 20, 25, 26, 24, 30, 35, 36]
    one = market(rows, open_interest=oi(interest))
    ten = market([(*row[:4], 10 * row[4]) for row in rows], open_interest=oi([10 * x for x in interest]))
    maps = [lq.heatmap(m, model) for m in (one, ten)]
    assert maps[0]["notional"].sum() > 0
    close(maps[1]["notional"], 10 * maps[0]["notional"])


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("cells", [-40_000, 1, 25_000])
def test_other_prices_shift_the_map(model: str, cells: int) -> None:
    """Prices × exp(n·step): the same sheet to rounding, liquidations in quote × exp(n·step)."""
    rows = [[C, C + 3 * k, C - 5 * k, C - k] for k in range(9)]
    here, there = (
        market(
            [(*(at_cell(c + shift) for c in row), 2.0 + k) for k, row in enumerate(rows)], open_interest=oi([30.0] * 10)
        )
        for shift in (0, cells)
    )
    pd.testing.assert_frame_equal(*(lq.balance(m, model) for m in (here, there)), rtol=1e-12, atol=1e-12,
                                  obj="The sheet (a model rounds ratios of prices, see CONTRIBUTING.md)")  # fmt: skip
    quote = [lq.expected_liquidations(m, model, law={125: 1}) for m in (here, there)]
    assert quote[0].to_numpy().sum() > 0
    close(quote[1], quote[0] * np.exp(cells * STEP))


def test_the_size_of_one_position_and_not_of_the_market_chooses_the_tier() -> None:
    """Small positions stay in the first tier however much is opened; large ones have their level nearer."""
    table = tiers((0.0, 50_000.0, 0.01, 0.0, 125.0), (50_000.0, 1e12, 0.05, 2_000.0, 20.0))
    rows = [(100.0, 100.0, 100.0, 100.0, 1e6)]
    prices = [
        lq.levels(market(rows, leverage_tiers=table), "volume", law={10: 1}, position_notional=size)[
            "liquidation_price"
        ]
        for size in (100.0, 10_000.0, 1e6)
    ]
    assert prices[0].tolist() == prices[1].tolist()
    assert prices[2][0] > prices[0][0] and prices[2][1] < prices[0][1]


# --- faults of other tools ------------------------------------------------------------------------------------------


def test_the_ledger_never_exceeds_the_open_interest() -> None:
    """10,000 bars that trade a hundred times the open interest each."""
    n = 10_000
    walk = C + np.cumsum(np.random.default_rng(7).integers(-20, 21, n))
    rows = [(at_cell(c), at_cell(c + 2), at_cell(c - 2), at_cell(c), 1000.0) for c in walk]
    sheet = lq.balance(market(rows, open_interest=oi([10.0] * (n + 1))))
    assert (sheet["attributed_oi"] <= 10.0 * (1 + 1e-12)).all().all() and (sheet["coverage"].iloc[-1] > 0.99).all()


def test_size_is_counted_once_and_not_once_per_leverage() -> None:
    """Ten classes share what one class would hold."""
    one = market([(100.0, 100.0, 100.0, 100.0, 8.0)])
    for law in LAWS.values():
        assert lq.levels(one, "volume", law=law)["standing"].sum() == pytest.approx(8.0)
        assert lq.balance(one, "volume", law=law)["attributed_oi"].sum(axis=1).item() == pytest.approx(8.0)


def test_maintenance_brings_the_level_towards_the_entry() -> None:
    """Neither left out nor added outwards nor divided by the leverage: E·0.9/0.99 and E·1.1/1.01, to half a cell."""
    rows = lq.levels(market([(100.0, 100.0, 100.0, 100.0, 8.0)]), "volume", law={10: 1})
    ratio = rows["liquidation_price"] / rows["entry_price"]
    assert ratio.tolist() == pytest.approx([0.9 / 0.99, 1.1 / 1.01], rel=STEP / 2)


def test_levels_are_swept_by_wicks_and_not_only_by_the_last_price() -> None:
    """The close is back where it was; the wick has been at the level."""
    rows = [(100.0, 100.0, 100.0, 100.0, 8.0), (100.0, 100.0, 90.0, 100.0, 0.0)]
    sheet = lq.balance(market(rows), "volume", law={10: 1})
    assert sheet["liquidated"].to_numpy().tolist() == [[0, 0], [4, 0]]


def test_columns_say_which_open_interest_they_rest_on() -> None:
    """Own, a proxy with its scale, or assumed: never unlabelled."""
    rows, stamps = [(100.0, 100.0, 100.0, 100.0, 8.0)], oi([5.0, 5.0])
    proxy = {"open_interest": {"kind": "proxy", "exchange": "bybit"}}
    said = [
        lq.heatmap(m).attrs["open_interest"]
        for m in (market(rows, open_interest=stamps), market(rows, open_interest=stamps, sources=proxy), market(rows))
    ]
    assert said[0] == "own" and "proxy: bybit" in said[1] and "assumed" in said[2]


def test_the_tiers_of_their_date_are_used_and_stale_ones_flagged() -> None:
    """Two tables within the market: positions keep the distance of the table under which they were opened."""
    two = pd.concat([tiers(as_of="2024-01-01"), tiers((0.0, 1e12, 0.05, 0.0, 125.0), as_of="2024-05-01T00:30")])
    rows = [(100.0, 100.0, 100.0, 100.0, 8.0)] * 4
    changing = market(rows, leverage_tiers=two)
    ratio = lq.levels(changing, "volume", law={10: 1}).query("side == 'long'").eval("liquidation_price / entry_price")
    assert ratio.tolist() == pytest.approx([0.9 / 0.99] * 2 + [0.9 / 0.95] * 2, rel=STEP)
    assert "tier_stale" not in lq.heatmap(changing).attrs["tiers"]
    late = Market(candles(rows), symbol="X/USDT:USDT", exchange="venue", leverage_tiers=tiers(as_of="2025-01-01"))
    assert "tier_stale" in lq.heatmap(late).attrs["tiers"]
    other = Market(candles(rows), symbol="X/USDT:USDT", exchange="elsewhere", leverage_tiers=tiers())
    assert "tier_proxy" in lq.heatmap(other).attrs["tiers"]
    json.dumps(lq.heatmap(other).attrs)
