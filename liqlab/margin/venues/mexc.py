"""MEXC: linear (USDT) contracts, isolated and cross; the maintenance margin is charged on the *entry* notional.

Long: ``LP = (MM − margin + E·q) / q``, short: ``LP = (E·q − MM + margin) / q`` with MM = m·q·E, so that
``LP = E − s·(margin − MM)/q``: there is no fixed point to seek. Commission is left out, as in the venue's example; its
newer text liquidates at margin + PnL ≤ MM + liquidation fee, a hair earlier. In cross margin the equity of the account
stands for the margin, so the other positions enter as they do at Binance.

The tier is that of the number of contracts (0.0001 BTC each), and its rate holds for the whole position.

Hedge mode: each leg pays its own maintenance margin, on its own entry. When a wallet falls short, MEXC first closes
what the legs have in common.

Bankruptcy is the price at which the margin is used up: ``E·(1 − s/L)``. For COIN-M contracts no formula was seen.

Checked: the venue's example, 0.1 BTC long at 50,000, 25x, m = 0.4 % → 48,200.

References
----------
MEXC blog, "Liquidation in Futures" (formula and example).
MEXC support, "Liquidation and Risk Limit" (cross margin, fees, order of the steps).
MEXC support, "MEXC Future Trading Modes" (hedge mode: long and short occupy margin by their own risk limits).
"""

from __future__ import annotations

from liqlab.margin.equations import Formula, at_entry, margin_used_up
from liqlab.margin.hedges import both_legs_at_entry

FORMULAS = (
    Formula(
        name="mexc-linear",
        exchanges=("mexc",),
        contract="linear",
        equation="E − s·(margin − TMM + UPNL − m·q·E)/q, MM on entry",
        seen="2024",
        status="D",
        source="MEXC blog, Liquidation in Futures; support, Liquidation and Risk Limit",
        solve=at_entry,
        bankrupt=margin_used_up,
        others=True,
        hedged=both_legs_at_entry,
        hedge_margin="both legs",
    ),
)
