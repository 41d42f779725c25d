"""Whose tiers and whose formula: tables borrowed, brought in, converted; and what cannot be explains itself."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import liqlab as lq
from liqlab.margin import Tiers, tiers_for, tiers_from_ccxt
from liqlab.margin.quantities import contract_of
from liqlab.models._law import distances

AS_OF = "2024-04-25"
BTC, TIA, INVERSE = "BTC/USDT:USDT", "TIA/USDT:USDT", "BTC/USD:BTC"
SIDES = ("long", "short")
lp, bankruptcy = lq.liquidation_price, lq.bankruptcy_price


def tiers(symbol: str = BTC) -> Tiers:
    return tiers_for("binanceusdm", symbol, AS_OF)


# --- tiers -----------------------------------------------------------------------------------------------------------


def test_a_table_in_quote_is_converted_at_entry_for_an_inverse_contract() -> None:
    """60,000 USD at 60,000: 1 coin; floors 50,000 and 500,000 become 5/6 and 8 1/3 coins, c = 50 becomes 1/1200."""
    found = lp(60_000, side="long", leverage=20, quantity=60_000, formula="binance-inverse", leverage_tiers=tiers())
    assert found == pytest.approx(60_000 * 1.005 / (1 / 20 + 50 / 60_000 + 1), rel=1e-14)
    many = lp(np.array([30_000.0, 60_000.0]), side="long", leverage=20, quantity=60_000, formula="binance-inverse",
              leverage_tiers=tiers())  # fmt: skip
    assert many[1] == found


def coin_tiers() -> pd.DataFrame:
    """Two tiers of 5 and 20 coins, as Binance gives them for BTC/USD:BTC."""
    rows = [
        {"minNotional": 0, "maxNotional": 5, "maintenanceMarginRate": 0.004, "maxLeverage": 125, "info": {"cum": 0.0}},
        {
            "minNotional": 5,
            "maxNotional": 20,
            "maintenanceMarginRate": 0.005,
            "maxLeverage": 100,
            "info": {"cum": 0.005},
        },
    ]
    return tiers_from_ccxt(rows, symbol=INVERSE, exchange="binancecoinm", as_of=AS_OF)


def test_a_table_of_an_inverse_contract_is_in_coins() -> None:
    case = {
        "side": "long",
        "leverage": 10,
        "exchange": "binancecoinm",
        "symbol": INVERSE,
        "leverage_tiers": coin_tiers(),
    }
    assert lp(50_000, quantity=50_000, **case) == pytest.approx(50_000 * 1.004 / 1.1, rel=1e-14)
    # 4.9 coins at entry, 5.4 at liquidation: the second tier
    found = lp(50_000, quantity=245_000, **case)
    assert found == pytest.approx(245_000 * 1.005 / (0.49 + 0.005 + 4.9), rel=1e-14)
    with pytest.raises(ValueError, match="are in coins, but the contract is linear; pass tiers in quote"):
        lp(
            50_000,
            side="long",
            leverage=10,
            symbol=BTC,
            leverage_tiers=tiers_for("binancecoinm", INVERSE, leverage_tiers=coin_tiers()),
            exchange="binanceusdm",
        )


def test_a_venue_without_tiers_borrows_and_says_so() -> None:
    with pytest.warns(
        UserWarning, match="no tiers of TIA/USDT:USDT on okx: binanceusdm's stand in; pass leverage_tiers="
    ):
        found = lp(10.0, side="long", leverage=10, quantity=400, exchange="okx", symbol=TIA, as_of=AS_OF)
    assert found == pytest.approx(9.0 / (1 - 0.01 - 0.0005), rel=1e-14)
    coin = tiers_for("hyperliquid", "ETH/USDC:USDC", AS_OF)
    assert (coin.symbol, coin.proxy) == (
        "ETH/USDT:USDT",
        "no tiers of ETH/USDC:USDC: ETH/USDT:USDT on binanceusdm stands in",
    )
    assert tiers_for("binanceusdm", "ethusdt", AS_OF).proxy.endswith("stands in (write 'ETH/USDT:USDT' for its own)")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lp(10.0, side="long", leverage=10, exchange="okx", leverage_tiers=coin)
        lp(10.0, side="long", leverage=10, exchange="okx", maintenance_margin_rate=0.01)


@pytest.mark.parametrize(
    ("exchange", "symbol", "formula", "flagged"),
    [
        ("binanceusdm", BTC, "binance-linear", False),
        ("okx", TIA, "okx-linear", False),
        ("bybit", INVERSE, "bybit-inverse-2024", False),
        ("dydx", "ETH/USD:USDC", "dydx", False),
        ("dydx", "ETH/USD", "dydx", False),
        ("venue", BTC, "binance-linear", True),
        ("venue", INVERSE, "binance-inverse", True),
        ("bitmex", BTC, "binance-linear", True),
        ("bitmex", "ETH/USD:BTC", "binance-linear", True),
        ("", "", "binance-linear", True),
    ],
)
def test_tiers_bring_the_formula_of_the_market_that_asked(
    exchange: str, symbol: str, formula: str, flagged: bool
) -> None:
    """A model passes tiers alone, whatever the market's exchange is."""
    table = tiers_for(exchange, symbol, AS_OF)
    assert (table.formula, "formula_proxy" in table.flags) == (formula, flagged)
    leverage = np.array([2.0, 10.0, 20.0])
    for side in SIDES:
        found = lp(1.0, side=side, leverage=leverage, quantity=10_000, leverage_tiers=table)
        named = lp(1.0, side=side, leverage=leverage, quantity=10_000, leverage_tiers=table, formula=formula)
        assert found.tolist() == named.tolist()
    distance, _ = distances(lq.law("measured"), table, position_notional=10_000)
    assert (distance > 0).all() and (np.diff(distance[:, :3]) < 0).all()


