"""Exact margin arithmetic: at which price a position is liquidated, and at which it is bankrupt.

Nothing here is estimated. What a venue publishes (formula, maintenance tiers) is applied to a position; where the
tier table of the date or venue is not at hand, the nearest one is taken and flagged (`Tiers.stale`, `Tiers.proxy`).
One file holds one family of venues and names its sources; `formulas` lists them all, with status D (the venue's own
document), S (a secondary page) or U (not verified); `tier_units` says what the tiers that ccxt hands on count.
"""

from liqlab.margin._tier_units import tier_units
from liqlab.margin.ccxt_tiers import tiers_from_ccxt
from liqlab.margin.prices import bankruptcy_price, liquidation_price
from liqlab.margin.quantities import contract_of
from liqlab.margin.tiers import Tiers, tier_history, tiers_for
from liqlab.margin.venues import formulas

__all__ = [
    "Tiers", "bankruptcy_price", "contract_of", "formulas", "liquidation_price", "tier_history", "tier_units",
    "tiers_for", "tiers_from_ccxt",
]  # fmt: skip
