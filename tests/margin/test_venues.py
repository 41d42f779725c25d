"""Exact prices: every number of the venues' documents, every formula against its own text written out plainly."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import liqlab as lq
from liqlab.margin import Tiers, formulas, tier_history, tiers_for
from liqlab.margin.tiers import default_tiers

AS_OF = "2024-04-25"
BTC, TIA, INVERSE = "BTC/USDT:USDT", "TIA/USDT:USDT", "BTC/USD:BTC"
SIDES = ("long", "short")
lp, bankruptcy = lq.liquidation_price, lq.bankruptcy_price


def to_the_digits(printed: str, value: float) -> bool:
    """Whether a value rounds to the number as it is printed."""
    return f"{value:.{len(printed.partition('.')[2])}f}" == printed


# --- the numbers of the documents ------------------------------------------------------------------------------------

ETH = {"quantity": 3683.979, "maintenance_margin_rate": 0.10, "maintenance_amount": 135_365}
BITCOIN = {"quantity": 109.488, "maintenance_margin_rate": 0.025, "maintenance_amount": 16_300}


@pytest.mark.parametrize(
    ("printed", "entry", "position", "other_margin", "other_pnl"),
    [
        ("1114.78", 1456.84, ETH, 0.0, 0.0),
        ("18778.73", 32481.98, BITCOIN, 0.0, 0.0),
        ("1153.26", 1456.84, ETH, 71_200.811444, -56_354.56848),
        ("26316.89", 32481.98, BITCOIN, 356_512.508122, -448_192.88514),
    ],
)
def test_binance_examples(
    printed: str, entry: float, position: dict[str, float], other_margin: float, other_pnl: float
) -> None:
    found = lp(entry, side="long", wallet_balance=1_535_443.01, **position,
               other_maintenance_margin=other_margin, other_unrealised_pnl=other_pnl)  # fmt: skip
    assert to_the_digits(printed, found)


@pytest.mark.parametrize(
    ("symbol", "entry", "quantity", "leverage", "printed"),
    [
        (BTC, 60_000, 1, 5, ("48192.7711", "71691.5423")),
        (BTC, 60_000, 1, 10, ("54221.1055", "65721.3930")),
        (BTC, 60_000, 1, 20, ("57236.1809", "62736.3184")),
        (BTC, 60_000, 1, 50, ("59045.2261", "60945.2736")),
        (BTC, 60_000, 1, 100, ("59648.2412", "60348.2587")),
        (BTC, 60_000, 20, 20, ("57446.9697", "62502.4752")),
        (TIA, 10, 4_000, 10, ("9.170918", "10.796569")),
    ],
)
def test_dated_tiers(symbol: str, entry: float, quantity: float, leverage: float, printed: tuple[str, str]) -> None:
    found = [lp(entry, side=s, leverage=leverage, quantity=quantity, symbol=symbol, as_of=AS_OF) for s in SIDES]
    assert list(map(to_the_digits, printed, found)) == [True, True], found


def test_the_tier_at_liquidation_is_used_and_not_that_at_entry() -> None:
    """5x long: 60,000 lies in the second tier, 48,192.77 in the first, where c = 0."""
    assert lp(60_000, side="long", leverage=5, quantity=1, as_of=AS_OF) == pytest.approx(
        60_000 * 0.8 / 0.996, rel=1e-14
    )
    long100 = lp(60_000, side="long", leverage=100, quantity=1, as_of=AS_OF)
    assert to_the_digits("0.586", (1 - long100 / 60_000) * 100)


def test_binance_coin_margined() -> None:
    """Binance's calculator shows 33,599.40; the formula gives 33,599.42."""
    found = lp(45_000, side="long", quantity=1e7, wallet_balance=101, maintenance_margin_rate=0.125,
               maintenance_amount=11.605, exchange="binancecoinm", symbol=INVERSE)  # fmt: skip
    assert to_the_digits("33599.42", found)


