"""What the kernels are given: one NamedTuple per thing, of arrays and numbers of one side, in that side's mirror.

Cells are storage indices: a grid cell c is ``sign·c + shift``, so that every level is touched from above. A level
cell is the entry cell less the distance, and may be negative. Optional parts are whole arguments of a kernel, None
where they are not asked for: then nothing of them is compiled.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["ByLevel", "Grid", "Lookback", "Output", "Rows", "Scratch", "SideState", "SideSteps"]

# places in `SideState.marks`
REACH, LOWEST, HULL_LOW, HULL_HIGH, AGE = range(5)
# places in `SideState.amounts`
ATTRIBUTED, SCALE = 0, 1
# below this scale the stored amounts are multiplied by it: a power of two, so no digit is lost
MIN_SCALE = 2.0**-256
FAR = 2**62  # a cell that no price has: "none"
ZERO, ONE, TWO, THREE, FOUR = (np.uint64(k) for k in range(5))  # numba: unsigned indices stay unsigned with these


class Rows(NamedTuple):
    """Leverage levels, row by row: those of row r are ``first[r] … first[r + 1] − 1``, the nearest first."""

    cells: np.ndarray  # (level,) distance entry → level
    share: np.ndarray  # (level,) share of a step's openings
    discount: np.ndarray  # (level,) level price ÷ entry price
    first: np.ndarray  # (row + 1,)
    near: np.ndarray  # (row,) smallest distance
    depth: np.ndarray  # (row,) greatest distance: level cell l is stored at l + depth
    group: np.ndarray  # (row,) close-rate group
    layer: np.ndarray  # (row,) layer of the columns
    pattern: np.ndarray  # (row,) first row of the same layer with the same levels and proportions
    part: np.ndarray  # (row,) its shares ÷ those of that row
    version: np.ndarray  # (rate_group,) tier version
    close_rate: np.ndarray  # (rate_group,)
    weight: np.ndarray  # (rate_group,) share of its tier version's openings
    nearest: np.ndarray  # (tier_version,) smallest distance
    closest: int  # smallest distance of all
    fastest: float  # highest close rate, at least 1


class Grid(NamedTuple):
    """Prices of the level cells, and the bins of the columns."""

    price: np.ndarray  # of level cell l at l + depth
    depth: int
    bins: np.ndarray  # (bin + 1,) first level cell of each bin
    bin_of: np.ndarray  # bin of level cell l at l + depth: −1 below the first, their number above the last
    mirror: bool  # columns are written from the other end


class SideSteps(NamedTuple):
    """`Steps` of one side: `touch` is the extreme that touches, `near` and `far` the ends of the entries."""

    touch: np.ndarray
    near: np.ndarray
    far: np.ndarray
    sign: int
    shift: int
    opened: np.ndarray
    open_interest: np.ndarray
    fade: np.ndarray
    version: np.ndarray
    last: np.ndarray  # (column,)
    alive: np.ndarray  # (column,)


class SideState(NamedTuple):
    """`State` of one side."""

    entries: np.ndarray
    settled: np.ndarray
    swept: np.ndarray
    marks: np.ndarray
    amounts: np.ndarray
    total: np.ndarray


class Scratch(NamedTuple):
    """What a run writes on for itself. `binned`, kept up to date between columns: `settled` by bins [quote ÷ scale]."""

    coins: np.ndarray  # (rate_group,) what stands before closing
    gained: np.ndarray  # (rate_group,) stored amount that the step opens; 0 between steps
    factor: np.ndarray  # (rate_group,) share that closing leaves
    out: np.ndarray  # (2, rate_group) touched in this step: what stood, what it opened itself
    got: np.ndarray  # (2, row) the same by row
    work: np.ndarray  # by level cell
    sums: np.ndarray  # by entry cell
    binned: np.ndarray  # (row, bin)
    column: np.ndarray  # (layer, bin)
    dirty: np.ndarray  # (row + 1, 2) level cells changed since the last column; last: by touches, in every row


class Output(NamedTuple):
    """What a run writes down."""

    notional: np.ndarray  # (layer, column, bin)
    balance: np.ndarray  # (2, column)
    flow: np.ndarray  # (5, step)
    left: np.ndarray  # (rate_group, step)


class ByLevel(NamedTuple):
    """What it writes down of every leverage level, each of which is a row then."""

    levels: np.ndarray  # (step, leverage_level, 3)
    standing: np.ndarray  # (leverage_level,)
    unit: np.ndarray  # (rate_group,) scales before the step


class Lookback(NamedTuple):
    """What is left of `settled` when the openings before the lookback are taken away; counted, so that 0 is 0."""

    ones: np.ndarray  # (level,) 1 where the share is above 0
    entries: np.ndarray  # (rate_group, cell) openings since the settlement, counted
    swept: np.ndarray  # (row, level_cell)
    seen: np.ndarray  # (row, level_cell) amounts within the lookback
    number: np.ndarray  # (row, level_cell) openings within the lookback that stand there
    added: np.ndarray  # (rate_group, step) amount opened on each entry cell
    dead: np.ndarray  # (rate_group,) first step after the group was last closed whole
    later: np.ndarray  # (step + 1,) lowest level cell touched from the step on
    leaving: np.ndarray  # (2, rate_group, cell) openings that leave: amounts, counts
    gone: np.ndarray  # (2, row, level_cell) of them, what had been touched before
    marks: np.ndarray  # (5,) of the openings that leave
    begun: np.ndarray  # (1,) first step that has not left
