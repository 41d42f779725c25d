"""`follow`: maps that stay current, bar by bar, from a venue's stream or from a replay."""

from __future__ import annotations

import asyncio
import math
import sys
import time
import warnings
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from liqlab.loaders._examples import load_example
from liqlab.loaders._fetch import fetch
from liqlab.loaders.http import Failure, FetchError
from liqlab.loaders.live_bars import Closed, replayed, streamed
from liqlab.maps._live import Live, live
from liqlab.market.clock import timedelta, utc
from liqlab.market.market import Market

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["follow"]

SETTLED = 8.0  # a venue's candle is asked for so long after its close [s]
ATTEMPTS = 3
COVERAGE_DAY = pd.Timedelta("1D")  # coverage is told of the last day


def follow(
    symbol: str = "",
    *,
    exchange: str = "binanceusdm",
    timeframe: str = "5m",
    history: Any = "30D",
    replay: str | Market | None = None,
    speed: float = 1.0,
    start: Any = None,
    columns: int = 48,
    store: Any = None,
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
        Of the bars, a multiple of ``1m``; with a replay that of its candles.
    history : timedelta-like
        How much is fetched first, to warm the ledger. Of a replay everything before `start` is taken.
    replay : str or Market, optional
        Name of an example, or a market: its bars come as if they closed now. No network.
    speed : float
        Of a replay: seconds of the market in one second; ``float("inf")`` does not wait.
    start : time-like, optional
        Where the replay begins; default: a day before its end.
    columns : int
        Bars that each map shows, the newest last.
    store : path, optional
        Folder of the store through which history and lost bars are fetched.
    tell : callable, optional
        Takes sentences about drops, refills and gaps; default: the terminal's error stream.
    **options
        As in `live`: model, assumptions, price_range, price_step …

    Yields
    ------
    Dataset
        As `heatmap` gives it, of the last `columns` bars; after every bar that closed, none left out. ``attrs``:
        age_seconds (how long ago the last bar closed), missed_bars, refilled_bars, coverage (share of the last day's
        bars that came or were refilled), replayed.

    Raises
    ------
    ValueError
        A symbol, example or time frame that cannot be; a replay that begins before its market.
    FetchError
        The history cannot be fetched.

    Assumptions
    -----------
    - Those of the model, as in `live`. The last open interest told within a bar counts as that of its close.
    - A bar that was not seen whole is fetched from the exchange's history. What is not there stays missing: the ledger
      goes on at the next bar, positions opened in between are unknown to it, and `missed_bars` counts it.

    Examples
    --------
    >>> import asyncio
    >>> async def last():
    ...     async for heat in follow(replay="btc-2024-05", speed=float("inf"), start="2024-05-31 22:00"):
    ...         pass
    ...     return heat
    >>> heat = asyncio.run(last())
    >>> heat.sizes["time"], heat.attrs["missed_bars"], heat.attrs["coverage"]
    (8, 0, 1.0)
    """
    if not speed > 0:
        raise ValueError(f"speed must be > 0, got {speed!r}; float('inf') does not wait")
    if columns < 1:
        raise ValueError(f"columns must be >= 1, got {columns}; 48 shows as many bars")
    say = tell or (lambda text: print(text, file=sys.stderr))
    if replay is not None:
        market = load_example(replay) if isinstance(replay, str) else replay
        return _replay(_plain(market), start, speed, columns, options)
    if not symbol:
        raise ValueError("follow needs a symbol such as BTC/USDT:USDT, or replay='btc-2025-10'")
    if start is not None:
        raise ValueError("start says where a replay begins; a stream begins now: leave it out, or pass history='60D'")
    return _stream(symbol, exchange, timeframe, history, columns, store, say, options)


def _plain(market: Market) -> Market:
    """Without the finer path and the coarser taker share, which a map carried on bar by bar does not take."""
    return replace(market, path=None, taker=None)


@dataclass
class Follower:
    """A ledger, the last maps, and the account of what came.

    Attributes
    ----------
    missed, refilled : int
        Bars that came from nowhere; bars that came from the history.
    """

    ledger: Live
    step: pd.Timedelta
    shown: deque[xr.Dataset]
    replayed: bool = False
    missed: int = 0
    refilled: int = 0
    first: pd.Timestamp | None = None
    lost: deque[pd.Timestamp] = field(default_factory=deque)

    def take(self, bar: Closed) -> None:
        """Carry the ledger on by a bar; those before it that did not come are counted."""
        self.first = self.first if self.first is not None else self.ledger.close_time
        gap = max((bar.time - self.ledger.close_time) // self.step, 0)
        self.missed += gap
        self.lost.extend(self.ledger.close_time + k * self.step for k in range(gap))
        assert bar.candle is not None
        self.ledger.update(bar.candle, time=bar.time, open_interest=bar.open_interest, mark=bar.mark)
        self.shown.append(self.ledger.map())

    def coverage(self) -> float:
        """Share of the last day's bars that came."""
        now = self.ledger.close_time
        since = max(now - COVERAGE_DAY, self.first or now)
        while self.lost and self.lost[0] < since:
            self.lost.popleft()
        bars = (now - since) // self.step
        return 1.0 - len(self.lost) / bars if bars else 1.0

    def heat(self, now: float) -> xr.Dataset:
        """The last maps as one heatmap, with the account of what came; `now` [s] in the venue's time."""
        import xarray as xr

        heat = xr.concat(list(self.shown), "time", data_vars="minimal", coords=["close_time"], compat="override",
                         join="override", combine_attrs="override")  # fmt: skip
        age = max(now - self.ledger.close_time.timestamp(), 0.0)
        heat.attrs |= {"age_seconds": round(age, 3), "missed_bars": self.missed, "refilled_bars": self.refilled,
                       "coverage": self.coverage(), "replayed": str(self.replayed)}  # fmt: skip
        return heat


async def _replay(
    market: Market, start: Any, speed: float, columns: int, options: dict[str, Any]
) -> AsyncIterator[xr.Dataset]:
    at = market.end - pd.Timedelta("1D") if start is None else utc(start)
    if not market.start < at < market.end:
        raise ValueError(f"a replay begins after some history and before the end: start must lie between "
                         f"{market.start} and {market.end}, got {at}")  # fmt: skip
    at = at.ceil(market.step)
    ledger = live(market.until(at), **options)
    follower = Follower(ledger, market.step, deque(maxlen=columns), replayed=True)
    async for bar in replayed(market, at, speed):
        follower.take(bar)
        yield follower.heat(bar.arrived)


async def _stream(
    symbol: str, exchange: str, timeframe: str, history: Any, columns: int, store: Any,
    say: Callable[[str], object], options: dict[str, Any],
) -> AsyncIterator[xr.Dataset]:  # fmt: skip
    step = timedelta(timeframe)
    span = pd.Timedelta(history)
    market = await asyncio.to_thread(_history, symbol, exchange, timeframe, span, store)
    ledger = await asyncio.to_thread(live, _plain(market), **options)
    follower = Follower(ledger, step, deque(maxlen=columns))
    async for bar, ahead in streamed(symbol, exchange, round(step / pd.Timedelta(1, "ms")), say):
        end = bar.time if bar.candle is not None else bar.time + step
        if follower.ledger.close_time < end:
            wait = (bar.time if bar.candle is not None else end).timestamp() + SETTLED - (time.time() + ahead)
            await asyncio.sleep(max(0.0, min(wait, 60.0)))
            async for _ in _refill(follower, symbol, exchange, timeframe, end, store, say):
                yield follower.heat(time.time() + ahead)
        if bar.candle is not None and bar.time >= follower.ledger.close_time:
            follower.take(bar)
            yield follower.heat(time.time() + ahead)


async def _refill(
    follower: Follower, symbol: str, exchange: str, timeframe: str, end: pd.Timestamp, store: Any,
    say: Callable[[str], object],
) -> AsyncIterator[None]:  # fmt: skip
    """Bars up to `end` that the stream did not tell whole, from the exchange's history."""
    why = ""
    for attempt in range(ATTEMPTS):
        start = follower.ledger.close_time
        if start >= end:
            return
        try:
            lost = await asyncio.to_thread(_fetched, symbol, exchange, timeframe, start, end, store)
        except (FetchError, Failure, ValueError, OSError) as error:
            why = str(error)
        else:
            async for bar in replayed(lost, start, math.inf):
                follower.take(bar)
                follower.refilled += 1
                yield
        if follower.ledger.close_time < end and attempt + 1 < ATTEMPTS:
            await asyncio.sleep(SETTLED / 2)
    if follower.ledger.close_time < end:
        count = (end - follower.ledger.close_time) // follower.step
        say(f"{symbol}: {count} bar(s) from {follower.ledger.close_time:%Y-%m-%d %H:%M} on stay missing"
            f"{': ' + why if why else ''}; the map goes on without them")  # fmt: skip


def _history(symbol: str, exchange: str, timeframe: str, span: pd.Timedelta, store: Any) -> Market:
    return _fetched(symbol, exchange, timeframe, pd.Timestamp.now("UTC") - span, None, store,
                    ["candles", "open_interest", "mark_candles"])  # fmt: skip


def _fetched(symbol: str, exchange: str, timeframe: str, start: Any, end: Any, store: Any,
             kinds: list[str] | None = None) -> Market:  # fmt: skip
    from liqlab.loaders.exchanges import venue_of

    has = venue_of(exchange).offers(exchange)
    wanted = [kind for kind in kinds or ["candles", "mark_candles"] if kind in has]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is missing is counted here, bar by bar
        return fetch(symbol, exchange=exchange, timeframe=timeframe, start=start, end=end, kinds=wanted, store=store,
                     progress=False)  # fmt: skip
