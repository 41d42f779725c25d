"""The magnet test: first passage by hand, survivors on both sides, nominal without a magnet, and a planted one."""

from __future__ import annotations

import itertools
import os
from typing import Any

import holoviews as hv
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal
from scipy.stats import binom, norm

import liqlab as lq
from liqlab.validation._claims.first_passage import after, extremes, matched_paths, path_of, reached
from liqlab.validation._claims.frozen_zones import frozen_map, trials, zones_with_births
from tests.markets import market
from tests.walks import garch_walk

LONG = os.environ.get("LIQLAB_LONG") == "1"
HOUR = 3_600 * 10**9
BINS: dict[str, Any] = {"price_range": (40.0, 250.0), "price_step": 0.1}


@pytest.fixture(scope="module")
def walk() -> lq.Market:
    return garch_walk(3, days=60)


# --- first passage ----------------------------------------------------------------------------------------------------


def test_first_passage_by_hand() -> None:
    """Closes 100, 101, 99, 104; 103 is first traded in the fourth bar, two to three hours after the first's close."""
    rows = [(100, 100, 100, 100, 1), (100, 102, 100, 101, 1), (101, 101, 97, 99, 1), (99, 104, 99, 104, 1)]
    path = path_of(market(rows, every="1h"))
    bar, sign = np.zeros(4, int), np.array([1, 1, -1, -1])
    level = np.log([103.0, 102.0, 97.0, 96.9])
    found = reached(path, bar, level, sign, 3 * HOUR)
    assert_array_equal(found.hours, [3, 1, 2, np.inf])
    assert_array_equal(found.bar, [3, 1, 2, -1])
    assert_allclose(found.returns, np.log(1.04))
    assert_array_equal(reached(path, bar, level, sign, 2 * HOUR).hours, [np.inf, 1, 2, np.inf])
    assert np.isnan(after(path, np.array([1]), 3 * HOUR)).all()


def test_the_moments_own_bar_is_past(walk: lq.Market) -> None:
    """A level inside the bar that has just closed counts only when it is traded again."""
    path = path_of(walk)
    bar = np.arange(200, 900)
    level = np.maximum(path.high[bar], path.close[bar] + 1e-9)
    hours = reached(path, bar, level, np.ones(len(bar), int), 24 * HOUR).hours
    brute = [
        next((float(k) for k in range(1, 25) if path.high[b + k] >= x), np.inf) for b, x in zip(bar, level, strict=True)
    ]
    assert_array_equal(hours, brute)


def test_running_extremes_equal_brute_force(walk: lq.Market) -> None:
    path, draw = path_of(walk), np.random.default_rng(0)
    first = draw.integers(0, 1_000, 300)
    last = first + draw.integers(-1, 400, 300)
    sign = draw.choice([-1, 1], 300)
    brute = [max((path.high[a : b + 1] if s > 0 else -path.low[a : b + 1]), default=-np.inf)
             for a, b, s in zip(first, last, sign, strict=True)]  # fmt: skip
    assert_array_equal(extremes(path, first, last, sign), brute)


def test_matched_blocks_reach_as_a_driftless_path_does() -> None:
    """Constant volatility, no survivorship: P(touched) = 2·(1 − Φ(z)), a little less as a path has steps."""
    draw = np.random.default_rng(1)
    close = 100 * np.exp(np.append(0, draw.normal(0, 0.002, 20_000)).cumsum())
    rows = [(a, max(a, b), min(a, b), b, 1.0) for a, b in itertools.pairwise(close)]
    path = path_of(market(rows, every="5min"))
    bar = np.arange(2_000, 18_000, 40)
    for z in (0.5, 1.0, 1.5):
        gap = z * path.sigma[bar]
        hours, payoff = matched_paths(path, bar, gap, np.ones(len(bar), int), np.zeros(len(bar), int), 24 * HOUR,
                                      paths=32, rng=np.random.default_rng(2))  # fmt: skip
        assert abs(np.isfinite(hours).mean() - 2 * norm.sf(z)) < 0.05
        assert np.nanmax(payoff / gap[:, None]) == pytest.approx(1.0)
        assert np.isnan(payoff).mean() == pytest.approx(0.5, abs=0.02)


# --- trials -----------------------------------------------------------------------------------------------------------


