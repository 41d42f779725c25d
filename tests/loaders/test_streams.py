"""Venues' messages → rows: by their documented examples, and against what ccxt reads in the same messages."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from liqlab.loaders.exchanges._instruments import Instrument
from liqlab.loaders.recording.ccxt_connection import CcxtConnection
from liqlab.loaders.streams import ccxt_pro, channels, stream_of, streams
from liqlab.loaders.streams._rows import LONG, SHORT, ForcedOrder, Funding, Interest, Mark, Refusal, Trade
from tests import stream_server as server

BTC = {
    "binanceusdm": Instrument("binanceusdm", "BTC/USDT:USDT", "BTCUSDT"),
    "bybit": Instrument("bybit", "BTC/USDT:USDT", "BTCUSDT"),
    "okx": Instrument("okx", "BTC/USDT:USDT", "BTC-USDT-SWAP", contract_size=0.01),
    "hyperliquid": Instrument("hyperliquid", "BTC/USDC:USDC", "0"),
}


def read(venue: str, message: Any, memory: dict[Any, Any] | None = None, **items: Instrument) -> list[Any]:
    known = items or {server.CONTRACT[venue]: BTC[venue]}
    return list(stream_of(venue).parse(message, known, {} if memory is None else memory))


T = 1_760_000_000_001


def test_every_channel_says_where_and_when_it_was_read() -> None:
    table = channels()
    assert (table[["kind", "name", "fields", "complete", "source", "read"]] != "").all().all()
    for exchange, part in table.groupby("exchange"):
        kinds = {"trades", "liquidation_events", "mark", "open_interest", "funding_rate"}
        assert set(part["kind"]) == ({"trades"} if exchange in ccxt_pro.EXCHANGES else kinds), exchange


@pytest.mark.parametrize(
    ("exchange", "message", "coins"),
    [("gate", {"channel": "futures.trades", "event": "update", "time": 1, "result": [
        {"contract": "BTC_USDT", "create_time": T // 1000, "create_time_ms": T, "id": 9, "price": "60000",
         "size": "-12"}]},
      12 * 0.0001),
     ("bitget", {"action": "update", "ts": T, "arg": {
         "instType": "USDT-FUTURES", "channel": "trade", "instId": "BTCUSDT"}, "data": [
        {"ts": str(T), "price": "60000", "size": "0.012", "side": "sell", "tradeId": "9"}]}, 0.012),
     ("mexc", {"symbol": "BTC_USDT", "channel": "push.deal", "ts": T, "data": [
        {"p": 60000, "v": 12, "T": 2, "O": 3, "M": 2, "t": T}]}, 12 * 0.0001)],
)  # fmt: skip
def test_trades_of_ccxt_are_in_coins(exchange: str, message: Any, coins: float) -> None:
    """A message of each venue through ccxt's own code: contracts of 0.0001 coins, or coins."""
    contract = message.get("symbol") or message.get("arg", {}).get("instId") or message["result"][0]["contract"]
    item = Instrument(exchange, "BTC/USDT:USDT", contract, contract_size=1.0 if exchange == "bitget" else 0.0001)

    class Told:
        def resolve(self, found: Any, *_: Any) -> None:
            self.found = list(found)

    async def read() -> Any:
        client = CcxtConnection(ccxt_pro, [item], {}, print)._client()
        told = Told()
        client.handle_trades(told, message)
        await client.close()
        return ccxt_pro.parse(told.found, {item.symbol: item}, {})

    [row] = asyncio.run(read())
    assert (row.time, row.price, row.buy) == (T, 60_000.0, False) and row.quantity == pytest.approx(coins)


@pytest.mark.parametrize("venue", BTC)
def test_an_hour_of_each_venue_is_read_as_it_was_made(venue: str) -> None:
    """Side, price, coins and time of every trade and forced order; marks and open interest with one side counted."""
    import json

    start, memory = 1_760_000_040_000, {"now": 0}
    rows: list[Any] = []
    for k in range(60):
        for at, text in server.messages(venue, start, 3, k, 20):
            memory["now"] = at
            rows += read(venue, json.loads(text), memory)
    trades = [row for row in rows if type(row) is Trade]
    seconds = [(k, server.second(3, k, 20)) for k in range(60)]
    made = [(start + 1000 * k + int(t), float(p), c / 100, bool(b)) for k, s in seconds
            for t, p, c, b in zip(s["at"], s["price"], s["contracts"], s["buy"], strict=True)]  # fmt: skip
    assert [(t.time, t.price, t.quantity, t.buy) for t in trades] == made
    orders = [(r.time, r.side, r.price, r.quantity) for r in rows if type(r) is ForcedOrder]
    assert orders == server.forced(start, 3, 60, 20) and len(orders) > 5
    assert {r.price for r in rows if type(r) is Mark} == {server.second(3, k, 20)["mark"] for k in range(60)}
    interest = [r.coins for r in rows if type(r) is Interest]
    assert interest == ([] if venue == "binanceusdm" else [80_000.0 + k for k in range(60)])
    assert all(r.due > r.time for r in rows if type(r) is Funding) and any(type(r) is Funding for r in rows)


