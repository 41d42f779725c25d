"""Other exchanges through ccxt: units, sides and stamps by their documented reply shapes, over HTTP on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pandas as pd
import pytest

import liqlab as lq
from liqlab.loaders import http
from liqlab.loaders._fetch import with_intervals
from liqlab.loaders.exchanges import _ccxt
from liqlab.loaders.exchanges import _ccxt_parse as parse
from liqlab.loaders.exchanges._ccxt_units import EXCHANGES, row_of
from liqlab.loaders.exchanges._instruments import Instrument

START = pd.Timestamp("2024-05-01", tz="UTC")
T0 = START.value // 10**6
HOUR = 3_600_000
NO_ROW = next(name for name in ("phemex", "toobit", "xt", "deepcoin", "bitrue") if name not in EXCHANGES)
Routes = dict[str, Callable[[dict[str, str]], Any]]


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        http, "RETRY_POLICY", http.RetryPolicy(attempts=4, first=0.001, longest=0.01, connect=2, read=2)
    )
    monkeypatch.setattr(http, "wait_seconds", lambda seconds: None)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def venue(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Starts a server that answers by path, and a ccxt exchange that talks to it and knows one market."""
    running: list[ThreadingHTTPServer] = []

    def start(exchange: str, routes: Routes, **market: Any) -> list[tuple[str, dict[str, str]]]:
        log: list[tuple[str, dict[str, str]]] = []
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler(routes, log))
        running.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        monkeypatch.setenv(f"LIQLAB_{exchange.upper()}_URL", f"http://127.0.0.1:{server.server_address[1]}")
        real = _ccxt.connect

        def connect(name: str, base_url: str = "") -> Any:
            link = real(name, base_url)
            link.client.enableRateLimit = False
            client = link.client
            whole = client.safe_market_structure({
                "symbol": "BTC/USDT:USDT", "base": "BTC", "quote": "USDT", "settle": "USDT", "type": "swap",
                "swap": True, "spot": False, "option": False, "future": False, "contract": True, "linear": True,
                "inverse": False, "contractSize": 1.0, "active": True, "settleId": "usdt", "baseId": "BTC", "info": {},
                **market,
            })  # fmt: skip
            client.set_markets([whole])
            return link

        monkeypatch.setattr(_ccxt, "connect", connect)
        return log

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


