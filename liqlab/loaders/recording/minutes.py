"""Trades → 1m candles with the taker's side; prices → 1m bars of the mark price. No clock but the venue's own."""

from __future__ import annotations

from typing import NamedTuple

from liqlab.loaders.streams._rows import Trade

__all__ = ["GRACE", "MINUTE", "Bar", "MarkMinutes", "TradeMinutes"]

MINUTE = 60_000  # [ms]
GRACE = 2_500  # a minute is closed when the venue's time is so far beyond it: trades may come late [ms]
REMEMBERED = 20_000  # keys by which a repeated trade is known, at least
DECIMALS = 8  # sums are rounded to what venues state, so that they equal the venue's own to the bit


class Bar(NamedTuple):
    """A minute that is over: its values in the order of the store's columns, and whether all of it was seen."""

    open_time: int
    values: tuple[float, ...]
    whole: bool


class TradeMinutes:
    """Candles of one symbol in the making.

    Attributes
    ----------
    repeated, late : int
        Trades that had come before; trades that came after their minute was closed (it then counts as not whole).
    holes : list
        Numbers that did not come: first, last, and the times [ms] of the trades around them.
    """

    def __init__(self) -> None:
        self.bars: dict[int, list[float]] = {}
        self.seen: set[int | str] = set()
        self.seen_before: set[int | str] = set()
        self.holes: list[list[int]] = []
        self.number, self.time, self.done, self.close = 0, 0, 0, float("nan")
        self.repeated = self.late = 0

    def add(self, trade: Trade) -> bool:
        """Take a trade in; False if it had come before, or too late for its minute."""
        _, time, price, quantity, buys, key, first, last, trades = trade  # one step: the busiest line of a recorder
        if key in self.seen or key in self.seen_before:
            self.repeated += 1
            return False
        self.seen.add(key)
        if len(self.seen) >= REMEMBERED:  # forgotten as a whole: to delete the oldest one by one takes ever longer
            self.seen_before, self.seen = self.seen, set()
        if last:
            if first == self.number + 1 and time >= self.time:  # the next one, as nearly always
                self.number, self.time = last, time
            else:
                self._count(first, last, time)
        minute = time - time % MINUTE
        bar = self.bars.get(minute)
        if bar is None:
            if minute < self.done:
                self.late += 1
                return False
            bar = self.bars[minute] = [price, price, price, price, 0.0, 0.0, 0, 0.0, 0.0, time, time]
        elif time < bar[9]:
            bar[0], bar[9] = price, time
        if time >= bar[10]:
            bar[3], bar[10] = price, time
        if price > bar[1]:
            bar[1] = price
        elif price < bar[2]:
            bar[2] = price
        value = price * quantity
        bar[4] += quantity
        bar[5] += value
        bar[6] += trades
        if buys:
            bar[7] += quantity
            bar[8] += value
        return True

    def _count(self, first: int, last: int, time: int) -> None:
        """Keep account of the venue's numbers: what is skipped is a hole until it comes after all."""
        if self.number and first > self.number + 1:
            self.holes.append([self.number + 1, first - 1, min(self.time, time), max(self.time, time)])
        elif first <= self.number:
            rest = []
            for hole in self.holes:
                if last < hole[0] or first > hole[1]:
                    rest.append(hole)
                    continue
                rest += [[a, b, hole[2], hole[3]] for a, b in ((hole[0], first - 1), (last + 1, hole[1])) if a <= b]
            self.holes = rest
        if last > self.number:
            self.number, self.time = last, max(self.time, time)

    def finish(self, seen: int, since: int) -> list[Bar]:
        """The minutes that ended `GRACE` before the venue's time `seen`; whole if all of it lies after `since`."""
        end = (seen - GRACE) // MINUTE * MINUTE
        first = min(self.bars, default=end)
        if self.done:
            first = min(first, self.done)
        elif since:
            first = min(first, -(-since // MINUTE) * MINUTE)
        if end <= max(first, self.done):
            return []
        out = []
        for minute in range(max(first, self.done), end, MINUTE):
            bar, whole = self.bars.pop(minute, None), minute >= since and not self._torn(minute)
            if bar is None:
                if self.close == self.close:  # nothing was traded: the price stands
                    out.append(Bar(minute, (self.close,) * 4 + (0.0,) * 5, whole))
                continue
            self.close = bar[3]
            sums = [round(x, DECIMALS) for x in bar[4:9]]
            sums[3] = min(sums[3], sums[0])
            out.append(Bar(minute, (*bar[:4], *sums), whole))
        self.done = end
        self.holes = [hole for hole in self.holes if hole[3] >= end - MINUTE]
        return out

    def _torn(self, minute: int) -> bool:
        return any(hole[2] < minute + MINUTE and hole[3] >= minute for hole in self.holes)

    def restart(self) -> None:
        """After a pause of the connection: numbers are counted anew, and what is half seen is not whole."""
        self.number = 0
        self.holes.clear()


class MarkMinutes:
    """Minutes of a price that is told now and then."""

    def __init__(self) -> None:
        self.bars: dict[int, list[float]] = {}
        self.done, self.close = 0, float("nan")

    def add(self, time: int, price: float) -> None:
        """Take a price in; one that comes after its minute was closed is left out."""
        minute = time - time % MINUTE
        if minute < self.done:
            return
        bar = self.bars.get(minute)
        if bar is None:
            self.bars[minute] = [price, price, price, price]
            return
        bar[1], bar[2], bar[3] = max(bar[1], price), min(bar[2], price), price

    def finish(self, seen: int, since: int) -> list[Bar]:
        """As `TradeMinutes.finish`."""
        end = (seen - GRACE) // MINUTE * MINUTE
        first = min(self.bars, default=end)
        first = min(first, self.done) if self.done else first
        out = []
        for minute in range(max(first, self.done), end, MINUTE):
            bar = self.bars.pop(minute, None)
            if bar is None and self.close != self.close:
                continue
            values = tuple(bar) if bar else (self.close,) * 4
            self.close = values[3]
            out.append(Bar(minute, values, minute >= since))
        self.done = max(self.done, end)
        return out