def test_a_trials_numbers_can_be_recomputed(walk: lq.Market) -> None:
    heat = frozen_map(walk, **BINS)
    table = trials(walk, heat, paths=0)
    assert len(table) > 50
    assert 0 < table["fair"].sum() < len(table)
    zones = zones_with_births(heat)
    candles = walk.candles
    step = pd.Timedelta("1h")
    for row in table.iloc[:: len(table) // 25].itertuples():
        assert row.price == pytest.approx(candles.loc[row.time - step, "close"])
        assert row.mirror == pytest.approx(row.price**2 / row.peak)
        future = candles[row.time : row.time + pd.Timedelta("24h") - step]
        hit = future.index[(future["high"] >= row.peak) if row.sign > 0 else (future["low"] <= row.peak)]
        assert row.hours == ((hit[0] + step - row.time) / step if len(hit) else np.inf)
        since = candles[(row.time - pd.Timedelta(days=row.age)).round("h") : row.time - step]
        if row.fair and row.age > 0:
            assert (since["low"].min() > row.mirror) if row.sign > 0 else (since["high"].max() < row.mirror)
        mine = zones[(zones["column"] == row.column) & (zones["side"] == row.side)]
        assert np.isclose(mine["peak"], row.peak).any()


def test_each_zone_counts_once(walk: lq.Market) -> None:
    zones = zones_with_births(frozen_map(walk, **BINS))
    assert (zones["born"] <= zones["column"]).all()
    lives = zones[zones["born"] >= 0].groupby("life")
    assert (lives["born"].min() == lives["born"].max()).all()
    assert (lives["side"].min() == lives["side"].max()).all()
    assert not zones.duplicated(["column", "life"]).any()
    tracked = lq.track(frozen_map(walk, **BINS))
    assert zones["life"].nunique() == len(tracked)


def test_nothing_looks_ahead(walk: lq.Market) -> None:
    """Zones and everything known are the same when the future is cut off; what came after is not known then."""
    cut = walk.until(walk.start + pd.Timedelta(days=40))
    whole, part = (trials(one, frozen_map(one, **BINS), paths=0) for one in (walk, cut))
    known = ["time", "side", "price", "peak", "mirror", "log_distance_to_peak", "sigma", "z", "age", "share", "fair",
             "first"]  # fmt: skip
    early = whole[whole["time"] <= cut.end - pd.Timedelta("24h")]
    assert len(early) > 20
    assert_frame_equal(early[known], part[known].iloc[: len(early)])
    assert_array_equal(early["hours"], part["hours"][: len(early)])
    assert (part["time"] <= cut.end - pd.Timedelta("24h")).all()


def test_the_result_adds_up(walk: lq.Market) -> None:
    found = lq.magnet(walk, paths=12)
    t = found.trials
    fair = t[t["first_fair"]]
    row = found.table.loc["mirror"]
    assert row["zone"] == pytest.approx(100 * np.isfinite(fair["hours"]).mean())
    assert row["effect"] == pytest.approx(row["zone"] - row["other"])
    assert row["n"] == len(fair)
    last = found.curves.groupby(["comparison", "which"]).last()["share"]
    assert last["mirror", "zone"] == pytest.approx(row["zone"])
    assert last["paths", "other"] == pytest.approx(found.table.loc["paths", "other"])
    assert (found.curves.groupby(["comparison", "which"])["share"].diff().dropna() >= -1e-9).all()
    assert "points" in repr(found)
    for name in ("mirror", "paths", "first"):
        hv.render(lq.plot.forest(found, comparison=name), backend="bokeh")
    hv.render(lq.plot.magnet(found), backend="bokeh")


def test_markets_of_one_date_are_one_path() -> None:
    """The same market twice doubles the trials, and tells nothing more."""
    one = garch_walk(7, days=80)
    single, twice = lq.magnet(one, paths=0), lq.magnet({"a": one, "b": one}, paths=0)
    assert twice.table.loc["mirror", "n"] == 2 * single.table.loc["mirror", "n"]
    columns = ["effect", "low", "high", "p", "blocks"]
    assert_allclose(twice.table[columns].to_numpy(float), single.table[columns].to_numpy(float))


def test_too_short_a_market_is_refused() -> None:
    with pytest.raises(ValueError, match="market: no bright zone was within reach in X/USDT:USDT; pass a longer"):
        lq.magnet(garch_walk(0, days=3))
    with pytest.raises(ValueError, match="one heatmap belongs to one market, got 2"):
        lq.magnet({"a": garch_walk(0, days=10), "b": garch_walk(1, days=10)}, frozen_map(garch_walk(0, days=10)))


# --- planted truths ---------------------------------------------------------------------------------------------------


def test_without_a_magnet_it_rejects_at_its_nominal_rate() -> None:
    """Zones from the same pipeline on walks that know nothing of positions; survivorship is all there."""
    runs = 1_000 if LONG else 60
    p = []
    for seed in range(runs):
        found = lq.magnet(garch_walk(seed, days=100), paths=12, seed=seed, every="6h", law="retail",
                          closing="proportional", price_step=0.15)  # fmt: skip
        p.append(found.table.loc[["mirror", "paths"], "p"].to_numpy(float))
    for name, least, values in zip(("mirror", "paths"), (0.05, 0.03), np.array(p).T, strict=True):
        known = values[np.isfinite(values)]
        rejected = int((known < 0.05).sum())  # against blocks of other times it errs on the careful side
        low, high = binom.ppf(0.005, len(known), least), binom.ppf(0.995, len(known), 0.05)
        assert len(known) > 0.9 * runs
        assert low <= rejected <= high, (name, rejected, len(known))


def test_a_planted_magnet_is_found() -> None:
    """By a map of narrow zones; the default law's broad ones do not find it with so few days."""
    options: dict[str, Any] = {"timeframe": "15m", "warmup": 3, "positions_per_day": 2_000}
    starts = pd.date_range("2024-01-01", periods=2, freq="32D")
    sims = {
        f"sim {k}": lq.simulate(32, seed=k, magnet=1.5, start=day, **options).market for k, day in enumerate(starts)
    }
    found = lq.magnet(sims, paths=16, assumptions=lq.Assumptions.preset("measured")).table
    assert (found.loc[["mirror", "paths"], "low"] > 0).all()
    assert (found.loc[["mirror", "paths"], "p"] < 0.01).all()
