"""From entry cells to level cells: what was opened since the last settlement, on each of its leverage levels.

Whatever is summed here is summed level by level, the nearest first, from 0: so a level cell that has been touched and
received nothing since gives the very same sum again, and their difference is exactly 0.
"""

from __future__ import annotations

import numpy as np

from liqlab.engine.contracts import AGE, FAR, HULL_HIGH, HULL_LOW, LOWEST, ONE
from liqlab.engine.jit import jit


@jit
def pending_nb(first, size, begin, end, cells, share, entries, p, marks, work):
    """What `entries` puts at the level cells of the levels begin … end − 1: at `size` of them from `first` on.

    Here and below unsigned indices: no check for negative ones; and no views in loops, which are counted references.
    """
    low, high, final, row = marks[HULL_LOW], marks[HULL_HIGH], first + size - 1, np.uint64(p)
    for k in range(np.uint64(size)):
        work[k] = 0.0
    for j in range(begin, end):
        away = cells[j]
        if away > high - first:
            break
        start, stop, x = max(first, low - away), min(final, high - away), share[j]
        if start <= stop:
            to, at = np.uint64(start - first), np.uint64(start + away)
            for k in range(np.uint64(stop - start) + ONE):
                work[to + k] += x * entries[row, at + k]


@jit
def settle_nb(sign, cells, share, first, group, near, deep, entries, swept, marks, onto):
    """Add (sign 1) or take away (−1) what `entries` puts at all level cells, less what had been touched of it."""
    low, high, lowest = marks[HULL_LOW], marks[HULL_HIGH], marks[LOWEST]
    if low > high:
        return
    size, at = np.uint64(high - low + 1), np.uint64(low)
    for r in range(group.size):
        p, depth, row = np.uint64(group[r]), deep[r], np.uint64(r)
        for j in range(first[r], first[r + 1]):
            to, x = np.uint64(low - cells[j] + depth), sign * share[j]
            for k in range(size):
                onto[row, to + k] += x * entries[p, at + k]
        for k in range(max(lowest, low - depth) + depth, high - near[r] + depth + 1):
            onto[r, k] -= sign * swept[r, k]


@jit
def reset_nb(near, depth, entries, swept, marks):
    """Nothing has been opened or touched since the settlement."""
    low, high, lowest = marks[HULL_LOW], marks[HULL_HIGH], marks[LOWEST]
    if low <= high:
        for p in range(entries.shape[0]):
            for e in range(low, high + 1):
                entries[p, e] = 0.0
        for r in range(near.size):
            for k in range(max(lowest, low - depth[r]) + depth[r], high - near[r] + depth[r] + 1):
                swept[r, k] = 0.0
    marks[HULL_LOW], marks[HULL_HIGH], marks[LOWEST], marks[AGE] = FAR, -FAR, FAR, 0
