"""Binance: USDⓈ-M (linear) and COIN-M (inverse) futures, isolated and cross.

Linear: ``LP = (WB − TMM + UPNL + c − s·q·E) / (q·m − s·q)``. Inverse, N = contracts × contract size [USD]:
``LP = N·(m + s) / (WB − TMM + UPNL + c + s·N/E)``. Both take m and c of the tier that holds the notional at LP; COIN-M
tiers are in coins. Bankruptcy: ``E·(1 − s/L)`` and ``E / (1 + s/L)``. No fee enters.

Hedge mode in cross margin: both legs of a symbol share one price, and each pays its own maintenance margin (MMR_L,
cum_L, MMR_S, cum_S): ``LP = (WB − TMM + UPNL + c + c_h − s·q·E + s·h·H) / (q·m + h·m_h − s·q + s·h)`` with h, H, m_h
and c_h of the opposite leg.

Checked against the venue's own examples: 1,114.78 and 18,778.73 (isolated), 1,153.26 and 26,316.89 (cross); COIN-M
33,599.42, where Binance's calculator shows 33,599.40.

References
----------
Binance FAQ, "How to Calculate Liquidation Price of USDⓈ-M Futures Contracts", 2020-08-14.
Binance FAQ, "How to Calculate Liquidation Price of COIN-M Futures Contracts", 2021-02-05.
"""

from __future__ import annotations

from liqlab.margin.equations import Formula, at_liquidation, margin_used_up
from liqlab.margin.hedges import both_legs

FORMULAS = (
    Formula(
        name="binance-linear",
        exchanges=("binanceusdm", "binance"),
        contract="linear",
        equation="(WB − TMM + UPNL + c − s·q·E) / (q·m − s·q), tier at LP",
        seen="2020-08-14",
        status="D",
        source="Binance FAQ, How to Calculate Liquidation Price of USDⓈ-M Futures Contracts",
        solve=at_liquidation,
        bankrupt=margin_used_up,
        others=True,
        hedged=both_legs,
        hedge_margin="both legs",
    ),
    Formula(
        name="binance-inverse",
        exchanges=("binancecoinm", "binance"),
        contract="inverse",
        equation="N·(m + s) / (WB − TMM + UPNL + c + s·N/E), tier at LP",
        seen="2021-02-05",
        status="D",
        source="Binance FAQ, How to Calculate Liquidation Price of COIN-M Futures Contracts",
        solve=at_liquidation,
        bankrupt=margin_used_up,
        others=True,
        hedged=both_legs,
        hedge_margin="both legs",
    ),
)
