"""`follow`: maps that stay current, bar by bar, from a venue's stream or from a replay."""

from __future__ import annotations

import asyncio
import sys
import time
import warnings
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from liqlab.loaders._examples import load_example
from liqlab.loaders._fetch import fetch
from liqlab.loaders.closed_bars import Closed, replayed, streamed, whole_minutes
from liqlab.loaders.http import Failure, FetchError
from liqlab.loaders.streams import stream_of
from liqlab.market.arguments import checked
from liqlab.market.clock import timedelta, utc
from liqlab.market.market import Market

if TYPE_CHECKING:
    import xarray as xr

    from liqlab.maps import Live

__all__ = ["follow"]

SETTLED = 8.0  # a venue's candle is asked for so long after its close [s]
ATTEMPTS = 3
MAX_COLUMNS = 500  # a live map remembers so many
DAY = pd.Timedelta("1D")


@checked()
def follow(
    symbol: str = "",
    *,
    exchange: str = "binanceusdm",
    timeframe: str = "5m",
    history: Any = "30d",
    replay: str | Market | None = None,
    speed: float | None = 1.0,
    start: Any = None,
    columns: int = 48,
    store: str | Path | None = None,
    tell: Callable[[str], object] | None = None,
    **options: Any,
) -> AsyncIterator[xr.Dataset]:
    """Follow a market: a map after every bar, from the exchange's stream or replayed from a market that is there.

    Parameters
    ----------
    symbol : str
        ``BTC/USDT:USDT``, ccxt's spelling; with a replay it may be left out.
    exchange : str
        One whose stream liqlab parses: see `liqlab.loaders.channels`.
    timeframe : str
        Of the bars, a multiple of ``1m``; a replay has that of its candles.
    history : timedelta-like
        How much is fetched first, to warm the ledger. A replay takes everything before `start`.
    replay : str or Market, optional
        Name of an example, or a market: its bars come as if they closed now. No network.
    speed : float, optional
        Of a replay: seconds of the market in one second; None does not wait.
    start : time-like, optional
        Where the replay begins; default: a day before its end.
    columns : int
        Bars that each map shows, the newest last: 1 to 500; fewer where the history is shorter.
    store : path, optional
        Folder of the store through which history and lost bars are fetched.
    tell : callable, optional
        Takes sentences about drops, refills and gaps; default: the terminal's error stream.
    **options
        As in `live`: model, assumptions, price_range, price_step …

    Returns
    -------
    async iterator
        For ``async for``; close it with ``aclose()`` to stop early.

    Yields
    ------
    Dataset
        As `heatmap` gives it, of the last `columns` bars; after every bar that closed, none left out. ``attrs``:
        age_seconds (how long ago the last bar closed), missed_bars, refilled_bars, received (share of the last day's
        bars that came or were refilled), replayed.

    Raises
    ------
    ValueError
        A symbol, example or time frame that cannot be; a replay that begins before its market.
    FetchError
        The history cannot be fetched.

    Assumptions
    -----------
    - Those of the model, as in `live`. The last open interest told within a bar counts as that of its close. Of a
      replay neither the finer path nor a coarser taker share is used: a stream has neither.
    - A bar that was not seen whole is fetched from the exchange's history. What is not there stays missing: the ledger
      goes on at the next bar, positions opened in between are unknown to it, and `missed_bars` counts it.

    Examples
    --------
    >>> import asyncio
    >>> async def last():
    ...     async for heat in follow(replay="btc-2024-05", speed=None, start="2024-05-31 22:00"):
    ...         pass
    ...     return heat
    >>> heat = asyncio.run(last())
    >>> heat.sizes["time"], heat.attrs["missed_bars"], heat.attrs["received"]
    (48, 0, 1.0)
    """
    if speed is not None and not speed > 0:
        raise ValueError(f"speed must be > 0, got {speed!r}; 600 plays ten minutes in a second, None does not wait")
    if not 1 <= columns <= MAX_COLUMNS:
        raise ValueError(f"columns must be from 1 to {MAX_COLUMNS}, got {columns}; 48 shows as many bars")
    if replay is not None:
        market = load_example(replay) if isinstance(replay, str) else replay
        if symbol not in ("", market.symbol):
            raise ValueError(f"the replay is of {market.symbol}, got symbol={symbol!r}; leave symbol out")
        return _replay(replace(market, path=None, taker=None), _begin(market, start), speed, int(columns), options)
    if not symbol:
        raise ValueError("follow needs a symbol such as BTC/USDT:USDT, or replay='btc-2025-10'")
    if start is not None:
        raise ValueError("start says where a replay begins; a stream begins now: leave it out, or pass history='60d'")
    stream_of(exchange)
    span, step = timedelta(history, "history"), timedelta(timeframe, "timeframe")
    whole_minutes(step)
    source = Source(symbol, exchange, timeframe, step, store, tell or (lambda text: print(text, file=sys.stderr)))
    return _stream(source, span, int(columns), options)


