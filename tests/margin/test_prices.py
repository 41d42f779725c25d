"""Exact margin arithmetic: published examples to their last digit, the fixed point, dated tables, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import liqlab as lq
from liqlab.margin import Tiers, bankruptcy_price, liquidation_price, tiers_for
from liqlab.margin.tiers import default_tiers
from tests.markets import tiers

BTC: dict[str, Any] = {"exchange": "binanceusdm", "symbol": "BTC/USDT:USDT", "as_of": "2024-04-25"}
TIA: dict[str, Any] = {**BTC, "symbol": "TIA/USDT:USDT"}
TABLES = [
    tiers_for(exchange, symbol, as_of)
    for exchange, symbol, as_of in default_tiers()[["exchange", "symbol", "as_of"]].drop_duplicates().to_numpy()
]
LEVERAGES = [1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 25.0, 50.0, 75.0, 100.0, 125.0]


def digits(text: str) -> tuple[float, float]:
    """A printed number, and half of its last digit."""
    return float(text.replace(",", "")), 0.5 * 10.0 ** -len(text.partition(".")[2])


def check(found: float, printed: str) -> None:
    value, half = digits(printed)
    assert abs(found - value) <= half * (1 + 1e-9), f"{found} is not {printed}"


def maintenance(table: Tiers, notional: Any) -> np.ndarray:
    """Maintenance margin [quote] of a notional: its tier's rate and amount."""
    k = np.clip(np.searchsorted(table.floor, notional, side="right") - 1, 0, None)
    return np.asarray(notional) * table.rate[k] - table.amount[k]


# --- published numbers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quantity", "entry", "rate", "amount", "others", "upnl", "printed"),
    [
        (3683.979, 1456.84, 0.10, 135_365, 0, 0, "1114.78"),
        (109.488, 32481.98, 0.025, 16_300, 0, 0, "18778.73"),
        (3683.979, 1456.84, 0.10, 135_365, 71_200.811444, -56_354.56848, "1153.26"),
        (109.488, 32481.98, 0.025, 16_300, 356_512.508122, -448_192.88514, "26316.89"),
    ],
)
def test_binance_own_examples(
    quantity: float, entry: float, rate: float, amount: float, others: float, upnl: float, printed: str
) -> None:
    """Isolated and cross, from the exchange's own document; rate and amount are given there."""
    found = liquidation_price(
        entry, side="long", quantity=quantity, wallet_balance=1_535_443.01, maintenance_margin_rate=rate,
        maintenance_amount=amount, other_maintenance_margin=others, other_unrealised_pnl=upnl,
    )  # fmt: skip
    check(found, printed)


@pytest.mark.parametrize(
    ("leverage", "long", "short"),
    [
        (5, "48,192.7711", "71,691.5423"),
        (10, "54,221.1055", "65,721.3930"),
        (20, "57,236.1809", "62,736.3184"),
        (50, "59,045.2261", "60,945.2736"),
        (100, "59,648.2412", "60,348.2587"),
    ],
)
def test_one_bitcoin_on_the_tiers_of_april_2024(leverage: float, long: str, short: str) -> None:
    """At 5x the long's notional falls into the first tier on the way down: the fixed point, not the entry, decides."""
    for side, printed in (("long", long), ("short", short)):
        check(liquidation_price(60_000, side=side, leverage=leverage, quantity=1, **BTC), printed)


def test_larger_positions_and_other_symbols() -> None:
    for side, printed in (("long", "57,446.9697"), ("short", "62,502.4752")):
        check(liquidation_price(60_000, side=side, leverage=20, quantity=20, **BTC), printed)
    for side, printed in (("long", "9.170918"), ("short", "10.796569")):
        check(liquidation_price(10, side=side, leverage=10, quantity=4_000, **TIA), printed)


OTHERS = [
    # exchange, symbol, side, entry, leverage, quantity, further, printed
    ("bybit", "BTC/USDT:USDT", "long", 20_000, 50, 1, {"maintenance_margin_rate": 0.005}, "19,700"),
    ("bybit", "BTC/USD:BTC", "short", 50_000, 10, 60_000, {"maintenance_margin_rate": 0.005}, "55,248.62"),
    ("bybit", "BTC/USD:BTC", "short", 50_000, 10, 60_000,
     {"maintenance_margin_rate": 0.005, "formula": "bybit-inverse-2026"}, "55,277.78"),
    ("okx", "X/USDT:USDT", "long", 10, 5, 1,
     {"maintenance_margin_rate": 0.01, "taker_fee": 0.0006}, "8.085708510208207"),
    ("gate", "X/USDT:USDT", "short", 10, 5, 1,
     {"maintenance_margin_rate": 0.01, "taker_fee": 0.0006}, "11.87413417771621"),
    ("hyperliquid", "BTC/USDC:USDC", "long", 60_000, 10, 1, {"max_leverage": 40}, "54683.5443"),
    ("hyperliquid", "BTC/USDC:USDC", "short", 60_000, 10, 1, {"max_leverage": 40}, "65185.1852"),
]  # fmt: skip


