"""Binance: USDⓈ-M (linear) and COIN-M (inverse) futures, isolated and cross.

Linear: ``LP = (WB − TMM + UPNL + c − s·q·E) / (q·m − s·q)``. Inverse, N = contracts × contract size [USD]:
``LP = N·(m + s) / (WB − TMM + UPNL + c + s·N/E)``. Both take m and c of the tier that holds the notional at LP; COIN-M
tiers are in coins. Bankruptcy: ``E·(1 − s/L)`` and ``E / (1 + s/L)``. No fee enters.

Checked against the venue's own examples: 1,114.78 and 18,778.73 (isolated), 1,153.26 and 26,316.89 (cross); COIN-M
33,599.42, where Binance's calculator shows 33,599.40.

References
----------
Binance FAQ, "How to Calculate Liquidation Price of USDⓈ-M Futures Contracts", 2020-08-14.
Binance FAQ, "How to Calculate Liquidation Price of COIN-M Futures Contracts", 2021-02-05.
"""

from __future__ import annotations

from liqlab.margin.equations import Formula, at_liquidation, margin_used_up

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
    ),
)
