"""The compiled columns of the ledger: what stands, by price bin; what is passed is told in `contracts`.

A column is a function of the ledger alone, whichever were written before it: of what is settled, the bins that have
changed are summed anew, in a fixed order; what was opened since is added by differences of its running sum; and from
the lowest level touched since on, cell by cell, so that what was touched is exactly 0.
"""

from __future__ import annotations

import numpy as np

from liqlab.engine.contracts import FAR, FOUR, HULL_HIGH, HULL_LOW, LOWEST, ONE, SCALE, THREE, TWO, ZERO
from liqlab.engine.jit import inlined, jit
from liqlab.engine.settling import pending_nb


@jit
def write_column_nb(c, rows, grid, state, scratch, settled, notional):
    """Write column c: the sum of each layer's rows."""
    _refresh_nb(rows, grid, state.entries.shape[1], settled, scratch)
    shown, cut, binned = scratch.column, _cut_nb(rows, grid, state.marks), scratch.binned
    layer, group, amounts, column = rows.layer, rows.group, state.amounts, np.uint64(c)
    bins, mirror = np.uint64(shown.shape[1]), grid.mirror
    shown[:] = 0.0
    for r in range(group.size):
        line, row, unit = np.uint64(layer[r]), np.uint64(r), amounts[group[r], SCALE]
        for b in range(np.uint64(cut)):
            shown[line, b] += unit * binned[row, b]
    if state.marks[HULL_LOW] <= state.marks[HULL_HIGH]:
        _add_pending_nb(cut, rows, grid, state, scratch)
        if cut < shown.shape[1]:
            _add_touched_nb(cut, rows, grid, state, scratch)
    for line in range(np.uint64(shown.shape[0])):
        if mirror:
            for b in range(bins):
                notional[line, column, b] = shown[line, bins - ONE - b]
        else:
            for b in range(bins):
                notional[line, column, b] = shown[line, b]


@inlined
def _cut_nb(rows, grid, marks):
    """First bin of a level cell that was touched since the settlement and may hold something; or how many there are."""
    bins, lowest = grid.bins.size - 1, marks[LOWEST]
    if lowest > marks[HULL_HIGH] - rows.closest:
        return bins
    return min(max(grid.bin_of[lowest + grid.depth], 0), bins)


@inlined
def _refresh_nb(rows, grid, size, settled, scratch):
    """Bring the bins of all level cells that changed up to date."""
    dirty, bin_of, bins, deep, near = scratch.dirty, grid.bin_of, grid.bins.size - 1, rows.depth, rows.near
    last = dirty.shape[0] - 1
    for r in range(last):
        for which in (r, last):
            first, final = max(dirty[which, 0], -deep[r]), min(dirty[which, 1], size - 1 - near[r])
            if first <= final:
                start, stop = max(bin_of[first + grid.depth], 0), min(bin_of[final + grid.depth] + 1, bins)
                if start < stop:
                    _sum_bins_nb(start, stop, r, deep[r], size - near[r], grid, settled, scratch.sums, scratch.binned)
        dirty[r, 0], dirty[r, 1] = FAR, -FAR
    dirty[last, 0], dirty[last, 1] = FAR, -FAR


@inlined
def _sum_bins_nb(start, stop, r, depth, beyond, grid, settled, product, binned):
    """Sum anew the bins start … stop − 1 of a row: whole bins in a fixed order, so bits repeat.

    Its level cells are −depth … beyond − 1.
    """
    bins, price, row = grid.bins, grid.price, np.uint64(r)
    low, high = bins[start], bins[stop]
    first, final = max(low, -depth), min(high, beyond)
    if first > low or final < high:  # level cells that no step can reach are empty: bits do not depend on how far
        product[: high - low] = 0.0  # the ledger reaches
    to, at, over = np.uint64(first - low), np.uint64(first + depth), np.uint64(first + grid.depth)
    for k in range(np.uint64(max(final - first, 0))):
        product[to + k] = settled[row, at + k] * price[over + k]
    k = ZERO
    for b in range(start, stop):
        end = np.uint64(bins[b + 1] - low)
        one, two, three, four = 0.0, 0.0, 0.0, 0.0  # sums that the processor carries on at once
        while k + THREE < end:
            one += product[k]
            two += product[k + ONE]
            three += product[k + TWO]
            four += product[k + THREE]
            k += FOUR
        while k < end:
            one += product[k]
            k += ONE
        binned[r, b] = (one + two) + (three + four)


