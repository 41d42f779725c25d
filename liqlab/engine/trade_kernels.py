"""The compiled part of `trade_steps`, and what it is given."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from liqlab.engine.jit import jit

__all__ = ["Pieces", "TradedBars", "fill_nb", "sums_nb", "totals_nb"]


class Pieces(NamedTuple):
    """Cells and weights of the pieces of candles that trades do not cover; candle b has first[b] … first[b + 1] − 1."""

    first: np.ndarray
    low: np.ndarray
    high: np.ndarray
    touch_low: np.ndarray
    touch_high: np.ndarray
    weight: np.ndarray


class TradedBars(NamedTuple):
    """What is known of every candle."""

    run: np.ndarray  # (bar,) first of its trades, and the one after its last
    stop: np.ndarray
    covered: np.ndarray  # (bar,) whether they are all there
    total: np.ndarray  # (2, bar) coins that takers bought, sold
    low: np.ndarray  # (bar,) cells of its range, and of the range that liquidates
    high: np.ndarray
    touch_low: np.ndarray
    touch_high: np.ndarray
    opened: np.ndarray  # (2, bar) coins
    late: np.ndarray  # (2, bar) the part of them that is reported late
    since: np.ndarray  # (bar,) candles that the report covers
    target: np.ndarray  # (bar,) open interest
    fade: np.ndarray  # (bar,)
    version: np.ndarray  # (bar,)


@jit
def sums_nb(values, first):
    """Sum of each run of values, one after the other; the last run goes to the end."""
    sums = np.zeros(first.size)
    for r in range(first.size):
        for k in range(first[r], first[r + 1] if r + 1 < first.size else values.size):
            sums[r] += values[k]
    return sums


@jit
def totals_nb(run, stop, quantity, buy):
    """Coins that takers bought and sold in each candle."""
    total = np.zeros((2, run.size))
    for b in range(run.size):
        for k in range(run[b], stop[b]):
            total[0 if buy[k] else 1, b] += quantity[k]
    return total


@jit
def fill_nb(begin, end, cell, quantity, buy, bars, pieces, cells, opened, target, fade, version):
    """Write the steps of the candles begin … end − 1; `cell` and so on are of the trades from the first one's on."""
    t, origin, weight = 0, bars.run[begin], np.empty(target.size)
    for b in range(begin, end):
        at, done, late = t, 0.0, bars.late[0, b] > 0.0 or bars.late[1, b] > 0.0
        if bars.covered[b]:
            t = _runs_nb(b, origin, cell, quantity, buy, bars, cells, opened, weight, t)
        else:
            t = _pieces_nb(b, bars, pieces, cells, opened, weight, t)
        before = bars.target[max(b - 1, 0)]
        for k in range(at, t):
            fade[k], version[k] = bars.fade[b] * weight[k - at], bars.version[b]
            done += weight[k - at]
            target[k] = bars.target[b]
            if k < t - 1 and not np.isnan(before):
                target[k] = before + done * (bars.target[b] - before)
        if late:  # as candles do: see `inputs._with_late`
            for k in range(at, t):
                target[k] = before
                for s in range(2):
                    whole = bars.opened[s, b]
                    opened[s, k] *= (whole - bars.late[s, b]) / whole if whole > 0.0 else 1.0
            cells[0, t], cells[1, t] = cells[0, t - 1], cells[1, t - 1]
            cells[2, t], cells[3, t] = bars.low[b], bars.high[b]
            for other in range(max(b + 1 - max(bars.since[b], 1), 0), b):
                cells[2, t], cells[3, t] = min(cells[2, t], bars.low[other]), max(cells[3, t], bars.high[other])
            opened[0, t], opened[1, t] = bars.late[0, b], bars.late[1, b]
            target[t], fade[t], version[t] = bars.target[b], 0.0, bars.version[b]
            t += 1


@jit
def _runs_nb(b, origin, cell, quantity, buy, bars, cells, opened, weight, t):
    """Steps of a candle's trades from step t on, and the share of its volume in each; returns the next step."""
    first, stop, at = bars.run[b] - origin, bars.stop[b] - origin, t
    lowest, highest = cell[first], cell[first]
    for k in range(first, stop):
        lowest, highest = min(lowest, cell[k]), max(highest, cell[k])
    bought, sold = bars.total[0, b], bars.total[1, b]
    for k in range(first, stop):
        c = cell[k]
        for row, (bottom, top) in enumerate(((bars.touch_low[b], bars.touch_high[b]), (bars.low[b], bars.high[b]))):
            inside = min(max(c, bottom), top)
            cells[2 * row, t] = bottom if c == lowest else inside
            cells[2 * row + 1, t] = top if c == highest else inside
        share = quantity[k] / (bought + sold)
        weight[t - at] = share
        opened[0, t] = bars.opened[0, b] * ((quantity[k] / bought if buy[k] else 0.0) if bought > 0.0 else share)
        opened[1, t] = bars.opened[1, b] * ((0.0 if buy[k] else quantity[k] / sold) if sold > 0.0 else share)
        t += 1
    return t


@jit
def _pieces_nb(b, bars, pieces, cells, opened, weight, t):
    """Steps of a candle that has not all its trades; as `_runs_nb`."""
    at = t
    for k in range(pieces.first[b], pieces.first[b + 1]):
        cells[0, t], cells[1, t] = pieces.touch_low[k], pieces.touch_high[k]
        cells[2, t], cells[3, t] = pieces.low[k], pieces.high[k]
        weight[t - at] = pieces.weight[k]
        opened[0, t], opened[1, t] = bars.opened[0, b] * pieces.weight[k], bars.opened[1, b] * pieces.weight[k]
        t += 1
    return t