@pytest.mark.parametrize(("exchange", "symbol", "side", "entry", "leverage", "quantity", "further", "printed"), OTHERS)
def test_other_venues_examples(
    exchange: str, symbol: str, side: str, entry: float, leverage: float, quantity: float, further: Any, printed: str
) -> None:
    found = liquidation_price(
        entry, side=side, leverage=leverage, quantity=quantity, exchange=exchange, symbol=symbol, **further
    )
    value, half = digits(printed)
    assert abs(found - value) <= half + 1e-13 * value, f"{found} is not {printed}"


def test_coin_margined_and_on_chain_examples() -> None:
    """Binance COIN-M, exactly 33,599.42 (its calculator: 33,599.40); dYdX, equity 1000, short 3 at 3000."""
    coin = liquidation_price(
        45_000, side="long", quantity=10_000_000, wallet_balance=101, maintenance_margin_rate=0.125,
        maintenance_amount=11.605, exchange="binancecoinm", symbol="BTC/USD:BTC",
    )  # fmt: skip
    check(coin, "33,599.42")
    # e = 1000 at p = 3000, so that is the wallet of a position just opened
    chain = liquidation_price(3_000, side="short", quantity=3, wallet_balance=1_000, exchange="dydx",
                              symbol="ETH/USD:USDC", maintenance_margin_rate=0.05)  # fmt: skip
    check(chain, "3174.6032")


def test_inverse_bankruptcy() -> None:
    """Long E·L/(L + 1), short E·L/(L − 1)."""
    for side, printed in (("long", "45,454.55"), ("short", "55,555.56")):
        check(bankruptcy_price(50_000, side=side, leverage=10, exchange="bybit", symbol="BTC/USD:BTC"), printed)


@given(st.floats(1.5, 100), st.floats(1e-3, 1e5), st.floats(1e-4, 0.2), st.sampled_from(["long", "short"]))
def test_a_linear_position_is_the_dual_of_the_other_side_inverse(lev: float, entry: float, m: float, side: str) -> None:
    """Long N dollars at E is short N at 1/E: prices are each other's reciprocals, bankruptcy included."""
    other = "short" if side == "long" else "long"
    inverse: dict[str, Any] = {"exchange": "binancecoinm", "symbol": "BTC/USD:BTC"}
    one = liquidation_price(entry, side=side, leverage=lev, quantity=3.0, maintenance_margin_rate=m)
    dual = liquidation_price(1 / entry, side=other, leverage=lev, quantity=3.0, maintenance_margin_rate=m, **inverse)
    assert one * dual == pytest.approx(1.0, rel=1e-9)
    ruin = bankruptcy_price(entry, side=side, leverage=lev)
    assert ruin * bankruptcy_price(1 / entry, side=other, leverage=lev, **inverse) == pytest.approx(1.0, rel=1e-9)


def test_a_hundred_times_leverage_is_not_one_percent_away() -> None:
    found = liquidation_price(60_000, side="long", leverage=100, quantity=1, **BTC)
    assert 1 - found / 60_000 == pytest.approx(0.00586, abs=5e-6)


def test_the_maintenance_amount_is_not_ignored() -> None:
    """20 bitcoins: without `cum` 2,550 the price would be another by 2,550 / (20 · 0.99) = 128.79."""
    given_: dict[str, Any] = {"side": "long", "leverage": 20, "quantity": 20, "maintenance_margin_rate": 0.01}
    with_ = liquidation_price(60_000, maintenance_amount=2_550, **given_)
    assert liquidation_price(60_000, **given_) - with_ == pytest.approx(2_550 / (20 * 0.99))


# --- properties -----------------------------------------------------------------------------------------------------


@given(
    st.sampled_from(TABLES),
    st.sampled_from(["long", "short"]),
    st.sampled_from(LEVERAGES),
    st.floats(0.001, 0.6),
    st.sampled_from([1e-4, 1.0, 60_000.0]),
)
def test_at_the_price_the_margin_left_is_the_maintenance_margin(
    table: Tiers, side: str, leverage: float, part: float, entry: float
) -> None:
    """q·E/L + s·q·(LP − E) = m·q·LP − c with m, c of the tier that holds q·LP: in every table that liqlab ships."""
    quantity = part * float(table.ceiling[-1]) / entry / 3
    held = np.searchsorted(table.floor, quantity * entry, side="right") - 1
    leverage = min(leverage, float(table.max_leverage[held]))
    price = liquidation_price(entry, side=side, leverage=leverage, quantity=quantity, leverage_tiers=table)
    s = 1 if side == "long" else -1
    left = quantity * entry / leverage + s * quantity * (price - entry)
    if price > 0:
        # published amounts are rounded to a unit of quote
        assert left == pytest.approx(float(maintenance(table, quantity * price)), abs=1.0 + 1e-9 * quantity * entry)
    else:
        assert left >= -1.0


