"""dYdX v4: linear contracts whose accounts anyone can read, isolated and cross.

``p' = (e − z·p − MMR_o) / (|z|·MMF − z)`` with z = s·q the signed size, e the equity, MMR_o the maintenance margin of
the other positions; MMF is one fraction per market. The oracle price triggers. A subaccount nets what it trades in one
market: there is no hedge mode.

Bankruptcy is the price at which the margin is used up: ``E·(1 − s/L)``.

Checked: e = 1000, short 3 at 3000, MMF 5 % → 3,174.6032.

References
----------
dYdX documentation, "Liquidations" (isolated and cross liquidation price).
"""

from __future__ import annotations

from liqlab.margin.equations import Formula, at_liquidation, margin_used_up

FORMULAS = (
    Formula(
        name="dydx",
        exchanges=("dydx",),
        contract="linear",
        equation="(e − z·p − MMR_o) / (|z|·MMF − z), z = s·q",
        seen="undated",
        status="D",
        source="dYdX documentation, Liquidations",
        solve=at_liquidation,
        bankrupt=margin_used_up,
        others=True,
    ),
)
