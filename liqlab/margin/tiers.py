"""Dated maintenance tiers: the table in force.

Units: the tiers of a linear contract are in quote, those of an inverse one in coins. A venue that counts contracts or
coins instead is converted at a price, which the table then names (`Tiers.reference_price`).
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from liqlab.margin.venues import nearest
from liqlab.market.arguments import checked
from liqlab.market.clock import utc
from liqlab.market.market import check_leverage_tiers

# Tiers change several times a year: a table older than this may no longer hold.
STALE_AFTER = pd.Timedelta(days=184)
# The dated tiers that come with liqlab, written by data/build.py; the seal is that of the file as published.
FILE = Path(__file__).with_name("leverage_tiers.csv")
SHA256 = "168f40194c584d45dd47113b159a7a6cdad49dbe4e3031e81ff65f5f2cdcc94a"


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
    whole : bool
        The rate of a tier holds for the whole position, not for the part above the tier's floor; amounts are then 0.
    reference_price : float
        Price [quote per coin] at which tiers that the venue counts in contracts or coins became notional: a position
        is put into its tier by its quantity at this price, so by its number of contracts, the ceiling included. NaN:
        notional as published.
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
    whole: bool = False
    reference_price: float = float("nan")

    def by_notional(self) -> Tiers:
        """The table without its reference price: positions are put into tiers by their notional.

        For positions whose quantity is not known, only their value.
        """
        return replace(self, reference_price=float("nan"))

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


@checked()
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
    part, proxy = _found(leverage_tiers, exchange, symbol)
    dates = np.sort(part["as_of"].unique())
    moment = dates[-1] if as_of is None else utc(as_of, name="as_of")
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
        whole=bool(rows["whole_position"].iloc[0]) if "whole_position" in rows else False,
        reference_price=float(rows["reference_price"].iloc[0]) if "reference_price" in rows else float("nan"),
    )


@checked()
def tier_history(
    exchange: str, symbol: str, start: Any, end: Any, *, leverage_tiers: pd.DataFrame | Tiers | None = None
) -> list[tuple[pd.Timestamp, Tiers]]:
    """The tables in force from `start` to `end`, each with the moment from which it is: first `start` itself."""
    first, last = utc(start, name="start"), utc(end, name="end")
    moments = [first]
    if not isinstance(leverage_tiers, Tiers):
        dates = np.sort(_found(leverage_tiers, exchange, symbol)[0]["as_of"].unique())
        moments += [pd.Timestamp(date) for date in dates[1:] if first < date < last]
    return [(moment, tiers_for(exchange, symbol, moment, leverage_tiers=leverage_tiers)) for moment in moments]


def _found(tables: pd.DataFrame | None, exchange: str, symbol: str) -> tuple[pd.DataFrame, str]:
    """Rows of one's own tables or of the shipped ones, not to be changed; and why they stand in, if they do."""
    if tables is None:
        return _shipped_of(exchange, symbol)
    return _tables_of(check_leverage_tiers(tables), exchange, symbol)


@lru_cache(256)
def _shipped_of(exchange: str, symbol: str) -> tuple[pd.DataFrame, str]:
    return _tables_of(_shipped_tiers(), exchange, symbol)


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
