"""Tiers as ccxt hands them on: contracts, coins, percentages; read by the venue's own rule, or refused in words."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import liqlab as lq
from liqlab.margin import tier_units, tiers_for, tiers_from_ccxt
from liqlab.models._law import distances

lp = lq.liquidation_price
BTC, INVERSE = "BTC/USDT:USDT", "BTC/USD:BTC"
AS_OF = "2026-11-28"


def market(symbol: str, **more: Any) -> dict[str, Any]:
    """What ccxt's parsers look up in a market."""
    base, _, rest = symbol.partition("/")
    quote, _, settle = rest.partition(":")
    inverse = settle == base
    kind = {"linear": not inverse, "inverse": inverse, "spot": False, "swap": True, "contract": True, "type": "swap"}
    return {"symbol": symbol, "id": "X", "base": base, "quote": quote, "settle": settle, **kind, "info": {}, **more}


def parsed(exchange: str, reply: Any, symbol: str = BTC, **more: Any) -> list[dict[str, Any]]:
    """A venue's reply through ccxt's own parser."""
    ccxt = pytest.importorskip("ccxt")
    if not hasattr(ccxt, exchange):
        pytest.skip(f"this ccxt has no {exchange}")
    return getattr(ccxt, exchange)().parse_market_leverage_tiers(reply, market(symbol, **more))


def table_of(
    exchange: str, reply: Any, symbol: str = BTC, *, of: dict[str, Any] | None = None, **told: Any
) -> pd.DataFrame:
    rows = parsed(exchange, reply, symbol, **(of or {}))
    return tiers_from_ccxt(rows, symbol=symbol, exchange=exchange, as_of=AS_OF, **told)


# The venues' replies, as ccxt 4.5.90 documents them, in small.
MEXC = {"symbol": "BTC_USDT", "quoteCoin": "USDT", "contractSize": 0.0001, "maxVol": 600000,
        "maintenanceMarginRate": 0.004, "initialMarginRate": 0.008, "riskIncrVol": 200000, "riskIncrMmr": 0.004,
        "riskIncrImr": 0.004, "maxLeverage": 125}  # fmt: skip
OKX = [{"instId": "", "minSz": "0", "maxSz": "500", "mmr": "0.004", "maxLever": "100", "tier": "1"},
       {"instId": "", "minSz": "501", "maxSz": "2000", "mmr": "0.01", "maxLever": "50", "tier": "2"}]  # fmt: skip
KUCOIN = [{"level": 1, "maxRiskLimit": 300000, "minRiskLimit": 0, "maxLeverage": 100, "maintainMargin": 0.005},
          {"level": 2, "maxRiskLimit": 900000, "minRiskLimit": 300000, "maxLeverage": 50, "maintainMargin": 0.01},
          ]  # fmt: skip
GATE = [{"maintenance_rate": "0.004", "leverage_max": "125", "risk_limit": "1000000", "deduction": "0"},
        {"maintenance_rate": "0.0045", "leverage_max": "111", "risk_limit": "1500000", "deduction": "500"}]  # fmt: skip
BYBIT = [{"id": 1, "riskLimitValue": "150", "maintenanceMargin": "0.005", "maxLeverage": "100", "mmDeduction": ""},
         {"id": 2, "riskLimitValue": "300", "maintenanceMargin": "0.01", "maxLeverage": "50", "mmDeduction": "0.75"},
         ]  # fmt: skip
BITGET = [{"level": "1", "startUnit": "0", "endUnit": "150000", "leverage": "125", "keepMarginRate": "0.004"},
          {"level": "2", "startUnit": "150000", "endUnit": "900000", "leverage": "100", "keepMarginRate": "0.005"},
          ]  # fmt: skip
PHEMEX = [{"limit": 100, "initialMargin": "1.0%", "maintenanceMargin": "0.5%"},
          {"limit": 150, "initialMargin": "1.5%", "maintenanceMargin": "1.0%"}]  # fmt: skip
