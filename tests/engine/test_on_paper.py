"""Ten bars on paper: two markets small enough that every number is worked out by hand, in the comments.

One endless tier of 1 %, law {10: 1}. A 10x long from E is liquidated at ``E·0.9/0.99``: ln(1.1) = 0.0953102, that is
1906 cells of 0.00005 lower. A 10x short at ``E·1.1/1.01``: ln(1.0891089) = 0.0853599, that is 1707 cells higher.
Cell C = 92,103 holds the price 100 (ln 100 = 4.6051702); its centre is exp(92,103.5 · 0.00005) = 100.000481.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

import liqlab as lq
from liqlab.engine.inputs import build_inputs
from liqlab.engine.ledger import run_ledger
from liqlab.market.market import Market
from liqlab.models import Assumptions
from tests.markets import START, at_cell, candles, market, oi, tiers

C = 92_103
TEN: dict[str, Any] = {"law": {10: 1.0}, "entries": "spread"}
TENTH: dict[str, Any] = {**TEN, "share_of_volume": 0.1, "closing": "proportional"}
NO = [0.0] * 10

# (low, high) in cells from C, volume, taker buys
#                                          opened long / short         levels long / short
VOLUME = [
    (0, 0, 10, 6),  #                      6 / 4                       −1906 / 1707
    (100, 100, 4, 4),  #                   4 / 0                       −1806
    (-1805, -1805, 0, 0),  #               one cell above −1806: nothing
    (-1806, -1806, 2, 1),  #               reaches 4 longs; 1 / 1      −3712 / −99
    (-100, -100, 0, 0),  #                 one cell below −99: nothing
    (-100, -99, 8, 2),  #                  reaches 1 short; 2 / 6      −2006, −2005 / 1607, 1608 (3 each)
    (1600, 1607, 16, 8),  #                reaches 3 shorts; 8 / 8     −306 … −299 / 3307 … 3314
    (1600, 1600, 0, 0),  #                 nothing
    # 1909 cells, one coin each and side. The low reaches 8 longs at −306 … −299, and its own from the cells 1598, 1599,
    # 1600 (levels −308, −307, −306): 3. The high reaches its own shorts from −308 … −107 (levels 1399 … 1600): 202.
    (-308, 1600, 3818, 1909),
    (0, 0, 0, 0),  #                       nothing
]
#      6, +4, , −4 + 1, , +2, +8, , −8 + 1909 − 3          4, , , +1, , −1 + 6, −3 + 8, , +1909 − 202
ATTRIBUTED = [[6, 10, 10, 7, 7, 9, 17, 17, 1915, 1915], [4, 4, 4, 5, 5, 10, 15, 15, 1722, 1722]]
LIQUIDATED = [[0, 0, 0, 4, 0, 0, 0, 0, 8 + 1.5, 0], [0, 0, 0, 0, 0, 1, 3, 0, 101, 0]]
CLOSED = [[0, 0, 0, 0, 0, 0, 0, 0, 1.5, 0], [0, 0, 0, 0, 0, 0, 0, 0, 101, 0]]
# 4 · 91.366145; then 8 prices from 98.4816 to 98.5161 plus half of three;
# 99.506702; 3 · 108.367150; half the sum of 202 prices from 107.2463 to 108.3292
QUOTE = [
    [0, 0, 0, 365.464578162, 0, 0, 0, 0, 935.710638064, 0],
    [0, 0, 0, 0, 0, 99.5067021314, 325.101450391, 0, 10886.4564395, 0],
]


def flat(rows: list[tuple[int, int, float, float]]) -> list[tuple[float, ...]]:
    """Candles from cells: open and close in the middle of the lowest cell."""
    low_high = [(at_cell(C + low), at_cell(C + high)) for low, high, *_ in rows]
    return [(low, high, low, low, *row[2:]) for (low, high), row in zip(low_high, rows, strict=True)]


@pytest.fixture(scope="module")
def by_volume() -> Market:
    return market(flat(VOLUME))


def table(frame: pd.DataFrame, name: str) -> list[list[float]]:
    return [frame[name][side].tolist() for side in ("long", "short")]


def test_the_distances_are_those_on_paper() -> None:
    assert round(math.log(1.1) / 5e-5) == 1906 and round(math.log(1.1 / 1.01) / 5e-5) == 1707
    assert at_cell(C) == pytest.approx(100.000481, abs=1e-6)


def test_volume_balance(by_volume: Market) -> None:
    sheet = lq.balance(by_volume, "volume", **TEN)
    assert table(sheet, "opened") == [[6, 4, 0, 1, 0, 2, 8, 0, 1909, 0], [4, 0, 0, 1, 0, 6, 8, 0, 1909, 0]]
    np.testing.assert_allclose(table(sheet, "attributed_oi"), ATTRIBUTED, rtol=1e-12)
    np.testing.assert_allclose(table(sheet, "liquidated"), LIQUIDATED, rtol=1e-12)
    np.testing.assert_allclose(table(sheet, "closed"), CLOSED, rtol=1e-12, atol=1e-12)
    assert table(sheet, "unattributed_oi") == [NO, NO], "nothing is said of open interest"
    assert sheet[["open_interest", "coverage"]].isna().all().all()
    assert sheet.attrs["open_interest"].startswith("not used")


def test_volume_expected_liquidations(by_volume: Market) -> None:
    coins = lq.expected_liquidations(by_volume, "volume", **TEN, unit="coins")
    quote = lq.expected_liquidations(by_volume, "volume", **TEN)
    np.testing.assert_allclose(coins.to_numpy().T, LIQUIDATED, rtol=1e-12)
    np.testing.assert_allclose(quote.to_numpy().T, QUOTE, rtol=1e-11)
    assert (quote.index == by_volume.candles.index).all() and list(quote.columns) == ["long", "short"]


def test_volume_heatmap(by_volume: Market) -> None:
    """Bins of one dollar. Level prices: 90.910454 (−1906), 91.366145 (−1806), 83.060977 (−3712), 108.910343 (1707) …"""
    heat = lq.heatmap(by_volume, "volume", **TEN, price_range=(80, 120), price_step=1.0)
    assert heat["price"].values.tolist() == [k + 0.5 for k in range(80, 120)]
    expected = {
        ("long", 0): {90: 6 * 90.9104539935},
        ("long", 2): {90: 6 * 90.9104539935, 91: 4 * 91.3661445405},
        ("long", 3): {90: 6 * 90.9104539935, 83: 83.0609769406},
        ("long", 5): {90: 6 * 90.9104539935 + 90.4570362126 + 90.4615591761, 83: 83.0609769406},
        ("short", 0): {108: 4 * 108.910342731},
        ("short", 3): {108: 4 * 108.910342731, 99: 99.5067021314},
        ("short", 5): {108: 4 * 108.910342731 + 3 * 108.367150130 + 3 * 108.372568624},
    }
    for (side, bar), bins in expected.items():
        found = heat["notional"].sel(side=side).isel(time=bar).values
        paper = [bins.get(k, 0.0) for k in range(80, 120)]
        np.testing.assert_allclose(found, paper, rtol=1e-10, err_msg=f"{side} after bar {bar}")


def test_volume_levels(by_volume: Market) -> None:
    """After bar 6: eighteen levels and more, each with its touch; those of the first four bars in full."""
    rows = lq.levels(by_volume, "volume", **TEN, at=START + pd.Timedelta("105min"), end=START + pd.Timedelta("1h"))
    rows = rows[rows["opened"] > 0].sort_values(["opened_at", "side"])
    bars = ((rows["opened_at"] - START) // pd.Timedelta("15min")).tolist()
    assert list(zip(bars, rows["side"], rows["opened"], rows["standing"], strict=True)) == [
        (0, "long", 6, 6), (0, "short", 4, 4), (1, "long", 4, 0), (3, "long", 1, 1), (3, "short", 1, 0),
    ]  # fmt: skip
    prices = [90.9104539935, 108.910342731, 91.3661445405, 83.0609769406, 99.5067021314]
    np.testing.assert_allclose(rows["liquidation_price"], prices, rtol=1e-11)
    touched = ((rows["touched_at"] - START) / pd.Timedelta("15min")).tolist()
    np.testing.assert_array_equal(touched, [np.nan, np.nan, 3, np.nan, 5])
    np.testing.assert_allclose(rows["notional"], rows["standing"] * prices, rtol=1e-11)


# --- open interest --------------------------------------------------------------------------------------------------

# κ = 0.1, K = max(V/10, |ΔOI|), b the taker-buy share; opened = clip(b·(K + Δ), max(0, Δ), min(K, K + Δ)) and the rest
# (low, high), V, taker buys, OI at the close       Δ, K, longs / shorts; then what closing leaves of each side
INTEREST = [
    (0, 0, 100, 60, 50.0),  #          unknown → 0, 10, 6 / 4; the ledger was empty: 44 / 46 are unattributed
    (0, 0, 700, 350, 40.0),  #         −10, 70, 30 / 30; 40 of 80 stay on both sides: a half
    (50, 50, 0, 0, 60.0),  #           +20, 20 (above the volume), 20 / 20; 60 of 60
    (-1906, -1906, 0, 0, 60.0),  #     0, 0; 18 + 20 longs reached, none closes: unattributed takes them up
    (0, 0, 900, 900, 30.0),  #         −30, 90, all buy: 60 / 0; 30 of 120: a quarter; 30 of 60: a half
    (0, 1707, 25770, 12885, 869.0),  # +839, 2577, 1708 / 1708; 869 of 1738: a half; shorts: 869 of 1728.5, see below
    (0, 0, 0, 0, np.nan),  #           no stamp: the last one holds, nothing changes
    (0, 0, 0, 0, 0.0),  #              −869, 869, 0 / 0: everything closes
    (0, 0, 0, 0, 10.0),  #             +10, 10, 10 / 10
    (1707, 1707, 0, 0, 10.0),  #       0; 10 shorts from C reached: unattributed takes them up
]
# Bar 5, shorts: 18.5 stand, (4 + 30)/2/2 = 8.5 of them at 1707: reached. 1708 open, the one from C is reached at once:
# half a coin liquidated, half closed. 10 + 1707 attributed and 11.5 unattributed are 1728.5, of which 869 stay.
S5 = 863.21839745444
INTEREST_OPENED = [[6, 30, 20, 0, 60, 1708, 0, 0, 10, 0], [4, 30, 20, 0, 0, 1708, 0, 0, 10, 0]]
INTEREST_ATTRIBUTED = [[6, 18, 38, 0, 15, 861.5, 861.5, 0, 10, 10], [4, 17, 37, 37, 18.5, S5, S5, 0, 10, 0]]
INTEREST_UNATTRIBUTED = [[44, 22, 22, 60, 15, 7.5, 7.5, 0, 0, 0], [46, 23, 23, 23, 11.5, 869 - S5, 869 - S5, 0, 0, 10]]
INTEREST_LIQUIDATED = [[0, 0, 0, 38, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 9, 0, 0, 0, 10]]
INTEREST_CLOSED = [[0, 18, 0, 0, 45, 861.5, 0, 861.5, 0, 0], [0, 17, 0, 0, 18.5, 0.5 + 1717 - S5, 0, S5, 0, 0]]


@pytest.fixture(scope="module")
def by_interest() -> Market:
    stamps = oi([row[4] for row in INTEREST], start=START + pd.Timedelta("15min"))
    tables: dict[str, Any] = {"symbol": "X/USDT:USDT", "exchange": "venue", "leverage_tiers": tiers()}
    with pytest.warns(UserWarning, match=r"1 gap\(s\), 1 row\(s\) missing"):
        return Market(candles(flat([row[:4] for row in INTEREST])), open_interest=stamps, **tables)


def test_interest_balance(by_interest: Market) -> None:
    sheet = lq.balance(by_interest, "open_interest", **TENTH)
    expected = {"opened": INTEREST_OPENED, "attributed_oi": INTEREST_ATTRIBUTED,
                "unattributed_oi": INTEREST_UNATTRIBUTED, "liquidated": INTEREST_LIQUIDATED,
                "closed": INTEREST_CLOSED}  # fmt: skip
    for name, paper in expected.items():
        np.testing.assert_allclose(table(sheet, name), paper, rtol=1e-9, atol=1e-9, err_msg=name)
    assert table(sheet, "open_interest") == [[50, 40, 60, 60, 30, 869, 869, 0, 10, 10]] * 2
    assert sheet["coverage"]["long"].iloc[:4].tolist() == pytest.approx([0.12, 0.45, 38 / 60, 0])


def test_interest_heatmap_and_levels(by_interest: Market) -> None:
    """After bar 2: longs 18 at −1906 (90.910454) and 20 at −1856 (91.138014); after bar 4 a quarter of 60 at −1906."""
    heat = lq.heatmap(by_interest, price_range=(88, 112), price_step=0.1, **TENTH)
    two, four = (heat["notional"].isel(time=k).sel(side="long") for k in (2, 4))
    assert np.flatnonzero(two).tolist() == [29, 31] and np.flatnonzero(four).tolist() == [29]
    np.testing.assert_allclose(two.values[[29, 31]], [18 * 90.9104539935, 20 * 91.1380144588], rtol=1e-9)
    np.testing.assert_allclose(four.values[29], 15 * 90.9104539935, rtol=1e-9)
    rows = lq.levels(by_interest, at=START + pd.Timedelta("75min"), **TENTH)
    rows = rows[(rows["opened"] > 0) & (rows["side"] == "long")]
    assert rows["standing"].tolist() == [0, 0, 0, 15]
    assert rows["touched_at"].tolist()[:3] == [START + pd.Timedelta("45min")] * 3
    np.testing.assert_allclose(rows["notional"].sum(), 15 * 90.9104539935, rtol=1e-9)


def test_interest_expected_liquidations(by_interest: Market) -> None:
    """18 · 90.910454 + 20 · 91.138014; 9 and 10 · 108.910343."""
    quote = lq.expected_liquidations(by_interest, **TENTH)
    assert quote["long"].to_numpy()[3] == pytest.approx(3459.14846106, rel=1e-9)
    assert quote["short"].to_numpy()[[5, 9]] == pytest.approx([980.193084577, 1089.10342731], rel=1e-9)
    assert (quote.to_numpy() > 0).sum() == 3


@pytest.mark.parametrize(
    ("interest", "short_lived", "lasting"), [(9.0, 5 * (1 - 50.5 / 255.025), 5 * (1 - 0.505 / 255.025)), (4.0, 0, 4)]
)
def test_closing_by_age_takes_the_short_lived_half_first(interest: float, short_lived: float, lasting: float) -> None:
    """5 + 5 coins at rates 10 and 0.1, × 5.05 = 50.5 and 0.505, so that a ledger in balance closes at 1 on the mean.

    One coin closes at the rate 1 / (5 · 50.5 + 5 · 0.505). Six: the short-lived 5 go whole, the others lose a fifth.
    """
    rows = flat([(0, 0, 0, 0), (0, 0, 10, 10), (0, 0, 0, 0)])
    market = Market(candles(rows), open_interest=oi([0, 0, 10, interest]), symbol="X/USDT:USDT", exchange="venue",
                    leverage_tiers=tiers())  # fmt: skip
    inputs = build_inputs(market, Assumptions(**{**TENTH, "closing": "by_age"}))
    record = run_ledger(inputs.steps, inputs.ladder, by_level=True)
    for side in (0, 1):
        assert record.by_level[-1, side, :, 0].tolist() == pytest.approx([short_lived, lasting], rel=1e-9)


def test_a_level_fades_by_half_in_its_half_life() -> None:
    """10x fades by half in an hour = four bars, 20x in half an hour; what a bar opens fades in that bar as well."""
    market = Market(candles(flat([(0, 0, 8, 4)] + [(0, 0, 0, 0)] * 4)), symbol="X/USDT:USDT", exchange="venue",
                    leverage_tiers=tiers())  # fmt: skip
    sheet = lq.balance(market, "decay", law={10: 1, 20: 1}, half_life="1h", by_leverage=True)["attributed_oi"]["long"]
    for leverage, quarter in ((10, 2**-0.25), (20, 2**-0.5)):
        stands = sheet.xs(leverage, level="leverage").to_numpy()
        np.testing.assert_allclose(stands, 2 * quarter ** np.arange(1, 6), rtol=1e-12)
    assert set(lq.balance(market, "decay", **TEN)["unattributed_oi"]["long"]) == {0.0}


def test_interest_scaled_as_a_proxy(by_interest: Market) -> None:
    """A proxy of half the size counts twice: the ledger adds up to 2 · OI, and says so."""
    sheet = lq.balance(by_interest, open_interest_scale=2.0, **TEN)
    both = sheet["attributed_oi"] + sheet["unattributed_oi"]
    np.testing.assert_allclose(both["long"], [100, 80, 120, 120, 60, 1738, 1738, 0, 20, 20], rtol=1e-12)
    assert "× 2" in lq.heatmap(by_interest, open_interest_scale=2.0).attrs["open_interest"]


def test_the_first_bar_uses_its_change_where_both_stamps_are_known() -> None:
    """The change of [t, t + Δ) is OI(t + Δ) − OI(t) once both are known: +4 in the very first bar opens 4 and 4."""
    row = flat([(0, 0, 10, 5)])
    both = market(row, open_interest=oi([50.0, 54.0]))
    sheet = lq.balance(both, **TEN)
    assert table(sheet, "opened") == [[4.0], [4.0]]


@pytest.mark.parametrize("dollars", [90.0, 110.0])
def test_a_pure_price_move_opens_nothing(dollars: float) -> None:
    """Open interest in coins stays, its value moves with price: no volume, no openings, no closings."""
    rows = [(100.0, 100.0, 100.0, 100.0, 0.0), (dollars, dollars, dollars, dollars, 0.0)]
    sheet = lq.balance(market(rows, open_interest=oi([7.0, 7.0, 7.0])), **TEN)
    assert (sheet["opened"].to_numpy() == 0).all() and (sheet["closed"].to_numpy() == 0).all()
    assert (sheet["unattributed_oi"].to_numpy() == 7).all()