def test_bybit() -> None:
    assert lp(20_000, side="long", leverage=50, quantity=1, maintenance_margin_rate=0.005, exchange="bybit") == 19_700
    inverse = {"exchange": "bybit", "symbol": INVERSE}
    assert to_the_digits("45454.55", bankruptcy(50_000, side="long", leverage=10, **inverse))
    assert to_the_digits("55555.56", bankruptcy(50_000, side="short", leverage=10, **inverse))
    short = dict(side="short", leverage=10, quantity=60_000, maintenance_margin_rate=0.005, **inverse)
    assert to_the_digits("55248.62", lp(50_000, **short))
    assert to_the_digits("55248.62", lp(50_000, **short, formula="bybit-inverse-2024"))
    assert to_the_digits("55277.78", lp(50_000, **short, formula="bybit-inverse-2026"))


@pytest.mark.parametrize("exchange", ["okx", "gate"])
def test_okx_and_gate(exchange: str) -> None:
    case = {
        "leverage": 5,
        "maintenance_margin_rate": 0.01,
        "taker_fee": 0.0006,
        "exchange": exchange,
        "symbol": "X/USDT:USDT",
    }
    assert lp(10, side="long", **case) == 8.085708510208207
    assert lp(10, side="short", **case) == 11.87413417771621


def test_hyperliquid() -> None:
    case = {"leverage": 10, "quantity": 1, "max_leverage": 40, "exchange": "hyperliquid"}
    assert to_the_digits("54683.5443", lp(60_000, side="long", **case))
    assert to_the_digits("65185.1852", lp(60_000, side="short", **case))


def test_dydx() -> None:
    case = {
        "quantity": 3,
        "wallet_balance": 1_000,
        "maintenance_margin_rate": 0.05,
        "exchange": "dydx",
        "symbol": "ETH/USD:USDC",
    }
    assert to_the_digits("3174.6032", lp(3_000, side="short", **case))
    # at which 5 % of the notional is left, as the document says: 476.2
    left = 1_000 - 3 * (lp(3_000, side="short", **case) - 3_000)
    assert round(left, 1) == 476.2


def test_mexc_charges_maintenance_on_the_entry() -> None:
    """Its own example: 0.1 BTC at 50,000, 25x: (20 − 200 + 5000) / 0.1; a short mirrors it about the entry."""
    case = {"leverage": 25, "quantity": 0.1, "maintenance_margin_rate": 0.004, "exchange": "mexc"}
    assert lp(50_000, side="long", **case) == pytest.approx(48_200, rel=1e-15)
    assert lp(50_000, side="short", **case) == pytest.approx(51_800, rel=1e-15)


# --- every formula against its text, written out ---------------------------------------------------------------------

M, F = 0.005, 0.0006


def text_of(formula: str, s: int, e: float, q: float, lev: float, x: float, tmm: float, upnl: float) -> float:
    """The published equation in its own letters; q is N for an inverse contract; m = M, c = 0, f = F."""
    im, n, value = q * e / lev, q, q / e
    if formula == "binance-linear":
        return (im + x - tmm + upnl - s * q * e) / (q * M - s * q)
    if formula == "binance-inverse":
        return n * (M + s) / (value / lev + x - tmm + upnl + s * value)
    if formula == "bybit-linear":
        return e - s * (im - q * e * M) / q - s * x / q
    if formula == "bybit-inverse-2024":
        return n / (value + s * (value / lev + x - value * M))
    if formula == "bybit-inverse-2026" and s > 0:
        return n * (M + 1) / (value + value / lev + x / (1 + F))
    if formula == "bybit-inverse-2026":
        return n * (1 - M) / (value - value / lev - x / (1 - F))
    if formula in ("okx-linear", "gate-linear", "gate-linear-hedge"):
        return (e - s * (im + x - tmm + upnl) / q) / (1 - s * (M + F))
    if formula in ("okx-inverse", "gate-inverse"):
        return (1 + s * (M + F)) / (1 / e + s * (value / lev + x - tmm + upnl) / n)
    if formula == "hyperliquid":
        return e - s * (im + x + upnl - tmm - q * e * M) / q / (1 - s * M)
    if formula == "dydx":
        z = s * q
        return (im + x + upnl - z * e - tmm) / (abs(z) * M - z)
    if formula == "mexc-linear" and s > 0:
        return (e * q * M - (im + x - tmm + upnl) + e * q) / q
    if formula == "mexc-linear":
        return (e * q - e * q * M + im + x - tmm + upnl) / q
    assert formula == "bitmex-inverse"
    return e / (1 + s * (1 / lev + x / value - 2 * F)) + s * e * (M + F)


