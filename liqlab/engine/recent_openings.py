"""What is liquidated of positions that are not older than a lookback: a second account beside the ledger's own.

The ledger says which share of a coin closing has left from step to step. With that, the openings of each step can be
followed alone: they are touched where the prices of later steps go further than any step between did.
"""

from __future__ import annotations

import numpy as np

from liqlab.engine.grid import price_of
from liqlab.engine.jit import jit
from liqlab.engine.records import Ladder, Steps

__all__ = ["liquidated_recently"]


def liquidated_recently(
    steps: Steps, ladder: Ladder, survival: np.ndarray, alive: np.ndarray, *, same_bar_share: float
) -> tuple[np.ndarray, np.ndarray]:
    """Coins and notional liquidated in every step, of what was opened within its lookback.

    Parameters
    ----------
    steps, ladder
        Those of the ledger's run.
    survival : ndarray (step, side, rate_group)
        As in `Record`.
    alive : ndarray (step,)
        First step whose openings still count, ascending.
    same_bar_share : float
        As in `run_ledger`.

    Returns
    -------
    coins, notional : ndarray (step, side)
        Coins, and coins × level price [quote].
    """
    group, n_steps = ladder.rate_groups[0], len(steps)
    coins, notional = np.zeros((2, n_steps)), np.zeros((2, n_steps))
    with np.errstate(divide="ignore"):
        left = np.log(survival)
    gone = np.isneginf(left)
    before = np.zeros((2, n_steps + 1, survival.shape[2]))  # logs of what is left when a step begins
    before[:, 1:] = np.where(gone, 0.0, left).cumsum(axis=0).swapaxes(0, 1)
    closed = np.zeros(before.shape, np.int64)  # how often a whole group was closed until then
    closed[:, 1:] = gone.cumsum(axis=0).swapaxes(0, 1)
    deep = int(ladder.cells.max())
    for s, sign in enumerate((1, -1)):  # shorts in the mirror, where highs are lows
        touch = sign * (steps.touch_high if s else steps.touch_low)
        ends = sign * steps.entry_low, sign * steps.entry_high
        near, far = ends[::sign]
        low = min(int(touch.min()), int(near.min())) - deep
        price = price_of(sign * np.arange(low, int(far.max()) + 1))
        _follow_nb(touch, near, far, steps.opened[s], alive, steps.tier_version, ladder.tier_version, ladder.cells[s],
                   ladder.share[s], group, before[s], closed[s], np.append(0.0, price.cumsum()), low,
                   float(same_bar_share), coins[s], notional[s])  # fmt: skip
    return coins.T, notional.T


@jit
def _follow_nb(
    touch, near, far, opened, alive, version, level_version, cells, share, group, before, closed, price, low,
    same_bar_share, coins, notional,
):  # fmt: skip
    n, lower = touch.size, np.empty(touch.size, np.int64)  # the next step that goes further
    for t in range(n - 1, -1, -1):
        u = t + 1
        while u < n and touch[u] >= touch[t]:
            u = lower[u]
        lower[t] = u
    deep = cells.max()
    for s in range(n):
        if not opened[s] > 0.0:
            continue
        per_cell, reached, t = opened[s] / (far[s] - near[s] + 1), far[s] + 1, s
        while t < n and s >= alive[t] and reached > near[s] - deep:
            for j in range(cells.size):
                first, stop = max(near[s] - cells[j], touch[t]), min(far[s] - cells[j] + 1, reached)
                if level_version[j] == version[s] and first < stop:
                    p, amount = group[j], per_cell * share[j]
                    if t == s:
                        amount *= same_bar_share
                    elif closed[t, p] > closed[s, p]:
                        amount = 0.0
                    else:
                        amount *= np.exp(before[t, p] - before[s, p])
                    coins[t] += amount * (stop - first)
                    notional[t] += amount * (price[stop - low] - price[first - low])
            reached, t = min(reached, touch[t]), lower[t]
