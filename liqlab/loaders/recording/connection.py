"""One connection to a venue's stream: it comes back after every drop, and says in words what went wrong."""

from __future__ import annotations

import asyncio
import json
import os
import random
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Any

from liqlab.loaders.exchanges._instruments import Instrument
from liqlab.loaders.http import where
from liqlab.loaders.recording.tape import LAG, Tape
from liqlab.loaders.streams import VenueStream
from liqlab.loaders.streams._rows import Refusal, Row

__all__ = ["Connection", "in_words"]

SILENCE = 30.0  # no row for so long: the connection is dead even if it is open [s]
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0  # [s]
STEADY = 60.0  # a connection that held so long begins anew with the shortest wait [s]
LARGEST = 16 * 2**20  # message [bytes]
FUTURE = 600_000  # a stamp so far ahead of the venue's clock is none [ms]
SKEW = 60_000  # difference of clocks that is worth a word [ms]


class Connection:
    """A venue's stream of some symbols.

    Parameters
    ----------
    stream : VenueStream
    items : sequence of Instrument
    tapes : mapping of symbol to Tape
    tell : callable
        Takes sentences for the user.

    Attributes
    ----------
    messages, drops, unreadable : int
        Messages taken in; connections that ended; messages that could not be read.
    seen : int
        The venue's newest time [ms]; 0 before the first row.
    ahead : float
        Venue's clock less ours [ms].
    open : bool
        Whether the stream runs.
    """

    def __init__(
        self, stream: VenueStream, items: Sequence[Instrument], tapes: dict[str, Tape], tell: Callable[[str], object]
    ) -> None:
        import orjson

        self._decode = orjson.loads
        self.stream, self.items, self.tapes, self.tell = stream, list(items), tapes, tell
        self.messages = self.drops = self.seen = self.unreadable = 0
        self.ahead, self.open, self._skew_told = 0.0, False, False
        self._by_name = {self._name(item): item for item in items}
        self._arrived = time.monotonic()
        self._refused: set[str] = set()

    def _name(self, item: Instrument) -> str:
        coin_of = getattr(self.stream, "coin_of", None)
        return str(coin_of(item)) if coin_of else item.id

    @property
    def url(self) -> str:
        """The address: the venue's own, or that of ``LIQLAB_<EXCHANGE>_STREAM_URL``."""
        exchange = self.items[0].exchange
        base = os.environ.get(f"LIQLAB_{exchange.upper()}_STREAM_URL") or self.stream.URLS[exchange]
        return self.stream.address(base.rstrip("/"), self.items)

    async def run(self) -> None:
        """Read until cancelled; drops are waited out, longer each time."""
        import aiohttp

        wait = FIRST_WAIT
        async with aiohttp.ClientSession(trust_env=True) as session:
            while True:
                began = time.monotonic()
                try:
                    reason = await self._read(session)
                except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as error:
                    reason = in_words(error, self.url)
                finally:
                    self._ended()
                self.drops += 1
                if time.monotonic() - began > STEADY:
                    wait = FIRST_WAIT
                pause = wait * random.uniform(0.5, 1.0)
                self.tell(f"{self.items[0].exchange}: {reason}; again in {pause:.1f} s")
                await asyncio.sleep(pause)
                wait = min(2 * wait, LONGEST_WAIT)

    def _ended(self) -> None:
        if self.open:
            self.open = False
            for tape in self.tapes.values():
                tape.end(self.seen)

    async def _read(self, session: Any) -> str:
        """One connection from its beginning to its end; why it ended."""
        import aiohttp

        memory: dict[Any, Any] = {}
        closing = aiohttp.ClientWSTimeout(ws_close=2)
        async with session.ws_connect(
            self.url, max_msg_size=LARGEST, heartbeat=20, timeout=closing, ssl=_certificates(), decode_text=False
        ) as socket:
            for message in self.stream.subscriptions(self.items):
                await socket.send_str(json.dumps(message))
            self._arrived = time.monotonic()
            pinging = asyncio.ensure_future(self._ping(socket))
            try:
                async for frame in socket:
                    if frame.type is aiohttp.WSMsgType.TEXT:
                        for refusal in self.take(frame.data, memory):
                            await self._refusal(refusal.text, socket)
                    elif frame.type is aiohttp.WSMsgType.ERROR:
                        raise frame.data
            finally:
                pinging.cancel()
                await asyncio.gather(pinging, return_exceptions=True)  # a cancelling of ourselves is not swallowed
            if self._silent():
                return f"nothing came for {SILENCE:.0f} s"
            return f"the venue closed the stream (code {socket.close_code})"

    def _silent(self) -> bool:
        return time.monotonic() - self._arrived > SILENCE

    async def _ping(self, socket: Any) -> None:
        text, every = self.stream.PING
        sent = time.monotonic()
        while not self._silent():
            await asyncio.sleep(1.0)
            if text and time.monotonic() - sent >= every:
                await socket.send_str(text)
                sent = time.monotonic()
        await socket.close()

    def take(self, text: bytes, memory: dict[Any, Any]) -> list[Refusal]:
        """One message into the tapes; gives what the venue refused, mostly nothing.

        `memory` belongs to one connection: what a venue's messages leave for those that follow.
        """
        self.messages += 1
        if text == b"pong":
            return []
        message, now = self._decode(text), time.time() * 1000
        memory["now"] = now + self.ahead
        if not isinstance(message, dict):
            return []
        try:
            rows = self.stream.parse(message, self._by_name, memory)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            self._unreadable(error)
            return []
        return self.keep(rows, now) if rows else []

    def keep(self, rows: Sequence[Row], now: float) -> list[Refusal]:
        """Rows of one message into the tapes, come at `now` of our clock [ms]; gives what the venue refused."""
        self._arrived = time.monotonic()
        seen = newest = self.seen
        refused: list[Refusal] = []
        for row in rows:
            if isinstance(row, Refusal):
                refused.append(row)
                continue
            if (at := row.time) > newest:
                if at > seen + FUTURE and self.open:
                    self._unreadable(ValueError("a stamp in the future"))
                    continue
                newest = at
            self.tapes[row.symbol].take(row)
        if newest > seen:
            if not self.open:
                self._started(newest)
            self.seen, self.ahead = newest, newest - now
        return refused

    def _started(self, newest: int) -> None:
        self.open = True
        self.ahead = newest - time.time() * 1000
        for tape in self.tapes.values():
            tape.begin(newest + LAG)  # by then every subscription is in force
        if abs(self.ahead) > SKEW and not self._skew_told:
            self._skew_told = True
            way = "behind" if self.ahead > 0 else "ahead of"
            self.tell(f"this computer's clock is {abs(self.ahead) / 1000:.0f} s {way} that of "
                      f"{self.items[0].exchange}; the venue's time is recorded: set the clock")  # fmt: skip

    def _unreadable(self, error: Exception) -> None:
        self.unreadable += 1
        if self.unreadable == 1:
            what = f"{type(error).__name__}: {error}"
            self.tell(f"{self.items[0].exchange} sent what liqlab cannot read ({what}); it is left out, and counted")

    async def _refusal(self, text: str, socket: Any) -> None:
        """The venue refuses a subscription: those of every symbol are sent again one by one, so that the rest runs."""
        first = not self._refused
        if text not in self._refused:
            self._refused.add(text)
            exchange = self.items[0].exchange
            self.tell(f"{exchange} refuses a stream: {text}; is every symbol still listed? The others go on")
        if first and len(self.items) > 1:
            for item in self.items:
                for message in self.stream.subscriptions([item]):
                    await socket.send_str(json.dumps(message))


def _certificates() -> ssl.SSLContext:
    """Whom to trust: the system's certificates, or those of SSL_CERT_FILE, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE."""
    given = next((os.environ[name] for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE") if os.environ.get(name)), None)
    return ssl.create_default_context(cafile=given if given and os.path.isfile(given) else None)


def in_words(error: BaseException, url: str) -> str:
    """What went wrong with a connection, without the address's query."""
    import aiohttp

    host = where(url)
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError | ssl.SSLError):
        return (f"{host}: its certificate is not trusted here; behind a company's proxy name its certificates in "
                "SSL_CERT_FILE, else someone may be in between")  # fmt: skip
    if isinstance(error, aiohttp.WSServerHandshakeError):
        return (f"{host} answers with a page (status {error.status}) instead of a stream; is the address right, or is "
                "it blocked here?")  # fmt: skip
    if isinstance(error, json.JSONDecodeError):
        return f"{host} sent what is no JSON"
    if isinstance(error, TimeoutError):
        return f"{host} did not answer in time"
    if isinstance(error, aiohttp.ClientConnectorError | ConnectionError):
        return f"{host} cannot be reached ({getattr(error, 'strerror', None) or type(error).__name__})"
    return f"{host}: {type(error).__name__}"
