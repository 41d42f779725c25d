"""Why is this band here? The bars, sides and leverages that stand behind one cell of a heatmap."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from liqlab.engine.grid import first_cell, price_of
from liqlab.engine.inputs import EngineInputs, build_inputs
from liqlab.engine.ledger import run_ledger, survival_to_end
from liqlab.engine.records import SIDES
from liqlab.maps.heatmaps import BIN, round_number
from liqlab.market.checks import no_text
from liqlab.market.clock import nanoseconds, timedelta
from liqlab.market.market import Market

__all__ = ["explain"]


def explain(
    market: Market,
    model: str = "open_interest",
    *,
    price: float,
    at: Any = None,
    price_step: float | None = None,
    lookback: Any = None,
    same_bar_share: float = 0.5,
    **options: Any,
) -> pd.DataFrame:
    """Who stands behind a band: the positions that the model has at a price at a moment, by bar, side and leverage.

    Parameters
    ----------
    market, model, lookback, same_bar_share, **options
        As in `heatmap`.
    price : float
        A price inside the band [quote].
    at : time-like, optional
        The moment: bars that close after it are not looked at. Default: the end of the market.
    price_step : float, optional
        Width of the cell [quote]: the multiple of it that holds the price. Default: a round number near 5 bp of the
        price; give that of your heatmap, and the sum of ``notional`` is the heatmap's cell.

    Returns
    -------
    DataFrame
        One row per bar, side and leverage, the largest first: opened_at (open of the bar), side, leverage,
        entry_price, liquidation_price (means) [quote], standing [coins], notional [quote], share of the cell's
        notional, age (from the bar's close to the moment), distance from entry to liquidation price [1].
        ``attrs``: low and high edge of the cell [quote].

    Raises
    ------
    ValueError
        Where no bar had closed by then, or the price is not positive.

    Examples
    --------
    >>> import liqlab as lq
    >>> who = lq.explain(lq.load_example("btc-2024-05"), price=56_490, at="2024-05-01 15:30", price_step=25)
    >>> round(float(who["share"].sum()), 9), str(who["side"].iloc[0])
    (1.0, 'long')
    """
    no_text(price=price, price_step=price_step)
    if not price > 0:
        raise ValueError(f"price must be > 0 quote, got {price!r}")
    market = market if at is None else market.until(at)
    inputs = build_inputs(market, model, **options)
    record = run_ledger(inputs.steps, inputs.ladder, flows=True, same_bar_share=same_bar_share)
    width = price_step or round_number(BIN * price)
    edges = np.floor(price / width * (1 + 1e-12)) * width + np.array([0.0, width])
    opens = nanoseconds(market.candles.index)
    alive = (
        0 if lookback is None else opens[-1] + market.step.as_unit("ns").value - timedelta(lookback).as_unit("ns").value
    )
    steps = np.flatnonzero(opens[inputs.bar] >= alive)
    levels = np.arange(*first_cell(edges))
    survival, rate_group = survival_to_end(record.survival), inputs.ladder.rate_groups[0]
    parts = [_lots(inputs, survival[:, s, rate_group[j]], s, j, level, steps) for s in (0, 1)
             for j in range(len(inputs.ladder.leverage)) for level in levels]  # fmt: skip
    table = _grouped(pd.concat(parts, ignore_index=True), market)
    table.attrs.update(low=float(edges[0]), high=float(edges[1]))
    return table


def _lots(inputs: EngineInputs, survival: np.ndarray, s: int, j: int, level: int, steps: np.ndarray) -> pd.DataFrame:
    """What a leverage level has at one level cell: every step that opened there since the cell was last touched."""
    all_steps, ladder = inputs.steps, inputs.ladder
    entry = level + ladder.cells[s, j] if s == 0 else level - ladder.cells[s, j]
    # in the mirror of the shorts "touched" always means: the extreme is at or below the level
    extreme, height = (all_steps.touch_low, level) if s == 0 else (-all_steps.touch_high, -level)
    touched = np.flatnonzero(extreme <= height)
    fresh = steps[steps > touched[-1]] if len(touched) else steps
    here = fresh[(all_steps.entry_low[fresh] <= entry) & (all_steps.entry_high[fresh] >= entry)
                 & (all_steps.tier_version[fresh] == ladder.tier_version[j])]  # fmt: skip
    cells = all_steps.entry_high[here] - all_steps.entry_low[here] + 1
    coins = all_steps.opened[s, here] * ladder.share[s, j] / cells
    standing = coins * survival[here]
    return pd.DataFrame({"bar": inputs.bar[here], "side": SIDES[s], "leverage": ladder.leverage[j],
                         "standing": standing, "entry_price": price_of(entry), "liquidation_price": price_of(level),
                         "notional": standing * price_of(level)})  # fmt: skip


def _grouped(lots: pd.DataFrame, market: Market) -> pd.DataFrame:
    """Cells of one bar, side and leverage together: sums, and means weighted by coins."""
    lots = lots[lots["standing"] > 0]
    for name in ("entry_price", "liquidation_price"):
        lots = lots.assign(**{name: lots[name] * lots["standing"]})
    table = lots.groupby(["bar", "side", "leverage"], sort=False, as_index=False).sum()
    for name in ("entry_price", "liquidation_price"):
        table[name] /= table["standing"]
    table = table.sort_values("notional", ascending=False, ignore_index=True, kind="stable")
    opened = market.candles.index[table.pop("bar")]
    table.insert(0, "opened_at", opened)
    table["share"] = table["notional"] / table["notional"].sum()
    table["age"] = market.end - market.step - opened.to_series(index=table.index)
    table["distance"] = table["liquidation_price"] / table["entry_price"] - 1
    return table[["opened_at", "side", "leverage", "entry_price", "liquidation_price", "standing", "notional",
                  "share", "age", "distance"]]  # fmt: skip
