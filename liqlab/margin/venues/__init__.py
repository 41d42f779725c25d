"""Which formula belongs to which exchange and contract: versions as data, each with its source and status.

One file = one family of venues. Files are found by their name, there is no list to keep: a new venue is a new file
``venues/name.py`` that fulfils `Family`. It says in its docstring what the venue published and names the references.
Of several versions for one exchange and contract, the first in its file is the default.
"""

from __future__ import annotations

from typing import Protocol

import pandas as pd

from liqlab.margin.equations import Formula
from liqlab.margin.quantities import contract_of
from liqlab.market.files_by_name import modules_in


class Family(Protocol):
    """What a file of this folder holds."""

    FORMULAS: tuple[Formula, ...]
    """Its formulas, each named after the file: ``okx-linear`` in ``okx.py``."""


def families() -> dict[str, Family]:
    """The files of this folder, by name.

    >>> {"binance", "okx"} <= set(families())
    True
    """
    return modules_in(__name__, __path__)


def _collected() -> dict[str, Formula]:
    found: dict[str, Formula] = {}
    for file, family in families().items():
        for formula in family.FORMULAS:
            if formula.name in found:
                raise ValueError(f"venues/{file}.py: there is another formula {formula.name!r}; names are unique")
            found[formula.name] = formula
    return found


FORMULAS = _collected()
DEFAULT_SYMBOL = {"linear": "BTC/USDT:USDT", "inverse": "BTC/USD:BTC"}


def formulas() -> pd.DataFrame:
    """The formulas that liqlab knows: who uses them, what they say, where they are from.

    Returns
    -------
    DataFrame (formula,)
        exchanges; contract (linear or inverse); default: whether it is used where none is named (two rows, where
        hedge mode has one of its own); equation; seen: date of the text; status: D the venue's own document, S a
        secondary page, U not verified; source; taker_fee [1] used where none is given (NaN: the formula has none);
        hedge: on which leg of a hedge maintenance margin is charged (empty: the formula has no hedge mode).

    Examples
    --------
    >>> formulas().loc["bybit-inverse-2026", ["contract", "status"]].tolist()
    ['inverse', 'U']
    """
    first = {(name, f.contract): f for f in reversed(FORMULAS.values()) for name in f.exchanges}
    used = {f.name for f in first.values()} | {with_hedge(f).name for f in first.values()}
    rows = [
        {
            "exchanges": ", ".join(f.exchanges),
            "contract": f.contract,
            "default": f.name in used,
            "equation": f.equation,
            "seen": f.seen,
            "status": f.status,
            "source": f.source,
            "taker_fee": float("nan") if f.taker_fee is None else f.taker_fee,
            "hedge": f.hedge_margin,
        }
        for f in FORMULAS.values()
    ]
    return pd.DataFrame(rows, index=pd.Index(list(FORMULAS), name="formula"))


def exchanges() -> list[str]:
    """Exchanges with a formula, in ccxt's spelling."""
    return list(dict.fromkeys(name for formula in FORMULAS.values() for name in formula.exchanges))


def named(formula: str) -> Formula:
    """A formula by name; ValueError lists the names."""
    if formula not in FORMULAS:
        raise ValueError(f"no formula is called {formula!r}; there are: {', '.join(FORMULAS)}")
    return FORMULAS[formula]


def with_hedge(formula: Formula) -> Formula:
    """The formula itself if it has hedge mode, else its venue's row that has; itself where there is none."""
    rows = [f for f in FORMULAS.values() if f.hedged and f.contract == formula.contract]
    same = [f for f in rows if set(f.exchanges) & set(formula.exchanges)]
    return formula if formula.hedged or not same else same[0]


def of_market(exchange: str, symbol: str | None) -> Formula:
    """The default formula of an exchange for a symbol; ValueError says what is missing."""
    known = {f.contract: f for f in reversed(FORMULAS.values()) if exchange in f.exchanges}
    if not known:
        raise ValueError(f"exchange {exchange!r} has no formula here; there are: {', '.join(exchanges())}. For another "
                         "venue name the formula that fits, such as formula='binance-linear'")  # fmt: skip
    only = next(iter(known)) if len(known) == 1 else ""
    if symbol is None:
        return known[only or "linear"]
    kind = contract_of(symbol)
    if kind == "unclear":
        kind = only or kind
    if kind in known:
        return known[kind]
    if kind == "unclear":
        raise ValueError(f"symbol {symbol!r} does not say what {exchange} settles it in; pass 'BTC/USD:BTC' for an "
                         "inverse contract, 'BTC/USDT:USDT' for a linear one")  # fmt: skip
    if kind == "quanto":
        raise ValueError(f"{symbol} is settled in a third currency (quanto), for which no formula is here; pass a "
                         "linear or an inverse symbol")  # fmt: skip
    others = [f.name for f in FORMULAS.values() if f.contract == kind]
    raise ValueError(f"{symbol} is {kind}, but for {exchange} there is only a formula of {only} contracts; pass a "
                     f"symbol such as {DEFAULT_SYMBOL[only]!r}, or an exchange that lists it ({kind} formulas: "
                     f"{', '.join(others)})")  # fmt: skip


def nearest(exchange: str, symbol: str) -> tuple[Formula, str]:
    """The formula of a market whatever its exchange: its own, else Binance's of its kind; second: why it stands in."""
    try:
        return of_market(exchange, symbol or None), ""
    except ValueError:
        kind = "inverse" if contract_of(symbol) == "inverse" else "linear"
        name = f"binance-{kind}"
        where = f"{symbol or 'this symbol'} on {exchange or 'an unnamed exchange'}"
        return FORMULAS[name], f"no formula of {where}: {name} stands in"