def handler(routes: Routes, log: list[tuple[str, dict[str, str]]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = dict(parse_qsl(parts.query))
            if self.headers.get("Content-Length"):
                query |= json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            log.append((parts.path, query))
            found = next((route for ending, route in routes.items() if parts.path.endswith(ending)), None)
            said = found(query) if found else None
            status, body = said if isinstance(said, tuple) else (200 if found else 404, json.dumps(said))
            data = body.encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Retry-After", "3")
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_GET

    return Handler


def get(store: Path, exchange: str, hours: int, **options: Any) -> lq.Market:
    given = {"timeframe": "1h", "end": START + pd.Timedelta(hours, "h"), "symbol": "BTC/USDT:USDT"} | options
    return lq.fetch(given.pop("symbol"), exchange=exchange, start=START, store=store, progress=False, **given)


def candle(k: int) -> tuple[float, float, float, float]:
    """Open, high, low, close of hour k."""
    return 60_000.0 + k, 60_010.0 + k, 59_990.0 + k, 60_005.0 + k


def hours_of(query: dict[str, str], first: str, last: str, hours: int) -> list[int]:
    low, high = int(query.get(first, T0)), int(query.get(last, T0 + 10**11))
    return [k for k in range(hours) if low <= T0 + k * HOUR <= high]


# --- Bybit ------------------------------------------------------------------------------------------------------------


def bybit(hours: int) -> Routes:
    """V5: newest first, strings; open interest at most 200 and backwards from the end."""

    def listed(rows: list[Any]) -> dict[str, Any]:
        return {"retCode": 0, "retMsg": "OK", "result": {"symbol": "BTCUSDT", "category": "linear", "list": rows},
                "retExtInfo": {}, "time": T0}  # fmt: skip

    def kline(query: dict[str, str]) -> Any:
        found = hours_of(query, "start", "end", hours)[: int(query["limit"])]
        return listed([[str(T0 + k * HOUR), *map(str, candle(k)), f"{100 + k}", "1"] for k in found][::-1])

    def interest(query: dict[str, str]) -> Any:
        found = hours_of(query, "startTime", "endTime", hours + 1)[-int(query["limit"]) :]
        return listed([{"openInterest": f"{50_000 + k}", "timestamp": str(T0 + k * HOUR)} for k in found][::-1])

    def funding(query: dict[str, str]) -> Any:
        found = [k for k in hours_of(query, "startTime", "endTime", hours + 1) if k % 8 == 0]
        rows = [{"symbol": "BTCUSDT", "fundingRate": f"{k / 1e6}", "fundingRateTimestamp": str(T0 + k * HOUR)}
                for k in found]  # fmt: skip
        return listed(rows[::-1])

    now = {
        "retCode": 0,
        "result": {"timeSecond": "1735689600", "timeNano": "1735689600000000000"},
        "time": 1735689600000,
    }
    return {"/market/time": lambda query: now, "/market/kline": kline, "/market/mark-price-kline": kline,
            "/market/open-interest": interest, "/market/funding/history": funding}  # fmt: skip


def test_bybit_by_our_own_pages(venue: Any, tmp_path: Path) -> None:
    """1,500 hours: two pages of candles, eight of open interest, none of them silently dropped."""
    log = venue("bybit", bybit(1500), id="BTCUSDT")
    with pytest.warns(UserWarning, match="bybit has no liquidations"):
        market = get(tmp_path, "bybit", 1500)
    assert market.candles["volume"].tolist() == [100.0 + k for k in range(1500)]
    assert market.candles["close"].iloc[-1] == candle(1499)[3]
    assert market.open_interest["open_interest"].tolist() == [(50_000.0 + k) / 2 for k in range(1501)]
    assert market.open_interest.index[0] == START
    assert market.sources["open_interest"]["note"] == "stamps every 1h; sides: both → one"
    assert market.sources["candles"]["note"] == ""
    assert market.funding_rate["funding_rate"].tolist() == [8 * k / 1e6 for k in range(188)]
    assert len(market.mark_candles) == 1500
    asked = len(log)
    with pytest.warns(UserWarning, match="bybit has no liquidations"):
        get(tmp_path, "bybit", 1500)
    assert len(log) == asked


def test_bybits_inverse_open_interest_is_usd_and_becomes_coins_at_the_price_of_the_stamp(
    venue: Any, tmp_path: Path
) -> None:
    venue("bybit", bybit(48), id="BTCUSD", symbol="BTC/USD:BTC", quote="USD", settle="BTC", linear=False, inverse=True)
    market = get(tmp_path, "bybit", 47, symbol="BTC/USD:BTC", kinds=["open_interest"])
    assert market.open_interest["open_interest"].iloc[3] == pytest.approx(50_003 / 2 / candle(3)[0], rel=1e-15)


def test_html_from_a_ccxt_venue_is_asked_again_and_never_taken_for_nothing(venue: Any, tmp_path: Path) -> None:
    """ccxt makes an empty list of a page of HTML: our session stops it before."""
    routes = bybit(24)
    page, told = routes["/market/kline"], iter([(200, "<html>busy</html>"), (429, "{}"), (502, "<html>")])
    log = venue("bybit", routes | {"/market/kline": lambda query: next(told, None) or page(query)}, id="BTCUSDT")
    assert len(get(tmp_path, "bybit", 24, kinds=["candles"]).candles) == 24
    assert sum(path.endswith("/kline") for path, _ in log) == 4
    venue("bybit", routes | {"/market/kline": lambda query: (200, "<html>busy</html>")}, id="BTCUSDT")
    with pytest.raises(http.FetchError, match=r"bybit fetch_ohlcv: .*HTML.* \(4 attempt"):
        get(tmp_path / "other", "bybit", 24, kinds=["candles"])


# --- OKX --------------------------------------------------------------------------------------------------------------


def test_okx_candles_in_coins_and_open_interest_from_the_coins_column(venue: Any, tmp_path: Path) -> None:
    """Contracts of 0.01 BTC: the candles' column 6 and open interest's column 2 are coins."""

    def within(query: dict[str, str], after: str, before: str, hours: int, limit: int) -> list[int]:
        low, high = int(query.get(before, T0 - 1)), int(query.get(after, T0 + 10**11))
        found = [k for k in range(hours) if low < T0 + k * HOUR < high]
        return found[-limit:][::-1]  # the newest of what is asked for, newest first

    def candles(query: dict[str, str]) -> Any:
        rows = [[str(T0 + k * HOUR), *map(str, candle(k)), str(1000 + k), str((1000 + k) / 100), "0", "1"]
                for k in within(query, "after", "before", 500, int(query["limit"]))]  # fmt: skip
        return {"code": "0", "msg": "", "data": rows}

    def interest(query: dict[str, str]) -> Any:
        rows = [[str(T0 + k * HOUR), str(280_000 + k), str((280_000 + k) / 100), "1"]
                for k in within(query, "end", "begin", 501, int(query.get("limit", 100)))]  # fmt: skip
        return {"code": "0", "msg": "", "data": rows}

    def funding(query: dict[str, str]) -> Any:
        found = [k for k in within(query, "after", "before", 501, 501) if k % 8 == 0][: int(query["limit"])]
        rows = [{"instId": "BTC-USDT-SWAP", "fundingRate": f"{k / 1e6}", "realizedRate": f"{k / 1e6}",
                 "fundingTime": str(T0 + k * HOUR)} for k in found]  # fmt: skip
        return {"code": "0", "msg": "", "data": rows}

    clock = {"code": "0", "data": [{"ts": str(T0 + 600 * HOUR)}]}
    routes = {"/public/time": lambda query: clock, "/candles": candles, "/history-candles": candles,
              "/open-interest-history": interest, "/funding-rate-history": funding}  # fmt: skip
    venue("okx", routes, id="BTC-USDT-SWAP", contractSize=0.01)
    market = get(tmp_path, "okx", 500, kinds=["candles", "open_interest", "funding_rate"])
    assert market.candles["volume"].tolist() == [(1000 + k) / 100 for k in range(500)]
    assert market.open_interest["open_interest"].tolist() == [(280_000 + k) / 100 for k in range(501)]
    assert market.funding_rate["funding_rate"].tolist() == [8 * k / 1e6 for k in range(63)]


# --- Gate -------------------------------------------------------------------------------------------------------------


def gate(log: list[tuple[int, int]]) -> Routes:
    """Contracts of 0.0001 BTC, stamps in seconds; liquidations of at most an hour, sizes signed like positions."""
    events = [(600, -165, 28_225), (3_600 + 30, 400, 28_000), (3_600 + 45, 100, 28_000), (7_000, -5, 28_300)]

    def candles(query: dict[str, str]) -> Any:
        found = [k for k in range(48) if int(query["from"]) <= T0 // 1000 + k * 3600 <= int(query["to"])]
        return [{"t": T0 // 1000 + k * 3600, "v": 20_000 + k, **dict(zip("ohlc", map(str, candle(k)), strict=True))}
                for k in found]  # fmt: skip

    def stats(query: dict[str, str]) -> Any:
        found = [k for k in range(48) if T0 // 1000 + k * 3600 >= int(query["from"])][: int(query["limit"])]
        return [
            {"time": T0 // 1000 + k * 3600, "open_interest": 2_851_725 + k, "open_interest_usd": "1"} for k in found
        ]

    def liquidations(query: dict[str, str]) -> Any:
        first, last = int(query["from"]), int(query["to"])
        log.append((first, last))
        if last - first > 3600 or first > 10**11:
            return 400, '{"label":"INVALID_PARAM_VALUE","message":"time range"}'
        return [{"contract": "BTC_USDT", "left": 0, "size": size, "fill_price": str(price), "time": T0 // 1000 + at}
                for at, size, price in events if first <= T0 // 1000 + at <= last]  # fmt: skip

    return {"/candlesticks": candles, "/contract_stats": stats, "/liq_orders": liquidations,
            "/time": lambda query: {"server_time": 1735689600000}}  # fmt: skip


def test_gate_counts_contracts_and_signs_its_liquidations_like_positions(venue: Any, tmp_path: Path) -> None:
    asked: list[tuple[int, int]] = []
    venue("gate", gate(asked), id="BTC_USDT", contractSize=0.0001)
    market = get(tmp_path, "gate", 24, kinds=["candles", "open_interest", "liquidations"])
    assert market.candles["volume"].iloc[:2].tolist() == pytest.approx([2.0, 2.0001], rel=1e-12)
    assert market.open_interest["open_interest"].iloc[0] == pytest.approx(285.1725, rel=1e-12)
    assert market.liquidations["short"].iloc[:3].tolist() == pytest.approx([0.0165, 0.0005, 0], rel=1e-12)
    assert market.liquidations["long"].iloc[:3].tolist() == pytest.approx([0, 0.05, 0], rel=1e-12)
    assert len(market.liquidations) == 24
    assert max(last - first for first, last in asked) <= 3600


# --- Hyperliquid ------------------------------------------------------------------------------------------------------


def test_hyperliquid_keeps_five_thousand_candles_and_says_so(venue: Any, tmp_path: Path) -> None:
    now = pd.Timestamp.now("UTC").floor("h")
    first = now - pd.Timedelta(6000, "h")

    def info(query: dict[str, Any]) -> Any:
        if query["type"] == "exchangeStatus":
            return {"time": pd.Timestamp.now("UTC").value // 10**6, "specialStatuses": None}
        if query["type"] == "fundingHistory":
            stamps = (
                pd.date_range(now - pd.Timedelta(48, "h"), now, freq="h").astype("datetime64[ms, UTC]").astype("int64")
            )
            return [{"coin": "BTC", "fundingRate": "0.0000125", "premium": "0", "time": int(t) + 40} for t in stamps
                    if query["startTime"] <= t + 40 <= query["endTime"]][:500]  # fmt: skip
        req = query["req"]
        stamps = (
            pd.date_range(now - pd.Timedelta(5000, "h"), now, freq="h").astype("datetime64[ms, UTC]").astype("int64")
        )
        return [{"t": int(t), "T": int(t) + HOUR - 1, "s": "BTC", "i": "1h", "o": "60000", "c": "60000", "h": "60001",
                 "l": "59999", "v": "12.5", "n": 3}
                for t in stamps if req["startTime"] <= t <= req["endTime"]][:5000]  # fmt: skip

    venue("hyperliquid", {"/info": info}, id="0", baseName="BTC", symbol="BTC/USDC:USDC", quote="USDC", settle="USDC",
          baseId="0", info={"name": "BTC"})  # fmt: skip
    with pytest.warns(UserWarning, match="candles: hyperliquid keeps 5000 rows only, so nothing was asked for from"):
        market = lq.fetch("BTC/USDC:USDC", exchange="hyperliquid", timeframe="1h", start=first, kinds=["candles"],
                          store=tmp_path, progress=False)  # fmt: skip
    assert 4990 <= len(market.candles) <= 5000
    assert set(market.candles["volume"]) == {12.5}


# --- sides, units: pure -----------------------------------------------------------------------------------------------

BYBIT = Instrument("bybit", "BTC/USDT:USDT", "BTCUSDT")
OKX = Instrument("okx", "BTC/USDT:USDT", "BTC-USDT-SWAP", contract_size=0.01)
GATE = Instrument("gate", "BTC/USDT:USDT", "BTC_USDT", contract_size=0.0001)
BINANCE = Instrument("binanceusdm", "BTC/USDT:USDT", "BTCUSDT")
COIN = Instrument("binancecoinm", "BTC/USD:BTC", "BTCUSD_PERP", True, 100.0)
HTX = Instrument("htx", "BTC/USDT:USDT", "BTC-USDT", contract_size=0.001)


@pytest.mark.parametrize(
    ("item", "row", "side", "coins"),
    [
        (BYBIT, {"T": 1739502303204, "s": "BTCUSDT", "S": "Sell", "v": "0.02", "p": "60449"}, "short", 0.02),
        (BYBIT, {"T": 1739502303204, "s": "BTCUSDT", "S": "Buy", "v": "0.02", "p": "60449"}, "long", 0.02),
        (OKX, {"bkPx": "60073", "posSide": "short", "side": "buy", "sz": "330", "ts": "1692266434010"}, "short", 3.3),
        (OKX, {"bkPx": "60073", "posSide": "net", "side": "sell", "sz": "330", "ts": "1692266434010"}, "long", 3.3),
        (GATE, {"time": 1696736132, "size": -165, "left": 0, "fill_price": "28070"}, "short", 0.0165),
        (GATE, {"time": 1696736132, "size": 165, "left": 15, "fill_price": "28070"}, "long", 0.015),
        (GATE, {"time": 1696736132, "size": -165, "left": -15, "fill_price": "28070"}, "short", 0.015),
        (BINANCE, {"e": "forceOrder", "E": 1, "o": {"s": "BTCUSDT", "S": "SELL", "q": "0.014", "ap": "9910",
                                                    "z": "0.014", "T": 1568014460893}}, "long", 0.014),
        (COIN, {"o": {"s": "BTCUSD_PERP", "S": "BUY", "ap": "50000", "z": "5", "T": 1591154240949}}, "short", 0.01),
        (HTX, {"liquidation_time": "1781849094165", "side": "buy", "position_side": "short", "volume": "2",
               "amount": "0.002", "bankrupt_price": "62978.5"}, "short", 0.002),
        (HTX, {"created_at": 1638593647864, "direction": "sell", "offset": "close", "amount": 0.479, "price": 51441.7},
         "long", 0.479),
    ],
)  # fmt: skip
def test_sides_of_liquidations_are_the_positions(
    item: Instrument, row: dict[str, Any], side: str, coins: float
) -> None:
    event = parse.parse_liquidations([row], item).iloc[0]
    assert (event["side"], event["quantity"]) == (side, pytest.approx(coins, rel=1e-12))
    assert event["time"].year in range(2019, 2027)


def test_ccxts_own_structures_are_read_by_what_the_venue_said(venue: Any) -> None:
    """ccxt calls Gate's short 'sell' and HTX's closed long 'sell' too: the raw row decides."""
    import ccxt

    gate_row = {"contract": "BTC_USDT", "left": 0, "size": -165, "fill_price": "28070", "time": 1696736132}
    htx_row = {"contract_code": "BTC-USDT", "direction": "sell", "offset": "close", "volume": 479, "price": 51441.7,
               "created_at": 1638593647864, "amount": 0.479}  # fmt: skip
    sides = {}
    for item, row in ((GATE, gate_row), (HTX, htx_row)):
        client = getattr(ccxt, item.exchange)()
        unified = client.parse_liquidation(
            row, client.safe_market_structure({"symbol": item.symbol, "contractSize": 1.0})
        )
        assert unified["side"] == "sell"
        sides[item.exchange] = parse.parse_liquidations([unified], item)["side"].iloc[0]
    assert sides == {"gate": "short", "htx": "long"}


def test_order_books_become_coins(venue: Any) -> None:
    book = {"id": 1, "current": 1623898993.123, "update": 1623898993.121,
            "asks": [{"p": "60001", "s": 5000}], "bids": [{"p": "60000", "s": 10_000}]}  # fmt: skip
    venue("gate", {"/order_book": lambda query: book}, id="BTC_USDT", contractSize=0.0001)
    table = lq.fetch_depth("BTC/USDT:USDT", exchange="gate")
    assert table.values.tolist() == [["bid", 60_000.0, 1.0], ["ask", 60_001.0, 0.5]]


def test_an_unknown_unit_is_refused_and_can_be_told(venue: Any, tmp_path: Path) -> None:
    """A venue that liqlab has no rule for, whose contracts are not coins."""
    rows = [[T0 + k * HOUR, *candle(k), 30.0] for k in range(3)]
    item = Instrument(NO_ROW, "BTC/USDT:USDT", "BTCUSDT", contract_size=0.001)
    assert row_of(NO_ROW).volume.of(item) == ""
    assert parse.parse_candles(rows, item, "contracts")["volume"].tolist() == [0.03] * 3
    assert parse.parse_candles(rows, item, "quote")["volume"].iloc[0] == 30.0 / candle(0)[3]
    venue(NO_ROW, {}, id="BTCUSDT", contractSize=0.001)
    with pytest.raises(
        ValueError, match=rf"volumes of BTC/USDT:USDT on {NO_ROW} .*pass volume_unit='coins', 'contracts'"
    ):
        get(tmp_path, NO_ROW, 3, kinds=["candles"])


def test_errors_of_ccxt_show_no_address_and_no_key(venue: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIQLAB_BYBIT_KEY", "topsecretkey")
    monkeypatch.setenv("LIQLAB_BYBIT_SECRET", "topsecretsecret")
    routes = bybit(24) | {"/market/kline": lambda query: {"retCode": 10001, "retMsg": "Illegal category", "result": {}}}
    venue("bybit", routes, id="BTCUSDT")
    with pytest.raises(http.FetchError, match=r"bybit: fetch_ohlcv was refused: .*Illegal category") as caught:
        get(tmp_path, "bybit", 24, kinds=["candles"])
    text = repr(caught.value) + repr(caught.value.__context__)
    assert "topsecret" not in text and "http" not in str(caught.value)
    with pytest.raises(ValueError, match=r"bybit lists no 'BTC/USD'; did you mean 'BTC/USDT:USDT'"):
        get(tmp_path, "bybit", 24, symbol="BTC/USD")


# --- sides, shapes and versions of replies ----------------------------------------------------------------------------

BYBIT_USD = Instrument("bybit", "BTC/USD:BTC", "BTCUSD", True, 1.0)
HTX_USD = Instrument("htx", "BTC/USD:BTC", "BTC-USD", True, 100.0)
DERIBIT = Instrument("deribit", "BTC/USDC:USDC", "BTC_USDC-PERPETUAL", contract_size=1.0)
DERIBIT_USD = Instrument("deribit", "BTC/USD:BTC", "BTC-PERPETUAL", True, 10.0)
AT_60_000 = pd.Series([60_000.0], index=pd.to_datetime([T0], unit="ms", utc=True))


def interest(info: Any, **fields: Any) -> dict[str, Any]:
    """A row of open interest as ccxt hands it on."""
    return {"timestamp": T0, "openInterestAmount": None, "openInterestValue": None, "info": info, **fields}


@pytest.mark.parametrize(
    ("item", "row", "coins"),
    [
        (BYBIT, interest({"openInterest": "50000"}, openInterestAmount=50_000.0), 25_000.0),
        (BYBIT, interest({"openInterest": "5e4", "singleOpenInterest": "25001.5"}, openInterestAmount=5e4), 25_001.5),
        (BYBIT_USD, interest({"openInterest": "12e6"}, openInterestValue=12e6), 100.0),
        (BYBIT_USD, interest({"openInterest": "12e6", "singleOpenInterest": "6e6"}, openInterestValue=12e6), 100.0),
        (HTX, interest({"volume": "4385.4", "amount_type": "2"}, openInterestAmount=4385.4), 2192.7),
        (HTX, interest({"volume": "4385400", "amount_type": "1"}, openInterestAmount=4385400.0), 2192.7),
        (HTX, interest({"volume": "4385.4"}, openInterestAmount=4385.4), 2192.7),
        (HTX_USD, interest({"volume": "240", "amount_type": 2}, openInterestAmount=240.0), 120.0),
        (OKX, interest([str(T0), "2800476.45", "28006.5419", "236e7"], openInterestAmount=2800476.45), 28006.5419),
        (GATE, interest({"open_interest": "150508526"}, openInterestAmount=150508526.0), 15050.8526),
        (DERIBIT, interest({"open_interest": 1234.5}, openInterestValue=1234.5), 1234.5),
        (DERIBIT, interest({"open_interest": 1234.5}, openInterestAmount=1234.5), 1234.5),
        (DERIBIT_USD, interest({"open_interest": 12e6}, openInterestValue=12e6), 200.0),
    ],
)  # fmt: skip
def test_open_interest_is_coins_of_one_side(item: Instrument, row: dict[str, Any], coins: float) -> None:
    prices = AT_60_000 if parse.needs_price(item) else None
    assert parse.parse_open_interest([row], item, prices)["open_interest"].tolist() == pytest.approx([coins], rel=1e-9)


@pytest.mark.parametrize(
    ("item", "info", "message"),
    [
        (OKX, [str(T0), "2183354317.9", "74285877.6"], r"okx: .* has 3 columns where 4 are read; .*'ccxt>=4.5.85'"),
        (OKX, {"oi": "1"}, r"okx: .* has dict where 4 are read"),
        (OKX, [str(T0), "280000", "28000", "1"], r"280000 contracts of 0.01 is not 28000 coins; the reply has changed"),
        (HTX, {"volume": "1", "amount_type": "3"}, r"htx: open interest has amount_type='3', where 1, 2 are known"),
        (Instrument(NO_ROW, "BTC/USDT:USDT", ""), {}, rf"open interest of {NO_ROW} counts is not known to liqlab"),
    ],
)
def test_a_reply_of_another_shape_is_refused(item: Instrument, info: Any, message: str) -> None:
    with pytest.raises(http.FetchError, match=message):
        parse.parse_open_interest([interest(info, openInterestAmount=1.0)], item, None)


def test_ccxt_reads_okxs_history_as_the_rule_says() -> None:
    """The client that is installed asks for the instrument's own history, and hands on all four columns."""
    import ccxt

    row = ["1790550000000", "2800476.45", "28006.5419", "2360916466.88"]
    assert ccxt.okx().parse_open_interest(row)["info"] == row
    assert "open-interest-history" in str(ccxt.okx().api["public"]["get"])
    assert ccxt.okx().parse_open_interest(row)["openInterestAmount"] == 2800476.45  # before 4.5.85 it was a value


@pytest.mark.parametrize(
    ("row", "coins"),
    [
        ({"liquidation_time": "1", "side": "buy", "position_side": "short", "volume": "2", "amount": "2",
          "bankrupt_price": "62978.5", "trade_turnover": "125.957"}, 0.002),
        ({"liquidation_time": "1", "side": "buy", "position_side": "both", "volume": "2", "amount": "2",
          "bankrupt_price": "62978.5", "trade_turnover": "125.957"}, 0.002),
        ({"created_at": 1, "direction": "buy", "volume": 479.0, "amount": 0.479, "price": 51441.7,
          "trade_turnover": 24640.5743}, 0.479),
    ],
)  # fmt: skip
def test_htx_counts_contracts_in_v5_and_coins_in_v3(row: dict[str, Any], coins: float) -> None:
    event = parse.parse_liquidations([row], HTX).iloc[0]
    assert (event["side"], event["quantity"]) == ("short", pytest.approx(coins, rel=1e-12))


def test_a_size_that_its_turnover_refutes_is_refused() -> None:
    row = {"liquidation_time": "1", "side": "buy", "position_side": "short", "volume": "0.002", "amount": "0.002",
           "bankrupt_price": "62978.5", "trade_turnover": "125.957"}  # fmt: skip
    with pytest.raises(
        http.FetchError, match=r"0.002 contracts of 0.001 is 2e-06 coins, by its turnover and price 0.002"
    ):
        parse.parse_liquidations([row], HTX)


def test_gate_counts_the_order_and_not_the_position_where_it_tells_both() -> None:
    """A position of 600 closed in steps of 200 is 200 each time."""
    row = {"time": 1696736132, "size": 600, "order_size": -200, "left": 50, "fill_price": "28070"}
    assert parse.parse_liquidations([row], GATE)[["side", "quantity"]].values.tolist() == [
        ["long", pytest.approx(0.015)]
    ]


@pytest.mark.parametrize("size", [600, -31])
def test_an_order_of_size_0_tells_no_amount(size: int) -> None:
    """Gate: what stands beside it is the position, which need not have been closed."""
    row = {"time": 1696736132, "size": size, "order_size": 0, "left": 0, "fill_price": "28070"}
    with pytest.raises(http.Failure, match="2 of 2 liquidations of gate have order_size 0"):
        parse.parse_liquidations([row, row], GATE)
    with pytest.warns(UserWarning, match="1 of 2 liquidations of gate have order_size 0; they count nothing"):
        found = parse.parse_liquidations([row, row | {"order_size": -size}], GATE)
    assert found["quantity"].tolist() == [0, pytest.approx(abs(size) * 1e-4)]
    with pytest.raises(http.Failure, match="a liquidation of 5, of which 7 was left, is no amount"):
        parse.parse_liquidations([row | {"order_size": 5, "left": 7}], GATE)


def test_all_fills_of_an_okx_message_count_once() -> None:
    """Through ccxt, which keeps the first: by the message that it hands on. Other instruments are left out."""
    import ccxt.pro

    def detail(side: str, size: str, at: str) -> dict[str, str]:
        return {"bkLoss": "0", "bkPx": "60000", "ccy": "", "posSide": side, "sz": size, "ts": at,
                "side": "buy" if side == "short" else "sell"}  # fmt: skip

    def about(name: str, details: list[dict[str, str]]) -> dict[str, Any]:
        return {"details": details, "instFamily": name[:-5], "instId": name, "instType": "SWAP", "uly": name[:-5]}

    mine = about("BTC-USDT-SWAP", [detail("short", "330", "1692266434010"), detail("long", "20", "1692266434011")])
    other = about("ETH-USDT-SWAP", [detail("long", "77", "1692266434010")])
    message = {"arg": {"channel": "liquidation-orders", "instType": "SWAP"}, "data": [mine, other]}
    market = ccxt.okx().safe_market_structure({"id": "BTC-USDT-SWAP", "symbol": "BTC/USDT:USDT", "contractSize": 0.01})
    unified = ccxt.pro.okx().parse_ws_liquidation(mine, market)
    wanted = [["short", pytest.approx(3.3)], ["long", pytest.approx(0.2)]]
    for rows in ([message], [mine, other], [unified], [unified, dict(unified)]):
        assert parse.parse_liquidations(rows, OKX)[["side", "quantity"]].values.tolist() == wanted


@pytest.mark.parametrize(("exchange", "unit"), [("hibachi", "quote"), ("btse", "quote"), ("paradex", ""), (NO_ROW, "")])
def test_a_contract_of_one_coin_does_not_mean_volumes_in_coins(exchange: str, unit: str) -> None:
    assert row_of(exchange).volume.of(Instrument(exchange, "BTC/USDT:USDT", "BTC")) == unit


def test_htxs_volume_counts_both_sides_of_contracts_only() -> None:
    rows = [[T0, *candle(0), 30.0]]
    spot = Instrument("htx", "BTC/USDT", "btcusdt")
    assert parse.parse_candles(rows, HTX, "coins")["volume"].tolist() == [15.0]
    assert parse.parse_candles(rows, spot, "coins")["volume"].tolist() == [30.0]


# --- bars are cut as the venue cuts them ------------------------------------------------------------------------------

DAY = 24 * HOUR


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Liquidations by the day and not by the hour: fewer requests, the same rows."""
    for name in ("gate", "htx"):
        offers = _ccxt.offers(name)
        monkeypatch.setitem(offers, "liquidations", replace(offers["liquidations"], window="24h"))


def cut(first: int, step: int, events: list[tuple[int, int]]) -> Routes:
    """Gate with bars of `step` from `first` on, and liquidations (hour after `T0`, contracts)."""

    def candles(query: dict[str, str]) -> Any:
        opens = [first + k * step for k in range(60)]
        found = [at for at in opens if int(query["from"]) * 1000 <= at <= int(query["to"]) * 1000]
        return [{"t": at // 1000, "v": 20_000, **dict(zip("ohlc", map(str, candle(0)), strict=True))} for at in found]

    def liquidations(query: dict[str, str]) -> Any:
        stamps = [(T0 // 1000 + hours * 3600 + 60, size) for hours, size in events]
        return [{"contract": "BTC_USDT", "left": 0, "size": size, "fill_price": "60000", "time": at}
                for at, size in stamps if int(query["from"]) <= at <= int(query["to"])]  # fmt: skip

    now = first + 60 * step
    return {"/candlesticks": candles, "/liq_orders": liquidations, "/time": lambda query: {"server_time": now}}


@pytest.mark.parametrize(
    ("timeframe", "days", "first"),
    [("1w", 7, "2024-04-25"), ("1w", 7, "2024-04-29"), ("1w", 7, "2024-04-28 16:00"), ("1d", 1, "2024-04-30 16:00")],
)
def test_liquidations_lie_on_the_bars_of_the_candles(
    venue: Any, tmp_path: Path, wide: None, timeframe: str, days: int, first: str
) -> None:
    """Weeks from Thursday, from Monday, from Sunday 16:00 UTC, and days from 16:00; across the edge of a month."""
    opened, step = pd.Timestamp(first, tz="UTC"), days * DAY
    events = [(5, 10_000), (14 * 24 + 1, -20_000), (30 * 24 + 20, 30_000), (33 * 24, 40_000)]
    routes = cut(opened.value // 10**6, step, events)
    log = venue("gate", routes, id="BTC_USDT", contractSize=0.0001)
    options = {"timeframe": timeframe, "kinds": ["candles", "liquidations"], "hours": 42 * 24}
    market = get(tmp_path, "gate", **options)
    bars = pd.date_range(opened, START + pd.Timedelta(42, "D"), freq=pd.Timedelta(days, "D"), inclusive="left")
    assert market.candles.index.tolist() == [bar for bar in bars if bar >= START]
    assert market.liquidations.index.equals(market.candles.index)
    wanted = pd.DataFrame(0.0, index=market.candles.index, columns=["long", "short"])
    for hours, size in events:
        bar = bars[bars <= START + pd.Timedelta(hours * 60 + 1, "min")][-1]
        if bar >= START:
            wanted.loc[bar, "long" if size > 0 else "short"] += abs(size) / 1e4
    assert wanted.to_numpy().sum() >= 9
    assert (market.liquidations - wanted).abs().to_numpy().max() < 1e-12
    asked = len(log)
    again = get(tmp_path, "gate", **options)
    assert again.liquidations.equals(market.liquidations) and len(log) == asked


def htx(now: pd.Timestamp) -> Routes:
    """Contracts of 0.001 BTC; days from 16:00 UTC; both sides counted; the newest 200 rows of open interest."""
    first = T0 - 8 * HOUR

    def candles(query: dict[str, str]) -> Any:
        opens = [first + k * DAY for k in range(200)]
        found = [
            at for at in opens if int(query["from"]) * 1000 <= at <= min(int(query["to"]) * 1000, now.value // 10**6)
        ]
        rows = [dict(zip(("open", "high", "low", "close"), candle(0), strict=True)) for _ in found]
        return {"status": "ok", "data": [row | {"id": at // 1000, "amount": 3000.0, "vol": 3e6, "count": 9}
                                         for at, row in zip(found, rows, strict=True)]}  # fmt: skip

    def interest(query: dict[str, str]) -> Any:
        rows = [{"volume": "40000", "amount_type": query["amount_type"], "ts": first + k * DAY, "value": "24e8"}
                for k in range(40)]  # fmt: skip
        return {"status": "ok", "data": {"tick": rows[::-1], "symbol": "BTC", "contract_code": "BTC-USDT"}}

    def liquidations(query: dict[str, str]) -> Any:
        stamps = [T0 + hours * HOUR for hours in (15, 17, 40, 63)]
        found = [at for at in stamps if int(query["start_time"]) <= at <= int(query["end_time"])]
        row = {"id": "1", "contract_code": "BTC-USDT", "side": "sell", "position_side": "long", "volume": "2000",
               "amount": "2000", "bankrupt_price": "60000", "trade_turnover": "120000"}  # fmt: skip
        return {"code": 200, "data": [row | {"liquidation_time": str(at)} for at in found]}

    clock = {"status": "ok", "data": now.value // 10**6, "ts": now.value // 10**6}
    return {"/history/kline": candles, "/swap_his_open_interest": interest, "/liquidation_orders": liquidations,
            "/timestamp": lambda query: clock}  # fmt: skip


def test_htxs_days_open_at_16_and_count_one_side(venue: Any, tmp_path: Path, wide: None) -> None:
    venue("htx", htx(START + pd.Timedelta(12, "D")), id="BTC-USDT", contractSize=0.001)
    options = {"timeframe": "1d", "kinds": ["candles", "open_interest", "liquidations"]}
    market = get(tmp_path, "htx", 5 * 24, **options)
    opens = pd.date_range("2024-05-01 16:00", periods=5, freq="D", tz="UTC").tolist()
    assert market.candles.index.tolist() == opens and set(market.candles["volume"]) == {1500.0}
    assert market.open_interest.index.tolist() == opens and set(market.open_interest["open_interest"]) == {20_000.0}
    # at 15:00 a bar before the first one; 17:00 and 16:00 the next day; 15:00 on the third
    assert market.liquidations["long"].tolist() == [2.0, 4.0, 0.0, 0.0, 0.0]
    notes = {kind: source["note"] for kind, source in market.sources.items()}
    assert notes["candles"] == "sides: both → one" and notes["liquidations"] == ""
    assert notes["open_interest"] == "stamps every 1d; sides: both → one"


def test_a_day_that_has_not_closed_by_the_venues_own_clock_is_not_kept(venue: Any, tmp_path: Path) -> None:
    """Days from 16:00: at ten o'clock the bar of yesterday is open for six hours more."""
    first = pd.Timestamp("2024-04-30 16:00", tz="UTC")
    routes = cut(first.value // 10**6, DAY, [])
    now = pd.Timestamp("2024-05-10 10:00", tz="UTC")
    venue("gate", routes | {"/time": lambda query: {"server_time": now.value // 10**6}}, id="BTC_USDT")
    with pytest.warns(UserWarning, match="clock"):
        market = get(tmp_path, "gate", 1, timeframe="1d", kinds=["candles"], end=None)
    assert market.candles.index[-1] == pd.Timestamp("2024-05-08 16:00", tz="UTC")


# --- funding: what a rate is for --------------------------------------------------------------------------------------


def rates(exchange: str, hours: list[float]) -> pd.DataFrame:
    rows = [{"timestamp": int(T0 + h * HOUR), "fundingRate": 1e-5} for h in hours]
    return parse.parse_funding_rate(rows, Instrument(exchange, "BTC/USDT:USDT", ""))


@pytest.mark.parametrize(
    ("exchange", "hours", "intervals"),
    [
        ("bybit", [0, 8, 16, 24], [8, 8, 8, 8]),
        ("bybit", [0, 8, 16, 20, 24, 25, 26], [8, 8, 8, 4, 4, 1, 1]),  # the venue pays more often
        ("bybit", [0, 8, 16, 56, 64], [8, 8, 8, 8, 8]),  # rows are missing
        ("hyperliquid", [0.01, 1, 2.02, 3], [1, 1, 1, 1]),
        ("deribit", [0, 1, 2], [8, 8, 8]),
    ],
)
def test_the_interval_travels_with_the_rate(exchange: str, hours: list[float], intervals: list[float]) -> None:
    assert with_intervals(rates(exchange, hours))["interval_hours"].tolist() == intervals


def test_an_interval_that_cannot_be_known_is_not_made_up() -> None:
    assert "interval_hours" not in with_intervals(rates("bybit", [0]))
    assert "interval_hours" not in with_intervals(rates("paradex", [0, 0.001, 0.002]))
