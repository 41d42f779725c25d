"""What ccxt's tiers count, venue by venue, as data: its ``minNotional`` is a notional on some venues only.

A venue that is not in the table is not guessed at. Each row was read in ccxt's own source
(``parse_market_leverage_tiers`` of the version named) and, where it says nothing of the unit, in the document named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

QUOTE, COINS, CONTRACTS = "quote", "coins", "contracts"
WHOLE, ABOVE = "whole position", "part above the floor"
READ, CCXT = "2026-11-28", "4.5.90"


@dataclass(frozen=True)
class TierUnit:
    """How a venue's tiers are to be read.

    Attributes
    ----------
    exchanges : tuple of str
        ccxt's names.
    linear, inverse : str
        What the floors and ceilings count: ``quote``, ``coins``, ``contracts``; empty: not known.
    rate_on : str
        What a tier's rate is charged on: ``whole position``, ``part above the floor``; empty: not known, and the
        maintenance margin is then taken to be continuous.
    source : str
        Field of the venue that ccxt hands on, and document.
    fetched : bool
        Whether `fetch` offers them: everything a table needs is in the reply.
    key : bool
        Whether the venue wants an API key for them.
    refused : str
        Why they cannot be read at all, and what to do.
    by_field : mapping
        Where the name of a field in ``info`` tells the unit, and overrides `linear` and `inverse`.
    """

    exchanges: tuple[str, ...]
    linear: str
    inverse: str
    rate_on: str
    source: str
    fetched: bool = True
    key: bool = False
    refused: str = ""
    by_field: Mapping[str, str] = field(default_factory=dict)

    def unit(self, inverse: bool, tiers: Sequence[Mapping[str, Any]] = ()) -> str:
        """The unit of a kind of contract; a field of the reply goes before the table."""
        info = (tiers[0].get("info") or {}) if tiers else {}
        told = [unit for name, unit in self.by_field.items() if name in info]
        return told[0] if told else self.inverse if inverse else self.linear


UNITS = (
    TierUnit(("binanceusdm", "binancecoinm", "binance"), QUOTE, COINS, ABOVE,
             "notionalFloor/notionalCap, of COIN-M qtyFloor/qtyCap; amounts in cum", key=True),
    TierUnit(("bybit", "bybiteu", "bybitid"), QUOTE, COINS, ABOVE,
             "riskLimitValue, a position value in the settle currency; amounts in mmDeduction"),
    TierUnit(("okx", "okex", "myokx", "okxus"), CONTRACTS, CONTRACTS, WHOLE,
             "minSz/maxSz; OKX announcements of position tiers, 'Max. amount (Cont)'; OKEx, Tiered Maintenance Margin "
             "Ratio System (number of contracts → tier → rate)"),
    TierUnit(("gate", "gateio", "gateeu"), QUOTE, COINS, ABOVE,
             "risk_limit in the settle currency; amounts in deduction; Gate, Leverage and Margin (the next tier's rate "
             "on the portion exceeding the previous limit, since July 2025)"),
    TierUnit(("mexc",), CONTRACTS, CONTRACTS, WHOLE,
             "riskIncrVol in contracts (Vol); MEXC, Liquidation in Futures (position value × rate)"),
    TierUnit(("krakenfutures",), QUOTE, CONTRACTS, "",
             "numNonContractUnits in USD, contracts of 1 USD; Kraken, margin schedules of linear (USD) and inverse "
             "(contracts) futures", by_field={"numNonContractUnits": QUOTE, "contracts": CONTRACTS}),
    TierUnit(("kucoinfutures", "kucoin"), QUOTE, CONTRACTS, WHOLE,
             "minRiskLimit/maxRiskLimit; KuCoin, Risk Limit Levels (position value, of inverse contracts their number) "
             "and What Is Risk Limit Level (liquidation by the rate of the level)"),
    TierUnit(("bitget",), QUOTE, "", WHOLE,
             "startUnit/endUnit; Bitget, Tiered maintenance margin explained (USDT; position value × rate)"),
    TierUnit(("phemex",), QUOTE, COINS, "",
             "limit in the settle currency; rates as '0.5%' in info; ccxt asks for USD-settled contracts only",
             fetched=False),
    TierUnit(("bingx",), QUOTE, "", ABOVE,
             "minPositionVal/maxPositionVal; amounts in maintAmount; no highest leverage in the reply", fetched=False,
             key=True),
    TierUnit(("xt",), QUOTE, "", "",
             "maxNominalValue; ccxt gives the first tier the ceiling of the last as its floor", fetched=False),
    TierUnit(("coinex",), COINS, "", "",
             "amount in the base coin (ccxt pull request 22457; the venue left ccxt before 4.5.90)", fetched=False),
    TierUnit(("htx", "huobi"), "", "", "", "ladders of adjust_factor per lever_rate, in contracts", fetched=False,
             refused="its ladders differ from leverage to leverage, so that no one table holds them; of the ladder of "
                     "your leverage that holds your number of contracts, pass maintenance_margin_rate = adjust factor "
                     "÷ leverage to liquidation_price"),
)  # fmt: skip


def unit_of(exchange: str) -> TierUnit | None:
    """The row of a venue; None where nobody read it."""
    return next((row for row in UNITS if exchange in row.exchanges), None)


def needs_price(exchange: str, *, inverse: bool) -> bool:
    """Whether tiers of a venue can become notional at a price only."""
    row = unit_of(exchange)
    return row is not None and (bool(row.by_field) or row.unit(inverse) != native(inverse))


def native(inverse: bool) -> str:
    """The unit in which tables are kept."""
    return COINS if inverse else QUOTE


def tier_units() -> pd.DataFrame:
    """What the tiers that ccxt hands on count, venue by venue, and from where that is known.

    Returns
    -------
    DataFrame (exchange,)
        linear, inverse: unit of floors and ceilings (``quote``, ``coins``, ``contracts``, empty: not known); rate_on:
        what a tier's rate is charged on (empty: not known); fetched: whether `fetch` offers them; key: whether they
        need an API key; source; ccxt: version read; read: date; refused: why they cannot be read.

    Examples
    --------
    >>> tier_units().loc["mexc", ["linear", "rate_on"]].tolist()
    ['contracts', 'whole position']
    """
    rows = {
        name: {
            "linear": row.linear, "inverse": row.inverse, "rate_on": row.rate_on, "fetched": row.fetched,
            "key": row.key, "source": row.source, "ccxt": CCXT, "read": READ, "refused": row.refused,
        }
        for row in UNITS
        for name in row.exchanges
    }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("exchange")
