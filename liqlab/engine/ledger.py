"""The book: the one kernel that opens, touches and closes estimated positions on a fixed log-price grid.

Positions are kept by the cell of their *entry*; a class of the law stands a fixed number of cells away from it, so
one histogram of entries per side serves every class, and a class remembers only what the histogram was when it was
last swept. Three facts make this exact:

- ``standing(class, cell) = share · scale · (opened[cell] − swept[class, cell])``, and a swept cell holds exactly 0;
- closing multiplies one number, the ``scale`` of a *pool*, instead of every level: a pool is all rungs of one tier
  table that close at one pace, so where all close alike there is one;
- shorts are longs in a mirror (cell → −cell), so one code serves both.

A long level is touched when the low reaches its cell or a higher one is passed (closed). Levels reached inside the
bar of their opening never stand: a share of them counts as liquidated, the rest as closed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from liqlab.engine.grid import STEP, cell_of, first_cell, price_of
from liqlab.engine.kernels import paper_nb, prices_nb, run_nb

__all__ = ["STEP", "Board", "Columns", "Ladder", "Record", "State", "Steps", "cell_of", "first_cell", "play",
           "price_of", "room_for", "run", "set_up", "survival_to_end"]  # fmt: skip

SIDES = ["long", "short"]  # the order of every side axis


@dataclass(frozen=True, eq=False)
class Ladder:
    """The rungs of the book: one row per class of the law and per tier table in force.

    Attributes
    ----------
    leverage : ndarray (rung,)
        Label of the class.
    cells : ndarray (side, rung), int64
        Distance entry → level [cells] ≥ 1; long first.
    share : ndarray (side, rung)
        Share of a bar's openings [1].
    epoch : ndarray (rung,), int64
        Which tier table: openings of a step go to the rungs of its epoch. Ascending.
    pace : ndarray (rung,), optional
        How fast the rung closes > 0, the unplaced part being 1; default: 1 for all.
    """

    leverage: np.ndarray
    cells: np.ndarray
    share: np.ndarray
    epoch: np.ndarray
    pace: np.ndarray | None = None

    @cached_property
    def pools(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pool of every rung (rung,), and epoch and pace of every pool (pool,); rungs of later epochs come later."""
        pace = np.ones(len(self.epoch)) if self.pace is None else self.pace
        pairs = list(zip(self.epoch.tolist(), pace.tolist(), strict=True))
        number = {pair: k for k, pair in enumerate(dict.fromkeys(pairs))}
        epochs, paces = zip(*number, strict=True)
        return np.array([number[pair] for pair in pairs]), np.array(epochs), np.array(paces, float)


@dataclass(frozen=True, eq=False)
class Steps:
    """What happens, step by step (a candle, or a piece of one where there is a finer path).

    Attributes
    ----------
    touch_low, touch_high : ndarray (step,), int64
        Cells of the extremes that decide what was touched.
    entry_low, entry_high : ndarray (step,), int64
        Cells over which the openings spread evenly.
    opened : ndarray (side, step)
        Coins opened; long first.
    open_interest : ndarray (step,)
        Open interest [coins] after the step; NaN: nothing closes but what is touched.
    epoch : ndarray (step,), int64
        Tier table in force.
    fade : ndarray (step,), optional
        Closing that no open interest tells of: a pool of pace p keeps ``exp(−fade·p)`` of itself. Where it is above 0,
        `open_interest` is NaN.
    """

    touch_low: np.ndarray
    touch_high: np.ndarray
    entry_low: np.ndarray
    entry_high: np.ndarray
    opened: np.ndarray
    open_interest: np.ndarray
    epoch: np.ndarray
    fade: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.touch_low)


@dataclass(frozen=True, eq=False)
class Columns:
    """Where the book is photographed, and onto which bins.

    Attributes
    ----------
    last : ndarray (column,), int64
        Last step of each column, ascending.
    alive : ndarray (column,), int64
        First step whose openings still count (lookback); 0: all.
    edges : ndarray (bin + 1,)
        Edges of the price bins [quote], ascending.
    by_leverage : bool
        One layer per leverage of the ladder, ascending, instead of their sum.
    """

    last: np.ndarray
    alive: np.ndarray
    edges: np.ndarray
    by_leverage: bool = False


