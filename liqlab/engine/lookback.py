"""The compiled lookback of the ledger: a second account of what stands, from which old openings are taken away.

What is taken away leaves rounding errors; so openings are counted as well, and where none is left nothing stands.
"""

from __future__ import annotations

from liqlab.engine.contracts import FAR, HULL_HIGH, HULL_LOW, LOWEST, REACH, SCALE
from liqlab.engine.jit import jit
from liqlab.engine.settling import pending_nb, reset_nb, settle_nb


@jit
def begin_nb(rows, state, lookback):
    """What a carried ledger holds counts as seen: its openings are not known one by one."""
    marks = state.marks
    settle_nb(
        1.0,
        rows.cells,
        rows.share,
        rows.first,
        rows.group,
        rows.near,
        rows.depth,
        state.entries,
        state.swept,
        marks,
        state.settled,
    )
    reset_nb(rows.near, rows.depth, state.entries, state.swept, marks)
    lookback.seen[:] = state.settled
    for r in range(rows.group.size):
        for k in range(state.settled.shape[1]):
            lookback.number[r, k] = 1.0 if state.settled[r, k] > 0.0 else 0.0


@jit
def open_seen_nb(t, g, low, high, opened, version, amounts, lookback):
    """Write down and count what a step opens."""
    for p in range(version.size):
        if version[p] == g:
            lookback.added[p, t] = opened / amounts[p, SCALE] * (1.0 / (high - low + 1))
            lookback.entries[p, low : high + 1] += 1.0


@jit
def touch_seen_nb(at, rows, marks, scratch, lookback):
    """Levels at or above the touch are gone; before `marks` are brought up to date."""
    seen, number, swept, entries, ones = lookback.seen, lookback.number, lookback.swept, lookback.entries, lookback.ones
    depth, cells, work = rows.depth, rows.cells, scratch.work
    for r in range(rows.group.size):
        top = min(marks[REACH], lookback.entries.shape[1] - 1 - rows.near[r])
        if at <= top:
            first, size, begin, end = at + depth[r], top - at + 1, rows.first[r], rows.first[r + 1]
            pending_nb(at, size, begin, end, cells, ones, entries, rows.group[r], marks, work)
            for k in range(size):
                seen[r, first + k], number[r, first + k], swept[r, first + k] = 0.0, 0.0, work[k]


@jit
def shrink_seen_nb(p, t, by, group, lookback):
    """The stored amounts of a group have been multiplied; by 0 at the end of step t: what had opened is closed."""
    seen, number, swept, added, entries = (
        lookback.seen,
        lookback.number,
        lookback.swept,
        lookback.added,
        lookback.entries,
    )
    for k in range(added.shape[1]):
        added[p, k] *= by
    for r in range(group.size):
        if group[r] == p:
            for k in range(seen.shape[1]):
                seen[r, k] *= by
                if by == 0.0:
                    number[r, k], swept[r, k] = 0.0, 0.0
    if by == 0.0:
        entries[p] = 0.0
        lookback.dead[p] = t + 1


@jit
def settle_seen_nb(rows, state, lookback):
    """Settle amounts and counts of what is seen; before `state` is settled itself."""
    marks = state.marks
    settle_nb(
        1.0,
        rows.cells,
        rows.share,
        rows.first,
        rows.group,
        rows.near,
        rows.depth,
        state.entries,
        state.swept,
        marks,
        lookback.seen,
    )
    settle_nb(
        1.0,
        rows.cells,
        lookback.ones,
        rows.first,
        rows.group,
        rows.near,
        rows.depth,
        lookback.entries,
        lookback.swept,
        marks,
        lookback.number,
    )
    reset_nb(rows.near, rows.depth, lookback.entries, lookback.swept, marks.copy())


