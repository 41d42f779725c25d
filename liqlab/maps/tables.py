"""The tables of a ledger, for arithmetic that can be followed row by row: flows, balance sheet, levels.

All amounts are *estimated* from market data; none is read from accounts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from liqlab.engine.grid import price_of
from liqlab.engine.inputs import EngineInputs
from liqlab.engine.recent_openings import liquidated_recently
from liqlab.engine.records import SIDES, Record
from liqlab.engine.shared_run import ledger_run
from liqlab.maps.arguments import moment_of, moment_text
from liqlab.maps.heatmaps import first_steps, short_history
from liqlab.market.arguments import checked
from liqlab.market.clock import between, nanoseconds
from liqlab.market.market import Market
from liqlab.models._assumptions import Assumptions
from liqlab.models._law import Law

__all__ = ["balance", "expected_liquidations", "levels"]

MAX_LEVEL_ROWS = 5_000_000


@checked()
def expected_liquidations(
    market: Market,
    model: str | None = None,
    *,
    assumptions: Assumptions | Any = None,
    start: Any = None,
    end: Any = None,
    lookback: Any = None,
    unit: str = "quote",
    **options: Any,
) -> pd.DataFrame:
    """Estimated liquidations per bar and side: what the bar's prices reached of what stood before, and in it.

    Parameters
    ----------
    market, model, assumptions, **options
        As in `heatmap`.
    start, end : time-like, optional
        Bars that open in this half-open range; earlier ones still count in the ledger.
    lookback : duration, optional
        Only positions opened within this span before the close of the bar, as in `heatmap`; default: all.
    unit : 'quote' or 'coins'
        Coins × level price, or coins.

    Returns
    -------
    DataFrame (time,)
        Columns long, short [unit]; index: open of the bar. ``attrs``: unit; lookback_held, where the lookback
        reaches behind the market's start.

    Raises
    ------
    ValueError, TypeError
        No bar in the range, an unknown unit, model or option.
    """
    if unit not in ("quote", "coins"):
        raise ValueError(f"unit must be 'quote' or 'coins', got {unit!r}; choose one of the two")
    run = ledger_run(market, Assumptions.given(assumptions, model, options))
    inputs, record = run.inputs, run.flows
    amount = record.liquidated_notional if unit == "quote" else record.liquidated
    if lookback is not None:
        alive = first_steps(market, inputs, np.arange(len(market.candles)), lookback)[inputs.bar]
        recent = liquidated_recently(inputs.steps, inputs.ladder, record.survival, alive,
                                     same_bar_share=inputs.assumptions.same_bar_share)  # fmt: skip
        amount = recent[unit == "quote"]
    table = pd.DataFrame(np.add.reduceat(amount, inputs.first, axis=0), index=market.candles.index, columns=SIDES)
    chosen = between(nanoseconds(table.index), start, end)
    if not chosen.any():
        raise ValueError(f"start and end: no candle opens in [{start}, {end}); the market runs from {market.start} to "
                         f"{market.end}: choose a range in it")  # fmt: skip
    table = table[chosen]
    table.attrs |= {"unit": unit} | short_history(market, table.index + market.step, lookback)
    return table


@checked()
def balance(
    market: Market,
    model: str | None = None,
    *,
    assumptions: Assumptions | Any = None,
    by_leverage: bool = False,
    **options: Any,
) -> pd.DataFrame:
    """The ledger's balance sheet: what opened, left and stands, per bar and side, in coins.

    Parameters
    ----------
    market, model, assumptions, **options
        As in `heatmap`.
    by_leverage : bool
        One row per bar and class of leverage instead of one per bar; ``attrs["leverage"]`` says the range of leverages
        that each class stands for.

    Returns
    -------
    DataFrame
        Columns (quantity, side). opened, liquidated, closed, attributed [coins]: ``attributed_oi`` grows by opened −
        liquidated − closed. unattributed [coins]: open interest whose entries are unknown. open_interest [coins] is
        attributed + unattributed wherever it is known; coverage [0..1] = attributed ÷ open_interest, NaN where that is
        not known. By leverage: the first four only. ``attrs["open_interest"]`` says whose it is, or why the model takes
        none.
    """
    run = ledger_run(market, Assumptions.given(assumptions, model, options))
    inputs, record = run.inputs, run.by_level() if by_leverage else run.flows
    first = inputs.first
    final = np.append(first[1:], len(inputs.bar)) - 1
    index = market.candles.index
    if by_leverage:
        return _by_level(inputs, record, first, final, index)
    flows = {name: np.add.reduceat(getattr(record, name), first, axis=0) for name in ("liquidated", "closed")}
    attributed_oi, unattributed_oi = record.attributed_oi[final], record.unattributed_oi[final]
    total = attributed_oi + unattributed_oi
    target = np.repeat(inputs.steps.open_interest[final][:, None], 2, axis=1)
    coverage = np.where(np.isnan(target), np.nan, 0.0)  # of an open interest that nobody told, no part can be known
    np.divide(attributed_oi, total, out=coverage, where=(total > 0) & ~np.isnan(target))
    table = {"opened": inputs.opened.T, **flows, "attributed_oi": attributed_oi, "unattributed_oi": unattributed_oi,
             "open_interest": target, "coverage": coverage}  # fmt: skip
    sheet = pd.concat({name: pd.DataFrame(x, index=index, columns=SIDES) for name, x in table.items()}, axis=1)
    sheet.attrs["open_interest"] = str(inputs.open_interest)
    return sheet


@checked()
def levels(
    market: Market,
    model: str | None = None,
    *,
    assumptions: Assumptions | Any = None,
    start: Any = None,
    end: Any = None,
    at: Any = None,
    **options: Any,
) -> pd.DataFrame:
    """Every liquidation level on its own row: for lessons and small windows.

    Parameters
    ----------
    market, model, assumptions, **options
        As in `heatmap`.
    start, end : time-like, optional
        Only positions opened in this range; earlier ones still count in the ledger.
    at : time-like, optional
        The moment of the table: bars that close after it are not looked at. Default: the end of the market.

    Returns
    -------
    DataFrame
        opened_at (open of the bar), side, leverage (of the class), leverage_low, leverage_high (what the class stands
        for: its levels lie in between), entry_price, liquidation_price [quote], opened [coins], standing
        [coins] at the moment, notional = standing × liquidation_price [quote], touched_at (open of the bar that
        reached it, NaT if none has). ``attrs["at"]``: the moment.

    Raises
    ------
    ValueError
        Where the table would pass five million rows.
    """
    run = ledger_run(market, Assumptions.given(assumptions, model, options))
    bars = bars_by(market, at)
    inputs, survival = run.until(bars)
    opens = market.candles.index[:bars]
    chosen = between(nanoseconds(opens)[inputs.bar], start, end)
    table = _level_table(inputs, survival, np.flatnonzero(chosen))
    table.insert(0, "opened_at", opens[table.pop("bar")])
    touched = table.pop("touched_bar").to_numpy()
    with_ranges(table, inputs.assumptions.law)
    table["touched_at"] = opens[np.maximum(touched, 0)].where(touched >= 0)
    table.attrs["at"] = opens[-1] + market.step
    return table


def bars_by(market: Market, at: Any) -> int:
    """How many candles had closed by a moment; None: all. ValueError where none had, or the market had ended before."""
    closes = nanoseconds(market.candles.index) + market.step.as_unit("ns").value
    moment = moment_of(market, at)
    bars = int(np.searchsorted(closes, moment, side="right"))
    if not bars:
        raise ValueError(f"at: no candle of {market.symbol or 'this market'} had closed by {moment_text(moment)}; the "
                         f"first closes at {moment_text(int(closes[0]))}: choose a later moment")  # fmt: skip
    return bars


def with_ranges(table: pd.DataFrame, law: Law) -> None:
    """Beside the column leverage, which names a class: the leverages that it stands for."""
    ranges = law.ranges[np.searchsorted(law.leverage, table["leverage"].to_numpy(float))]
    place = list(table.columns).index("leverage") + 1
    table.insert(place, "leverage_low", ranges[:, 0])
    table.insert(place + 1, "leverage_high", ranges[:, 1])


def _by_level(
    inputs: EngineInputs, record: Record, first: np.ndarray, final: np.ndarray, index: pd.Index
) -> pd.DataFrame:
    """Balance by bar and leverage."""
    ladder = inputs.ladder
    opened = inputs.steps.opened.T[:, :, None] * ladder.share
    opened = np.where(inputs.steps.tier_version[:, None, None] == ladder.tier_version, opened, 0.0)
    parts = {
        "opened": np.add.reduceat(opened, first, axis=0),
        "liquidated": np.add.reduceat(record.by_level[..., 1], first, axis=0),
        "closed": np.add.reduceat(record.by_level[..., 2], first, axis=0),
        "attributed_oi": record.by_level[final, :, :, 0],
    }
    rows = pd.MultiIndex.from_product([index, np.unique(ladder.leverage)], names=["time", "leverage"])
    tables = {name: pd.DataFrame(_by_class(value, ladder.leverage).reshape(-1, 2), index=rows, columns=SIDES)
              for name, value in parts.items()}  # fmt: skip
    sheet = pd.concat(tables, axis=1)
    law = inputs.assumptions.law
    sheet.attrs["leverage"] = {float(label): law.named([label]) for label in np.unique(ladder.leverage)}
    return sheet


def _by_class(value: np.ndarray, leverage: np.ndarray) -> np.ndarray:
    """Sums over the levels of each class of leverage: (bar, side, level) → (bar, class, side)."""
    return np.stack([value[:, :, leverage == x].sum(axis=2) for x in np.unique(leverage)], axis=1)


def liquidated_by_class(market: Market, assumptions: Assumptions) -> np.ndarray:
    """The column "liquidated" of `balance` by leverage alone [coins]: (bar, class, side)."""
    run = ledger_run(market, assumptions)
    coins = np.add.reduceat(run.by_level().by_level[..., 1], run.inputs.first, axis=0)
    return _by_class(coins, run.inputs.ladder.leverage)


def _level_table(inputs: EngineInputs, survival: np.ndarray, chosen: np.ndarray) -> pd.DataFrame:
    """Rows (step × side × leverage level × entry cell) with their touch and what is left of them; no kernel is used."""
    steps, ladder = inputs.steps, inputs.ladder
    width = (steps.entry_high - steps.entry_low + 1)[chosen]
    rows = int(width.sum()) * ladder.cells.size
    if rows > MAX_LEVEL_ROWS:
        raise ValueError(
            f"this would be {rows:,} levels; choose a smaller start/end (at most {MAX_LEVEL_ROWS:,} rows), "
            "or use heatmap"
        )
    step = np.repeat(chosen, width)
    entry = np.concatenate([np.arange(a, b + 1) for a, b in zip(steps.entry_low[chosen], steps.entry_high[chosen],
                                                                strict=True)] or [np.empty(0, int)])  # fmt: skip
    _, level = np.unique(np.vstack([ladder.tier_version, ladder.leverage, ladder.cells]), axis=1, return_inverse=True)
    cohorts = [
        np.flatnonzero(level == k) for k in range(level.max() + 1)
    ]  # leverage levels that differ in their close rate alone
    parts = [_levels_of(inputs, survival, s, leverage_levels, step, entry, np.repeat(width, width)) for s in (0, 1)
             for leverage_levels in cohorts]  # fmt: skip
    return pd.concat(parts, ignore_index=True).sort_values(
        ["bar", "side", "leverage"], ignore_index=True, kind="stable"
    )


def _levels_of(
    inputs: EngineInputs, survival: np.ndarray, s: int, leverage_levels: np.ndarray, step: np.ndarray,
    entry: np.ndarray, width: np.ndarray,
) -> pd.DataFrame:  # fmt: skip
    steps, ladder, j = inputs.steps, inputs.ladder, leverage_levels[0]
    mine = steps.tier_version[step] == ladder.tier_version[j]
    step, entry, width = step[mine], entry[mine], width[mine]
    level = entry - ladder.cells[s, j] if s == 0 else entry + ladder.cells[s, j]
    # mirror the shorts, so that "touched" always means: the first step from its own on whose extreme is <= the level
    extreme, height = (steps.touch_low, level) if s == 0 else (-steps.touch_high, -level)
    touched = _first_at_or_below(extreme, step, height)
    share = ladder.share[s, leverage_levels]
    opened = steps.opened[s, step] * share.sum() / width
    left = np.where(
        touched < 0, survival[step, s][:, ladder.rate_groups[0][leverage_levels]] @ share / (share.sum() or 1.0), 0.0
    )
    price = price_of(level)
    return pd.DataFrame(
        {
            "bar": inputs.bar[step],
            "side": SIDES[s],
            "leverage": ladder.leverage[j],
            "entry_price": price_of(entry),
            "liquidation_price": price,
            "opened": opened,
            "standing": opened * left,
            "notional": opened * left * price,
            "touched_bar": np.where(touched < 0, -1, inputs.bar[np.maximum(touched, 0)]),
        }
    )


def _first_at_or_below(extreme: np.ndarray, step: np.ndarray, height: np.ndarray) -> np.ndarray:
    """First index >= step with extreme <= height, −1 if there is none: binary descent in tables of running minima."""
    n = len(extreme)
    tables = [extreme]
    while (1 << len(tables)) <= n:
        half = 1 << (len(tables) - 1)
        tables.append(np.minimum(tables[-1][:-half], tables[-1][half:]))
    at = step.copy()
    for k in range(len(tables) - 1, -1, -1):
        fits = at + (1 << k) <= n
        skip = np.zeros(len(at), bool)
        skip[fits] = tables[k][at[fits]] > height[fits]
        at += skip * (1 << k)
    return np.where(at < n, at, -1)
