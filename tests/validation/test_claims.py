"""The table of claims: statistics by closed forms, verdicts by cases, tests on planted and on empty markets."""

from __future__ import annotations

import os
from typing import Any

import holoviews as hv
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

import liqlab as lq
from liqlab.plot.claims import VERDICTS
from liqlab.validation._claims import definitions
from liqlab.validation._claims.block_estimates import Estimate, blocks_of, difference, evenly, mean, slope
from liqlab.validation._claims.decisions import KINDS, decide_claims, holm, verdict
from liqlab.validation._claims.frozen_zones import frozen_map, trials
from liqlab.validation._claims.samples import TABLES, _hours, _pairs, concat_samples, resampled
from liqlab.validation._claims.table import START
from tests.walks import garch_walk

LONG = os.environ.get("LIQLAB_LONG") == "1"
SMALL = "xrp-2024-05"


# --- statistics -------------------------------------------------------------------------------------------------------


def test_one_row_a_block_is_the_textbooks_t_test() -> None:
    x = np.random.default_rng(0).normal(0.3, 1, 30)
    found, book = mean(np.arange(30), x), stats.ttest_1samp(x, 0)
    assert found.p == pytest.approx(book.pvalue)
    interval = book.confidence_interval()
    assert_allclose([found.effect, found.low, found.high], [x.mean(), interval.low, interval.high])
    assert (found.n, found.blocks) == (30, pytest.approx(30))


def test_rows_of_a_block_are_one_observation() -> None:
    x = np.random.default_rng(1).normal(0, 1, 12)
    once, often = mean(np.arange(12), x), mean(np.repeat(np.arange(12), 9), np.repeat(x, 9))
    assert_allclose([often.low, often.high, often.p, often.blocks], [once.low, once.high, once.p, once.blocks])
    assert often.n == 108


def test_uneven_blocks_count_for_less() -> None:
    """(10 + 1 + 1 + 1 + 1)² / (100 + 4) = 1.88: no interval from it."""
    found = mean(np.repeat(np.arange(5), [10, 1, 1, 1, 1]), np.arange(14.0))
    assert found.blocks == pytest.approx(196 / 104)
    assert np.isnan([found.low, found.high, found.p]).all()


def test_nothing_gives_no_number() -> None:
    none, nan = np.empty(0), np.full(3, np.nan)
    for found in (mean(none, none), mean(np.arange(3), nan), difference(np.arange(3), nan, nan > 0),
                  slope(np.arange(3), nan, [nan], np.zeros(3))):  # fmt: skip
        assert np.isnan([found.effect, found.low, found.p]).all()
        assert found.blocks == 0


def test_means_of_cells_are_compared_within_the_cells() -> None:
    """Cell 0: 4 − 1 = 3 with weight 2·1/3; cell 1: 1 − 0 = 1 with weight 1·1/2; cell 2 holds one kind."""
    value = np.array([3.0, 5.0, 1.0, 1.0, 0.0, 99.0])
    chosen = np.array([True, True, False, True, False, True])
    found = evenly(np.arange(6), value, chosen, np.array([0, 0, 0, 1, 1, 2]))
    assert found.effect == pytest.approx((3 * 2 / 3 + 1 * 1 / 2) / (2 / 3 + 1 / 2))
    assert difference(np.arange(6), value, chosen).effect == pytest.approx(27 - 0.5)


def test_the_slope_is_that_of_least_squares_with_a_constant_per_group() -> None:
    draw = np.random.default_rng(2)
    group, a, b = draw.integers(0, 3, 200), draw.normal(size=200), draw.normal(size=200)
    y = 0.7 * a - 2 * b + 5 * group + draw.normal(size=200)
    design = np.column_stack([a, b, *(group == g for g in range(3))])
    found = slope(np.arange(200), y, [a, b], group)
    assert found.effect == pytest.approx(np.linalg.lstsq(design, y, rcond=None)[0][0])
    classical = stats.linregress(a, y + 2 * b - 5 * group)
    assert (found.high - found.low) / 2 / 1.97 == pytest.approx(classical.stderr, rel=0.15)


def test_intervals_hold_where_rows_of_a_block_go_together() -> None:
    """Thirty uneven blocks that share a shock: 95 % of the intervals hold the truth, within a binomial band."""
    draw, runs, inside = np.random.default_rng(3), 2_000 if LONG else 300, 0
    for _ in range(runs):
        block = np.repeat(np.arange(30), draw.integers(1, 12, 30))
        found = mean(block, draw.normal(size=30)[block] + draw.normal(size=len(block)))
        inside += found.low < 0 < found.high
    low, high = stats.binom.ppf([0.001, 0.999], runs, 0.95)
    assert low <= inside <= high