@inlined
def _add_pending_nb(cut, rows, grid, state, scratch):
    """Add what was opened since the settlement to the bins before `cut`, on every leverage level of every pattern."""
    low, high, bins, bin_of, deep = state.marks[HULL_LOW], state.marks[HULL_HIGH], grid.bins, grid.bin_of, grid.depth
    sums, size, column, pattern, layer = scratch.sums, high - low + 1, scratch.column, rows.pattern, rows.layer
    cells, share, discount, first = rows.cells, rows.share, rows.discount, rows.first
    for q in range(pattern.size):
        if pattern[q] == q:
            _running_sum_nb(q, low, size, rows, grid, state, sums)
            line = np.uint64(layer[q])
            for j in range(first[q], first[q + 1]):
                shift, top, weight = cells[j] - low, high - cells[j], share[j] * discount[j]
                b = max(bin_of[deep - shift], 0)
                before = sums[min(max(bins[b] + shift, 0), size)] if b < cut else 0.0
                while b < cut and bins[b] <= top:
                    after = sums[np.uint64(min(bins[b + 1] + shift, size))]
                    column[line, np.uint64(b)] += weight * (after - before)
                    before = after
                    b += 1


@inlined
def _running_sum_nb(q, low, size, rows, grid, state, sums):
    """Running sum over the entry cells of coins × entry price, of all rows of a pattern; sums[k]: of the first k."""
    entries, price, amounts, pattern, group, part = (
        state.entries, grid.price, state.amounts, rows.pattern, rows.group, rows.part,
    )  # fmt: skip
    number, at, over, total = np.uint64(size), np.uint64(low), np.uint64(low + grid.depth), 0.0
    for k in range(number + ONE):
        sums[k] = 0.0
    for r in range(q, pattern.size):
        if pattern[r] == q:
            p, unit = np.uint64(group[r]), part[r] * amounts[group[r], SCALE]
            for k in range(number):
                sums[k + ONE] += unit * entries[p, at + k]
    for k in range(number):
        total += sums[k + ONE] * price[over + k]
        sums[k + ONE] = total


@inlined
def _add_touched_nb(cut, rows, grid, state, scratch):
    """Sum the bins from `cut` on cell by cell: what was touched since the settlement is taken off before it is seen."""
    marks, bins, cells, share, work, column = (
        state.marks,
        grid.bins,
        rows.cells,
        rows.share,
        scratch.work,
        scratch.column,
    )
    settled, swept, price, amounts = state.settled, state.swept, grid.price, state.amounts
    entries, group, near, deep, begin = state.entries, rows.group, rows.near, rows.depth, rows.first
    for r in range(group.size):
        p, row, first = group[r], np.uint64(r), max(bins[cut], -deep[r])
        # the bin of the lowest touch holds what no step has reached as well
        top = min(max(marks[HULL_HIGH], marks[LOWEST] - 1 + near[r]), entries.shape[1] - 1) - near[r]
        if first <= top:
            pending_nb(first, top - first + 1, begin[r], begin[r + 1], cells, share, entries, p, marks, work)
            to, over, k = np.uint64(first + deep[r]), np.uint64(first + grid.depth), ZERO
            for b in range(cut, bins.size - 1):
                if bins[b] > top:
                    break
                total, end = 0.0, np.uint64(max(min(bins[b + 1], top + 1) - first, 0))
                while k < end:
                    total += (settled[row, to + k] + (work[k] - swept[row, to + k])) * price[over + k]
                    k += ONE
                column[rows.layer[r], b] += amounts[p, SCALE] * total
