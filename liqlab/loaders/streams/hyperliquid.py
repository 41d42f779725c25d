"""Hyperliquid's public stream: trades, and each asset's mark price, open interest and funding.

There is no stream of all liquidations: fills say whether they liquidated somebody only to those who took part
(``userFills``). Fills of accounts that are public, such as the venue's own liquidator, can be subscribed to by address:
``LIQLAB_HYPERLIQUID_USERS`` names them, separated by commas. What is not among them is not seen. Side ``B`` of a trade:
the taker bought.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
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
    numbered,
)

EXCHANGES = ("hyperliquid",)
URLS = {"hyperliquid": "wss://api.hyperliquid.xyz"}
PING = ('{"method":"ping"}', 20.0)
INTEREST = "stream"
HOUR = 3_600_000
_DOC = "Hyperliquid, API, websocket subscriptions"
CHANNELS = (
    Channel("trades", "trades", "px price, sz quantity [coins], side B: the taker bought, time, tid", "all trades; tid "
            "does not count, so a missing one is not seen", f"{_DOC}; ccxt 4.5.90 pro/hyperliquid.py", "2026-11-29"),
    Channel("liquidation_events", "userFills", "fills with liquidation {liquidatedUser, markPx, method}: px fill, sz "
            "[coins], startPosition and side", "only of the accounts named in LIQLAB_HYPERLIQUID_USERS; none without",
            f"{_DOC}; ccxt 4.5.90 pro/hyperliquid.py", "2026-11-29"),
    Channel("mark", "activeAssetCtx", "ctx.markPx; stamped when it arrives", "where it changes", _DOC, "2026-11-29"),
    Channel("open_interest", "activeAssetCtx", "ctx.openInterest [coins]; stamped when it arrives", "where it changes",
            _DOC, "2026-11-29"),
    Channel("funding_rate", "activeAssetCtx", "ctx.funding, of the running hour", "where it changes", _DOC,
            "2026-11-29"),
)  # fmt: skip


def address(base: str, items: Sequence[Instrument]) -> str:
    return f"{base}/ws"


def subscriptions(items: Sequence[Instrument]) -> list[Any]:
    wanted = [{"type": name, "coin": coin_of(item)} for item in items for name in ("trades", "activeAssetCtx")]
    wanted += [{"type": "userFills", "user": user} for user in _users()]
    return [{"method": "subscribe", "subscription": one} for one in wanted]


def _users() -> list[str]:
    return [user.strip() for user in os.environ.get("LIQLAB_HYPERLIQUID_USERS", "").split(",") if user.strip()]


def lacking() -> tuple[str, ...]:
    """Kinds that are not told: forced orders, where no accounts are named."""
    return () if _users() else ("liquidation_events",)


def coin_of(item: Instrument) -> str:
    """The venue's name in its stream, ``BTC``; ccxt's id of it is a number.

    >>> coin_of(Instrument("hyperliquid", "BTC/USDC:USDC", "0"))
    'BTC'
    """
    return item.symbol.partition("/")[0]


def parse(message: Any, items: Mapping[str, Instrument], memory: dict[Any, Any]) -> list[Row]:
    """One message → rows.

    Examples
    --------
    >>> btc = {"BTC": Instrument("hyperliquid", "BTC/USDC:USDC", "0")}
    >>> trade = {"coin": "BTC", "side": "A", "px": "68517.0", "sz": "0.005", "time": 1710125266669, "tid": 9}
    >>> [(row.buy, row.price, row.quantity) for row in parse({"channel": "trades", "data": [trade]}, btc, {})]
    [(False, 68517.0, 0.005)]
    """
    channel, data = message.get("channel"), message.get("data")
    if channel == "trades":
        memory["time"] = max((row["time"] for row in data), default=memory.get("time", 0))
        return [Trade(items[row["coin"]].symbol, row["time"], float(row["px"]), float(row["sz"]), row["side"] == "B",
                      row["tid"]) for row in data if row["coin"] in items]  # fmt: skip
    if channel == "activeAssetCtx":
        return _context(data, items, memory)
    if channel == "userFills":
        return [] if data.get("isSnapshot") else numbered(_forced(data.get("user", ""), data["fills"], items))
    return [Refusal(str(data))] if channel == "error" else []


def _context(data: Mapping[str, Any], items: Mapping[str, Instrument], memory: dict[Any, Any]) -> list[Row]:
    """Mark price, open interest and funding. The message carries no time: it is stamped by when it came, in the venue's
    time (``memory["now"]``, kept by whoever reads the stream), and never before the newest trade."""
    item, said = items.get(data["coin"]), data["ctx"]
    if item is None:
        return []
    time = max(int(memory.get("time", 0)), int(memory.get("now", 0)))
    due = (time // HOUR + 1) * HOUR
    return [Mark(item.symbol, time, float(said["markPx"])), Interest(item.symbol, time, float(said["openInterest"])),
            Funding(item.symbol, time, float(said["funding"]), due, 1.0)]  # fmt: skip


def _forced(user: str, fills: Sequence[Mapping[str, Any]], items: Mapping[str, Instrument]) -> Iterator[ForcedOrder]:
    """Fills that liquidated somebody: who is liquidated and sells closes a long; whoever takes the other side buys."""
    for fill in fills:
        item, told = items.get(fill["coin"]), fill.get("liquidation")
        if item is None or not told:
            continue
        own = str(told.get("liquidatedUser") or "").lower() == user.lower()
        side = LONG if (fill["side"] == "A") == own else SHORT
        price = float(fill["px"])
        yield ForcedOrder(item.symbol, fill["time"], side, price, float(fill["sz"]), price)
