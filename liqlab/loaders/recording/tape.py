"""One symbol as it comes in: minutes, forced orders once each, open interest, funding, and which spans were seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from liqlab.loaders.recording.minutes import MINUTE, Bar, MarkMinutes, TradeMinutes
from liqlab.loaders.streams._rows import ForcedOrder, Funding, Interest, Mark, Row, Trade

__all__ = ["LAG", "Span", "Tape"]

LAG = 1_000  # a span counts as seen up to so long before the venue's newest message [ms]
REMEMBERED = 20_000  # forced orders by which a repeated one is known, at least
Span = tuple[int, int]
Entry = tuple[Any, ...]


class Tape:
    """What comes in of one symbol, as entries ``(kind, …)`` for whoever keeps them.

    ``("c", open_time, whole, *values)`` a candle, ``("m", …)`` of the mark price, ``("l", time, side, price, quantity,
    average_price, order_quantity, nth)`` a forced order, ``("o", time, coins)``, ``("f", due, rate, hours)``,
    ``("d", time, …)`` depth, ``("a", from, to)`` a span that was seen.

    Parameters
    ----------
    keep : callable
        Takes each entry.
    """

    def __init__(self, keep: Callable[[Entry], object]) -> None:
        self.keep = keep
        self.trades, self.marks = TradeMinutes(), MarkMinutes()
        self.orders: set[tuple[Any, ...]] = set()
        self.orders_before: set[tuple[Any, ...]] = set()
        self.interest: Interest | None = None
        self.funding: Funding | None = None
        self.since = self.told = self.newest = 0
        self.forced = self.repeated = 0
        self.price = float("nan")

    def take(self, row: Row) -> None:
        """One row of a venue."""
        if type(row) is Trade:
            self.trades.add(row)
            self.price = row.price
            if row.time > self.newest:
                self.newest = row.time
        elif type(row) is Mark:
            self.marks.add(row.time, row.price)
            self.newest = max(self.newest, row.time)
        elif type(row) is ForcedOrder:
            self._forced(row)
        elif type(row) is Interest:
            self._interest(row)
        elif type(row) is Funding:
            self._funding(row)

    def _forced(self, row: ForcedOrder) -> None:
        what = (row.time, row.side, row.price, row.quantity, row.nth)
        if what in self.orders or what in self.orders_before:
            self.repeated += 1
            return
        self.orders.add(what)
        if len(self.orders) >= REMEMBERED:
            self.orders_before, self.orders = self.orders, set()
        self.forced += 1
        self.keep(("l", row.time, row.side, row.price, row.quantity, row.average_price, row.order_quantity, row.nth))

    def _interest(self, row: Interest) -> None:
        """The last of each minute is kept."""
        held = self.interest
        if held is not None and row.time <= held.time:
            return
        if held is not None and row.time // MINUTE > held.time // MINUTE:
            self.keep(("o", held.time, held.coins))
        self.interest = row

    def _funding(self, row: Funding) -> None:
        """The last rate told before it was paid is the one that was paid."""
        held = self.funding
        if held is not None and row.due > held.due > 0 and held.due <= row.time:
            hours = held.hours if held.hours == held.hours else (row.due - held.due) / 3_600_000
            self.keep(("f", held.due, held.rate, hours))
        if held is None or (row.due, row.time) >= (held.due, held.time):
            self.funding = row

    # --- spans ----------------------------------------------------------------------------------------------------

    def begin(self, time: int) -> None:
        """The stream runs, from this moment of the venue's time on."""
        self.trades.restart()
        self.since, self.told = time, time

    def tick(self, seen: int) -> list[Bar]:
        """The venue's time is `seen`: close what is over, tell how far the stream was seen. Gives the candles."""
        if not self.since:
            return []
        bars = self.trades.finish(seen, self.since)
        for bar in bars:
            self.keep(("c", bar.open_time, bar.whole, *bar.values))
        for bar in self.marks.finish(seen, self.since):
            self.keep(("m", bar.open_time, bar.whole, *bar.values))
        held = self.interest
        if held is not None and held.time // MINUTE * MINUTE + MINUTE <= seen - LAG:
            self.keep(("o", held.time, held.coins))
            self.interest = None
        if seen - LAG > self.told:
            self.keep(("a", self.told, seen - LAG))
            self.told = seen - LAG
        return bars

    def end(self, seen: int) -> list[Bar]:
        """The stream stopped: nothing is seen until it begins again."""
        bars = self.tick(seen)
        self.since = 0
        return bars
