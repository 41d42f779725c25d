"""What a ledger shows: maps, moments, levels and balance sheets agree with the plain twin and with each other."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import liqlab as lq
from liqlab import models
from liqlab.engine.grid import STEP, cell_of
from liqlab.engine.inputs import build_inputs
from liqlab.market.market import Market
from liqlab.models import ENTRIES, Assumptions
from tests import reference
from tests.markets import LAWS, START, at_cell, candles, few, frame, market, markets, oi, tiers

pytestmark = pytest.mark.filterwarnings("ignore:.*gap.s.")
EVERY = [(model, law) for model in models.names() for law in LAWS]
FEW_STEPS = [entries for entries in ENTRIES if entries != "ordered"]  # wild candles make thousands of ordered pieces
BAR = pd.Timedelta("15min")
C = 92_103
P = at_cell(C)


def close(found: Any, expected: Any, scale: float = 1.0) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12 * scale)


def coins(market: Market) -> float:
    """The largest amount a ledger of this market holds."""
    interest = 0.0 if market.open_interest is None else float(market.open_interest["open_interest"].max())
    return float(market.candles["volume"].sum()) + interest + 1e-9


def size(market: Market) -> float:
    """The largest amount [quote]: rounding is relative to it."""
    return coins(market) * float(market.candles["high"].max()) * 10


def some_market(model: str = "volume", **tables: Any) -> Market:
    """Six bars that move a little, open a lot, and sweep once."""
    cells = [(0, 4, 10), (2, 9, 3), (-90, -80, 5), (3, 8, 0), (-7, 40, 6), (5, 5, 2)]
    rows = [(at_cell(C + a), at_cell(C + b), at_cell(C + a), at_cell(C + b), v) for a, b, v in cells]
    return market(rows, open_interest=oi([50, 51, 49, 49, 30, 33, 36]), **tables)


# --- twins ----------------------------------------------------------------------------------------------------------


@pytest.mark.timeout(600)  # the plain twin takes its time, and on a busy machine much more
@pytest.mark.parametrize(("model", "law"), EVERY)
@few(4)
@given(market=markets(longest=8, mark=True), entries=st.sampled_from(FEW_STEPS))
def test_map_and_sheet_equal_the_plain_twin(model: str, law: str, market: Market, entries: str) -> None:
    equal_the_plain_twin(model, law, market, entries)


@pytest.mark.parametrize("model", lq.models.names())
def test_ordered_entries_equal_the_plain_twin(model: str) -> None:
    """A rise, a fall through it, a bar without volume, a rise with long wicks; each in three legs or more."""
    cells = [(0, 9, -6, 7, 5.0), (7, 8, -14, -12, 3.0), (-12, -9, -13, -9, 0.0), (-9, 70, -20, 2, 4.0)]
    rows = [(*(at_cell(C + k) for k in row[:4]), row[4]) for row in cells]
    equal_the_plain_twin(model, "near and far", market(rows, open_interest=oi([50, 52, 51, 49, 48])), "ordered")


def equal_the_plain_twin(model: str, law: str, market: Market, entries: str) -> None:
    """Every column, with lookback, by leverage; the balance sheet; expected liquidations in both units."""
    options: dict[str, Any] = {"law": LAWS[law], "time_step": market.timeframe, "entries": entries}
    inputs = build_inputs(market, Assumptions(model, law=LAWS[law], entries=entries))
    final = np.append(np.flatnonzero(np.diff(inputs.bar)), len(inputs.bar) - 1)
    twin = reference.play(inputs.steps, inputs.ladder, grid=STEP, at=tuple(final))
    heat = lq.heatmap(market, model, **options)
    short = lq.heatmap(market, model, lookback="30m", **options)
    layers = lq.heatmap(market, model, by_leverage=True, **options)["notional"]
    edges = heat["price_edge"].values.tolist()
    for bar, t in enumerate(final):
        alive = int(np.searchsorted(inputs.bar, open_in_lookback(market, bar, "30min")))
        for s, side in enumerate(reference.SIDES):
            at = {"time": bar, "side": s}
            lots = twin.lots[t][s]
            close(heat["notional"][at], reference.column(lots, edges, grid=STEP), size(market))
            close(short["notional"][at], reference.column(lots, edges, grid=STEP, alive=alive), size(market))
            for x in np.unique(inputs.ladder.leverage):
                mine = [lot for lot in lots if inputs.ladder.leverage[lot.leverage_level] == x]
                close(layers[at].sel(leverage=x), reference.column(mine, edges, grid=STEP), size(market))
            for name in ("attributed_oi", "unattributed_oi"):
                close(heat[name].sel(side=side)[bar], twin.flows[name][t][s], coins(market))
    check_sheets(market, model, {"law": LAWS[law], "entries": entries}, twin, inputs.bar)


def open_in_lookback(market: Market, bar: int, span: str) -> int:
    """First bar that opened within the span before the close of a bar, counted one by one."""
    close = market.candles.index[bar] + market.step
    return sum(1 for stamp in market.candles.index if stamp < close - pd.Timedelta(span))


def check_sheets(market: Market, model: str, options: Any, twin: reference.Story, bar: np.ndarray) -> None:
    """Balance and expected liquidations, summed over the steps of each bar."""
    sheet = lq.balance(market, model, **options)
    for unit, name in (("quote", "liquidated_notional"), ("coins", "liquidated")):
        found = lq.expected_liquidations(market, model, **options, unit=unit)
        close(found, by_bar(twin.flows[name], bar), size(market) if unit == "quote" else coins(market))
    close(sheet["liquidated"], by_bar(twin.flows["liquidated"], bar), coins(market))
    close(sheet["closed"], by_bar(twin.flows["closed"], bar), coins(market))
    close(sheet["opened"], by_bar(np.sum(twin.opened_by_level, axis=-1), bar), coins(market))
    leverage_levels = lq.balance(market, model, **options, by_leverage=True)
    assert list(leverage_levels.attrs["leverage"]) == list(leverage_levels.index.unique("leverage"))
    for name in ("opened", "liquidated", "closed", "attributed_oi"):
        close(leverage_levels[name].groupby(level="time").sum(), sheet[name], coins(market))


def by_bar(flow: Any, bar: np.ndarray) -> np.ndarray:
    out = np.zeros((int(bar[-1]) + 1, 2))
    for k, row in zip(bar, np.asarray(flow), strict=True):
        out[k] += row
    return out


@pytest.mark.parametrize(("model", "law"), EVERY)
@few(4)
@given(market=markets(longest=10, mark=True))
def test_levels_put_on_bins_are_the_map(model: str, law: str, market: Market) -> None:
    """The long table, at three moments: its notional by bin is the column, its touched rows stand with exactly 0."""
    heat = lq.heatmap(market, model, law=LAWS[law], time_step=market.timeframe)
    edges = heat["price_edge"].values
    for bar in sorted({0, len(market.candles) // 2, len(market.candles) - 1}):
        rows = lq.levels(market, model, law=LAWS[law], at=market.candles.index[bar] + market.step)
        assert (rows.loc[rows["touched_at"].notna(), "standing"] == 0.0).all()
        close(rows["notional"], rows["standing"] * rows["liquidation_price"], size(market))
        for side in reference.SIDES:
            mine = rows[rows["side"] == side]
            found, _ = np.histogram(mine["liquidation_price"], edges, weights=mine["notional"])
            close(heat["notional"].sel(side=side).isel(time=bar), found, size(market))
            close(heat["attributed_oi"].sel(side=side)[bar], mine["standing"].sum(), coins(market))


@few(10)
@given(market=markets(finer=False, interest=False))
def test_levels_name_the_bar_that_touched_them(market: Market) -> None:
    """`touched_at` is the first bar from its own on whose range, cell by cell, reaches the level."""
    rows = lq.levels(market, "volume", law={125: 1.0}, entries="spread")
    low, high = (np.floor(np.log(market.candles[x].to_numpy()) / STEP) for x in ("low", "high"))
    sample = rows.iloc[:: max(len(rows) // 60, 1)]
    for row in sample.itertuples():
        cell = int(np.floor(np.log(row.liquidation_price) / STEP))
        first = market.candles.index.get_loc(row.opened_at)
        hits = [k for k in range(first, len(low)) if (low[k] <= cell if row.side == "long" else high[k] >= cell)]
        assert row.touched_at == market.candles.index[hits[0]] if hits else row.touched_at is pd.NaT


# --- the path -------------------------------------------------------------------------------------------------------


def path_case(first_up: bool) -> Market:
    """One hour of three coins from C to C + 100, told by a path of three bars: up then down, or down then up.

    A 125x long of the 1 % tier stands one cell away: its rate is above its margin, so it is put at the next cell.
    """
    down = [(C + 90, C + 100), (C + 40, C + 60), (C, C + 10)]
    pieces = [(at_cell(a), at_cell(b), at_cell(a), at_cell(b), 1) for a, b in (down if first_up else down[::-1])]
    pieces = [(low, high, low, high, v) for low, high, _, _, v in pieces]
    rows = [(P, at_cell(C + 100), P, P, 3.0)]
    table = frame(pieces, "open low high close volume", every="5min")
    table["low"], table["high"] = [p[0] for p in pieces], [p[1] for p in pieces]
    table["open"] = table["close"] = table["low"]
    low_tier = tiers((0.0, 1e12, 0.004, 0.0, 125.0))
    return market(rows, path=table, leverage_tiers=low_tier)


def test_the_path_decides_what_was_open_when_price_came() -> None:
    """125x: 81 cells down, 79 up. Falling, longs of the top third are reached; rising, shorts of the bottom."""
    falling, rising = (lq.balance(path_case(x), "volume", law={125: 1.0}) for x in (True, False))
    # from 90 … 100 down to 0: levels 10 … 20 above 0, all half coins reached; from 40 … 60 (levels −40 …): none
    assert falling["liquidated"]["long"].item() == pytest.approx(0.0 + long_part(range(90, 101)))
    assert falling["liquidated"]["short"].item() == 0.0
    assert rising["liquidated"]["long"].item() == 0.0
    assert rising["liquidated"]["short"].item() == pytest.approx(0.5)
    for sheet in (falling, rising):
        assert sheet["opened"].to_numpy().tolist() == [[1.5, 1.5]]


def long_part(cells: range) -> float:
    """Half a coin over these cells: the part of it whose level, 80 or 81 cells lower, is at or above 0."""
    away = round(-np.log((1 - 1 / 125) / (1 - 0.004)) / STEP)
    return 0.5 * sum(1 for cell in cells if cell - away >= 0) / len(cells)


def test_the_candle_stays_the_authority_on_its_extremes() -> None:
    """Another venue's path, lower and less wide: the candle's own low is reached, the other's is not."""
    rows = [(P, at_cell(C + 2), P, P, 2.0), (P, at_cell(C + 3), at_cell(C - 81), P, 0.0)]
    other = [(at_cell(C), at_cell(C + 1), at_cell(C), at_cell(C), 1.0)] * 3
    deep = [(at_cell(C), at_cell(C + 1), at_cell(C - 300), at_cell(C), 1.0)] * 3
    for pieces in (other, deep):
        table = frame(other + pieces, "open high low close volume", every="5min")
        told = market(rows, path=table, leverage_tiers=tiers((0.0, 1e12, 0.004, 0.0, 125.0)))
        bare = market(rows, leverage_tiers=tiers((0.0, 1e12, 0.004, 0.0, 125.0)))
        with_path, without = (lq.balance(m, "volume", law={100: 0.5, 125: 0.5}) for m in (told, bare))
        assert with_path["liquidated"]["long"].iloc[1] > 0
        close(with_path["liquidated"]["long"].sum(), without["liquidated"]["long"].sum())


