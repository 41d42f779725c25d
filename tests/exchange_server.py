"""A futures exchange on loopback: Binance's USD-M REST as far as liqlab asks it, its limits, and faults by script.

``with Exchange(candles=100_000) as server: server.url``. Everything served is made from one seed; `Exchange.truth`
says what a perfect fetch must find. A fault plan is a list of fault names, taken one per request to the data endpoints
(None: no fault); `Exchange.log` holds what was asked.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pandas as pd

KEY, SECRET = "K" * 24, "S" * 24
FAULTS = ("429", "418", "500", "502", "451", "timeout", "reset", "truncated", "html", "garbage", "duplicate",
          "shuffled", "empty", "short")  # fmt: skip
_MINUTE = 60_000
_PERIODS = {"1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240, "1d": 1440}


class Exchange:
    """The server: candles of one symbol from `start` on, an open-interest and a funding history, a book, brackets."""

    def __init__(self, *, candles: int = 3000, start: str = "2024-01-01", step: str = "1m", faults: Any = (),
                 now: Any = None, skew: float = 0.0, weight: int = 2400, retry_after: float = 1.0,
                 gaps: tuple[tuple[int, int], ...] = (), hang: float = 1.0, seed: int = 7) -> None:  # fmt: skip
        self.start, self.step, self.n = (
            int(pd.Timestamp(start, tz="UTC").value // 10**6),
            _PERIODS[step] * _MINUTE,
            candles,
        )
        self.interval, self.faults, self.now, self.skew = step, list(faults), now, skew
        self.weight, self.retry_after, self.hang = weight, retry_after, hang
        self.log: list[tuple[str, dict[str, str]]] = []
        self.served: list[str] = []
        self.used: dict[int, int] = {}
        self.lock = threading.Lock()
        self._make(np.random.default_rng(seed), gaps)

    # --- what there is ------------------------------------------------------------------------------------------------

    def _make(self, draw: np.random.Generator, gaps: tuple[tuple[int, int], ...]) -> None:
        n = self.n
        path = np.round(40_000 * np.exp(np.cumsum(draw.normal(0, 2e-4, n + 1))), 1)
        wick = np.round(draw.exponential(5.0, (2, n)), 1)
        low, high = np.minimum(path[:-1], path[1:]) - wick[0], np.maximum(path[:-1], path[1:]) + wick[1]
        volume = np.round(draw.exponential(20.0, n), 3)
        taker = np.round(volume * draw.uniform(0, 1, n), 3)
        self.prices = {"open": path[:-1], "high": np.round(high, 1), "low": np.round(low, 1), "close": path[1:]}
        self.volume, self.taker = volume, taker
        self.trades = draw.integers(1, 900, n)
        self.stamps = self.start + self.step * np.arange(n, dtype=np.int64)
        self.alive = np.ones(n, bool)
        for first, last in gaps:
            self.alive[first:last] = False
        self.rows = [self._row(k).encode() for k in range(n)]
        self.interest = np.round(80_000 + np.cumsum(draw.normal(0, 3, n // 5 + 2)), 3)
        self.paid: list[int] = []  # hours since the start at which funding is paid; every eight where it is empty
        self.funding = np.round(draw.normal(1e-4, 5e-5, n * self.step // (8 * 60 * _MINUTE) + 2), 8)

    def _row(self, k: int) -> str:
        o, h, low, c = (self.prices[name][k] for name in ("open", "high", "low", "close"))
        stamp, v, t = int(self.stamps[k]), self.volume[k], self.taker[k]
        return (f'[{stamp},"{o:.1f}","{h:.1f}","{low:.1f}","{c:.1f}","{v:.3f}",{stamp + self.step - 1},"{v * c:.4f}",'
                f'{self.trades[k]},"{t:.3f}","{t * c:.4f}","0"]')  # fmt: skip

    def truth(self, end: int | None = None) -> pd.DataFrame:
        """The candles that a fetch must find, to the last bit."""
        rows = [json.loads(row) for row, alive in zip(self.rows[:end], self.alive[:end], strict=True) if alive]
        places = {"open": 1, "high": 2, "low": 3, "close": 4, "volume": 5, "quote_volume": 7, "trades": 8,
                  "taker_buy_volume": 9, "taker_buy_quote_volume": 10}  # fmt: skip
        index = pd.to_datetime([row[0] for row in rows], unit="ms", utc=True).as_unit("us").rename("time")
        return pd.DataFrame({name: [float(row[k]) for row in rows] for name, k in places.items()}, index=index)

    def time(self) -> int:
        """The server's clock [ms]."""
        real = time.time() if self.now is None else pd.Timestamp(self.now, tz="UTC").timestamp()
        return int((real + self.skew) * 1000)

    # --- serving ------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Exchange:
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join(5)

    def asked(self, ending: str = "") -> int:
        """How many requests went to paths with this ending."""
        return sum(path.endswith(ending) for path, _ in self.log)

    def next_fault(self, path: str) -> str | None:
        """The fault for this request: only data endpoints take from the plan."""
        if path.endswith(("/time", "/ping", "/exchangeInfo", "/leverageBracket")):
            return None
        with self.lock:
            fault = self.faults.pop(0) if self.faults else None
            if fault:
                self.served.append(fault)
            return fault

    def charge(self, path: str, query: dict[str, str]) -> int:
        """Weight used in this minute, this request included."""
        limit = int(query.get("limit", 500))
        cost = 1 if "lines" not in path else 1 if limit < 100 else 2 if limit < 500 else 5 if limit <= 1000 else 10
        with self.lock:
            minute = int(time.time() // 60)
            self.used[minute] = self.used.get(minute, 0) + cost
            return self.used[minute]

    def answer(self, path: str, query: dict[str, str], headers: Any) -> tuple[int, bytes]:
        """Status and body of a request without faults."""
        name = path.rpartition("/")[2]
        routes: dict[str, Any] = {
            "ping": lambda: (200, b"{}"), "time": lambda: (200, b'{"serverTime":%d}' % self.time()),
            "exchangeInfo": lambda: (200, json.dumps(self._info()).encode()),
            "klines": lambda: self._klines(query, whole=True),
            "markPriceKlines": lambda: self._klines(query, whole=False),
            "openInterestHist": lambda: self._interest(query), "fundingRate": lambda: self._funding(query),
            "depth": lambda: (200, json.dumps(self.book()).encode()),
            "ticker": lambda: (200, b'{"symbol":"BTCUSDT","price":"40000.0"}'),
            "leverageBracket": lambda: self._brackets(query, headers),
        }  # fmt: skip
        if name not in routes:
            return 404, b'{"code":-5000,"msg":"Path not found."}'
        if "symbol" in query and query["symbol"] != "BTCUSDT":
            return 400, b'{"code":-1121,"msg":"Invalid symbol."}'
        return routes[name]()

    def _info(self) -> dict[str, Any]:
        def symbol(base: str, **more: Any) -> dict[str, Any]:
            return {"symbol": f"{base}USDT", "pair": f"{base}USDT", "contractType": "PERPETUAL", "status": "TRADING",
                    "baseAsset": base, "quoteAsset": "USDT", "marginAsset": "USDT", "onboardDate": self.start,
                    **more}  # fmt: skip

        dated = symbol("BTC", symbol="BTCUSDT_241227", contractType="CURRENT_QUARTER", deliveryDate=1735286400000)
        limit = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": self.weight}
        symbols = [symbol("BTC"), symbol("ETH"), symbol("1000SHIB"), dated]
        return {"timezone": "UTC", "serverTime": self.time(), "symbols": symbols, "rateLimits": [limit]}

    def _span(self, query: dict[str, str]) -> tuple[int, int]:
        """Rows of the candles that a query asks for, unfinished ones included."""
        first = max(0, -(-(int(query.get("startTime", self.start)) - self.start) // self.step))
        last = (min(int(query.get("endTime", 2**53)), self.time()) - self.start) // self.step + 1
        return first, min(last, self.n)

    def _klines(self, query: dict[str, str], *, whole: bool) -> tuple[int, bytes]:
        if query.get("interval") != self.interval:
            return 400, b'{"code":-1120,"msg":"Invalid interval."}'
        limit = int(query.get("limit", 500))
        if limit > 1500:
            return 400, b'{"code":-1130,"msg":"Data sent for parameter \'limit\' is not valid."}'
        first, last = self._span(query)
        rows = np.flatnonzero(self.alive[first:last])[:limit] + first
        texts = [self.rows[k] for k in rows]
        if len(texts) and self.stamps[rows[-1]] + self.step > self.time():
            texts[-1] = json.dumps(self._unfinished(json.loads(texts[-1]))).encode()
        if not whole:
            texts = [json.dumps([*json.loads(text)[:5], "0", *json.loads(text)[6:7], "0", 60, "0", "0", "0"]).encode()
                     for text in texts]  # fmt: skip
        return 200, b"[" + b",".join(texts) + b"]"

    def _unfinished(self, row: list[Any]) -> list[Any]:
        return [*row[:4], row[1], "0.001", row[6], "1.0", 1, "0.0005", "0.5", "0"]

    def _interest(self, query: dict[str, str]) -> tuple[int, bytes]:
        step = _PERIODS[query["period"]] * _MINUTE
        first, last = int(query.get("startTime", 0)), int(query.get("endTime", 2**53))
        if first < self.time() - 30 * 86_400_000 - step:
            return 400, b'{"code":-1130,"msg":"parameter \'startTime\' is invalid."}'
        if int(query.get("limit", 30)) > 500:
            return 400, b'{"code":-1130,"msg":"parameter \'limit\' is invalid."}'
        stamps = [
            s
            for s in range(self.start, self.start + self.n * self.step + 1, step)
            if first <= s <= min(last, self.time())
        ]
        known = [(s, self.interest_at(s)) for s in stamps[-int(query.get("limit", 30)) :]]
        rows = [{"symbol": "BTCUSDT", "timestamp": stamp, "sumOpenInterest": f"{coins:.3f}",
                 "sumOpenInterestValue": f"{coins * 40_000:.2f}"} for stamp, coins in known]  # fmt: skip
        return 200, json.dumps(rows).encode()

    def interest_at(self, stamp: int) -> float:
        """Open interest [coins] at a stamp of five minutes."""
        return float(self.interest[(stamp - self.start) // (5 * _MINUTE) % len(self.interest)])

    def _funding(self, query: dict[str, str]) -> tuple[int, bytes]:
        first, last = int(query.get("startTime", 0)), min(int(query.get("endTime", 2**53)), self.time())
        hours = self.paid or range(0, 8 * len(self.funding), 8)
        stamps = [self.start + hour * 60 * _MINUTE + k % 3 for k, hour in enumerate(hours)]  # some ms late
        rows = [{"symbol": "BTCUSDT", "fundingTime": s, "fundingRate": f"{rate:.8f}", "markPrice": "40000.0"}
                for s, rate in zip(stamps, np.resize(self.funding, len(stamps)), strict=True)
                if first <= s <= min(last, self.start + self.n * self.step)]  # fmt: skip
        return 200, json.dumps(rows[: int(query.get("limit", 100))]).encode()

    def book(self) -> dict[str, Any]:
        """Three bids and three asks."""
        return {"lastUpdateId": 1, "E": 0, "T": 0, "bids": [["39999.9", "1.5"], ["39999.0", "2"], ["39990.0", "10"]],
                "asks": [["40000.1", "0.5"], ["40001.0", "3"], ["40010.0", "7"]]}  # fmt: skip

    def _brackets(self, query: dict[str, str], headers: Any) -> tuple[int, bytes]:
        signature = query.pop("signature", "")
        text = "&".join(f"{name}={value}" for name, value in query.items())
        good = hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
        if headers.get("X-MBX-APIKEY") != KEY or signature != good:
            return 401, b'{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}'
        rows = [{"bracket": 1, "initialLeverage": 125, "notionalCap": 50000, "notionalFloor": 0,
                 "maintMarginRatio": 0.004, "cum": 0.0},
                {"bracket": 2, "initialLeverage": 100, "notionalCap": 500000, "notionalFloor": 50000,
                 "maintMarginRatio": 0.005, "cum": 50.0}]  # fmt: skip
        return 200, json.dumps([{"symbol": "BTCUSDT", "brackets": rows}]).encode()


def _handler(exchange: Exchange) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = dict(parse_qsl(parts.query))
            with exchange.lock:
                exchange.log.append((parts.path, dict(query)))
            used, fault = exchange.charge(parts.path, query), exchange.next_fault(parts.path)
            if used > exchange.weight:
                self.send(
                    429, b'{"code":-1003,"msg":"Too many requests."}', {"Retry-After": str(60 - int(time.time() % 60))}
                )
                return
            status, body = exchange.answer(parts.path, query, self.headers)
            self.spoil(fault, status, body, {"X-MBX-USED-WEIGHT-1M": str(used)})

        def spoil(self, fault: str | None, status: int, body: bytes, extra: dict[str, str]) -> None:
            """Send the answer, or what the fault makes of it."""
            wait = {"Retry-After": f"{exchange.retry_after:g}"}
            if fault in ("429", "418"):
                self.send(int(fault), b'{"code":-1003,"msg":"Way too many requests; banned until 1."}', wait)
            elif fault in ("500", "502", "451"):
                self.send(int(fault), b"<html><body>Service unavailable from a restricted location</body></html>")
            elif fault == "timeout":
                time.sleep(exchange.hang)
                self.close_connection = True
            elif fault == "reset":
                self.send(200, body, cut=len(body) // 2)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                self.close_connection = True
            elif fault == "html":
                self.send(200, b"<!DOCTYPE html><html><head><title>Just a moment</title></head></html>")
            elif fault == "truncated":
                self.send(200, body[: len(body) // 2])
            elif fault == "garbage":
                self.send(200, body.replace(b'"', b'"x', 3))
            elif fault in ("duplicate", "shuffled", "empty", "short") and body.startswith(b"["):
                self.send(status, json.dumps(_spoilt(fault, json.loads(body))).encode(), extra)
            else:
                self.send(status, body, extra)

        def send(
            self, status: int, body: bytes, extra: dict[str, str] | None = None, *, cut: int | None = None
        ) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            for name, value in (extra or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body[:cut])
            self.wfile.flush()

    return Handler


def _spoilt(fault: str, rows: list[Any]) -> list[Any]:
    if fault == "empty":
        return []
    if fault == "short":
        return rows[: -(-len(rows) // 3)]
    if fault == "duplicate":
        return [row for row in rows for _ in range(2)]
    return [*rows[1::2], *rows[::2]]
