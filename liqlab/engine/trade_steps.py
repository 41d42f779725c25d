"""Steps of the ledger from every trade: where takers traded, in the order in which they did.

Trades that follow each other in one cell, with one taker side and in one candle, are one step: no level lies between
them, so nothing is lost. Their long openings are shared among the candle's taker buys, its short ones among the sells.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from liqlab.engine.grid import cell_of
from liqlab.engine.intrabar import cut_candles, mark_range
from liqlab.engine.records import Steps
from liqlab.engine.trade_kernels import Pieces, TradedBars, fill_nb, totals_nb
from liqlab.market.arguments import warn
from liqlab.market.market import Market
from liqlab.market.provenance import TouchUse
from liqlab.models import Flow

__all__ = ["TradeSteps", "run_starts"]

TOLERANCE = 0.01  # of a candle's volume, by which that of its trades may differ
PART = 1 << 18  # steps that are made at once
TRADE_ENTRIES = ("spread", "ordered")


@dataclass(frozen=True, eq=False)
class TradeSteps:
    """The steps of a market that has its trades: made part by part, because they can be more than memory takes.

    Attributes
    ----------
    first : ndarray (bar + 1,)
        First step of every candle, and their number.
    touch_use : TouchUse
    """

    first: np.ndarray
    touch_use: TouchUse
    _market: Market
    _bars: TradedBars
    _pieces: Pieces
    _fades: bool

    @classmethod
    def of(cls, market: Market, flow: Flow, covered: np.ndarray, version: np.ndarray, entries: str) -> TradeSteps:
        """Those of a market under a model's flow; `covered` are `Bars.candles_covered`, `version` the tier tables."""
        if entries not in TRADE_ENTRIES:
            raise ValueError(f"entries={entries!r} assumes where in a candle positions open, and the market has its "
                             f"trades, which tell it; use {' or '.join(map(repr, TRADE_ENTRIES))}, or leave the trades "
                             "out (dataclasses.replace(market, trades=None))")  # fmt: skip
        candles, n = market.candles, len(market.candles)
        low, high = (candles[name].to_numpy() for name in ("low", "high"))
        mark, mark_bars = mark_range(market)
        touched = (low, high) if mark is None else mark
        trades: Any = market.trades
        ends: Any = pd.DatetimeIndex(candles.index) + market.step
        run, stop = (trades.index.searchsorted(x) for x in (candles.index, ends))
        total = totals_nb(run, stop, trades["quantity"].to_numpy(), trades["taker_buy"].to_numpy())
        volume = candles["volume"].to_numpy()
        all_there = (np.abs(total.sum(axis=0) - volume) <= TOLERANCE * volume) & (stop > run)
        _report(all_there, total.sum(axis=0), volume, run < stop)
        pieces = _pieces(market, np.flatnonzero(~all_there), mark, ordered=entries == "ordered")
        late = np.zeros((2, n)) if flow.late is None else np.asarray(flow.late)
        own = np.where(all_there, stop - run, np.diff(pieces.first)) + late.any(axis=0)
        fade = np.zeros(n) if flow.fade is None else flow.fade
        ranges: list[Any] = [cell_of(x) for x in (low, high, *touched)]
        known: Any = (flow.opened, late, covered, flow.open_interest, fade, version)
        bars = TradedBars._make((run, stop, all_there, total, *ranges, *known))
        use = TouchUse(n, mark_bars=mark_bars, trade_bars=int(all_there.sum()))
        first = np.concatenate([[0], np.cumsum(own)])
        return cls(first, use, market, bars, pieces, flow.fade is not None)

    @property
    def bar(self) -> np.ndarray:
        """Candle of every step."""
        return np.repeat(np.arange(len(self.first) - 1), np.diff(self.first))

    @property
    def reach(self) -> Steps:
        """Two steps that touch and enter the lowest and the highest cell of all: what a ledger must hold."""
        bars, none = self._bars, np.zeros(2)
        ends = (np.array([x.min(), y.max()]) for x, y in ((bars.touch_low, bars.touch_high), (bars.low, bars.high)))
        touch, entry = ends
        return Steps(touch, touch, entry, entry, np.zeros((2, 2)), none, np.zeros(2, np.int64))

    def parts(self, stop: int) -> Iterator[tuple[int, Steps]]:
        """First step and steps of part after part of the first `stop` candles; a candle is never cut."""
        begin = 0
        while begin < stop:
            enough = int(np.searchsorted(self.first, self.first[begin] + PART, side="right")) - 1
            end = min(max(enough, begin + 1), stop)
            yield int(self.first[begin]), self.steps(begin, end)
            begin = end

    def steps(self, begin: int, end: int) -> Steps:
        """Steps of the candles begin … end − 1."""
        trades: Any = self._market.trades
        own = slice(int(self._bars.run[begin]), int(self._bars.stop[end - 1]))
        price, quantity, buy = (trades[name].to_numpy()[own] for name in ("price", "quantity", "taker_buy"))
        n = int(self.first[end] - self.first[begin])
        cells, opened, target = np.empty((4, n), np.int64), np.empty((2, n)), np.empty(n)
        fade, version = np.empty(n), np.empty(n, np.int64)
        fill_nb(begin, end, cell_of(price), quantity, buy, self._bars, self._pieces, cells, opened, target, fade,
                 version)  # fmt: skip
        low, high, entry_low, entry_high = cells
        return Steps(low, high, entry_low, entry_high, opened, target, version, fade if self._fades else None)