@dataclass(frozen=True, eq=False)
class State:
    """A book that can be carried on. Stored amounts are coins ÷ scale of their pool, in their side's mirror.

    Attributes
    ----------
    origin : int
        Grid cell of storage index 0 (longs); shorts run downwards from the other end.
    entries : ndarray (side, pool, cell)
        What was ever opened, by entry cell.
    swept : ndarray (side, rung, cell)
        What `entries` was when the rung was last touched there.
    top : ndarray (side, rung), int64
        Highest entry cell at which the rung may stand.
    fresh : ndarray (side, epoch), int64
        Highest entry cell opened since `top` was brought up to date.
    amounts : ndarray (side, pool, 2)
        What stands in the pool, and its scale.
    total : ndarray (side, 1)
        Placed + unplaced [coins].
    standing : ndarray (side, rung)
        Coins on each rung, NaN where the last run did not write them down.
    """

    origin: int
    entries: np.ndarray
    swept: np.ndarray
    top: np.ndarray
    fresh: np.ndarray
    amounts: np.ndarray
    total: np.ndarray
    standing: np.ndarray


@dataclass(frozen=True, eq=False)
class Record:
    """What a run wrote down.

    Attributes
    ----------
    notional : ndarray (side, column, bin) or (side, leverage, column, bin)
        Coins × level price [quote] standing after the column's last step.
    balance : ndarray (side, 2, column)
        Coins placed and unplaced after the column's last step.
    placed, unplaced : ndarray (step, side)
        Coins standing with known and with unknown entries, after the step.
    closed, liquidated : ndarray (step, side)
        Coins of known entry that left the book, by closing and by touch.
    liquidated_notional : ndarray (step, side)
        Coins × level price of what was touched [quote].
    survival : ndarray (step, side, pool)
        Share of what stood in the step, its own openings included, that closing left.
    by_rung : ndarray (step, side, rung, 3)
        Standing, liquidated and closed coins by rung; size 0 unless asked for.
    state : State
    """

    notional: np.ndarray
    balance: np.ndarray
    placed: np.ndarray
    unplaced: np.ndarray
    closed: np.ndarray
    liquidated: np.ndarray
    liquidated_notional: np.ndarray
    survival: np.ndarray
    by_rung: np.ndarray
    state: State


def survival_to_end(factor: np.ndarray) -> np.ndarray:
    """Product of the shares that closing left, from each step to the last: what is left of a coin opened in it.

    >>> survival_to_end(np.array([0.5, 0.5, 1.0])).tolist()
    [0.25, 0.5, 1.0]
    """
    return np.cumprod(factor[::-1], axis=0)[::-1]


def run(
    steps: Steps,
    ladder: Ladder,
    *,
    columns: Columns | None = None,
    flows: bool = False,
    by_rung: bool = False,
    same_bar: float = 0.5,
    step: float = STEP,
    state: State | None = None,
) -> Record:
    """Run the book over steps.

    Parameters
    ----------
    steps : Steps
    ladder : Ladder
    columns : Columns, optional
        What to photograph; None: nothing.
    flows, by_rung : bool
        Write down what opened, closed and was touched in every step, for all rungs together or one by one.
    same_bar : float
        Share [0..1] of the positions reached in the step of their opening that counts as liquidated; the rest closed.
    step : float
        Grid step in log price.
    state : State, optional
        The book to carry on; it is copied, not changed. Lookback needs the steps it looks back on in the same run.

    Returns
    -------
    Record
    """
    check_same_bar(same_bar)
    state = room_for(state, steps, ladder)
    columns = columns or Columns(np.empty(0, np.int64), np.empty(0, np.int64), np.array([1.0, 2.0]))
    board = set_up(state, ladder, columns.edges, by_leverage=columns.by_leverage, step=step,
                   steps=len(steps) if columns.alive.size and columns.alive[-1] > 0 else 0)  # fmt: skip
    return play(board, steps, columns, flows=flows, by_rung=by_rung, same_bar=same_bar)


def check_same_bar(same_bar: float) -> None:
    """A share of what a bar opens and reaches."""
    if not 0 <= same_bar <= 1:
        raise ValueError(f"same_bar is a share in [0, 1], got {same_bar!r}; 0.5 counts half as liquidated")


@dataclass(frozen=True, eq=False)
class Board:
    """A book on the table: its state, which is written on, and what the kernel wants to know of ladder and bins.

    `sides` holds, for each side, the kernel's arguments that do not change, and its scratch paper.
    """

    state: State
    ladder: Ladder
    layers: int
    pools: int
    sides: tuple[tuple[Any, ...], tuple[Any, ...]]


