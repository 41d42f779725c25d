"""What ccxt does not tell: units, sides and page sizes of each venue, as data; and the pure parsing that uses them.

A venue that is not in a table is not guessed at: where one contract is one coin its amounts are coins anyway,
otherwise the caller is asked for the unit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from liqlab.loaders.exchanges._instruments import Instrument, frame_of
from liqlab.loaders.http import Failure
from liqlab.market.clock import timedelta

COINS, CONTRACTS, QUOTE = "coins", "contracts", "quote"
Units = tuple[str, str]  # of linear and of inverse contracts; empty: not known

# What the volume of ccxt's candles counts.
VOLUME: Mapping[str, Units] = {
    "binance": (COINS, COINS), "binanceusdm": (COINS, COINS), "binancecoinm": (COINS, COINS), "aster": (COINS, ""),
    "bybit": (COINS, COINS), "okx": (COINS, COINS), "myokx": (COINS, COINS), "okxus": (COINS, COINS),
    "gate": (CONTRACTS, CONTRACTS), "hyperliquid": (COINS, ""), "htx": (COINS, COINS), "bitget": (COINS, ""),
    "kucoinfutures": (CONTRACTS, CONTRACTS), "mexc": (CONTRACTS, CONTRACTS), "bitfinex": (COINS, ""),
    "deribit": (COINS, COINS), "krakenfutures": (COINS, CONTRACTS), "bingx": (COINS, ""), "dydx": (COINS, ""),
}  # fmt: skip
# What the amounts of ccxt's order books count.
DEPTH: Mapping[str, Units] = {
    "binance": (COINS, CONTRACTS), "binanceusdm": (COINS, ""), "binancecoinm": ("", CONTRACTS),
    "bybit": (COINS, QUOTE), "okx": (CONTRACTS, CONTRACTS), "myokx": (CONTRACTS, CONTRACTS),
    "okxus": (CONTRACTS, CONTRACTS), "gate": (CONTRACTS, CONTRACTS), "hyperliquid": (COINS, ""),
    "htx": (CONTRACTS, CONTRACTS), "kucoinfutures": (CONTRACTS, CONTRACTS), "mexc": (CONTRACTS, CONTRACTS),
    "bitget": (COINS, ""), "deribit": (COINS, QUOTE), "bitfinex": (COINS, ""), "krakenfutures": (COINS, CONTRACTS),
}  # fmt: skip


@dataclass(frozen=True)
class Interest:
    """Open-interest history of a venue: where the number stands, what it counts, how it is asked for.

    `linear`, `inverse`: field of ccxt's row (or ``info.2``, a place in the raw row) and unit.
    """

    linear: Units
    inverse: Units
    limit: int
    periods: tuple[str, ...]
    rows: int = 0


_USUAL = ("5m", "15m", "30m", "1h", "4h", "1d")
_OKX = Interest(("info.2", COINS), ("info.2", COINS), 100, ("5m", "1h", "1d"), rows=1440)
INTEREST: Mapping[str, Interest] = {
    "bybit": Interest(("openInterestAmount", COINS), ("openInterestValue", QUOTE), 200, _USUAL),
    "okx": _OKX, "myokx": _OKX, "okxus": _OKX,
    "gate": Interest(("openInterestAmount", CONTRACTS), ("openInterestAmount", CONTRACTS), 100, _USUAL),
    "htx": Interest(("openInterestAmount", COINS), ("openInterestAmount", COINS), 200, ("1h", "4h", "12h", "1d"), 200),
}  # fmt: skip


@dataclass(frozen=True)
class Forced:
    """How a venue writes a liquidation: whose side its field means, and what its size counts.

    `means`: ``position`` (buy or long = a long was liquidated), ``order`` (sell = a long was), or ``sign`` (a signed
    size of the position).
    """

    side: str
    means: str
    size: str
    stamp: str
    price: str
    left: str = ""
    unit: str = CONTRACTS
    per_second: int = 1000


# The first field that a row has decides. Bybit's S is the side of the position, Binance's that of the order.
LIQUIDATIONS: Mapping[str, tuple[Forced, ...]] = {
    "gate": (Forced("size", "sign", "size", "time", "fill_price", left="left", per_second=1),),
    "htx": (Forced("position_side", "position", "amount", "liquidation_time", "bankrupt_price", unit=COINS),
            Forced("direction", "order", "amount", "created_at", "price", unit=COINS)),
    "bybit": (Forced("S", "position", "v", "T", "p"),),
    "okx": (Forced("posSide", "position", "sz", "ts", "bkPx"), Forced("side", "order", "sz", "ts", "bkPx")),
    "binanceusdm": (Forced("S", "order", "z", "T", "ap"), Forced("side", "order", "executedQty", "time", "avgPrice")),
    "binancecoinm": (Forced("S", "order", "z", "T", "ap"), Forced("side", "order", "executedQty", "time", "avgPrice")),
    "bitfinex": (Forced("5", "sign", "5", "2", "11"),),
}  # fmt: skip
# Which of them can be asked for, a window and a page each; the others are on live streams, or tell no side.
ASKED = {"gate": ("1h", 1000), "htx": ("1h", 50)}
NO_LIQUIDATIONS = {
    "bybit": "it is on the live stream allLiquidation only",
    "okx": "ccxt has no method for it, and the venue keeps a few days only",
    "hyperliquid": "they are not published as such",
    "deribit": "what ccxt calls so are bankruptcies of a session, without a side",
    "bitfinex": "its rows are of all symbols at once, some of them triggers and some executions",
}
NEWEST = {("hyperliquid", "candles"): 5000, ("kraken", "candles"): 720}  # rows kept by the venue
FUNDING_LIMIT = {"bybit": 200, "okx": 100, "gate": 1000, "hyperliquid": 500, "bitget": 100, "htx": 50}


def unit_of(table: Mapping[str, Units], item: Instrument) -> str:
    """The unit of a venue's amounts; coins where a contract is a coin; empty where nobody knows."""
    known = table.get(item.exchange, ("", ""))[item.inverse]
    return COINS if not known and not item.inverse and item.contract_size == 1 else known


