"""Hedge mode: long and short of one symbol in one cross wallet, whose PnL both move with the price."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import liqlab as lq
from liqlab.margin import Tiers, formulas, tiers_for
from liqlab.margin.tiers import default_tiers

lp = lq.liquidation_price
SIDES = ("long", "short")
BTC, INVERSE = "BTC/USDT:USDT", "BTC/USD:BTC"
FLAT: dict[str, Any] = {"wallet_balance": 5_000, "maintenance_margin_rate": 0.005}
HEDGED = formulas().query("hedge != ''").index.tolist()


def other_side(side: str) -> str:
    return SIDES[side == "long"]


# --- by hand ----------------------------------------------------------------------------------------------------------


def test_both_legs_share_one_price() -> None:
    """Long 1 at 60,000, short 0.6 at 62,000, wallet 5,000, m = 0.5 %, no amounts, by hand.

    Equity at P: 5000 + 1·(P − 60000) + 0.6·(62000 − P) = −17800 + 0.4·P. Maintenance: 0.005·(1 + 0.6)·P = 0.008·P.
    Equal where 0.392·P = 17800: P = 45408.163…
    """
    for leg in (
        lp(60_000, side="long", quantity=1, hedge_quantity=0.6, hedge_entry_price=62_000, **FLAT),
        lp(62_000, side="short", quantity=0.6, hedge_quantity=1, hedge_entry_price=60_000, **FLAT),
    ):
        assert leg == pytest.approx(17_800 / 0.392, rel=1e-14) and round(leg, 2) == 45_408.16


def test_a_leg_passed_as_a_constant_is_another_price() -> None:
    """At 60,000 the short has gained 1,200 and needs 180: as constants they give 54,251.26, which is no hedge."""
    constant = lp(60_000, side="long", quantity=1, other_unrealised_pnl=1_200, other_maintenance_margin=180, **FLAT)
    assert constant == pytest.approx((60_000 - 5_000 - 1_200 + 180) / 0.995)


def test_a_net_short_is_liquidated_above() -> None:
    """Long 0.6 at 60,000, short 1 at 62,000: 5000 − 36000 + 62000 − 0.4·P = 0.008·P, so P = 31000 / 0.408."""
    found = lp(60_000, side="long", quantity=0.6, hedge_quantity=1, hedge_entry_price=62_000, **FLAT)
    assert found == pytest.approx(31_000 / 0.408, rel=1e-14) and found > 62_000


def test_each_leg_has_its_own_rate_and_amount() -> None:
    """Long 1 with m = 1 %, c = 300; short 0.5 with m = 0.4 %: (5000 + 300 − 60000 + 31000) / (0.01 + 0.002 − 0.5)."""
    case = {"side": "long", "quantity": 1, "wallet_balance": 5_000, "hedge_quantity": 0.5, "hedge_entry_price": 62_000}
    found = lp(60_000, **case, maintenance_margin_rate=0.01, maintenance_amount=300, hedge_maintenance_amount=0,
               hedge_maintenance_margin_rate=0.004)  # fmt: skip
    assert found == pytest.approx(23_700 / 0.488, rel=1e-14)


def test_inverse_legs() -> None:
    """COIN-M: long 60,000 USD at 60,000, short 30,000 USD at 50,000, wallet 0.1 coins, m = 1 %, by hand in coins.

    Equity at P: 0.1 + (60000/60000 − 60000/P) + (30000/P − 30000/50000) = 0.5 − 30000/P. Maintenance: 0.01·90000/P.
    Equal where 0.5 = 30900/P: P = 61,800.
    """
    case: dict[str, Any] = {"wallet_balance": 0.1, "maintenance_margin_rate": 0.01, "exchange": "binancecoinm"}
    found = lp(60_000, side="long", quantity=60_000, hedge_quantity=30_000, hedge_entry_price=50_000, **case)
    assert found == pytest.approx(61_800, rel=1e-14)
    mirror = lp(50_000, side="short", quantity=30_000, hedge_quantity=60_000, hedge_entry_price=60_000, **case)
    assert mirror == pytest.approx(61_800, rel=1e-14)


def test_okx_charges_the_closing_fee_of_both_legs() -> None:
    """As above with m + f = 0.55 %: 17800 / (0.4 − 0.0055·1.6)."""
    found = lp(60_000, side="long", quantity=1, hedge_quantity=0.6, hedge_entry_price=62_000, exchange="okx",
               taker_fee=0.0005, **FLAT)  # fmt: skip
    assert found == pytest.approx(17_800 / (0.4 - 0.0055 * 1.6), rel=1e-14)


def test_mexc_charges_each_leg_on_its_own_entry() -> None:
    """Maintenance 0.005·(60000 + 0.6·62000) = 486, whatever the price: −17800 + 0.4·P = 486."""
    found = lp(60_000, side="long", quantity=1, hedge_quantity=0.6, hedge_entry_price=62_000, exchange="mexc", **FLAT)
    assert found == pytest.approx(18_286 / 0.4, rel=1e-14)


def test_gate_charges_the_larger_leg_alone() -> None:
    """Without fee: −17800 + 0.4·P = 0.005·P; net short by as much: 31000 − 0.4·P = 0.005·P."""
    case: dict[str, Any] = {**FLAT, "exchange": "gate", "taker_fee": 0.0}
    long = lp(60_000, side="long", quantity=1, hedge_quantity=0.6, hedge_entry_price=62_000, **case)
    assert long == pytest.approx(17_800 / 0.395, rel=1e-14)
    short = lp(60_000, side="long", quantity=0.6, hedge_quantity=1, hedge_entry_price=62_000, **case)
    assert short == pytest.approx(31_000 / 0.405, rel=1e-14)
    assert formulas().loc["gate-linear-hedge", "hedge"] == "larger leg"


def test_the_tier_of_each_leg_is_that_at_the_price() -> None:
    """Tiers of April 2024; 20 and 8 BTC: at P near 48,000 both lie in their tiers of 1 % (c 2,550) and 0.5 % (c 50)."""
    table = tiers_for("binanceusdm", BTC, "2024-04-25")
    found = lp(60_000, side="long", quantity=20, wallet_balance=150_000, hedge_quantity=8, hedge_entry_price=61_000,
               leverage_tiers=table)  # fmt: skip
    left = 150_000 + 20 * (found - 60_000) - 8 * (found - 61_000)
    assert 500_000 < 20 * found < 8_000_000 and 50_000 < 8 * found < 500_000
    assert left == pytest.approx(20 * found * 0.01 - 2_550 + 8 * found * 0.005 - 50, rel=1e-12)


# --- where there is none ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("formula", HEDGED)
def test_equal_legs_have_no_price_and_say_why(formula: str) -> None:
    entry, quantity = 100.0, 1_000.0
    case = {"quantity": quantity, "wallet_balance": 50_000.0, "maintenance_margin_rate": 0.01, "formula": formula}
    with pytest.warns(UserWarning, match="long and short are equal: their PnL does not move with the price"):
        found = lp(entry, side="long", hedge_quantity=quantity, hedge_entry_price=110.0, **case)
    assert np.isnan(found)
    with pytest.warns(UserWarning, match="equal"):
        many = lp(entry, side="long", hedge_quantity=[0, 500, 1_000], hedge_entry_price=110.0, **case)
    assert np.isnan(many).tolist() == [False, False, True]


def test_legs_that_no_price_carries_say_so() -> None:
    """Long 0.6 at 60,000, short 1 at 20,000, wallet 5,000: 5000 − 36000 + 20000 is below zero, and falls with P."""
    with pytest.warns(UserWarning, match="the wallet carries both legs at no price"):
        found = lp(60_000, side="long", quantity=0.6, hedge_quantity=1, hedge_entry_price=20_000, **FLAT)
    assert np.isnan(found)


def test_a_net_long_that_no_fall_liquidates_stands_at_zero() -> None:
    """Long 1 at 60,000, short 0.6 at 62,000, wallet 25,000: equity at a price of zero is 2,200."""
    case = FLAT | {"wallet_balance": 25_000}
    assert lp(60_000, side="long", quantity=1, hedge_quantity=0.6, hedge_entry_price=62_000, **case) == 0.0


def test_a_small_net_long_is_liquidated_by_a_rise() -> None:
    """Net 0.005 earns less than 0.005·1.995 of maintenance margin: 5000 + 1690 + (0.005 − 0.009975)·P = 0."""
    found = lp(60_000, side="long", quantity=1, hedge_quantity=0.995, hedge_entry_price=62_000, **FLAT)
    assert found == pytest.approx(6_690 / 0.004975, rel=1e-10)


# --- properties -------------------------------------------------------------------------------------------------------

TABLES = [
    tiers_for("binanceusdm", symbol, as_of)
    for symbol, as_of in default_tiers()[["symbol", "as_of"]].drop_duplicates().to_numpy()
]


def maintenance(table: Tiers, notional: float) -> float:
    k = max(int(np.searchsorted(table.floor, notional, side="right")) - 1, 0)
    return table.rate[k] * notional - table.amount[k]


@given(
    st.sampled_from(TABLES), st.sampled_from(SIDES), st.floats(1e3, 5e6), st.floats(0.0, 2.0), st.floats(0.7, 1.4),
    st.floats(0.05, 0.6),
)  # fmt: skip
def test_at_the_price_the_wallet_is_the_maintenance_margin_of_both_legs(
    table: Tiers, side: str, notional: float, ratio: float, gap: float, share: float
) -> None:
    """WB + s·q·(P − E) − s·h·(P − H) = MM(q·P) + MM(h·P), each by its own tier, in every table that liqlab ships."""
    assume(notional * max(ratio, 1) < table.ceiling[-1] / 8 and abs(ratio - 1) > 0.15)
    s, entry, q = (1 if side == "long" else -1), 100.0, notional / 100.0
    h, other, wallet = ratio * q, 100.0 * gap, share * notional
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = lp(entry, side=side, quantity=q, wallet_balance=wallet, hedge_quantity=h, hedge_entry_price=other,
                   leverage_tiers=table)  # fmt: skip
        turned = lp(other, side=other_side(side), quantity=max(h, 1e-9), wallet_balance=wallet, hedge_quantity=q,
                    hedge_entry_price=entry, leverage_tiers=table)  # fmt: skip
    if h > 1e-6:
        assert turned == pytest.approx(found, rel=1e-9, nan_ok=True)
    assume(np.isfinite(found) and found > 0)
    left = wallet + s * q * (found - entry) - s * h * (found - other)
    assert left == pytest.approx(maintenance(table, q * found) + maintenance(table, h * found),
                                 rel=1e-9, abs=1.0 + 1e-9 * notional)  # fmt: skip


@given(st.floats(1.0, 1e6), st.floats(0.0, 3.0), st.floats(0.5, 2.0), st.floats(0.05, 0.9), st.sampled_from(SIDES))
def test_an_inverse_hedge_is_the_mirror_of_a_linear_one(
    lots: float, ratio: float, gap: float, share: float, side: str
) -> None:
    """Long N at E is short N at 1/E, both legs."""
    assume(abs(ratio - 1) > 0.1 and (ratio == 0 or ratio * lots >= 1))
    case = {"quantity": lots, "hedge_quantity": ratio * lots, "maintenance_margin_rate": 0.01}
    money = share * lots / 50.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for linear, inverse in (("binance-linear", "binance-inverse"), ("okx-linear", "okx-inverse")):
            there = lp(50.0, side=side, hedge_entry_price=50.0 * gap, wallet_balance=money, formula=inverse, **case)
            here = lp(1 / 50.0, side=other_side(side), hedge_entry_price=1 / (50.0 * gap), wallet_balance=money,
                      formula=linear, **case)  # fmt: skip
            assert there == pytest.approx(1 / here if here else np.inf, rel=1e-9, nan_ok=True)


@pytest.mark.parametrize("formula", HEDGED)
@given(st.floats(0.05, 0.5), st.sampled_from(SIDES))
def test_no_opposite_leg_is_no_hedge(formula: str, share: float, side: str) -> None:
    table = tiers_for("binanceusdm", BTC, "2024-04-25")
    case = {"side": side, "quantity": 100_000.0 if "inverse" in formula else 10.0, "formula": formula}
    money = share * case["quantity"] * (1 / 50_000 if "inverse" in formula else 50_000)
    alone = lp(50_000, wallet_balance=money, leverage_tiers=table, **case)
    found = lp(50_000, wallet_balance=money, leverage_tiers=table, hedge_quantity=0, hedge_entry_price=1.0, **case)
    assert found == pytest.approx(alone, rel=1e-12)


@pytest.mark.parametrize("formula", HEDGED)
def test_arrays_are_loops(formula: str) -> None:
    scale = 50_000 if "inverse" in formula else 1
    size, opposite = np.array([1.0, 3.0]) * scale, np.array([[0.0], [0.5], [2.0]]) * scale
    case: dict[str, Any] = {
        "wallet_balance": 40_000.0 / (50_000 if scale > 1 else 1), "formula": formula,
        "leverage_tiers": tiers_for("binanceusdm", BTC, "2024-04-25"),
    }  # fmt: skip
    many = lp(50_000, side="long", quantity=size, hedge_quantity=opposite, hedge_entry_price=51_000, **case)
    assert many.shape == (3, 2)
    for i in range(3):
        for j in range(2):
            one = lp(50_000, side="long", quantity=size[j], hedge_quantity=opposite[i, 0], hedge_entry_price=51_000,
                     **case)  # fmt: skip
            assert many[i, j] == one or (np.isnan(one) and np.isnan(many[i, j]))


def test_other_symbols_of_the_wallet_still_count() -> None:
    """Their PnL of −1,000 and maintenance margin of 200 are taken from the wallet."""
    case: dict[str, Any] = {"side": "long", "quantity": 1, "hedge_quantity": 0.6, "hedge_entry_price": 62_000}
    less = lp(60_000, **case, **(FLAT | {"wallet_balance": 3_800}))
    assert lp(60_000, other_unrealised_pnl=-1_000, other_maintenance_margin=200, **case, **FLAT) == less


# --- refusals ---------------------------------------------------------------------------------------------------------

LEG: dict[str, Any] = {"hedge_quantity": 0.6, "hedge_entry_price": 62_000}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"exchange": "bybit"}, "bybit-linear has no hedge mode; leave hedge_quantity out .* name a formula that has "
         "one: binance-linear, gate-linear-hedge, mexc-linear, okx-linear"),
        ({"exchange": "hyperliquid"}, "hyperliquid has no hedge mode"),
        ({"exchange": "dydx"}, "dydx has no hedge mode"),
        ({"exchange": "bitmex"}, "bitmex-inverse has no hedge mode; .* binance-inverse, okx-inverse"),
        ({"exchange": "gate", "symbol": INVERSE}, "gate-inverse has no hedge mode"),
        ({"formula": "gate-linear"}, "gate-linear has no hedge mode"),
        ({"hedge_entry_price": None}, "needs both hedge_quantity and hedge_entry_price; pass both or neither"),
        ({"hedge_quantity": None}, "needs both hedge_quantity and hedge_entry_price"),
        ({"hedge_quantity": -0.6}, "hedge_quantity must be >= 0 and finite, got -0.6; it is in coins"),
        ({"hedge_quantity": "0.6"}, "hedge_quantity must be a number, or an array of numbers, got the text '0.6'"),
        ({"hedge_entry_price": 0}, "hedge_entry_price must be > 0 and finite, got 0"),
        ({"exchange": "binancecoinm", "quantity": 60_000}, "face value in USD, 0 or at least 1, got 0.6"),
        ({"wallet_balance": None, "leverage": 10}, "a hedge shares one cross wallet; pass wallet_balance instead"),
        ({"maintenance_amount": 50}, "a maintenance amount of its own; pass hedge_maintenance_amount"),
        ({"hedge_maintenance_margin_rate": 0.01, "maintenance_margin_rate": None}, "go with maintenance_margin_rate"),
        ({"hedge_maintenance_margin_rate": 2.0}, r"maintenance_margin_rate must lie in \[0, 1\), got 2"),
        ({"maintenance_margin_rate": None, "hedge_quantity": 1e6}, "outgrows the last tier"),
    ],
)  # fmt: skip
def test_what_cannot_be_explains_itself(change: dict[str, Any], words: str) -> None:
    case: dict[str, Any] = {"entry_price": 60_000, "side": "long", "quantity": 1} | FLAT | LEG | change
    with pytest.raises((ValueError, TypeError), match=words):
        lp(**case)


def test_tiers_bring_the_row_of_the_hedge() -> None:
    """Tiers of a Gate market name gate-linear; with an opposite leg its row for hedge mode is used."""
    table = tiers_for("gate", BTC, "2024-04-25")
    case: dict[str, Any] = {"side": "long", "quantity": 0.5, "wallet_balance": 5_000, "leverage_tiers": table}
    hedge = {"hedge_quantity": 0.3, "hedge_entry_price": 62_000}
    assert lp(60_000, **case, **hedge) == lp(60_000, **case, **hedge, formula="gate-linear-hedge")
