"""The compiled part of the book: arrays and scalars only, one thread, no fastmath. Its plain twin is in the tests.

One call runs one side; shorts come in mirrored (cell → −cell), so that every level is touched from above. Everywhere
`j` is a rung, `g` its epoch, `e` an entry cell. Amounts are *stored*: coins ÷ scale, so that closing a share of
everything touches one number.
"""

from __future__ import annotations

import numpy as np

from liqlab._jit import jit

SMALL = 2.0**-64  # below this scale the stored amounts are multiplied by it: a power of two, so no digit is lost
NOTHING = -(2**62)
PLACED, TOTAL, SCALE = 0, 1, 2


@jit
def run_nb(
    touch, near, far, sign, shift, opened, open_interest, epoch, cells, share, rung_epoch, level_price,
    entry_price, last, alive, bins, same_bar, entries, swept, top, fresh, book, standing, notional, balance,
    flow, rungs,
):  # fmt: skip
    """All steps of one side in order: touch what stood, open, catch what is reached at once, close, photograph.

    Grid cells (of the touch, and of the two ends of the entries) become storage indices by ``sign·cell + shift``.
    """
    lookback = alive.size > 0 and alive[-1] > 0
    added, expired, shown, work, hull, gap, got = _paper_nb(opened.size, entries, cells.size, bins, lookback)
    nearest = _nearest_nb(cells, rung_epoch, entries.shape[0])
    if rungs.shape[0] > 0 and np.isnan(standing).any():
        _recount_nb(share, rung_epoch, entries, swept, book[SCALE], standing)
    reach, placed, total, scale = _reach_nb(cells, rung_epoch, top, fresh), book[PLACED], book[TOTAL], book[SCALE]
    column, dead = 0, np.int64(0)
    for t in range(opened.size):
        at, g = sign * touch[t] + shift, epoch[t]
        gained, lost, caught, value = 0.0, 0.0, 0.0, 0.0
        if at <= reach:
            lost, value, reach = _sweep_nb(at, cells, share, rung_epoch, level_price, entry_price, entries, swept, top,
                                           fresh, gap, got)  # fmt: skip
        if opened[t] > 0.0:
            low, high = sign * near[t] + shift, sign * far[t] + shift
            gained = opened[t] / scale
            part = gained / (high - low + 1)
            for e in range(np.uint64(low), np.uint64(high + 1)):  # unsigned: no check for negative indices
                entries[np.uint64(g), e] += part
            fresh[g], reach = max(fresh[g], high), max(reach, high - nearest[g])
            hull[g, 0], hull[g, 1] = min(hull[g, 0], low), max(hull[g, 1], high)
            if at + nearest[g] <= high:
                caught, more = _catch_nb(g, at, low, high, part, cells, share, rung_epoch, level_price, entry_price,
                                         entries, swept, got)  # fmt: skip
                value += same_bar * more
            if lookback:
                added[t] = part
        unit, stood = scale, max(placed - lost, 0.0) + max(gained - caught, 0.0)
        pool = total + (opened[t] - (lost + caught) * scale)
        factor = _left_nb(open_interest[t], pool)
        placed, scale = stood, scale * factor
        if factor == 0.0:
            placed, scale, dead = 0.0, 1.0, t + 1
            _clear_nb(entries, swept, expired, gap)
        # what is not placed is open interest whose entries are unknown
        total = pool if np.isnan(open_interest[t]) else open_interest[t]
        while scale < SMALL:
            placed, scale = placed * SMALL, scale / SMALL
            _shrink_nb(entries, swept, expired, shown, added)
        if flow.shape[1] > 0:
            flow[0, t], flow[1, t] = placed * scale, max(total - placed * scale, 0.0)
            flow[2, t] = ((1.0 - factor) * stood + (1.0 - same_bar) * caught) * unit
            flow[3, t], flow[4, t], flow[5, t] = (lost + same_bar * caught) * unit, value * unit, factor
        if rungs.shape[0] > 0:
            _record_nb(g, gained, unit, factor, same_bar, share, rung_epoch, got, standing, rungs[t])
        if lost + caught > 0.0:
            got[:] = 0.0
        if column < last.size and t == last[column]:
            if lookback:
                dead = _expire_nb(dead, alive[column], near, far, sign, shift, epoch, added, expired, hull)
            _refresh_nb(cells, share, rung_epoch, level_price, entry_price, bins, entries, swept, expired, hull, gap,
                        sign < 0, work, shown)  # fmt: skip
            _photograph_nb(scale, shown, column, notional)
            balance[0, column], balance[1, column] = placed * scale, max(total - placed * scale, 0.0)
            column += 1
    book[PLACED], book[TOTAL], book[SCALE] = placed, total, scale


