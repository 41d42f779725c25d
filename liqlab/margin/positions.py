"""From what a user types to what a formula takes: a position in linear form, and a maintenance requirement."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from liqlab.margin import venues
from liqlab.margin.equations import Formula, HedgedSolver, Leg, Position, Requirement, mirror, refuse_outgrown, tier_of
from liqlab.margin.quantities import contract_of, finite, given, leverages, positive, rate, sign, sizes
from liqlab.margin.tiers import Tiers


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
    if max_leverage is not None and (rule.rate_of is None or maintenance_margin_rate is not None):
        raise ValueError("max_leverage is for Hyperliquid, whose rate follows from it, and stands alone; elsewhere "
                         "pass maintenance_margin_rate")  # fmt: skip
    if max_leverage is not None and rule.rate_of is not None:
        highest = leverages(max_leverage, "max_leverage")
        m = rule.rate_of(highest)
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
    if table.whole or np.isfinite(table.reference_price):
        return _held(table, position, label, in_coins=in_coins, inverse=rule.contract == "inverse")
    unit = position.entry[..., None] if rule.contract == "inverse" and not in_coins else np.ones(1)
    return Requirement(
        table.floor * unit, table.ceiling * unit, table.rate, table.amount * unit, table.max_leverage, label
    )


def _held(table: Tiers, position: Position, label: str, *, in_coins: bool, inverse: bool) -> Requirement:
    """The tier that a size is in whatever the price, as a rate on the whole position.

    A table counted in contracts or coins is turned back into them by its reference price; a table in notional whose
    rates hold for the whole position is asked once, at the entry.
    """
    at = position.entry if not np.isfinite(table.reference_price) else (
        1.0 / table.reference_price if inverse else table.reference_price)  # fmt: skip
    if inverse and not in_coins:
        at = np.ones(())  # a table in quote: the dollars of an inverse contract are notional
    size = np.asarray(position.quantity * at, float)
    # "0 to 500 contracts": 500 are in it
    placed = size * (1 - 1e-9) if np.isfinite(table.reference_price) else size
    need = Requirement(table.floor, table.ceiling, table.rate, table.amount, table.max_leverage, label)
    refuse_outgrown(need, size[..., None])
    m, c, highest = (tier_of(need, placed, column) for column in (need.rate, need.amount, need.max_leverage))
    with np.errstate(divide="ignore", invalid="ignore"):
        m = np.where(size > 0, m - c / size, m)
    return Requirement(np.zeros(1), np.full(1, np.inf), m[..., None], np.zeros(1), highest[..., None], label)


def leg_of(
    rule: Formula, quantity: Any, entry_price: Any, table: Tiers | None, position: Position,
    rates: tuple[Any, Any, Any, Any],
) -> Leg:  # fmt: skip
    """The opposite leg, checked; its tiers from the table, or its rate and amount given outright.

    `rates`: maintenance rate and amount of the leg, then those of the position, which hold where the leg has none.
    """
    inverse = rule.contract == "inverse"
    size = sizes(quantity, "hedge_quantity", "USD, contracts × contract size" if inverse else "coins")
    if inverse and (small := (size > 0) & (size < 1.0)).any():
        raise ValueError("the hedge_quantity of an inverse contract is its face value in USD, 0 or at least 1, got "
                         f"{size[small].flat[0]:g}; for a size in coins pass coins × price")  # fmt: skip
    entry = positive(entry_price, "hedge_entry_price", "the entry of the opposite leg in quote per coin")
    entry = 1.0 / entry if inverse else entry
    m, c, own_m, own_c = rates
    if table is None:
        if c is None and own_c is not None and given(own_c):
            raise ValueError("the opposite leg has a maintenance amount of its own; pass hedge_maintenance_amount, 0 "
                             "if it is in the first tier")  # fmt: skip
        return Leg(entry, size, outright(rule, own_m if m is None else m, 0.0 if c is None else c, None))
    if m is not None or c is not None:
        raise ValueError("hedge_maintenance_margin_rate and hedge_maintenance_amount go with maintenance_margin_rate; "
                         "where tiers are used, leave them out")  # fmt: skip
    return Leg(entry, size, from_table(rule, table, replace(position, quantity=size, entry=entry), first_only=False))


def check_hedge(rule: Formula, quantity: Any, entry_price: Any, wallet_balance: Any) -> HedgedSolver:
    """The formula's solver; refuses a hedge that is half given, has no wallet in common, or no place in the formula."""
    if quantity is None or entry_price is None:
        raise ValueError("the opposite leg needs both hedge_quantity and hedge_entry_price; pass both or neither, and "
                         "hedge_maintenance_margin_rate and hedge_maintenance_amount with them only")  # fmt: skip
    if rule.hedged is None:
        having = ", ".join(f.name for f in venues.FORMULAS.values() if f.hedged and f.contract == rule.contract)
        raise ValueError(f"the formula {rule.name} has no hedge mode; leave hedge_quantity out where each leg is "
                         f"isolated or the venue nets positions, or name a formula that has one: {having}")  # fmt: skip
    if wallet_balance is None:
        raise ValueError("a hedge shares one cross wallet; pass wallet_balance instead of leverage. Isolated legs have "
                         "a price each: leave hedge_quantity out")  # fmt: skip
    return rule.hedged


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
