"""What the agents' kernel works on: positions, the bookkeeping that finds them, the constants of a run."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

REACH = 8_000  # cells on either side of the first price: a factor of e^4


class Lots(NamedTuple):
    """The positions; a position that is closed in part is split into two lots of one `origin`."""

    side: np.ndarray
    quantity: np.ndarray
    entry: np.ndarray
    leverage: np.ndarray
    cross: np.ndarray
    level: np.ndarray  # liquidation price at entry; 0: never
    moved_level: np.ndarray  # the same after margin was added
    stop: np.ndarray
    target: np.ndarray
    life: np.ndarray
    opened: np.ndarray
    moved: np.ndarray
    closed: np.ndarray
    reason: np.ndarray
    waiting: np.ndarray
    origin: np.ndarray


class Desk(NamedTuple):
    """The bookkeeping: lists by cell and by sub-step, the queues of patient closers, and what is counted."""

    head: np.ndarray  # (direction, cell): first node touched on the way down, on the way up
    after: np.ndarray  # (node,)
    due: np.ndarray  # (step,): first diary entry
    later: np.ndarray  # (entry,)
    queue: np.ndarray  # (side, place)
    ends: np.ndarray  # (side, 2): first and one past the last place of the queue
    dense: np.ndarray  # (cell,): standing lots by liquidation price
    used: np.ndarray  # (1,): lots in use


class Setting(NamedTuple):
    """Constants of one run."""

    lot: float  # coins
    size: float  # median notional of a position [quote]
    floor: np.ndarray  # maintenance tiers
    rate: np.ndarray
    amount: np.ndarray
    most: np.ndarray
    cross: float
    adders: float
    log_first: float
    usual: float  # typical sigma
    magnet: float  # standard deviations per sub-step


def desks(capacity: int, steps: int) -> tuple[Lots, Desk]:
    """Empty books with room for a number of lots. Memory is taken by the system only where it is written to."""
    real, whole, small = (lambda: np.empty(capacity)), (lambda: np.empty(capacity, np.int64)), np.int8
    lots = Lots(
        np.empty(capacity, small), whole(), real(), real(), np.empty(capacity, small), real(), real(), real(), real(),
        real(), whole(), whole(), whole(), np.empty(capacity, small), np.empty(capacity, small), whole(),
    )  # fmt: skip
    desk = Desk(
        np.full((2, 2 * REACH + 1), -1), np.empty(4 * capacity, np.int64), np.full(steps + 1, -1),
        np.empty(2 * capacity, np.int64), np.empty((2, capacity), np.int64), np.zeros((2, 2), np.int64),
        np.zeros(2 * REACH + 1, np.int64), np.zeros(1, np.int64),
    )  # fmt: skip
    return lots, desk
