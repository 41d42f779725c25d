"""What passes through the engine: leverage levels, steps, columns, the state carried on, and what a run wrote."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

__all__ = ["SIDES", "Columns", "Ladder", "Record", "State", "Steps"]

SIDES = ["long", "short"]  # the order of every side axis


@dataclass(frozen=True, eq=False)
class Ladder:
    """The leverage levels of the ledger: one row per class of the law and per tier table in force.

    Attributes
    ----------
    leverage : ndarray (leverage_level,)
        Label of the class.
    cells : ndarray (side, leverage_level), int64
        Distance entry → level [cells] ≥ 1; long first.
    share : ndarray (side, leverage_level)
        Share of a bar's openings [1].
    tier_version : ndarray (leverage_level,), int64
        Which tier table: openings of a step go to the leverage levels of its tier version. Ascending.
    close_rate : ndarray (leverage_level,), optional
        How fast the leverage level closes > 0, the unattributed part being 1; default: 1 for all.
    """

    leverage: np.ndarray
    cells: np.ndarray
    share: np.ndarray
    tier_version: np.ndarray
    close_rate: np.ndarray | None = None

    @cached_property
    def rate_groups(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Close-rate group of every leverage level; tier version and close rate of each group, ascending by version."""
        close_rate = np.ones(len(self.tier_version)) if self.close_rate is None else self.close_rate
        pairs = list(zip(self.tier_version.tolist(), close_rate.tolist(), strict=True))
        number = {pair: k for k, pair in enumerate(dict.fromkeys(pairs))}
        tier_versions, close_rates = zip(*number, strict=True)
        return np.array([number[pair] for pair in pairs]), np.array(tier_versions), np.array(close_rates, float)

    @property
    def span(self) -> int:
        """Cells between the nearest and the deepest level of a close-rate group, at most."""
        group, versions, _ = self.rate_groups
        return max(int(np.ptp(self.cells[:, group == p], axis=1).max()) for p in range(len(versions)))


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
    tier_version : ndarray (step,), int64
        Tier table in force.
    fade : ndarray (step,), optional
        Closing that no open interest tells of: a close-rate group of close rate p keeps ``exp(−fade·p)`` of itself.
        Where it is above 0, `open_interest` is NaN.
    """

    touch_low: np.ndarray
    touch_high: np.ndarray
    entry_low: np.ndarray
    entry_high: np.ndarray
    opened: np.ndarray
    open_interest: np.ndarray
    tier_version: np.ndarray
    fade: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.touch_low)


@dataclass(frozen=True, eq=False)
class Columns:
    """After which steps the ledger is written out as columns, and onto which bins.

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
    """A ledger that can be carried on. Amounts are coins ÷ scale of their close-rate group, in their side's mirror.

    A *row* is what is kept apart: a close-rate group, or, where the run asks for it, every leverage level. After
    every so many steps that open something, the openings since the last such settlement move from their entry cells
    to their level cells.

    Attributes
    ----------
    origin : int
        Grid cell of storage index 0 (longs); shorts run downwards from the other end.
    entries : ndarray (side, rate_group, cell)
        What was opened since the last settlement, by entry cell.
    settled : ndarray (side, row, level_cell)
        What stands of all that was opened before it, by level cell; index 0 is the row's deepest level.
    swept : ndarray (side, row, level_cell)
        What `entries` had put at the level cell when it was last touched.
    marks : ndarray (side, 5), int64
        Highest level cell at which anything may stand; lowest one touched since the settlement; lowest and highest
        entry cell of `entries`; steps since the settlement that opened something.
    amounts : ndarray (side, rate_group, 2)
        What stands in the close-rate group, and its scale.
    total : ndarray (side, 1)
        Attributed + unattributed [coins].
    standing : ndarray (side, leverage_level)
        Coins on each leverage level, NaN where the last run did not write them down.
    """

    origin: int
    entries: np.ndarray
    settled: np.ndarray
    swept: np.ndarray
    marks: np.ndarray
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
        Coins attributed and unattributed after the column's last step.
    attributed_oi, unattributed_oi : ndarray (step, side)
        Coins standing with known and with unknown entries, after the step.
    closed, liquidated : ndarray (step, side)
        Coins of known entry that left the ledger, by closing and by touch.
    liquidated_notional : ndarray (step, side)
        Coins × level price of what was touched [quote].
    survival : ndarray (step, side, rate_group)
        Share of what stood in the step, its own openings included, that closing left.
    by_level : ndarray (step, side, leverage_level, 3)
        Standing, liquidated and closed coins by leverage level; size 0 unless asked for.
    state : State
    """

    notional: np.ndarray
    balance: np.ndarray
    attributed_oi: np.ndarray
    unattributed_oi: np.ndarray
    closed: np.ndarray
    liquidated: np.ndarray
    liquidated_notional: np.ndarray
    survival: np.ndarray
    by_level: np.ndarray
    state: State