@given(st.sampled_from(TABLES), st.sampled_from(["long", "short"]), st.sampled_from([1e-4, 60_000.0]))
def test_higher_leverage_is_nearer_and_between_entry_and_bankruptcy(table: Tiers, side: str, entry: float) -> None:
    """Monotone in leverage; wherever 1/L > m the price lies between entry and bankruptcy."""
    leverage = np.array([x for x in LEVERAGES if x <= table.max_leverage[0]])
    price = liquidation_price(entry, side=side, leverage=leverage, leverage_tiers=table)
    ruin = bankruptcy_price(entry, side=side, leverage=leverage)
    s = 1 if side == "long" else -1
    assert (np.diff(s * price) > 0).all()
    inside = 1 / leverage > table.rate[0]
    assert inside.any()
    assert (s * (entry - price) > 0)[inside].all() and (s * (price - ruin) >= 0).all()
    assert (s * (price - ruin) > 0)[leverage > 1].all()


@pytest.mark.parametrize("side", ["long", "short"])
def test_the_price_is_continuous_across_a_tier_boundary(side: str) -> None:
    """Sizes around every boundary: the price moves by less than the size does, and never jumps."""
    table = tiers_for(**BTC)
    for edge in table.ceiling[:4]:
        quantity = np.linspace(0.98, 1.25, 2001) * edge / 60_000
        price = liquidation_price(60_000, side=side, leverage=5, quantity=quantity, leverage_tiers=table)
        assert np.abs(np.diff(price)).max() < 60_000 * 0.27 / 2000 * 0.2
        assert np.ptp(price) > 0


def test_maintenance_amounts_are_continuous_in_every_shipped_table() -> None:
    """c[i] = c[i−1] + floor[i]·(m[i] − m[i−1]), to the unit to which venues round."""
    for table in TABLES:
        jump = np.diff(table.amount) - table.floor[1:] * np.diff(table.rate)
        assert (np.abs(jump) <= np.maximum(0.5, 1e-3 * table.amount[1:])).all(), (table.symbol, table.as_of)


@pytest.mark.parametrize("leverage", [1.0, 1.001])
def test_a_long_that_no_fall_can_liquidate_stands_at_zero(leverage: float) -> None:
    assert 0 <= liquidation_price(100.0, side="long", leverage=leverage) <= 0.2
    assert liquidation_price(100.0, side="long", leverage=1) == 0.0
    assert liquidation_price(100.0, side="short", leverage=1) == pytest.approx(200 / 1.004)
    assert liquidation_price(100, side="long", quantity=1, wallet_balance=500.0) == 0.0


def test_arrays_broadcast() -> None:
    entry, leverage = np.array([[100.0], [200.0]]), np.array([5.0, 10.0, 20.0])
    found = liquidation_price(entry, side="short", leverage=leverage)
    assert found.shape == (2, 3)
    for i in range(2):
        for j in range(3):
            assert found[i, j] == liquidation_price(entry[i, 0], side="short", leverage=leverage[j])
    sides = np.array(["long", "short"])
    both = liquidation_price(60_000, side=sides, leverage=10, quantity=np.array([1, 2]), **BTC)
    assert both[0] == liquidation_price(60_000, side="long", leverage=10, quantity=1, **BTC)
    assert both[1] == liquidation_price(60_000, side="short", leverage=10, quantity=2, **BTC)
    assert isinstance(liquidation_price(100, side="long", leverage=10), float)
    assert bankruptcy_price(100.0, side=sides, leverage=[[2], [4]]).tolist() == [[50, 150], [75, 125]]


def test_prices_scale_with_the_currency() -> None:
    """A first-tier price is a fixed share of its entry."""
    ratio = [liquidation_price(x, side="long", leverage=10) / x for x in (1e-6, 1.0, 1e6)]
    assert ratio == pytest.approx([0.9 / 0.996] * 3, rel=1e-12)


# --- dated tables ---------------------------------------------------------------------------------------------------


def dated() -> pd.DataFrame:
    rates = {"2024-01-01": 0.01, "2024-03-01": 0.02, "2024-09-01": 0.03}
    tables = [tiers((0.0, 1e9, m, 0.0, 50.0), as_of=day, exchange="binanceusdm") for day, m in rates.items()]
    return pd.concat(tables, ignore_index=True)


