"""OKX and Gate: the closing fee is part of what must be left; linear and inverse.

Linear: ``LP = (E − s·margin/q) / (1 − s·(m + f))``. Inverse, N = contracts × face value [USD]:
``LP = (1 + s·(m + f)) / (1/E + s·margin/N)``; with ``taker_fee=0`` the fee is left apart, as some pages do. Where a
table has amounts c, they count as margin. OKX liquidates when equity ≤ maintenance margin + liquidation fees, so the
other positions of a cross wallet enter as they do at Binance; Gate's text has no such term.

Bankruptcy is the price at which the margin is used up, fees apart: ``E·(1 − s/L)`` and ``E/(1 + s/L)`` [U].

Known limits: OKX's own tiers are in contracts, and their rate holds for the *whole* position, not for the part above
the bracket's floor: its requirement jumps at an edge, which a continuous table does not show. Position sizes in the
first tier are not concerned.

Checked: 10 at 5x, m = 1 %, f = 0.06 % → 8.085708510208207 and 11.87413417771621.

References
----------
OKX help centre, "Tiered maintenance margin ratio rules" (equity ≤ maintenance margin + liquidation fees).
OKX help centre, "Introduction to the isolated mode of Single/Multi-currency/Portfolio margin" (as used by freqtrade).
Gate help centre, "Calculation of liquidation price" (perpetual), as quoted by freqtrade.
Gate customer service in Gate's community, 2023-07-02 (the inverse contract, with the taker fee).
"""

from __future__ import annotations

from liqlab.margin.equations import Formula, at_liquidation, margin_used_up

# Regular users, as ccxt 4.5 carries them; Gate's pages of 2022 and 2023 still reckon with 0.075 %.
TAKER_FEE = {"okx": 0.0005, "gate": 0.0005}

LINEAR = "(E − s·margin/q) / (1 − s·(m + f)), tier at LP"
INVERSE = "(1 + s·(m + f)) / (1/E + s·margin/N), tier at LP"

FORMULAS = (
    Formula(
        name="okx-linear",
        exchanges=("okx", "okex"),
        contract="linear",
        equation=LINEAR,
        seen="2024-05-15",
        status="S",
        source="OKX help centre, Introduction to the isolated mode, as used by freqtrade",
        solve=at_liquidation,
        bankrupt=margin_used_up,
        taker_fee=TAKER_FEE["okx"],
        others=True,
    ),
    Formula(
        name="okx-inverse",
        exchanges=("okx", "okex"),
        contract="inverse",
        equation=INVERSE,
        seen="2024-05-15",
        status="S",
        source="OKX help centre as retold by secondary pages; the fee from Tiered maintenance margin ratio rules",
        solve=at_liquidation,
        bankrupt=margin_used_up,
        taker_fee=TAKER_FEE["okx"],
        others=True,
    ),
    Formula(
        name="gate-linear",
        exchanges=("gate", "gateio"),
        contract="linear",
        equation=LINEAR,
        seen="2022-12-31",
        status="S",
        source="Gate help centre, Calculation of liquidation price, as quoted by freqtrade",
        solve=at_liquidation,
        bankrupt=margin_used_up,
        taker_fee=TAKER_FEE["gate"],
    ),
    Formula(
        name="gate-inverse",
        exchanges=("gate", "gateio"),
        contract="inverse",
        equation=INVERSE,
        seen="2023-07-02",
        status="S",
        source="Gate customer service, in Gate's community",
        solve=at_liquidation,
        bankrupt=margin_used_up,
        taker_fee=TAKER_FEE["gate"],
    ),
)