def test_blocks_are_of_the_calendar_and_hold_a_horizon_and_the_oldest_zone() -> None:
    assert pd.Timedelta("8D") == definitions.BLOCK
    times = pd.to_datetime(["2024-01-01 00:00", "2024-01-03 23:59", "2024-01-04 00:00"], utc=True)
    assert_array_equal(np.diff(blocks_of(times, "1d")), [2, 1])
    assert len(np.unique(blocks_of(times, definitions.BLOCK))) == 1


def test_holm_by_hand() -> None:
    assert_allclose(holm([0.01, 0.04, 0.03, np.nan, 0.005]), [0.03, 0.06, 0.06, np.nan, 0.02])
    assert_allclose(holm([0.9, 0.8]), [1, 1])


@pytest.mark.parametrize(
    ("estimate", "corrected", "sign", "kind", "words"),
    [
        ((6, 4, 8, 0.001), 0.02, 1, 0, "supported: +4 to +8 points"),
        ((3, 2, 4, 0.001), 0.02, 1, 1, "true but too small to matter: +2 to +4 points"),
        ((6, 4, 8, 0.001), 0.02, -1, 2, "the opposite was found"),
        ((1, -2, 4, 0.5), 1.0, 1, 3, "between -2 and +4 points, less than the 5 that would matter"),
        ((4, -2, 9, 0.2), 1.0, 1, 4, "anything from -2 to +9 points fits them"),
        ((4, 1, 9, 0.02), 0.4, 1, 4, "a hint for the claim"),
        ((-4, -9, -1, 0.02), 0.4, 1, 4, "a hint against the claim"),
        ((4, np.nan, np.nan, np.nan), np.nan, 1, 4, "only 3 independent stretches of time"),
    ],
)
def test_verdicts(estimate: Any, corrected: float, sign: int, kind: int, words: str) -> None:
    effect, low, high, p = estimate
    said = verdict(Estimate(effect, low, high, p, 100, 3), corrected, sign=sign, margin=5, unit="points", looks=20)
    assert said[0] == KINDS[kind]
    assert words in said[1]


# --- tables -----------------------------------------------------------------------------------------------------------


def test_wider_candles_hold_what_the_finer_ones_held() -> None:
    market = garch_walk(1, days=3)
    wide = resampled(market, "4h")
    assert wide.step == pd.Timedelta("4h")
    part = market.candles.iloc[4:8]
    row = wide.candles.iloc[1]
    assert row[["open", "high", "low", "close", "volume"]].tolist() == pytest.approx(
        [part["open"].iloc[0], part["high"].max(), part["low"].min(), part["close"].iloc[-1], part["volume"].sum()]
    )
    assert len(resampled(market.until("2024-01-02 02:00"), "4h").candles) == 6  # the seventh is not over
    assert resampled(market, "15m") is market


def test_pairs_are_sweep_less_control() -> None:
    columns = {
        "side": "short",
        "low": 100.0,
        "high": 101.0,
        "atr": 1.0,
        "first_bar_penetration_atr": 0.2,
        "after_4h": 0.0,
    }
    time = pd.to_datetime(["2024-01-01 10:00"], utc=True)
    swept = pd.DataFrame({"time": time, "decided_at": time, "after_24h": 0.03, **columns})
    control = swept.assign(time=time + pd.Timedelta("1D"), after_24h=0.01)
    filters = pd.DataFrame({"rsi": [40.0]}, index=time - pd.Timedelta("1h"))
    assert _pairs(swept, control, filters)[["after_24h", "rsi"]].iloc[0].tolist() == pytest.approx([2.0, 40.0])