@jit
def expire_nb(alive, last, steps, rows, scratch, lookback):
    """Take the openings of the steps before `alive` away, as far as nothing has touched them up to the step `last`."""
    begin, marks = lookback.begun[0], lookback.marks
    if begin >= alive:
        return
    if begin == 0:  # so far the bins were those of all that is settled
        scratch.dirty[:, 0], scratch.dirty[:, 1] = -FAR, FAR
    later, lowest = lookback.later, FAR
    later[last + 1] = FAR
    for t in range(last, begin - 1, -1):
        lowest = min(lowest, steps.sign * steps.touch[t] + steps.shift)
        later[t] = lowest
    marks[HULL_LOW], marks[HULL_HIGH], marks[LOWEST] = FAR, -FAR, FAR
    for t in range(begin, alive):
        if steps.opened[t] > 0.0:
            _leave_nb(t, steps, rows, lookback)
        if later[t] < later[t + 1]:  # touched in this step, and never again
            _go_nb(later[t], later[t + 1] - 1, rows, scratch, lookback)
    if later[alive] < FAR:
        _go_nb(later[alive], FAR, rows, scratch, lookback)
    _take_away_nb(rows, scratch, lookback)
    lookback.begun[0] = alive


@jit
def _leave_nb(t, steps, rows, lookback):
    """The openings of a step are among those that leave."""
    low, high = steps.sign * steps.near[t] + steps.shift, steps.sign * steps.far[t] + steps.shift
    marks, leaving, version, dead = lookback.marks, lookback.leaving, rows.version, lookback.dead
    for p in range(version.size):
        if version[p] == steps.version[t] and t >= dead[p]:
            added = lookback.added[p, t]
            for e in range(low, high + 1):
                leaving[0, p, e] += added
                leaving[1, p, e] += 1.0
    marks[HULL_LOW], marks[HULL_HIGH] = min(marks[HULL_LOW], low), max(marks[HULL_HIGH], high)


@jit
def _go_nb(first, final, rows, scratch, lookback):
    """Of what leaves so far, nothing stands at these level cells any more."""
    marks, gone, work = lookback.marks, lookback.gone, scratch.work
    for r in range(rows.group.size):
        top = min(final, marks[HULL_HIGH] - rows.near[r])
        if first <= top:
            at, size, begin, end = first + rows.depth[r], top - first + 1, rows.first[r], rows.first[r + 1]
            for n in range(2):
                share = rows.share if n == 0 else lookback.ones
                pending_nb(first, size, begin, end, rows.cells, share, lookback.leaving[n], rows.group[r], marks, work)
                for k in range(size):
                    gone[n, r, at + k] = work[k]
    marks[LOWEST] = min(marks[LOWEST], first)


@jit
def _take_away_nb(rows, scratch, lookback):
    """Subtract what leaves; where no opening is left nothing is seen."""
    marks, seen, number = lookback.marks, lookback.seen, lookback.number
    low, high = marks[HULL_LOW], marks[HULL_HIGH]
    if low > high:
        return
    settle_nb(
        -1.0,
        rows.cells,
        rows.share,
        rows.first,
        rows.group,
        rows.near,
        rows.depth,
        lookback.leaving[0],
        lookback.gone[0],
        marks,
        seen,
    )
    settle_nb(
        -1.0,
        rows.cells,
        lookback.ones,
        rows.first,
        rows.group,
        rows.near,
        rows.depth,
        lookback.leaving[1],
        lookback.gone[1],
        marks,
        number,
    )
    reset_nb(rows.near, rows.depth, lookback.leaving[0], lookback.gone[0], marks.copy())
    reset_nb(rows.near, rows.depth, lookback.leaving[1], lookback.gone[1], marks.copy())
    for r in range(rows.group.size):
        dirty, depth = scratch.dirty[r], rows.depth[r]
        dirty[0], dirty[1] = min(dirty[0], low - depth), max(dirty[1], high - rows.near[r])
        for k in range(low, high - rows.near[r] + depth + 1):
            seen[r, k] = max(seen[r, k], 0.0) if number[r, k] > 0.0 else 0.0
