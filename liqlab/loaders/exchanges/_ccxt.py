"""Every exchange that ccxt knows: its methods one request at a time, our own pages, our own retries.

ccxt's pagination stops after ten pages without a word, and its retries ignore ``Retry-After``; neither is used. Units
and sides come from `_ccxt_units`, parsing from `_ccxt_parse`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import pandas as pd

from liqlab.loaders import http
from liqlab.loaders.exchanges import _ccxt_parse as parse
from liqlab.loaders.exchanges._ccxt_client import client_class, errors
from liqlab.loaders.exchanges._ccxt_units import in_coins, row_of, units
from liqlab.loaders.exchanges._instruments import Instrument, Link, Offer, nearest_names, period_for
from liqlab.loaders.http import Failure, FetchError
from liqlab.margin._tier_units import needs_price, unit_of
from liqlab.market.clock import timedelta

__all__ = ["EXCHANGES", "call", "clock", "connect", "depth", "instrument", "offers", "page", "tier_unit", "tiers",
           "units", "why_missing", "window", "without_address"]  # fmt: skip

EXCHANGES: tuple[str, ...] = ()  # it claims none: `venue_of` comes here for what no file claims
_METHODS = {"candles": "fetchOHLCV", "mark_candles": "fetchMarkOHLCV", "funding_rate": "fetchFundingRateHistory",
            "open_interest": "fetchOpenInterestHistory", "liquidations": "fetchLiquidations",
            "leverage_tiers": "fetchMarketLeverageTiers"}  # fmt: skip
_LIMIT = 200  # rows of one request, where ccxt does not tell


@lru_cache(maxsize=256)
def offers(exchange: str) -> dict[str, Offer]:
    """What a venue has, by kind: what ccxt says it has, as far as its units and sides are known."""
    client = client_class(exchange)()
    frames = tuple(filter(_readable, client.timeframes or {}))
    limit = _limit(client.features or {})
    found = {kind: _offer(exchange, kind, frames, limit) for kind, method in _METHODS.items() if client.has.get(method)}
    return {kind: offer for kind, offer in found.items() if offer is not None}


def _offer(exchange: str, kind: str, frames: tuple[str, ...], limit: int) -> Offer | None:
    origin, row = f"ccxt {_METHODS[kind]}", row_of(exchange)
    if kind in ("candles", "mark_candles"):
        return Offer(origin, limit, frames, rows=row.newest.get(kind, 0)) if frames else None
    if kind == "open_interest":
        rule = row.open_interest
        return Offer(origin, rule.limit, rule.periods, rows=rule.rows) if rule and rule.limit else None
    if kind == "liquidations":
        return Offer(origin, row.asked[1], frames, window=row.asked[0]) if row.asked else None
    if kind == "funding_rate":
        return Offer(origin, row.funding_limit)
    tier = unit_of(exchange)
    return Offer(origin, key=tier.key, note="as of today") if tier and tier.fetched else None


def why_missing(exchange: str, kind: str) -> str:
    """Why a venue has nothing of a kind, where that is known."""
    if kind == "liquidations":
        return row_of(exchange).no_liquidations
    if kind == "open_interest":
        return "its history is not offered, or liqlab does not know in what unit"
    if kind == "leverage_tiers":
        row = unit_of(exchange)
        return (row.refused or row.source) if row else "they are not offered, or liqlab does not know in what unit"
    return ""


def window(exchange: str, kind: str, step: int) -> int:
    """Longest span of one request [ms]."""
    offer = offers(exchange)[kind]
    if kind == "funding_rate":
        return offer.limit * 3_600_000  # venues that pay every hour fill it, the others leave room
    if kind == "liquidations":
        return max(24 * 3_600_000 // step, 1) * step
    return offer.limit * step


def _readable(timeframe: str) -> bool:
    try:
        return timedelta(timeframe) > pd.Timedelta(0)
    except ValueError:
        return False


def _limit(features: Mapping[str, Any]) -> int:
    told = ((features.get("swap") or {}).get("linear") or {}) or features.get("spot") or {}
    return int((told.get("fetchOHLCV") or {}).get("limit") or _LIMIT)


# --- asking -----------------------------------------------------------------------------------------------------------


def connect(exchange: str, base_url: str = "") -> Link:
    """A way to the venue; nothing is asked yet."""
    web = http.session()
    client = client_class(exchange)({"session": web, "enableRateLimit": True})
    client.has["fetchCurrencies"] = False  # a request, on some venues a signed one, for nothing that is needed here
    base = base_url or os.environ.get(f"LIQLAB_{exchange.upper()}_URL", "")
    if base:
        client.urls["api"] = _replaced(client.urls["api"], base.rstrip("/"))
    return Link(exchange, web, base, client)


def _replaced(urls: Any, base: str) -> Any:
    return {name: _replaced(part, base) for name, part in urls.items()} if isinstance(urls, Mapping) else base


def call(link: Link, method: str, *args: Any) -> Any:
    """One of ccxt's methods, with retries; its errors become ours, without address, query or key."""
    wrong = errors()

    def attempt() -> Any:
        try:
            return getattr(link.client, method)(*args)
        except wrong.OperationFailed as error:
            status = link.web.last_status
            unreached = link.web.unreached
            raise Failure(unreached or _reason(error, status), status=status, unreached=bool(unreached),
                          wait=http.retry_after(link.web.last_headers)) from None  # fmt: skip
        except wrong.AuthenticationError:
            name = f"LIQLAB_{link.exchange.upper()}"
            raise FetchError(f"{link.exchange}: {method} needs an API key that may read; set {name}_KEY and "
                             f"{name}_SECRET (some venues: {name}_PASSWORD) in the environment") from None  # fmt: skip
        except wrong.BaseError as error:
            http.raise_for_status(link.web.last_status, link.web.last_headers)  # some clients look at the body first
            raise FetchError(f"{link.exchange}: {method} was refused: {without_address(error)}") from None

    return http.retry(attempt, f"{link.exchange} {method}")


