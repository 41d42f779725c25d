"""What is not on a stream and is asked for: Binance's open interest, books by distance, minutes that were lost."""

from __future__ import annotations

import math
import time
import warnings
from typing import Any

import numpy as np
import pandas as pd

from liqlab.loaders import filling, planning
from liqlab.loaders.exchanges import Venue, venue_of
from liqlab.loaders.exchanges._instruments import Instrument, Link
from liqlab.loaders.http import Failure, FetchError
from liqlab.loaders.store.keys import DEPTH_BP
from liqlab.loaders.streams._rows import Interest

__all__ = ["Questions", "depth_row", "fill_minutes"]


class Questions:
    """The venue's REST side, asked in a thread.

    Parameters
    ----------
    exchange : str
    """

    def __init__(self, exchange: str) -> None:
        self.exchange = exchange
        self.venue: Venue = venue_of(exchange)
        self.link: Link = self.venue.connect(exchange)

    def instruments(self, symbols: list[str]) -> list[Instrument]:
        """The contracts of the symbols, as listed today."""
        return [self.venue.instrument(self.link, symbol) for symbol in symbols]

    def interest(self, item: Instrument, price: float) -> Interest | None:
        """Open interest now, where it is on no stream."""
        from liqlab.loaders.exchanges import binance as rest
        from liqlab.loaders.streams import binance

        if item.inverse and not price > 0:
            return None
        return binance.parse_interest(rest.interest_now(self.link, item), item, price)

    def depth(self, item: Instrument, ahead: float) -> tuple[Any, ...] | None:
        """The order book now, as an entry; None where the venue's book cannot be read."""
        try:
            book = self.venue.depth(self.link, item)
        except (FetchError, Failure, ValueError):
            return None
        row = depth_row(book)
        return None if row is None else ("d", int(time.time() * 1000 + ahead), *row)


def depth_row(book: pd.DataFrame) -> tuple[float, ...] | None:
    """Mid price, then coins within each distance [bp] of it, bids and asks; NaN beyond the book's reach.

    >>> rows = [("bid", 99.95, 1.0), ("bid", 99.0, 2.0), ("ask", 100.05, 4.0)]
    >>> book = pd.DataFrame(rows, columns=["side", "price", "quantity"])
    >>> depth_row(book)[:6]
    (100.0, 1.0, 1.0, 1.0, 1.0, 3.0)
    """
    sides = {side: book[book["side"] == side] for side in ("bid", "ask")}
    if any(part.empty for part in sides.values()):
        return None
    mid = (float(sides["bid"]["price"].max()) + float(sides["ask"]["price"].min())) / 2
    out = [mid]
    for part in sides.values():
        away = np.abs(part["price"].to_numpy() / mid - 1) * 1e4
        reach, quantity = float(away.max()), part["quantity"].to_numpy()
        # a level at the distance itself counts, whatever the last bit says
        out += [float(quantity[away <= bp + 1e-6].sum()) if reach >= bp - 1e-6 else math.nan for bp in DEPTH_BP]
    return tuple(out)


def fill_minutes(exchange: str, symbol: str, first: int, last: int, *, store: Any = None) -> str:
    """Fetch the candles of ``[first, last)`` [ms] that the store lacks; why it failed, or an empty text."""
    kinds = [kind for kind in ("candles", "mark_candles") if kind in venue_of(exchange).offers(exchange)]
    start, end = pd.Timestamp(first, unit="ms", tz="UTC"), pd.Timestamp(last, unit="ms", tz="UTC")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            plan = planning.plan(symbol, exchange, "1m", start, end, kinds, store)
            filling.fill(plan, progress=False)
    except (FetchError, Failure, ValueError, OSError) as error:
        return str(error)
    return ""