def in_coins(amount: Any, price: Any, unit: str, item: Instrument) -> Any:
    """Amounts in coins.

    Examples
    --------
    Ten contracts of 0.0001 BTC; ten of 100 USD at 50,000.

    >>> in_coins(10, 50_000, "contracts", Instrument("gate", "BTC/USDT:USDT", "", contract_size=0.0001))
    0.001
    >>> in_coins(10, 50_000, "contracts", Instrument("okx", "BTC/USD:BTC", "", inverse=True, contract_size=100.0))
    0.02
    """
    if unit == COINS:
        return amount
    worth = amount * item.contract_size if unit == CONTRACTS else amount
    return worth / price if item.inverse or unit == QUOTE else worth


def parse_candles(rows: Sequence[Sequence[Any]], item: Instrument, unit: str) -> pd.DataFrame:
    """ccxt's candles → open, high, low, close, volume [coins]; without a unit: prices only (mark candles)."""
    try:
        names = ["open", "high", "low", "close", *(["volume"] if unit else [])]
        table = frame_of([row[0] for row in rows], {name: [row[k + 1] for row in rows] for k, name in enumerate(names)})
    except (IndexError, TypeError):
        raise Failure("a row of the answer lacks columns") from None
    if not np.isfinite(table.to_numpy()).all():
        raise Failure("a page holds candles that cannot be")
    if unit:
        table["volume"] = in_coins(table["volume"], table["close"], unit, item)
    return table


def parse_open_interest(rows: Sequence[Mapping[str, Any]], item: Instrument, prices: pd.Series | None) -> pd.DataFrame:
    """ccxt's open-interest rows → open_interest [coins].

    Parameters
    ----------
    rows : list of dict
        From ``fetch_open_interest_history``.
    item : Instrument
        Its exchange decides the unit.
    prices : Series (time,), optional
        Prices at the stamps, for inverse contracts counted in quote or contracts; stamps without one are left out.
    """
    field, unit = INTEREST[item.exchange].inverse if item.inverse else INTEREST[item.exchange].linear
    try:
        place = field.partition(".")[2]
        amounts = [row["info"][int(place)] if place else row[field] for row in rows]
        table = frame_of([row["timestamp"] for row in rows], {"open_interest": amounts})
    except (KeyError, IndexError, TypeError):
        raise Failure("a row of open interest lacks its number or its stamp") from None
    if needs_price(item):
        known = pd.Series(dtype=float) if prices is None else prices
        table = table[table.index.isin(known.index)]
        table["open_interest"] = in_coins(table["open_interest"], known.loc[table.index].to_numpy(), unit, item)
    else:
        table["open_interest"] = in_coins(table["open_interest"], 1.0, unit, item)
    if not np.isfinite(table.to_numpy()).all():
        raise Failure("a row of open interest has no number")
    return table


