"""The compiled part of the ledger: arrays and scalars only, one thread, no fastmath. Its plain twin is in the tests.

One call runs one side; shorts come in mirrored (cell → −cell), so that every level is touched from above. Everywhere
`j` is a leverage level, `p` its close-rate group (leverage levels of one tier version that close at one close rate),
`g` the tier version, `e` an entry cell. Amounts are *stored*: coins ÷ scale of the close-rate group, so that closing a
share of everything in it touches one number.
"""

from __future__ import annotations

import numpy as np

from liqlab.engine.columns import expire_nb, refresh_nb, write_column_nb
from liqlab.engine.jit import jit

MIN_SCALE = 2.0**-64  # below this scale the stored amounts are multiplied by it: a power of two, so no digit is lost
NOTHING = -(2**62)
ATTRIBUTED, SCALE = 0, 1


@jit
def run_nb(
    touch, near, far, sign, shift, opened, open_interest, fade, version, cells, share, group, group_version, close_rate,
    layer, level_price, entry_price, last, alive, bins, same_bar_share, entries, swept, top, fresh, amounts, total,
    standing, notional, balance, flow, left, levels, added, expired, shown, work, hull, gap, got,
):  # fmt: skip
    """All steps of one side in order: touch what stood, open, catch what is reached at once, close, write columns.

    Grid cells (of the touch, and of the two ends of the entries) become storage indices by ``sign·cell + shift``.
    """
    lookback, groups = alive.size > 0 and alive[-1] > 0, group_version.size
    out, coins, factor, unit = np.zeros((groups, 2)), np.zeros(groups), np.ones(groups), np.empty(groups)
    attributed, scale, dead = amounts[:, ATTRIBUTED], amounts[:, SCALE], np.zeros(groups, np.int64)
    nearest, part_of = _nearest_nb(cells, group, group_version, fresh.size), _part_nb(share, group, groups)
    if levels.shape[0] > 0 and np.isnan(standing).any():
        _recount_nb(share, group, entries, swept, scale, standing)
    reach, column = _reach_nb(cells, group, group_version, top, fresh), 0
    for t in range(opened.size):
        at, g, value, caught = sign * touch[t] + shift, version[t], 0.0, 0.0
        for p in range(groups):
            unit[p] = scale[p]
        if at <= reach:
            value, reach = _sweep_nb(at, cells, share, group, group_version, scale, level_price, entry_price, entries,
                                     swept, top, fresh, gap, got, out)  # fmt: skip
        if opened[t] > 0.0:
            low, high = sign * near[t] + shift, sign * far[t] + shift
            _open_nb(t, g, low, high, opened[t], group_version, scale, entries, added)
            fresh[g], reach = max(fresh[g], high), max(reach, high - nearest[g])
            hull[g, 0], hull[g, 1] = min(hull[g, 0], low), max(hull[g, 1], high)
            if at + nearest[g] <= high:
                caught = _catch_nb(g, at, low, high, opened[t], cells, share, group, group_version, scale, level_price,
                                   entry_price, entries, swept, got, out)  # fmt: skip
                value += same_bar_share * caught
        lost, early, stood = 0.0, 0.0, 0.0
        for p in range(groups):
            gained = opened[t] * part_of[p] / scale[p] if group_version[p] == g else 0.0
            attributed[p] = max(attributed[p] - out[p, 0], 0.0) + max(gained - out[p, 1], 0.0)
            lost, early = lost + out[p, 0] * scale[p], early + out[p, 1] * scale[p]
            coins[p] = attributed[p] * scale[p]
            stood += coins[p]
        total[0] += opened[t] - (lost + early)
        _close_nb(open_interest[t], fade[t], total[0], stood, coins, close_rate, factor)
        kept = 0.0
        for p in range(groups):
            kept += coins[p] * factor[p]
            scale[p] *= factor[p]
            if factor[p] == 0.0:
                attributed[p], scale[p], dead[p] = 0.0, 1.0, t + 1
                _clear_nb(p, group, entries, swept, expired, gap)
        # what is not attributed is open interest whose entries are unknown
        total[0] = total[0] - (stood - kept) if np.isnan(open_interest[t]) else open_interest[t]
        if flow.shape[1] > 0:
            flow[0, t], flow[1, t] = kept, max(total[0] - kept, 0.0)
            flow[2, t], flow[3, t] = (stood - kept) + (1.0 - same_bar_share) * early, lost + same_bar_share * early
            flow[4, t], left[:, t] = value, factor
        if levels.shape[0] > 0:
            _record_nb(
                g, opened[t], unit, factor, same_bar_share, share, group, group_version, got, standing, levels[t]
            )
        if lost + early > 0.0:
            _forget_nb(got, out)
        _shrink_nb(group, attributed, scale, entries, swept, expired, shown, added)
        if column < last.size and t == last[column]:
            if lookback:
                expire_nb(dead, alive[column], near, far, sign, shift, version, group_version, added, expired, hull)
            refresh_nb(cells, share, group, group_version, level_price, entry_price, bins, entries, swept, expired,
                        hull, gap, sign < 0, work, shown)  # fmt: skip
            write_column_nb(group, layer, scale, shown, column, notional)
            balance[0, column], balance[1, column] = kept, max(total[0] - kept, 0.0)
            column += 1


