"""The compiled columns of the ledger: what stands, by price bin. Names as in `_kernel`.

Only bins whose entries have changed since the last column are summed anew.
"""

from __future__ import annotations

import numpy as np

from liqlab.engine.jit import jit


@jit
def expire_nb(dead, alive, near, far, sign, shift, version, group_version, added, expired, hull):
    """Replay the openings that leave the lookback: the same additions in the same order, hence the same bits."""
    for p in range(dead.size):
        for t in range(dead[p], alive):
            g, low, high = version[t], sign * near[t] + shift, sign * far[t] + shift
            if group_version[p] == g:
                for e in range(low, high + 1):
                    expired[p, e] += added[p, t]
                hull[g, 0], hull[g, 1] = min(hull[g, 0], low), max(hull[g, 1], high)
        dead[p] = max(dead[p], alive)


@jit
def refresh_nb(
    cells, share, group, group_version, level_price, entry_price, bins, entries, swept, expired, hull, gap, mirror,
    work, shown,
):  # fmt: skip
    """Bring the bins of all entries that changed up to date."""
    for j in range(cells.size):
        p, g, weight = group[j], group_version[group[j]], share[j] * level_price[j]
        for first, final in ((hull[g, 0], hull[g, 1]), (gap[j, 0], gap[j, 1])):
            if first <= final:
                _sum_bins_nb(first - cells[j], final - cells[j], cells[j], weight, entry_price, bins, entries[p],
                             swept[j], expired[p], mirror, work, shown[j])  # fmt: skip
        gap[j, 0], gap[j, 1] = entries.shape[1], -1
    hull[:, 0], hull[:, 1] = entries.shape[1], -1


@jit
def _sum_bins_nb(first, final, away, weight, price, bins, entries, swept, expired, mirror, work, shown):
    """Sum anew the bins of first … final of a leverage level: whole bins in a fixed order, so bits repeat."""
    start, stop = max(_count_nb(bins, first) - 1, 0), min(_count_nb(bins, final), bins.size - 1)
    if start >= stop:
        return
    low, high = bins[start] + away, bins[stop] + away
    product = work[: high - low]
    product[:] = (
        0.0  # cells that no step has reached count as empty: the sums do not depend on how far the ledger reaches
    )
    first_cell, last_cell = max(low, 0), min(high, entries.size)
    if first_cell < last_cell:
        opened, gone, p = entries[first_cell:last_cell], swept[first_cell:last_cell], price[first_cell:last_cell]
        inner = product[first_cell - low : last_cell - low]
        if expired.size > 0:
            late = expired[first_cell:last_cell]
            for k in range(inner.size):
                inner[k] = (opened[k] - max(gone[k], late[k])) * p[k]
        else:
            for k in range(inner.size):
                inner[k] = (opened[k] - gone[k]) * p[k]
    k = np.uint64(0)
    for b in range(start, stop):
        end = np.uint64(bins[b + 1] + away - low)
        one, two, three, four = 0.0, 0.0, 0.0, 0.0  # sums that the processor carries on at once
        while k + np.uint64(3) < end:
            one += product[k]
            two += product[k + np.uint64(1)]
            three += product[k + np.uint64(2)]
            four += product[k + np.uint64(3)]
            k += np.uint64(4)
        while k < end:
            one += product[k]
            k += np.uint64(1)
        shown[shown.size - 1 - b if mirror else b] = weight * ((one + two) + (three + four))


@jit
def _count_nb(edges, level):
    """How many edges are <= level."""
    low, high = 0, edges.size
    while low < high:
        middle = (low + high) // 2
        if edges[middle] <= level:
            low = middle + 1
        else:
            high = middle
    return low


@jit
def write_column_nb(group, layer, scale, shown, column, notional):
    """Write one column: the sum of each layer's leverage levels."""
    for k in range(notional.shape[0]):
        for b in range(notional.shape[2]):
            notional[k, column, b] = 0.0
    for j in range(shown.shape[0]):
        level, row, unit = shown[j], notional[layer[j], column], scale[group[j]]
        for b in range(row.size):
            row[b] += level[b] * unit