def test_what_ccxt_drops_is_there() -> None:
    """ccxt takes the last fill for the size of Binance's order, and the first detail of OKX's."""
    order = {"s": "BTCUSDT", "S": "BUY", "o": "LIMIT", "f": "IOC", "q": "1.437", "p": "35100.81", "ap": "34959.70",
             "X": "FILLED", "l": "0.400", "z": "1.437", "T": 1698871323059}  # fmt: skip
    [row] = read("binanceusdm", {"e": "forceOrder", "E": 1698871323061, "o": order})
    assert row[1:7] == (1698871323059, SHORT, 35100.81, 1.437, 34959.70, 1.437)
    detail = {
        "bkLoss": "0",
        "bkPx": "60000",
        "ccy": "",
        "posSide": "short",
        "side": "buy",
        "sz": "13",
        "ts": "1692266434010",
    }
    said = {"arg": {"channel": "liquidation-orders", "instType": "SWAP"},
            "data": [{"details": [detail, {**detail, "sz": "5"}], "instId": "BTC-USDT-SWAP"}]}  # fmt: skip
    assert [(r.side, r.quantity) for r in read("okx", said)] == [(SHORT, 0.13), (SHORT, 0.05)]


@pytest.mark.parametrize(("venue", "name"), [("binanceusdm", "binanceusdm"), ("bybit", "bybit"), ("okx", "okx")])
def test_side_price_and_time_are_those_that_ccxt_reads(venue: str, name: str) -> None:
    """Where ccxt's meaning is known: its side is the order's on Binance and OKX, and the position's word on Bybit."""
    import json

    import ccxt.pro

    client = getattr(ccxt.pro, name)()
    market = {"id": server.CONTRACT[venue], "symbol": "BTC/USDT:USDT", "type": "swap", "swap": True, "contract": True,
              "linear": True, "contractSize": server.SIZE.get(venue, 1.0), "base": "BTC", "quote": "USDT",
              "settle": "USDT", "spot": False}  # fmt: skip
    client.set_markets([client.safe_market_structure(market)])
    long_is = {"binanceusdm": "sell", "okx": "sell", "bybit": "buy"}[venue]
    texts = [text for k in range(120) for _, text in server.messages(venue, 1_760_000_040_000, 4, k, 1)]
    forced = [m for m in map(json.loads, texts) if "iquidation" in json.dumps(m) or m.get("e") == "forceOrder"]
    assert len(forced) > 10
    for message in forced:
        [row] = read(venue, message)
        raw = message.get("o") or (message["data"][-1] if venue == "okx" else message["data"][0])
        theirs = client.parse_ws_liquidation(raw, client.market("BTC/USDT:USDT"))
        assert (theirs["timestamp"], theirs["price"]) == (
            row.time,
            row.price if venue != "binanceusdm" else theirs["price"],
        )
        side = theirs["side"] or raw["S"]
        assert (side.lower() == long_is) == (row.side == LONG)


def test_inverse_contracts_become_coins() -> None:
    coin = Instrument("binancecoinm", "BTC/USD:BTC", "BTCUSD_PERP", True, 100.0)
    trade = {
        "e": "aggTrade",
        "E": 2,
        "s": "BTCUSD_PERP",
        "a": 7,
        "p": "50000",
        "q": "10",
        "f": 1,
        "l": 3,
        "T": 1,
        "m": True,
    }
    [row] = stream_of("binancecoinm").parse(trade, {"BTCUSD_PERP": coin}, {})
    assert row == Trade("BTC/USD:BTC", 1, 50_000.0, 0.02, False, 7, 7, 7, 3)
    usd = Instrument("bybit", "BTC/USD:BTC", "BTCUSD", True, 1.0)
    said = {
        "topic": "allLiquidation.BTCUSD",
        "ts": 5,
        "data": [{"T": 4, "s": "BTCUSD", "S": "Buy", "v": "100", "p": "50000"}],
    }
    [forced] = stream_of("bybit").parse(said, {"BTCUSD": usd}, {})
    assert (forced.side, forced.quantity) == (LONG, 0.002)