@jit
def scratch_arrays_nb(n_steps, entries, n_levels, bins, lookback):
    """What a run writes on, for itself: the last seven arguments of `run_nb`."""
    groups, size = entries.shape
    added = np.zeros((groups, n_steps if lookback else 0))  # by every step to each of its entry cells
    expired = np.zeros((groups, size if lookback else 0))
    shown, work = np.zeros((n_levels, bins.size - 1)), np.empty(max(bins[-1] - bins[0], 0))
    hull = np.zeros((groups, 2), np.int64)  # entry cells opened or expired since the last column, by tier version
    hull[:, 1] = size - 1
    gap = np.zeros((n_levels, 2), np.int64)  # entry cells swept since, by leverage level
    gap[:, 0], gap[:, 1] = size, -1
    got = np.zeros((n_levels, 2))  # of this step: swept and caught
    return added, expired, shown, work, hull, gap, got


@jit
def _forget_nb(got, out):
    """Empty what a step wrote down; loops, because a slice costs more than so few numbers."""
    for k in range(2):
        for j in range(got.shape[0]):
            got[j, k] = 0.0
        for p in range(out.shape[0]):
            out[p, k] = 0.0


@jit
def _close_nb(open_interest, fade, total, stood, coins, close_rate, factor):
    """Share of every close-rate group that closing leaves.

    Fading is given; otherwise as much is closed as the open interest says. Close-rate groups close in step with their
    close rate, the unattributed part at close rate 1, and a close-rate group that has not enough is closed whole: then
    the others bear the rest.
    """
    for p in range(factor.size):
        factor[p] = 1.0
    if fade > 0.0:
        for p in range(coins.size):
            factor[p] = np.exp(-fade * close_rate[p])
    elif total > open_interest:  # false where nothing is known
        if coins.size == 1:
            factor[0] = open_interest / total
        else:
            _fill_nb(total - open_interest, max(total - stood, 0.0), coins, close_rate, factor)
            kept = 0.0
            for p in range(coins.size):
                kept += coins[p] * factor[p]
            if kept > open_interest:  # by a rounding error, or because nothing was to be left
                for p in range(coins.size):
                    factor[p] *= open_interest / kept
    for p in range(coins.size):
        if factor[p] < 1e-200:
            factor[p] = 0.0  # nothing that a scale could express is left


@jit
def _fill_nb(need, unattributed, coins, close_rate, factor):
    """Water level: the rate at which ``Σ min(rate · close_rate, 1) · coins`` is what has to be closed."""
    again, rate = True, 0.0
    while again:
        load, again = unattributed, False
        for p in range(coins.size):
            if factor[p] > 0.0:
                load += close_rate[p] * coins[p]
        rate = max(need, 0.0) / load if load > 0.0 else 0.0
        if rate >= 1.0 and unattributed > 0.0:
            need, unattributed, again = need - unattributed, 0.0, True
        for p in range(coins.size):
            if factor[p] > 0.0 and rate * close_rate[p] >= 1.0:
                need, factor[p], again = need - coins[p], 0.0, True
    for p in range(coins.size):
        if factor[p] > 0.0:
            factor[p] = 1.0 - rate * close_rate[p]


@jit
def _open_nb(t, g, low, high, opened, group_version, scale, entries, added):
    """Spread what opens evenly over its entry cells, in every close-rate group of the tier version."""
    for p in range(group_version.size):
        if group_version[p] == g:
            part, row = opened / scale[p] / (high - low + 1), entries[p]
            for e in range(np.uint64(low), np.uint64(high + 1)):  # unsigned: no check for negative indices
                row[e] += part
            if added.shape[1] > 0:
                added[p, t] = part


