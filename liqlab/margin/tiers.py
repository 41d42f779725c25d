"""Dated maintenance tiers: the table in force, and tables brought in through ccxt.

Units: the tiers of a linear contract are in quote, those of an inverse one in coins (so do the venues publish them).
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from liqlab.margin.venues import nearest
from liqlab.market.clock import utc
from liqlab.market.market import check_leverage_tiers

# Tiers change several times a year: a table older than this may no longer hold.
STALE_AFTER = pd.Timedelta(days=184)
# The dated tiers that come with liqlab, written by data/build.py; the seal is that of the file as published.
FILE = Path(__file__).with_name("leverage_tiers.csv")
SHA256 = "168f40194c584d45dd47113b159a7a6cdad49dbe4e3031e81ff65f5f2cdcc94a"
# What venues call the maintenance amount: Binance, Bybit, Gate.
AMOUNTS = ("cum", "mmDeduction", "deduction")
# Venues whose tiers come in contracts.
IN_CONTRACTS = ("okx", "okex")


@dataclass(frozen=True, eq=False)
class Tiers:
    """One maintenance table of one symbol, how far it can be trusted, and the formula that goes with it.

    Attributes
    ----------
    exchange, symbol : str
        Whose table it is (for a proxy: the lender's).
    as_of : Timestamp
        Date on which the table was seen in force.
    floor, ceiling : ndarray (tier,)
        Position notional [quote; coins if the symbol is inverse] held by each tier, ``floor <= notional < ceiling``.
    rate, amount, max_leverage : ndarray (tier,)
        Maintenance margin rate [1], maintenance amount "cum" [as the notional], highest leverage allowed.
    stale : bool
        The table is later than the date asked for, or more than half a year older.
    proxy : str
        Empty, or why another venue's or symbol's table stands in.
    formula : str
        Name of the formula of the market that asked (see `formulas`); empty: that of the table's own market.
    formula_proxy : str
        Empty, or why another venue's formula stands in.
    """

    exchange: str
    symbol: str
    as_of: pd.Timestamp
    floor: np.ndarray
    ceiling: np.ndarray
    rate: np.ndarray
    amount: np.ndarray
    max_leverage: np.ndarray
    stale: bool = False
    proxy: str = ""
    formula: str = ""
    formula_proxy: str = ""

    @property
    def flags(self) -> tuple[str, ...]:
        """``tier_stale``, ``tier_proxy`` and ``formula_proxy``, where they apply."""
        on = {"tier_stale": self.stale, "tier_proxy": bool(self.proxy), "formula_proxy": bool(self.formula_proxy)}
        return tuple(flag for flag, applies in on.items() if applies)


def default_tiers() -> pd.DataFrame:
    """The dated maintenance tiers that come with liqlab: Binance USD-M, eleven symbols, up to five dates.

    Returns
    -------
    DataFrame
        Columns and order as in `liqlab.market.check_leverage_tiers`; a fresh copy at every call.

    Raises
    ------
    ValueError
        Where the file is not the one that liqlab was published with.

    Examples
    --------
    >>> tiers = default_tiers()
    >>> btc = tiers[(tiers["symbol"] == "BTC/USDT:USDT") & (tiers["as_of"] == "2024-04-25")]
    >>> btc[["max_notional", "maintenance_margin_rate", "maintenance_amount"]].head(2).values.tolist()
    [[50000.0, 0.004, 0.0], [500000.0, 0.005, 50.0]]
    """
    return _shipped_tiers().copy()


@cache
def _shipped_tiers() -> pd.DataFrame:
    content = FILE.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise ValueError(f"{FILE} is not the file that liqlab was published with: sha256 {found}, expected {SHA256}; "
                         f"restore it with `git checkout -- liqlab/margin/{FILE.name}` or reinstall liqlab "
                         "(own tables are passed as leverage_tiers=)")  # fmt: skip
    return check_leverage_tiers(pd.read_csv(io.BytesIO(content)))


def tiers_for(
    exchange: str, symbol: str, as_of: Any = None, *, leverage_tiers: pd.DataFrame | Tiers | None = None
) -> Tiers:
    """The maintenance table in force: the latest seen on or before a date, else the earliest, flagged.

    Parameters
    ----------
    exchange, symbol : str
        ``binanceusdm``, ``BTC/USDT:USDT``. Where the venue has no table, another venue's of the same symbol stands in,
        else one of the same coin, and where there is none, Binance's of BTC/USDT:USDT; `Tiers.proxy` then says so.
        The table also carries the formula of the market that asks, `Tiers.formula`; for a venue that liqlab has none
        for, Binance's of the same kind stands in, and `Tiers.formula_proxy` says so.
    as_of : time-like, optional
        The date; None takes the newest table.
    leverage_tiers : DataFrame or Tiers, optional
        Your own tables, as `check_leverage_tiers` wants them; default: those that liqlab ships.

    Returns
    -------
    Tiers

    Examples
    --------
    >>> float(tiers_for("binanceusdm", "BTC/USDT:USDT", "2024-05-01").rate[0])
    0.004
    >>> tiers_for("okx", "TIA/USDT:USDT", "2024-04-25").flags
    ('tier_proxy',)
    """
    if isinstance(leverage_tiers, Tiers):
        return leverage_tiers
    tables = default_tiers() if leverage_tiers is None else check_leverage_tiers(leverage_tiers)
    part, proxy = _tables_of(tables, exchange, symbol)
    dates = np.sort(part["as_of"].unique())
    moment = dates[-1] if as_of is None else utc(as_of)
    earlier = [date for date in dates if date <= moment]
    date = earlier[-1] if earlier else dates[0]
    rows = part[part["as_of"] == date]
    formula, formula_proxy = nearest(exchange, symbol)
    return Tiers(
        exchange=str(rows["exchange"].iloc[0]),
        symbol=str(rows["symbol"].iloc[0]),
        as_of=pd.Timestamp(date),
        floor=rows["min_notional"].to_numpy(float),
        ceiling=rows["max_notional"].to_numpy(float),
        rate=rows["maintenance_margin_rate"].to_numpy(float),
        amount=rows["maintenance_amount"].to_numpy(float),
        max_leverage=rows["max_leverage"].to_numpy(float),
        stale=bool(date > moment or moment - date > STALE_AFTER),
        proxy=proxy,
        formula=formula.name,
        formula_proxy=formula_proxy,
    )


def tier_history(
    exchange: str, symbol: str, start: Any, end: Any, *, leverage_tiers: pd.DataFrame | Tiers | None = None
) -> list[tuple[pd.Timestamp, Tiers]]:
    """The tables in force from `start` to `end`, each with the moment from which it is: first `start` itself."""
    first, last = utc(start), utc(end)
    moments = [first]
    if not isinstance(leverage_tiers, Tiers):
        tables = default_tiers() if leverage_tiers is None else check_leverage_tiers(leverage_tiers)
        dates = np.sort(_tables_of(tables, exchange, symbol)[0]["as_of"].unique())
        moments += [pd.Timestamp(date) for date in dates[1:] if first < date < last]
    return [(moment, tiers_for(exchange, symbol, moment, leverage_tiers=leverage_tiers)) for moment in moments]


def tiers_from_ccxt(
    tiers: Sequence[Mapping[str, Any]],
    *,
    symbol: str,
    exchange: str,
    as_of: Any,
    notional_per_unit: float | None = None,
) -> pd.DataFrame:
    """A maintenance table from what ccxt's ``fetch_market_leverage_tiers`` returns.

    Parameters
    ----------
    tiers : list of dict
        ``minNotional``, ``maxNotional`` (None: no end), ``maintenanceMarginRate``, ``maxLeverage``, ``info``.
    symbol, exchange : str
        Whose they are, ``BTC/USDT:USDT`` and ``binanceusdm``.
    as_of : time-like
        When they were fetched.
    notional_per_unit : float, optional
        What one unit of ``minNotional`` is worth [quote; coins if the symbol is inverse]. Only OKX needs it: its tiers
        are in contracts, so pass contract size × price (inverse: contract size ÷ price).

    Returns
    -------
    DataFrame (tier,)
        As `check_leverage_tiers` wants it. The maintenance amount is the venue's own (``cum``, ``mmDeduction`` or
        ``deduction`` in ``info``) or, where it has none, follows from continuity.

    Raises
    ------
    ValueError
        No tiers, a missing number, contracts without their worth, rates in percent, or brackets that do not join.

    Assumptions
    -----------
    Where the venue gives no amount, the maintenance margin is taken to be continuous,
    ``c[i] = c[i−1] + floor[i]·(m[i] − m[i−1])``. OKX instead applies a tier's rate to the whole position: above the
    first tier its requirement is higher than this table says.

    Examples
    --------
    ``c[1] = 0 + 50,000·(0.005 − 0.004) = 50``.

    >>> rows = [dict(minNotional=0, maxNotional=50_000, maintenanceMarginRate=0.004, maxLeverage=125, info={}),
    ...         dict(minNotional=50_000, maxNotional=None, maintenanceMarginRate=0.005, maxLeverage=100, info={})]
    >>> table = tiers_from_ccxt(rows, symbol="BTC/USDT:USDT", exchange="binanceusdm", as_of="2024-05-01")
    >>> table["maintenance_amount"].tolist()
    [0.0, 50.0]
    """
    if not tiers:
        raise ValueError(f"no tiers of {symbol} on {exchange}; pass what fetch_market_leverage_tiers returned")
    if notional_per_unit is None and exchange in IN_CONTRACTS:
        raise ValueError(f"tiers of {exchange} are in contracts; pass notional_per_unit, the contract size × price in "
                         "quote (inverse: contract size ÷ price, in coins)")  # fmt: skip
    unit = 1.0 if notional_per_unit is None else float(notional_per_unit)
    if not (np.isfinite(unit) and unit > 0):
        raise ValueError(f"notional_per_unit must be > 0 and finite, got {unit:g}; it is the worth of one contract")
    rows = sorted(tiers, key=lambda tier: _number(tier, "minNotional"))
    floor = np.array([_number(tier, "minNotional") for tier in rows]) * unit
    ceiling = np.array([_number(tier, "maxNotional", np.inf) for tier in rows]) * unit
    if exchange in IN_CONTRACTS:  # "0 to 500", "501 to 1000": whole contracts leave no gap
        floor = np.concatenate([floor[:1], ceiling[:-1]])
    rate = np.array([_number(tier, "maintenanceMarginRate") for tier in rows])
    highest = np.array([_number(tier, "maxLeverage") for tier in rows])
    if (rate * highest > 1 + 1e-9).any():
        k = int(np.argmax(rate * highest))
        raise ValueError(f"tier {k + 1} keeps {rate[k]:g} of the notional as maintenance margin, but allows "
                         f"{highest[k]:g}x; rates are fractions, divide percentages by 100")  # fmt: skip
    table = pd.DataFrame({
        "exchange": exchange, "symbol": symbol, "as_of": utc(as_of), "tier": np.arange(1, len(rows) + 1),
        "min_notional": floor, "max_notional": ceiling, "maintenance_margin_rate": rate,
        "max_leverage": highest, "maintenance_amount": _amounts(rows, floor, rate),
    })  # fmt: skip
    return check_leverage_tiers(table)


def _number(tier: Mapping[str, Any], key: str, default: float | None = None) -> float:
    value = tier.get(key)
    if value is None and default is None:
        raise ValueError(f"a tier has no {key}: {dict(tier)!r}; complete it, or leave the tier out")
    return float(default if value is None else value)  # type: ignore[arg-type]


def _amounts(tiers: Sequence[Mapping[str, Any]], floor: np.ndarray, rate: np.ndarray) -> list[float]:
    """The venue's maintenance amounts; where one is missing, by continuity from the tier below."""
    found: list[float] = []
    for i, tier in enumerate(tiers):
        info = tier.get("info") or {}
        own = [info[key] for key in AMOUNTS if isinstance(info, Mapping) and info.get(key) not in (None, "")]
        step = floor[i] * (rate[i] - rate[i - 1]) if i else 0.0
        found.append(float(own[0]) if own else (found[-1] if i else 0.0) + step)
    return found


