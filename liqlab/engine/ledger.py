"""The position ledger: what opens, closes and is touched, carried through every bar on a fixed log-price grid.

Openings are kept by the cell of their *entry*, and every so many steps they are moved to their level cells, which lie
a fixed number of cells away. Four facts make this exact:

- what is touched is everything at and above one level cell, so a level cell needs to remember only what the openings
  had put there when it was last touched, one number for all leverage levels together, and a swept cell holds exactly 0;
- closing multiplies one number, the ``scale`` of a *close-rate group*, instead of every level: a close-rate group is
  all leverage levels of one tier table that close at one rate, so where all close alike there is one;
- shorts are longs in a mirror (cell → −cell), so one code serves both, and the two sides can run at the same time;
- when openings are moved depends on their number alone, so a ledger that is carried on goes on bit for bit.

A long level is touched when the low reaches its cell or a higher one is passed (closed). Levels reached inside the
bar of their opening never stand: a share of them counts as liquidated, the rest as closed.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from liqlab.engine.contracts import FAR, ByLevel, Grid, Lookback, Output, Rows, Scratch, SideState, SideSteps
from liqlab.engine.grid import STEP, first_cell
from liqlab.engine.kernels import prices_nb, run_nb
from liqlab.engine.records import Columns, Ladder, Record, State, Steps

__all__ = ["Workspace", "check_same_bar_share", "grow", "make_workspace", "run_ledger", "run_steps", "survival_to_end",
           "threads_for"]  # fmt: skip

# Openings between two settlements: a settlement moves all that was opened since the last one to each of its levels, at
# a cost that hardly depends on how much it is; what waits makes touches and columns dearer.
SETTLE_EVERY = 1024
# The two sides run in two threads from so many steps on; LIQLAB_THREADS=1 keeps them in one.
THREADS_FROM = 20_000


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
    settle_every: int = SETTLE_EVERY,
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
        The ledger to carry on; it is copied, not changed. Lookback needs the steps it looks back on in the same run,
        and `by_level` or columns by leverage a ledger that had one of them from its first step on.
    settle_every : int
        Steps that open something between two settlements; it changes the speed, and the last digits.

    Returns
    -------
    Record
    """
    check_same_bar_share(same_bar_share)
    columns = columns or Columns(np.empty(0, np.int64), np.empty(0, np.int64), np.array([1.0, 2.0]))
    apart = by_level or columns.by_leverage
    state = grow(state, steps, ladder, apart=apart)
    workspace = make_workspace(state, ladder, columns.edges, by_leverage=columns.by_leverage, apart=apart, step=step,
                               steps=len(steps) if columns.alive.size and columns.alive[-1] > 0 else 0)  # fmt: skip
    return run_steps(workspace, steps, columns, flows=flows, by_level=by_level, same_bar_share=same_bar_share,
                     settle_every=settle_every)  # fmt: skip


def check_same_bar_share(same_bar_share: float) -> None:
    """A share of what a bar opens and reaches."""
    if not 0 <= same_bar_share <= 1:
        raise ValueError(f"same_bar_share is a share in [0, 1], got {same_bar_share!r}; 0.5 counts half as liquidated")


class Side(NamedTuple):
    """What the kernel wants to know of one side, and what it writes on for itself."""

    sign: int
    shift: int
    rows: Rows
    grid: Grid
    scratch: Scratch
    lookback: Lookback | None


@dataclass(frozen=True, eq=False)
class Workspace:
    """A ledger in work: its state, which is written on, and its two sides."""

    state: State
    ladder: Ladder
    layers: int
    sides: tuple[Side, Side]


def make_workspace(
    state: State,
    ladder: Ladder,
    edges: np.ndarray,
    *,
    by_leverage: bool = False,
    apart: bool = False,
    step: float = STEP,
    steps: int = 0,
) -> Workspace:
    """Lay out a ledger for `run_steps`, which changes `state`.

    Parameters
    ----------
    state : State
        From `grow`, with the same `apart`.
    ladder : Ladder
    edges : ndarray (bin + 1,)
        Edges of the columns' bins [quote].
    by_leverage : bool
        One layer per leverage in the columns.
    apart : bool
        Every leverage level is a row of its own.
    step : float
        Grid step in log price.
    steps : int
        How many a lookback spans; 0: there is none.
    """
    names = np.unique(ladder.leverage) if by_leverage else np.array([np.inf])
    layer = np.searchsorted(names, ladder.leverage)
    size, first = state.entries.shape[2], first_cell(edges, step=step) - state.origin
    rows = [_rows(ladder, s, layer, apart=apart, step=step) for s in (0, 1)]
    deep = [int(side.depth.max()) for side in rows]
    price = prices_nb(state.origin - deep[0], size + sum(deep), step)
    sides = []
    for s, sign in enumerate((1, -1)):
        # shorts run in the mirror: highs take the place of lows, and cells and bins count from the other end
        bins = size - first[::-1] if s else first
        bin_of = np.searchsorted(bins, np.arange(-deep[s], size), side="right") - 1
        prices = price[deep[0] :][::-1].copy() if s else price[: size + deep[0]]
        grid = Grid(prices, deep[s], bins, bin_of, bool(s))
        scratch = _scratch(state, rows[s], bins, len(names))
        lookback = _lookback(state, rows[s], steps) if steps else None
        sides.append(Side(sign, state.origin + size - 1 if s else -state.origin, rows[s], grid, scratch, lookback))
    return Workspace(state, ladder, len(names), (sides[0], sides[1]))


