"""Bybit: linear (USDT, USDC) and inverse contracts, isolated; two versions of the inverse text.

Linear: ``LP = E − s·(IM + X − MM)/q`` with IM = q·E/L, X the margin added, and MM = m·q·E − c **on entry**: there is no
fixed point to seek. Inverse, text of 2024: the same in coins, ``LP = N / (N/E + s·(IM + X − MM))`` with IM = N/(E·L),
MM = m·N/E − c. Inverse, text of 2026: maintenance margin at LP, ``LP = N·(1 + s·m) / (N/E + s·IM + s·X/(1 + s·f) +
s·c)``. The default is the text of 2024, which carries worked examples on Bybit's own pages; the later one was seen on
a mirror only, and its example does not say which fee was meant where margin is added.

Bankruptcy: linear ``E·(1 − s/L)``, inverse ``E·L/(L + s)``. Bybit's formula has no term for other positions (a unified
account is margined as a whole): a cross balance goes into ``wallet_balance``, an approximation. Nor has it one for the
opposite leg of a hedge: in isolated mode each leg has a price of its own.

Checked: 20,000 at 50x → 19,700; 50,000 at 10x → 45,454.55 and 55,555.56 (bankruptcy); short 60,000 USD at 50,000, 10x
→ 55,248.62 (2024) and 55,277.78 (2026).

References
----------
Bybit help centre, "Liquidation Price (USDT Contract)".
Bybit help centre, "Liquidation Price Calculation under Isolated Mode (Unified Trading Account)", texts of 2024-09-10
and, on a mirror, 2026-05-27.
Bybit help centre, "What is Bankruptcy Price? (Inverse Contract)".
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from liqlab.margin.equations import Formula, Position, Requirement, at_entry, at_liquidation, margin_used_up

TAKER_FEE = 0.00055  # regular users, linear and inverse; enters the text of 2026 alone, and there only added margin
UNIFIED = "Bybit help centre, Liquidation Price Calculation under Isolated Mode (Unified Trading Account)"


def added_margin_less_fee(position: Position, need: Requirement) -> np.ndarray:
    """The text of 2026: margin added counts as X/(1 + s·f), with s of the inverse side; the fee enters nowhere else."""
    added = position.added / (1.0 - position.sign * position.fee)  # the position is mirrored: its sign is −s
    return at_liquidation(replace(position, added=added, fee=np.zeros(())), need)


FORMULAS = (
    Formula(
        name="bybit-linear",
        exchanges=("bybit",),
        contract="linear",
        equation="E − s·(IM + X − MM)/q, MM on entry",
        seen="undated",
        status="D",
        source="Bybit help centre, Liquidation Price (USDT Contract)",
        solve=at_entry,
        bankrupt=margin_used_up,
    ),
    Formula(
        name="bybit-inverse-2024",
        exchanges=("bybit",),
        contract="inverse",
        equation="N / (N/E + s·(IM + X − MM)), MM on entry",
        seen="2024-09-10",
        status="D",
        source=UNIFIED,
        solve=at_entry,
        bankrupt=margin_used_up,
    ),
    Formula(
        name="bybit-inverse-2026",
        exchanges=("bybit",),
        contract="inverse",
        equation="N·(1 + s·m) / (N/E + s·IM + s·X/(1 + s·f) + s·c), tier at LP",
        seen="2026-05-27",
        status="U",
        source=f"{UNIFIED}, as seen on a mirror",
        solve=added_margin_less_fee,
        bankrupt=margin_used_up,
        taker_fee=TAKER_FEE,
    ),
)
