"""Laws of distances: shares that sum to one, distances that are the margin's, and errors that name the remedy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import liqlab as lq
from liqlab.loaders._examples import folder
from liqlab.margin import liquidation_price, tiers_for
from liqlab.models._law import FITTED, LEVERAGES, MAX_LOG_DISTANCE, MEASURED, PRESETS, Law, distances
from tests.markets import tiers

TABLE = tiers_for("binanceusdm", "BTC/USDT:USDT", "2024-04-25")
FLAT = tiers_for("venue", "X/USDT:USDT", leverage_tiers=tiers())
MAPPINGS = st.dictionaries(st.sampled_from(LEVERAGES), st.floats(0.01, 100), min_size=1)


# --- shares ---------------------------------------------------------------------------------------------------------


def test_a_mapping_is_sorted_normalised_and_serves_both_sides() -> None:
    own = lq.law({50: 1, 10: 3})
    assert own.leverage.tolist() == [10, 50] and own.long.tolist() == own.short.tolist() == [0.75, 0.25]
    assert own.name == "own" and own.reason
    assert lq.law(own) is own
    assert lq.law({"10": 3, "50": 1}).long.tolist() == [0.75, 0.25], "keys may come from JSON"


@given(MAPPINGS)
def test_shares_sum_to_one_whatever_their_unit(shares: dict[float, float]) -> None:
    one, percent = lq.law(shares), lq.law({x: 100 * share for x, share in shares.items()})
    assert one.long.sum() == pytest.approx(1) and (one.long > 0).all()
    np.testing.assert_allclose(one.long, percent.long, rtol=1e-12)


def test_the_measured_law_has_the_measured_quantiles() -> None:
    """No more than the quantiles allow is nearer than half of them, or farther than twice."""
    law = lq.law("measured")
    assert law.leverage.tolist() == list(LEVERAGES) and "243,028" in law.reason and "unreviewed" in law.reason
    for side, shares in (("long", law.long), ("short", law.short)):
        assert shares.sum() == pytest.approx(1) and (shares >= 0).all()
        p10, median, p90 = MEASURED[side]
        # at most this much of the mass is nearer than p10, median, p90: classes whose distance 1/L lies well inside
        for quantile, probability in ((p10, 0.1), (median, 0.5), (p90, 0.9)):
            nearer = shares[1 / law.leverage < quantile / 2].sum()
            farther = shares[1 / law.leverage > quantile * 2].sum()
            assert nearer < probability and farther < 1 - probability
    assert MEASURED == {"long": (0.053, 0.223, 0.472), "short": (0.019, 0.079, 0.325)}


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_law_with_a_reason(name: str) -> None:
    law = lq.law(name)
    assert law.name.split()[0] == name and len(law.reason) > 20
    assert [law.long.sum(), law.short.sum()] == pytest.approx([1, 1])


def test_the_fitted_preset_is_the_fit_that_is_told() -> None:
    """The parameters in the code are those of the table that research/fit_default.py wrote."""
    table = pd.read_csv(folder("data") / "default.csv", index_col="name")["value"]
    assert [float(table[name]) for name in ("median", "sigma", "near")] == list(FITTED)
    kept = lq.Assumptions.preset("fitted")
    assert kept.law.name.startswith("fitted") and (kept.law.long == kept.law.short).all() and kept.entries == "ordered"
    assert kept.options["share_of_volume"] == float(table["share_of_volume"])
    assert kept.options["closing"] == table["closing"]


def test_a_list_of_leverages_shares_alike() -> None:
    assert lq.law([50, 25]).leverage.tolist() == [25, 50] and lq.law([50, 25]).long.tolist() == [0.5, 0.5]


def test_shorts_stand_nearer_than_longs_in_the_measured_law() -> None:
    law = lq.law("measured")
    assert (np.cumsum(law.long) >= np.cumsum(law.short) - 1e-12).all(), (
        "at every leverage more of the longs are at or below it"
    )


# --- distances ------------------------------------------------------------------------------------------------------


@given(MAPPINGS, st.sampled_from([100.0, 10_000.0, 200_000.0]))
def test_distances_are_those_of_the_margin(shares: dict[float, float], size: float) -> None:
    """|ln(LP / E)| of a position of the typical size, class by class, wherever the tier allows the leverage."""
    law = lq.law({2.0: 1.0, **shares})
    distance, share = distances(law, TABLE, position_notional=size)
    assert distance.shape == share.shape == (2, law.leverage.size)
    assert share.sum(axis=1) == pytest.approx([1, 1])
    for s, side in enumerate(("long", "short")):
        for j, leverage in enumerate(law.leverage):
            if share[s, j] > 0:
                price = liquidation_price(50.0, side=side, leverage=leverage, quantity=size / 50, leverage_tiers=TABLE)
                assert distance[s, j] == pytest.approx(abs(np.log(price / 50)), rel=1e-9)


def test_distances_on_paper() -> None:
    """1 %: ln(0.99 / 0.9) = 0.0953102 and ln(1.1 / 1.01) = 0.0853598."""
    distance, share = distances(lq.law({10: 1}), FLAT, position_notional=10_000)
    assert distance[:, 0].tolist() == pytest.approx([0.0953102, 0.0853598], abs=5e-8)
    assert share.tolist() == [[1.0], [1.0]]


def test_forbidden_leverages_leave_their_share_to_the_others() -> None:
    """The largest tier of a two-tier table allows 20x: 50x and 100x go, 10x and 20x keep their proportion."""
    two = tiers_for(
        "venue", "X/USDT:USDT", leverage_tiers=tiers((0.0, 1e5, 0.01, 0.0, 125.0), (1e5, 1e9, 0.02, 1e3, 20.0))
    )
    law = lq.law({10: 1, 20: 3, 50: 2, 100: 2})
    small, large = (distances(law, two, position_notional=size)[1] for size in (1e4, 1e6))
    assert small[0].tolist() == [0.125, 0.375, 0.25, 0.25] and large[0].tolist() == [0.25, 0.75, 0, 0]
    with pytest.raises(ValueError, match=r"starts at 50x, but X/USDT:USDT allows .* only 20x; lower position_notional"):
        distances(lq.law({50: 1}), two, position_notional=1e6)


def test_a_long_that_cannot_be_liquidated_stands_out_of_reach() -> None:
    distance, _ = distances(lq.law({1: 1}), FLAT, position_notional=100.0)
    assert distance[0, 0] == MAX_LOG_DISTANCE and distance[1, 0] == pytest.approx(np.log(2 / 1.01))


def test_levels_behind_their_entry_are_not_put_on_its_far_side() -> None:
    """125x under 1 % maintenance: the margin never covers it; such a class keeps a distance all the same."""
    distance, _ = distances(lq.law({125: 1}), FLAT, position_notional=100.0)
    assert (distance > 0).all()


# --- errors teach ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("law", "words"),
    [
        ("hyperliquid", "no law is called 'hyperliquid'; there are .*measured"),
        ({0.04: 1}, r"leverages must be >= 1 and ascending, got \[0.04\]; pass 25 for 25x"),
        ({}, "leverages must be >= 1"),
        ({10: -1}, r"long shares must be >= 0, one for each of 1 leverages, with a positive sum; got \[-1.0\]"),
        ({10: 0.0}, "with a positive sum"),
        ({10: float("nan")}, "shares must be >= 0"),
    ],
)
def test_errors_say_what_is_wrong_and_what_to_do(law: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        lq.law(law)


def test_a_law_of_ones_own_is_checked_too() -> None:
    with pytest.raises(ValueError, match="short shares must be >= 0, one for each of 2 leverages"):
        Law("mine", np.array([5.0, 10.0]), np.array([1.0, 1.0]), np.array([1.0]))
    with pytest.raises(ValueError, match="ascending"):
        Law("mine", np.array([10.0, 5.0]), np.ones(2), np.ones(2))
    one_sided = Law("mine", np.array([5.0, 100.0]), np.array([0.0, 1.0]), np.array([1.0, 0.0]))
    narrow = tiers_for("venue", "X/USDT:USDT", leverage_tiers=tiers((0.0, 1e9, 0.01, 0.0, 20.0)))
    with pytest.raises(ValueError, match=r"puts no long at a leverage that X/USDT:USDT allows \(up to 20x\)"):
        distances(one_sided, narrow, position_notional=100.0)


def test_a_spread_class_keeps_its_label_and_its_share() -> None:
    """Three classes of two leverage levels: labels twice, shares halved, levels between the neighbours' midpoints."""
    law = replace(lq.law({5: 2, 20: 1, 80: 1}), spread=2)
    assert law.labels.tolist() == [5, 5, 20, 20, 80, 80]
    # 20x stands for 10x … 40x, geometric midpoints to 5x and 80x; its leverage levels at a quarter and three quarters
    # of that
    assert law.leverage_levels[2:4] == pytest.approx([10 * 4**0.25, 10 * 4**0.75])
    assert law.leverage_levels[:2] == pytest.approx([2.5 * 4**0.25, 2.5 * 4**0.75])
    assert law.leverage_levels[4:] == pytest.approx([40 * 2**0.25, 40 * 2**0.75])
    tiers = lq.margin.tiers_for("binanceusdm", "BTC/USDT:USDT", "2024-05-01")
    distance, share = distances(law, tiers, position_notional=10_000)
    assert share[0] == pytest.approx([0.25, 0.25, 0.125, 0.125, 0.125, 0.125])
    assert distance[0] == pytest.approx(np.log(0.996 / (1 - 1 / law.leverage_levels)))
    with pytest.raises(
        ValueError, match=r"spread must be a whole number of leverage levels >= 1, or one for .* 3 classes; got 0"
    ):
        replace(law, spread=0)
    by_class = replace(law, spread=(1, 3, 2))
    assert by_class.labels.tolist() == [5, 20, 20, 20, 80, 80] and by_class.leverage_levels[0] == 5
    assert by_class.leverage_levels[1:4] == pytest.approx([10 * 4 ** (1 / 6), 20, 10 * 4 ** (5 / 6)])


