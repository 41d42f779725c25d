"""From what a user types to what a formula takes: a position in linear form, and a maintenance requirement."""

from __future__ import annotations

from typing import Any

import numpy as np

from liqlab.margin.equations import Formula, Position, Requirement, mirror, refuse_outgrown, tier_of
from liqlab.margin.quantities import contract_of, finite, given, leverages, positive, rate, sign
from liqlab.margin.tiers import Tiers
from liqlab.margin.venues.onchain import maintenance_rate


def position_of(
    rule: Formula, entry_price: Any, side: Any, leverage: Any, quantity: Any, wallet_balance: Any, added: Any,
    taker_fee: Any, other: Any = 0.0, funding: Any = 0.0,
) -> Position:  # fmt: skip
    """The inputs, checked and put into the form of a linear contract."""
    inverse = rule.contract == "inverse"
    if (leverage is None) == (wallet_balance is None):
        raise ValueError("give either leverage (25 for 25x) or wallet_balance [quote], not both and not neither")
    if quantity is None and wallet_balance is not None:
        raise ValueError("a wallet_balance needs a quantity [coins; USD if inverse]; or give leverage alone")
    money, things = ("coins", "USD, contracts × contract size") if inverse else ("quote", "coins")
    s, entry = sign(side), positive(entry_price, "entry_price", "a price in quote per coin")
    size = positive(1.0 if quantity is None else quantity, "quantity", f"a size in {things}; the sign is the side's")
    if inverse and (size < 1.0).any():
        raise ValueError("the quantity of an inverse contract is its face value in USD, at least 1, got "
                         f"{size.min():g}; for a size in coins pass coins × entry_price")  # fmt: skip
    fee = _fee(rule, taker_fee)
    extra = finite(added, "added_margin", f"in {money}, negative if margin was taken out")
    bare = Position(s, entry, size, np.zeros(()), extra, np.asarray(other), fee, np.asarray(funding))
    twin = mirror(bare) if inverse else bare
    if wallet_balance is None:
        margin = twin.entry * size / leverages(leverage)
    else:
        margin = positive(wallet_balance, "wallet_balance", f"the margin in {money}")
    if given(extra):
        positive(margin + extra, "the margin with added_margin", f"in {money}; take out less")
    return Position(twin.sign, twin.entry, size, margin, extra, twin.other, fee, twin.funding)


def _fee(rule: Formula, taker_fee: Any) -> np.ndarray:
    """The fee given, the venue's default, or 0 where the formula has none."""
    if taker_fee is None:
        return np.asarray(rule.taker_fee or 0.0)
    if rule.taker_fee is None:
        raise ValueError(f"the formula {rule.name} has no fee in it, got taker_fee {taker_fee!r}; leave it out")
    return rate(taker_fee, "taker_fee", "0.0005 for 0.05 %")


def others(rule: Formula, maintenance: Any, pnl: Any) -> np.ndarray:
    """What the other positions of the wallet add to the margin, where the formula has a term for them."""
    if not rule.others and (given(maintenance) or given(pnl)):
        raise ValueError(f"the formula {rule.name} has no term for other positions; leave other_maintenance_margin "
                         "and other_unrealised_pnl out, and pass what is left as wallet_balance")  # fmt: skip
    required = finite(maintenance, "other_maintenance_margin", "that of the other positions")
    return finite(pnl, "other_unrealised_pnl", "that of the other positions") - required


def funding(rule: Formula, funding_rate: Any) -> np.ndarray:
    """The funding rate, where the formula has a term for it."""
    if given(funding_rate) and not rule.funding:
        raise ValueError(
            f"the formula {rule.name} has no funding in it, got funding_rate {funding_rate!r}; leave it out"
        )
    return finite(funding_rate, "funding_rate", "a fraction per interval, 0.0001 for 0.01 %")


def outright(rule: Formula, maintenance_margin_rate: Any, maintenance_amount: Any, max_leverage: Any) -> Requirement:
    """A single tier without end, from a rate given or, at Hyperliquid, from the highest leverage."""
    if max_leverage is not None and (rule.name != "hyperliquid" or maintenance_margin_rate is not None):
        raise ValueError("max_leverage is for Hyperliquid, whose rate follows from it, and stands alone; elsewhere "
                         "pass maintenance_margin_rate")  # fmt: skip
    if max_leverage is not None:
        highest = leverages(max_leverage, "max_leverage")
        m = maintenance_rate(highest)
    else:
        highest = np.asarray(np.inf)
        m = rate(maintenance_margin_rate, "maintenance_margin_rate", "0.004 for 0.4 %")
    c = finite(0.0 if maintenance_amount is None else maintenance_amount, "maintenance_amount", "a sum of money")
    m, c, highest = (x[..., None] for x in np.broadcast_arrays(m, c, highest))
    return Requirement(np.zeros(1), np.full(1, np.inf), m, c, highest, "the tier given")


def from_table(rule: Formula, table: Tiers, position: Position, *, first_only: bool) -> Requirement:
    """A table in the money of the position: one in quote that stands in for an inverse contract's, at E."""
    in_coins = contract_of(table.symbol) == "inverse"
    if in_coins and rule.contract == "linear":
        raise ValueError(f"the tiers of {table.symbol} are in coins, but the contract is linear; pass tiers in quote")
    label = f"{table.symbol} on {table.exchange} (as of {table.as_of:%Y-%m-%d})"
    if first_only:
        one = slice(0, 1)
        return Requirement(
            np.zeros(1), np.full(1, np.inf), table.rate[one], np.zeros(1), table.max_leverage[one], label
        )
    unit = position.entry[..., None] if rule.contract == "inverse" and not in_coins else np.ones(1)
    return Requirement(
        table.floor * unit, table.ceiling * unit, table.rate, table.amount * unit, table.max_leverage, label
    )


def check_leverage(need: Requirement, position: Position, leverage: Any) -> None:
    """Refuse a leverage above that of the tier that holds the notional at entry."""
    if leverage is None:
        return
    notional = position.entry * position.quantity
    refuse_outgrown(need, notional[..., None])
    allowed, asked = np.broadcast_arrays(tier_of(need, notional, need.max_leverage), leverages(leverage))
    above = asked > allowed
    if above.any():
        k = np.unravel_index(np.argmax(above), above.shape)
        raise ValueError(f"leverage {asked[k]:g} is above the maximum of {allowed[k]:g}x that {need.label} allows a "
                         "position of this size; lower the leverage or the quantity")  # fmt: skip
