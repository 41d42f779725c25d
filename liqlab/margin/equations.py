"""One position, one maintenance table, and the two ways in which venues compare them.

Every formula is written for a linear contract. An inverse one is its mirror: who is long N dollars' worth of an inverse
contract at P is short N dollars at the price 1/P, with coins for money. `mirror` swaps the two, exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Position:
    """A position, as a linear contract sees it.

    Attributes
    ----------
    sign : ndarray
        s = +1 long, −1 short.
    entry, quantity : ndarray
        E [money per thing] and q [things]: quote and coins, for a mirrored inverse contract coins and dollars.
    margin, added : ndarray
        Margin or wallet balance, and what was added to it [money].
    other : ndarray
        Unrealised PnL less maintenance margin of the other positions of a cross wallet [money].
    fee, funding : ndarray
        Taker fee and funding rate [1].
    """

    sign: np.ndarray
    entry: np.ndarray
    quantity: np.ndarray
    margin: np.ndarray
    added: np.ndarray
    other: np.ndarray
    fee: np.ndarray
    funding: np.ndarray


@dataclass(frozen=True, eq=False)
class Requirement:
    """Maintenance tiers on the last axis: margin required = ``rate·notional − amount`` for ``floor <= notional``.

    Attributes
    ----------
    floor, ceiling : ndarray (…, tier)
        Notional [money] held by each tier.
    rate, amount, max_leverage : ndarray (…, tier)
        m [1], c [money], highest leverage allowed [1].
    label : str
        Whose table it is, for messages.
    """

    floor: np.ndarray
    ceiling: np.ndarray
    rate: np.ndarray
    amount: np.ndarray
    max_leverage: np.ndarray
    label: str


@dataclass(frozen=True, eq=False)
class Leg:
    """The opposite leg of the same symbol in the same cross wallet (hedge mode).

    Attributes
    ----------
    entry, quantity : ndarray
        H [money per thing] and h [things], as those of `Position`; h = 0 where there is no such leg.
    need : Requirement
        Its own maintenance tiers.
    """

    entry: np.ndarray
    quantity: np.ndarray
    need: Requirement


Solver = Callable[[Position, Requirement], np.ndarray]
HedgedSolver = Callable[[Position, Requirement, Leg], np.ndarray]


@dataclass(frozen=True)
class Formula:
    """What a venue published, when, and how far it was checked: one row of ``FORMULAS`` in a file of `venues`.

    Attributes
    ----------
    name : str
        Its name for the keyword ``formula``.
    exchanges : tuple of str
        ccxt's names of the venues that use it.
    contract : 'linear' or 'inverse'
    equation : str
        The liquidation price, in the letters of `liquidation_price`.
    seen : str
        Date of the text, as far as it is known.
    status : 'D', 'S' or 'U'
        The venue's own document, a secondary page, or not verified.
    source : str
        The text.
    solve : callable (Position, Requirement) -> ndarray
        Liquidation price; before it is clipped at 0 and, if inverse, mirrored back.
    bankrupt : callable (Position) -> ndarray
        Price at which the margin is used up, likewise.
    taker_fee : float or None
        Fee used where none is given; None if the formula has none.
    others, funding : bool
        Whether it has terms for the other positions of the wallet, and for funding.
    hedged : callable (Position, Requirement, Leg) -> ndarray, or None
        Liquidation price shared by both legs of one symbol in one cross wallet; None if the formula has no hedge mode.
    hedge_margin : str
        With `hedged`: ``both legs`` or ``larger leg``, on which maintenance margin is charged.
    rate_of : callable (ndarray) -> ndarray, or None
        Maintenance rate from the highest leverage of an asset, for the keyword ``max_leverage``; None: it has none.
    """

    name: str
    exchanges: tuple[str, ...]
    contract: str
    equation: str
    seen: str
    status: str
    source: str
    solve: Solver
    bankrupt: Callable[[Position], np.ndarray]
    taker_fee: float | None = None
    others: bool = False
    funding: bool = False
    hedged: HedgedSolver | None = None
    hedge_margin: str = ""
    rate_of: Callable[[np.ndarray], np.ndarray] | None = None


def mirror(position: Position) -> Position:
    """The linear twin of an inverse position: the other side, at 1/E."""
    return replace(position, sign=-position.sign, entry=1.0 / position.entry)


def at_liquidation(position: Position, need: Requirement) -> np.ndarray:
    """Margin and loss meet the maintenance margin of the notional *at the liquidation price*.

    ``(W + c − s·q·E) / (q·(m + f) − s·q)`` in every tier; the solution that lies in its own tier is kept. There is one
    and only one, because the maintenance margin is continuous in notional and its rate is below 1.
    """
    free = position.margin + position.added + position.other
    parts = np.broadcast_arrays(position.sign, position.entry, position.quantity, free, position.fee)
    s, entry, q, free, fee = (np.asarray(x, float)[..., None] for x in parts)
    price = (free + need.amount - s * q * entry) / (q * (need.rate + fee) - s * q)
    notional = np.maximum(price, 0.0) * q
    # Published amounts are rounded, so a notional at a bracket's edge may miss both neighbours by a hair.
    miss = np.maximum(np.maximum(need.floor - notional, notional - need.ceiling), 0.0)
    best = np.argmin(miss, axis=-1)[..., None]
    held = np.take_along_axis(np.broadcast_to(notional, miss.shape), best, axis=-1)
    refuse_outgrown(need, np.maximum(held, entry * q))
    return np.take_along_axis(np.broadcast_to(price, miss.shape), best, axis=-1)[..., 0]


def at_entry(position: Position, need: Requirement) -> np.ndarray:
    """Margin and loss meet the maintenance margin of the notional *at entry*: ``E − s·(W − (m·q·E − c))/q``."""
    notional = position.entry * position.quantity
    refuse_outgrown(need, notional[..., None])
    required = tier_of(need, notional, need.rate) * notional - tier_of(need, notional, need.amount)
    free = position.margin + position.added + position.other
    return position.entry - position.sign * (free - required) / position.quantity


def margin_used_up(position: Position) -> np.ndarray:
    """Bankruptcy without fees: ``E − s·W/q``."""
    return position.entry - position.sign * (position.margin + position.added) / position.quantity


def tier_of(need: Requirement, notional: Any, column: np.ndarray) -> np.ndarray:
    """The value of a column in the tier that holds a notional."""
    size = np.asarray(notional, float)[..., None]
    shape = np.broadcast_shapes(size.shape, need.floor.shape, column.shape)
    held = np.maximum((np.broadcast_to(need.floor, shape) <= size).sum(axis=-1) - 1, 0)
    return np.take_along_axis(np.broadcast_to(column, shape), held[..., None], axis=-1)[..., 0]


def refuse_outgrown(need: Requirement, notional: np.ndarray) -> None:
    """A position above the last tier does not exist."""
    last = need.ceiling[..., -1:]
    above = notional > last * (1 + 1e-9)
    if above.any():
        size, limit = (np.broadcast_to(x, above.shape)[above].flat[0] for x in (notional, last))
        raise ValueError(f"the position outgrows the last tier of {need.label}: its notional would be {size:,.6g}, the "
                         f"venue allows {limit:,.6g}; reduce quantity")  # fmt: skip
