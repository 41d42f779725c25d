"""The one entrance: a position in, its liquidation or bankruptcy price out, by the formula of its venue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.margin import venues
from liqlab.margin.equations import Formula, margin_used_up
from liqlab.margin.hedges import equal_legs
from liqlab.margin.positions import (
    check_hedge,
    check_leverage,
    from_table,
    funding,
    leg_of,
    others,
    outright,
    position_of,
)
from liqlab.margin.quantities import contract_of, given, scalar
from liqlab.margin.tiers import Tiers, tiers_for
from liqlab.market.arguments import checked, warn

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@checked()
def liquidation_price(
    entry_price: ArrayLike,
    *,
    side: Any,
    leverage: ArrayLike | None = None,
    quantity: ArrayLike | None = None,
    exchange: str | None = None,
    symbol: str | None = None,
    as_of: Any = None,
    leverage_tiers: pd.DataFrame | Tiers | None = None,
    wallet_balance: ArrayLike | None = None,
    maintenance_margin_rate: ArrayLike | None = None,
    maintenance_amount: ArrayLike | None = None,
    other_maintenance_margin: ArrayLike = 0.0,
    other_unrealised_pnl: ArrayLike = 0.0,
    added_margin: ArrayLike = 0.0,
    taker_fee: ArrayLike | None = None,
    funding_rate: ArrayLike = 0.0,
    max_leverage: ArrayLike | None = None,
    formula: str | None = None,
    hedge_quantity: ArrayLike | None = None,
    hedge_entry_price: ArrayLike | None = None,
    hedge_maintenance_margin_rate: ArrayLike | None = None,
    hedge_maintenance_amount: ArrayLike | None = None,
) -> Any:
    """Price at which a position is liquidated, by the formula of its venue; `formulas` lists them with their sources.

    Binance USD-M, the default: ``LP = (WB − TMM + UPNL + c − s·q·E) / (q·m − s·q)`` with the maintenance rate m and
    amount c of the tier that holds the notional *at LP*: the fixed point is unique, because the maintenance margin is
    continuous in notional. An inverse contract is the mirror of a linear one: long N dollars at P is short N at 1/P.

    Parameters
    ----------
    entry_price : float or array
        E [quote per coin].
    side : 'long' or 'short', or array of these
        The position's side.
    leverage : float or array, optional
        L; the isolated margin is then ``q·E/L`` [quote], inverse ``N/(E·L)`` [coins]. Give this or `wallet_balance`.
    quantity : float or array, optional
        Linear: q [coins]. Inverse: face value N [USD] = contracts × contract size, never coins.
        None: a position so small that it stays in the first tier.
    exchange, symbol : str, optional
        ccxt's names: binanceusdm, binancecoinm, bybit, okx, gate, mexc, hyperliquid, dydx, bitmex; ``BTC/USDT:USDT``
        is linear, ``BTC/USD:BTC`` inverse. They choose formula and tiers. Default: the market for which a `Tiers` was
        made, else binanceusdm and BTC.
    as_of : time-like, optional
        Date of the tier table: the latest one seen on or before it (default: the newest). See `tiers_for`.
    leverage_tiers : DataFrame or Tiers, optional
        Your own table instead of those that liqlab ships, see `tiers_from_ccxt`.
    wallet_balance : float or array, optional
        WB [quote; coins if inverse]: isolated margin with what was added to it, or the cross wallet.
    maintenance_margin_rate, maintenance_amount : float or array, optional
        m [1] and c [quote; coins if inverse] given outright; no table is then consulted.
    other_maintenance_margin, other_unrealised_pnl : float or array
        TMM and UPNL [quote; coins if inverse] of the *other* positions of a cross wallet; 0 if isolated.
    added_margin : float or array
        X [quote; coins if inverse] added to the isolated margin.
    taker_fee : float or array, optional
        f [1], where the formula has one; default: the venue's fee for regular users, see `formulas`.
    funding_rate : float or array
        Funding rate [1 per interval] still to be paid; BitMEX only.
    max_leverage : float or array, optional
        Hyperliquid only: highest leverage of the asset, from which ``m = 1/(2·max_leverage)``.
    formula : str, optional
        Another version of the formula, such as ``"bybit-inverse-2026"``; default: the exchange's own.
    hedge_quantity, hedge_entry_price : float or array, optional
        Hedge mode: size [as `quantity`; 0: none] and entry [quote per coin] of the *opposite* leg of the same symbol
        in the same cross wallet, whose PnL moves with the price too. Needs `wallet_balance`; both legs then share the
        price. Formulas that have it: column ``hedge`` of `formulas`. Positions in *other* symbols are passed as
        `other_unrealised_pnl`, as ever.
    hedge_maintenance_margin_rate, hedge_maintenance_amount : float or array, optional
        Those of the opposite leg, where `maintenance_margin_rate` is given; default: the same rate, and amount 0.

    Returns
    -------
    float or ndarray
        Liquidation price [quote per coin], broadcast over the inputs. 0 for a long that no fall can liquidate, inf for
        an inverse short that no rise can. In hedge mode it lies on the side of the larger leg, and is NaN where there
        is none.

    Raises
    ------
    ValueError
        Leverage below 1 or above the tier's maximum, a position above the last tier, prices or quantities ≤ 0, an
        exchange without a formula, a symbol of the wrong kind, a term that the venue's formula does not have.

    Warns
    -----
    UserWarning
        Another venue's or symbol's tiers stand in. A `Tiers` given says so itself (`Tiers.flags`), without a warning.
        In hedge mode, why there is no liquidation price: the legs are equal, or the wallet carries them at no price.

    Assumptions
    -----------
    Mark price triggers; the whole position is closed at once (real liquidation goes tier by tier); funding and fees
    paid since entry are not deducted. A tier table in quote that stands in for an inverse contract is converted at E.

    References
    ----------
    Named by `formulas`, and in the file of each family of venues.

    Examples
    --------
    A 25x long from 60,000 in the first tier (m = 0.4 %): ``60000·(1 − 1/25) / (1 − 0.004)``.

    >>> round(liquidation_price(60_000, side="long", leverage=25), 2)
    57831.33
    >>> round(60_000 * (1 - 1 / 25) / (1 - 0.004), 2)
    57831.33

    Inverse, 10,000 USD long at 50,000 and 10x, m = 0.5 %: ``10000·1.005 / (0.2 + 0.02)``.

    >>> round(liquidation_price(50_000, side="long", leverage=10, quantity=10_000, exchange="binancecoinm",
    ...                         symbol="BTC/USD:BTC", maintenance_margin_rate=0.005), 2)
    45681.82

    Hedge mode, long 1 at 60,000 and short 0.6 at 62,000 in one wallet of 5,000, m = 0.5 % on both legs:
    ``(5000 − 60000 + 0.6·62000) / (1.6·0.005 − 0.4)``.

    >>> round(liquidation_price(60_000, side="long", quantity=1, wallet_balance=5_000, maintenance_margin_rate=0.005,
    ...                         hedge_quantity=0.6, hedge_entry_price=62_000), 2)
    45408.16
    """
    terms = (hedge_quantity, hedge_entry_price, hedge_maintenance_margin_rate, hedge_maintenance_amount)
    hedged = any(term is not None for term in terms)
    rule = _rule(exchange, symbol, formula, leverage_tiers, hedged=hedged)
    solve_hedged = check_hedge(rule, hedge_quantity, hedge_entry_price, wallet_balance) if hedged else None
    if quantity is None and any(map(given, (added_margin, other_maintenance_margin, other_unrealised_pnl))):
        raise ValueError("added_margin, other_maintenance_margin and other_unrealised_pnl need a quantity to be "
                         "compared with; pass quantity")  # fmt: skip
    other = others(rule, other_maintenance_margin, other_unrealised_pnl)
    position = position_of(rule, entry_price, side, leverage, quantity, wallet_balance, added_margin, taker_fee,
                           other, funding(rule, funding_rate))  # fmt: skip
    table = None
    if maintenance_margin_rate is not None or max_leverage is not None:
        if leverage_tiers is not None:
            raise ValueError("give either leverage_tiers or a maintenance rate, not both")
        need = outright(rule, maintenance_margin_rate, maintenance_amount, max_leverage)
    elif maintenance_amount is not None:
        raise ValueError("a maintenance_amount needs its maintenance_margin_rate; pass both, or neither for the tiers")
    else:
        table = _table(rule, exchange, symbol, as_of, leverage_tiers)
        need = from_table(rule, table, position, first_only=quantity is None)
    check_leverage(need, position, leverage)
    if solve_hedged is None:
        return _price(rule, rule.solve(position, need))
    rates = (hedge_maintenance_margin_rate, hedge_maintenance_amount, maintenance_margin_rate, maintenance_amount)
    leg = leg_of(rule, hedge_quantity, hedge_entry_price, table, position, rates)
    solved = solve_hedged(position, need, leg)
    _say_why_none(np.isnan(solved), equal_legs(position.quantity, leg.quantity))
    return _price(rule, solved)


@checked()
def bankruptcy_price(
    entry_price: ArrayLike,
    *,
    side: Any,
    leverage: ArrayLike | None = None,
    quantity: ArrayLike | None = None,
    exchange: str | None = None,
    symbol: str | None = None,
    wallet_balance: ArrayLike | None = None,
    added_margin: ArrayLike = 0.0,
    taker_fee: ArrayLike | None = None,
    formula: str | None = None,
) -> Any:
    """Price at which the margin of a position is used up: linear ``E·(1 − s/L)``, inverse ``E / (1 + s/L)``.

    Parameters
    ----------
    entry_price : float or array
        E [quote per coin].
    side : 'long' or 'short', or array of these
        The position's side.
    leverage : float or array, optional
        L ≥ 1. Give this or `wallet_balance`.
    quantity : float or array, optional
        Linear: q [coins]. Inverse: face value N [USD]. Needed with `wallet_balance` and `added_margin` only.
    exchange, symbol : str, optional
        They choose between linear and inverse, as in `liquidation_price`. Default: binanceusdm and BTC.
    wallet_balance, added_margin : float or array, optional
        Margin, and margin added to it [quote; coins if inverse].
    taker_fee : float or array, optional
        f [1]. BitMEX only, which takes the fees of entry and exit out of the margin.
    formula : str, optional
        As in `liquidation_price`.

    Returns
    -------
    float or ndarray
        Bankruptcy price [quote per coin]. 0 for a long that no fall can bankrupt, inf for an inverse short that no
        rise can.

    Raises
    ------
    ValueError
        As `liquidation_price`.

    Examples
    --------
    >>> bankruptcy_price(60_000, side="long", leverage=25)
    57600.0

    Inverse, ``50000 · 10/11``.

    >>> round(bankruptcy_price(50_000, side="long", leverage=10, exchange="bybit", symbol="BTC/USD:BTC"), 2)
    45454.55
    """
    rule = _rule(exchange, symbol, formula, None, hedged=False)
    if taker_fee is not None and rule.bankrupt is margin_used_up:
        raise ValueError(
            f"the bankruptcy price of {rule.name} has no fee in it, got taker_fee {taker_fee!r}; leave it out"
        )
    if quantity is None and given(added_margin):
        raise ValueError("added_margin needs a quantity to be compared with; pass quantity")
    position = position_of(rule, entry_price, side, leverage, quantity, wallet_balance, added_margin, taker_fee)
    return _price(rule, rule.bankrupt(position))


def _say_why_none(none: np.ndarray, equal: np.ndarray) -> None:
    """Warn why two legs have no liquidation price."""
    if (none & equal).any():
        warn("long and short are equal: their PnL does not move with the price, so no move of the price "
                      "liquidates them by its loss; the liquidation price is NaN")  # fmt: skip
    if (none & ~equal).any():
        warn("the wallet carries both legs at no price: what it holds with their locked PnL is below the "
                      "maintenance margin everywhere; the liquidation price is NaN")  # fmt: skip


def _rule(exchange: str | None, symbol: str | None, formula: str | None, tiers: Any, *, hedged: bool) -> Formula:
    """The formula: the one named, that of the market, or that of the market for which the tiers were made."""
    if formula is not None:
        rule = venues.named(formula)
    elif isinstance(tiers, Tiers) and exchange is None:
        rule = venues.named(tiers.formula) if tiers.formula else venues.nearest(tiers.exchange, tiers.symbol)[0]
        rule = venues.with_hedge(rule) if hedged else rule
    else:
        rule = venues.of_market(exchange or "binanceusdm", symbol)
        return venues.with_hedge(rule) if hedged else rule
    if symbol is not None and contract_of(symbol) not in (rule.contract, "unclear"):
        raise ValueError(f"the formula {rule.name} is for {rule.contract} contracts, but {symbol} is "
                         f"{contract_of(symbol)}; pass a symbol such as {venues.DEFAULT_SYMBOL[rule.contract]!r}, or "
                         "another formula")  # fmt: skip
    return rule


def _table(rule: Formula, exchange: str | None, symbol: str | None, as_of: Any, tiers: Any) -> Tiers:
    """The tiers of the market, with a warning where others stand in."""
    if isinstance(tiers, Tiers):
        return tiers
    table = tiers_for(exchange or rule.exchanges[0], symbol or venues.DEFAULT_SYMBOL[rule.contract], as_of,
                      leverage_tiers=tiers)  # fmt: skip
    if table.proxy:
        warn(f"{table.proxy}; pass leverage_tiers= or maintenance_margin_rate=")
    return table


def _price(rule: Formula, solved: np.ndarray) -> Any:
    """Clipped at 0 and, for an inverse contract, mirrored back: what is 0 there is inf here."""
    price = np.maximum(solved, 0.0)
    if rule.contract == "inverse":
        with np.errstate(divide="ignore"):
            price = 1.0 / price
    return scalar(price)