def test_planted_flows_are_measured() -> None:
    """Hours with a sweep get 30 % more liquidations and lose half a percent of open interest."""
    market = lq.load_example("btc-2024-07")
    draw = np.random.default_rng(4)
    swept = pd.DataFrame({"time": market.candles.index[draw.choice(len(market.candles), 300, replace=False)],
                          "side": draw.choice(["long", "short"], 300)})  # fmt: skip
    table = _hours(market, swept).assign(market="x")
    assert table["swept"].sum() == 300
    noise = draw.normal(size=len(table))
    table["liquidated"] = 5 * table["adverse"] + table["volume"] + 0.3 * table["swept"] + 0.2 * noise
    table["open_interest"] = -3 * table["range"] - 0.5 * table["swept"] + 0.2 * noise
    table["before"] = 0.0
    by = {
        claim.name: claim.measure({"hours": table})
        for claim in definitions.CLAIMS
        if claim.group == "cascade" and "in the" in claim.name
    }
    assert by["liquidations in the sweep"].effect == pytest.approx(30, abs=5)
    assert by["open interest in the sweep"].effect == pytest.approx(-0.5, abs=0.05)
    assert by["open interest in the sweep"].high < 0


def test_planted_strata_bounce_and_stops_are_measured() -> None:
    draw, n = np.random.default_rng(5), 4_000
    time = pd.date_range("2024-01-01", periods=n, freq="2h", tz="UTC")
    sign, overlap = draw.choice([-1, 1], n), draw.integers(1, 5, n)
    hit = draw.random(n) < np.where(overlap >= 3, 0.45, 0.3)
    table = pd.DataFrame({"time": time, "sign": sign, "side": np.where(sign > 0, "short", "long"), "overlap": overlap,
                          "hours": np.where(hit, 3.0, np.inf), "path_touched": 0.3, "first": True, "first_fair": True,
                          "back": 0.004 + 0.01 * draw.normal(size=n) - 0.02 * sign,
                          "mirror_back": 0.01 * draw.normal(size=n) + 0.02 * sign})  # fmt: skip
    stops = pd.DataFrame({"time": time, "market": "x", "side": "long", "z": draw.choice([0.5, 1.5], n), "traded": False,
                          "inside": draw.random(n) < 0.2})  # fmt: skip
    stops["hit"] = (draw.random(n) < 0.6 / stops["z"] - 0.1 * ~stops["inside"]).astype(float)
    tables = {"trials": table, "stops": stops}
    by = {claim.name: claim for claim in definitions.CLAIMS}
    assert by["windows overlap"].measure(tables).effect == pytest.approx(15, abs=4)
    assert by["support and resistance"].measure(tables).effect == pytest.approx(0.4, abs=0.1)  # drift cancels
    assert by["stops outside clusters"].measure(tables).effect == pytest.approx(-10, abs=5)


def test_filters_know_which_way_they_point() -> None:
    table = pd.DataFrame({"sign": [1, 1, -1, -1, 1], "side": ["short", "short", "long", "long", "short"],
                          "rsi": [30, 70, 70, 30, np.nan], "funding_z": [-1, 1, 1, -1, np.nan],
                          "open_interest_change": [0.1, -0.1, 0.1, -0.1, np.nan]})  # fmt: skip
    assert_array_equal(definitions._rsi(table), [1, 0, 1, 0, np.nan])
    assert_array_equal(definitions._funding(table), [1, 0, 1, 0, np.nan])
    assert_array_equal(definitions._interest(table), [1, 0, 1, 0, np.nan])
    sweeps = table.drop(columns="sign").assign(side=["long", "long", "short", "short", "long"])
    assert_array_equal(definitions._rsi(sweeps), [1, 0, 1, 0, np.nan])  # a swept low trades up


# --- nothing is found where there is nothing --------------------------------------------------------------------------


def test_claims_reject_at_their_nominal_rate_on_walks() -> None:
    """Direction, turning and their kin on walks that know nothing of positions: false findings stay at their rate."""
    runs = 300 if LONG else 5
    groups = ("magnet", "direction", "turning", "stops", "volatility")
    more = ("runs on after the sweep", "windows overlap")
    tested = [c for c in definitions.CLAIMS if (c.group in groups or c.name in more) and "vendors" not in c.name]
    every = [concat_samples([_quick(seed)]) for seed in range(runs)]
    for claim in tested:
        p = np.array([claim.measure(tables).p for tables in every])
        known, rejected = np.isfinite(p).sum(), (p < 0.05).sum()
        assert known >= 0.8 * runs  # few touches in a short walk: no interval
        assert rejected <= stats.binom.ppf(0.9995, known, 0.05), (claim.name, rejected, known)


