"""Gate: the closing fee is part of what must be left; linear and inverse; a row of its own for hedge mode.

Linear: ``LP = (E − s·margin/q) / (1 − s·(m + f))``. Inverse, N = contracts × face value [USD]:
``LP = (1 + s·(m + f)) / (1/E + s·margin/N)``; with ``taker_fee=0`` the fee is left apart, as some pages do. Where a
table has amounts c, they count as margin: since July 2025 the next tier's rate holds for the part above its floor.
Gate's text has no term for other positions.

Hedge mode in cross margin: both legs share one margin and one liquidation price, and the maintenance margin is that of
the larger leg, ``free + s·q·(P − E) − s·h·(P − H) = max(q, h)·P·(m + f) − c``. That the closing fee, too, is charged on
the larger leg alone is read into the text. Described for USDT contracts only.

Bankruptcy is the price at which the margin is used up, fees apart: ``E·(1 − s/L)`` and ``E/(1 + s/L)`` [U].

Checked: 10 at 5x, m = 1 %, f = 0.06 % → 8.085708510208207 and 11.87413417771621.

References
----------
Gate help centre, "Calculation of liquidation price" (perpetual), as quoted by freqtrade.
Gate customer service in Gate's community, 2023-07-02 (the inverse contract, with the taker fee).
Gate, futures introduction, "Leverage and Margin" (in hedge mode the rate of the higher-value position).
Gate help centre, "Instructions of Two-way Position" (margin and liquidation price are shared; equal sides: no risk).
"""

from __future__ import annotations

from liqlab.margin.equations import Formula, at_liquidation, margin_used_up
from liqlab.margin.hedges import larger_leg

TAKER_FEE = 0.0005  # regular users, as ccxt 4.5 carries it; Gate's pages of 2022 and 2023 still reckon with 0.075 %

FORMULAS = (
    Formula(
        name="gate-linear",
        exchanges=("gate", "gateio"),
        contract="linear",
        equation="(E − s·margin/q) / (1 − s·(m + f)), tier at LP",
        seen="2022-12-31",
        status="S",
        source="Gate help centre, Calculation of liquidation price, as quoted by freqtrade",
        solve=at_liquidation,
        bankrupt=margin_used_up,
        taker_fee=TAKER_FEE,
    ),
    Formula(
        name="gate-inverse",
        exchanges=("gate", "gateio"),
        contract="inverse",
        equation="(1 + s·(m + f)) / (1/E + s·margin/N), tier at LP",
        seen="2023-07-02",
        status="S",
        source="Gate customer service, in Gate's community",
        solve=at_liquidation,
        bankrupt=margin_used_up,
        taker_fee=TAKER_FEE,
    ),
    Formula(
        name="gate-linear-hedge",
        exchanges=("gate", "gateio"),
        contract="linear",
        equation="(margin + c − s·q·E + s·h·H) / (max(q, h)·(m + f) − s·q + s·h), tier of the larger leg at LP",
        seen="2025",
        status="S",
        source="Gate, futures introduction, Leverage and Margin; help centre, Instructions of Two-way Position",
        solve=at_liquidation,
        bankrupt=margin_used_up,
        taker_fee=TAKER_FEE,
        hedged=larger_leg,
        hedge_margin="larger leg",
    ),
)