def _reason(error: Exception, status: int) -> str:
    """Why an attempt failed: the status, what our session found wrong with the answer, or what ccxt calls it."""
    found = str(error.__cause__ or error.__context__ or "")
    if status >= 400:
        return f"status {status}"
    if found.startswith("the answer"):
        return found
    return without_address(error) if status else f"no whole answer came ({type(error).__name__})"


def without_address(error: Exception) -> str:
    """What an error says, its addresses cut to host and path: a query may carry a key or a signature."""
    text = re.sub(r"https?://\S+", lambda found: http.where(found[0]), str(error))
    return (text if "://" not in text else type(error).__name__)[:200]


def clock(link: Link) -> pd.Timestamp:
    """The venue's own time; ours, where it has no such method."""
    if not link.client.has.get("fetchTime"):
        return pd.Timestamp.now("UTC")
    said = call(link, "fetch_time")
    return pd.Timestamp(int(said), unit="ms", tz="UTC") if said else pd.Timestamp.now("UTC")


def instrument(link: Link, symbol: str) -> Instrument:
    """The contract of a symbol, as the venue lists it today."""
    markets = link.learnt.get("markets") or link.learnt.setdefault("markets", call(link, "load_markets"))
    found = markets.get(symbol) or next((one for one in markets.values() if one["id"] == symbol), None)
    if found is None:
        raise ValueError(f"{link.exchange} lists no {symbol!r}; {nearest_names(symbol, markets)} Perpetuals are "
                         "written BTC/USDT:USDT, spot BTC/USDT")  # fmt: skip
    listed = pd.Timestamp(int(found["created"]), unit="ms", tz="UTC") if found.get("created") else None
    size = float(found.get("contractSize") or 1.0)
    return Instrument(link.exchange, found["symbol"], found["id"], bool(found.get("inverse")), size, listed)


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
    """One request (of liquidations: a few): rows of ``[start, stop)`` [ms], of which the venue may give fewer."""
    offer = offers(link.exchange)[kind]

    def ask() -> pd.DataFrame:
        if kind in ("candles", "mark_candles"):
            return _candles(link, item, kind, timeframe, start, stop, offer.limit, volume_unit)
        if kind == "open_interest":
            span = {"until": stop - 1}
            rows = call(link, "fetch_open_interest_history", item.symbol, timeframe, start, offer.limit, span)
            prices = _prices(link, item, timeframe, start, stop) if parse.needs_price(item) else None
            return parse.parse_open_interest(rows, item, prices)
        if kind == "funding_rate":
            until = {"after": stop} if link.exchange in ("okx", "myokx", "okxus") else {"until": stop - 1}
            rows = call(link, "fetch_funding_rate_history", item.symbol, start, offer.limit, until)
            return parse.parse_funding_rate(rows, item)
        return _liquidations(link, item, timeframe, start, stop, offer, origin)

    return http.retry(ask, f"{link.exchange} {offer.origin}")


