"""The synthetic market: its accounts balance, its candles are those of its path, and it looks like a market."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal, assert_series_equal

import liqlab as lq
from liqlab.margin import tiers_for
from liqlab.simulation._simulate import Simulation, simulate

SIDES = ("long", "short")
SMALL: dict[str, Any] = {"warmup": 3, "positions_per_day": 4_000}


@pytest.fixture(scope="module")
def sim() -> Simulation:
    return simulate(12, seed=3, warmup=8)


def per_bar(sim: Simulation, stamps: str, rows: pd.Series) -> np.ndarray:
    """Coins per bar and side of the chosen positions, by one of their stamps: (side, bar)."""
    part = sim.positions[rows]
    bar = ((part[stamps] - sim.market.start) // sim.market.step).to_numpy(np.int64)
    known = (bar >= 0) & (bar < len(sim.market.candles))
    bins = len(sim.market.candles)
    return np.stack([
        np.bincount(bar[known], (part["quantity"] * (part["side"] == side)).to_numpy()[known], minlength=bins)
        for side in SIDES
    ])  # fmt: skip


@pytest.fixture(scope="module")
def flows(sim: Simulation) -> dict[str, np.ndarray]:
    rows = sim.positions
    return {
        "opened": per_bar(sim, "opened_at", rows["opened_at"] >= sim.market.start),
        "closed": per_bar(sim, "closed_at", rows["reason"] == "closed"),
        "liquidated": per_bar(sim, "closed_at", rows["reason"] == "liquidated"),
    }


# --- seeds ----------------------------------------------------------------------------------------------------------


def test_same_seed_same_bytes_other_seed_other_market() -> None:
    one, again, other = (simulate(2, seed=seed, **SMALL) for seed in (5, 5, 6))
    for table in ("candles", "open_interest", "liquidations"):
        assert getattr(one.market, table).to_numpy().tobytes() == getattr(again.market, table).to_numpy().tobytes()
        assert not np.array_equal(getattr(one.market, table), getattr(other.market, table))
    assert_frame_equal(one.positions, again.positions)
    assert one.path.to_numpy().tobytes() == again.path.to_numpy().tobytes()


@pytest.mark.parametrize("timeframe", ["1m", "15m"])
def test_the_market_underneath_does_not_depend_on_the_time_frame(timeframe: str) -> None:
    fine = simulate(2, seed=5, timeframe="1m", **SMALL)
    same = simulate(2, seed=5, timeframe=timeframe, **SMALL)
    assert same.market.timeframe == timeframe
    assert_frame_equal(fine.positions, same.positions)
    how = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum", "taker_buy_volume": "sum"}
    grouped = fine.market.candles.resample(same.market.step).agg(how)
    assert_frame_equal(grouped, same.market.candles, check_freq=False, rtol=1e-12)
    assert fine.market.open_interest is not None and same.market.open_interest is not None
    common = fine.market.open_interest.loc[same.market.open_interest.index]
    assert_frame_equal(common, same.market.open_interest, check_freq=False)


# --- conservation ---------------------------------------------------------------------------------------------------


def test_longs_are_shorts_are_open_interest_at_every_bar(sim: Simulation, flows: dict[str, np.ndarray]) -> None:
    rows, market = sim.positions, sim.market
    assert market.open_interest is not None
    open_interest = market.open_interest["open_interest"].to_numpy()
    before = rows[rows["opened_at"] < market.start]
    change = flows["opened"] - flows["closed"] - flows["liquidated"]
    for s, side in enumerate(SIDES):
        start = before.loc[before["side"] == side, "quantity"].sum()
        standing = start + np.concatenate([[0.0], np.cumsum(change[s])])
        np.testing.assert_allclose(standing, open_interest, rtol=0, atol=1e-6)
        np.testing.assert_allclose(change[s], np.diff(open_interest), rtol=0, atol=1e-6)


def test_every_trade_has_a_buyer_and_a_seller(sim: Simulation, flows: dict[str, np.ndarray]) -> None:
    volume = sim.market.candles["volume"].to_numpy()
    left = flows["closed"] + flows["liquidated"]
    bought, sold = flows["opened"][0] + left[1], flows["opened"][1] + left[0]
    np.testing.assert_allclose(bought, sold, rtol=0, atol=1e-6)
    assert (bought <= volume + 1e-6).all()
    assert (bought + sold).sum() < volume.sum()  # the other half and more is market makers'
    taker = sim.market.candles["taker_buy_volume"].to_numpy()
    assert (taker >= flows["liquidated"][1] - 1e-6).all()  # liquidated shorts buy, liquidated longs sell, at the market
    assert (volume - taker >= flows["liquidated"][0] - 1e-6).all()


def test_published_liquidations_are_those_of_the_positions(sim: Simulation, flows: dict[str, np.ndarray]) -> None:
    assert sim.market.liquidations is not None
    np.testing.assert_allclose(sim.market.liquidations.to_numpy().T, flows["liquidated"], rtol=1e-12)
    assert (flows["liquidated"].sum(axis=1) > 0).all()


# --- the path -------------------------------------------------------------------------------------------------------


def test_candles_are_those_of_the_path(sim: Simulation) -> None:
    candles, path = sim.market.candles, sim.path.to_numpy()
    pieces = int(sim.market.step / pd.Timedelta("10s"))
    inside = np.stack([path[k : k + pieces + 1] for k in range(0, len(path) - 1, pieces)])
    expected = {"open": inside[:, 0], "high": inside.max(axis=1), "low": inside.min(axis=1), "close": inside[:, -1]}
    for column, values in expected.items():
        assert np.array_equal(candles[column], values)
    assert sim.path.index[0] == sim.market.start and sim.path.index[-1] == sim.market.end


def test_entries_are_prices_of_the_path(sim: Simulation) -> None:
    rows = sim.positions[sim.positions["opened_at"] >= sim.market.start]
    at_end = sim.path.reindex(rows["opened_at"] + pd.Timedelta("5s")).to_numpy()
    assert np.array_equal(at_end, rows["entry_price"])


def test_liquidations_happen_exactly_at_touches_of_the_true_path(sim: Simulation) -> None:
    rows = sim.positions[(sim.positions["opened_at"] >= sim.market.start)]
    for reason, count in (("liquidated", 400), ("closed", 400), ("open", 200)):
        part = rows[rows["reason"] == reason].sample(count, random_state=1)
        assert len(part) == count
        for row in part.itertuples(index=False):
            check_touches(sim, row)


def check_touches(sim: Simulation, row: Any) -> None:
    """Nothing was touched after the opening and before the end; what was liquidated was touched at the end."""
    origin, sub = sim.path.index[0], pd.Timedelta("10s")
    first = int((row.opened_at - origin) // sub) + 2  # the path's point k closes sub-step k − 1
    last = int((row.closed_at - origin) // sub) + 1 if row.reason != "open" else len(sim.path)
    level = np.full(len(sim.path), row.liquidation_price_at_entry)
    if not pd.isna(row.margin_added_at):
        level[int((row.margin_added_at - origin) // sub) + 2 :] = row.liquidation_price
    price = sim.path.to_numpy()
    touched = price <= level if row.side == "long" else price >= level
    assert not touched[first:last].any()
    if row.reason == "liquidated":
        assert touched[last]


def test_liquidation_prices_are_the_venues(sim: Simulation) -> None:
    rows = sim.positions[sim.positions["opened_at"] >= sim.market.start]
    whole = rows.groupby("position")["quantity"].transform("sum")
    tiers = tiers_for("synthetic", sim.market.symbol, leverage_tiers=sim.market.leverage_tiers)
    for side in SIDES:
        part = (rows["side"] == side).to_numpy()
        exact = lq.liquidation_price(
            rows.loc[part, "entry_price"].to_numpy(),
            leverage=rows.loc[part, "leverage"].to_numpy(),
            quantity=whole[part].to_numpy(),
            side=side,
            leverage_tiers=tiers,
        )
        got = rows.loc[part, "liquidation_price_at_entry"].fillna(0.0).to_numpy()
        isolated = (rows.loc[part, "margin_mode"] == "isolated").to_numpy()
        np.testing.assert_allclose(got[isolated], exact[isolated], rtol=1e-9)
        entry = rows.loc[part, "entry_price"].to_numpy()
        assert (np.abs(got - entry)[~isolated] > np.abs(exact - entry)[~isolated]).all()
        moved = rows.loc[part, "margin_added_at"].notna().to_numpy()
        now = rows.loc[part, "liquidation_price"].fillna(0.0).to_numpy()
        assert moved.any() and (np.abs(now - entry)[moved & (got > 0)] > np.abs(got - entry)[moved & (got > 0)]).all()
        assert np.array_equal(now[~moved], got[~moved])


# --- stylised facts -------------------------------------------------------------------------------------------------


def test_returns_have_heavy_tails_and_clusters(sim: Simulation) -> None:
    returns = np.diff(np.log(sim.market.candles["close"]))
    kurtosis = ((returns - returns.mean()) ** 4).mean() / returns.var() ** 2
    assert kurtosis > 6
    size = np.abs(returns)
    near, far = (np.corrcoef(size[k:], size[:-k])[0, 1] for k in (1, 24))
    assert near > 0.15 and far > 0.08
    assert abs(np.corrcoef(returns[1:], returns[:-1])[0, 1]) < 0.1


def test_liquidations_rise_with_adverse_excursion(sim: Simulation) -> None:
    hourly = sim.market.candles.resample("1h").agg({"open": "first", "high": "max", "low": "min"})
    assert sim.market.liquidations is not None
    amount = sim.market.liquidations.resample("1h").sum()
    fall, rise = 1 - hourly["low"] / hourly["open"], hourly["high"] / hourly["open"] - 1
    for side, excursion in (("long", fall), ("short", rise)):
        assert amount[side].rank().corr(excursion.rank()) > 0.5


def test_turnover_sizes_and_distances_are_of_the_order_that_was_measured(sim: Simulation) -> None:
    assert sim.market.open_interest is not None
    level = sim.market.open_interest["open_interest"].mean()
    assert 2 < sim.market.candles["volume"].sum() / 12 / level < 10
    rows = sim.positions
    biggest = rows["quantity"].nlargest(len(rows) // 100).sum() / rows["quantity"].sum()
    assert biggest > 0.15  # the largest hundredth: heavy tails
    isolated = Simulation(sim.market, rows[rows["margin_mode"] == "isolated"], sim.path)
    measured = {"long": (0.053, 0.223, 0.472), "short": (0.019, 0.079, 0.325)}
    found = isolated.distances(of="standing")
    for side, quantiles in measured.items():
        ratio = found.loc[side].to_numpy() / np.array(quantiles)
        assert ((ratio > 1 / 3) & (ratio < 3)).all()
    assert found.loc["short", 0.5] < found.loc["long", 0.5]


def test_leverage_rises_in_calm_and_closing_is_not_proportional(sim: Simulation) -> None:
    rows = sim.positions[sim.positions["opened_at"] >= sim.market.start]
    restless = np.log(sim.path).diff().abs().rolling(360).mean()
    then = restless.reindex(rows["opened_at"] - pd.Timedelta("5s")).to_numpy()
    calm = then < np.nanquantile(then, 0.2)
    storm = then > np.nanquantile(then, 0.8)
    assert rows["leverage"][calm].median() > 1.2 * rows["leverage"][storm].median()
    closed = rows[rows["reason"] == "closed"]
    life = (closed["closed_at"] - closed["opened_at"]).dt.total_seconds()
    assert life.quantile(0.9) > 10 * life.median()  # an exponential life would have 3.3


# --- what is told of the truth --------------------------------------------------------------------------------------


def test_standing_agrees_with_a_recount(sim: Simulation) -> None:
    rows = sim.positions
    edges = np.linspace(30_000, 120_000, 301)
    times = [sim.market.end, "2024-01-03 07:00", pd.Timestamp("2024-01-09 23:55", tz="UTC"), sim.market.start]
    got = sim.standing(times, edges)
    assert got.shape == (4, 300, 2)
    for k, moment in enumerate(times):
        at = pd.Timestamp(moment) if pd.Timestamp(moment).tz else pd.Timestamp(moment, tz="UTC")
        alive = (rows["opened_at"] <= at) & ~(rows["closed_at"] <= at)
        moved = rows["margin_added_at"] <= at
        price = rows["liquidation_price"].where(moved, rows["liquidation_price_at_entry"])
        for s, side in enumerate(SIDES):
            part = alive & (rows["side"] == side)
            weight = (rows["quantity"] * price)[part]
            expected = np.zeros(300)
            for p, w in zip(price[part], weight, strict=True):
                where = np.flatnonzero((edges[:-1] <= p) & (p < edges[1:])) if 30_000 <= p < 120_000 else []
                for cell in where:
                    expected[cell] += w
            np.testing.assert_allclose(got[k, :, s], expected, rtol=1e-9)
            assert expected.sum() > 0


def test_no_ghosts(sim: Simulation) -> None:
    """Below the price stand longs, above it shorts."""
    price = sim.market.candles["close"].iloc[-1]
    got = sim.standing(sim.market.end, np.array([1.0, price, 1e9]))[0]
    assert got[1, 0] == 0 and got[0, 1] == 0 and got[0, 0] > 0 and got[1, 1] > 0


def test_planted_law(sim: Simulation) -> None:
    assert sim.law.leverage.size == 10 and sim.law.name == "planted"
    standing = sim.law_on((5, 50), of="standing")
    opened = sim.law_on((5, 50))
    assert (standing.long[0] > opened.long[0]) and (standing.short[0] > opened.short[0])  # high leverage lives shortly
    assert opened.short[1] > opened.long[1]
    rows = sim.positions[(sim.positions["opened_at"] >= sim.market.start) & (sim.positions["side"] == "short")]
    distance = (rows["liquidation_price_at_entry"] / rows["entry_price"] - 1).to_numpy()
    order = np.argsort(distance)
    half = np.searchsorted(np.cumsum(rows["quantity"].to_numpy()[order]), rows["quantity"].sum() / 2)
    assert sim.distances().loc["short", 0.5] == pytest.approx(distance[order][half], rel=1e-3)
    with pytest.raises(ValueError, match="of must be"):
        sim.law_on(of="closed")


# --- magnet and faults ----------------------------------------------------------------------------------------------


def test_without_magnet_prices_know_nothing_of_positions() -> None:
    one = simulate(2, seed=8, **SMALL)
    other = simulate(2, seed=8, warmup=3, positions_per_day=500, cross_share=0.0, maker_turnover=1.0)
    assert_series_equal(one.path, other.path)
    assert not one.path.equals(simulate(2, seed=8, magnet=1.0, **SMALL).path)


def cluster_pull(magnet: float) -> float:
    """Mean return towards the densest cluster, in standard deviations of the hour, over seeds."""
    pulls = []
    for seed in range(4):
        sim = simulate(6, seed=seed, magnet=magnet, **SMALL)
        price = sim.path.iloc[::360]
        times = price.index[:-1]
        log = np.arange(np.log(price.min()) - 0.05, np.log(price.max()) + 0.05, 0.0025)
        mass = sim.standing(times, np.exp(log)).sum(axis=2)
        away = (log[:-1] + 0.00125)[None] - np.log(price.to_numpy()[:-1, None])
        mass[(np.abs(away) < 0.003) | (np.abs(away) > 0.04)] = 0
        way = np.sign(away[np.arange(len(times)), mass.argmax(axis=1)])
        returns = np.diff(np.log(price))
        pulls.append(np.mean(way * returns) / returns.std())
    return float(np.mean(pulls))


def test_magnet_pulls_and_its_absence_does_not() -> None:
    none, some = cluster_pull(0.0), cluster_pull(4.0)
    assert abs(none) < 0.12  # 4 × 144 hours: one standard error is 0.04
    assert some > none + 0.2


def test_faults_change_what_is_told_not_what_is_true() -> None:
    whole = simulate(2, seed=5, volatility=0.06, **SMALL)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        holes = simulate(2, seed=5, volatility=0.06, throttled=True, open_interest_missing=0.2, **SMALL)
    assert any("open_interest" in str(w.message) and "gap" in str(w.message) for w in told)
    assert_frame_equal(whole.positions, holes.positions)
    assert_frame_equal(whole.market.candles, holes.market.candles)
    assert whole.market.liquidations is not None and holes.market.liquidations is not None
    assert (holes.market.liquidations <= whole.market.liquidations + 1e-9).all(axis=None)
    assert holes.market.liquidations.sum().sum() < 0.95 * whole.market.liquidations.sum().sum()
    coarse = simulate(2, seed=5, open_interest_every="1h", **SMALL).market.open_interest
    assert coarse is not None and len(coarse) == 49
    assert simulate(2, seed=5, open_interest_missing=1.0, **SMALL).market.open_interest is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cross_share": 1.5}, "cross_share must lie in"),
        ({"price": 0.0}, "price must be > 0"),
        ({"price": 1e-300}, "price must lie between 1e-12 and 1e[+]12, got 1e-300; it is only a scale"),
        ({"warmup": -1}, "warmup must be >= 0"),
        ({"timeframe": "15s"}, "multiple of 10 s"),
        ({"days": 0.001}, "one candle"),
    ],
)
def test_errors_teach(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        simulate(**{"days": 1, **options})


def test_standing_refuses_what_it_cannot_know(sim: Simulation) -> None:
    with pytest.raises(ValueError, match="nothing is known"):
        sim.standing("2023-12-31", np.array([1.0, 2.0]))
    with pytest.raises(ValueError, match="ascending"):
        sim.standing("2024-01-02", np.array([2.0, 1.0]))


# --- other prices, speed --------------------------------------------------------------------------------------------


def test_a_cheap_coin_works() -> None:
    cheap = simulate(2, seed=5, price=0.2, **SMALL)
    assert cheap.market.open_interest is not None
    assert (cheap.market.candles["close"] < 1).all() and cheap.market.open_interest["open_interest"].min() > 0


def seconds(days: float) -> float:
    begin = time.perf_counter()
    simulate(days, seed=1, warmup=0)
    return time.perf_counter() - begin


def test_time_grows_with_the_market_and_no_faster() -> None:
    """Nothing is searched for: four times as many positions take about four times as long (a search: sixteen)."""
    seconds(1)
    short, long = (min(seconds(days) for _ in range(2)) for days in (4, 16))
    assert long / short < 8


@pytest.mark.parametrize(
    "wild",
    [
        {"volatility": 1e5},
        {"volatility": 100.0},
        {"volatility": 1e300},
        {"magnet": 1e30},
        {"magnet": -1e30},
        {"magnet": 1e5},
    ],
)
def test_a_price_that_leaves_the_grid_is_refused(wild: dict[str, float]) -> None:
    """Agents are found by the cell of their price: beyond the grid the kernel read and wrote where nothing was."""
    with pytest.raises(ValueError, match="a factor of 55 either way from price; pass a smaller volatility or magnet"):
        lq.simulate(1.0, timeframe="1h", warmup=0.5, **wild)
