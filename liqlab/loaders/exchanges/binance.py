"""Binance's futures, USD-M and COIN-M, by their own endpoints: ccxt's candles would lose the taker-buy volume.

Parsing (`parse_*`) is pure; asking is done by `page`, `depth`, `tiers`. COIN-M contracts are inverse, worth 100 USD
(BTC) or 10 USD: its candles carry volumes in contracts *and* in coins, and the coins are taken.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pandas as pd

from liqlab.loaders import http
from liqlab.loaders.exchanges._instruments import (
    COINS,
    CONTRACTS,
    Instrument,
    Link,
    Offer,
    Unit,
    frame_of,
    nearest_names,
)
from liqlab.loaders.http import Failure, FetchError

EXCHANGES = ("binanceusdm", "binancecoinm")
BASES = {"binanceusdm": "https://fapi.binance.com", "binancecoinm": "https://dapi.binance.com"}
PATHS = {"binanceusdm": "/fapi/v1", "binancecoinm": "/dapi/v1"}
TIMEFRAMES = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w")
PERIODS = ("5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d")
# Place of each column in a kline; "×" columns are contracts and become quote by the contract size.
KLINES: Mapping[str, Mapping[str, int]] = {
    "binanceusdm": {"open": 1, "high": 2, "low": 3, "close": 4, "volume": 5, "quote_volume": 7, "trades": 8,
                    "taker_buy_volume": 9, "taker_buy_quote_volume": 10},
    "binancecoinm": {"open": 1, "high": 2, "low": 3, "close": 4, "volume": 7, "×quote_volume": 5, "trades": 8,
                     "taker_buy_volume": 10, "×taker_buy_quote_volume": 9},
}  # fmt: skip
MARK_KLINES = {"open": 1, "high": 2, "low": 3, "close": 4}
_TIERS = {"binanceusdm": "/fapi/v1/leverageBracket", "binancecoinm": "/dapi/v2/leverageBracket"}
_OLDER = "older stamps are in Binance's public archive: liqlab.loaders.archive.get fills the same store"


def offers(exchange: str) -> dict[str, Offer]:
    """What the venue has, by kind."""
    path = PATHS[exchange]
    return {
        "candles": Offer(f"{path}/klines", 1500, TIMEFRAMES, note="with taker-buy volume"),
        "mark_candles": Offer(f"{path}/markPriceKlines", 1500, TIMEFRAMES),
        "open_interest": Offer("/futures/data/openInterestHist", 500, PERIODS, reach="30d", note=_OLDER),
        "funding_rate": Offer(f"{path}/fundingRate", 1000),
        "leverage_tiers": Offer(_TIERS[exchange], key=True, note="as of today"),
    }


def why_missing(exchange: str, kind: str) -> str:
    """Why the venue has nothing of a kind."""
    return "they are on a live stream only, at most one per symbol and second" if kind == "liquidations" else ""


def units(exchange: str) -> tuple[Unit, ...]:
    """What its numbers count; fields as the document of each endpoint names them."""
    doc = f"Binance, {'USD-M' if exchange == 'binanceusdm' else 'COIN-M'} futures API"
    return tuple(_unit(exchange, doc, *row) for row in _UNITS)


def _unit(exchange: str, doc: str, kind: str, stamp: str, usdm: tuple[str, str], coinm: tuple[str, str]) -> Unit:
    unit, field = usdm if exchange == "binanceusdm" else coinm
    linear, inverse = (unit, "") if exchange == "binanceusdm" else ("", unit)
    return Unit(
        kind, linear, inverse, stamp=stamp, source=f"{field}; {doc}", read="2026-11-28", tested="its own endpoints"
    )


# Kind, what its stamp means, and unit and field of USD-M and of COIN-M.
_UNITS = (
    ("candles", "open", (COINS, "volume"), (COINS, "base asset volume; volume itself counts contracts")),
    ("open_interest", "instant", (COINS, "sumOpenInterest"), (COINS, "sumOpenInterestValue, in the base coin")),
    ("funding_rate", "instant", ("rate", "fundingRate, per interval"), ("rate", "fundingRate, per interval")),
    ("depth", "instant", (COINS, "quantity"), (CONTRACTS, "quantity")),
)


# --- asking -----------------------------------------------------------------------------------------------------------


def connect(exchange: str, base_url: str = "") -> Link:
    """A way to the venue; nothing is asked yet."""
    base = base_url or os.environ.get(f"LIQLAB_{exchange.upper()}_URL", "") or BASES[exchange]
    return Link(exchange, http.session(), base.rstrip("/"))


def clock(link: Link) -> pd.Timestamp:
    """The venue's own time."""
    said = _get(link, f"{PATHS[link.exchange]}/time", {})
    try:
        return pd.Timestamp(int(said["serverTime"]), unit="ms", tz="UTC")
    except (KeyError, TypeError, ValueError):
        raise FetchError(f"{link.exchange}: the answer to what time it is holds no serverTime") from None


