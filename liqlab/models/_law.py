"""The law of distances: how far from their entry positions are liquidated.

A law is a guess, and is named in every figure. It says which share of the opened coins sits at which leverage, long
and short apart; `distances` turns its classes into exact distances through `margin` and the venue's tiers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import erfc
from typing import Any

import numpy as np

from liqlab.margin import Tiers, contract_of, liquidation_price
from liqlab.market.arguments import is_kind, told
from liqlab.models._leverage_shares import Law, leverage_name, limits

__all__ = ["PRESETS", "Law", "distances", "law", "leverage_name"]

# Leverages that traders name; ten classes resolve the law about as finely as its evidence does.
LEVERAGES = (2.0, 3.0, 5.0, 10.0, 20.0, 25.0, 50.0, 75.0, 100.0, 125.0)
# Distance entry → liquidation [fraction of entry] of 243,028 isolated Hyperliquid positions: p10, median, p90.
MEASURED = {"long": (0.053, 0.223, 0.472), "short": (0.019, 0.079, 0.325)}
NEAR_LEVERAGE = 50.0  # from here on a law's near part
# Median distance, its standard deviation [log], near part: of research/fit_default.py, with its evidence in
# data/default.csv.
FITTED, FITTED_ON = (0.2, 0.8, 0.05), "2026-11"
# Share of the fitted law at the very leverages of `LEVERAGES`: 22 % of positions are isolated, and 88 % of all have
# one of these leverages; cross positions end anywhere (docs/default-map.md).
NAMED = 0.2
# Leverage levels of the measured law lie at most so far apart [fraction of entry].
MAX_LEVEL_GAP = 0.01
# Nothing trades e^12 times away from its entry: a long at 1x, which only a price of zero liquidates, is put there.
MAX_LOG_DISTANCE = 12.0


def law(law: str | Law | Mapping[float, float] | Sequence[float] | Any = "fitted") -> Law:
    """A law by name, or from your own shares.

    Parameters
    ----------
    law : str, Law, Calibration, mapping {leverage: share} or sequence of leverages
        ``fitted`` (the default of every model): log-normal distances, the same for both sides, chosen by their ranking
        of observed liquidations and of simulated positions. ``measured``: the distances measured on isolated
        Hyperliquid positions, long and short apart, put on the leverages that traders name. ``retail``: a mix with much
        high leverage, as maps of vendors commonly assume it. ``uniform``: every leverage of the presets alike. A
        mapping gives your own shares, for both sides, and is normalised; a sequence of leverages gives them equal
        shares. A calibration gives the law that it fitted.

    Returns
    -------
    Law

    Raises
    ------
    ValueError
        Unknown name, leverage below 1, negative shares.

    Assumptions
    -----------
    ``fitted``: published liquidations of three weeks tell of distances up to a few percent; the rest is what simulated
    markets ask for: ``data/default.csv``. That a fifth stands at the very leverages that traders name is taken from
    positions of another venue, and changes no score: ``docs/default-map.md``. ``measured`` describes positions
    *standing* on one venue in 2025; positions opened elsewhere, earlier and in cross margin differ, and short-lived
    high leverage is under-represented among standing positions. ``retail`` and ``uniform`` rest on no measurement.

    Examples
    --------
    >>> law({10: 3, 50: 1})
    Law 'own' (long/short): 10x 75.0%/75.0%, 50x 25.0%/25.0%
    >>> law([25, 50, 100]).name
    'uniform 25x 50x 100x'
    """
    fitted = getattr(law, "law", law)  # of a calibration
    if isinstance(fitted, Law):
        return fitted
    if isinstance(law, Mapping) and not hasattr(law, "data_vars"):
        try:
            named = sorted((float(x), float(share)) for x, share in law.items())
        except (ValueError, TypeError):
            named = None
        if named is not None:
            leverage, share = np.array(named, float).reshape(-1, 2).T
            return Law("own", leverage, share, share, "given by the user")
    if isinstance(law, str):
        if law not in PRESETS:
            raise ValueError(f"no law is called {law!r}; there are {', '.join(PRESETS)}, or pass a mapping such as "
                             "{10: 0.5, 50: 0.5}, a list of leverages, or a Law")  # fmt: skip
        return PRESETS[law]()
    listed: Any = law if is_kind("Sequence", law) else ()
    if not len(listed) or not all(is_kind("float", each) for each in listed):
        raise TypeError(f"law must be a name ({', '.join(PRESETS)}), a mapping such as {{10: 0.5, 50: 0.5}}, a list of "
                        f"leverages, a Law or a Calibration, got {told(law)}; lq.law() shows the default")  # fmt: skip
    leverage = np.sort(np.asarray(listed, float))
    even = np.full(leverage.size, 1.0)
    return Law(f"uniform {' '.join(f'{x:g}x' for x in leverage)}", leverage, even, even, "equal shares, no evidence")


def distances(law: Law, tiers: Tiers, *, position_notional: float, price: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Exact log distances entry → liquidation of a law's classes, and the shares that the venue allows.

    Parameters
    ----------
    law : Law
    tiers : Tiers
        The venue's maintenance table.
    position_notional : float
        Notional at entry [quote] of one typical position: it decides the tier, the market's notional does not.
    price : float
        Entry price [quote], where the table is an inverse contract's, whose tiers are in coins.

    Returns
    -------
    distance : ndarray (side, leverage_level)
        ``|ln(liquidation price / entry price)|`` > 0; long first. Leverage levels are those of `Law.leverage_levels`.
    share : ndarray (side, leverage_level)
        The law's shares without the leverages that the tier forbids, rescaled to sum to 1.

    Examples
    --------
    A 10x long: ``ln((1 − 0.004) / (1 − 0.1))``.

    >>> from liqlab.margin import tiers_for
    >>> d, _ = distances(law({10: 1}), tiers_for("binanceusdm", "BTC/USDT:USDT"), position_notional=10_000)
    >>> round(float(d[0, 0]), 6), round(float(np.log(0.996 / 0.9)), 6)
    (0.101352, 0.101352)
    """
    in_coins = contract_of(tiers.symbol) == "inverse"
    tiers = tiers if in_coins else tiers.by_notional()
    entry, size = (price, position_notional / price) if in_coins else (1.0, position_notional)
    held = np.clip(np.searchsorted(tiers.floor, size, side="right") - 1, 0, None)
    leverage = law.leverage_levels
    allowed = leverage <= tiers.max_leverage[held]
    if not allowed.any():
        raise ValueError(f"the law {law.name!r} starts at {law.leverage[0]:g}x, but {tiers.symbol} allows a position "
                         f"of {position_notional:,.0f} only {tiers.max_leverage[held]:g}x; "
                         "lower position_notional, or pass a lower leverage")  # fmt: skip
    distance = np.full((2, leverage.size), MAX_LOG_DISTANCE)
    share = law.level_shares * allowed
    for row, side in enumerate(("long", "short")):
        ratio = liquidation_price(entry, side=side, leverage=leverage[allowed], quantity=position_notional,
                                  leverage_tiers=tiers) / entry  # fmt: skip
        with np.errstate(divide="ignore"):
            distance[row, allowed] = np.minimum(np.abs(np.log(ratio)), MAX_LOG_DISTANCE)
        if share[row].sum() <= 0:
            raise ValueError(f"the law {law.name!r} puts no {side} at a leverage that {tiers.symbol} allows "
                             f"(up to {tiers.max_leverage[held]:g}x); add a lower leverage")  # fmt: skip
    return distance, share / share.sum(axis=1, keepdims=True)


