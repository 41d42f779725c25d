"""Hyperliquid: linear contracts whose accounts anyone can read, isolated and cross.

``LP = E − s·available/q / (1 − l·s)``, l = 1/maintenance leverage = m, available = margin − m·q·E (+ c): the same price
as ``(W + c − s·q·E) / (q·m − s·q)``, which is what is solved. The rate of every tier is half the initial margin at the
tier's highest leverage, ``m = 1 / (2·max_leverage)``: pass ``max_leverage=40`` instead of a rate. The deductions c make
the margin continuous over the tiers. In cross margin the account value stands for the margin. One position per coin:
there is no hedge mode.

Bankruptcy is the price at which the margin is used up: ``E·(1 − s/L)``.

Checked: 60,000 at 10x, max 40x → 54,683.5443 and 65,185.1852.

References
----------
Hyperliquid docs, "Liquidations" (computing liquidation price) and "Margin tiers".
"""

from __future__ import annotations

import numpy as np

from liqlab.margin.equations import Formula, at_liquidation, margin_used_up


def maintenance_rate(max_leverage: np.ndarray) -> np.ndarray:
    """Half the initial margin at the highest leverage allowed.

    Examples
    --------
    >>> float(maintenance_rate(40.0))
    0.0125
    """
    return 1.0 / (2.0 * max_leverage)


FORMULAS = (
    Formula(
        name="hyperliquid",
        exchanges=("hyperliquid",),
        contract="linear",
        equation="E − s·(margin − m·q·E + c)/q / (1 − s·m), m = 1/(2·max leverage), tier at LP",
        seen="undated",
        status="D",
        source="Hyperliquid docs, Liquidations and Margin tiers",
        solve=at_liquidation,
        bankrupt=margin_used_up,
        others=True,
        rate_of=maintenance_rate,
    ),
)
