"""What is known of one market: its tables, each checked, on one clock; and indicators computed from them alone."""

from liqlab.market.market import (
    Market,
    check_candles,
    check_funding_rate,
    check_leverage_tiers,
    check_liquidation_events,
    check_liquidations,
    check_mark_candles,
    check_open_interest,
    check_taker,
    check_trades,
)  # fmt: skip
from liqlab.market.provenance import OpenInterestUse, Provenance, TakerUse, TierUse, TouchUse
from liqlab.market.technicals import indicators

__all__ = [
    "Market", "OpenInterestUse", "Provenance", "TakerUse", "TierUse", "TouchUse", "check_candles",
    "check_funding_rate", "check_leverage_tiers", "check_liquidation_events", "check_liquidations",
    "check_mark_candles", "check_open_interest", "check_taker", "check_trades", "indicators",
]  # fmt: skip
