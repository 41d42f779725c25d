"""Cascades: closed forms, books walked by hand, conservation, and what is said where nothing stops the price."""

from __future__ import annotations

from typing import Any

import holoviews as hv
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import liqlab as lq
from liqlab.cascades.depth import Impact
from tests.markets import candles, few, market

P = 1_000.0


def even(density: float, *, low: float = 500, high: float = 1_500, bins: int = 100) -> pd.DataFrame:
    """A uniform map: `density` of notional per unit of x (the fraction of 1,000) on both sides."""
    edges = np.linspace(low, high, bins + 1)
    amount = density * np.diff(edges) / P
    return pd.DataFrame({"long": amount, "short": amount}, index=(edges[1:] + edges[:-1]) / 2)


def book(*rows: tuple[str, float, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["side", "price", "quantity"])


def bids(*rows: tuple[float, float]) -> pd.DataFrame:
    return book(*(("bid", price, quantity) for price, quantity in rows))


def between(snap: pd.DataFrame, side: str, low: float, high: float) -> float:
    """What a map holds between two prices, bin by bin, in plain Python."""
    price = snap.index.to_numpy(float)
    half = (price[1] - price[0]) / 2
    total = 0.0
    for middle, amount in zip(price, snap[side], strict=True):
        overlap = min(middle + half, high) - max(middle - half, low)
        total += amount * max(overlap, 0.0) / (2 * half)
    return total


maps = st.lists(st.sampled_from([0.0, 0.0, 1.0, 5.0, 40.0, 300.0]), min_size=4, max_size=30).map(
    lambda v: pd.DataFrame({"long": v[::-1], "short": v}, index=P - 5.0 * (len(v) - 1) / 2 + 5.0 * np.arange(len(v)))
)


def between_edges(snap: pd.DataFrame) -> tuple[float, float]:
    """Lowest and highest price of a map."""
    price = snap.index.to_numpy(float)
    half = (price[1] - price[0]) / 2
    return price[0] - half, price[-1] + half


slopes = st.sampled_from([0.0, 1e-6, 1e-5, 1e-4, 2e-3])
books = st.lists(st.tuples(st.integers(880, 1_120), st.sampled_from([0.0, 0.001, 0.02, 1.0])), max_size=25).map(
    lambda rows: book(*(("bid" if p < P else "ask", p, q) for p, q in rows))
)
depths = st.one_of(slopes, books)
sizes = st.sampled_from([0.001, 0.003, 0.005, 0.0101, 0.02])


def shocks_within(snap: pd.DataFrame) -> list[float]:
    reach = (snap.index[-1] - snap.index[0] + 5) / 2 / P
    return [x for x in (0.001, 0.003, 0.005, 0.0101, 0.02, 0.04) if x < reach]


# --- closed forms -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("strength", [0.0, 0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("bins", [7, 100, 1999])
def test_a_uniform_map_amplifies_by_the_geometric_series(sign: int, strength: float, bins: int) -> None:
    """1 / (1 − λρ), to 1e-9, wherever the bins' edges lie and whichever way the price goes."""
    density, shock = 2e6, sign * 0.0037
    found = lq.cascade(even(density, bins=bins), depth=strength / density, shock=shock, price=P)
    expected = 1 / (1 - strength)
    assert not found.runaway
    assert found.side == ("long" if sign < 0 else "short")
    assert found.amplification == pytest.approx(expected, rel=1e-9)
    assert found.final_price == pytest.approx(P * (1 + shock * expected), rel=1e-10)
    assert found.liquidated == pytest.approx(density * abs(shock) * expected, rel=1e-9)


def test_the_steps_are_those_of_the_series() -> None:
    """Half of what was liquidated moves the price by half of the last way: 40, 20, 10, … until the rest."""
    found = lq.cascade(even(1_000, bins=10), depth=0.0005, shock=-0.04, price=P)
    np.testing.assert_allclose(found.steps["liquidated"].to_numpy()[:5], [0, 40, 20, 10, 5], rtol=1e-9)
    np.testing.assert_allclose(found.steps["price_after"].to_numpy()[:4], [960, 940, 930, 925], rtol=1e-12)
    assert found.steps["cumulative"].iloc[-1] == pytest.approx(80)
    assert found.final_price == pytest.approx(920)


@pytest.mark.parametrize("strength", [1.0, 1.0001, 1.7, 30.0])
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_map_that_feeds_itself_runs_away(strength: float, sign: int) -> None:
    found = lq.cascade(even(1_000), depth=strength / 1_000, shock=sign * 0.001, price=P)
    assert found.runaway
    assert found.reason
    assert found.liquidated == pytest.approx(500)
    assert np.isnan(found.final_price) if found.reason == "the price left the map" else found.final_price == 0
    zones = lq.critical_zones(even(1_000), depth=strength / 1_000, price=P)
    assert zones["side"].tolist() == ["long", "short"]
    assert zones["from_price"].tolist() == [P, P]
    assert zones["runaway"].all()


def test_a_shock_in_an_empty_map_is_a_shock() -> None:
    found = lq.cascade(even(0.0), depth=0.01, shock=-0.03, price=P)
    assert (found.amplification, found.final_price, found.liquidated, found.runaway) == (1.0, 970.0, 0.0, False)
    assert len(found.steps) == 1
    assert lq.critical_zones(even(0.0), depth=0.01, price=P).empty


def test_two_layers_by_hand() -> None:
    """Nothing to 990, then ρ = 1000 to 980, then 100: x = s + λL, s = .012, λ = .0008.

    Dense layer: x = .012 + .8·(x − .01) → x = .02, just its end; L = 10 there.
    """
    snap = pd.DataFrame({"long": [1.0, 10.0, 0.0, 0.0], "short": 0.0}, index=[975.0, 985.0, 995.0, 1005.0])
    assert lq.cascade(snap, depth=0.0008, shock=-0.012, price=P).final_price == pytest.approx(980)
    assert lq.cascade(snap, depth=0.0008, shock=-0.0125, price=P).amplification == pytest.approx(
        (0.0125 + 0.0008 * (10 - 100 * 0.02)) / (1 - 0.08) / 0.0125
    )


# --- what always holds ------------------------------------------------------------------------------------------------


@given(snap=maps, depth=depths, sign=st.sampled_from([-1, 1]), scale=st.sampled_from([0.1, 1.0, 7.0]))
def test_liquidated_is_what_the_map_holds_on_the_way(snap: Any, depth: Any, sign: int, scale: float) -> None:
    """Conservation: step by step, and from start to end; nothing behind the price, nothing twice."""
    for size in shocks_within(snap):
        found = lq.cascade(snap, depth=depth, shock=sign * size, price=P, scale=scale)
        low, high = sorted([P, found.steps["price_after"].iloc[-1]])
        expected = scale * between(snap, found.side, low, high)
        assert found.liquidated == pytest.approx(expected, rel=1e-9, abs=1e-9)
        steps = found.steps
        assert steps["liquidated"].sum() == pytest.approx(found.liquidated, rel=1e-9, abs=1e-12)
        assert (steps["liquidated"] >= 0).all()
        assert (steps["price_after"].to_numpy()[:-1] == steps["price_before"].to_numpy()[1:]).all()
        assert (sign * (steps["price_after"] - steps["price_before"]) >= -1e-9).all()
        gone = found.reason == "the price left the map"
        end = between_edges(snap)[0 if sign < 0 else 1] if gone else found.final_price
        assert steps["price_after"].iloc[-1] == pytest.approx(end) and np.isnan(found.final_price) == gone


@given(snap=maps, depth=depths, sign=st.sampled_from([-1, 1]))
def test_a_larger_shock_never_ends_nearer(snap: Any, depth: Any, sign: int) -> None:
    sizes = sorted({*np.linspace(0.0005, shocks_within(snap)[-1], 23), *shocks_within(snap)})
    table = lq.amplification(snap, depth=depth, shocks=[sign * size for size in sizes], price=P)
    known = table["move"].notna()
    assert (np.diff(sign * table["move"][known]) >= -1e-12).all() and table["runaway"][~known].all()
    assert (np.diff(known.astype(int)) <= 0).all()
    assert (np.diff(table["liquidated"]) >= -1e-9).all()
    assert (np.diff(table["runaway"].astype(int)) >= 0).all()
    assert (table["amplification"][known] >= 1 - 1e-12).all() and table["amplification"][~known].isna().all()
    assert (sign * table["extra"][known] >= -1e-12).all()


@given(snap=maps, slope=slopes, sign=st.sampled_from([-1, 1]))
def test_the_end_is_the_first_fixed_point(snap: Any, slope: float, sign: int) -> None:
    """x = s + λL(x), and no x nearer than it does; checked by following the rounds for as long as it takes."""
    side = "long" if sign < 0 else "short"
    for size in shocks_within(snap):
        found = lq.cascade(snap, depth=slope, shock=sign * size, price=P)
        x = size
        for _ in range(3_000):
            low, high = sorted([P, P * (1 + sign * x)])
            further = size + slope * between(snap, side, low, high)
            if further - x < 1e-13:
                break
            x = further
        x = min(x, 1.0) if side == "long" else x  # no price falls below zero
        if found.reason == "the price left the map":
            assert P * (1 + sign * x) * sign >= between_edges(snap)[0 if sign < 0 else 1] * sign
            continue
        assert x == pytest.approx(found.amplification * size, rel=1e-6)
        assert x <= found.amplification * size * (1 + 1e-9)


@given(snap=maps, depth=depths)
def test_every_zone_is_a_jump_and_every_jump_a_zone(snap: Any, depth: Any) -> None:
    """Just beyond a zone's shock the price ends at its far side or further, at the shock itself not yet."""
    zones = lq.critical_zones(snap, depth=depth, price=P)
    reach = shocks_within(snap)[-1]
    for zone in zones.itertuples():
        sign = -1 if zone.side == "long" else 1
        if abs(zone.shock) + 1e-9 < reach and abs(zone.to_price - zone.from_price) > 1e-6:
            after = lq.cascade(snap, depth=depth, shock=zone.shock + sign * 1e-9, price=P)
            end = after.steps["price_after"].iloc[-1]
            assert sign * end >= sign * zone.to_price - 1e-4
            assert after.runaway or not zone.runaway
        if abs(zone.shock) > 1e-9 and not isinstance(depth, pd.DataFrame):
            before = lq.cascade(snap, depth=depth, shock=zone.shock - sign * 1e-9, price=P)
            assert sign * before.final_price <= sign * zone.from_price + 1e-4
    if isinstance(depth, float):  # between two shocks the move grows without a jump, unless a zone lies there
        shocks = np.linspace(1e-5, reach, 120)
        moves = -lq.amplification(snap, depth=depth, shocks=-shocks, price=P)["move"].dropna().to_numpy()
        low, high = P * (1 - moves[1:]), P * (1 - moves[:-1])
        mine = zones[zones["side"] == "long"]
        dense = between_steps(snap, depth)
        for a, b in zip(low, high, strict=True):
            crossed = any(z.from_price <= b + 1e-3 and z.to_price >= a - 1e-3 for z in mine.itertuples())
            assert crossed or b - a <= P * (shocks[1] - shocks[0]) / (1 - dense) + 1e-6


def between_steps(snap: pd.DataFrame, slope: float) -> float:
    """The largest λρ below 1 of any bin of longs."""
    strength = slope * snap["long"].to_numpy() * P / 5.0
    return float(strength[strength < 1].max(initial=0.0))


# --- order books by hand ----------------------------------------------------------------------------------------------


def test_a_book_is_eaten_level_by_level() -> None:
    """1 of notional per dollar below 1000; bids of 9.9, 4.9, 9.7, 96 at 990, 980, 970, 960.

    A shock to 990 liquidates 10: 9.9 at 990 and the rest at 980. By 980 it is 20, but 9.9 + 4.9 rest: on to 970, where
    30 stand against 24.5; at 960 it is 40 against 120.5: the end.
    """
    depth = bids((990, 0.01), (980, 0.005), (970, 0.01), (960, 0.1), (995, 7.0))
    found = lq.cascade(even(1_000), depth=depth, shock=-0.01, price=P)
    expected = pd.DataFrame(
        {
            "price_before": [1000.0, 990, 980, 970],
            "price_after": [990.0, 980, 970, 960],
            "liquidated": [0.0, 10, 10, 10],
            "cumulative": [0.0, 10, 20, 30],
            "impact": [0.01, 0.01, 0.01, 0.01],
        },
        index=pd.RangeIndex(4, name="step"),
    )
    pd.testing.assert_frame_equal(found.steps.iloc[:4], expected, rtol=1e-9)
    assert found.steps.loc[4, ["price_after", "liquidated"]].tolist() == pytest.approx([960, 10])
    assert (found.final_price, found.runaway) == (pytest.approx(960), False)
    zones = lq.critical_zones(even(1_000), depth=depth.iloc[:4], price=P)
    assert zones.loc[0, ["from_price", "to_price"]].tolist() == pytest.approx([1000, 960])


def test_a_deep_book_stops_everything() -> None:
    found = lq.cascade(even(1_000), depth=bids((990, 1.0), (900, 1.0)), shock=-0.01, price=P)
    assert (found.final_price, found.amplification) == (pytest.approx(990), pytest.approx(1))
    assert found.steps["liquidated"].tolist() == pytest.approx([0, 10])
    assert lq.critical_zones(even(1_000), depth=bids((990, 1.0), (900, 1.0)), price=P).empty


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_book_that_is_eaten_up_is_a_runaway(sign: int) -> None:
    """Sells fall on bids, purchases on asks; 15 rest, 20 are forced by the last level: 5 find nobody."""
    side = "bid" if sign < 0 else "ask"
    rows = [(side, P * (1 + sign * 0.01), 5 / (P * (1 + sign * 0.01))), (side, P * (1 + sign * 0.02),
            10 / (P * (1 + sign * 0.02))), ("ask" if sign < 0 else "bid", P, 99.0)]  # fmt: skip
    found = lq.cascade(even(1_000), depth=book(*rows), shock=sign * 0.01, price=P)
    assert (found.runaway, found.reason) == (True, "order book exhausted")
    assert found.final_price == pytest.approx(P * (1 + sign * 0.02))
    assert (found.liquidated, found.unfilled) == (pytest.approx(20), pytest.approx(5))


def test_an_empty_book_and_a_shock_beyond_its_last_order() -> None:
    for depth, shock in ((bids(), -0.01), (bids((999, 50.0)), -0.02)):
        found = lq.cascade(even(1_000), depth=depth, shock=shock, price=P)
        assert found.runaway
        assert found.final_price == pytest.approx(P * (1 + shock))
        assert found.unfilled == pytest.approx(found.liquidated)
    assert not lq.cascade(even(0.0), depth=bids(), shock=-0.01, price=P).runaway


def test_planted_zones_are_found_where_they_are() -> None:
    """Two layers with λρ = 2 in a calm map (λρ = 0.1): from 960 and 900; each ends where the calm has made up for it.

    In a layer of 10 the surplus falls by .01; calm, it grows by .9 a step: it is back .01 / .9 · 1000 further down.
    """
    snap = even(1_000, bins=100)
    for middle in (955.0, 895.0):
        snap.loc[middle, "long"] = 200.0  # per 10 dollars: ρ = 20,000
    zones = lq.critical_zones(snap, depth=0.0001, price=P)
    assert zones["side"].tolist() == ["long", "long"]
    assert zones["from_price"].tolist() == pytest.approx([960, 900])
    assert zones["to_price"].tolist() == pytest.approx([950 - 10 / 0.9, 890 - 10 / 0.9])
    assert zones["shock"].tolist() == pytest.approx([-0.04 * 0.9, -(0.04 * 0.9 + (50 - 10 / 0.9) / P * 0.9)])
    assert zones["liquidated"].tolist() == pytest.approx([200 + 10 / 0.9] * 2)
    assert not zones["runaway"].any()


@few(10)
@given(seed=st.integers(0, 10_000))
def test_noise_below_the_critical_density_has_no_zone(seed: int) -> None:
    amount = np.random.default_rng(seed).uniform(0, 9.99, 100)  # λρ < .999
    snap = pd.DataFrame({"long": amount, "short": amount}, index=np.arange(505.0, 1500, 10))
    assert lq.critical_zones(snap, depth=0.001, price=P).empty


# --- the map as it comes ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def snap() -> xr.Dataset:
    heat = lq.heatmap(lq.load_example("btc-2024-05"), start="2024-05-01", end="2024-05-02", by_leverage=True)
    return lq.liquidation_map(heat, at="2024-05-01 15:30")


def test_a_map_of_the_book_is_taken_as_it_is(snap: xr.Dataset) -> None:
    """Leverages are summed, the price is the column's close, the notes say whose map it is."""
    found = lq.cascade(snap, depth=5e-11, shock=-0.02)
    assert found.start_price == float(snap["close"])
    edges, amount = snap["price_edge"].to_numpy(), snap["notional"].sel(side="long").sum("leverage").to_numpy()
    table = pd.DataFrame({"long": amount, "short": 0.0}, index=(edges[1:] + edges[:-1]) / 2)
    assert found.liquidated == pytest.approx(between(table, "long", found.final_price, found.start_price), rel=1e-9)
    assert found.notes["symbol"] == "BTC/USDT:USDT"
    assert found.notes["at"] == "2024-05-01 15:30"
    tenth = lq.cascade(snap, depth=5e-11, shock=-0.02, scale=0.1)
    assert lq.cascade(snap, depth=5e-12, shock=-0.02).final_price == pytest.approx(tenth.final_price, rel=1e-12)


def test_a_fitted_impact_brings_its_interval(snap: xr.Dataset) -> None:
    fit = lq.price_impact(lq.load_example("btc-2024-05"), start="2024-04-01", end="2024-05-01")
    found = lq.cascade(snap, depth=fit, shock=-0.05)
    ends = [lq.cascade(snap, depth=x, shock=-0.05).final_price for x in (fit.low, fit.slope, fit.high)]
    assert (*found.price_range, found.final_price) == (ends[0], ends[2], ends[1])
    assert ends[0] > ends[1] > ends[2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"depth": None}, "order book .*price_impact.*got NoneType"),
        ({"depth": -1e-9}, "must be >= 0"),
        ({"depth": bids((990, -1.0))}, "quantity >= 0"),
        ({"depth": book(("buy", 990, 1.0))}, "'bid' or 'ask', got 'buy'"),
        ({"shock": 0.0}, "not 0"),
        ({"shock": -1.0}, "> -1"),
        ({"shock": float("nan")}, "got nan"),
        ({"price": 400.0}, "lies outside the map, which holds 500 to 1500"),
        ({"price": None}, "pass price="),
        ({"scale": -1.0}, "scale is the share"),
    ],
)
def test_errors_teach(change: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        lq.cascade(even(10.0), **{"depth": 0.001, "shock": -0.01, "price": P, **change})


def test_a_heatmap_is_taken_at_its_last_column(snap: xr.Dataset) -> None:
    one, two = (lq.cascade(x, depth=1e-11, price=57_000.0) for x in (snap, snap.expand_dims("time")))
    assert one.final_price == two.final_price and one.notes == two.notes


@pytest.mark.parametrize(("shock", "price"), [(6.0, None), (-0.6, None), (-0.01, 1.0), (0.3, P * 1.4)])
def test_nothing_is_said_of_what_lies_beyond_the_map(shock: float, price: float | None) -> None:
    """Prices above are known up to 1,500: after a rise of six times nobody knows where the price would be."""
    with pytest.raises(ValueError, match=r"(out of|outside) the map, which holds 500 to 1,?500; pass"):
        lq.cascade(even(10.0), depth=0.001, shock=shock, price=price or P)


def test_shocks_are_tried_as_far_as_the_map_reaches() -> None:
    table = lq.amplification(even(10.0, low=961, high=1_029), depth=0.001, price=P)
    assert table.index.tolist() == [k / 400 for k in range(-15, 12) if k]


# --- impact from candles ----------------------------------------------------------------------------------------------


def flowing(days: int, slope: float, noise: float, *, seed: int = 0, signed: bool = True) -> lq.Market:
    """Hourly candles whose return is slope × (buys − sells) + noise, or whose size is slope × volume + noise."""
    rng = np.random.default_rng(seed)
    rows, price = [], 100.0
    for _ in range(24 * days):
        volume = float(rng.lognormal(8, 0.5))
        buys = volume * float(rng.uniform(0.2, 0.8))
        flow = (2 * buys - volume) if signed else volume
        move = slope * 100 * flow + noise * rng.normal() if signed else abs(slope * 100 * flow + noise * rng.normal())
        end = price * (1 + move * (1 if signed or rng.uniform() < 0.5 else -1))
        top, low = max(price, end), min(price, end)
        # volume in coins such that volume × typical price is 100 × the notional above
        typical = (top + low + end) / 3
        rows.append((price, top, low, end, 100 * volume / typical, 100 * buys / typical))
        price = 100.0  # each hour starts anew, so that the planted flow has a fixed value
    return market([row if signed else row[:5] for row in rows], every="1h")


@pytest.mark.parametrize("signed", [True, False])
def test_a_planted_impact_is_found_exactly_without_noise(signed: bool) -> None:
    fit = lq.price_impact(flowing(12, 3e-8, 0.0, signed=signed))
    assert fit.signed is signed
    assert fit.slope == pytest.approx(3e-8, rel=1e-9)
    assert (fit.low, fit.high) == (pytest.approx(3e-8, rel=1e-6), pytest.approx(3e-8, rel=1e-6))
    assert (fit.r2, fit.days, fit.bars) == (pytest.approx(1), 12, 288)


def test_its_interval_holds_the_planted_slope_as_often_as_it_says() -> None:
    held = 0
    for seed in range(40):
        fit = lq.price_impact(flowing(30, 3e-8, 0.01, seed=seed), draws=300)
        held += fit.low <= 3e-8 <= fit.high
    assert held >= 33  # of 40 at 95 %, less what few days cost; at 33 the chance of a sound interval to fail is < 1 %


def test_ten_candles_by_hand() -> None:
    """Volume 1..10 at a price of 100, moves of 1 bp per coin up and down: λ = 1e-4 / 100; no interval from one day."""
    rows = [(100.0, 100.0, 100.0, 100.0, 1.0)] * 0
    for k in range(1, 11):
        end = 100 * (1 + 1e-4 * k)
        rows.append((100.0, end, 100.0, end, 100.0 * k / ((2 * end + 100) / 3)))
    fit = lq.price_impact(market(rows, every="1h"))
    assert fit.slope == pytest.approx(1e-6, rel=1e-9)
    assert fit.intercept == pytest.approx(0, abs=1e-12)
    assert np.isnan([fit.low, fit.high]).all()


def test_the_fit_knows_nothing_after_its_end() -> None:
    whole = lq.load_example("btc-2024-05")
    fit = lq.price_impact(whole, start="2024-04-01", end="2024-05-01 15:30")
    cut = lq.price_impact(whole.until("2024-05-01 15:30"), start="2024-04-01")
    assert (fit.slope, fit.low, fit.high, fit.end) == (cut.slope, cut.low, cut.high, cut.end)


def test_what_cannot_be_fitted_is_said() -> None:
    flat = market([(100.0, 101.0, 99.0, 100.0, 5.0)] * 10)
    with pytest.raises(ValueError, match="does not vary"):
        lq.price_impact(flat)
    with pytest.raises(ValueError, match="at least 3 candles, got 0 that carry taker_buy_volume"):
        lq.price_impact(flat, signed=True)
    assert np.isfinite(lq.price_impact(market(candles_with_volume())).slope)


def candles_with_volume() -> list[tuple[float, ...]]:
    return [tuple(row) for row in candles([(100.0, 101.0, 99.0, 100.5, float(k)) for k in range(5)]).to_numpy()]


# --- pictures ---------------------------------------------------------------------------------------------------------


def parts(picture: Any, kind: type) -> list[Any]:
    found: list[Any] = []
    picture.traverse(lambda element: found.append(element), [kind])
    return found


def test_the_ladder_shows_every_step(snap: xr.Dataset) -> None:
    fit = Impact(5e-11, 4e-11, 6e-11, 0, 0, 0, 0, True, pd.Timestamp(0), pd.Timestamp(0), "USDT")
    found, table = lq.cascade(snap, depth=fit, shock=-0.05), lq.amplification(snap, depth=fit)
    picture = lq.plot.cascade(found, table=table)
    bars = next(r for r in parts(picture, hv.Rectangles) if len(r) == len(found.steps) - 1)
    np.testing.assert_allclose(bars.dimension_values("liquidated"), found.steps["liquidated"].to_numpy()[1:])
    np.testing.assert_allclose(bars.dimension_values("price_after"), found.steps["price_after"].to_numpy()[1:])
    titles = [hv.Store.lookup_options("bokeh", o, "plot").kwargs.get("title", "") for o in parts(picture, hv.Overlay)]
    ladder = next(title for title in titles if "cascade" in title)
    for word in ("Estimated", "BTC/USDT:USDT", "2024-05-01 15:30", "signed fit", "open_interest"):
        assert word in ladder
    curves = parts(picture, hv.Curve)
    assert {curve.label for curve in curves} == {"shock alone", "longs forced", "shorts forced"}
    hv.render(picture, backend="bokeh")


def test_pictures_of_nothing_and_of_a_runaway() -> None:
    calm = lq.cascade(even(0.0), depth=0.01, shock=0.03, price=P)
    wild = lq.cascade(even(1_000), depth=0.01, shock=0.03, price=P)
    table = lq.amplification(even(1_000), depth=0.01, price=P)
    zones = lq.critical_zones(even(1_000), depth=0.01, price=P)
    for picture in (lq.plot.cascade(calm), lq.plot.cascade(wild), lq.plot.amplification(table, zones=zones, mark=wild)):
        hv.render(picture, backend="bokeh")
    title = hv.Store.lookup_options("bokeh", lq.plot.cascade(wild), "plot").kwargs["title"]
    assert "not stopped" in title
