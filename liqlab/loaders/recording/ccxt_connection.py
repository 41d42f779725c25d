"""A connection that ccxt.pro holds: for venues whose messages liqlab does not parse itself."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from liqlab.loaders.exchanges._ccxt import without_address
from liqlab.loaders.exchanges._ccxt_client import errors
from liqlab.loaders.exchanges._instruments import Instrument
from liqlab.loaders.recording.connection import Connection

__all__ = ["CcxtConnection"]

SILENCE = 120.0  # a venue's trades alone can rest for so long; its connection is watched by ccxt's own pings [s]
LATEST = 20_000  # trades that ccxt holds until they are asked for: a burst of more would lose its first ones


class CcxtConnection(Connection):
    """Trades through ``watchTrades``; drops, silence and the venue's time as in `Connection`."""

    @property
    def url(self) -> str:
        """The address of ``LIQLAB_<EXCHANGE>_STREAM_URL``; empty: ccxt's own."""
        return os.environ.get(f"LIQLAB_{self.items[0].exchange.upper()}_STREAM_URL", "").rstrip("/")

    async def _read(self, session: Any) -> str:
        """Until ccxt gives up or nothing came for too long; why."""
        wrong = errors().BaseError
        memory: dict[Any, Any] = {}
        client = await asyncio.to_thread(self._client)
        self._arrived = time.monotonic()
        jobs = [asyncio.ensure_future(self._watch(client, item, memory)) for item in self.items]
        jobs.append(asyncio.ensure_future(self._ended_by_silence()))
        try:
            done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
            return str(done.pop().result())
        except wrong as error:
            return f"ccxt gives up ({without_address(error)})"
        finally:
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
            await client.close()

    def _client(self) -> Any:
        """ccxt.pro's client, which knows the symbols that were asked for and asks for no others."""
        import ccxt.pro

        exchange = self.items[0].exchange
        client = getattr(ccxt.pro, exchange)({"newUpdates": True, "options": {"tradesLimit": LATEST}})
        client.set_markets([self._market(client, item) for item in self.items])
        if self.url:
            client.urls["api"] = _moved(client.urls["api"], self.url)
        return client

    @staticmethod
    def _market(client: Any, item: Instrument) -> dict[str, Any]:
        base, _, rest = item.symbol.partition("/")
        quote, _, settle = rest.partition(":")
        return dict(client.safe_market_structure({
            "id": item.id, "symbol": item.symbol, "base": base, "quote": quote, "settle": settle, "baseId": base,
            "quoteId": quote, "settleId": settle.lower(), "type": "swap", "swap": True, "spot": False, "future": False,
            "option": False, "contract": True, "linear": not item.inverse, "inverse": item.inverse,
            "contractSize": item.contract_size, "active": True, "info": {},
        }))  # fmt: skip

    async def _watch(self, client: Any, item: Instrument, memory: dict[Any, Any]) -> str:
        while True:
            trades = await client.watch_trades(item.symbol)
            self.messages += 1
            try:
                rows = self.stream.parse(trades, self._by_name, memory)
            except (KeyError, TypeError, ValueError) as error:
                self._unreadable(error)
                continue
            self.keep(rows, time.time() * 1000)

    async def _ended_by_silence(self) -> str:
        while time.monotonic() - self._arrived <= SILENCE:
            await asyncio.sleep(1.0)
        return f"nothing came for {SILENCE:.0f} s"


def _moved(urls: Any, base: str) -> Any:
    """Addresses of streams on another host, with their paths."""
    if isinstance(urls, Mapping):
        return {name: _moved(part, base) for name, part in urls.items()}
    return base + urlsplit(urls).path if isinstance(urls, str) and urls.startswith("ws") else urls