HTX = {"contract_code": "BTC-USDT", "trade_partition": "USDT", "list": [
    {"lever_rate": 75, "ladders": [{"ladder": 0, "min_size": 0, "max_size": 999, "adjust_factor": 0.7}]}]}  # fmt: skip


def kraken(field: str, *levels: float) -> dict[str, Any]:
    rows = [{field: level, "initialMargin": 0.02 * (k + 1), "maintenanceMargin": 0.01 * (k + 1)}
            for k, level in enumerate(levels)]  # fmt: skip
    return {"symbol": "X", "marginLevels": rows}


# --- MEXC: contracts, whole position, entry ---------------------------------------------------------------------------


def test_mexc_tiers_are_contracts_and_maintenance_is_on_the_entry() -> None:
    """200,000 contracts of 0.0001 BTC are 20 BTC. 5 BTC at 60,000, 50x: IM 6,000, MM 1,200: 60000 − 4800/5 = 59,040."""
    table = table_of("mexc", MEXC, price=60_000)
    assert table["max_notional"].tolist() == [1_200_000, 2_400_000, 3_600_000]
    assert table["maintenance_amount"].tolist() == [0, 0, 0] and table["whole_position"].all()
    case: dict[str, Any] = {"side": "long", "leverage": 50, "exchange": "mexc", "symbol": BTC, "leverage_tiers": table}
    assert lp(60_000, quantity=5, **case) == pytest.approx(59_040, rel=1e-14)
    # 25 BTC are 250,000 contracts: the second tier's .8 % holds for all of them
    assert lp(60_000, quantity=25, **case) == pytest.approx(60_000 * (1 - 0.02 + 0.008), rel=1e-14)


def test_the_number_of_contracts_decides_whatever_the_entry_is() -> None:
    """19 BTC are 190,000 contracts, at 120,000 too, where their 2.28 million would lie in the second tier."""
    table = table_of("mexc", MEXC, price=60_000)
    tiers = tiers_for("mexc", BTC, leverage_tiers=table)
    for entry in (30_000.0, 60_000.0, 120_000.0):
        found = lp(entry, side="long", leverage=20, quantity=np.array([19.0, 21.0]), leverage_tiers=tiers)
        assert found == pytest.approx(entry * (0.95 + np.array([0.004, 0.008])), rel=1e-14)
    assert tiers.formula == "mexc-linear" and tiers.reference_price == 60_000 and tiers.flags == ()
    with pytest.raises(ValueError, match="outgrows the last tier of BTC/USDT:USDT on mexc"):
        lp(60_000.0, side="long", leverage=2, quantity=61, leverage_tiers=tiers)
    with pytest.raises(ValueError, match="leverage 100 is above the maximum of 83"):
        lp(60_000.0, side="long", leverage=100, quantity=21, leverage_tiers=tiers)


def test_a_law_puts_a_notional_into_tiers_of_contracts() -> None:
    """Where only a value is known, 10,000 USDT lie in the first tier: ln(1 / (1 − 1/10 + 0.004))."""
    tiers = tiers_for("mexc", BTC, leverage_tiers=table_of("mexc", MEXC, price=60_000))
    found, _ = distances(lq.law({10: 1}), tiers, position_notional=10_000)
    assert found[0, 0] == pytest.approx(-np.log(0.904), rel=1e-12)
    far, _ = distances(lq.law({10: 1}), tiers, position_notional=1_500_000)
    assert far[0, 0] == pytest.approx(-np.log(0.908), rel=1e-12)


# --- the other venues -------------------------------------------------------------------------------------------------


def test_okx_counts_contracts_and_charges_the_whole_position() -> None:
    """500 contracts of 0.01 BTC are 5 BTC; 10 BTC pay 1 % on all: (E − E/L) / (1 − m − f)."""
    table = table_of("okx", OKX, contract_size=0.01, price=60_000)
    assert table["max_notional"].tolist() == [300_000, 1_200_000] and table["min_notional"].tolist() == [0, 300_000]
    case: dict[str, Any] = {"side": "long", "leverage": 10, "exchange": "okx", "symbol": BTC, "leverage_tiers": table}
    for quantity, m in ((5.0, 0.004), (5.01, 0.01), (10.0, 0.01)):  # "0 to 500": 500 are in it
        assert lp(90_000, quantity=quantity, **case) == pytest.approx(81_000 / (1 - m - 0.0005), rel=1e-14)


