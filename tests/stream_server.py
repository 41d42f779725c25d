"""Five venues on loopback that speak their own stream's messages, with drops, repeats and disorder by a seed.

``StreamVenue("bybit").start()`` plays a synthetic stream of one symbol from a moment in the past. Everything is made
from the seed and the second alone, so `truth` says, without any of liqlab, what a perfect recording holds.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

CONTRACT = {"binanceusdm": "BTCUSDT", "bybit": "BTCUSDT", "okx": "BTC-USDT-SWAP", "hyperliquid": "BTC",
            "gate": "BTC_USDT"}  # fmt: skip
SIZE = {"okx": 0.01, "gate": 0.01}  # coins of one contract
SYMBOL = {"hyperliquid": "BTC/USDC:USDC"}
PATH = {"binanceusdm": "/market/ws", "bybit": "/v5/public/linear", "okx": "/ws/v5/public", "hyperliquid": "/ws",
        "gate": "/v4/ws/usdt"}  # fmt: skip
USER = "0xabc0000000000000000000000000000000000001"


@lru_cache(maxsize=4096)
def second(seed: int, k: int, rate: int) -> dict[str, Any]:
    """What happens in the k-th second: trades, a mark price, perhaps forced orders, open interest."""
    draw = np.random.default_rng((seed, k))
    n = int(draw.poisson(rate))
    at = np.sort(draw.integers(0, 1000, n))
    price = np.round(60_000 + 300 * np.sin(k / 200) + draw.normal(0, 5, n), 1)
    contracts = draw.integers(1, 500, n)  # of a hundredth of a coin: exact in coins as well
    forced = []
    for _ in range(int(draw.poisson(0.3))):
        forced.append((int(draw.integers(0, 1000)), bool(draw.integers(0, 2)),
                       float(np.round(60_000 + draw.normal(0, 50), 1)), int(draw.integers(1, 300))))  # fmt: skip
    return {"at": at, "price": price, "contracts": contracts, "buy": draw.integers(0, 2, n) == 1,
            "forced": sorted(forced), "mark": round(60_000 + 300 * np.sin(k / 200), 2),
            "interest": 80_000 + k}  # fmt: skip


def messages(venue: str, start: int, seed: int, k: int, rate: int) -> list[tuple[int, str]]:
    """The messages of the k-th second, in order: time [ms] and text."""
    what, t0, name = second(seed, k, rate), start + 1000 * k, CONTRACT[venue]
    out: list[tuple[int, Any]] = []
    for j in range(len(what["at"])):
        time_ms, price = t0 + int(what["at"][j]), f"{what['price'][j]:.1f}"
        number = _number(seed, k, rate) + j
        out.append(
            (time_ms, _trade(venue, name, time_ms, price, int(what["contracts"][j]), bool(what["buy"][j]), number))
        )
    for away, long, price, contracts in what["forced"] if venue != "gate" else ():
        out.append((t0 + away, _forced(venue, name, t0 + away, price, contracts, long)))
    out += [(t0 + 500, message) for message in _state(venue, name, t0 + 500, what)]
    return [(at, json.dumps(message)) for at, message in sorted(out, key=lambda row: row[0])]


_COUNTED: dict[tuple[int, int], list[int]] = {}


def _number(seed: int, k: int, rate: int) -> int:
    """Trades before the k-th second, plus one."""
    known = _COUNTED.setdefault((seed, rate), [1])
    while len(known) <= k:
        known.append(known[-1] + len(second(seed, len(known) - 1, rate)["at"]))
    return known[k]


def _trade(venue: str, name: str, at: int, price: str, contracts: int, buy: bool, number: int) -> Any:
    coins = f"{contracts / 100:.2f}"
    if venue == "binanceusdm":
        return {"e": "aggTrade", "E": at, "s": name, "a": number, "p": price, "q": coins, "f": number * 2,
                "l": number * 2 + 1, "T": at, "m": not buy}  # fmt: skip
    if venue == "bybit":
        return {"topic": f"publicTrade.{name}", "type": "snapshot", "ts": at, "data": [
            {"T": at, "s": name, "S": "Buy" if buy else "Sell", "v": coins, "p": price, "L": "PlusTick",
             "i": f"id-{number}", "BT": False}]}  # fmt: skip
    if venue == "okx":
        return {"arg": {"channel": "trades", "instId": name}, "data": [
            {"instId": name, "tradeId": str(number), "px": price, "sz": str(contracts),
             "side": "buy" if buy else "sell", "ts": str(at)}]}  # fmt: skip
    if venue == "gate":
        return {"time": at // 1000, "time_ms": at, "channel": "futures.trades", "event": "update", "result": [
            {"contract": name, "create_time": at // 1000, "create_time_ms": at, "id": number, "price": price,
             "size": str(contracts if buy else -contracts)}]}  # fmt: skip
    return {"channel": "trades", "data": [
        {"coin": name, "side": "B" if buy else "A", "px": price, "sz": coins, "time": at, "hash": "0x0", "tid": number,
         "users": ["0x1", "0x2"]}]}  # fmt: skip


def _forced(venue: str, name: str, at: int, price: float, contracts: int, long: bool) -> Any:
    coins = f"{contracts / 100:.2f}"
    if venue == "binanceusdm":
        order = {"s": name, "S": "SELL" if long else "BUY", "o": "LIMIT", "f": "IOC", "q": coins, "p": str(price),
                 "ap": str(price - 1), "X": "FILLED", "l": "0.01", "z": coins, "T": at}  # fmt: skip
        return {"e": "forceOrder", "E": at, "o": order}
    if venue == "bybit":
        return {"topic": f"allLiquidation.{name}", "type": "snapshot", "ts": at + 20, "data": [
            {"T": at, "s": name, "S": "Buy" if long else "Sell", "v": coins, "p": str(price)}]}  # fmt: skip
    if venue == "okx":
        detail = {"bkLoss": "0", "bkPx": str(price), "ccy": "", "posSide": "long" if long else "short",
                  "side": "sell" if long else "buy", "sz": str(contracts), "ts": str(at)}  # fmt: skip
        return {"arg": {"channel": "liquidation-orders", "instType": "SWAP"},
                "data": [{"instId": one, "details": [detail]} for one in ("ETH-USDT-SWAP", name)]}  # fmt: skip
    fill = {"coin": name, "px": str(price), "sz": coins, "side": "B" if long else "A", "time": at, "tid": at,
            "dir": "x",
            "liquidation": {"liquidatedUser": "0x9", "markPx": str(price), "method": "backstop"}}  # fmt: skip
    return {"channel": "userFills", "data": {"user": USER, "fills": [fill]}}


def _state(venue: str, name: str, at: int, what: dict[str, Any]) -> list[Any]:
    if venue == "gate":
        return []
    mark, interest, due = what["mark"], what["interest"], (at // 28_800_000 + 1) * 28_800_000
    if venue == "binanceusdm":
        return [{"e": "markPriceUpdate", "E": at, "s": name, "p": str(mark), "i": str(mark), "P": "0", "r": "0.0001",
                 "T": due}]  # fmt: skip
    if venue == "bybit":
        return [{"topic": f"tickers.{name}", "type": "delta", "ts": at, "cs": 1, "data": {
            "symbol": name, "markPrice": str(mark), "openInterest": str(2 * interest), "fundingRate": "0.0001",
            "nextFundingTime": str(due)}}]  # fmt: skip
    if venue == "okx":
        return [{"arg": {"channel": "mark-price", "instId": name},
                 "data": [{"instType": "SWAP", "instId": name, "markPx": str(mark), "ts": str(at)}]},
                {"arg": {"channel": "open-interest", "instId": name},
                 "data": [{"instId": name, "instType": "SWAP", "oi": str(interest * 100), "oiCcy": str(interest),
                           "ts": str(at)}]},
                {"arg": {"channel": "funding-rate", "instId": name},
                 "data": [{"instId": name, "fundingRate": "0.0001", "fundingTime": str(due),
                           "nextFundingTime": str(due + 28_800_000), "ts": str(at)}]}]  # fmt: skip
    return [{"channel": "activeAssetCtx", "data": {"coin": name, "ctx": {
        "markPx": str(mark), "openInterest": str(interest), "funding": "0.0000125"}}}]  # fmt: skip


# --- the truth ----------------------------------------------------------------------------------


def candles(start: int, seed: int, seconds: int, rate: int) -> pd.DataFrame:
    """1m candles of the first seconds: by pandas alone."""
    rows = [(start + 1000 * k + int(t), p, c / 100, b) for k in range(seconds) for what in [second(seed, k, rate)]
            for t, p, c, b in zip(what["at"], what["price"], what["contracts"], what["buy"], strict=True)]  # fmt: skip
    table = pd.DataFrame(rows, columns=["time", "price", "coins", "buy"])
    table["minute"] = pd.to_datetime(table["time"] // 60_000 * 60_000, unit="ms", utc=True)
    by = table.groupby("minute")
    out = by["price"].agg(["first", "max", "min", "last"])
    out.columns = pd.Index(["open", "high", "low", "close"])
    out["volume"] = by["coins"].sum().round(8)
    out["taker_buy_volume"] = table[table["buy"]].groupby("minute")["coins"].sum().round(8)
    return out.rename_axis("time")


def forced(start: int, seed: int, seconds: int, rate: int) -> list[tuple[int, int, float, float]]:
    """Time, side of the position, price, coins of every forced order."""
    return [(start + 1000 * k + away, 1 if long else -1, price, contracts / 100)
            for k in range(seconds) for away, long, price, contracts in second(seed, k, rate)["forced"]]  # fmt: skip


# --- serving ------------------------------------------------------------------------------------


class StreamVenue:
    """A venue on loopback.

    Parameters
    ----------
    venue : str
    rate : int
        Trades a second of the venue's time.
    speed : float
        Seconds of the venue's time in one second.
    repeat, disorder, lose : float
        Shares of messages that come twice; that come up to a second late; that do not come.
    drop : tuple of float
        Seconds of the venue's time at which every connection is cut.
    begin : int, optional
        The venue's first moment [ms]; default: two hours ago, on a minute.
    """

    def __init__(
        self, venue: str, *, rate: int = 20, speed: float = 60.0, repeat: float = 0.0, disorder: float = 0.0,
        lose: float = 0.0, drop: tuple[float, ...] = (), begin: int = 0, seed: int = 5, html: bool = False,
    ) -> None:  # fmt: skip
        self.venue, self.rate, self.speed, self.seed, self.html = venue, rate, speed, seed, html
        self.repeat, self.disorder, self.lose, self.drop = repeat, disorder, lose, drop
        self.begin = begin or int(time.time() - 7200) // 60 * 60_000
        self.sent = self.connections = 0
        self.zero = 0.0  # the venue's time runs from the first connection on
        self.subscribed: list[Any] = []
        self._ready = threading.Event()

    def start(self) -> StreamVenue:
        self.thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)
        self.thread.start()
        assert self._ready.wait(10)
        return self

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self._end.set)
        self.thread.join(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def now(self) -> float:
        """Seconds of the venue's time since it began."""
        return (time.monotonic() - self.zero) * self.speed if self.zero else 0.0

    async def _main(self) -> None:
        from aiohttp import web

        self.loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application()
        app.router.add_get(PATH[self.venue], self._socket)
        app.router.add_get("/{rest:.*}", self._rest)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        self._ready.set()
        await self._end.wait()
        await runner.cleanup()

    async def _socket(self, request: Any) -> Any:
        from aiohttp import web

        if self.html:
            return web.Response(text="<!DOCTYPE html><html>please log in</html>", content_type="text/html")
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.connections += 1
        self.zero = self.zero or time.monotonic()
        first = await socket.receive_json()
        self.subscribed.append(first)
        await socket.send_json(_acknowledgement(self.venue))
        reading = asyncio.ensure_future(self._read(socket))
        try:
            await self._play(socket)
        except ConnectionError:
            pass
        finally:
            reading.cancel()
        return socket

    async def _read(self, socket: Any) -> None:
        async for frame in socket:
            if frame.data == "ping":
                await socket.send_str("pong")

    async def _play(self, socket: Any) -> None:
        draw = np.random.default_rng((self.seed, self.connections))
        opened = self.now()
        k, late = int(opened), []
        cuts = [at for at in self.drop if at > opened]
        while not socket.closed and not self._end.is_set():
            now = self.now()
            cut = bool(cuts) and now >= cuts[0]
            while k + 1 <= (cuts[0] if cut else now):  # what happened before the cut is sent, however late it is
                batch = messages(self.venue, self.begin, self.seed, k, self.rate)
                if k == int(opened):
                    batch = [row for row in batch if row[0] >= self.begin + 1000 * opened]
                texts, late = _spoilt(batch, late, draw, self.repeat, self.disorder, self.lose)
                for text in texts:
                    await socket.send_str(text)
                self.sent += len(texts)
                k += 1
            if cut:
                await socket.close(code=1001)
                return
            await asyncio.sleep(0.002)

    async def _rest(self, request: Any) -> Any:
        """Binance's REST, as far as the recorder asks it."""
        from aiohttp import web

        name, query = request.path.rpartition("/")[2], request.query
        if name == "time":
            return web.json_response({"serverTime": int(time.time() * 1000)})
        if name == "exchangeInfo":
            row = {"symbol": "BTCUSDT", "pair": "BTCUSDT", "contractType": "PERPETUAL", "status": "TRADING",
                   "baseAsset": "BTC", "quoteAsset": "USDT", "marginAsset": "USDT", "onboardDate": 1}  # fmt: skip
            return web.json_response({"symbols": [row], "rateLimits": []})
        if name == "openInterest":
            k = int(self.now())
            said = {"openInterest": str(80_000 + k), "symbol": "BTCUSDT", "time": self.begin + 1000 * k}
            return web.json_response(said)
        if name == "depth":
            return web.json_response(
                {"bids": [["59990", "1"], ["50000", "2"]], "asks": [["60010", "3"], ["70000", "4"]]}
            )
        if name in ("klines", "markPriceKlines"):
            return web.json_response(list(self._klines(int(query["startTime"]), int(query["endTime"]))))
        return web.json_response({"code": -5000, "msg": "Path not found."}, status=404)

    def _klines(self, first: int, last: int) -> Iterator[list[Any]]:
        """Candles that have closed by the venue's time."""
        table = candles(self.begin, self.seed, int(self.now()) // 60 * 60, self.rate)
        for stamp, row in table.iterrows():
            at = int(pd.Timestamp(stamp).timestamp() * 1000)
            if first <= at <= last:
                prices = [str(row[c]) for c in ("open", "high", "low", "close")]
                taker = str(row["taker_buy_volume"])
                yield [at, *prices, str(row["volume"]), at + 59_999, "1.0", 1, taker, "0.5", "0"]


def _acknowledgement(venue: str) -> Any:
    said = {"binanceusdm": {"result": None, "id": 1}, "bybit": {"success": True, "ret_msg": "", "op": "subscribe"},
            "okx": {"event": "subscribe", "arg": {}},
            "hyperliquid": {"channel": "subscriptionResponse", "data": {}},
            "gate": {"time": 1, "channel": "futures.trades", "event": "subscribe", "result": {"status": "success"}}
            }  # fmt: skip
    return said[venue]


def _spoilt(
    batch: list[tuple[int, str]],
    late: list[str],
    draw: np.random.Generator,
    repeat: float,
    disorder: float,
    lose: float,
) -> tuple[list[str], list[str]]:
    """A second's messages as they are sent, and those that are held back for the next second."""
    out, held = [], []
    for _, text in batch:
        chance = draw.random(3)
        if chance[0] < lose:
            continue
        (held if chance[1] < disorder else out).append(text)
        if chance[2] < repeat:
            out.append(text)
    return [*late, *out], held
