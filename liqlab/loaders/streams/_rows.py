"""What a venue's messages become: trades, forced orders, mark prices, open interest, funding; all in coins and ms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from liqlab.loaders.exchanges._instruments import Instrument

__all__ = ["LONG", "SHORT", "Channel", "ForcedOrder", "Funding", "Interest", "Mark", "Refusal", "Row", "Trade", "coins",
           "number", "numbered"]  # fmt: skip

LONG, SHORT = 1, -1  # side of the position that was liquidated
NAN = float("nan")


class Trade(NamedTuple):
    """One trade, or the trades that a venue tells as one.

    `first` and `last` are the venue's own consecutive numbers, 0 where it does not number; `key` tells a repeated
    message from a new one; `buy`: the taker bought.
    """

    symbol: str
    time: int
    price: float
    quantity: float
    buy: bool
    key: int | str
    first: int = 0
    last: int = 0
    trades: int = 1


class ForcedOrder(NamedTuple):
    """A forced order: `side` of the position, `price` as the venue states it (see its page), what was filled [coins].

    `nth` tells equal rows of one message apart, so that a message that comes twice counts once.
    """

    symbol: str
    time: int
    side: int
    price: float
    quantity: float
    average_price: float = NAN
    order_quantity: float = NAN
    nth: int = 0


class Mark(NamedTuple):
    """The mark price of a moment [quote]."""

    symbol: str
    time: int
    price: float


class Interest(NamedTuple):
    """Open interest of a moment, one side counted [coins]."""

    symbol: str
    time: int
    coins: float


class Funding(NamedTuple):
    """The rate that will be paid at `due` [ms], as told at `time`; `hours` it is for, NaN where not told."""

    symbol: str
    time: int
    rate: float
    due: int
    hours: float = NAN


class Refusal(NamedTuple):
    """What a venue says when it will not send a stream: a symbol that is unknown or no longer listed."""

    text: str


Row = Trade | ForcedOrder | Mark | Interest | Funding | Refusal


class Channel(NamedTuple):
    """One stream of a venue, and where its fields were read.

    Parameters
    ----------
    kind : str
        trades, liquidation_events, mark, open_interest or funding_rate.
    name : str
        As the venue calls it.
    fields : str
        Which field gives what, in which unit.
    complete : str
        Whether it tells everything, in words.
    source, read : str
        Document, and the day on which it was read.
    """

    kind: str
    name: str
    fields: str
    complete: str
    source: str
    read: str


def coins(amount: float, price: float, item: Instrument) -> float:
    """An amount in contracts → coins; an inverse contract is worth a fixed amount of quote.

    >>> coins(3, 50_000, Instrument("okx", "BTC/USDT:USDT", "BTC-USDT-SWAP", contract_size=0.01))
    0.03
    >>> coins(10, 50_000, Instrument("binancecoinm", "BTC/USD:BTC", "BTCUSD_PERP", True, 100.0))
    0.02
    """
    if item.inverse:
        return amount * item.contract_size / price
    return round(amount * item.contract_size, 10)  # the number that the decimals mean, as venues of coins write it


def numbered(orders: Iterable[ForcedOrder]) -> list[Row]:
    """Forced orders of one message, equal ones told apart by their number.

    >>> [order.nth for order in numbered([ForcedOrder("X", 1, LONG, 9.0, 2.0), ForcedOrder("X", 1, LONG, 9.0, 2.0)])]
    [0, 1]
    """
    seen: Counter[tuple[Any, ...]] = Counter()
    rows: list[Row] = []
    for order in orders:
        what = (order.symbol, order.time, order.side, order.price, order.quantity)
        rows.append(order._replace(nth=seen[what]))
        seen[what] += 1
    return rows


def number(value: Any) -> float:
    """A number from a venue's text; NaN from nothing."""
    return float(value) if value not in (None, "") else NAN
