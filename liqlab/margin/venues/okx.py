"""OKX: the closing fee is part of what must be left; linear and inverse, isolated and cross.

Linear: ``LP = (E − s·margin/q) / (1 − s·(m + f))``. Inverse, N = contracts × face value [USD]:
``LP = (1 + s·(m + f)) / (1/E + s·margin/N)``; with ``taker_fee=0`` the fee is left apart, as some pages do. Where a
table has amounts c, they count as margin. OKX liquidates when equity ≤ maintenance margin + liquidation fees, so the
other positions of a cross wallet enter as they do at Binance, and so does the opposite leg in long/short mode: each leg
pays its own maintenance margin and fee. That legs are not netted follows from the text, which does not say it in so
many words; when a wallet falls short, OKX first closes what the legs have in common.

Tiers are in contracts, and the rate of a tier holds for the *whole* position, not for the part above the bracket's
floor: the requirement jumps at an edge.

Bankruptcy is the price at which the margin is used up, fees apart: ``E·(1 − s/L)`` and ``E/(1 + s/L)`` [U].

Checked: 10 at 5x, m = 1 %, f = 0.06 % → 8.085708510208207 and 11.87413417771621.

References
----------
OKX help centre, "Tiered maintenance margin ratio rules" (equity ≤ maintenance margin + liquidation fees).
OKX help centre, "Introduction to the isolated mode of Single/Multi-currency/Portfolio margin" (as used by freqtrade).
"""

from __future__ import annotations

from liqlab.margin.equations import Formula, at_liquidation, margin_used_up
from liqlab.margin.hedges import both_legs

TAKER_FEE = 0.0005  # regular users, as ccxt 4.5 carries it

FORMULAS = (
    Formula(
        name="okx-linear",
        exchanges=("okx", "okex"),
        contract="linear",
        equation="(E − s·margin/q) / (1 − s·(m + f)), tier at LP",
        seen="2024-05-15",
        status="S",
        source="OKX help centre, Introduction to the isolated mode, as used by freqtrade",
        solve=at_liquidation,
        bankrupt=margin_used_up,
        taker_fee=TAKER_FEE,
        others=True,
        hedged=both_legs,
        hedge_margin="both legs",
    ),
    Formula(
        name="okx-inverse",
        exchanges=("okx", "okex"),
        contract="inverse",
        equation="(1 + s·(m + f)) / (1/E + s·margin/N), tier at LP",
        seen="2024-05-15",
        status="S",
        source="OKX help centre as retold by secondary pages; the fee from Tiered maintenance margin ratio rules",
        solve=at_liquidation,
        bankrupt=margin_used_up,
        taker_fee=TAKER_FEE,
        others=True,
        hedged=both_legs,
        hedge_margin="both legs",
    ),
)