def test_a_partial_path_serves_the_candles_it_covers_wholly() -> None:
    """Two of three five-minute bars are not a path of the candle; what was used is said."""
    full = path_case(True)
    cut = market([(P, at_cell(C + 100), P, P, 3.0)], path=full.path.iloc[:2], leverage_tiers=full.leverage_tiers)
    bare = market([(P, at_cell(C + 100), P, P, 3.0)], leverage_tiers=full.leverage_tiers)
    pd.testing.assert_frame_equal(lq.balance(cut, "volume"), lq.balance(bare, "volume"))
    assert "1 of 1 candles" in lq.heatmap(full).attrs["touch"]
    assert "0 of 1 candles" in lq.heatmap(cut).attrs["touch"]


# --- columns and bins -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", models.names())
def test_start_and_end_choose_what_is_shown_and_nothing_else(model: str) -> None:
    """The same columns bit for bit, on bins that both have: what came before `start` has warmed the ledger."""
    shown = some_market()
    full = lq.heatmap(shown, model, price_step=0.01)
    part = lq.heatmap(shown, model, price_step=0.01, start=START + 2 * BAR, end=START + 5 * BAR)
    assert part.sizes["time"] == 3
    same = np.intersect1d(full["price"], part["price"])
    assert np.array_equal(full["notional"].sel(time=part["time"], price=same), part["notional"].sel(price=same))
    assert part["notional"].sum() > 0


