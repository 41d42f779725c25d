"""Bybit's v5 streams: public trades, every liquidation, the ticker with mark price, open interest and funding.

`S` of ``allLiquidation`` is the side of the *position*: Buy, a long was liquidated; `p` is its bankruptcy price. Open
interest counts both sides of each contract and is halved. Linear amounts are in coins, inverse ones in USD.
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
    number,
    numbered,
)

EXCHANGES = ("bybit",)
URLS = {"bybit": "wss://stream.bybit.com"}
PING = ('{"op":"ping"}', 18.0)
INTEREST = "stream"
_DOC = "Bybit, V5 API, websocket public"
CHANNELS = (
    Channel("trades", "publicTrade", "p price, v quantity [coins; inverse USD], S side of the taker, T time, i id",
            "all trades; ids do not count, so a missing one is not seen", f"{_DOC}: Trade; ccxt 4.5.90 pro/bybit.py",
            "2026-11-29"),
    Channel("liquidation_events", "allLiquidation", "S side of the position, p bankruptcy price, v quantity [coins; "
            "inverse USD], T time", "every liquidation, within 500 ms", f"{_DOC}: All Liquidation; ccxt 4.5.90 "
            "pro/bybit.py", "2026-11-29"),
    Channel("mark", "tickers", "markPrice, ts", "where it changes, up to ten a second", f"{_DOC}: Ticker",
            "2026-11-29"),
    Channel("open_interest", "tickers", "openInterest [coins; inverse USD], both sides counted: halved",
            "where it changes", f"{_DOC}: Ticker; open interest: REST documentation of the same name", "2026-11-29"),
    Channel("funding_rate", "tickers", "fundingRate, nextFundingTime, fundingIntervalHour", "where it changes",
            f"{_DOC}: Ticker", "2026-11-29"),
)  # fmt: skip


def address(base: str, items: Sequence[Instrument]) -> str:
    """Linear and inverse contracts are on two addresses."""
    return f"{base}/v5/public/{'inverse' if items[0].inverse else 'linear'}"


def subscriptions(items: Sequence[Instrument]) -> list[Any]:
    topics = [f"{name}.{item.id}" for item in items for name in ("publicTrade", "allLiquidation", "tickers")]
    return [{"op": "subscribe", "args": topics[k : k + 10]} for k in range(0, len(topics), 10)]


def lacking() -> tuple[str, ...]:
    """Kinds that are not told: none."""
    return ()


def parse(message: Any, items: Mapping[str, Instrument], memory: dict[Any, Any]) -> list[Row]:
    """One message → rows.

    Examples
    --------
    >>> btc = {"BTCUSDT": Instrument("bybit", "BTC/USDT:USDT", "BTCUSDT")}
    >>> event = {"T": 1739502302929, "s": "BTCUSDT", "S": "Sell", "v": "0.2", "p": "97000"}
    >>> twice = parse({"topic": "allLiquidation.BTCUSDT", "ts": 1739502303204, "data": [event, event]}, btc, {})
    >>> [(row.side == SHORT, row.price, row.quantity, row.nth) for row in twice]
    [(True, 97000.0, 0.2, 0), (True, 97000.0, 0.2, 1)]
    """
    topic = message.get("topic")
    if topic is None:
        failed = message.get("success") is False
        return [Refusal(str(message.get("ret_msg", message)))] if failed else []
    name, _, contract = topic.partition(".")
    item = items.get(contract)
    if item is None:
        return []
    if name == "publicTrade":
        return [_trade(row, item) for row in message["data"]]
    if name == "allLiquidation":
        return numbered(_forced(row, item) for row in message["data"])
    return _ticker(message, item, memory.setdefault(contract, {})) if name == "tickers" else []


def _coins(amount: float, price: float, item: Instrument) -> float:
    return amount / price if item.inverse else amount


def _trade(row: Mapping[str, Any], item: Instrument) -> Trade:
    price = float(row["p"])
    return Trade(item.symbol, row["T"], price, _coins(float(row["v"]), price, item), row["S"] == "Buy", row["i"])


def _forced(row: Mapping[str, Any], item: Instrument) -> ForcedOrder:
    price = float(row["p"])
    quantity, side = _coins(float(row["v"]), price, item), LONG if row["S"] == "Buy" else SHORT
    return ForcedOrder(item.symbol, row["T"], side, price, quantity)


def _ticker(message: Mapping[str, Any], item: Instrument, known: dict[str, Any]) -> list[Row]:
    """A snapshot, then only what has changed."""
    data, time = message["data"], message["ts"]
    known.update(data)
    rows: list[Row] = []
    if data.get("markPrice"):
        rows.append(Mark(item.symbol, time, float(data["markPrice"])))
    if data.get("openInterest") and known.get("markPrice"):
        both = _coins(float(data["openInterest"]), float(known["markPrice"]), item)
        one = data.get("singleOpenInterest")  # newer tickers have it beside the other, as the history does
        coins = _coins(float(one), float(known["markPrice"]), item) if one else both / 2
        rows.append(Interest(item.symbol, time, coins))
    if (data.get("fundingRate") or data.get("nextFundingTime")) and known.get("nextFundingTime"):
        rows.append(Funding(item.symbol, time, float(known["fundingRate"]), int(known["nextFundingTime"]),
                            number(known.get("fundingIntervalHour"))))  # fmt: skip
    return rows