def _measured() -> Law:
    """Shares of the leverages under the measured quantiles, joined straight in log distance."""
    reason = (
        "distances of 243,028 isolated Hyperliquid positions (p10, median, p90: longs 5.3/22.3/47.2 %, shorts "
        "1.9/7.9/32.5 %; github min66633/liquidation-cascade-research, unreviewed): the only measured law in public"
    )
    long, short = (_from_quantiles(MEASURED[side]) for side in ("long", "short"))
    return spread_out("measured", long, short, reason)


def spread_out(name: str, long: np.ndarray, short: np.ndarray, reason: str, exact: float = 0.0) -> Law:
    """A law of distances on `LEVERAGES`: its classes are spread, so that no gap is claimed between them."""
    low, high = limits(np.array(LEVERAGES))
    spread = np.maximum(np.ceil((1 / low - 1 / high) / MAX_LEVEL_GAP).astype(int), 2)
    return Law(name, np.array(LEVERAGES), long, short, reason, spread=tuple(spread.tolist()), exact=exact)


def lognormal_shares(median: float, sigma: float, near: float) -> np.ndarray:
    """Share of each leverage under a log-normal law of distances 1/L with a near part.

    Parameters
    ----------
    median : float
        Median distance [fraction of entry] of the broad part.
    sigma : float
        Its standard deviation [log distance].
    near : float
        Share [0..1] of positions beside it that are opened at the highest leverages, spread evenly in log leverage from
        50x on.
    """
    edge = np.log(np.sqrt(np.array(LEVERAGES[1:]) * np.array(LEVERAGES[:-1])))
    below = np.array([0.5 * erfc((x + np.log(median)) / sigma / np.sqrt(2)) for x in edge])  # of distances up to 1/L
    broad = np.diff(np.concatenate([[0.0], 1 - below, [1.0]]))
    close = np.array(LEVERAGES) >= NEAR_LEVERAGE
    return (1 - near) * broad + near * close / close.sum()


