"""Which venues' maintenance tiers `fetch` offers, and what it hands on to make notional of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import liqlab as lq
from liqlab.loaders.exchanges import _ccxt
from liqlab.loaders.exchanges._instruments import Instrument, Link
from liqlab.margin import tier_units, tiers_for, tiers_from_ccxt
from tests.markets import candles

pytest.importorskip("ccxt")


def test_none_is_offered_that_cannot_be_read() -> None:
    table = lq.capabilities().query("kind == 'leverage_tiers'").set_index("exchange")
    units = tier_units()
    offered = set(table.index[table["offered"]])
    assert offered <= set(units.index[units["fetched"]])
    assert {"mexc", "okx", "bybit", "gate", "krakenfutures", "kucoinfutures", "bitget"} <= offered
    assert table.loc["htx", "note"].startswith("its ladders differ from leverage to leverage")
    assert "liqlab does not know in what unit" in table.loc["hashkey", "note"]
    assert table.loc["binanceusdm", "key"] and not table.loc["mexc", "key"]


class Client:
    """A ccxt client that knows one price."""

    asked = 0

    def fetch_ticker(self, symbol: str) -> dict[str, Any]:
        self.asked += 1
        return {"symbol": symbol, "last": 60_000.0}


@pytest.mark.parametrize(
    ("exchange", "inverse", "size"),
    [("mexc", False, 0.0001), ("okx", True, 100.0), ("kucoinfutures", True, 1.0), ("krakenfutures", True, 1.0)],
)
def test_contract_size_and_price_are_handed_on(exchange: str, inverse: bool, size: float) -> None:
    item = Instrument(exchange, "BTC/USD:BTC" if inverse else "BTC/USDT:USDT", "X", inverse, size)
    client = Client()
    told = _ccxt.tier_unit(Link(exchange, None, "", client), item)  # type: ignore[arg-type]
    assert told == {"contract_size": size, "price": 60_000.0} and client.asked == 1
    row = {"minNotional": 0, "maxNotional": 6_000, "maintenanceMarginRate": 0.01, "maxLeverage": 50, "info": {}}
    table = tiers_from_ccxt([row], symbol=item.symbol, exchange=exchange, as_of="2026-11-28", **told)
    assert table["max_notional"].iloc[0] == pytest.approx(6_000 * (size / 60_000 if inverse else size * 60_000))


@pytest.mark.parametrize(
    ("exchange", "inverse"), [("bybit", False), ("bybit", True), ("gate", False), ("bitget", False)]
)
def test_no_price_is_asked_where_none_is_needed(exchange: str, inverse: bool) -> None:
    client = Client()
    item = Instrument(exchange, "BTC/USDT:USDT", "X", inverse, 1.0)
    assert _ccxt.tier_unit(Link(exchange, None, "", client), item) == {} and client.asked == 0  # type: ignore[arg-type]


def test_what_a_fetched_table_says_of_its_unit_survives_a_file(tmp_path: Path) -> None:
    """Written as CSV and read again: MEXC's contracts are still contracts, beside a venue that has none."""
    row = {"minNotional": 0, "maxNotional": 6_000, "maintenanceMarginRate": 0.01, "maxLeverage": 50, "info": {}}
    where = {"symbol": "BTC/USDT:USDT", "as_of": "2026-11-28"}
    tables = [
        tiers_from_ccxt([row], exchange="mexc", contract_size=0.0001, price=60_000, **where),
        tiers_from_ccxt([row], exchange="bybit", **where),
    ]
    path = tmp_path / "tiers.csv"
    pd.concat(tables).to_csv(path, index=False)
    market = lq.read(candles([(100.0, 110.0, 90.0, 100.0, 1.0)] * 3), leverage_tiers=path)
    found = [tiers_for(name, "BTC/USDT:USDT", leverage_tiers=market.leverage_tiers) for name in ("mexc", "bybit")]
    assert [one.whole for one in found] == [True, False]
    assert found[0].reference_price == 60_000 and np.isnan(found[1].reference_price)