def instrument(link: Link, symbol: str) -> Instrument:
    """The contract of a symbol, as the venue lists it today."""
    if "instruments" not in link.learnt:
        said = _get(link, f"{PATHS[link.exchange]}/exchangeInfo", {})
        link.learnt["instruments"] = parse_instruments(said, link.exchange)
        link.learnt["weight"] = parse_weight(said)
    known = link.learnt["instruments"]
    found = known.get(symbol) or next((one for one in known.values() if one.id == symbol), None)
    if found is None:
        hint = nearest_names(symbol, known)
        raise ValueError(f"{link.exchange} lists no {symbol!r}; {hint} Symbols are written BTC/USDT:USDT; what is no "
                         "longer listed is in Binance's public archive")  # fmt: skip
    return found


def page(
    link: Link,
    item: Instrument,
    kind: str,
    timeframe: str,
    start: int,
    stop: int,
    *,
    volume_unit: str = "",
    origin: int = 0,
) -> pd.DataFrame:
    """One request: the first rows from `start` on, before `stop` [ms]; the units are known, bars are the venue's."""
    offer = offers(link.exchange)[kind]
    span = {"startTime": start, "endTime": stop - 1, "limit": offer.limit}
    if kind in ("candles", "mark_candles"):
        parse = parse_klines if kind == "candles" else parse_mark_klines
        return _parsed(link, offer.origin, {"symbol": item.id, "interval": timeframe, **span}, parse, item)
    if kind == "funding_rate":
        return _parsed(link, offer.origin, {"symbol": item.id, **span}, parse_funding_rate, item)
    about = {"pair": item.pair, "contractType": "PERPETUAL"} if item.inverse else {"symbol": item.id}
    return _parsed(link, offer.origin, {**about, "period": timeframe, **span}, parse_open_interest, item)


def depth(link: Link, item: Instrument) -> pd.DataFrame:
    """The order book as it stands: side, price, quantity [coins]."""
    return _parsed(link, f"{PATHS[link.exchange]}/depth", {"symbol": item.id, "limit": 1000}, parse_depth, item)


def interest_now(link: Link, item: Instrument) -> Any:
    """The open interest of this moment, as the venue answers; `liqlab.loaders.streams.binance` parses it."""
    return _get(link, f"{PATHS[link.exchange]}/openInterest", {"symbol": item.id})


def tier_unit(link: Link, item: Instrument) -> dict[str, float]:
    """Nothing is needed: the tiers are in notional, of COIN-M in coins."""
    return {}


def tiers(link: Link, item: Instrument) -> list[dict[str, Any]]:
    """The maintenance tiers of today, in ccxt's shape. The key is read from the environment for this request alone."""
    key, seal = http.read_credential(link.exchange, "key"), http.read_credential(link.exchange, "secret")
    if not (key and seal):
        name = f"LIQLAB_{link.exchange.upper()}"
        raise FetchError(f"leverage tiers of {link.exchange} need an API key that may read: set {name}_KEY and "
                         f"{name}_SECRET in the environment, or leave leverage_tiers out of kinds")  # fmt: skip
    about = {"pair": item.pair} if item.inverse else {"symbol": item.id}

    def signed() -> dict[str, Any]:
        query = {**about, "recvWindow": 10_000, "timestamp": int(time.time() * 1000 + link.learnt.get("ahead", 0))}
        seal_of_it = hmac.new(seal.encode(), urlencode(query).encode(), hashlib.sha256).hexdigest()
        return {**query, "signature": seal_of_it}

    url = link.base + _TIERS[link.exchange]
    said = http.get_json(link.web, url, headers={"X-MBX-APIKEY": key}, fresh=signed)
    return parse_brackets(said, item)