def test_okx_inverse_contracts_are_dollars() -> None:
    """500 contracts of 100 USD are 50,000 USD, at 50,000 one coin; sizes are told apart by their dollars."""
    table = table_of("okx", OKX, INVERSE, contract_size=100, price=50_000)
    assert table["max_notional"].tolist() == [1.0, 4.0]
    case: dict[str, Any] = {
        "side": "long",
        "leverage": 10,
        "exchange": "okx",
        "symbol": INVERSE,
        "leverage_tiers": table,
    }
    for dollars, m in ((50_000, 0.004), (50_100, 0.01)):
        found = lp(25_000, quantity=dollars, **case)
        assert found == pytest.approx(25_000 * (1 + m + 0.0005) / 1.1, rel=1e-14)


def test_okx_gaps_of_more_than_a_contract_are_refused() -> None:
    holes = [OKX[0], OKX[1] | {"minSz": "700"}]
    with pytest.raises(ValueError, match="brackets must start at 0 and join"):
        table_of("okx", holes, contract_size=0.01, price=60_000)


def test_kucoin_counts_quote_and_of_inverse_contracts_their_number() -> None:
    linear = table_of("kucoin", KUCOIN)
    assert linear["max_notional"].tolist() == [300_000, 900_000] and "reference_price" not in linear
    assert linear["maintenance_amount"].tolist() == [0, 0]
    inverse = table_of("kucoin", KUCOIN, INVERSE, contract_size=1, price=50_000)
    assert inverse["max_notional"].tolist() == pytest.approx([6.0, 18.0])


def test_gate_and_bybit_count_the_settle_currency_and_give_amounts() -> None:
    gate = table_of("gate", GATE)
    assert gate["max_notional"].tolist() == [1e6, 1.5e6] and gate["maintenance_amount"].tolist() == [0, 500]
    bybit = table_of("bybit", BYBIT, INVERSE)
    assert bybit["max_notional"].tolist() == [150, 300] and bybit["maintenance_amount"].tolist() == [0, 0.75]


def test_bitget_charges_the_whole_position() -> None:
    table = table_of("bitget", BITGET)
    assert table["max_notional"].tolist() == [150_000, 900_000] and table["whole_position"].all()
    with pytest.raises(ValueError, match="tiers of inverse contracts on 'bitget' come is not known"):
        table_of("bitget", BITGET, INVERSE)


def test_kraken_tells_the_unit_by_the_name_of_the_field() -> None:
    """USD of linear, contracts of 1 USD of inverse contracts."""
    linear = table_of("krakenfutures", kraken("numNonContractUnits", 0, 1e6, 2e6), "BTC/USD:USD")
    assert linear["min_notional"].tolist() == [0, 1e6, 2e6] and np.isinf(linear["max_notional"].iloc[-1])
    rows = kraken("contracts", 0, 500_000)
    inverse = table_of("krakenfutures", rows, INVERSE, contract_size=1, price=50_000)
    assert inverse["max_notional"].tolist() == [10.0, np.inf] and inverse["reference_price"].eq(50_000).all()
    with pytest.raises(ValueError, match="tiers of krakenfutures are in contracts"):
        table_of("krakenfutures", rows, "BTC/USD:USD")


def test_phemex_percentages_are_read() -> None:
    """limit in coins of an inverse contract; "0.5%" is 0.005, and an initial margin of 1.5 % allows 66.7x."""
    table = table_of("phemex", {"symbol": "X"}, INVERSE, of={"info": {"riskLimits": PHEMEX}})
    assert table["maintenance_margin_rate"].tolist() == [0.005, 0.01]
    assert table["max_leverage"].tolist() == pytest.approx([100, 66.6667], rel=1e-4)
    assert table["max_notional"].tolist() == [100, 150]
    told = [{"minNotional": 0, "maxNotional": 25_000, "maintenanceMarginRate": "1.0%", "maxLeverage": None,
             "info": {"limit": "25000", "initialMargin": "5.0%"}}]  # fmt: skip
    older = tiers_from_ccxt(told, symbol="GAL/USD:USD", exchange="phemex", as_of=AS_OF)
    assert older[["maintenance_margin_rate", "max_leverage"]].values.tolist() == [[0.01, 20.0]]


