"""BitMEX, inverse (XBTUSD): **not verified** against a document of the venue.

Bankruptcy ``B = E / (1 + s·(1/L − 2·f))``: entry and exit fee are taken out of the margin. Liquidation
``LP = B + s·E·(m + f) + E·funding``: a positive funding rate moves both sides' prices up (longs pay it, shorts receive
it). The sources are two answers of BitMEX's support, passed on by users, and they differ (one *adds* the fees to the
initial margin; that would make the position safer for paying them). The maintenance rate is that of the tier that
holds the position at entry. Other positions are not in it; linear and quanto contracts of BitMEX are not covered.

Where ``1/L <= 2·f + (m + f)/(1 − m − f)`` (long) or ``1/L <= 2·f + (m + f)/(1 + m + f)`` (short) the liquidation price
lies beyond the entry: the position may not be opened.

References
----------
github nottug/bitmex_utils ("the formulas were provided from BitMEX support") [U].
reddit r/BitMEX, a formula from a support ticket [U].
BitMEX, "Liquidation" (the process; no formula).
"""

from __future__ import annotations

import numpy as np

from liqlab.margin.equations import Formula, Position, Requirement, refuse_outgrown, tier_of

TAKER_FEE = 0.00075  # XBTUSD until 2023, the fee of the sources


def bankrupt(position: Position) -> np.ndarray:
    """1/B in the mirror: ``1/E − s'·(margin/N − 2·f/E)`` with s' = −s."""
    margin = (position.margin + position.added) / position.quantity
    return position.entry - position.sign * (margin - 2.0 * position.fee * position.entry)


def solve(position: Position, need: Requirement) -> np.ndarray:
    """1/LP in the mirror; 0 for a short that no rise can liquidate."""
    notional = position.entry * position.quantity
    refuse_outgrown(need, notional[..., None])
    rate = tier_of(need, notional, need.rate) - tier_of(need, notional, need.amount) / notional
    left = bankrupt(position)
    entry = 1.0 / position.entry
    with np.errstate(divide="ignore"):
        price = 1.0 / np.maximum(left, 0.0) - position.sign * entry * (rate + position.fee) + entry * position.funding
        return np.asarray(1.0 / np.maximum(price, 0.0))


FORMULAS = (
    Formula(
        name="bitmex-inverse",
        exchanges=("bitmex",),
        contract="inverse",
        equation="E/(1 + s·(1/L − 2f)) + s·E·(m + f) + E·funding, m on entry",
        seen="undated",
        status="U",
        source="answers of BitMEX's support passed on by users",
        solve=solve,
        bankrupt=bankrupt,
        taker_fee=TAKER_FEE,
        funding=True,
    ),
)