def _tables_of(tables: pd.DataFrame, exchange: str, symbol: str) -> tuple[pd.DataFrame, str]:
    """Rows of a venue's symbol; else those that come nearest, and why they stand in."""
    own = tables[(tables["exchange"] == exchange) & (tables["symbol"] == symbol)]
    if not own.empty:
        return own, ""
    same = tables[tables["symbol"] == symbol]
    if not same.empty:
        lender = same["exchange"].iloc[0]
        return same[same["exchange"] == lender], f"no tiers of {symbol} on {exchange}: {lender}'s stand in"
    base = symbol.partition("/")[0]
    coin = tables[tables["symbol"].str.partition("/")[0] == base] if base else tables[:0]
    btc = tables[(tables["exchange"] == "binanceusdm") & (tables["symbol"] == "BTC/USDT:USDT")]
    near = next(part for part in (coin, btc, tables) if not part.empty)
    lender, other = near[["exchange", "symbol"]].iloc[0]
    rows = near[(near["exchange"] == lender) & (near["symbol"] == other)]
    squeezed = {name.partition(":")[0].replace("/", ""): name for name in tables["symbol"].unique()}
    meant = f" (write {squeezed[symbol.upper()]!r} for its own)" if symbol.upper() in squeezed else ""
    return rows, f"no tiers of {symbol or 'this symbol'}: {other} on {lender} stands in{meant}"