def test_coinex_counts_coins() -> None:
    """20 BTC at 50,000; at any other entry 20 BTC are still the edge."""
    rows = [{"minNotional": 0, "maxNotional": 20, "maintenanceMarginRate": 0.005, "maxLeverage": 100, "info": {}},
            {"minNotional": 20, "maxNotional": 50, "maintenanceMarginRate": 0.01, "maxLeverage": 50, "info": {}},
            ]  # fmt: skip
    with pytest.raises(ValueError, match=r"tiers of coinex are in coins; pass notional_per_unit, .* or rather price"):
        tiers_from_ccxt(rows, symbol=BTC, exchange="coinex", as_of=AS_OF)
    table = tiers_from_ccxt(rows, symbol=BTC, exchange="coinex", as_of=AS_OF, price=50_000)
    assert table["max_notional"].tolist() == [1e6, 2.5e6] and table["maintenance_amount"].tolist() == [0, 5_000]
    # 40 BTC: 0.5 % on the first 20 and 1 % on the rest are .75 % of the whole, at every price
    for entry in (25_000.0, 50_000.0):
        found = lp(
            entry, side="long", leverage=10, quantity=40, leverage_tiers=tiers_for("coinex", BTC, leverage_tiers=table)
        )
        assert found == pytest.approx(0.9 * entry / (1 - 0.0075), rel=1e-14)


@given(st.floats(0.01, 59.0), st.floats(1e3, 2e5), st.sampled_from(["long", "short"]))
def test_the_rate_of_the_counted_tier_is_what_is_left_on_the_entry(quantity: float, entry: float, side: str) -> None:
    """MEXC: margin + PnL at LP = m·q·E with m of the tier of q / 0.0001 contracts, at every entry."""
    rows = [{"minNotional": k * 200_000, "maxNotional": (k + 1) * 200_000, "maintenanceMarginRate": 0.004 * (k + 1),
             "maxLeverage": 100 / (k + 1), "info": {"contractSize": 0.0001}} for k in range(3)]  # fmt: skip
    table = tiers_from_ccxt(rows, symbol=BTC, exchange="mexc", as_of=AS_OF, price=60_000)
    found = lp(entry, side=side, leverage=10, quantity=quantity, exchange="mexc", symbol=BTC, leverage_tiers=table)
    m = 0.004 * (max(1, int(np.ceil(quantity / 0.0001 / 200_000 - 1e-9))))
    left = quantity * entry / 10 + (1 if side == "long" else -1) * quantity * (found - entry)
    assert left == pytest.approx(m * quantity * entry, rel=1e-9)


# --- refusals ---------------------------------------------------------------------------------------------------------