@jit
def _paper_nb(n_steps, entries, n_rungs, bins, lookback):
    """What a run writes on, for itself."""
    epochs, size = entries.shape
    added = np.zeros(n_steps if lookback else 0)  # by every step to each of its entry cells
    expired = np.zeros((epochs, size if lookback else 0))
    shown, work = np.zeros((n_rungs, bins.size - 1)), np.empty(max(bins[-1] - bins[0], 0))
    hull = np.zeros((epochs, 2), np.int64)  # entry cells opened or expired since the last photograph
    hull[:, 1] = size - 1
    gap = np.zeros((n_rungs, 2), np.int64)  # entry cells swept since, by rung
    gap[:, 0], gap[:, 1] = size, -1
    got = np.zeros((n_rungs, 4))  # of this step: swept, swept × price, caught, caught × price
    return added, expired, shown, work, hull, gap, got


@jit
def _left_nb(open_interest, pool):
    """Share of everything on a side that closing leaves, what the step opened included; all, if nothing is known."""
    factor = open_interest / pool
    factor = factor if 0.0 <= factor < 1.0 else 1.0
    return 0.0 if factor < 1e-200 else factor  # nothing that a scale could express is left


@jit
def _sweep_nb(at, cells, share, rung_epoch, level_price, entry_price, entries, swept, top, fresh, gap, got):
    """Liquidate every level at or above the touch; returns stored coins, coins × price, and the highest level left."""
    coins, value, reach = 0.0, 0.0, NOTHING
    for j in range(cells.size):
        g = rung_epoch[j]
        highest, cut = max(top[j], fresh[g]), max(at + cells[j], 0)
        if cut <= highest:
            x, v = 0.0, 0.0
            total, gone, price = (
                entries[g, cut : highest + 1],
                swept[j, cut : highest + 1],
                entry_price[cut : highest + 1],
            )
            for k in range(total.size):
                standing = total[k] - gone[k]
                x += standing
                v += standing * price[k]
                gone[k] = total[k]
            got[j, 0], got[j, 1] = share[j] * x, share[j] * level_price[j] * v
            coins += got[j, 0]
            value += got[j, 1]
            gap[j, 0], gap[j, 1] = min(gap[j, 0], cut), max(gap[j, 1], highest)
        top[j] = min(highest, cut - 1)
        reach = max(reach, top[j] - cells[j])
    fresh[:] = -1
    return coins, value, reach


@jit
def _catch_nb(g, at, low, high, part, cells, share, rung_epoch, level_price, entry_price, entries, swept, got):
    """Openings whose level the same step reaches never stand; returns stored coins and stored coins × level price."""
    coins, value = 0.0, 0.0
    for j in range(cells.size):
        cut = max(at + cells[j], low)
        if rung_epoch[j] == g and cut <= high:
            prices = 0.0
            for e in range(cut, high + 1):
                swept[j, e] = entries[g, e]
                prices += entry_price[e]
            got[j, 2] = share[j] * part * (high - cut + 1)
            got[j, 3] = share[j] * level_price[j] * part * prices
            coins += got[j, 2]
            value += got[j, 3]
    return coins, value


@jit
def _shrink_nb(entries, swept, expired, shown, added):
    """All stored amounts × SMALL."""
    for array in (entries, swept, expired, shown):
        for i in range(array.shape[0]):
            for e in range(array.shape[1]):
                array[i, e] *= SMALL
    for t in range(added.size):
        added[t] *= SMALL


@jit
def _clear_nb(entries, swept, expired, gap):
    """The whole book of the side is closed: begin at 0, so that what opens next keeps all its digits."""
    entries[:], swept[:], expired[:] = 0.0, 0.0, 0.0
    gap[:, 0], gap[:, 1] = 0, entries.shape[1] - 1


