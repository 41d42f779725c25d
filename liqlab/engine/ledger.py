"""The position ledger: the one kernel that opens, touches and closes estimated positions on a fixed log-price grid.

Positions are kept by the cell of their *entry*; a class of the law stands a fixed number of cells away from it, so
one histogram of entries per side serves every class, and a class remembers only what the histogram was when it was
last swept. Three facts make this exact:

- ``standing(class, cell) = share · scale · (opened[cell] − swept[class, cell])``, and a swept cell holds exactly 0;
- closing multiplies one number, the ``scale`` of a *close-rate group*, instead of every level: a close-rate group is
  all leverage levels of one tier table that close at one rate, so where all close alike there is one;
- shorts are longs in a mirror (cell → −cell), so one code serves both.

A long level is touched when the low reaches its cell or a higher one is passed (closed). Levels reached inside the
bar of their opening never stand: a share of them counts as liquidated, the rest as closed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from liqlab.engine.grid import STEP, first_cell
from liqlab.engine.kernels import prices_nb, run_nb, scratch_arrays_nb
from liqlab.engine.records import Columns, Ladder, Record, State, Steps

__all__ = ["Workspace", "check_same_bar_share", "grow", "make_workspace", "run_ledger", "run_steps", "survival_to_end"]


def survival_to_end(factor: np.ndarray) -> np.ndarray:
    """Product of the shares that closing left, from each step to the last: what is left of a coin opened in it.

    >>> survival_to_end(np.array([0.5, 0.5, 1.0])).tolist()
    [0.25, 0.5, 1.0]
    """
    return np.cumprod(factor[::-1], axis=0)[::-1]


def run_ledger(
    steps: Steps,
    ladder: Ladder,
    *,
    columns: Columns | None = None,
    flows: bool = False,
    by_level: bool = False,
    same_bar_share: float = 0.5,
    step: float = STEP,
    state: State | None = None,
) -> Record:
    """Run the ledger over steps.

    Parameters
    ----------
    steps : Steps
    ladder : Ladder
    columns : Columns, optional
        Which columns to write; None: none.
    flows, by_level : bool
        Write down what opened, closed and was touched in every step, for all leverage levels together or one by one.
    same_bar_share : float
        Share [0..1] of the positions reached in the step of their opening that counts as liquidated; the rest closed.
    step : float
        Grid step in log price.
    state : State, optional
        The ledger to carry on; it is copied, not changed. Lookback needs the steps it looks back on in the same run.

    Returns
    -------
    Record
    """
    check_same_bar_share(same_bar_share)
    state = grow(state, steps, ladder)
    columns = columns or Columns(np.empty(0, np.int64), np.empty(0, np.int64), np.array([1.0, 2.0]))
    workspace = make_workspace(state, ladder, columns.edges, by_leverage=columns.by_leverage, step=step,
                   steps=len(steps) if columns.alive.size and columns.alive[-1] > 0 else 0)  # fmt: skip
    return run_steps(workspace, steps, columns, flows=flows, by_level=by_level, same_bar_share=same_bar_share)


def check_same_bar_share(same_bar_share: float) -> None:
    """A share of what a bar opens and reaches."""
    if not 0 <= same_bar_share <= 1:
        raise ValueError(f"same_bar_share is a share in [0, 1], got {same_bar_share!r}; 0.5 counts half as liquidated")


@dataclass(frozen=True, eq=False)
class Workspace:
    """A ledger in work: its state, which is written on, and what the kernel wants to know of ladder and bins.

    `sides` holds, for each side, the kernel's arguments that do not change, and its scratch paper.
    """

    state: State
    ladder: Ladder
    layers: int
    rate_groups: int
    sides: tuple[tuple[Any, ...], tuple[Any, ...]]


def make_workspace(
    state: State, ladder: Ladder, edges: np.ndarray, *, by_leverage: bool = False, step: float = STEP, steps: int = 0
) -> Workspace:
    """Lay out a ledger for `run_steps`, which changes `state`; `steps`: how many a lookback spans, 0 without one."""
    size, end = state.entries.shape[2], state.origin + state.entries.shape[2] - 1
    group, group_version, close_rate = ladder.rate_groups
    names = np.unique(ladder.leverage) if by_leverage else np.array([np.inf])
    layer = np.searchsorted(names, ladder.leverage)
    price = prices_nb(state.origin, size, step)
    first = first_cell(edges, step=step) - state.origin
    sides = []
    for s, sign in enumerate((-1.0, 1.0)):
        # shorts run in the mirror: highs take the place of lows, and cells and bins count from the other end
        bins = size - first[::-1] if s else first
        fixed = (ladder.cells[s], ladder.share[s], group, group_version, close_rate, layer,
                 np.exp(sign * step * ladder.cells[s]), price[::-1].copy() if s else price, bins)  # fmt: skip
        scratch = scratch_arrays_nb(steps, state.entries[s], len(group), bins, steps > 0)
        sides.append((1 - 2 * s, end if s else -state.origin, fixed, scratch))
    return Workspace(state, ladder, len(names), len(close_rate), (sides[0], sides[1]))


def run_steps(
    workspace: Workspace,
    steps: Steps,
    columns: Columns,
    *,
    flows: bool = False,
    by_level: bool = False,
    same_bar_share: float = 0.5,
) -> Record:
    """Run the steps on the board, whose state changes; options as in `run`."""
    state, n_steps, n_levels = workspace.state, len(steps), len(workspace.ladder.leverage)
    fade = np.zeros(n_steps) if steps.fade is None else steps.fade
    notional = np.empty((2, workspace.layers, len(columns.last), len(columns.edges) - 1))
    balance = np.empty((2, 2, len(columns.last)))
    flow = np.zeros((2, 5, n_steps if flows else 0))
    left = np.ones((2, workspace.rate_groups, n_steps if flows else 0))
    levels = np.zeros((2, n_steps if by_level else 0, n_levels, 3))
    for s, (sign, shift, fixed, scratch) in enumerate(workspace.sides):
        touch = steps.touch_high if s else steps.touch_low
        near, far = (steps.entry_high, steps.entry_low) if s else (steps.entry_low, steps.entry_high)
        run_nb(
            touch, near, far, sign, shift, steps.opened[s], steps.open_interest, fade, steps.tier_version, *fixed[:-1],
            columns.last, columns.alive, fixed[-1], same_bar_share, state.entries[s], state.swept[s], state.top[s],
            state.fresh[s], state.amounts[s], state.total[s], state.standing[s], notional[s], balance[s], flow[s],
            left[s], levels[s], *scratch,
        )  # fmt: skip
    if not by_level:
        state.standing[:] = np.nan
    unknown = np.isnan(steps.open_interest)  # then nothing is said of what is not attributed
    flow[:, 1, unknown[: flow.shape[2]]] = 0.0
    balance[:, 1, unknown[columns.last]] = 0.0
    layers_out = notional if columns.by_leverage else notional[:, 0]
    attributed, unattributed, closed, liquidated, value = flow.transpose(1, 2, 0)
    survival = left.transpose(2, 0, 1)
    by_step = levels.swapaxes(0, 1)
    return Record(layers_out, balance, attributed, unattributed, closed, liquidated, value, survival, by_step, state)


def grow(state: State | None, steps: Steps, ladder: Ladder, *, spare: int = 0) -> State:
    """A private copy of the ledger, on a stretch of the grid that holds all these steps reach, and some to spare."""
    low = int(min(steps.touch_low.min(), steps.entry_low.min())) - spare
    high = int(max(steps.touch_high.max(), steps.entry_high.max())) + spare
    n_levels, n_versions = len(ladder.tier_version), int(ladder.tier_version.max()) + 1
    n_groups = len(ladder.rate_groups[1])
    if state is None:
        size = high - low + 1
        state = State(low, np.zeros((2, 0, size)), np.zeros((2, 0, size)), np.empty((2, 0), int), np.empty((2, 0), int),
                      np.empty((2, 0, 2)), np.zeros((2, 1)), np.empty((2, 0)))  # fmt: skip
    below = max(state.origin - low, 0)
    above = max(high - (state.origin + state.entries.shape[2] - 1), 0)
    amounts = np.concatenate([state.amounts, np.tile([0.0, 1.0], (2, n_groups - state.amounts.shape[1], 1))], axis=1)
    return State(
        origin=state.origin - below,
        entries=_widen(state.entries, n_groups, below, above),
        swept=_widen(state.swept, n_levels, below, above),
        top=_shift(state.top, n_levels, below, above),
        fresh=_shift(state.fresh, n_versions, below, above),
        amounts=amounts,
        total=state.total.copy(),
        standing=np.pad(state.standing, [(0, 0), (0, n_levels - state.standing.shape[1])]),
    )


def _widen(array: np.ndarray, rows: int, below: int, above: int) -> np.ndarray:
    """Zeros around a stored array; in the shorts' mirror the two ends change places."""
    wide = np.zeros((2, rows, array.shape[2] + below + above))
    for side, before in ((0, below), (1, above)):
        wide[side, : array.shape[1], before : before + array.shape[2]] = array[side]
    return wide


def _shift(top: np.ndarray, rows: int, below: int, above: int) -> np.ndarray:
    """Indices follow the storage; −1 ("nothing") stays."""
    moved = np.full((2, rows), -1)
    moved[:, : top.shape[1]] = np.where(top >= 0, top + np.array([[below], [above]]), -1)
    return moved
