"""OKX's public streams: trades, liquidation orders, mark price, open interest, funding.

A message of ``liquidation-orders`` holds every contract and several ``details`` each; `side` is that of the order
(sell: a long was liquidated), `bkPx` the bankruptcy price, `sz` counts contracts, as in trades. ``oiCcy`` is in coins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from liqlab.loaders.exchanges._instruments import Instrument
from liqlab.loaders.streams._rows import (
    LONG,
    SHORT,
    Channel,
    ForcedOrder,
    Funding,
    Interest,
    Mark,
    Refusal,
    Row,
    Trade,
    coins,
    numbered,
)

EXCHANGES = ("okx",)
URLS = {"okx": "wss://ws.okx.com:8443"}
PING = ("ping", 18.0)
INTEREST = "stream"
_DOC = "OKX, API v5, public websocket"
CHANNELS = (
    Channel("trades", "trades", "px price, sz quantity [contracts], side of the taker, ts, tradeId of the last, count",
            "all trades, those of one taker order at one price together", f"{_DOC}: Trades channel; ccxt 4.5.90 "
            "pro/okx.py", "2026-11-29"),
    Channel("liquidation_events", "liquidation-orders", "side of the order, bkPx bankruptcy price, sz [contracts], ts",
            "not all: at most one per contract and second", f"{_DOC}: Liquidation orders channel; ccxt 4.5.90 "
            "pro/okx.py", "2026-11-29"),
    Channel("mark", "mark-price", "markPx, ts", "every 200 ms where it changes", f"{_DOC}: Mark price channel",
            "2026-11-29"),
    Channel("open_interest", "open-interest", "oiCcy [coins], ts", "every 3 s", f"{_DOC}: Open interest channel",
            "2026-11-29"),
    Channel("funding_rate", "funding-rate", "fundingRate, fundingTime when paid, nextFundingTime", "every 30–90 s",
            f"{_DOC}: Funding rate channel", "2026-11-29"),
)  # fmt: skip


def address(base: str, items: Sequence[Instrument]) -> str:
    return f"{base}/ws/v5/public"


def subscriptions(items: Sequence[Instrument]) -> list[Any]:
    names = ("trades", "mark-price", "open-interest", "funding-rate")
    each = [{"channel": name, "instId": item.id} for item in items for name in names]
    return [{"op": "subscribe", "args": [{"channel": "liquidation-orders", "instType": "SWAP"}, *each]}]


def lacking() -> tuple[str, ...]:
    """Kinds that are not told: none."""
    return ()


def parse(message: Any, items: Mapping[str, Instrument], memory: dict[Any, Any]) -> list[Row]:
    """One message → rows.

    Examples
    --------
    >>> swap = {"BTC-USDT-SWAP": Instrument("okx", "BTC/USDT:USDT", "BTC-USDT-SWAP", contract_size=0.01)}
    >>> details = [{"bkPx": "60000", "side": "sell", "sz": "13", "posSide": "long", "ts": "1692266434010"},
    ...            {"bkPx": "60100", "side": "buy", "sz": "2", "posSide": "net", "ts": "1692266434011"}]
    >>> said = {"arg": {"channel": "liquidation-orders"}, "data": [{"instId": "BTC-USDT-SWAP", "details": details}]}
    >>> [(row.side, row.price, row.quantity) for row in parse(said, swap, {})]
    [(1, 60000.0, 0.13), (-1, 60100.0, 0.02)]
    """
    event = message.get("event")
    if event is not None:
        return [Refusal(f"{message.get('msg', message)} ({message.get('code', '')})")] if event == "error" else []
    channel = message["arg"]["channel"]
    rows: list[Row] = []
    for data in message.get("data", ()):
        item = items.get(data.get("instId", ""))
        if item is None:
            continue
        if channel == "trades":
            rows.append(_trade(data, item))
        elif channel == "mark-price":
            rows.append(Mark(item.symbol, int(data["ts"]), float(data["markPx"])))
        elif channel == "open-interest":
            rows.append(Interest(item.symbol, int(data["ts"]), float(data["oiCcy"])))
        elif channel == "funding-rate":
            rows.append(_funding(data, item))
        elif channel == "liquidation-orders":
            rows += numbered(_forced(row, item) for row in data["details"])
    return rows


def _trade(data: Mapping[str, Any], item: Instrument) -> Trade:
    price, last, count = float(data["px"]), int(data["tradeId"]), int(data.get("count") or 1)
    amount = coins(float(data["sz"]), price, item)
    return Trade(
        item.symbol, int(data["ts"]), price, amount, data["side"] == "buy", last, last - count + 1, last, count
    )


def _funding(data: Mapping[str, Any], item: Instrument) -> Funding:
    due, following = int(data["fundingTime"]), int(data.get("nextFundingTime") or 0)
    hours = (following - due) / 3_600_000 if following > due else float("nan")
    return Funding(item.symbol, int(data.get("ts") or 0), float(data["fundingRate"]), due, hours)


def _forced(row: Mapping[str, Any], item: Instrument) -> ForcedOrder:
    price = float(row["bkPx"])
    quantity, side = coins(float(row["sz"]), price, item), LONG if row["side"] == "sell" else SHORT
    return ForcedOrder(item.symbol, int(row["ts"]), side, price, quantity)