TABLE = formulas()
# Formulas whose text is written out above; one that is added has tests of its own, those of its shape in test_families.
TEXTS = (
    "binance-linear", "binance-inverse", "bybit-linear", "bybit-inverse-2024", "bybit-inverse-2026", "okx-linear",
    "gate-linear", "gate-linear-hedge", "okx-inverse", "gate-inverse", "hyperliquid", "dydx", "mexc-linear",
    "bitmex-inverse",
)  # fmt: skip


def terms(formula: str) -> dict[str, Any]:
    """The formula's own fee, where it has one."""
    has_fee = bool(np.isfinite(TABLE.loc[formula, "taker_fee"]))
    return {"formula": formula, "maintenance_margin_rate": M} | ({"taker_fee": F} if has_fee else {})


@pytest.mark.parametrize(("formula", "side"), list(itertools.product(TEXTS, SIDES)))
@given(entry=st.floats(1e-3, 1e5), lots=st.floats(1, 1e6), leverage=st.floats(1.5, 60), share=st.floats(-0.2, 0.4))
def test_formulas_are_their_texts(
    formula: str, side: str, entry: float, lots: float, leverage: float, share: float
) -> None:
    s = 1 if side == "long" else -1
    inverse = TABLE.loc[formula, "contract"] == "inverse"
    money = (lots / entry if inverse else lots * entry) / leverage
    has_others = formula.startswith(("binance", "okx", "hyperliquid", "dydx", "mexc"))
    tmm, upnl = (0.1 * money, -0.05 * money) if has_others else (0.0, 0.0)
    x = share * money
    expected = text_of(formula, s, entry, lots, leverage, x, tmm, upnl)
    others = {"other_maintenance_margin": tmm, "other_unrealised_pnl": upnl} if has_others else {}
    found = lp(entry, side=side, leverage=leverage, quantity=lots, added_margin=x, **others, **terms(formula))
    assume(0 < expected < 1e3 * entry)  # elsewhere 0 and inf stand for "never"
    assert found == pytest.approx(expected, rel=1e-9)


def test_funding_moves_both_sides_of_bitmex_up() -> None:
    case = {"leverage": 10, "exchange": "bitmex", "symbol": INVERSE, "maintenance_margin_rate": M}
    for side in SIDES:
        moved = lp(10_000, side=side, funding_rate=0.001, **case) - lp(10_000, side=side, **case)
        assert moved == pytest.approx(10.0)
    entry, fee = 10_000, 0.00075
    assert bankruptcy(entry, side="long", leverage=10, exchange="bitmex") == pytest.approx(entry / (1.1 - 2 * fee))


# --- properties ------------------------------------------------------------------------------------------------------

positions = {
    "entry": st.floats(1e-4, 1e5),
    "notional": st.floats(1, 4e7),
    "side": st.sampled_from(SIDES),
    "symbol": st.sampled_from([BTC, TIA]),
}


def tiers(symbol: str = BTC) -> Tiers:
    return tiers_for("binanceusdm", symbol, AS_OF)


def maintenance(table: Tiers, notional: float) -> float:
    k = max(int(np.searchsorted(table.floor, notional, side="right")) - 1, 0)
    return table.rate[k] * notional - table.amount[k]


@pytest.mark.parametrize("symbol", sorted(default_tiers()["symbol"].unique()))
def test_shipped_maintenance_margin_is_continuous(symbol: str) -> None:
    for _, table in tier_history("binanceusdm", symbol, "2020-01-01", "2030-01-01"):
        step = table.floor[1:] * np.diff(table.rate)
        assert np.diff(table.amount) == pytest.approx(step, rel=1e-3, abs=0.5)
        assert (np.diff(table.rate) > 0).all() and (np.diff(table.max_leverage) < 0).all()