ROW: dict[str, Any] = {"minNotional": 0, "maxNotional": 100, "maintenanceMarginRate": 0.01, "maxLeverage": 50}


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"exchange": "htx"}, "tiers of htx cannot be read: its ladders differ from leverage to leverage, .* pass "
         "maintenance_margin_rate = adjust factor ÷ leverage"),
        ({"exchange": "huobi"}, "tiers of huobi cannot be read"),
        ({"exchange": "nobody"}, "in what unit the tiers of linear contracts on 'nobody' come is not known; pass "
         "notional_per_unit, the worth of one unit of minNotional in quote"),
        ({"exchange": "mexc"}, "tiers of mexc are in contracts; .* or rather contract_size and price"),
        ({"exchange": "mexc", "price": 60_000}, "in contracts; .* or rather contract_size, from which"),
        ({"exchange": "mexc", "contract_size": 0.0001}, "in contracts; .* or rather price, from which"),
        ({"exchange": "mexc", "contract_size": 0.0, "price": 1}, "contract_size must be > 0 and finite, got 0"),
        ({"exchange": "mexc", "contract_size": 1, "price": -1}, "price must be > 0 and finite, got -1"),
        ({"exchange": "mexc", "notional_per_unit": 6, "price": 1}, "notional_per_unit or contract_size and price"),
        ({"exchange": "nobody", "notional_per_unit": 0}, "notional_per_unit must be > 0 and finite, got 0"),
        ({"exchange": "okx", "symbol": INVERSE}, "the worth of one in coins"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_in_words(told: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        tiers_from_ccxt([ROW], **({"symbol": BTC, "as_of": AS_OF} | told))


@pytest.mark.parametrize(
    ("exchange", "told"),
    [("bybit", {"contract_size": 1, "price": 60_000}), ("bitget", {"price": 3_000}), ("gate", {"contract_size": 10}),
     ("coinex", {"contract_size": 0.1, "price": 3_000})],
)  # fmt: skip
def test_a_price_that_changes_nothing_is_refused_and_the_remedy_works(exchange: str, told: dict[str, Any]) -> None:
    where = {"symbol": BTC, "exchange": exchange, "as_of": AS_OF}
    with pytest.raises(ValueError, match=r"would change nothing: tiers of .* leave what changes nothing out"):
        tiers_from_ccxt([ROW], **where, **told)
    table = tiers_from_ccxt([ROW], **where, **({"price": 3_000} if exchange == "coinex" else {}))
    assert table["max_notional"].tolist() == [100 * (3_000 if exchange == "coinex" else 1)]


def test_htx_rates_go_by_the_ladder_of_a_leverage() -> None:
    """What the refusal advises: 0.7 / 75 as the rate."""
    row = parsed("htx", HTX)[0]
    with pytest.raises(ValueError, match="cannot be read"):
        tiers_from_ccxt([row], symbol=BTC, exchange="htx", as_of=AS_OF)
    found = lp(60_000, side="long", leverage=75, maintenance_margin_rate=0.7 / 75)
    assert found == pytest.approx(60_000 * (1 - 1 / 75) / (1 - 0.7 / 75))


def test_the_table_of_units_names_source_version_and_date() -> None:
    table = tier_units()
    assert table.index.is_unique and {"mexc", "okx", "krakenfutures", "coinex", "htx", "phemex"} <= set(table.index)
    known = {"", "quote", "coins", "contracts"}
    assert set(table["linear"]) <= known and set(table["inverse"]) <= known
    assert set(table["rate_on"]) <= {"", "whole position", "part above the floor"}
    assert (table["source"].str.len() > 10).all() and table["ccxt"].str.match(r"4\.\d+\.\d+").all()
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", day) for day in table["read"])
    # none is offered that cannot be read
    assert not table["fetched"][table["refused"] != ""].any() and (table["linear"][table["fetched"]] != "").all()


def test_whole_tables_survive_a_file_and_the_company_of_others(tmp_path: Any) -> None:
    """CSV and concatenation leave blanks in the optional columns; they mean what they meant."""
    mexc = table_of("mexc", MEXC, price=60_000)
    path = tmp_path / "tiers.csv"
    pd.concat([mexc, table_of("gate", GATE)], ignore_index=True).to_csv(path, index=False)
    both = lq.market.check_leverage_tiers(pd.read_csv(path))
    one, other = (tiers_for(name, BTC, leverage_tiers=both) for name in ("mexc", "gate"))
    assert (one.whole, one.reference_price) == (True, 60_000) and not other.whole and np.isnan(other.reference_price)
    assert lp(60_000, side="long", leverage=50, quantity=5, leverage_tiers=one) == pytest.approx(59_040)
    with pytest.raises(ValueError, match="rates hold for the whole position, so maintenance_amount must be 0"):
        lq.market.check_leverage_tiers(mexc.assign(maintenance_amount=[0, 1, 2]))
    with pytest.raises(ValueError, match="reference_price must be > 0, or NaN"):
        lq.market.check_leverage_tiers(mexc.assign(reference_price=0.0))