def set_up(
    state: State, ladder: Ladder, edges: np.ndarray, *, by_leverage: bool = False, step: float = STEP, steps: int = 0
) -> Board:
    """Lay out a book for `play`, which changes `state`; `steps`: how many a lookback looks back on, 0 without one."""
    size, end = state.entries.shape[2], state.origin + state.entries.shape[2] - 1
    pool, pool_epoch, pace = ladder.pools
    names = np.unique(ladder.leverage) if by_leverage else np.array([np.inf])
    layer = np.searchsorted(names, ladder.leverage)
    price = prices_nb(state.origin, size, step)
    first = first_cell(edges, step=step) - state.origin
    sides = []
    for s, sign in enumerate((-1.0, 1.0)):
        # shorts run in the mirror: highs take the place of lows, and cells and bins count from the other end
        bins = size - first[::-1] if s else first
        fixed = (ladder.cells[s], ladder.share[s], pool, pool_epoch, pace, layer, np.exp(sign * step * ladder.cells[s]),
                 price[::-1].copy() if s else price, bins)  # fmt: skip
        paper = paper_nb(steps, state.entries[s], len(pool), bins, steps > 0)
        sides.append((1 - 2 * s, end if s else -state.origin, fixed, paper))
    return Board(state, ladder, len(names), len(pace), (sides[0], sides[1]))


def play(
    board: Board, steps: Steps, columns: Columns, *, flows: bool = False, by_rung: bool = False, same_bar: float = 0.5
) -> Record:
    """Run the steps on the board, whose state changes; options as in `run`."""
    state, n_steps, n_rungs = board.state, len(steps), len(board.ladder.leverage)
    fade = np.zeros(n_steps) if steps.fade is None else steps.fade
    notional = np.empty((2, board.layers, len(columns.last), len(columns.edges) - 1))
    balance = np.empty((2, 2, len(columns.last)))
    flow = np.zeros((2, 5, n_steps if flows else 0))
    left = np.ones((2, board.pools, n_steps if flows else 0))
    rungs = np.zeros((2, n_steps if by_rung else 0, n_rungs, 3))
    for s, (sign, shift, fixed, paper) in enumerate(board.sides):
        touch = steps.touch_high if s else steps.touch_low
        near, far = (steps.entry_high, steps.entry_low) if s else (steps.entry_low, steps.entry_high)
        run_nb(
            touch, near, far, sign, shift, steps.opened[s], steps.open_interest, fade, steps.epoch, *fixed[:-1],
            columns.last, columns.alive, fixed[-1], same_bar, state.entries[s], state.swept[s], state.top[s],
            state.fresh[s], state.amounts[s], state.total[s], state.standing[s], notional[s], balance[s], flow[s],
            left[s], rungs[s], *paper,
        )  # fmt: skip
    if not by_rung:
        state.standing[:] = np.nan
    unknown = np.isnan(steps.open_interest)  # then nothing is said of what is not placed
    flow[:, 1, unknown[: flow.shape[2]]] = 0.0
    balance[:, 1, unknown[columns.last]] = 0.0
    layers_out = notional if columns.by_leverage else notional[:, 0]
    placed, unplaced, closed, liquidated, value = flow.transpose(1, 2, 0)
    survival = left.transpose(2, 0, 1)
    by_step = rungs.swapaxes(0, 1)
    return Record(layers_out, balance, placed, unplaced, closed, liquidated, value, survival, by_step, state)


def room_for(state: State | None, steps: Steps, ladder: Ladder, *, spare: int = 0) -> State:
    """A private copy of the book, on a stretch of the grid that holds all that these steps reach, and some to spare."""
    low = int(min(steps.touch_low.min(), steps.entry_low.min())) - spare
    high = int(max(steps.touch_high.max(), steps.entry_high.max())) + spare
    n_rungs, n_epochs, n_pools = len(ladder.epoch), int(ladder.epoch.max()) + 1, len(ladder.pools[1])
    if state is None:
        size = high - low + 1
        state = State(low, np.zeros((2, 0, size)), np.zeros((2, 0, size)), np.empty((2, 0), int), np.empty((2, 0), int),
                      np.empty((2, 0, 2)), np.zeros((2, 1)), np.empty((2, 0)))  # fmt: skip
    below = max(state.origin - low, 0)
    above = max(high - (state.origin + state.entries.shape[2] - 1), 0)
    amounts = np.concatenate([state.amounts, np.tile([0.0, 1.0], (2, n_pools - state.amounts.shape[1], 1))], axis=1)
    return State(
        origin=state.origin - below,
        entries=_widen(state.entries, n_pools, below, above),
        swept=_widen(state.swept, n_rungs, below, above),
        top=_shift(state.top, n_rungs, below, above),
        fresh=_shift(state.fresh, n_epochs, below, above),
        amounts=amounts,
        total=state.total.copy(),
        standing=np.pad(state.standing, [(0, 0), (0, n_rungs - state.standing.shape[1])]),
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