@given(**positions, leverage=st.floats(1, 125))
def test_the_fixed_point_is_one(entry: float, notional: float, side: str, symbol: str, leverage: float) -> None:
    """At the price found, what is left of the margin is the maintenance margin of the notional at that price."""
    table, s, q = tiers(symbol), 1 if side == "long" else -1, notional / entry
    assume(notional < table.ceiling[-1] / 4)
    leverage = min(leverage, table.max_leverage[np.searchsorted(table.floor, notional, side="right") - 1])
    price = lp(entry, side=side, leverage=leverage, quantity=q, leverage_tiers=table)
    left = notional / leverage + s * q * (price - entry)
    if price == 0:
        assert leverage == 1
    else:
        # 0.5: published amounts are rounded to a unit of quote
        assert left == pytest.approx(maintenance(table, q * price), rel=1e-9, abs=0.5 + 1e-9 * notional)


@given(**positions)
def test_more_leverage_is_nearer(entry: float, notional: float, side: str, symbol: str) -> None:
    table = tiers(symbol)
    assume(notional < table.ceiling[-1] / 4)
    highest = table.max_leverage[np.searchsorted(table.floor, notional, side="right") - 1]
    leverage = np.linspace(1, highest, 50)
    price = lp(entry, side=side, leverage=leverage, quantity=notional / entry, leverage_tiers=table)
    assert (np.diff(price) > 0).all() if side == "long" else (np.diff(price) < 0).all()


def room(formula: str, s: int, m: float, f: float) -> float:
    """1/L above which the liquidation price lies between bankruptcy and entry, exactly."""
    if formula.startswith(("okx", "gate")):
        return m + f  # the closing fee must be there too
    if formula == "bitmex-inverse":
        return 2 * f + (m + f) / (1 - s * (m + f))
    return m


@pytest.mark.parametrize(("formula", "side"), list(itertools.product(TEXTS, SIDES)))
@given(m=st.floats(1e-4, 0.2), excess=st.floats(-0.5, 2))
def test_liquidation_lies_between_bankruptcy_and_entry(formula: str, side: str, m: float, excess: float) -> None:
    """Where 1/L > m; where a fee is taken out later: 1/L > m + f (OKX, Gate), 2f + (m + f)/(1 ∓ (m + f)) (BitMEX)."""
    s = 1 if side == "long" else -1
    fee = F if np.isfinite(TABLE.loc[formula, "taker_fee"]) else 0.0
    share = room(formula, s, m, fee) * (1 + excess)
    assume(0 < share < 0.9 and abs(excess) > 1e-6)
    options = {k: v for k, v in terms(formula).items() if k != "maintenance_margin_rate"}
    found = lp(100.0, side=side, leverage=1 / share, maintenance_margin_rate=m, **options)
    used = bankruptcy(100.0, side=side, leverage=1 / share,
                      **(options if formula == "bitmex-inverse" else {"formula": formula}))  # fmt: skip
    assert s * (100.0 - found) > 0 if excess > 0 else s * (100.0 - found) < 0
    assert s * (found - used) > 0


@given(entry=st.floats(1e-3, 1e3), lots=st.floats(1, 1e6), leverage=st.floats(1, 100), m=st.floats(0, 0.3))
def test_an_inverse_long_is_a_linear_short_at_one_over_the_price(
    entry: float, lots: float, leverage: float, m: float
) -> None:
    """Every pair of formulas of one venue, with amounts and other positions; to rounding."""
    case = {"leverage": leverage, "quantity": lots, "maintenance_margin_rate": m}
    for linear, inverse in (("binance-linear", "binance-inverse"), ("bybit-linear", "bybit-inverse-2024"),
                            ("okx-linear", "okx-inverse"), ("gate-linear", "gate-inverse")):  # fmt: skip
        for side, other in (SIDES, SIDES[::-1]):
            there = lp(entry, side=side, formula=inverse, **case)
            here = lp(1 / entry, side=other, formula=linear, **case)
            assert there == (pytest.approx(1 / here, rel=1e-12) if here else np.inf)
            gone = bankruptcy(entry, side=side, leverage=leverage, formula=inverse)
            left = bankruptcy(1 / entry, side=other, leverage=leverage, formula=linear)
            assert gone == (pytest.approx(1 / left, rel=1e-12) if left else np.inf)