def needs_price(item: Instrument) -> bool:
    """Whether open interest can be turned into coins at a price only."""
    rule = INTEREST[item.exchange]
    return (rule.inverse if item.inverse else rule.linear)[1] != COINS and item.inverse


def parse_funding_rate(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """ccxt's funding history → funding_rate."""
    try:
        return frame_of([r["timestamp"] for r in rows], {"funding_rate": [r["fundingRate"] for r in rows]})
    except (KeyError, TypeError):
        raise Failure("a row of the funding history lacks its rate or its stamp") from None


def parse_liquidations(rows: Sequence[Any], item: Instrument) -> pd.DataFrame:
    """Liquidations, as ccxt's structures or as the venue's own rows → one row each.

    Parameters
    ----------
    rows : list
        ccxt's liquidations (their ``info`` is read: ccxt's ``side`` means the order on some venues, the position on
        others), or raw rows of the venue.
    item : Instrument
        Its exchange decides the rule of `LIQUIDATIONS`.

    Returns
    -------
    DataFrame (event,)
        time, side (of the position that was liquidated: ``long``, ``short``), quantity [coins].

    Examples
    --------
    Bybit's ``Buy`` is a long, Gate's −165 contracts of 0.0001 BTC are a short.

    >>> coin = Instrument("bybit", "BTC/USDT:USDT", "BTCUSDT")
    >>> parse_liquidations([{"T": 0, "S": "Buy", "v": "0.5", "p": "60000"}], coin)["side"].tolist()
    ['long']
    >>> gate = Instrument("gate", "BTC/USDT:USDT", "BTC_USDT", contract_size=0.0001)
    >>> row = {"time": 1696736132, "size": -165, "left": 0, "fill_price": "28070"}
    >>> parse_liquidations([row], gate)[["side", "quantity"]].values.tolist()
    [['short', 0.0165]]
    """
    events = [_event(row, item) for row in rows]
    table = pd.DataFrame(events, columns=["time", "side", "quantity"])
    table["time"] = pd.to_datetime(table["time"].astype("int64"), unit="ms", utc=True)
    table["quantity"] = table["quantity"].astype("float64")
    return table


def _event(row: Any, item: Instrument) -> tuple[int, str, float]:
    raw = row["info"] if isinstance(row, Mapping) and "info" in row else row
    cells = dict(enumerate(raw)) if isinstance(raw, list | tuple) else dict(raw.get("o", raw))
    cells = {str(name): value for name, value in cells.items()}
    for rule in LIQUIDATIONS[item.exchange]:
        said = str(cells.get(rule.side, "")).lower()
        if said not in ("", "net", "both", "none"):
            break
    else:
        raise Failure("a liquidation tells no side")
    try:
        size = abs(float(cells[rule.size])) - abs(float(cells.get(rule.left) or 0.0) if rule.left else 0.0)
        long = float(said) > 0 if rule.means == "sign" else (said in ("buy", "long")) == (rule.means == "position")
        price = float(cells[rule.price]) if item.inverse else 1.0
        moment = int(cells[rule.stamp]) * 1000 // rule.per_second
    except (KeyError, TypeError, ValueError):
        raise Failure("a liquidation lacks its size, price or stamp") from None
    return moment, "long" if long else "short", float(in_coins(size, price, rule.unit, item))


def per_bar(events: pd.DataFrame, start: int, stop: int, timeframe: str) -> pd.DataFrame:
    """Events → long, short [coins per bar] on the bars of ``[start, stop)`` [ms]; a bar without any is 0, observed."""
    step = timedelta(timeframe)
    edges = pd.to_datetime([start, stop], unit="ms", utc=True)
    bars = pd.date_range(edges[0], edges[1], freq=step, inclusive="left", name="time", unit="us")
    inside = events[(events["time"] >= edges[0]) & (events["time"] < edges[1])]
    table = pd.DataFrame(0.0, index=bars, columns=["long", "short"])
    for side, part in inside.groupby("side"):
        table.loc[:, side] = part.groupby(part["time"].dt.floor(step))["quantity"].sum().reindex(bars, fill_value=0.0)
    return table
