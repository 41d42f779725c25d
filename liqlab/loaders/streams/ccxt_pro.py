"""Venues whose messages ccxt.pro reads for us: their trades, from which candles with the takers' side are made.

ccxt.pro has no stream of forced orders of any of them, so none is recorded. Amounts come as the venue's messages have
them; what they count was read in ccxt's code and the venue's documents, and is tested with messages of that shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from liqlab.loaders.exchanges._instruments import Instrument
from liqlab.loaders.streams._rows import Channel, Row, Trade, coins

EXCHANGES = ("bitget", "gate", "mexc")
THROUGH_CCXT = True
URLS: Mapping[str, str] = {}  # ccxt's own
PING = ("", 30.0)
INTEREST = "none"
CHANNELS = (
    Channel("trades", "watchTrades", "price, amount [Gate and MEXC contracts, Bitget coins], side of the taker, "
            "timestamp, id", "what ccxt.pro hands on; a missing one is not seen",
            "ccxt 4.5.90, pro/gate.py, pro/bitget.py, pro/mexc.py: handle_trades; Gate futures WebSocket v4, trades; "
            "Bitget v2, public trade channel; MEXC futures WebSocket, sub.deal", "2026-12-01"),
)  # fmt: skip
_IN_COINS = ("bitget",)


def address(base: str, items: Sequence[Instrument]) -> str:
    """Of the venue, as ccxt knows it."""
    return base


def subscriptions(items: Sequence[Instrument]) -> list[Any]:
    """None of our own: ccxt subscribes."""
    return []


def lacking() -> tuple[str, ...]:
    """Kinds that are not told."""
    return "liquidation_events", "mark", "open_interest", "funding_rate"


def coin_of(item: Instrument) -> str:
    """The name by which the messages call an instrument: ccxt's symbol."""
    return item.symbol


def parse(message: Any, items: Mapping[str, Instrument], memory: dict[Any, Any]) -> list[Row]:
    """ccxt's trades of one symbol → rows.

    Examples
    --------
    108 contracts of 0.0001 BTC.

    >>> btc = {"BTC/USDT:USDT": Instrument("gate", "BTC/USDT:USDT", "BTC_USDT", contract_size=0.0001)}
    >>> trade = {"symbol": "BTC/USDT:USDT", "timestamp": 1, "price": 60_000.0, "amount": 108.0, "side": "sell"}
    >>> [(row.quantity, row.buy, row.key) for row in parse([trade | {"id": "7"}], btc, {})]
    [(0.0108, False, '7')]
    """
    return [_trade(one, items[one["symbol"]], memory) for one in message]


def _trade(one: Mapping[str, Any], item: Instrument, memory: dict[Any, Any]) -> Trade:
    price, amount = float(one["price"]), float(one["amount"])
    if one["side"] not in ("buy", "sell"):
        raise ValueError(f"a trade's side is {one['side']!r}")
    memory["trades"] = memory.get("trades", 0) + 1
    # MEXC numbers no trades: each is one of its own, as it comes once
    key = one["id"] or f"{one['timestamp']}-{memory['trades']}"
    quantity = amount if item.exchange in _IN_COINS else coins(amount, price, item)
    return Trade(item.symbol, int(one["timestamp"]), price, quantity, one["side"] == "buy", key)