def test_an_exchange_that_is_named_goes_before_the_formula_of_the_tiers() -> None:
    case = {"side": "long", "leverage": 10, "quantity": 1, "leverage_tiers": tiers_for("okx", BTC, AS_OF)}
    assert lp(60_000, **case) == lp(60_000, **case, exchange="okx") != lp(60_000, **case, exchange="binanceusdm")
    bare = Tiers("binanceusdm", BTC, pd.Timestamp(AS_OF), *(np.array([x]) for x in (0, 1e12, 0.01, 0, 100)))
    assert lp(100, side="long", leverage=10, leverage_tiers=bare) == pytest.approx(90 / 0.99)


CCXT = [
    {
        "minNotional": 5e4,
        "maxNotional": 5e5,
        "maintenanceMarginRate": 0.005,
        "maxLeverage": 100.0,
        "info": {"bracket": 2},
    },
    {"minNotional": 0.0, "maxNotional": 5e4, "maintenanceMarginRate": 0.004, "maxLeverage": 125.0, "info": None},
    {
        "minNotional": 5e5,
        "maxNotional": None,
        "maintenanceMarginRate": 0.01,
        "maxLeverage": 50.0,
        "info": {"cum": "2550.0"},
    },
]


def test_tiers_from_ccxt() -> None:
    table = tiers_from_ccxt(CCXT, symbol=BTC, exchange="binanceusdm", as_of=AS_OF)
    assert lq.market.check_leverage_tiers(table).equals(table)
    assert table["maintenance_amount"].tolist() == [0.0, 50.0, 2550.0]
    assert table["tier"].tolist() == [1, 2, 3] and math.isinf(table["max_notional"].iloc[-1])
    case = {"side": "long", "leverage": 20, "quantity": 1, "as_of": AS_OF}
    assert lp(60_000, **case, leverage_tiers=table) == lp(60_000, **case)


