"""The compiled part of the ledger: arrays and scalars only, one thread, no fastmath. Its plain twin is in the tests.

One call runs one side; shorts come in mirrored (cell → −cell), so that every level is touched from above. Everywhere
`r` is a row, `j` a leverage level, `p` a close-rate group, `g` a tier version; what is passed is told in `contracts`.
Amounts are *stored*: coins ÷ scale of the close-rate group, so that closing a share of everything in it touches one
number.
"""

from __future__ import annotations

import numpy as np

from liqlab.engine.columns import write_column_nb
from liqlab.engine.contracts import AGE, ATTRIBUTED, FAR, HULL_HIGH, HULL_LOW, LOWEST, MIN_SCALE, REACH, SCALE
from liqlab.engine.jit import inlined, jit
from liqlab.engine.lookback import begin_nb, expire_nb, open_seen_nb, settle_seen_nb, shrink_seen_nb, touch_seen_nb
from liqlab.engine.settling import pending_nb, reset_nb, settle_nb


@jit
def run_nb(steps, rows, grid, state, scratch, output, same_bar_share, settle_every, lookback, by_level):
    """All steps of one side in order: touch what stood, open, catch what is reached at once, close, write columns."""
    # fields are taken out of their tuples once: in every step it would cost as much as the step
    marks, amounts, entries, total, column = state.marks, state.amounts, state.entries, state.total, np.int64(0)
    out, got, coins, gained, factor = scratch.out, scratch.got, scratch.coins, scratch.gained, scratch.factor
    version, close_rate, weight, nearest = rows.version, rows.close_rate, rows.weight, rows.nearest
    touch, near, far, sign, shift = steps.touch, steps.near, steps.far, steps.sign, steps.shift
    openings, target, fade = steps.opened, steps.open_interest, steps.fade
    tier_version, last = steps.version, steps.last
    if lookback is not None:
        begin_nb(rows, state, lookback)
    if by_level is not None:
        _recount_nb(rows, state, scratch, by_level.standing)
    for t in range(openings.size):
        at, opened, g, value, touched = sign * touch[t] + shift, openings[t], tier_version[t], 0.0, False
        if by_level is not None:
            by_level.unit[:] = amounts[:, SCALE]
        if at <= marks[REACH]:
            if lookback is not None:
                touch_seen_nb(at, rows, marks, scratch, lookback)
            value, touched = _touch_nb(at, np.int64(0), rows, grid, state, scratch), True
        if opened > 0.0:
            low, high = sign * near[t] + shift, sign * far[t] + shift
            _open_nb(g, low, high, opened, version, weight, amounts, entries, gained)
            marks[REACH] = max(marks[REACH], high - nearest[g])
            marks[HULL_LOW], marks[HULL_HIGH] = min(marks[HULL_LOW], low), max(marks[HULL_HIGH], high)
            marks[AGE] += 1
            if lookback is not None:
                open_seen_nb(t, g, low, high, opened, version, amounts, lookback)
            if at <= marks[REACH]:
                if lookback is not None:
                    touch_seen_nb(at, rows, marks, scratch, lookback)
                value += same_bar_share * _touch_nb(at, np.int64(1), rows, grid, state, scratch)
                touched = True
        stood, lost, early, load = _stand_nb(touched, amounts, out, gained, close_rate, coins)
        before = total[0] + (opened - (lost + early))
        kept = _close_nb(target[t], fade[t], before, stood, load, rows.fastest, coins, close_rate, factor)
        # what is not attributed is open interest whose entries are unknown
        total[0] = before - (stood - kept) if np.isnan(target[t]) else target[t]
        for p in range(factor.size):
            amounts[p, SCALE] *= factor[p]
            if amounts[p, SCALE] < MIN_SCALE:
                by = _shrink_nb(p, rows, state, scratch)
                if lookback is not None:
                    shrink_seen_nb(p, t, by, rows.group, lookback)
        if output.flow.shape[1] > 0:
            closed, liquidated = (stood - kept) + (1.0 - same_bar_share) * early, lost + same_bar_share * early
            _write_flow_nb(t, kept, total[0], closed, liquidated, value, factor, output)
        if by_level is not None:
            _record_nb(t, g, opened, same_bar_share, rows, scratch, by_level)
        if touched:
            _forget_nb(out, got)
        shown = column < last.size and t == last[column]
        if marks[AGE] >= settle_every or (shown and steps.alive[column] > 0):
            if lookback is not None:
                settle_seen_nb(rows, state, lookback)
            _settle_all_nb(rows, marks, entries, state.settled, state.swept, scratch.dirty)
        if shown:
            _show_nb(column, t, steps, rows, grid, state, scratch, output, lookback)
            output.balance[0, column], output.balance[1, column] = kept, max(total[0] - kept, 0.0)
            column += 1