def _parsed(link: Link, path: str, query: dict[str, Any], parse: Any, item: Instrument) -> pd.DataFrame:
    """Ask and parse; a page that cannot be parsed is asked for again."""
    return http.retry(lambda: parse(_get(link, path, query), item), http.where(link.base + path))


def _get(link: Link, path: str, query: dict[str, Any]) -> Any:
    said = http.get_json(link.web, link.base + path, query)
    _keep_pace(link)
    return said


def _keep_pace(link: Link) -> None:
    """Wait for the next minute before the venue's own count of our requests reaches its limit."""
    used = next((v for k, v in link.web.last_headers.items() if k.lower() == "x-mbx-used-weight-1m"), "")
    limit = link.learnt.get("weight", 2400)
    if used.isdigit() and int(used) > 0.95 * limit:
        http.wait_seconds(60.5 - time.time() % 60)


# --- parsing: pure ----------------------------------------------------------------------------------------------------


def parse_instruments(said: Any, exchange: str) -> dict[str, Instrument]:
    """``exchangeInfo`` → instruments by unified symbol; delivery contracts carry their date."""
    try:
        return dict(_instrument(row, exchange) for row in said["symbols"] if row.get("baseAsset"))
    except (KeyError, TypeError, ValueError):
        raise FetchError(f"{exchange}: exchangeInfo is not what it used to be; upgrade liqlab") from None


def _instrument(row: Mapping[str, Any], exchange: str) -> tuple[str, Instrument]:
    margin = row.get("marginAsset", row["quoteAsset"])
    symbol = f"{row['baseAsset']}/{row['quoteAsset']}:{margin}"
    if not str(row.get("contractType", "PERPETUAL")).endswith("PERPETUAL"):
        symbol += f"-{pd.Timestamp(int(row['deliveryDate']), unit='ms'):%y%m%d}" if row.get("deliveryDate") else ""
    listed = pd.Timestamp(int(row["onboardDate"]), unit="ms", tz="UTC") if row.get("onboardDate") else None
    inverse = margin == row["baseAsset"]
    size = float(row.get("contractSize", 1.0)) if inverse else 1.0
    return symbol, Instrument(exchange, symbol, row["symbol"], inverse, size, listed, row.get("pair", row["symbol"]))


def parse_weight(said: Any) -> int:
    """The request weight allowed per minute."""
    for rule in said.get("rateLimits", []):
        if rule.get("rateLimitType") == "REQUEST_WEIGHT" and rule.get("interval") == "MINUTE":
            return int(rule["limit"])
    return 2400


def parse_klines(rows: Any, item: Instrument) -> pd.DataFrame:
    """Klines → candles: prices and volumes [coins], quote volumes, trades, taker-buy volumes.

    Examples
    --------
    A COIN-M candle of 40 contracts of 100 USD, 15 of them bought by takers, at 50,000: 0.08 coins, 4,000 USD.

    >>> coin = Instrument("binancecoinm", "BTC/USD:BTC", "BTCUSD_PERP", True, 100.0)
    >>> row = [0, "5e4", "5e4", "5e4", "5e4", "40", 59999, "0.08", 3, "15", "0.03", "0"]
    >>> parse_klines([row], coin)[["volume", "quote_volume", "taker_buy_volume"]].values.tolist()
    [[0.08, 4000.0, 0.03]]
    """
    places = KLINES[item.exchange]
    raw = _columns(rows, places)
    columns = {name.lstrip("×"): values for name, values in raw.items()}
    table = frame_of([row[0] for row in rows], columns)
    for name in (name.lstrip("×") for name in places if name.startswith("×")):
        table[name] *= item.contract_size
    return _sound(table)