def _candles(link: Link, item: Instrument, kind: str, timeframe: str, start: int, stop: int, limit: int,
             volume_unit: str) -> pd.DataFrame:  # fmt: skip
    step = int(timedelta(timeframe) / pd.Timedelta(1, "ms"))
    many = max(1, min(limit, -(-(stop - start) // step)))
    if kind == "mark_candles":
        return parse.parse_candles(call(link, "fetch_mark_ohlcv", item.symbol, timeframe, start, many), item, "")
    unit = volume_unit or row_of(link.exchange).volume.of(item)
    if not unit:
        raise ValueError(f"what the volumes of {item.symbol} on {item.exchange} count is not known to liqlab "
                         f"(a contract is {item.contract_size:g}); pass volume_unit='coins', 'contracts' or 'quote'"
                         )  # fmt: skip
    return parse.parse_candles(call(link, "fetch_ohlcv", item.symbol, timeframe, start, many), item, unit)


def _prices(link: Link, item: Instrument, timeframe: str, start: int, stop: int) -> pd.Series:
    """Opens of the candles at the stamps of open interest, one page."""
    period = period_for(timeframe, offers(link.exchange)["candles"].periods)
    step = int(timedelta(period) / pd.Timedelta(1, "ms"))
    rows = call(link, "fetch_ohlcv", item.symbol, period, start, -(-(stop - start) // step))
    return parse.parse_candles(rows, item, "")["open"]


def _liquidations(
    link: Link, item: Instrument, timeframe: str, start: int, stop: int, offer: Offer, origin: int
) -> pd.DataFrame:
    """Liquidations of the bars that open in ``[start, stop)``: the venue's windows one by one up to the last bar's
    end, an empty one twice, a full one in halves."""
    opens = parse.opens_between(start, stop, timeframe, origin)
    if not len(opens):
        return parse.per_bar(parse.parse_liquidations([], item), start, stop, timeframe, origin)
    end = int(opens[-1]) + int(timedelta(timeframe) / pd.Timedelta(1, "ms"))
    width = int(timedelta(offer.window) / pd.Timedelta(1, "ms"))
    todo = [(at, min(at + width, end)) for at in range(int(opens[0]), end, width)][::-1]
    found = []
    while todo:
        first, last = todo.pop()
        rows = _asked(link, item, first, last, offer.limit) or _asked(link, item, first, last, offer.limit)
        if len(rows) >= offer.limit:
            if last - first <= 1000:
                raise FetchError(f"{link.exchange}: more than {offer.limit} liquidations in one second; no complete "
                                 "count is possible there")  # fmt: skip
            middle = (first + last) // 2 // 1000 * 1000
            todo += [(middle, last), (first, middle)]
            continue
        events = parse.parse_liquidations(rows, item)
        edges = pd.to_datetime([first, last], unit="ms", utc=True)
        found.append(events[(events["time"] >= edges[0]) & (events["time"] < edges[1])])
    return parse.per_bar(pd.concat(found), start, stop, timeframe, origin)


def _asked(link: Link, item: Instrument, first: int, last: int, limit: int) -> list[Any]:
    # ccxt hands Gate milliseconds where the venue takes seconds; its own names for the edges override that
    span = (
        {"from": first // 1000, "to": -(-last // 1000)} if link.exchange in ("gate", "gateeu") else {"until": last - 1}
    )
    return call(link, "fetch_liquidations", item.symbol, first, limit, span)


def depth(link: Link, item: Instrument) -> pd.DataFrame:
    """The order book as it stands: side, price, quantity [coins]."""
    unit = row_of(link.exchange).depth.of(item)
    if not unit:
        raise ValueError(f"what the order book of {item.symbol} on {item.exchange} counts is not known to liqlab; take "
                         "another exchange, or convert ccxt's fetch_order_book yourself")  # fmt: skip
    book = call(link, "fetch_order_book", item.symbol)
    sides = [("bid", book["bids"]), ("ask", book["asks"])]
    rows = [(side, float(row[0]), float(row[1])) for side, levels in sides for row in levels]
    table = pd.DataFrame(rows, columns=["side", "price", "quantity"])
    table["quantity"] = in_coins(table["quantity"], table["price"], unit, item)
    return table


def tiers(link: Link, item: Instrument) -> list[dict[str, Any]]:
    """Maintenance tiers of today. A key from the environment is lent to ccxt for this request alone."""
    names = {"apiKey": "key", "secret": "secret", "password": "password"}
    try:
        for attribute, name in names.items():
            if http.read_credential(link.exchange, name):
                setattr(link.client, attribute, http.read_credential(link.exchange, name))
        return call(link, "fetch_market_leverage_tiers", item.symbol)
    finally:
        for attribute in names:
            setattr(link.client, attribute, "")


def tier_unit(link: Link, item: Instrument) -> dict[str, float]:
    """Contract size and last price, where the venue's tiers become notional by them; empty elsewhere."""
    if not needs_price(link.exchange, inverse=item.inverse):
        return {}
    return {"contract_size": item.contract_size, "price": float(call(link, "fetch_ticker", item.symbol)["last"])}
