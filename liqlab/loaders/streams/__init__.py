"""Venues' own streams: one file for each, found by its name. No network here: messages in, rows out.

A new venue is a new file ``streams/name.py`` that fulfils `VenueStream`; files that start with an underscore are
helpers. `channels` is the table of what each stream tells and where that is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import pandas as pd

from liqlab.loaders.exchanges._instruments import Instrument
from liqlab.loaders.streams._rows import Channel, Row
from liqlab.market.files_by_name import modules_in

__all__ = ["VenueStream", "channels", "stream_of", "streams"]


class VenueStream(Protocol):
    """What a file of this folder holds."""

    EXCHANGES: tuple[str, ...]
    """The exchanges that this file answers for, in ccxt's spelling."""

    URLS: Mapping[str, str]
    """Exchange → address of its public stream."""

    CHANNELS: tuple[Channel, ...]
    """What is subscribed to."""

    PING: tuple[str, float]
    """What keeps the connection open, and how often it is sent [s]; empty text: a frame of the protocol."""

    INTEREST: str
    """``stream``, or ``poll`` where open interest has to be asked for."""

    def address(self, base: str, items: Sequence[Instrument]) -> str:
        """The address to connect to."""

    def subscriptions(self, items: Sequence[Instrument]) -> list[Any]:
        """Messages to send once connected."""

    def lacking(self) -> tuple[str, ...]:
        """Kinds that the venue does not tell as things are set."""

    def parse(self, message: Any, items: Mapping[str, Instrument], memory: dict[Any, Any]) -> list[Row]:
        """One decoded message → rows. `items` by the venue's own names; `memory` is kept for one connection."""


def streams() -> dict[str, VenueStream]:
    """The files of this folder, by name.

    >>> sorted(streams())
    ['binance', 'bybit', 'ccxt_pro', 'hyperliquid', 'okx']
    """
    return modules_in(__name__, __path__)


def stream_of(exchange: str) -> VenueStream:
    """The stream of an exchange.

    Raises
    ------
    ValueError
        Where neither liqlab nor ccxt.pro, of which liqlab knows what it counts, reads this exchange's messages.
    """
    own = {name: one for one in streams().values() for name in one.EXCHANGES}
    if exchange not in own:
        raise ValueError(f"liqlab reads no stream of {exchange!r}; it reads those of {', '.join(sorted(own))}")
    return own[exchange]


def channels() -> pd.DataFrame:
    """What each venue's stream tells, in which fields and units, how completely, and where that is written.

    Returns
    -------
    DataFrame
        exchange, kind, name, fields, complete, source, read: one row per channel.

    Examples
    --------
    >>> table = channels()
    >>> table[table.kind == "liquidation_events"].groupby("exchange").size().to_dict()
    {'binancecoinm': 1, 'binanceusdm': 1, 'bybit': 1, 'hyperliquid': 1, 'okx': 1}
    """
    rows = [{"exchange": exchange, **one._asdict()} for stream in streams().values() for exchange in stream.EXCHANGES
            for one in stream.CHANNELS]  # fmt: skip
    return pd.DataFrame(rows)
