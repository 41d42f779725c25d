"""Exact margin arithmetic: at which price a position is liquidated, and at which it is bankrupt.

Nothing here is estimated. What a venue publishes (formula, maintenance tiers) is applied to a position; where the
tier table of the date or venue is not at hand, the nearest one is taken and flagged (`Tiers.stale`, `Tiers.proxy`).

References
----------
Binance, "How to calculate the liquidation price of USDⓈ-M futures contracts".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from liqlab import datasets
from liqlab.clock import utc
from liqlab.market import check_leverage_tiers

__all__ = ["Tiers", "bankruptcy_price", "liquidation_price", "tiers_for"]

SIDES = ("long", "short")
# Tiers change several times a year: a table older than this may no longer hold.
STALE_AFTER = pd.Timedelta(days=184)


@dataclass(frozen=True, eq=False)
class Tiers:
    """One maintenance table of one symbol, and how far it can be trusted.

    Attributes
    ----------
    exchange, symbol : str
        Whose table it is (for a proxy: the lender's).
    as_of : Timestamp
        Date on which the table was seen in force.
    floor, ceiling : ndarray (tier,)
        Position notional [quote] held by each tier, ``floor <= notional < ceiling``.
    rate, amount, max_leverage : ndarray (tier,)
        Maintenance margin rate [1], maintenance amount "cum" [quote], highest leverage allowed.
    stale : bool
        The table is later than the date asked for, or more than half a year older.
    proxy : str
        Empty, or why another venue's or symbol's table stands in.
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

    @property
    def flags(self) -> tuple[str, ...]:
        """``tier_stale`` and ``tier_proxy``, where they apply."""
        return tuple(flag for flag, on in (("tier_stale", self.stale), ("tier_proxy", bool(self.proxy))) if on)


def liquidation_price(
    entry_price: Any,
    *,
    side: Any,
    leverage: Any = None,
    quantity: Any = None,
    exchange: str = "binanceusdm",
    symbol: str = "BTC/USDT:USDT",
    as_of: Any = None,
    leverage_tiers: pd.DataFrame | Tiers | None = None,
    wallet_balance: Any = None,
    maintenance_margin_rate: Any = None,
    maintenance_amount: Any = None,
    other_maintenance_margin: Any = 0.0,
    other_unrealised_pnl: Any = 0.0,
) -> Any:
    """Price at which a linear position is liquidated (Binance USD-M).

    ``LP = (WB − TMM + UPNL + c − s·q·E) / (q·m − s·q)`` with the maintenance rate m and amount c of the tier that
    holds the notional *at LP*: the fixed point is unique, because the maintenance margin is continuous in notional.

    Parameters
    ----------
    entry_price : float or array
        E [quote per coin].
    side : 'long' or 'short', or array of these
        The position's side.
    leverage : float or array, optional
        L; the isolated margin is then ``q·E/L``. Give either this or `wallet_balance`.
    quantity : float or array, optional
        q [coins]. None: a position so small that it stays in the first tier.
    exchange, symbol, as_of
        Which tier table: the latest one seen on or before `as_of` (default: the newest). See `tiers_for`.
    leverage_tiers : DataFrame or Tiers, optional
        Your own table instead of those that liqlab ships.
    wallet_balance : float or array, optional
        WB [quote]: isolated margin with what was added to it, or the cross wallet.
    maintenance_margin_rate, maintenance_amount : float or array, optional
        m [1] and c [quote] given outright; no table is then consulted.
    other_maintenance_margin, other_unrealised_pnl : float or array
        TMM and UPNL [quote] of the *other* positions of a cross wallet; 0 if isolated.

    Returns
    -------
    float or ndarray
        Liquidation price [quote per coin], broadcast over the inputs. 0 for a long that no fall can liquidate.

    Raises
    ------
    ValueError
        Leverage below 1 or above the tier's maximum, a position above the last tier, prices or quantities ≤ 0.

    Assumptions
    -----------
    Mark price triggers; the whole position is closed at once (real liquidation goes tier by tier); funding and fees
    paid since entry are not deducted.

    References
    ----------
    Binance, "How to calculate the liquidation price of USDⓈ-M futures contracts".

    Examples
    --------
    A 25x long from 60,000 in the first tier (m = 0.4 %): ``60000·(1 − 1/25) / (1 − 0.004)``.

    >>> round(liquidation_price(60_000, side="long", leverage=25), 2)
    57831.33
    >>> round(60_000 * (1 - 1 / 25) / (1 - 0.004), 2)
    57831.33
    """
    s = _sign(side)
    entry = _positive(entry_price, "entry_price", "a price in quote per coin")
    if quantity is None and wallet_balance is not None:
        raise ValueError("a wallet_balance needs a quantity [coins]; or give leverage alone")
    q = 1.0 if quantity is None else _positive(quantity, "quantity", "a size in coins, the sign is the side's")
    wallet = _wallet(entry, q, leverage, wallet_balance)
    free = wallet - np.asarray(other_maintenance_margin, float) + np.asarray(other_unrealised_pnl, float)
    if maintenance_margin_rate is not None:
        rate = np.asarray(maintenance_margin_rate, float)
        price = _formula(s, entry, q, free, rate, np.asarray(maintenance_amount or 0.0, float))
        return _scalar(np.maximum(price, 0.0))
    table = tiers_for(exchange, symbol, as_of, leverage_tiers=leverage_tiers)
    if quantity is None:  # a position so small that only the first tier matters
        _check_leverage(table, np.zeros(()), leverage)
        return _scalar(np.maximum(_formula(s, entry, q, free, table.rate[0], 0.0), 0.0))
    _check_leverage(table, entry * q, leverage)
    return _scalar(_at_fixed_point(table, s, entry, q, free))


def bankruptcy_price(entry_price: Any, *, side: Any, leverage: Any) -> Any:
    """Price at which the isolated margin of a linear position is used up: ``E·(1 − s/L)``.

    Parameters
    ----------
    entry_price : float or array
        E [quote per coin].
    side : 'long' or 'short', or array of these
        The position's side.
    leverage : float or array
        L ≥ 1.

    Returns
    -------
    float or ndarray
        Bankruptcy price [quote per coin].

    Examples
    --------
    >>> bankruptcy_price(60_000, side="long", leverage=25)
    57600.0
    """
    entry = _positive(entry_price, "entry_price", "a price in quote per coin")
    return _scalar(entry * (1.0 - _sign(side) / _leverage(leverage)))


def tiers_for(
    exchange: str, symbol: str, as_of: Any = None, *, leverage_tiers: pd.DataFrame | Tiers | None = None
) -> Tiers:
    """The maintenance table in force: the latest seen on or before a date, else the earliest, flagged.

    Parameters
    ----------
    exchange, symbol : str
        ``binanceusdm``, ``BTC/USDT:USDT``. Where the venue has no table, another venue's of the same symbol stands in,
        and where there is none, Binance's of BTC/USDT:USDT; `Tiers.proxy` then says so.
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
    """
    if isinstance(leverage_tiers, Tiers):
        return leverage_tiers
    tables = datasets.default_tiers() if leverage_tiers is None else check_leverage_tiers(leverage_tiers)
    part, proxy = _tables_of(tables, exchange, symbol)
    dates = np.sort(part["as_of"].unique())
    moment = dates[-1] if as_of is None else utc(as_of)
    earlier = [date for date in dates if date <= moment]
    date = earlier[-1] if earlier else dates[0]
    rows = part[part["as_of"] == date]
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
    )