@jit
def _sweep_nb(
    at, cells, share, group, group_version, scale, level_price, entry_price, entries, swept, top, fresh, gap, got, out
):
    """Liquidate every level at or above the touch; returns coins × price and the highest level left."""
    value, reach = 0.0, NOTHING
    for j in range(cells.size):
        p = group[j]
        highest, cut = max(top[j], fresh[group_version[p]]), max(at + cells[j], 0)
        if cut <= highest:
            x, v = 0.0, 0.0
            total, gone, price = (
                entries[p, cut : highest + 1],
                swept[j, cut : highest + 1],
                entry_price[cut : highest + 1],
            )
            for k in range(total.size):
                standing = total[k] - gone[k]
                x += standing
                v += standing * price[k]
                gone[k] = total[k]
            got[j, 0] = share[j] * x
            out[p, 0] += got[j, 0]
            value += share[j] * level_price[j] * v * scale[p]
            gap[j, 0], gap[j, 1] = min(gap[j, 0], cut), max(gap[j, 1], highest)
        top[j] = min(highest, cut - 1)
        reach = max(reach, top[j] - cells[j])
    for g in range(fresh.size):
        fresh[g] = -1
    return value, reach


@jit
def _catch_nb(
    g,
    at,
    low,
    high,
    opened,
    cells,
    share,
    group,
    group_version,
    scale,
    level_price,
    entry_price,
    entries,
    swept,
    got,
    out,
):
    """Openings whose level the same step reaches never stand; returns coins × level price."""
    value = 0.0
    for j in range(cells.size):
        p, cut = group[j], max(at + cells[j], low)
        if group_version[p] == g and cut <= high:
            prices, part = 0.0, opened / (high - low + 1)
            for e in range(cut, high + 1):
                swept[j, e] = entries[p, e]
                prices += entry_price[e]
            got[j, 1] = share[j] * (part / scale[p]) * (high - cut + 1)
            out[p, 1] += got[j, 1]
            value += share[j] * level_price[j] * part * prices
    return value


@jit
def _shrink_nb(group, attributed, scale, entries, swept, expired, shown, added):
    """Close-rate groups whose scale has become small: all their stored amounts × MIN_SCALE."""
    for p in range(scale.size):
        while scale[p] < MIN_SCALE:
            attributed[p], scale[p] = attributed[p] * MIN_SCALE, scale[p] / MIN_SCALE
            for array in (entries, expired, added):
                for k in range(array.shape[1]):
                    array[p, k] *= MIN_SCALE
            for j in range(group.size):
                if group[j] == p:
                    for array in (swept, shown):
                        for k in range(array.shape[1]):
                            array[j, k] *= MIN_SCALE


@jit
def _clear_nb(p, group, entries, swept, expired, gap):
    """A whole close-rate group is closed: begin at 0, so that what opens next keeps all its digits."""
    entries[p], expired[p] = 0.0, 0.0
    for j in range(group.size):
        if group[j] == p:
            swept[j], gap[j, 0], gap[j, 1] = 0.0, 0, entries.shape[1] - 1


@jit
def _record_nb(g, opened, unit, factor, same_bar_share, share, group, group_version, got, standing, row):
    """Standing, liquidated and closed coins of every leverage level after a step."""
    for j in range(group.size):
        p = group[j]
        gained = share[j] * opened if group_version[p] == g else 0.0
        swept, caught = got[j, 0] * unit[p], got[j, 1] * unit[p]
        stood = max((standing[j] - swept) + (gained - caught), 0.0)
        standing[j] = stood * factor[p]
        row[j, 0] = standing[j]
        row[j, 1] = swept + same_bar_share * caught
        row[j, 2] = stood * (1.0 - factor[p]) + (1.0 - same_bar_share) * caught


@jit
def _nearest_nb(cells, group, group_version, tier_versions):
    """Smallest distance of a tier version's leverage levels."""
    nearest = np.full(tier_versions, -NOTHING)
    for j in range(cells.size):
        g = group_version[group[j]]
        nearest[g] = min(nearest[g], cells[j])
    return nearest


@jit
def _part_nb(share, group, groups):
    """Share of a tier version's openings that goes to each close-rate group."""
    part = np.zeros(groups)
    for j in range(share.size):
        part[group[j]] += share[j]
    return part


@jit
def _reach_nb(cells, group, group_version, top, fresh):
    """Highest cell at which a level may stand."""
    reach = NOTHING
    for j in range(cells.size):
        reach = max(reach, max(top[j], fresh[group_version[group[j]]]) - cells[j])
    return reach


@jit
def _recount_nb(share, group, entries, swept, scale, standing):
    """Coins that stand on every leverage level, summed anew."""
    for j in range(group.size):
        standing[j] = 0.0
        for e in range(entries.shape[1]):
            standing[j] += share[j] * scale[group[j]] * (entries[group[j], e] - swept[j, e])


@jit
def prices_nb(origin, size, step):
    """Price at the centre of each cell; scalar exp, so that a cell's price never depends on its place in an array."""
    prices = np.empty(size)
    for k in range(size):
        prices[k] = np.exp((origin + k + 0.5) * step)
    return prices