def test_tiers_of_okx_are_in_contracts() -> None:
    rows = [
        {"minNotional": 0, "maxNotional": 500, "maintenanceMarginRate": 0.004, "maxLeverage": 100},
        {"minNotional": 501, "maxNotional": 1000, "maintenanceMarginRate": 0.005, "maxLeverage": 50},
    ]
    where = {"symbol": BTC, "exchange": "okx", "as_of": AS_OF}
    with pytest.raises(ValueError, match="tiers of okx are in contracts; pass notional_per_unit"):
        tiers_from_ccxt(rows, **where)
    table = tiers_from_ccxt(rows, **where, notional_per_unit=0.01 * 60_000)
    assert table["max_notional"].tolist() == [300_000, 600_000]
    assert table["maintenance_amount"].tolist() == [0.0, 0.0] and table["whole_position"].all()


@given(st.lists(st.tuples(st.floats(1, 1e7), st.floats(0.01, 0.2)), min_size=1, max_size=8))
def test_missing_amounts_are_continuous(steps: list[tuple[float, float]]) -> None:
    edge = np.concatenate([[0.0], np.cumsum([width for width, _ in steps])])
    share = np.cumsum([step / len(steps) for _, step in steps])
    rows = [
        {"minNotional": low, "maxNotional": high, "maintenanceMarginRate": m, "maxLeverage": 1 / m}
        for low, high, m in zip(edge[:-1], edge[1:], share, strict=True)
    ]
    table = tiers_from_ccxt(rows, symbol="X/USDT:USDT", exchange="venue", as_of=AS_OF, notional_per_unit=1)
    c, floor = table["maintenance_amount"].to_numpy(), edge[1:-1]
    assert share[1:] * floor - c[1:] == pytest.approx(share[:-1] * floor - c[:-1], rel=1e-9, abs=1e-6)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "tiers: none of BTC/USDT:USDT on bybit; pass what fetch_market_leverage_tiers returned"),
        ([CCXT[1] | {"maintenanceMarginRate": None}], "one of them has no maintenanceMarginRate"),
        ([CCXT[1] | {"maintenanceMarginRate": 0.4}], "keeps 0.4 of .* but allows 125x; rates are fractions"),
        ([CCXT[1], CCXT[2]], "brackets must start at 0 and join"),
    ],
)
def test_bad_tables_of_ccxt_are_refused_in_words(rows: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        tiers_from_ccxt(rows, symbol=BTC, exchange="bybit", as_of=AS_OF)


# --- what cannot be --------------------------------------------------------------------------------------------------

RATE = {"maintenance_margin_rate": 0.01}
CROSS = {"quantity": 1.0, "other_maintenance_margin": 1.0}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"leverage": 0}, "leverage must be >= 1, got 0; pass 25 for 25x"),
        ({"leverage": 0.04}, "leverage must be >= 1, got 0.04; pass 25 for 25x"),
        ({"leverage": [10, 0.5]}, "leverage must be >= 1, got 0.5"),
        ({"leverage": np.nan}, "leverage must be >= 1, got nan"),
        ({"leverage": 126}, "leverage 126 is above the maximum of 125x that BTC/USDT:USDT on binanceusdm"),
        ({"leverage": 60, "quantity": 20}, "leverage 60 is above the maximum of 50x .* lower the leverage"),
        ({"quantity": 1e6}, "outgrows the last tier of BTC/USDT:USDT on binanceusdm .* reduce quantity"),
        ({"quantity": -1}, "quantity must be > 0 and finite, got -1; it is a size in coins; the sign is the side's"),
        ({"quantity": 0}, "quantity must be > 0 and finite, got 0"),
        ({"entry_price": -5}, "entry_price must be > 0 and finite, got -5; it is a price in quote per coin"),
        ({"side": "buy"}, r"side must be 'long' or 'short' \(the position's side\), got 'buy'"),
        ({"side": ["long", "up"]}, "got 'up'"),
        ({"wallet_balance": 100, "quantity": 1}, "give either leverage .* or wallet_balance"),
        ({"leverage": None}, "give either leverage .* or wallet_balance"),
        ({"leverage": None, "wallet_balance": 100}, "a wallet_balance needs a quantity"),
        ({"leverage": None, "wallet_balance": -1, "quantity": 1}, "wallet_balance must be > 0 and finite, got -1"),
        ({"added_margin": 5}, "need a quantity to be compared with; pass quantity"),
        ({"added_margin": -7_000, "quantity": 1}, "the margin with added_margin must be > 0 and finite, got -1000"),
        ({"added_margin": np.inf, "quantity": 1}, "added_margin must be finite, got inf"),
        ({"exchange": "mtgox"}, "exchange 'mtgox' has no formula here; there are: .*binanceusdm, .* name the formula"),
        ({"exchange": "binanceusdm", "symbol": INVERSE}, "BTC/USD:BTC is inverse, but for binanceusdm there is only a "
         "formula of linear contracts; pass a symbol such as 'BTC/USDT:USDT', or an exchange that lists it"),
        ({"exchange": "hyperliquid", "symbol": INVERSE}, "is inverse, but for hyperliquid"),
        ({"exchange": "binancecoinm", "symbol": BTC}, "is linear, but for binancecoinm .* such as 'BTC/USD:BTC'"),
        ({"exchange": "bybit", "symbol": "BTC/USD"}, "does not say what bybit settles it in"),
        ({"exchange": "okx", "symbol": "ETH/USD:BTC"}, "settled in a third currency"),
        ({"formula": "best"}, "no formula is called 'best'; there are: .*binance-linear, binance-inverse"),
        ({"formula": "okx-inverse", "symbol": BTC}, "okx-inverse is for inverse contracts, but BTC/USDT:USDT is"),
        ({"exchange": "bybit", "symbol": INVERSE, "quantity": 0.5}, "USD, at least 1, got 0.5; for a size in coins"),
        ({"maintenance_margin_rate": 1.5}, r"margin_rate must lie in \[0, 1\), got 1.5; pass 0.004 for 0.4 %"),
        ({"maintenance_amount": 50}, "a maintenance_amount needs its maintenance_margin_rate"),
        (dict(**RATE, leverage_tiers=coin_tiers()), "give either leverage_tiers or a maintenance rate"),
        ({"taker_fee": 0.0005}, "the formula binance-linear has no fee in it, got taker_fee 0.0005; leave it out"),
        (dict(exchange="okx", taker_fee=5, **RATE), r"taker_fee must lie in \[0, 1\), got 5; pass 0.0005 for 0.05 %"),
        ({"funding_rate": 0.0001}, "the formula binance-linear has no funding in it"),
        ({"max_leverage": 40}, "max_leverage is for Hyperliquid"),
        ({"max_leverage": 40, "exchange": "hyperliquid", "leverage": 50}, "leverage 50 is above the maximum of 40x"),
        (dict(exchange="bybit", **CROSS, **RATE), "bybit-linear has no term for other positions; leave other_"),
        (dict(exchange="gate", **CROSS, **RATE), "the formula gate-linear has no term for other positions"),
    ],
)  # fmt: skip
def test_what_cannot_be_explains_itself(change: dict[str, Any], words: str) -> None:
    case: dict[str, Any] = {"entry_price": 60_000, "side": "long", "leverage": 10, "as_of": AS_OF} | change
    with pytest.raises(ValueError, match=words):
        lp(**case)


def test_bankruptcy_refuses_too() -> None:
    with pytest.raises(ValueError, match="the bankruptcy price of okx-linear has no fee in it"):
        bankruptcy(100, side="long", leverage=10, exchange="okx", taker_fee=0.001)
    with pytest.raises(ValueError, match="added_margin needs a quantity"):
        bankruptcy(100, side="long", leverage=10, added_margin=1)
    assert bankruptcy(100, side="long", leverage=10, quantity=2, added_margin=10) == 85.0
    assert bankruptcy(100, side="short", wallet_balance=40, quantity=2) == 120.0


def test_symbols_tell_the_kind() -> None:
    kinds = {BTC: "linear", "BTC/USDC:USDC": "linear", "BTC/USD:USDC": "linear", "BTC/USDT": "linear", "": "linear",
             INVERSE: "inverse", "BTC/USD:BTC-240628": "inverse", "BTC/USDT:USDT-240628": "linear",
             "ETH/USD:BTC": "quanto", "ETH/USD": "unclear"}  # fmt: skip
    assert {symbol: contract_of(symbol) for symbol in kinds} == kinds