def test_wider_columns_are_the_state_at_the_close_of_their_last_bar() -> None:
    shown = some_market()
    fine, wide = (lq.heatmap(shown, price_step=0.01, time_step=x) for x in ("15m", "45m"))
    assert np.array_equal(wide["notional"], fine["notional"].isel(time=[2, 5]))
    assert np.array_equal(wide["close_time"], fine["close_time"].isel(time=[2, 5]))
    assert np.array_equal(wide["time"], fine["time"].isel(time=[0, 3]))
    for name, how in (("open", "first"), ("high", "max"), ("low", "min"), ("close", "last"), ("volume", "sum")):
        expected = shown.candles[name].groupby([0, 0, 0, 1, 1, 1]).agg(how)
        assert np.array_equal(wide[name], expected), name
    with pytest.raises(ValueError, match="multiple of the time frame 15m, got '20m'"):
        lq.heatmap(shown, time_step="20m")
    with pytest.raises(ValueError, match="no candle lies in"):
        lq.heatmap(shown, start="2025-01-01")


def test_a_bin_holds_its_lower_edge_and_bins_are_even() -> None:
    heat = lq.heatmap(some_market(), price_step=0.5, price_range=(91.2, 99.9))
    assert heat["price_edge"].values[[0, -1]].tolist() == [91.0, 100.0]
    assert set(np.diff(heat["price_edge"])) == {0.5} and set(np.diff(heat["price"])) == {0.5}
    assert heat["price"].values[0] == 91.25