@inlined
def _show_nb(column, t, steps, rows, grid, state, scratch, output, lookback):
    """Write a column after step t.

    As long as nothing has left the lookback there is none: so what is shown does not depend on whether anything will.
    """
    settled = state.settled
    if lookback is not None:  # noqa: SIM102 - alone, so that numba leaves out what stands below
        if steps.alive[column] > 0:
            expire_nb(steps.alive[column], t, steps, rows, scratch, lookback)
            settled = lookback.seen
    write_column_nb(column, rows, grid, state, scratch, settled, output.notional)


@inlined
def _open_nb(g, low, high, opened, version, weight, amounts, entries, gained):
    """Spread what opens evenly over its entry cells, in every close-rate group of the tier version."""
    per_cell = 1.0 / (high - low + 1)
    for p in range(version.size):
        if version[p] == g:
            stored, row = opened / amounts[p, SCALE], np.uint64(p)
            part, gained[p] = stored * per_cell, stored * weight[p]
            for e in range(np.uint64(low), np.uint64(high + 1)):  # unsigned: no check for negative indices
                entries[row, e] += part


@inlined
def _stand_nb(touched, amounts, out, gained, close_rate, coins):
    """Coins before closing, touched, and touched in the step of their opening; and Σ close rate × coins."""
    stood, lost, early, load = 0.0, 0.0, 0.0, 0.0
    for p in range(coins.size):
        scale, attributed = amounts[p, SCALE], amounts[p, ATTRIBUTED] + gained[p]
        if touched:
            attributed = max(amounts[p, ATTRIBUTED] - out[0, p], 0.0) + max(gained[p] - out[1, p], 0.0)
            lost, early = lost + out[0, p] * scale, early + out[1, p] * scale
        amounts[p, ATTRIBUTED], gained[p], coins[p] = attributed, 0.0, attributed * scale
        stood += attributed * scale
        load += close_rate[p] * (attributed * scale)
    return stood, lost, early, load


@inlined
def _close_nb(open_interest, fade, total, stood, load, fastest, coins, close_rate, factor):
    """Close; returns the coins that are kept, `factor` tells of which share of every close-rate group.

    Close-rate groups close in step with their close rate, the unattributed part at close rate 1: a share
    ``rate · close_rate`` of each is closed, at the one rate at which it is what the open interest says; or fading is
    given. `fastest` is the highest close rate, at least 1.
    """
    kept, unattributed = 0.0, max(total - stood, 0.0)
    need = (stood + unattributed) - open_interest
    if fade > 0.0:
        for p in range(coins.size):
            factor[p] = np.exp(-fade * close_rate[p])
    elif not need > 0.0:  # nothing is to be closed, or nothing known
        for p in range(coins.size):
            factor[p] = 1.0
        return stood
    elif need * fastest < unattributed + load:
        rate = need / (unattributed + load)
        for p in range(coins.size):
            factor[p] = 1.0 - rate * close_rate[p]
    else:
        _fill_nb(need, unattributed, coins, close_rate, factor)
    for p in range(coins.size):
        kept += coins[p] * factor[p]
    if kept > open_interest * (1.0 + 1e-14) or kept < 1e-200 * stood:  # false where nothing is known
        kept = _trim_nb(open_interest, kept, coins, factor)
    return kept


@inlined
def _trim_nb(open_interest, kept, coins, factor):
    """The rounding of a collapse, and shares that no scale could express."""
    left, by = 0.0, open_interest / kept if kept > open_interest else 1.0
    for p in range(coins.size):
        factor[p] *= by
        if factor[p] < 1e-200:
            factor[p] = 0.0
        left += coins[p] * factor[p]
    return left


@inlined
def _fill_nb(need, unattributed, coins, close_rate, factor):
    """A close-rate group that has not enough is closed whole, and the others bear the rest.

    Water level: the rate at which ``Σ min(rate · close_rate, 1) · coins`` is what has to be closed.
    """
    for p in range(coins.size):
        factor[p] = 1.0
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
def _touch_nb(at, kind, rows, grid, state, scratch):
    """Liquidate every level at or above the touch; returns coins × price."""
    marks, dirty, out, got, value = state.marks, scratch.dirty, scratch.out, scratch.got, 0.0
    entries, first, cells, share, amounts = state.entries, rows.first, rows.cells, rows.share, state.amounts
    group, near, depth, reach, price = rows.group, rows.near, rows.depth, marks[REACH], grid.price
    work, settled, swept, over = scratch.work, state.settled, state.swept, np.uint64(at + grid.depth)
    for r in range(group.size):
        size = min(reach, entries.shape[1] - 1 - near[r]) - at + 1
        if size > 0:
            p, row, to, coins, quote = group[r], np.uint64(r), np.uint64(at + depth[r]), 0.0, 0.0
            pending_nb(at, size, first[r], first[r + 1], cells, share, entries, p, marks, work)
            for k in range(np.uint64(size)):
                standing = settled[row, to + k] + (work[k] - swept[row, to + k])
                coins += standing
                quote += standing * price[over + k]
                settled[row, to + k], swept[row, to + k] = 0.0, work[k]
            got[kind, r] = coins
            out[kind, p] += coins
            value += quote * amounts[p, SCALE]
    last = dirty.shape[0] - 1
    dirty[last, 0], dirty[last, 1] = min(dirty[last, 0], at), max(dirty[last, 1], reach)
    marks[LOWEST], marks[REACH] = min(marks[LOWEST], at), at - 1
    return value