@jit
def _expire_nb(dead, alive, near, far, sign, shift, epoch, added, expired, hull):
    """Replay the openings that leave the lookback: the same additions in the same order, hence the same bits."""
    for t in range(dead, alive):
        g, low, high = epoch[t], sign * near[t] + shift, sign * far[t] + shift
        for e in range(low, high + 1):
            expired[g, e] += added[t]
        hull[g, 0], hull[g, 1] = min(hull[g, 0], low), max(hull[g, 1], high)
    return max(dead, alive)


@jit
def _refresh_nb(
    cells, share, rung_epoch, level_price, entry_price, bins, entries, swept, expired, hull, gap, mirror, work, shown
):
    """Bring the bins of all entries that changed up to date."""
    for j in range(cells.size):
        g, weight = rung_epoch[j], share[j] * level_price[j]
        for first, final in ((hull[g, 0], hull[g, 1]), (gap[j, 0], gap[j, 1])):
            if first <= final:
                _sum_bins_nb(first - cells[j], final - cells[j], cells[j], weight, entry_price, bins, entries[g],
                             swept[j], expired[g], mirror, work, shown[j])  # fmt: skip
        gap[j, 0], gap[j, 1] = entries.shape[1], -1
    hull[:, 0], hull[:, 1] = entries.shape[1], -1


@jit
def _sum_bins_nb(first, final, away, weight, price, bins, entries, swept, expired, mirror, work, shown):
    """Sum anew the bins that hold the levels first … final of a rung: whole bins in a fixed order, so bits repeat."""
    start, stop = max(_count_nb(bins, first) - 1, 0), min(_count_nb(bins, final), bins.size - 1)
    if start >= stop:
        return
    low, high = bins[start] + away, bins[stop] + away
    product = work[: high - low]
    product[:] = (
        0.0  # cells that no step has reached count as empty: the sums do not depend on how far the book reaches
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
def prices_nb(origin, size, step):
    """Price at the centre of each cell; scalar exp, so that a cell's price never depends on its place in an array."""
    prices = np.empty(size)
    for k in range(size):
        prices[k] = np.exp((origin + k + 0.5) * step)
    return prices


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
def _photograph_nb(scale, shown, column, notional):
    """Write one column: the rungs' sum, or each rung on its own."""
    for j in range(shown.shape[0]):
        layer, row = shown[j], notional[min(j, notional.shape[0] - 1), column]
        if j < notional.shape[0]:
            for b in range(row.size):
                row[b] = layer[b] * scale
        else:
            for b in range(row.size):
                row[b] += layer[b] * scale


@jit
def _record_nb(g, gained, unit, factor, same_bar, share, rung_epoch, got, standing, row):
    """Standing, liquidated and closed coins of every rung after a step."""
    for j in range(rung_epoch.size):
        opened = share[j] * gained if rung_epoch[j] == g else 0.0
        stood = max((standing[j] - got[j, 0] * unit) + (opened - got[j, 2]) * unit, 0.0)
        standing[j] = stood * factor
        row[j, 0] = standing[j]
        row[j, 1] = (got[j, 0] + same_bar * got[j, 2]) * unit
        row[j, 2] = stood * (1.0 - factor) + (1.0 - same_bar) * got[j, 2] * unit


@jit
def _nearest_nb(cells, rung_epoch, epochs):
    """Smallest distance of an epoch's rungs."""
    nearest = np.full(epochs, -NOTHING)
    for j in range(cells.size):
        nearest[rung_epoch[j]] = min(nearest[rung_epoch[j]], cells[j])
    return nearest


@jit
def _reach_nb(cells, rung_epoch, top, fresh):
    """Highest cell at which a level may stand."""
    reach = NOTHING
    for j in range(cells.size):
        reach = max(reach, max(top[j], fresh[rung_epoch[j]]) - cells[j])
    return reach


@jit
def _recount_nb(share, rung_epoch, entries, swept, scale, standing):
    """Coins that stand on every rung, summed anew."""
    for j in range(rung_epoch.size):
        standing[j] = 0.0
        for e in range(entries.shape[1]):
            standing[j] += share[j] * scale * (entries[rung_epoch[j], e] - swept[j, e])
