"""Long and short of one symbol in one cross wallet: the price that both legs share.

The PnL of both legs moves with the price, so the other leg cannot be passed as a constant. With s, q, E of the position
and h, H of the opposite leg, what the wallet has over its maintenance margin at the price P is

``free + s·q·(P − E) − s·h·(P − H) − required(P)``, free = wallet + PnL − maintenance margin of the other symbols.

`required` grows with P and never more slowly, so this is concave in P: it is zero at one price in the direction of the
net position, below for net long and above for net short. Two cases have none, and are NaN: equal legs, whose PnL does
not move, and a wallet that carries the legs at no price. Where a net long position is so small that the maintenance
margin grows faster than its profit, ``q − h <= m·(q + h)``, it is a *rise* that liquidates.
"""

from __future__ import annotations

import numpy as np

from liqlab.margin.equations import Leg, Position, Requirement, refuse_outgrown, tier_of

# Published amounts are rounded, so a notional may miss its tier by this share.
ROUNDED = 1e-3


def both_legs(position: Position, need: Requirement, leg: Leg) -> np.ndarray:
    """Each leg pays maintenance margin and fee on its notional at the price, by the tier that holds it there.

    ``(free + c + c_h − s·q·E + s·h·H) / (q·(m + f) + h·(m_h + f) − s·q + s·h)``
    """
    return _at_price(position, need, leg, np.ones(()), np.ones(()))


def larger_leg(position: Position, need: Requirement, leg: Leg) -> np.ndarray:
    """Maintenance margin and fee are charged on the larger of the two legs alone."""
    first = np.asarray(position.quantity >= leg.quantity, float)
    return _at_price(position, need, leg, first, 1.0 - first)


def both_legs_at_entry(position: Position, need: Requirement, leg: Leg) -> np.ndarray:
    """Each leg pays maintenance margin on its notional at *its own entry*."""
    required = _on_entry(need, position.entry * position.quantity) + _on_entry(leg.need, leg.entry * leg.quantity)
    free = position.margin + position.added + position.other
    s, q, h = position.sign, position.quantity, leg.quantity
    with np.errstate(divide="ignore", invalid="ignore"):
        price = (required - free + s * q * position.entry - s * h * leg.entry) / (s * (q - h))
    # a net short is liquidated above; a negative price says that no wallet so small carries the legs
    return np.where(equal_legs(q, h) | ((s * (q - h) < 0) & (price < 0)), np.nan, price)


def equal_legs(quantity: np.ndarray, opposite: np.ndarray) -> np.ndarray:
    """Where the legs cancel, to rounding."""
    return np.isclose(quantity, opposite, rtol=1e-12, atol=0.0)


def _on_entry(need: Requirement, notional: np.ndarray) -> np.ndarray:
    refuse_outgrown(need, notional[..., None])
    return tier_of(need, notional, need.rate) * notional - tier_of(need, notional, need.amount)


def _at_price(position: Position, need: Requirement, leg: Leg, on: np.ndarray, on_leg: np.ndarray) -> np.ndarray:
    """The equation in every pair of tiers; the solution that lies in its own pair. `on`, `on_leg`: 1 where charged."""
    free = position.margin + position.added + position.other
    parts = (position.sign, position.entry, position.quantity, leg.entry, leg.quantity, free, position.fee, on, on_leg)
    s, entry, q, other, h, free, fee, on, on_leg = (
        np.asarray(x, float)[..., None, None] for x in np.broadcast_arrays(*parts)
    )
    mine, its = _axis(need, -2), _axis(leg.need, -1)
    left = free + on * mine["amount"] + on_leg * its["amount"] - s * q * entry + s * h * other  # at a price of zero
    slope = s * (q - h) - on * q * (mine["rate"] + fee) - on_leg * h * (its["rate"] + fee)
    with np.errstate(divide="ignore", invalid="ignore"):
        price = -left / slope
    size, size_leg = np.maximum(price, 0.0) * q, np.maximum(price, 0.0) * h
    miss = np.maximum(on * _outside(size, mine), on_leg * _outside(size_leg, its))
    miss = np.where((slope > 0) == (slope[..., :1, :1] > 0), miss, np.inf)  # the crossing that is asked for
    miss, price, slope, size, size_leg = (x.reshape(*x.shape[:-2], -1) for x in np.broadcast_arrays(
        np.nan_to_num(miss, nan=np.inf), price, slope, size, size_leg))  # fmt: skip
    best = np.argmin(miss, axis=-1)[..., None]
    miss, price, slope, size, size_leg = (
        np.take_along_axis(x, best, axis=-1)[..., 0] for x in (miss, price, slope, size, size_leg)
    )
    missed = miss > 1.0 + ROUNDED * (size + size_leg)  # on the way down: the requirement is above the wallet everywhere
    never = np.where(slope > 0, missed, price < 0) | equal_legs(q, h)[..., 0, 0]
    refuse_outgrown(need, np.maximum(np.where(never, 0.0, size), (entry * q)[..., 0, 0])[..., None])
    refuse_outgrown(leg.need, np.maximum(np.where(never, 0.0, size_leg), (other * h)[..., 0, 0])[..., None])
    return np.where(never, np.nan, price)


def _axis(need: Requirement, axis: int) -> dict[str, np.ndarray]:
    """Tiers on the first or the second of the two last axes."""
    names = ("floor", "ceiling", "rate", "amount")
    return {name: np.expand_dims(getattr(need, name), -1 if axis == -2 else -2) for name in names}


def _outside(size: np.ndarray, tier: dict[str, np.ndarray]) -> np.ndarray:
    """By how much a notional misses its tier."""
    return np.maximum(np.maximum(tier["floor"] - size, size - tier["ceiling"]), 0.0)