def test_a_share_of_a_spread_class_can_stand_at_its_leverage() -> None:
    """Two classes of two levels each, a fifth of each at its own leverage, which stands between them in order."""
    law = replace(lq.law({5: 3, 20: 1}), spread=2, exact=0.2)
    assert law.labels.tolist() == [5, 5, 5, 20, 20, 20] and law.counts.tolist() == [3, 3]
    assert law.leverage_levels[1] == 5 and (np.diff(law.leverage_levels) > 0).all()
    assert law.level_shares[0] == pytest.approx([0.3, 0.15, 0.3, 0.1, 0.1, 0.05])  # the last: 20x is its highest
    assert Law.recorded(law.record()).leverage_levels.tolist() == law.leverage_levels.tolist()
    with pytest.raises(ValueError, match=r"exact share must lie in \[0, 1\), got 1.0; spread=1"):
        replace(law, exact=1.0)


def test_a_spread_law_has_the_same_classes_on_the_map() -> None:
    """By leverage the labels are those of the law, and their sum is the map without the split."""
    market = lq.load_example("btc-2024-07")
    window = {"start": "2024-07-04", "end": "2024-07-05"}
    split = lq.heatmap(market, by_leverage=True, **window)
    assert split["leverage"].to_numpy().tolist() == lq.law("measured").leverage.tolist()
    whole = lq.heatmap(market, **window)
    np.testing.assert_allclose(split["notional"].sum("leverage"), whole["notional"], rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize(("notional", "rate"), [(10_000.0, 0.004), (1_000_000.0, 0.01)])
def test_an_inverse_table_is_in_coins(notional: float, rate: float) -> None:
    """(1 + m) / (1 + 1/L) below the entry: 0.2 coins at 50,000 are in the first tier, 20 in the second."""
    who = {"exchange": "binancecoinm", "symbol": "BTC/USD:BTC", "as_of": "2024-01-01"}
    rows = [
        {"tier": 1, "min_notional": 0, "max_notional": 5, "maintenance_margin_rate": 0.004, "max_leverage": 125,
         "maintenance_amount": 0.0},
        {"tier": 2, "min_notional": 5, "max_notional": 1e6, "maintenance_margin_rate": 0.01, "max_leverage": 100,
         "maintenance_amount": 0.03},
    ]  # fmt: skip
    tiers = lq.margin.tiers_for("binancecoinm", "BTC/USD:BTC", leverage_tiers=pd.DataFrame([who | row for row in rows]))
    distance, _ = distances(lq.law({10: 1}), tiers, position_notional=notional, price=50_000.0)
    amount = 0.03 / 20 if rate == 0.01 else 0.0  # "cum" relative to the position's 20 coins
    assert distance[0, 0] == pytest.approx(-np.log((1 + rate) / (1 + 0.1 + amount)), abs=1e-9)