def run_starts(cell: np.ndarray, buy: np.ndarray, bar: np.ndarray) -> np.ndarray:
    """First trade of each run: of one cell, one taker side and one candle.

    >>> cell, buy, bar = np.array([7, 7, 7, 8]), np.array([True, True, False, False]), np.array([0, 0, 0, 0])
    >>> run_starts(cell, buy, bar).tolist()
    [0, 2, 3]
    """
    new = (cell[1:] != cell[:-1]) | (buy[1:] != buy[:-1]) | (bar[1:] != bar[:-1])
    return np.concatenate([[0], np.flatnonzero(new) + 1]) if len(cell) else np.empty(0, np.int64)


def _report(covered: np.ndarray, traded: np.ndarray, volume: np.ndarray, some: np.ndarray) -> None:
    """Say which candles stay whole because their trades are not all there; refuse where these are all."""
    if not covered.any():
        found = f"{traded.sum():,.6g} coins in candles of {volume[some].sum():,.6g}" if some.any() else "none in any"
        raise ValueError(f"trades: none of the {len(volume):,} candles has its own (found: {found}; within "
                         f"{TOLERANCE:.0%} of each candle's volume is asked for); pass trades of the same venue and "
                         "time, quantities in coins")  # fmt: skip
    within = np.arange(len(volume))[some]
    missing = int((~covered[within[0] : within[-1] + 1]).sum())
    if missing:
        row = within[0] + int(np.flatnonzero(~covered[within[0] : within[-1] + 1])[0])
        warn(f"trades: in {missing} of the candles that they span they do not add up to the volume (candle {row}: "
             f"{traded[row]:,.6g} of {volume[row]:,.6g} coins); these candles stay whole")  # fmt: skip


def _pieces(market: Market, bare: np.ndarray, mark: Any, *, ordered: bool) -> Pieces:
    """Candles without their trades, cut as candles are."""
    candles = market.candles.iloc[bare]
    first, low, high, last = (candles[name].to_numpy() for name in ("open", "low", "high", "close"))
    own = None if mark is None else (mark[0][bare], mark[1][bare])
    bar, traded, touched, weight = cut_candles(first, low, high, last, own, ordered=ordered)
    counts = np.bincount(bare[bar], minlength=len(market.candles)) if len(bare) else np.zeros(len(market.candles), int)
    ranges: list[Any] = [cell_of(x) for x in (*traded, *touched)]
    return Pieces._make((np.concatenate([[0], np.cumsum(counts)]), *ranges, weight))
