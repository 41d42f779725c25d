"""Bars as they close: from a venue's stream, or replayed from a market; whoever takes them cannot tell which."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from liqlab.loaders.recording.minutes import MINUTE
from liqlab.loaders.recording.recorder import Recorder
from liqlab.market.market import Market

__all__ = ["Closed", "Minutes", "replayed", "streamed", "whole_minutes"]

NAMES = ("open", "high", "low", "close", "volume", "quote_volume", "trades", "taker_buy_volume",
         "taker_buy_quote_volume")  # fmt: skip


@dataclass(frozen=True)
class Closed:
    """A bar that has closed.

    Attributes
    ----------
    time : Timestamp
        Its open.
    candle : dict, optional
        As `Live.update` takes it; None: it was not seen whole, and must be had from elsewhere.
    open_interest : float, optional
        The last one reported in the bar [coins].
    mark : (low, high), optional
        Range of the mark price in the bar [quote].
    arrived : float
        When it was complete here [s of `time.time`, in the venue's time].
    """

    time: pd.Timestamp
    candle: dict[str, float] | None
    open_interest: float | None = None
    mark: tuple[float, float] | None = None
    arrived: float = 0.0


async def replayed(market: Market, start: pd.Timestamp, speed: float | None) -> AsyncIterator[Closed]:
    """The bars of a market from a moment on, at so many times the speed of the clock; no network. None: no waiting."""
    interest = None if market.open_interest is None else market.open_interest["open_interest"]
    marks = market.mark_candles
    began, first = time.monotonic(), None
    for opened, row in market.candles.loc[start:].iterrows():
        at = pd.Timestamp(opened)  # type: ignore[arg-type]
        close = at + market.step
        first = at if first is None else first
        if speed is not None:
            await asyncio.sleep(max((close - first).total_seconds() / speed - (time.monotonic() - began), 0.0))
        said = None
        if interest is not None:
            since, until = interest.index.searchsorted([at, close], side="right")
            said = float(interest.iloc[until - 1]) if until > since else None
        mark = None
        if marks is not None and at in marks.index:
            low, high = marks.loc[at, ["low", "high"]].to_numpy("float64")
            mark = float(low), float(high)
        values = {str(name): float(value) for name, value in row.items() if value == value}
        yield Closed(at, values, said, mark, close.timestamp())


def whole_minutes(step: pd.Timedelta) -> int:
    """Length of a bar [ms]; a ValueError where it cannot be made of minutes."""
    length = round(step / pd.Timedelta(1, "ms"))
    if length % MINUTE:
        raise ValueError(f"live bars are made of minutes, so {length / 1000:g} s cannot be; pass timeframe='1m' or "
                         "more")  # fmt: skip
    return length


class Minutes:
    """A shelf that keeps nothing: it makes bars of a recorder's minutes and hands them on.

    Parameters
    ----------
    step : Timedelta
        Length of a bar, a multiple of a minute.
    ready : callable
        Takes each bar that has closed.
    """

    def __init__(self, step: pd.Timedelta, ready: Callable[[Closed], object]) -> None:
        self.step, self.ready = whole_minutes(step), ready
        self.parts: list[Sequence[Any]] = []
        self.marks: dict[int, Sequence[float]] = {}
        self.interest: list[tuple[int, float]] = []
        self.entries: list[Any] = []
        self.torn: set[int] = set()
        self.journal = self
        self.waiting = 0

    def keep(self, entry: Sequence[Any]) -> None:
        """Take an entry of the tape; a minute of the mark price comes after that of the trades."""
        if entry[0] == "c":
            self.parts.append(entry)
        elif entry[0] == "m" and entry[2]:
            self.marks[int(entry[1])] = entry[3:]
        elif entry[0] == "o":
            self.interest.append((int(entry[1]), float(entry[2])))
        elif entry[0] == "a":
            self._close()

    def _close(self) -> None:
        """Bars whose last minute has come. The tape tells how far it saw only after everything of that time."""
        while self.parts:
            opened = self.parts[0][1] // self.step * self.step
            end = opened + self.step
            if self.parts[-1][1] + MINUTE < end:
                return
            mine = [part for part in self.parts if part[1] < end]
            self.parts = self.parts[len(mine) :]
            self.ready(self._bar(opened, end, mine))

    def _bar(self, opened: int, end: int, mine: list[Sequence[Any]]) -> Closed:
        whole = len(mine) == self.step // MINUTE and all(part[2] for part in mine)
        candle = None
        if whole:
            rows = [part[3:] for part in mine]
            values = [rows[0][0], max(r[1] for r in rows), min(r[2] for r in rows), rows[-1][3]]
            values += [round(sum(r[k] for r in rows), 8) for k in range(4, 9)]
            candle = dict(zip(NAMES, values, strict=True))
        said = [coins for at, coins in self.interest if opened < at <= end]
        self.interest = [row for row in self.interest if row[0] > end]
        marks = [self.marks.pop(at) for at in sorted(self.marks) if at < end]
        mark = None
        if len(marks) == self.step // MINUTE:
            mark = min(m[2] for m in marks), max(m[1] for m in marks)
        at = pd.Timestamp(opened, unit="ms", tz="UTC")
        return Closed(at, candle, said[-1] if said else None, mark, end / 1000)

    async def settle(self) -> None:
        """Nothing to settle."""

    def look_back(self, now: float) -> None:
        """Nothing to look back at."""

    def flush(self) -> None:
        """Nothing to flush."""

    def sync(self) -> None:
        """Nothing to wait for."""

    def close(self) -> None:
        """Nothing to close."""


async def streamed(
    symbol: str, exchange: str, step: pd.Timedelta, tell: Callable[[str], object]
) -> AsyncIterator[tuple[Closed, float]]:
    """Bars of a venue's stream as they close, and the venue's clock less ours [s]."""
    queue: asyncio.Queue[Closed] = asyncio.Queue()
    recorder = await asyncio.to_thread(
        lambda: Recorder([symbol], exchange, tell=tell, depth=False, shelf=lambda *_: Minutes(step, queue.put_nowait))
    )
    job = asyncio.ensure_future(recorder.run())
    try:
        while True:
            waiting = asyncio.ensure_future(queue.get())
            await asyncio.wait({waiting, job}, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                waiting.cancel()
                job.result()
                return
            yield waiting.result(), max((c.ahead for c in recorder.connections), key=abs, default=0.0) / 1000
    finally:
        recorder.stop()
        await asyncio.gather(job, return_exceptions=True)