@jit
def _settle_all_nb(rows, marks, entries, settled, swept, dirty):
    """Move what was opened since the last settlement to its level cells."""
    near, depth = rows.near, rows.depth
    settle_nb(1.0, rows.cells, rows.share, rows.first, rows.group, near, depth, entries, swept, marks, settled)
    for r in range(near.size):
        dirty[r, 0] = min(dirty[r, 0], marks[HULL_LOW] - depth[r])
        dirty[r, 1] = max(dirty[r, 1], marks[HULL_HIGH] - near[r])
    reset_nb(near, depth, entries, swept, marks)


@jit
def _shrink_nb(p, rows, state, scratch):
    """The scale has become small: all stored amounts × MIN_SCALE; or 0, a whole group closed: begin anew.

    What opens next then keeps all its digits. Returns by what the stored amounts were multiplied.
    """
    scale, by, entries, settled, swept, dirty, group = (
        state.amounts[p, SCALE], 0.0, state.entries, state.settled, state.swept, scratch.dirty, rows.group,
    )  # fmt: skip
    if scale > 0.0:
        by = 1.0
        while scale < MIN_SCALE:
            scale, by = scale / MIN_SCALE, by * MIN_SCALE
    state.amounts[p, SCALE] = scale if scale > 0.0 else 1.0
    state.amounts[p, ATTRIBUTED] *= by
    for k in range(entries.shape[1]):
        entries[p, k] *= by
    for r in range(group.size):
        if group[r] == p:
            for k in range(settled.shape[1]):
                settled[r, k] *= by
                swept[r, k] *= by
            dirty[r, 0], dirty[r, 1] = -FAR, FAR
    return by


@inlined
def _write_flow_nb(t, kept, total, closed, liquidated, value, factor, output):
    flow, left = output.flow, output.left
    flow[0, t], flow[1, t], flow[2, t], flow[3, t], flow[4, t] = kept, max(total - kept, 0.0), closed, liquidated, value
    for p in range(factor.size):
        left[p, t] = factor[p]


@inlined
def _forget_nb(out, got):
    """Empty what a step wrote down; loops, because a slice costs more than so few numbers."""
    for k in range(2):
        for p in range(out.shape[1]):
            out[k, p] = 0.0
        for r in range(got.shape[1]):
            got[k, r] = 0.0


@inlined
def _record_nb(t, g, opened, same_bar_share, rows, scratch, by_level):
    """Standing, liquidated and closed coins of every leverage level after a step; each is a row."""
    unit, factor, standing, levels = by_level.unit, scratch.factor, by_level.standing, by_level.levels
    for r in range(rows.group.size):
        p = rows.group[r]
        gained = rows.share[r] * opened if rows.version[p] == g else 0.0
        swept, caught = scratch.got[0, r] * unit[p], scratch.got[1, r] * unit[p]
        stood = max((standing[r] - swept) + (gained - caught), 0.0)
        standing[r] = stood * factor[p]
        levels[t, r, 0] = standing[r]
        levels[t, r, 1] = swept + same_bar_share * caught
        levels[t, r, 2] = stood * (1.0 - factor[p]) + (1.0 - same_bar_share) * caught


@inlined
def _recount_nb(rows, state, scratch, standing):
    """Coins that stand on every leverage level, summed anew where the run before did not write them down."""
    for r in range(rows.group.size):
        if np.isnan(standing[r]):
            p, work, coins = rows.group[r], scratch.work, 0.0
            size = state.entries.shape[1] + rows.depth[r] - rows.near[r]
            pending_nb(-rows.depth[r], size, rows.first[r], rows.first[r + 1], rows.cells, rows.share, state.entries, p,
                       state.marks, work)  # fmt: skip
            for k in range(size):
                coins += state.settled[r, k] + (work[k] - state.swept[r, k])
            standing[r] = state.amounts[p, SCALE] * coins


@jit
def prices_nb(origin, size, step):
    """Price at the centre of each cell; scalar exp, so that a cell's price never depends on its place in an array."""
    prices = np.empty(size)
    for k in range(size):
        prices[k] = np.exp((origin + k + 0.5) * step)
    return prices