def parse_mark_klines(rows: Any, item: Instrument) -> pd.DataFrame:
    """Mark-price klines → open, high, low, close."""
    return _sound(frame_of([row[0] for row in _list(rows)], _columns(rows, MARK_KLINES)))


def parse_funding_rate(rows: Any, item: Instrument) -> pd.DataFrame:
    """Funding history → funding_rate, stamped by when it was paid."""
    return _rows(rows, "fundingTime", {"funding_rate": "fundingRate"})


def parse_open_interest(rows: Any, item: Instrument) -> pd.DataFrame:
    """Open-interest history → open_interest [coins]; of COIN-M the value, which Binance gives in the base coin."""
    if item.inverse:
        return _rows(rows, "timestamp", {"open_interest": "sumOpenInterestValue"})
    return _rows(rows, "timestamp", {"open_interest": "sumOpenInterest", "open_interest_value": "sumOpenInterestValue"})


def parse_depth(said: Any, item: Instrument) -> pd.DataFrame:
    """Order book → side (``bid`` or ``ask``), price, quantity [coins], best prices first on each side."""
    try:
        sides = [("bid", said["bids"]), ("ask", said["asks"])]
        table = pd.DataFrame([(side, float(p), float(q)) for side, rows in sides for p, q, *_ in rows],
                             columns=["side", "price", "quantity"])  # fmt: skip
    except (KeyError, TypeError, ValueError):
        raise Failure("the order book is not what it used to be") from None
    if item.inverse:
        table["quantity"] *= item.contract_size / table["price"]
    return table


def parse_brackets(said: Any, item: Instrument) -> list[dict[str, Any]]:
    """``leverageBracket`` → tiers in ccxt's shape, as `tiers_from_ccxt` reads them."""
    entries = [said] if isinstance(said, Mapping) else _list(said)
    rows: list[Any] = next((e["brackets"] for e in entries if e.get("symbol", item.id) in (item.id, item.pair)), [])
    low, high = ("qtyFloor", "qtyCap") if item.inverse else ("notionalFloor", "notionalCap")
    return [{"minNotional": row[low], "maxNotional": row[high], "maintenanceMarginRate": row["maintMarginRatio"],
             "maxLeverage": row["initialLeverage"], "info": row} for row in rows]  # fmt: skip


def _list(rows: Any) -> list[Any]:
    if not isinstance(rows, list):
        raise Failure(f"the answer is {type(rows).__name__} instead of a list")
    return rows


def _columns(rows: Any, places: Mapping[str, int]) -> dict[str, list[Any]]:
    try:
        return {name: [row[place] for row in _list(rows)] for name, place in places.items()}
    except (IndexError, TypeError, KeyError):
        raise Failure("a row of the answer lacks columns") from None


def _rows(rows: Any, stamp: str, fields: Mapping[str, str]) -> pd.DataFrame:
    try:
        columns: dict[str, Sequence[Any]] = {k: [row[v] for row in _list(rows)] for k, v in fields.items()}
        return frame_of([row[stamp] for row in rows], dict(columns))
    except (KeyError, TypeError):
        raise Failure("a row of the answer lacks fields") from None


def _sound(table: pd.DataFrame) -> pd.DataFrame:
    """The candles, if they can be: prices finite and > 0, low and high around the rest."""
    values = table.to_numpy()
    low, high = table["low"].to_numpy(), table["high"].to_numpy()
    if not (np.isfinite(values).all() and (low > 0).all() and (low <= table[["open", "close"]].min(axis=1)).all()
            and (high >= table[["open", "close"]].max(axis=1)).all()):  # fmt: skip
        raise Failure("a page holds candles that cannot be")
    return table


def window(exchange: str, kind: str, step: int) -> int:
    """Longest span of one request [ms]: open interest is not promised to come earliest first, so spans are exact."""
    return offers(exchange)[kind].limit * step if kind == "open_interest" else 0