def test_finer_bins_add_up_to_coarser_ones() -> None:
    fine, coarse = (lq.heatmap(some_market(), price_range=(80, 120), price_step=x)["notional"] for x in (0.25, 1.0))
    close(fine.values.reshape(6, 40, 4, 2).sum(axis=2), coarse.values)


@pytest.mark.parametrize("price", [1e-6, 1e6])
def test_prices_of_any_size_have_fitting_bins(price: float) -> None:
    rows = [(price, price * 1.001, price * 0.999, price, 5.0)] * 3
    heat = lq.heatmap(market(rows), "volume", law={10: 1})
    assert 1000 < heat.sizes["price"] <= 2600
    found = heat["notional"].isel(time=-1).sum("price") / heat["attributed_oi"].isel(time=-1) / price
    assert found.values == pytest.approx([0.9 / 0.99, 1.1 / 1.01], rel=1e-3)


def test_a_lookback_of_everything_is_no_lookback() -> None:
    shown = some_market()
    all_, long_ = lq.heatmap(shown), lq.heatmap(shown, lookback="7d")
    assert np.array_equal(all_["notional"], long_["notional"]) and long_.attrs["lookback"] == "7d"
    none = lq.heatmap(shown, lookback="15m")["notional"]
    rounding = 1e-12 * all_["notional"].max(["price", "side"])
    assert (none <= all_["notional"] + rounding).all() and (none.isel(time=3) == 0).all(), "bar 3 has no volume"


# --- one moment -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minutes", "column"), [(15, 0), (29, 0), (29.99, 0), (30, 1), (89, 4), (90, 5), (104, 5)]
)  # fmt: skip
def test_a_moment_is_the_last_column_closed_by_then(minutes: float, column: int) -> None:
    heat = lq.heatmap(some_market())
    moment = START + pd.Timedelta(minutes=minutes)
    for at in (moment, moment.tz_localize(None), str(moment), moment.tz_convert("Asia/Tokyo")):
        snap = lq.liquidation_map(heat, at=at)
        assert (
            snap["time"].values == heat["time"].values[column]
            and snap["close_time"] <= moment.tz_localize(None).to_datetime64()
        )
    xr.testing.assert_identical(lq.liquidation_map(heat), heat.isel(time=-1))


def test_after_the_end_there_is_no_map() -> None:
    """The last column would answer for a moment of which it knows nothing."""
    heat = lq.heatmap(some_market())
    for at in (START + pd.Timedelta("105min"), "2030-01-01"):
        with pytest.raises(ValueError, match="after the end of the map, whose last column closes at 2024-05-01 01:30"):
            lq.liquidation_map(heat, at=at)
    for call in (lq.levels, lambda m, at: lq.explain(m, price=90.0, at=at)):
        with pytest.raises(ValueError, match="after the end of the market at 2024-05-01 01:30; leave at out"):
            call(some_market(), at=START + pd.Timedelta("2h"))


def test_before_the_first_close_there_is_no_map() -> None:
    with pytest.raises(ValueError, match="at: no column had closed by 2024-05-01 00:14; the first closes at"):
        lq.liquidation_map(lq.heatmap(some_market()), at="2024-05-01 00:14")