def tier_history(
    exchange: str, symbol: str, start: Any, end: Any, *, leverage_tiers: pd.DataFrame | Tiers | None = None
) -> list[tuple[pd.Timestamp, Tiers]]:
    """The tables in force from `start` to `end`, each with the moment from which it is: first `start` itself."""
    first, last = utc(start), utc(end)
    moments = [first]
    if not isinstance(leverage_tiers, Tiers):
        tables = datasets.default_tiers() if leverage_tiers is None else check_leverage_tiers(leverage_tiers)
        dates = np.sort(_tables_of(tables, exchange, symbol)[0]["as_of"].unique())
        moments += [pd.Timestamp(date) for date in dates[1:] if first < date < last]
    return [(moment, tiers_for(exchange, symbol, moment, leverage_tiers=leverage_tiers)) for moment in moments]


def _tables_of(tables: pd.DataFrame, exchange: str, symbol: str) -> tuple[pd.DataFrame, str]:
    """Rows of a venue's symbol; else the same symbol elsewhere; else BTC's on Binance. Second: why it stands in."""
    own = tables[(tables["exchange"] == exchange) & (tables["symbol"] == symbol)]
    if not own.empty:
        return own, ""
    same = tables[tables["symbol"] == symbol]
    if not same.empty:
        lender = same["exchange"].iloc[0]
        return same[same["exchange"] == lender], f"no tiers of {symbol} on {exchange}: {lender}'s stand in"
    lender, other = tables[["exchange", "symbol"]].iloc[0]
    btc = tables[(tables["exchange"] == "binanceusdm") & (tables["symbol"] == "BTC/USDT:USDT")]
    if not btc.empty:
        return btc, f"no tiers of {symbol or 'this symbol'}: BTC/USDT:USDT on binanceusdm stands in"
    rows = tables[(tables["exchange"] == lender) & (tables["symbol"] == other)]
    return rows, f"no tiers of {symbol or 'this symbol'}: {other} on {lender} stands in"