def _fitted() -> Law:
    share = lognormal_shares(*FITTED)
    reason = (
        "log-normal distances (median 20 %, sigma 0.8) and 5 % from 50x on, chosen in November 2026 by how they rank "
        "the liquidations that Binance published of BTC and ETH from 19 June to 8 July 2024, and simulated positions: "
        "data/default.csv; a fifth stands at the very leverages that traders name: docs/default-map.md"
    )
    return spread_out(f"fitted {FITTED_ON}", share, share, reason, NAMED)


def _retail() -> Law:
    share = np.array([0.04, 0.06, 0.12, 0.22, 0.18, 0.10, 0.14, 0.05, 0.06, 0.03])
    reason = "what maps commonly assume: 10x to 50x carry most of the volume; no measurement stands behind it"
    return Law("retail", np.array(LEVERAGES), share, share, reason)


def _uniform() -> Law:
    even = np.ones(len(LEVERAGES))
    return Law(
        "uniform", np.array(LEVERAGES), even, even, "every leverage alike: the absence of an assumption, not a fact"
    )


def _from_quantiles(quantiles: tuple[float, float, float]) -> np.ndarray:
    """Mass of each leverage: the law's probability between the geometric midpoints of neighbouring distances 1/L."""
    p10, median, p90 = np.log(quantiles)
    x = -np.log(np.sqrt(np.array(LEVERAGES[1:]) * np.array(LEVERAGES[:-1])))  # descending log distances
    # Straight lines between the quantiles; beyond them power laws that leave p10 and p90 with the same slope.
    inner = np.interp(x, [p10, median, p90], [0.1, 0.5, 0.9])
    near = 0.1 * np.exp(np.minimum((x - p10) * 4 / (median - p10), 0))
    far = 1 - 0.1 * np.exp(np.minimum((p90 - x) * 4 / (p90 - median), 0))
    below = np.where(x < p10, near, np.where(x > p90, far, inner))
    return -np.diff(np.concatenate([[1.0], below, [0.0]]))


PRESETS = {"measured": _measured, "fitted": _fitted, "retail": _retail, "uniform": _uniform}