# --- options and provenance -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", models.names())
@pytest.mark.parametrize("verb", [lq.heatmap, lq.levels, lq.expected_liquidations, lq.balance])
def test_an_unknown_option_is_a_type_error_that_names_the_known(verb: Any, model: str) -> None:
    with pytest.raises(TypeError, match=f"model '{model}' has no option 'leverages'") as caught:
        verb(some_market(), model, leverages=[10])
    for name in (*models.options_of(model), "law", "entries", "position_notional"):
        assert name in str(caught.value)


@pytest.mark.parametrize("verb", [lq.heatmap, lq.levels, lq.expected_liquidations, lq.balance])
def test_an_unknown_model_is_named_with_those_there_are(verb: Any) -> None:
    with pytest.raises(ValueError, match=r"no model is called 'oi'; there are: .*open_interest.*volume"):
        verb(some_market(), "oi")


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [("entries", "close", "entries must be one of .*spread.*, got 'close'"),
     ("position_notional", 0, "must be > 0 quote"),
     ("law", "mine", "no law is called 'mine'"), ("share_of_volume", 0, r"must lie in \(0, 1\], got 0"),
     ("share_of_volume", 1.5, r"must lie in \(0, 1\], got 1.5"), ("open_interest_scale", -1, "must be > 0, got -1"),
     ("days_of_volume", 0, "must be > 0, got 0"), ("same_bar_share", 1.5, "same_bar_share"), ("same_bar_share", -0.1,
     "same_bar_share"), ("price_step", 0.0, "price_step must be > 0"), ("price_range", (5, 2), "price_range must be"),
     ("price_step", "50", "price_step must be a finite number, got the text '50'; write it without quotation marks"),
     ("share_of_volume", "0.1", "share_of_volume must be a number, got the text '0.1'"),
     ("lookback", "-1d", "duration|time frame"), ("lookback", "0h", "duration|time frame")],
)  # fmt: skip
def test_a_wrong_value_is_refused_in_words(option: str, value: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        lq.heatmap(some_market(), **{option: value})


def test_a_range_that_runs_backwards_is_refused() -> None:
    with pytest.raises(ValueError, match="start must be before end, got 2024-01-02 and 2024-01-01"):
        lq.heatmap(some_market(), start="2024-01-02", end="2024-01-01")


def test_units_other_than_quote_and_coins_are_refused() -> None:
    with pytest.raises(ValueError, match="unit must be 'quote' or 'coins', got 'usd'"):
        lq.expected_liquidations(some_market(), unit="usd")


@pytest.mark.parametrize("model", models.names())
def test_a_map_says_what_it_was_made_from(model: str) -> None:
    """Attributes are strings, parameters and sources JSON; every option is recorded with the value that was used."""
    source = {"candles": {"exchange": "venue", "sha256": "abc"}}
    heat = lq.heatmap(
        some_market(sources=source), model, law={5: 1, 25: 3}, share_of_volume=0.2, lookback="24h", same_bar_share=0.3
    )
    assert all(isinstance(value, str) for value in heat.attrs.values())
    expected = {"symbol": "X/USDT:USDT", "exchange": "venue", "timeframe": "15m", "quote": "USDT", "coin": "X",
                "model": model, "law": "own", "lookback": "1d", "liqlab": lq.__version__}  # fmt: skip
    assert {name: heat.attrs[name] for name in expected} == expected
    for name in ("title", "taker", "open_interest", "tiers", "touch"):
        assert heat.attrs[name], name
    assert "stimated" in heat.attrs["title"] and "2024-01-01" in heat.attrs["tiers"]
    parameters = json.loads(heat.attrs["parameters"])
    assert set(parameters) == {
        *models.options_of(model),
        "law",
        "law_spread",
        "law_exact",
        "entries",
        "position_notional",
        "grid_step",
        "same_bar_share",
    }
    assert parameters["law"] == {"own": {"5": [0.25, 0.25], "25": [0.75, 0.75]}}
    assert (
        parameters["share_of_volume"] == 0.2 and parameters["same_bar_share"] == 0.3 and parameters["grid_step"] == STEP
    )
    assert json.loads(heat.attrs["sources"]) == source


def test_a_map_has_the_promised_shape_and_can_be_saved(tmp_path: Any) -> None:
    heat = lq.heatmap(some_market())
    assert heat["notional"].dims == ("time", "price", "side") and heat["side"].values.tolist() == ["long", "short"]
    layers = lq.heatmap(some_market(), by_leverage=True, law={5: 1, 25: 3})
    assert layers["notional"].dims == ("time", "price", "side", "leverage")
    assert layers["leverage"].values.tolist() == [5.0, 25.0]
    close(layers["notional"].sum("leverage"), lq.heatmap(some_market(), law={5: 1, 25: 3})["notional"])
    assert (
        heat["time"].dtype == heat["close_time"].dtype == "datetime64[ns]" and heat["notional"].attrs["units"] == "USDT"
    )
    for name in ("open", "high", "low", "close", "volume"):
        assert np.array_equal(heat[name], some_market().candles[name])
    json.dumps(heat.to_dict(data=False), default=str)


@pytest.mark.parametrize("model", models.names())
def test_a_market_of_one_bar_has_a_map(model: str) -> None:
    one = Market(
        candles([(P, P, P, P, 3.0)]), leverage_tiers=tiers(), symbol="X/USDT:USDT", exchange="venue", timeframe="15m"
    )
    heat = lq.heatmap(one, model)
    assert heat.sizes["time"] == 1 and heat["attributed_oi"].sum() > 0


def test_too_many_levels_are_refused_with_a_way_out() -> None:
    rows = [(100.0, 160.0, 60.0, 100.0, 1.0)] * 30
    with pytest.raises(ValueError, match=r"this would be [\d,]+ levels; choose a smaller start/end"):
        lq.levels(market(rows), "volume")


# --- a lookback of what is liquidated -------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["open_interest", "decay"])
@pytest.mark.parametrize("unit", ["quote", "coins"])
def test_a_lookback_beyond_the_history_changes_nothing(model: str, unit: str) -> None:
    market = lq.load_example("tia-2023")
    whole = lq.expected_liquidations(market, model, unit=unit)
    with pytest.warns(UserWarning, match="lookback: the market begins"):
        seen = lq.expected_liquidations(market, model, unit=unit, lookback="3000d")
    pd.testing.assert_frame_equal(seen, whole, rtol=1e-9, atol=1e-9 * float(whole.to_numpy().max()))
    assert seen.attrs["unit"] == unit and "hold less than 3000d" in seen.attrs["lookback_held"]


def test_what_a_lookback_liquidates_are_the_levels_that_it_shows() -> None:
    """Bar by bar, against the table of levels: of those opened within 12 h, the ones that the bar reaches."""
    market = replace(lq.load_example("tia-2023").until("2023-11-20"), path=None)  # one step a candle
    options = {"same_bar_share": 0.0, "law": {5: 1, 20: 2}, "entries": "spread"}
    start = market.end - pd.Timedelta("16h")
    found = lq.expected_liquidations(market, start=start, lookback="12h", **options)
    by_hand = []
    for stamp in found.index:
        levels = lq.levels(market, at=stamp, start=stamp + market.step - pd.Timedelta("12h"), **options)
        low, high = cell_of(market.candles.loc[stamp, ["low", "high"]].to_numpy())
        cell, side = cell_of(levels["liquidation_price"]), levels["side"]
        hit = {"long": (side == "long") & (cell >= low), "short": (side == "short") & (cell <= high)}
        by_hand.append({name: levels["notional"][on].sum() for name, on in hit.items()})
    told = pd.DataFrame(by_hand, index=found.index)
    whole = lq.expected_liquidations(market, start=start, **options)
    assert (told > 0).any().all() and (found.sum() < whole.sum()).any()
    np.testing.assert_allclose(found, told, rtol=1e-9)


def test_a_lookback_looks_at_nothing_later() -> None:
    market = lq.load_example("btc-2024-07")
    cut = market.until("2024-07-05")
    whole, known = (lq.expected_liquidations(m, start="2024-07-03", lookback="3d") for m in (market, cut))
    pd.testing.assert_frame_equal(whole[whole.index < "2024-07-05"], known, rtol=1e-12)


def test_a_map_that_memory_cannot_hold_is_refused() -> None:
    market = lq.load_example("btc-2024-05")
    for options, message in (
        ({"price_step": 1e-6}, r"price_step=1e-06 cuts .* into more than 100,000 bins; pass a larger one"),
        ({"time_step": "15m", "price_step": 1.0}, r"columns × [\d,]+ bins × 2 sides, or [\d.,]+ GB; pass larger ones"),
    ):
        with pytest.raises(ValueError, match=message):
            lq.heatmap(market, **options)
    with pytest.raises(ValueError, match=r"× 10 classes of leverage, or"):
        lq.heatmap(market, time_step="15m", price_step=5.0, by_leverage=True)
