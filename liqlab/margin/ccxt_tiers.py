"""Maintenance tables brought in through ccxt: units converted, percentages read, what cannot be read refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from liqlab.margin._tier_units import COINS, CONTRACTS, WHOLE, native, unit_of
from liqlab.margin.quantities import contract_of, positive
from liqlab.market.arguments import checked
from liqlab.market.clock import utc
from liqlab.market.market import check_leverage_tiers

# What venues call the maintenance amount: Binance, Bybit, Gate, BingX.
AMOUNTS = ("cum", "mmDeduction", "deduction", "maintAmount")


@checked()
def tiers_from_ccxt(
    tiers: Sequence[Mapping[str, Any]],
    *,
    symbol: str,
    exchange: str,
    as_of: Any,
    notional_per_unit: float | None = None,
    contract_size: float | None = None,
    price: float | None = None,
) -> pd.DataFrame:
    """A maintenance table from what ccxt's ``fetch_market_leverage_tiers`` returns.

    What ``minNotional`` and ``maxNotional`` count differs from venue to venue; `tier_units` lists it with its sources.
    Contracts and coins become notional by `contract_size` and `price`. A venue that is not listed needs
    `notional_per_unit`, in your own words.

    Parameters
    ----------
    tiers : list of dict
        ``minNotional``, ``maxNotional`` (None: no end), ``maintenanceMarginRate``, ``maxLeverage``, ``info``.
    symbol, exchange : str
        Whose they are, ``BTC/USDT:USDT`` and ``binanceusdm``.
    as_of : time-like
        When they were fetched.
    notional_per_unit : float, optional
        What one unit of ``minNotional`` is worth [quote; coins if the symbol is inverse], instead of the next two.
    contract_size : float, optional
        What a contract stands for [coins; USD if the symbol is inverse], ccxt's ``contractSize``; where ``info`` has
        it (MEXC), that is the default.
    price : float, optional
        Price [quote per coin] on that day. Venues that count contracts or coins need it; the table keeps it, so that a
        position finds its tier by its number of contracts whatever its own entry is.

    Returns
    -------
    DataFrame (tier,)
        As `check_leverage_tiers` wants it. The maintenance amount is the venue's own (``cum``, ``mmDeduction``,
        ``deduction`` or ``maintAmount`` in ``info``); where it has none, it follows from continuity, or is 0 if the
        rate holds for the whole position.

    Raises
    ------
    ValueError
        No tiers, a missing number, contracts or coins without their worth, a venue whose unit is not known or whose
        tiers no table holds (HTX), rates in percent, or brackets that do not join.

    Assumptions
    -----------
    Where neither an amount nor what a rate is charged on is known, the maintenance margin is taken to be continuous,
    ``c[i] = c[i−1] + floor[i]·(m[i] − m[i−1])``; the first tier is not concerned.

    Examples
    --------
    ``c[1] = 0 + 50,000·(0.005 − 0.004) = 50``.

    >>> rows = [dict(minNotional=0, maxNotional=50_000, maintenanceMarginRate=0.004, maxLeverage=125, info={}),
    ...         dict(minNotional=50_000, maxNotional=None, maintenanceMarginRate=0.005, maxLeverage=100, info={})]
    >>> table = tiers_from_ccxt(rows, symbol="BTC/USDT:USDT", exchange="binanceusdm", as_of="2024-05-01")
    >>> table["maintenance_amount"].tolist()
    [0.0, 50.0]

    MEXC counts contracts, here of 0.0001 BTC: 200,000 of them are 20 BTC, at 60,000 a notional of 1.2 million.

    >>> rows = [dict(minNotional=0, maxNotional=200_000, maintenanceMarginRate=0.004, maxLeverage=125, info={})]
    >>> table = tiers_from_ccxt(rows, symbol="BTC/USDT:USDT", exchange="mexc", as_of="2024-05-01",
    ...                         contract_size=0.0001, price=60_000)
    >>> table["max_notional"].tolist()
    [1200000.0]
    """
    if not len(tiers):
        raise ValueError(f"tiers: none of {symbol} on {exchange}; pass what fetch_market_leverage_tiers returned")
    inverse = contract_of(symbol) == "inverse"
    row = unit_of(exchange)
    if row is not None and row.refused:
        raise ValueError(f"tiers of {exchange} cannot be read: {row.refused}")
    unit = row.unit(inverse, tiers) if row else ""
    size = contract_size if contract_size is not None else _told_size(tiers)
    if row is not None and not row.by_field:  # else the same venue needs them for some replies
        _refuse_unused(exchange, unit, inverse, contract_size, price)
    if notional_per_unit is not None and not (contract_size is price is None):
        raise ValueError("give either notional_per_unit or contract_size and price, not both: the one follows from the "
                         "other")  # fmt: skip
    worth, reference = _worth(exchange, unit, inverse, notional_per_unit, size, price)
    rows = sorted(tiers, key=lambda tier: _number(tier, "minNotional"))
    floor = np.array([_number(tier, "minNotional") for tier in rows])
    ceiling = np.array([_number(tier, "maxNotional", np.inf) for tier in rows])
    if unit == CONTRACTS:  # "0 to 500", "501 to 1000": whole contracts leave no gap
        floor[1:] = np.where(floor[1:] - ceiling[:-1] == 1, ceiling[:-1], floor[1:])
    rate, highest = _rates(rows)
    whole = row is not None and row.rate_on == WHOLE
    table = pd.DataFrame({
        "exchange": exchange, "symbol": symbol, "as_of": utc(as_of, name="as_of"), "tier": np.arange(1, len(rows) + 1),
        "min_notional": floor * worth, "max_notional": ceiling * worth, "maintenance_margin_rate": rate,
        "max_leverage": highest, "maintenance_amount": 0.0 if whole else _amounts(rows, floor * worth, rate),
    })  # fmt: skip
    if whole:
        table["whole_position"] = True
    if np.isfinite(reference):
        table["reference_price"] = reference
    return check_leverage_tiers(table)


def _worth(
    exchange: str, unit: str, inverse: bool, per_unit: float | None, size: float | None, price: float | None
) -> tuple[float, float]:
    """Notional of one unit, and the price at which it is that (NaN: at any)."""
    money = "coins" if inverse else "quote"
    if per_unit is not None:
        return float(positive(per_unit, "notional_per_unit", f"the worth of one unit in {money}")), float("nan")
    if unit == native(inverse):
        return 1.0, float("nan")
    if not unit:
        kind = "inverse" if inverse else "linear"
        raise ValueError(f"exchange: in what unit the tiers of {kind} contracts on {exchange!r} come is not known; "
                         f"pass notional_per_unit, the worth of one unit of minNotional in {money} (1 if it is {money})"
                         )  # fmt: skip
    needed = {"contract_size": size, "price": price} if unit == CONTRACTS else {"price": price}
    missing = [name for name, value in needed.items() if value is None]
    if missing:
        raise ValueError(f"tiers of {exchange} are in {unit}; pass notional_per_unit, the worth of one in {money}, or "
                         f"rather {' and '.join(missing)}, from which it follows")  # fmt: skip
    at = float(positive(price, "price", "the price in quote per coin"))
    things = float(positive(size, "contract_size", "what one contract stands for")) if unit == CONTRACTS else 1.0
    if unit == COINS or not inverse:
        return things * at, at  # coins of a linear contract, or contracts of so many coins
    return things / at, at  # dollars, or contracts of so many dollars


def _refuse_unused(exchange: str, unit: str, inverse: bool, size: float | None, price: float | None) -> None:
    """What is passed to convert tiers that need no conversion tells of another unit than the venue's."""
    given = {"contract_size": size if unit != CONTRACTS else None, "price": price if unit == native(inverse) else None}
    unused = [name for name, value in given.items() if value is not None]
    if unit and unused:
        raise ValueError(f"{' and '.join(unused)} would change nothing: tiers of {exchange} are in {unit} "
                         "(liqlab.margin.tier_units() has the source); leave what changes nothing out, or pass "
                         "notional_per_unit if yours count something else")  # fmt: skip