def _quick(seed: int) -> dict[str, pd.DataFrame]:
    """What `gather` makes, on a walk, without the maps of other windows and time frames."""
    from liqlab.market.technicals import indicators
    from liqlab.validation._claims import samples
    from liqlab.validation._claims.frozen_zones import zones_with_births

    market = garch_walk(seed, days=100)
    heat = frozen_map(market, law="retail", closing="proportional")
    zones = zones_with_births(heat)
    main = trials(market, heat, zones=zones, paths=16, seed=seed)
    draw = np.random.default_rng(seed)
    filters = indicators(market).reindex(columns=["rsi", "funding_z", "open_interest_change"]).astype(float)
    tables = {name: pd.DataFrame({"time": pd.DatetimeIndex([], tz="UTC")}) for name in TABLES}
    tables |= {
        "trials": main.assign(overlap=draw.integers(1, 5, len(main))),
        "moments": samples._moments(market, heat),
        "stops": samples._stops(market, heat, zones, seed),
        **samples._visits(market, heat, filters),
    }
    return {name: table.assign(market="walk") for name, table in tables.items()}


# --- the table that ships ---------------------------------------------------------------------------------------------


def test_every_claim_of_the_sources_has_its_row() -> None:
    table = lq.claims()
    assert list(table["claim"]) == [claim.name for claim in definitions.CLAIMS]
    assert set(table["kind"]) <= set(KINDS) == set(VERDICTS)
    told = " ".join(table["claim"] + " " + table["wording"] + " " + table["test"]).lower()
    words = ("magnet", "mirror", "long", "short", "fees", "sfp", "ordinary swing", "support", "resistance", "4h", "1d",
             "liquidations", "open interest", "volatility", "windows", "25x, 50x and 100x", "rsi", "funding",
             "stops")  # fmt: skip
    for word in words:
        assert word in told, word
    assert (table["n"] > 0).all()
    known = table[table["p"].notna()]
    assert (known["p_corrected"] >= known["p"]).all()
    assert_allclose(table["p_corrected"], holm(table["p"]), rtol=1e-4)
    assert (known["low"] <= known["effect"]).all()
    assert (known["effect"] <= known["high"]).all()


def test_contradictions_are_between_claims_that_exist() -> None:
    names = {claim.name for claim in definitions.CLAIMS}
    assert len(names) == len(definitions.CLAIMS)
    for claim in definitions.CLAIMS:
        assert set(claim.against) <= names
    assert any("others" in claim.wording for claim in definitions.CLAIMS if claim.group == "direction")


def test_a_small_rerun_agrees_with_the_table_that_ships() -> None:
    """The same code on one example; the rest of the table was made by the same command."""
    again, shipped = lq.claims([SMALL]), lq.claims(SMALL)
    for name in ("n", "blocks", "effect", "low", "high", "p"):
        assert_allclose(again[name].to_numpy(float), shipped[name].to_numpy(float), rtol=2e-3, atol=2e-3, err_msg=name)
    assert list(again["kind"]) == list(shipped["kind"])


def test_there_is_a_part_for_every_example() -> None:
    for case in lq.examples().query("in_claims").index:
        assert len(lq.claims(case)) == len(definitions.CLAIMS)
    with pytest.raises(ValueError, match=r"the table of claims has no part 'btc'; it has all, btc-2024-05"):
        lq.claims("btc")


def test_what_two_cases_have_in_common_counts_once() -> None:
    """Cases of one symbol whose candles overlap: the later one starts where the earlier one ends, or after it."""
    table = lq.examples().query("in_claims")
    for name, start in START.items():
        others = table[
            (table["symbol"] == table.loc[name, "symbol"])
            & (table["start"] < table.loc[name, "start"] + pd.Timedelta("1D"))
        ]
        assert (others.drop(name)["end"] <= pd.Timestamp(start, tz="UTC")).all()


def test_the_ledger_is_drawn_with_every_verdict() -> None:
    claims = definitions.CLAIMS[:5]
    estimates = [Estimate(6, 4, 8, 1e-5, 9, 9), Estimate(6, 4, 8, 1e-5, 9, 9), Estimate(-9, -10, -8, 1e-5, 9, 9),
                 Estimate(0.1, -1, 1, 0.8, 9, 9), Estimate(1, np.nan, np.nan, np.nan, 9, 2)]  # fmt: skip
    table = decide_claims(claims, estimates)
    figure = lq.plot.claims_table(table, title="Claims")
    labels = [element.label for element in figure if isinstance(element, hv.Points)]
    assert set(labels) == {VERDICTS[kind][0] for kind in table["kind"]}
    drawn = hv.render(figure, backend="bokeh")
    assert drawn.title.text.startswith("Claims")