@dataclass
class Follower:
    """A live map, and the account of what came.

    Attributes
    ----------
    missed, refilled : int
        Bars that came from nowhere; bars that came from the history.
    """

    ledger: Live
    step: pd.Timedelta
    columns: int
    held: int
    replayed: bool = False
    missed: int = 0
    refilled: int = 0
    lost: deque[pd.Timestamp] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.begun = self.ledger.close_time

    def take(self, bar: Closed) -> None:
        """Carry the ledger on by a bar; those before it that did not come are counted."""
        gap = max((bar.time - self.ledger.close_time) // self.step, 0)
        self.missed += gap
        self.lost.extend(self.ledger.close_time + k * self.step for k in range(gap))
        assert bar.candle is not None
        self.ledger.update(bar.candle, time=bar.time, open_interest=bar.open_interest, mark=bar.mark)
        self.held += 1

    def received(self) -> float:
        """Share of the last day's bars that came."""
        now = self.ledger.close_time
        since = max(now - DAY, self.begun)
        while self.lost and self.lost[0] < since:
            self.lost.popleft()
        bars = (now - since) // self.step
        return 1.0 - len(self.lost) / bars if bars else 1.0

    def heat(self, now: float) -> xr.Dataset:
        """The last columns, with the account of what came; `now` [s] in the venue's time."""
        heat = self.ledger.heatmap(min(self.columns, self.held))
        age = max(now - self.ledger.close_time.timestamp(), 0.0)
        return heat.assign_attrs(age_seconds=round(age, 3), missed_bars=self.missed, refilled_bars=self.refilled,
                                 received=self.received(), replayed=str(self.replayed))  # fmt: skip


def _begin(market: Market, start: Any) -> pd.Timestamp:
    """Open of the first bar that is replayed."""
    at = market.end - DAY if start is None else utc(start, name="start")
    if not market.start < at < market.end:
        raise ValueError(f"a replay begins after some history and before the end: start must lie between "
                         f"{market.start} and {market.end}, got {at}; pass start='YYYY-MM-DD'")  # fmt: skip
    opens = pd.DatetimeIndex(market.candles.index)
    return opens[opens >= at][0] if (opens >= at).any() else opens[-1]


async def _replay(
    market: Market, start: pd.Timestamp, speed: float | None, columns: int, options: dict[str, Any]
) -> AsyncIterator[xr.Dataset]:
    from liqlab.maps import live

    past = market.until(start)
    follower = Follower(live(past, **options), market.step, columns, len(past.candles), replayed=True)
    async for bar in replayed(market, start, speed):
        follower.take(bar)
        yield follower.heat(bar.arrived)


@dataclass(frozen=True)
class Source:
    """Where the bars of a stream and of its history come from, and who is told."""

    symbol: str
    exchange: str
    timeframe: str
    step: pd.Timedelta
    store: str | Path | None
    tell: Callable[[str], object]

    def history(self, span: pd.Timedelta) -> Market:
        """What there was up to now."""
        return replace(self.fetched(pd.Timestamp.now("UTC") - span, None, "open_interest"), path=None, taker=None)

    def fetched(self, start: Any, end: Any = None, *more: str) -> Market:
        """Candles of the exchange's history, with the mark price where there is one, and what else is wanted."""
        from liqlab.loaders.exchanges import venue_of

        has = venue_of(self.exchange).offers(self.exchange)
        kinds = [kind for kind in ("candles", "mark_candles", *more) if kind in has]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is missing is counted here, bar by bar
            return fetch(self.symbol, exchange=self.exchange, timeframe=self.timeframe, start=start, end=end,
                         kinds=kinds, store=self.store, progress=False)  # fmt: skip


async def _stream(
    source: Source, span: pd.Timedelta, columns: int, options: dict[str, Any]
) -> AsyncIterator[xr.Dataset]:
    from liqlab.maps import live

    step = source.step
    past = await asyncio.to_thread(source.history, span)
    ledger = await asyncio.to_thread(live, past, **options)
    follower = Follower(ledger, step, columns, len(past.candles))
    async for bar, ahead in streamed(source.symbol, source.exchange, step, source.tell):
        whole = bar.candle is not None
        end = bar.time if whole else bar.time + step
        if ledger.close_time < end:
            wait = end.timestamp() + SETTLED - (time.time() + ahead)
            await asyncio.sleep(max(0.0, min(wait, 60.0)))
            async for _ in _refill(follower, source, end):
                yield follower.heat(time.time() + ahead)
        if whole and bar.time >= ledger.close_time:
            follower.take(bar)
            yield follower.heat(time.time() + ahead)


async def _refill(follower: Follower, source: Source, end: pd.Timestamp) -> AsyncIterator[None]:
    """Bars up to `end` that the stream did not tell whole, from the exchange's history."""
    ledger, why = follower.ledger, ""
    for attempt in range(ATTEMPTS):
        start = ledger.close_time
        if start >= end:
            return
        if attempt:
            await asyncio.sleep(SETTLED / 2)
        try:
            found = await asyncio.to_thread(source.fetched, start, end)
        except (FetchError, Failure, ValueError, OSError) as error:
            why = f": {error}"
            continue
        async for bar in replayed(found, start, None):
            follower.take(bar)
            follower.refilled += 1
            yield
    if ledger.close_time < end:
        count = (end - ledger.close_time) // follower.step
        source.tell(f"{source.symbol}: {count} bar(s) from {ledger.close_time:%Y-%m-%d %H:%M} on stay missing{why}; "
                    "the map goes on without them")  # fmt: skip