def _rows(ladder: Ladder, s: int, layer: np.ndarray, *, apart: bool, step: float) -> Rows:
    """The leverage levels of a side in rows: by close-rate group, or each its own."""
    group, version, close_rate = ladder.rate_groups
    row = np.arange(len(group)) if apart else group
    order = np.lexsort((ladder.cells[s], row))
    cells, share, row = ladder.cells[s][order], ladder.share[s][order], row[order]
    first = np.searchsorted(row, np.arange(row[-1] + 2))
    nearest = np.array([cells[version[group[order]] == g].min(initial=FAR) for g in range(int(version.max()) + 1)])
    lead = first[:-1]
    pattern, part = _patterns(cells, share, first, layer[order][lead])
    return Rows(
        cells, share, np.exp((2 * s - 1) * step * cells), first, cells[lead], cells[first[1:] - 1], group[order][lead],
        layer[order][lead], pattern, part, version, close_rate, np.bincount(group, ladder.share[s]), nearest,
        int(cells.min()), max(float(close_rate.max()), 1.0),
    )  # fmt: skip


def _patterns(
    cells: np.ndarray, share: np.ndarray, first: np.ndarray, layer: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of one layer with the same levels in the same proportions: the first of them, and the ratio to it."""
    pattern, part = np.arange(len(layer)), np.ones(len(layer))
    known: dict[tuple[int, bytes], list[int]] = {}
    for r, (a, b) in enumerate(pairwise(first)):
        alike = known.setdefault((int(layer[r]), cells[a:b].tobytes()), [])
        for q in alike:
            other = share[first[q] : first[q + 1]]
            ratio = share[a:b].sum() / other.sum() if other.sum() > 0 else 0.0
            if np.allclose(share[a:b], ratio * other, rtol=1e-14, atol=0):
                pattern[r], part[r] = q, ratio
                break
        else:
            alike.append(r)
    return pattern, part


def _scratch(state: State, rows: Rows, bins: np.ndarray, layers: int) -> Scratch:
    """Paper to write on; no column has been written, so every level cell is new."""
    groups, n_rows, size = len(rows.version), len(rows.group), state.entries.shape[2]
    return Scratch(
        _alone(np.zeros(groups)), _alone(np.zeros(groups)), _alone(np.ones(groups)), _alone(np.zeros((2, groups))),
        _alone(np.zeros((2, n_rows))), np.empty(state.settled.shape[2]),
        np.empty(max(size + 2, int(bins[-1] - bins[0]))),
        np.zeros((n_rows, len(bins) - 1)), np.zeros((layers, len(bins) - 1)),
        _alone(np.tile([-FAR, FAR], (n_rows + 1, 1))),
    )  # fmt: skip


def _alone(array: np.ndarray) -> np.ndarray:
    """A copy far from everything else in memory: two threads that write on one cache line wait for each other."""
    own = np.empty(array.size + 32, array.dtype)[16:-16].reshape(array.shape)
    own[...] = array
    return own


def _lookback(state: State, rows: Rows, steps: int) -> Lookback:
    groups, n_rows, size, wide = len(rows.version), len(rows.group), state.entries.shape[2], state.settled.shape[2]
    return Lookback(
        (rows.share > 0).astype(float), np.zeros((groups, size)), np.zeros((n_rows, wide)), np.zeros((n_rows, wide)),
        np.zeros((n_rows, wide)), np.zeros((groups, steps)), np.zeros(groups, np.int64),
        np.zeros(steps + 2, np.int64), np.zeros((2, groups, size)), np.zeros((2, n_rows, wide)),
        np.zeros(5, np.int64), np.zeros(1, np.int64),
    )  # fmt: skip


def run_steps(
    workspace: Workspace,
    steps: Steps,
    columns: Columns,
    *,
    flows: bool = False,
    by_level: bool = False,
    same_bar_share: float = 0.5,
    settle_every: int = SETTLE_EVERY,
    threads: int | None = None,
) -> Record:
    """Run the steps on a workspace, whose state changes; options as in `run_ledger`.

    `threads`: 1 or 2; default: 2 where there are many steps, unless ``LIQLAB_THREADS=1``. The result is the same.
    """
    state, n_steps, n_levels = workspace.state, len(steps), len(workspace.ladder.leverage)
    n_columns, groups = len(columns.last), state.entries.shape[1]
    notional = np.empty((2, workspace.layers, n_columns, len(columns.edges) - 1))
    balance = np.empty((2, 2, n_columns))
    flow = np.zeros((2, 5, n_steps if flows else 0))
    left = np.ones((2, groups, n_steps if flows else 0))
    levels = np.zeros((2, n_steps if by_level else 0, n_levels, 3))
    fade = np.zeros(n_steps) if steps.fade is None else steps.fade

    def run(s: int) -> None:
        side = workspace.sides[s]
        touch = steps.touch_high if s else steps.touch_low
        near, far = (steps.entry_high, steps.entry_low) if s else (steps.entry_low, steps.entry_high)
        small = [_alone(array[s]) for array in (state.marks, state.amounts, state.total)]
        run_nb(
            SideSteps(touch, near, far, side.sign, side.shift, steps.opened[s], steps.open_interest, fade,
                      steps.tier_version, columns.last, columns.alive),
            side.rows,
            side.grid,
            SideState(state.entries[s], state.settled[s], state.swept[s], *small),
            side.scratch,
            Output(notional[s], balance[s], flow[s], left[s]),
            float(same_bar_share),
            settle_every,
            side.lookback,
            ByLevel(levels[s], state.standing[s], np.empty(groups)) if by_level else None,
        )  # fmt: skip
        state.marks[s], state.amounts[s], state.total[s] = small

    if (threads or threads_for(n_steps)) > 1:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(run, (0, 1)))
    else:
        run(0)
        run(1)
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


def threads_for(n_steps: int) -> int:
    """How many threads the sides may take."""
    return 1 if n_steps < THREADS_FROM or os.environ.get("LIQLAB_THREADS") == "1" else 2


def grow(state: State | None, steps: Steps, ladder: Ladder, *, spare: int = 0, apart: bool = False) -> State:
    """A private copy of the ledger, on a stretch of the grid that holds all these steps reach, and some to spare.

    `apart`: every leverage level is a row of its own, as `by_level` and `by_leverage` need it; a ledger that has been
    carried otherwise cannot be taken apart, and raises ValueError.
    """
    low = int(min(steps.touch_low.min(), steps.entry_low.min())) - spare
    high = int(max(steps.touch_high.max(), steps.entry_high.max())) + spare
    n_levels, n_groups = len(ladder.tier_version), len(ladder.rate_groups[1])
    n_rows, span = (n_levels, 0) if apart else (n_groups, ladder.span)
    if state is None:
        size = high - low + 1
        state = State(low, np.zeros((2, 0, size)), np.zeros((2, 0, size + span)), np.zeros((2, 0, size + span)),
                      np.tile([-FAR, FAR, FAR, -FAR, 0], (2, 1)), np.empty((2, 0, 2)), np.zeros((2, 1)),
                      np.empty((2, 0)))  # fmt: skip
    if state.settled.shape[1] != (state.standing if apart else state.amounts).shape[1]:
        raise ValueError("this ledger was carried with its leverage levels together (or apart); carry it on the same "
                         "way: by_level and by_leverage need them apart from the first step on")  # fmt: skip
    below = max(state.origin - low, 0)
    above = max(high - (state.origin + state.entries.shape[2] - 1), 0)
    more = max(span - (state.settled.shape[2] - state.entries.shape[2]), 0)
    amounts = np.concatenate([state.amounts, np.tile([0.0, 1.0], (2, n_groups - state.amounts.shape[1], 1))], axis=1)
    return State(
        origin=state.origin - below,
        entries=_widen(state.entries, n_groups, below, above),
        settled=_widen(state.settled, n_rows, below, above, more),
        swept=_widen(state.swept, n_rows, below, above, more),
        marks=_shift(state.marks, below, above),
        amounts=amounts,
        total=state.total.copy(),
        standing=np.pad(state.standing, [(0, 0), (0, n_levels - state.standing.shape[1])]),
    )


def _widen(array: np.ndarray, rows: int, below: int, above: int, more: int = 0) -> np.ndarray:
    """Zeros around a stored array; in the shorts' mirror the two ends change places. `more` at the end of both."""
    wide = np.zeros((2, rows, array.shape[2] + below + above + more))
    for side, before in ((0, below), (1, above)):
        wide[side, : array.shape[1], before : before + array.shape[2]] = array[side]
    return wide


def _shift(marks: np.ndarray, below: int, above: int) -> np.ndarray:
    """Cells follow the storage; "none" stays, and so does the number of steps in the last place."""
    cells = marks[:, :-1]
    moved = np.where(np.abs(cells) < FAR // 2, cells + np.array([[below], [above]]), cells)
    return np.concatenate([moved, marks[:, -1:]], axis=1)