@pytest.mark.parametrize("formula", TEXTS)
def test_limits(formula: str) -> None:
    fee = {"taker_fee": 0.0} if np.isfinite(TABLE.loc[formula, "taker_fee"]) else {}
    for side, s in zip(SIDES, (1, -1), strict=True):
        free = lp(100.0, side=side, leverage=7, maintenance_margin_rate=0, formula=formula, **fee)
        bare = fee if formula == "bitmex-inverse" else {}
        assert free == pytest.approx(bankruptcy(100.0, side=side, leverage=7, formula=formula, **bare), rel=1e-13)
        endless = lp(100.0, side=side, leverage=1e15, maintenance_margin_rate=0.01, formula=formula, **fee)
        assert (
            abs(endless / 100 - 1) < 0.0102 and s * (endless - 100) > 0
        )  # under its maintenance margin from the start
        sizes = np.array([1.0, 1e6, 1e12, 1e18])
        many = lp(100.0, side=side, leverage=7, quantity=sizes, maintenance_margin_rate=0.01, formula=formula, **fee)
        assert many == pytest.approx(np.full(4, many[0]), rel=1e-12)


def test_never_is_zero_for_a_linear_long_and_infinite_for_an_inverse_short() -> None:
    assert lp(100.0, side="long", leverage=1) == bankruptcy(100.0, side="long", leverage=1) == 0.0
    inverse = {"exchange": "bybit", "symbol": INVERSE}
    assert bankruptcy(100.0, side="short", leverage=1, **inverse) == np.inf
    for formula in ("binance-inverse", "okx-inverse", "bybit-inverse-2026"):
        assert lp(100.0, side="short", leverage=1, maintenance_margin_rate=0.01, formula=formula) == np.inf
    # on entry, the maintenance margin is kept back, so even 1x has a price
    assert lp(100.0, side="short", leverage=1, maintenance_margin_rate=0.01, **inverse) == pytest.approx(1e4)
    assert lp(100.0, side="long", quantity=1, wallet_balance=500.0) == 0.0


@pytest.mark.parametrize("formula", TEXTS)
def test_arrays_are_loops(formula: str) -> None:
    inverse = TABLE.loc[formula, "contract"] == "inverse"
    entry = np.array([9_000.0, 10_000.0, 45_000.0])[:, None, None]
    leverage = np.array([2.0, 5.0, 20.0])[:, None]
    size = np.array([100.0, 1e6, 9e6]) / (1 if inverse else 1e4)
    table = tiers()
    for side in (SIDES[0], np.array([["long"], ["short"], ["long"]])):
        case = {"formula": formula, "leverage_tiers": table}
        many = lp(entry, side=side, leverage=leverage, quantity=size, **case)
        parts = np.broadcast_arrays(entry, np.asarray(side), leverage, size)
        loop = [
            lp(float(e), side=str(w), leverage=float(k), quantity=float(n), **case)
            for e, w, k, n in zip(*map(np.ravel, parts), strict=True)
        ]
        assert many.shape == (3, 3, 3)
        assert many.ravel().tolist() == loop


def test_rates_and_amounts_broadcast_too() -> None:
    case: dict[str, Any] = {"side": "long", "leverage": 5, "quantity": 100}
    rates, amounts = np.array([0.004, 0.01]), np.array([[0.0], [50.0], [75.0]])
    many = lp(100.0, **case, maintenance_margin_rate=rates, maintenance_amount=amounts)
    assert many.shape == (3, 2)
    assert many[2, 1] == lp(100.0, **case, maintenance_margin_rate=0.01, maintenance_amount=75.0)


def test_bybit_takes_the_tier_at_entry() -> None:
    """1 BTC at 60,000 is in the second tier (m = 0.5 %, c = 50): MM = 250 wherever it is liquidated."""
    found = lp(60_000, side="long", leverage=5, quantity=1, exchange="bybit", leverage_tiers=tiers())
    assert found == pytest.approx(60_000 - (12_000 - 250), rel=1e-15)
