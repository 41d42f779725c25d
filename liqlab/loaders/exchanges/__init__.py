"""Venues: one file for each with endpoints of its own; every other one is asked through ccxt.

Files are found by their name, there is no list to keep: a venue with endpoints of its own is a new file
``exchanges/name.py`` that fulfils `Venue`. Files that start with an underscore are helpers; `_ccxt` is the venue file
of every exchange that ccxt knows and no file claims.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Protocol, cast

import pandas as pd

from liqlab.loaders.exchanges._ccxt_client import exchange_names
from liqlab.loaders.exchanges._instruments import Instrument, Link, Offer, Unit, nearest_names
from liqlab.market.extras import require_installed
from liqlab.market.files_by_name import modules_in

__all__ = ["Venue", "venue_of", "venues"]


class Venue(Protocol):
    """What a file of this folder holds: one constant and the functions that `fetch` calls."""

    EXCHANGES: tuple[str, ...]
    """The exchanges that this file answers for, in ccxt's spelling."""

    def offers(self, exchange: str) -> dict[str, Offer]:
        """What the exchange has, by kind; no request."""

    def why_missing(self, exchange: str, kind: str) -> str:
        """Why it has nothing of a kind; empty where that is not known. No request."""

    def units(self, exchange: str) -> tuple[Unit, ...]:
        """What its numbers count, and where that is written; no request."""

    def window(self, exchange: str, kind: str, step: int) -> int:
        """Longest span of one request [ms]; 0: the venue counts rows itself, earliest first."""

    def connect(self, exchange: str, base_url: str = "") -> Link:
        """An open way to the venue; nothing is asked yet."""

    def clock(self, link: Link) -> pd.Timestamp:
        """The venue's own time."""

    def instrument(self, link: Link, symbol: str) -> Instrument:
        """The contract of a symbol, as the venue lists it today."""

    def page(
        self,
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
        """Rows of ``[start, stop)`` [ms] in liqlab's columns and units, one side counted; the venue may give fewer.

        `volume_unit` is what the caller says where the venue's unit is not known; `origin` [ms] is the open of some
        bar, for tables whose bars are made here.
        """

    def depth(self, link: Link, item: Instrument) -> pd.DataFrame:
        """The order book as it stands: side, price, quantity [coins]."""

    def tiers(self, link: Link, item: Instrument) -> list[dict[str, Any]]:
        """The maintenance tiers of today, in ccxt's shape."""

    def tier_unit(self, link: Link, item: Instrument) -> dict[str, float]:
        """Contract size and price, where the tiers become notional by them; empty elsewhere."""


def venues() -> dict[str, Venue]:
    """The files of this folder, by name.

    >>> "binance" in venues()
    True
    """
    return modules_in(__name__, __path__)


def venue_of(exchange: str) -> Venue:
    """The file that answers for an exchange: its own, else the one for every exchange that ccxt knows.

    Raises
    ------
    ValueError
        Where no exchange is called so; the message names the nearest.
    """
    own = {name: venue for venue in venues().values() for name in venue.EXCHANGES}
    if exchange in own:
        return own[exchange]
    require_installed("ccxt", f"exchange {exchange!r}")
    names = exchange_names()
    if exchange in names:
        return cast(Venue, import_module(f"{__name__}._ccxt"))
    hint = nearest_names(exchange, sorted(names.union(own)))
    raise ValueError(f"no exchange is called {exchange!r}; {hint} lq.capabilities() lists them")