def _told_size(tiers: Sequence[Mapping[str, Any]]) -> float | None:
    """Contract size, where the venue's own reply has it."""
    info = tiers[0].get("info")
    told = info.get("contractSize") if isinstance(info, Mapping) else None
    return None if told in (None, "") else float(told)


def _rates(rows: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """Maintenance rates and highest leverages; Phemex's are percentages in ``info``."""
    rate, highest = [], []
    for tier in rows:
        info = tier.get("info")
        own: Mapping[str, Any] = info if isinstance(info, Mapping) else {}
        kept = _percent(tier.get("maintenanceMarginRate") or own.get("maintenanceMargin"))
        lent = _percent(own.get("initialMargin"))
        rate.append(_number(tier, "maintenanceMarginRate") if kept is None else kept)
        highest.append(1.0 / lent if tier.get("maxLeverage") is None and lent else _number(tier, "maxLeverage"))
    m, most = np.array(rate), np.array(highest)
    if (m * most > 1 + 1e-9).any():
        k = int(np.argmax(m * most))
        raise ValueError(f"tier {k + 1} keeps {m[k]:g} of the notional as maintenance margin, but allows "
                         f"{most[k]:g}x; rates are fractions, divide percentages by 100")  # fmt: skip
    return m, most


def _percent(value: Any) -> float | None:
    """``"0.5%"`` as 0.005; None for anything without a percent sign."""
    return float(value.strip().rstrip("%")) / 100 if isinstance(value, str) and value.strip().endswith("%") else None


def _number(tier: Mapping[str, Any], key: str, default: float | None = None) -> float:
    value = tier.get(key)
    if value is None and default is None:
        there = ", ".join(map(str, list(tier)[:12])) or "nothing"
        raise ValueError(f"tiers: one of them has no {key}, it has {there}; complete it, or leave the tier out")
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