def _formula(s: Any, entry: Any, q: Any, free: Any, rate: Any, amount: Any) -> np.ndarray:
    return np.asarray((free + amount - s * q * entry) / (q * rate - s * q))


def _at_fixed_point(table: Tiers, s: Any, entry: Any, q: Any, free: Any) -> np.ndarray:
    """Solve in every tier and keep the solution that lies in its own tier."""
    s, entry, q, free = (np.asarray(x, float)[..., None] for x in np.broadcast_arrays(s, entry, q, free))
    price = _formula(s, entry, q, free, table.rate, table.amount)
    notional = np.maximum(price, 0.0) * q
    # Published amounts are rounded, so a notional at a bracket's edge may miss both neighbours by a hair.
    miss = np.maximum(np.maximum(table.floor - notional, notional - table.ceiling), 0.0)
    best = np.argmin(miss, axis=-1)[..., None]
    above = np.take_along_axis(notional, best, axis=-1) > table.ceiling[-1] * (1 + 1e-9)
    if above.any() or (entry * q > table.ceiling[-1]).any():
        raise ValueError(
            f"the position outgrows the last tier of {table.symbol} ({table.ceiling[-1]:,.0f} quote as of "
            f"{table.as_of:%Y-%m-%d}); the venue does not allow it: reduce quantity"
        )
    return np.maximum(np.take_along_axis(price, best, axis=-1)[..., 0], 0.0)


def _wallet(entry: Any, q: Any, leverage: Any, wallet_balance: Any) -> np.ndarray:
    if (leverage is None) == (wallet_balance is None):
        raise ValueError("give either leverage (25 for 25x) or wallet_balance [quote], not both and not neither")
    if wallet_balance is None:
        return entry * q / _leverage(leverage)
    return _positive(wallet_balance, "wallet_balance", "the margin in quote")


def _check_leverage(table: Tiers, notional: np.ndarray, leverage: Any) -> None:
    if leverage is None:
        return
    held = np.clip(np.searchsorted(table.floor, notional, side="right") - 1, 0, None)
    allowed, asked = np.broadcast_arrays(table.max_leverage[held], _leverage(leverage))
    if (asked > allowed).any():
        k = np.unravel_index(np.argmax(asked > allowed), asked.shape)
        raise ValueError(
            f"leverage {asked[k]:g} is above the maximum of {allowed[k]:g}x that {table.symbol} on {table.exchange} "
            f"allows a position of this size (tiers as of {table.as_of:%Y-%m-%d}); lower the leverage or the quantity"
        )


def _leverage(leverage: Any) -> np.ndarray:
    value = np.asarray(leverage, float)
    if not (np.isfinite(value) & (value >= 1)).all():
        bad = value[~(np.isfinite(value) & (value >= 1))].flat[0] if value.ndim else float(value)
        raise ValueError(f"leverage must be >= 1, got {bad:g}; pass 25 for 25x")
    return value


def _positive(value: Any, name: str, what: str) -> np.ndarray:
    number = np.asarray(value, float)
    if not (np.isfinite(number) & (number > 0)).all():
        bad = number[~(np.isfinite(number) & (number > 0))].flat[0] if number.ndim else float(number)
        raise ValueError(f"{name} must be > 0 and finite, got {bad:g}; it is {what}")
    return number


def _sign(side: Any) -> Any:
    """'long' → +1, 'short' → −1."""
    names = np.asarray(side)
    known = np.isin(names, SIDES)
    if not known.all():
        bad = names[~known].flat[0] if names.ndim else side
        raise ValueError(f"side must be 'long' or 'short' (the position's side), got {bad!r}")
    return np.where(names == "long", 1.0, -1.0)


def _scalar(value: Any) -> Any:
    array = np.asarray(value)
    return float(array) if array.ndim == 0 else array
