"""Markets, formulas and maintenance tiers for the calculator in the page, as one script that needs no server."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np

from liqlab.margin import venues
from liqlab.margin.equations import Formula, Solver, at_entry, at_liquidation
from liqlab.margin.quantities import contract_of
from liqlab.margin.tiers import default_tiers, tiers_for

__all__ = ["calculator_data", "calculator_script", "elsewhere"]

# The two ways of comparing that `theme/_static/calculator.js` knows; a formula with another one is left to the call.
SOLVERS: dict[Solver, str] = {at_liquidation: "at_liquidation", at_entry: "at_entry"}


@cache
def calculator_data() -> dict[str, Any]:
    """What the calculator in the page reads.

    Returns
    -------
    dict
        markets: list of dict with exchange, symbol, contract, quote, formula, table, proxy. formulas: by name, with
        contract, solver, equation, source, status, taker_fee [1] and others. tables: by name, with exchange, symbol,
        as_of, coins (whether it is in coins) and tiers, rows of floor, ceiling [quote; coins], rate [1], amount [as
        floor] and highest leverage: the newest of each symbol that liqlab ships.

    Examples
    --------
    >>> data = calculator_data()
    >>> data["formulas"]["bybit-linear"]["solver"]
    'at_entry'
    >>> data["tables"]["binanceusdm BTC/USDT:USDT"]["tiers"][0]
    [0.0, 300000.0, 0.004, 0.0, 150.0]
    """
    coins = [symbol.partition("/")[0] for symbol in default_tiers()["symbol"].unique()]
    coins.sort(key=lambda coin: (coin not in ("BTC", "ETH", "SOL"), coin))
    formulas, tables, markets = {}, {}, []
    for exchange in _exchanges():
        for formula in _known(exchange):
            for coin in coins:
                symbol = f"{coin}/USD:{coin}" if formula.contract == "inverse" else f"{coin}/{_quote(exchange)}"
                table = tiers_for(exchange, symbol)
                if table.whole or np.isfinite(table.reference_price):
                    continue  # placed by the number of contracts: left to the call
                name = f"{table.exchange} {table.symbol}"
                formulas[formula.name] = _formula(formula)
                tables[name] = _table(table)
                markets.append({"exchange": exchange, "symbol": symbol, "contract": formula.contract,
                                "quote": symbol.partition("/")[2].partition(":")[0], "formula": formula.name,
                                "table": name, "proxy": table.proxy})  # fmt: skip
    return {"markets": markets, "formulas": formulas, "tables": tables}


def calculator_script() -> str:
    """`calculator_data` as a script: pages from the disk may load no JSON."""
    return f"globalThis.liqlabTables = {json.dumps(calculator_data(), allow_nan=False)};\n"


def elsewhere() -> list[str]:
    """Formulas that the page does not have, by name: they need the call.

    >>> "bitmex-inverse" in elsewhere(), "bybit-linear" in elsewhere()
    (True, False)
    """
    there = {formula["name"] for formula in calculator_data()["formulas"].values()}
    return sorted(set(venues.FORMULAS) - there)


def _exchanges() -> list[str]:
    """Each venue once, by the first of its names."""
    first = dict.fromkeys(formula.exchanges[0] for formula in venues.FORMULAS.values())
    return sorted(first, key=lambda name: (name != "binanceusdm", name != "bybit", name))


def _known(exchange: str) -> list[Formula]:
    """The default formulas of a venue that the script can solve."""
    own = {formula.contract: formula for formula in reversed(venues.FORMULAS.values()) if exchange in formula.exchanges}
    return [own[kind] for kind in ("linear", "inverse") if kind in own and own[kind].solve in SOLVERS]


def _quote(exchange: str) -> str:
    return {"hyperliquid": "USDC:USDC", "dydx": "USD:USDC"}.get(exchange, "USDT:USDT")


def _formula(formula: Formula) -> dict[str, Any]:
    told = ("name", "contract", "equation", "source", "status", "taker_fee", "others")
    return {**{name: getattr(formula, name) for name in told}, "solver": SOLVERS[formula.solve]}


def _table(table: Any) -> dict[str, Any]:
    columns = (table.floor, table.ceiling, table.rate, table.amount, table.max_leverage)
    return {"exchange": table.exchange, "symbol": table.symbol, "as_of": f"{table.as_of:%Y-%m-%d}",
            "coins": contract_of(table.symbol) == "inverse",
            "tiers": [[float(value) for value in row] for row in zip(*columns, strict=True)]}  # fmt: skip
