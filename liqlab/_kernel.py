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
    touch, near, far, sign, shift, opened, open_interest, epoch, cells, share, rung_epoch, level_price, entry_price,
    last, alive, bins, same_bar, entries, swept, top, fresh, book, notional, balance, flow, rungs,
):  # fmt: skip
    """All steps of one side in order: touch what stood, open, catch what is reached at once, close, photograph.

    Grid cells (of the touch, and of the two ends of the entries) become storage indices by ``sign·cell + shift``.
    """
    size, n_rungs = entries.shape[1], cells.size
    lookback = alive.size > 0 and alive[-1] > 0
    added = np.zeros(opened.size if lookback else 0)
    expired = np.zeros(entries.shape if lookback else (entries.shape[0], 0))
    shown, work = np.zeros((n_rungs, bins.size - 1)), np.empty(size)
    hull = np.zeros((entries.shape[0], 2), np.int64)  # entry cells opened or expired since the last photograph
    hull[:, 1] = size - 1
    gap = np.zeros((n_rungs, 2), np.int64)  # entry cells swept since, by rung
    gap[:, 0], gap[:, 1] = size, -1
    nearest = _nearest_nb(cells, rung_epoch, entries.shape[0])
    got = np.zeros((n_rungs, 4))  # of this step: swept, swept × price, caught, caught × price
    standing = _standing_nb(share, rung_epoch, entries, swept, book[SCALE], rungs.shape[0] > 0)
    reach, placed, total, scale = _reach_nb(cells, rung_epoch, top, fresh), book[PLACED], book[TOTAL], book[SCALE]
    column, gone, n_columns = 0, 0, last.size
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
        unit, factor = scale, 1.0
        placed = max(placed - lost, 0.0) + max(gained - caught, 0.0)
        total = max(total + (opened[t] - (lost + caught) * scale), 0.0)
        if open_interest[t] < total:  # close proportionally, what was opened in this step included
            factor = open_interest[t] / total if open_interest[t] > total * 1e-200 else 0.0
        stood = placed
        scale *= factor
        if factor == 0.0:
            placed, scale = 0.0, 1.0
        # what is not placed is open interest whose entries are unknown
        total = placed * scale if np.isnan(open_interest[t]) else open_interest[t]
            _clear_nb(rung_epoch, entries, swept, gap)
        while scale < SMALL:
            placed, scale = placed * SMALL, scale / SMALL
            for array in (entries, swept, expired, shown):
                array *= SMALL
            added *= SMALL
        if flow.shape[1] > 0:
            closed = ((1.0 - factor) * stood + (1.0 - same_bar) * caught) * unit
            _write_nb(flow[:, t], placed * scale, max(total - placed * scale, 0.0), closed, (lost + same_bar * caught) * unit, value * unit, factor)
        if rungs.shape[0] > 0:
            _record_nb(g, gained, unit, factor, same_bar, share, rung_epoch, got, standing, rungs[t])
        if lost + caught > 0.0:
            got[:] = 0.0
        if column < n_columns and t == last[column]:
            if lookback:
                gone = _expire_nb(gone, alive[column], near, far, sign, shift, epoch, added, expired, hull)
            _refresh_nb(cells, share, rung_epoch, level_price, entry_price, bins, entries, swept, expired, hull, gap, sign < 0, work, shown)
            _photograph_nb(scale, shown, column, notional)
            balance[0, column], balance[1, column] = placed * scale, max(total - placed * scale, 0.0)
            column += 1
    book[PLACED], book[TOTAL], book[SCALE] = placed, total, scale


@jit
def _sweep_nb(at, cells, share, rung_epoch, level_price, entry_price, entries, swept, top, fresh, gap, got):
    """Liquidate every level at or above the touch; returns stored coins, coins × price, and the highest level left."""
    coins, value, reach = 0.0, 0.0, NOTHING
    for j in range(cells.size):
        g = rung_epoch[j]
        highest, cut = max(top[j], fresh[g]), max(at + cells[j], 0)
        if cut <= highest:
            x, v = 0.0, 0.0
            total, gone, price = entries[g, cut : highest + 1], swept[j, cut : highest + 1], entry_price[cut : highest + 1]
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
            swept[j, cut : high + 1] = entries[g, cut : high + 1]
            got[j, 2] = share[j] * part * (high - cut + 1)
            got[j, 3] = share[j] * level_price[j] * part * entry_price[cut : high + 1].sum()
            coins += got[j, 2]
            value += got[j, 3]
    return coins, value


@jit
def _clear_nb(rung_epoch, entries, swept, gap):
    """The whole book of the side is closed."""
    for j in range(rung_epoch.size):
        swept[j] = entries[rung_epoch[j]]
        gap[j, 0], gap[j, 1] = 0, entries.shape[1] - 1


@jit
def _expire_nb(gone, alive, near, far, sign, shift, epoch, added, expired, hull):
    """Replay the openings that leave the lookback: the same additions in the same order, hence the same bits."""
    for t in range(gone, alive):
        g, low, high = epoch[t], sign * near[t] + shift, sign * far[t] + shift
        expired[g, low : high + 1] += added[t]
        hull[g, 0], hull[g, 1] = min(hull[g, 0], low), max(hull[g, 1], high)
    return max(gone, alive)


@jit
def _refresh_nb(cells, share, rung_epoch, level_price, entry_price, bins, entries, swept, expired, hull, gap, mirror, work, shown):
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
    start = max(np.searchsorted(bins, first, side="right") - 1, 0)
    stop = min(np.searchsorted(bins, final, side="right"), bins.size - 1)
    if start >= stop:
        return
    low = min(max(bins[start] + away, 0), entries.size)
    high = max(min(bins[stop] + away, entries.size), low)
    opened, gone, p, product = entries[low:high], swept[low:high], price[low:high], work[: high - low]
    if expired.size > 0:
        product[:] = (opened - np.maximum(gone, expired[low:high])) * p
    else:
        for k in range(product.size):
            product[k] = (opened[k] - gone[k]) * p[k]
    k = np.uint64(0)
    for b in range(start, stop):
        end = np.uint64(max(min(bins[b + 1] + away, high), low) - low)
        even, odd = 0.0, 0.0  # two sums that the processor carries on at once
        while k + np.uint64(1) < end:
            even += product[k]
            odd += product[k + np.uint64(1)]
            k += np.uint64(2)
        if k < end:
            even += product[k]
            k += np.uint64(1)
        shown[shown.size - 1 - b if mirror else b] = weight * (even + odd)


@jit
def _photograph_nb(scale, shown, column, notional):
    """Write one column: the rungs' sum, or each rung on its own."""
    if notional.shape[0] == 1:
        row = notional[0, column]
        row[:] = shown[0]
        for j in range(1, shown.shape[0]):
            row += shown[j]
        row *= scale
    else:
        for j in range(shown.shape[0]):
            notional[j, column] = shown[j] * scale


@jit
def _write_nb(row, placed, unplaced, closed, liquidated, value, factor):
    row[0], row[1], row[2], row[3], row[4], row[5] = placed, unplaced, closed, liquidated, value, factor


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
def _standing_nb(share, rung_epoch, entries, swept, scale, wanted):
    """Coins that stand on every rung; zeros where nobody asks."""
    standing = np.zeros(rung_epoch.size)
    if wanted:
        for j in range(rung_epoch.size):
            standing[j] = share[j] * scale * (entries[rung_epoch[j]] - swept[j]).sum()
    return standing