def test_a_ticker_that_tells_only_what_changed_is_completed() -> None:
    memory: dict[Any, Any] = {}
    whole = {"symbol": "BTCUSDT", "markPrice": "100", "openInterest": "50", "fundingRate": "0.0001",
             "nextFundingTime": "28800000", "fundingIntervalHour": "8"}  # fmt: skip
    first = read("bybit", {"topic": "tickers.BTCUSDT", "type": "snapshot", "ts": 1, "data": whole}, memory)
    assert [type(r) for r in first] == [Mark, Interest, Funding] and first[1].coins == 25.0
    change = {"symbol": "BTCUSDT", "fundingRate": "0.0002"}
    [later] = read("bybit", {"topic": "tickers.BTCUSDT", "type": "delta", "ts": 2, "data": change}, memory)
    assert later == Funding("BTC/USDT:USDT", 2, 0.0002, 28_800_000, 8.0)
    single = {"symbol": "BTCUSDT", "openInterest": "60", "singleOpenInterest": "30"}
    [known] = read("bybit", {"topic": "tickers.BTCUSDT", "type": "delta", "ts": 3, "data": single}, memory)
    assert known.coins == 30.0


def test_a_fill_on_hyperliquid_knows_who_was_liquidated() -> None:
    fill = {"coin": "BTC", "px": "60000", "sz": "0.5", "side": "A", "time": 9, "tid": 1, "dir": "Close Long",
            "liquidation": {"liquidatedUser": "0xABC", "markPx": "60010", "method": "market"}}  # fmt: skip
    own = {"channel": "userFills", "data": {"user": "0xabc", "fills": [fill]}}
    [row] = read("hyperliquid", own)
    assert (row.side, row.price, row.quantity) == (LONG, 60_000.0, 0.5)
    taker = {**fill, "side": "B", "dir": "Open Long"}
    [other] = read("hyperliquid", {"channel": "userFills", "data": {"user": "0xdef", "fills": [taker]}})
    assert other[:5] == row[:5]
    plain = {key: value for key, value in fill.items() if key != "liquidation"}
    assert read("hyperliquid", {"channel": "userFills", "data": {"user": "0xabc", "fills": [plain]}}) == []
    assert (
        read("hyperliquid", {"channel": "userFills", "data": {"user": "0xabc", "isSnapshot": True, "fills": [fill]}})
        == []
    )


@pytest.mark.parametrize(
    ("venue", "message"),
    [
        ("binanceusdm", {"error": {"code": 2, "msg": "Invalid request"}, "id": 1}),
        ("bybit", {"success": False, "ret_msg": "error:handler not found,topic:publicTrade.XX", "op": "subscribe"}),
        ("okx", {"event": "error", "code": "60018", "msg": "Wrong URL or channel or instId doesn't exist"}),
        ("hyperliquid", {"channel": "error", "data": "Invalid subscription"}),
    ],
)
def test_a_refusal_is_told_in_the_venues_words(venue: str, message: Any) -> None:
    [row] = read(venue, message)
    assert isinstance(row, Refusal) and any(word in row.text for word in ("Invalid", "not found", "doesn't exist"))


@pytest.mark.parametrize("venue", BTC)
def test_other_contracts_and_acknowledgements_are_no_rows(venue: str) -> None:
    import json

    other = {"X": BTC[venue]}
    for _, text in server.messages(venue, 1_760_000_040_000, 4, 0, 5):
        assert read(venue, json.loads(text), **other) == []
    assert read(venue, server._acknowledgement(venue)) == []


def test_addresses_and_subscriptions() -> None:
    items = {name: [one] for name, one in BTC.items()}
    urls = {name: stream_of(name).address("wss://host", items[name]) for name in BTC}
    assert urls == {"binanceusdm": "wss://host/market/ws", "bybit": "wss://host/v5/public/linear",
                    "okx": "wss://host/ws/v5/public", "hyperliquid": "wss://host/ws"}  # fmt: skip
    asked = {name: str(stream_of(name).subscriptions(items[name])) for name in BTC}
    assert "btcusdt@forceOrder" in asked["binanceusdm"] and "allLiquidation.BTCUSDT" in asked["bybit"]
    assert "liquidation-orders" in asked["okx"] and "'activeAssetCtx', 'coin': 'BTC'" in asked["hyperliquid"]
    many = [Instrument("bybit", f"X{k}/USDT:USDT", f"X{k}USDT") for k in range(9)]
    assert max(len(one["args"]) for one in stream_of("bybit").subscriptions(many)) <= 10
    assert len(streams()) == 5
    with pytest.raises(ValueError, match=r"reads no stream of 'deribit'; it reads those of binancecoinm"):
        stream_of("deribit")