@pytest.mark.parametrize(
    ("as_of", "rate", "stale"),
    [
        ("2023-12-31 23:59", 0.01, True),  # none is earlier: the earliest, flagged
        ("2024-01-01", 0.01, False),
        ("2024-02-29 23:59:59", 0.01, False),
        ("2024-03-01", 0.02, False),
        ("2024-08-31", 0.02, False),
        ("2024-09-01", 0.03, False),
        ("2026-01-01", 0.03, True),  # it may have changed several times since
        (None, 0.03, False),
    ],
)
def test_the_latest_earlier_table_else_the_earliest(as_of: Any, rate: float, stale: bool) -> None:
    table = tiers_for("binanceusdm", "X/USDT:USDT", as_of, leverage_tiers=dated())
    assert table.rate.tolist() == [rate] and table.stale is stale and table.proxy == ""
    assert table.flags == (("tier_stale",) if stale else ())


def test_other_tables_stand_in_and_are_flagged() -> None:
    """OKX TIA with Binance's; a symbol that nobody has with Bitcoin's; both say so."""
    tia = tiers_for("okx", "TIA/USDT:USDT", "2024-05-01")
    assert tia.exchange == "binanceusdm" and tia.symbol == "TIA/USDT:USDT" and "okx" in tia.proxy
    assert "tier_proxy" in tia.flags
    other = tiers_for("binanceusdm", "NOBODY/USDT:USDT")
    assert other.symbol == "BTC/USDT:USDT" and "NOBODY" in other.proxy and "tier_proxy" in other.flags
    assert tiers_for("binanceusdm", "BTC/USDT:USDT", "2024-05-01").flags == ()


def test_the_shipped_tables_are_those_of_their_dates() -> None:
    """Bitcoin's first two tiers of April 2024; a date before all tables is stale."""
    btc = tiers_for(**BTC)
    assert btc.rate[:2].tolist() == [0.004, 0.005] and btc.amount[:2].tolist() == [0, 50]
    assert btc.as_of == pd.Timestamp("2024-04-25", tz="UTC")
    assert tiers_for("binanceusdm", "BTC/USDT:USDT", "2019-01-01").stale


def test_a_table_of_ones_own() -> None:
    """As a DataFrame and as `Tiers`; the date chooses within it."""
    own = dated()
    for as_of, rate in (("2024-02-01", 0.01), ("2024-05-01", 0.02)):
        found = liquidation_price(100, side="long", leverage=10, exchange="binanceusdm", symbol="X/USDT:USDT",
                                  as_of=as_of, leverage_tiers=own)  # fmt: skip
        assert found == pytest.approx(90 / (1 - rate))
    table = tiers_for("binanceusdm", "X/USDT:USDT", leverage_tiers=own)
    assert liquidation_price(100, side="long", leverage=10, leverage_tiers=table) == pytest.approx(90 / 0.97)


# --- errors teach ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"leverage": "20"},
            "leverage must be a number, or an array of numbers, got the text '20'; write it without",
        ),
        ({"leverage": 0.04}, r"leverage must be >= 1, got 0.04; pass 25 for 25x"),
        ({"leverage": float("nan")}, "leverage must be >= 1, got nan"),
        ({"leverage": [5, 0.5]}, "leverage must be >= 1, got 0.5"),
        ({"leverage": 126}, r"leverage 126 is above the maximum of 125x that BTC/USDT:USDT on binanceusdm .*allows"),
        ({"quantity": 50, "leverage": 125}, r"above the maximum of \d+x .* lower the leverage or the quantity"),
        ({"quantity": 1e6, "leverage": 1}, "outgrows the last tier of BTC/USDT:USDT .* reduce quantity"),
        ({"quantity": -1}, r"quantity must be > 0 and finite, got -1; it is a size in coins. the sign is the side's"),
        ({"entry_price": 0}, "entry_price must be > 0 and finite, got 0; it is a price in quote per coin"),
        ({"entry_price": float("inf")}, "entry_price must be > 0 and finite, got inf"),
        ({"side": "buy"}, r"side must be 'long' or 'short' \(the position's side\), got 'buy'"),
        ({"leverage": None}, "give either leverage .* or wallet_balance"),
        ({"wallet_balance": 10.0, "quantity": 1}, "give either leverage .* or wallet_balance"),
        ({"wallet_balance": 10.0, "leverage": None}, "a wallet_balance needs a quantity"),
        ({"wallet_balance": -5.0, "leverage": None, "quantity": 1}, "wallet_balance must be > 0 and finite, got -5"),
    ],
)
def test_errors_say_what_is_wrong_and_what_to_do(change: dict[str, Any], words: str) -> None:
    given_: dict[str, Any] = {"entry_price": 60_000, "side": "long", "leverage": 10, **BTC, **change}
    with pytest.raises(ValueError, match=words):
        lq.liquidation_price(given_.pop("entry_price"), **given_)


def test_options_are_keyword_only() -> None:
    with pytest.raises(TypeError):
        liquidation_price(60_000, "long", 10)  # type: ignore[misc]
