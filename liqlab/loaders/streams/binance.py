"""Binance's futures streams, USD-M and COIN-M: aggregated trades, forced orders, mark price with funding.

Since 23 April 2026 USD-M has two addresses: ``/public`` (books, single trades) and ``/market`` (the rest); the old one
without a path no longer carries forced orders. `S` of a forced order is the side of the *order*: SELL liquidates a
long. ``p`` is its price, the bankruptcy price; ``ap`` the average fill; ``z`` what was filled. Open interest is on no
stream and is asked for.
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
)

EXCHANGES = ("binanceusdm", "binancecoinm")
URLS = {"binanceusdm": "wss://fstream.binance.com", "binancecoinm": "wss://dstream.binance.com"}
PING = ("", 60.0)
INTEREST = "poll"
_DOC = "Binance, derivatives API, websocket market streams"
CHANNELS = (
    Channel("trades", "@aggTrade", "p price, q quantity [coins; COIN-M contracts], m buyer was the maker, a number, "
            "f–l single trades", "all trades of the market; a counts up by one, so a missing one is seen",
            f"{_DOC}: Aggregate Trade Streams; ccxt 4.5.90 pro/binance.py", "2026-11-29"),
    Channel("liquidation_events", "@forceOrder", "S side of the order, p bankruptcy price, ap average fill, q ordered, "
            "z filled [coins; COIN-M contracts], T time", "at most one order per symbol and second: amounts are lower "
            "bounds", f"{_DOC}: Liquidation Order Streams; ccxt 4.5.90 pro/binance.py", "2026-11-29"),
    Channel("mark", "@markPrice@1s", "p mark price, E time", "one a second", f"{_DOC}: Mark Price Stream",
            "2026-11-29"),
    Channel("funding_rate", "@markPrice@1s", "r rate of the running interval, T when it is paid", "one a second",
            f"{_DOC}: Mark Price Stream", "2026-11-29"),
    Channel("open_interest", "GET openInterest", "openInterest [coins; COIN-M contracts], time", "asked for, every "
            "10 s", "Binance, derivatives API, market data: Open Interest", "2026-11-29"),
)  # fmt: skip


def address(base: str, items: Sequence[Instrument]) -> str:
    """USD-M's market tier; COIN-M has one address."""
    return f"{base}/ws" if items[0].exchange == "binancecoinm" else f"{base}/market/ws"


def subscriptions(items: Sequence[Instrument]) -> list[Any]:
    names = [f"{item.id.lower()}@{name}" for item in items for name in ("aggTrade", "forceOrder", "markPrice@1s")]
    return [{"method": "SUBSCRIBE", "params": names[k : k + 150], "id": k + 1} for k in range(0, len(names), 150)]


def lacking() -> tuple[str, ...]:
    """Kinds that are not told: none."""
    return ()


def parse(message: Any, items: Mapping[str, Instrument], memory: dict[Any, Any]) -> list[Row]:
    """One message → rows.

    Examples
    --------
    >>> btc = {"BTCUSDT": Instrument("binanceusdm", "BTC/USDT:USDT", "BTCUSDT")}
    >>> order = {"s": "BTCUSDT", "S": "SELL", "q": "0.014", "p": "9910", "ap": "9905", "z": "0.01", "T": 1568014460893}
    >>> [row] = parse({"e": "forceOrder", "E": 1568014460893, "o": order}, btc, {})
    >>> row.side == LONG, row.price, row.average_price, row.quantity, row.order_quantity
    (True, 9910.0, 9905.0, 0.01, 0.014)
    """
    kind = message.get("e")
    if kind == "aggTrade":
        item = items.get(message["s"])
        if item is None:
            return []
        price, amount, number = float(message["p"]), float(message["q"]), message["a"]
        if item.inverse:
            amount = coins(amount, price, item)
        trades = message["l"] - message["f"] + 1
        return [Trade(item.symbol, message["T"], price, amount, not message["m"], number, number, number, trades)]
    if kind == "markPriceUpdate":
        item = items.get(message["s"])
        if item is None:
            return []
        rows: list[Row] = [Mark(item.symbol, message["E"], float(message["p"]))]
        if message.get("T") and message.get("r"):
            rows.append(Funding(item.symbol, message["E"], float(message["r"]), message["T"]))
        return rows
    if kind == "forceOrder":
        return _forced(message["o"], items)
    error = message.get("error") or (message if message.get("code") else None)
    return [Refusal(f"{error.get('msg', error)} ({error.get('code', '')})")] if error else []


def _forced(order: Mapping[str, Any], items: Mapping[str, Instrument]) -> list[Row]:
    item = items.get(order["s"])
    if item is None:
        return []
    price, average = float(order["p"]), float(order["ap"])
    at = average if average > 0 else price
    ordered, filled = (coins(float(order[name]), at, item) for name in ("q", "z"))
    side = LONG if order["S"] == "SELL" else SHORT
    return [ForcedOrder(item.symbol, order["T"], side, price, filled if filled > 0 else ordered,
                        average if average > 0 else float("nan"), ordered)]  # fmt: skip


def parse_interest(said: Any, item: Instrument, price: float) -> Interest:
    """Reply to ``openInterest`` → coins; COIN-M counts contracts and needs a price.

    >>> coin = Instrument("binancecoinm", "BTC/USD:BTC", "BTCUSD_PERP", True, 100.0)
    >>> parse_interest({"openInterest": "5000", "symbol": "BTCUSD_PERP", "time": 1}, coin, 50_000).coins
    10.0
    """
    return Interest(item.symbol, int(said["time"]), coins(float(said["openInterest"]), price, item))
