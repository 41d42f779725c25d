"""The recorder: connections, journals and the store together, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from liqlab.loaders.exchanges._instruments import Instrument
from liqlab.loaders.http import Failure, FetchError
from liqlab.loaders.recording.ccxt_connection import CcxtConnection
from liqlab.loaders.recording.connection import Connection
from liqlab.loaders.recording.journal import Journal
from liqlab.loaders.recording.minutes import MINUTE
from liqlab.loaders.recording.polling import Questions, fill_minutes
from liqlab.loaders.recording.settling import key_of, settle, spans
from liqlab.loaders.recording.tape import Tape
from liqlab.loaders.store import missing
from liqlab.loaders.streams import stream_of
from liqlab.market.extras import require

__all__ = ["Recorder", "Shelf"]

FLUSH = 0.25  # what came in is on the disk after so long [s]
SYNC = 10.0  # the disk is waited for so often [s]
SETTLE = 600.0  # the journal goes into the store so often [s]
INTEREST = 10.0  # open interest is asked for so often, where it is on no stream [s]
DEPTH = 60.0  # order books [s]
REFILL = 20.0  # how long after a torn minute its candle is asked for [s]
LOOK_BACK = 86_400_000  # minutes that were missed are asked for so far back [ms]
MAX_WAITING = 64 * 2**20  # what may wait in memory while the disk is full [bytes]


class Shelf:
    """One symbol's journal and its way into the store.

    Parameters
    ----------
    exchange, symbol : str
    store : path, optional

    Raises
    ------
    TimeoutError
        Where another process records this symbol into this store.
    """

    def __init__(self, exchange: str, symbol: str, store: Any) -> None:
        from filelock import FileLock, Timeout

        self.exchange, self.symbol, self.store = exchange, symbol, store
        place = key_of(exchange, symbol, "candles").folder(store).parent.parent
        place.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(place / ".lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise TimeoutError(f"{symbol} of {exchange} is being recorded into this store by another process; end that "
                               "one, or pass another --store") from None  # fmt: skip
        self.journal = Journal(place / "journal")
        self.entries: list[Sequence[Any]] = list(self.journal.entries)
        self.journal.entries.clear()
        self.torn: set[int] = set()

    def keep(self, entry: Sequence[Any]) -> None:
        """Take an entry of the tape."""
        self.entries.append(entry)
        self.journal.append(entry)

    async def settle(self) -> None:
        """Put what the journal holds into the store, and begin it anew."""
        entries, self.entries = self.entries, []
        try:
            torn = await asyncio.to_thread(settle, entries, self.exchange, self.symbol, store=self.store)
        except BaseException:
            self.entries = [*entries, *self.entries]  # it stays in the journal, and is tried again
            raise
        self.torn.update(torn)
        self.journal.replace(self.entries)

    def look_back(self, now: float) -> None:
        """Minutes of the last day that are not in the store though some before them are: to be fetched."""
        last = int(now) // MINUTE * MINUTE
        first = last - LOOK_BACK
        key = key_of(self.exchange, self.symbol, "candles")
        edges = pd.to_datetime([first, last], unit="ms", utc=True)
        for start, end in missing(key, edges[0], edges[1], store=self.store):
            if start > edges[0]:
                self.torn.update(range(int(start.timestamp() * 1000), int(end.timestamp() * 1000), MINUTE))

    def close(self) -> None:
        """Let go."""
        self.journal.close()
        self._lock.release()


class Recorder:
    """Records symbols of one exchange.

    Parameters
    ----------
    symbols : list of str
    exchange : str
    store : path, optional
    tell : callable
        Takes sentences for the user.
    depth : bool
        Order books once a minute.
    shelf : callable, optional
        Takes exchange, symbol and store, and gives what keeps the entries of a symbol; default `Shelf`, the journal and
        the store.
    """

    def __init__(
        self, symbols: Sequence[str], exchange: str, *, store: Any = None, tell: Callable[[str], object] = print,
        depth: bool = True, shelf: Callable[[str, str, Any], Any] = Shelf,
    ) -> None:  # fmt: skip
        for module in ("aiohttp", "orjson", "requests", "filelock"):
            require(module, "recording")
        self.exchange, self.store, self.tell, self._depth = exchange, store, tell, depth
        self.stream = stream_of(exchange)
        self.questions = Questions(exchange)
        self.items: list[Instrument] = self.questions.instruments(list(dict.fromkeys(symbols)))
        self.shelves = {item.symbol: shelf(exchange, item.symbol, store) for item in self.items}
        self.tapes = {symbol: Tape(shelf.keep) for symbol, shelf in self.shelves.items()}
        kind = CcxtConnection if getattr(self.stream, "THROUGH_CCXT", False) else Connection
        self.connections = [kind(self.stream, group, {i.symbol: self.tapes[i.symbol] for i in group}, self.tell)
                            for group in _groups(self.items)]  # fmt: skip
        self.refilled = 0
        self._full, self._unanswered = "", False
        self._stop = asyncio.Event()
        self._busy = asyncio.Lock()

    def stop(self) -> None:
        """Ask for a clean stop."""
        self._stop.set()

    async def run(self) -> None:
        """Record until `stop`; at the end everything is in the store.

        Raises
        ------
        OSError
            Where the disk stays full longer than memory can bridge; what was written before is intact.
        """
        if "liquidation_events" in self.stream.lacking():
            self.tell(f"{self.exchange} publishes no stream of forced orders; see lq.loaders.channels()")
        await self._settle()  # what an earlier run left in its journal
        for shelf in self.shelves.values():
            shelf.look_back(self.now())
        running = (*(c.run() for c in self.connections), self._ask(), self._settling())
        jobs = [asyncio.ensure_future(one) for one in running]
        synced = time.monotonic()
        try:
            while not self._stop.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), FLUSH)
                for job in jobs:
                    if job.done():
                        job.result()
                self.tick()
                due = time.monotonic() - synced > SYNC
                self._flush(sync=due)
                synced = time.monotonic() if due else synced
        finally:
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
            self.tick()
            self._flush(sync=True)
            await self._settle()
            for shelf in self.shelves.values():
                shelf.close()

    def tick(self) -> None:
        """Close the minutes that are over."""
        for connection in self.connections:
            if connection.open:
                for tape in connection.tapes.values():
                    tape.tick(connection.seen)

    def _flush(self, *, sync: bool = False) -> None:
        """Write the journals; a full disk is waited for as long as memory allows."""
        try:
            for shelf in self.shelves.values():
                shelf.journal.flush()
                if sync:
                    shelf.journal.sync()
            if self._full:
                self.tell("the disk takes what comes in again; nothing was lost")
            self._full = ""
        except OSError as error:
            if not self._full:
                self.tell(f"{error.strerror or error}; what comes in is held in memory until then")
            self._full = str(error)
            if sum(shelf.journal.waiting for shelf in self.shelves.values()) > MAX_WAITING:
                raise

    async def _settling(self) -> None:
        while True:
            await asyncio.sleep(SETTLE)
            await self._settle()

    async def _settle(self) -> None:
        async with self._busy:
            for shelf in self.shelves.values():
                if not shelf.entries:
                    continue
                try:
                    await shelf.settle()
                except (OSError, ValueError) as error:
                    self.tell(f"{shelf.symbol}: not yet in the store, kept in the journal: {error}")
            if not (self._stop.is_set() and self._unanswered):
                await self._refill()

    async def _refill(self) -> None:
        """Candles of minutes that the stream did not tell whole, where the venue has them by now."""
        for symbol, shelf in self.shelves.items():
            ready = [m for m in sorted(shelf.torn) if m + MINUTE + REFILL * 1000 < self.now()]
            for first, last in spans((m, m + MINUTE) for m in ready):
                why = await asyncio.to_thread(fill_minutes, self.exchange, symbol, first, last, store=self.store)
                shelf.torn -= set(range(first, last, MINUTE))
                self._unanswered = bool(why)
                if why:
                    self.tell(f"{symbol}: {(last - first) // MINUTE} minute(s) stay a gap in the candles: {why}")
                else:
                    self.refilled += (last - first) // MINUTE

    def now(self) -> float:
        """The venue's time [ms]."""
        return time.time() * 1000 + max((c.ahead for c in self.connections), key=abs, default=0.0)

    async def _ask(self) -> None:
        """Poll what is on no stream."""
        asked = booked = 0.0
        while True:
            await asyncio.sleep(1.0)
            now = time.monotonic()
            if self.stream.INTEREST == "poll" and now - asked >= INTEREST:
                asked = now
                await self._each(self._interest)
            if self._depth and now - booked >= DEPTH:
                booked = now
                await self._each(self._book)

    async def _each(self, ask: Callable[[Instrument], Any]) -> None:
        for item in self.items:
            if not self.tapes[item.symbol].since:
                continue  # no stream, no questions
            try:
                await ask(item)
            except (FetchError, Failure) as error:
                self.tell(f"{item.symbol}: {error}")

    async def _interest(self, item: Instrument) -> None:
        tape = self.tapes[item.symbol]
        row = await asyncio.to_thread(self.questions.interest, item, tape.price)
        if row is not None:
            tape.take(row)

    async def _book(self, item: Instrument) -> None:
        ahead = self.connections[0].ahead
        entry = await asyncio.to_thread(self.questions.depth, item, ahead)
        if entry is not None:
            self.shelves[item.symbol].keep(entry)


def _groups(items: Sequence[Instrument]) -> list[list[Instrument]]:
    """Symbols that one connection carries: linear and inverse apart, fifty at most."""
    out: list[list[Instrument]] = []
    for inverse in (False, True):
        mine = [item for item in items if item.inverse is inverse]
        out += [mine[k : k + 50] for k in range(0, len(mine), 50)]
    return out
