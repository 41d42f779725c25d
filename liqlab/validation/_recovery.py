"""How well do models find positions that are known? Estimated against true maps on simulated markets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from liqlab.engine.grid import cell_of
from liqlab.engine.inputs import EngineInputs, build_inputs
from liqlab.engine.ledger import run_ledger
from liqlab.engine.records import SIDES, Columns
from liqlab.market.arguments import checked
from liqlab.market.market import Market
from liqlab.models._assumptions import Assumptions
from liqlab.models._law import Law
from liqlab.simulation import Simulation
from liqlab.validation.calibration._calibrate import calibrate
from liqlab.validation.calibration.design import SPREAD, classes_of
from liqlab.validation.score_functions import spearman

__all__ = ["VARIANTS", "recovery"]

WIDTH, REACH = 0.0025, 0.3  # bins [log price], and how far from the price they reach


def _known(simulation: Any) -> Law:
    """The law that the agents opened by, on the classes of a calibration."""
    return replace(simulation.law_on(classes_of(simulation.market, 10_000.0)), spread=SPREAD)


def _calibrated(simulation: Any) -> Law:
    """The law fitted to the liquidations that the market published."""
    return calibrate(simulation.market, share_of_volume=0.1, resamples=2).law


# What is compared: our models and laws, and what open-source maps and scripts commonly do instead.
VARIANTS: dict[str, dict[str, Any]] = {
    "open_interest": {},
    "open_interest, closing in proportion": {"closing": "proportional"},
    "open_interest, law retail": {"law": "retail"},
    "open_interest, law uniform": {"law": "uniform"},
    "open_interest, law calibrated": {"law": _calibrated},
    "open_interest, law known": {"law": _known},
    "open_interest, touched by the last price only": {"touch": "close"},
    "open_interest, 1/L without maintenance": {"maintenance": False},
    "decay": {"model": "decay"},
    "volume": {"model": "volume"},
}


@checked()
def recovery(
    simulations: Sequence[Simulation],
    variants: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    moments: int = 12,
    warmup: float = 0.5,
) -> pd.DataFrame:
    """Rank correlation between estimated and true standing notional over price bins, by variant and side.

    Parameters
    ----------
    simulations : sequence of Simulation
        Markets whose positions are known, see `liqlab.simulate`.
    variants : mapping {name: options}, optional
        Options of `liqlab.heatmap`; besides, ``model``, ``touch="close"`` (a level is swept by closes only, not by
        wicks) and ``maintenance=False`` (liquidation at bankruptcy). A value may be a function of the simulation.
        Default: `VARIANTS`.
    moments : int
        Moments per market, evenly spaced after the warm-up.
    warmup : float
        Share [0..1) of the market that is not scored.

    Returns
    -------
    DataFrame (variant,)
        long, short, mean: mean Spearman correlation over moments and markets, over bins of 0.25 % within 30 % of the
        price, longs below it and shorts above. lowest, highest: of the markets, both sides together.

    Assumptions
    -----------
    - A simulated market is no real one: the order of the rows means more than their figures.
    - Bins in which nothing stands count; ties share their rank.
    """
    if not len(simulations):
        raise ValueError("recovery needs one simulation or more, got none; pass simulations=[lq.simulate(seed=1)]")
    if not 0 <= warmup < 1:
        raise ValueError(f"warmup must lie in [0, 1), got {warmup!r}; 0.5 leaves the first half out")
    fewest = min(len(each.market.candles) for each in simulations)
    if not 1 <= moments <= fewest:
        raise ValueError(f"moments must be from 1 to the {fewest} candles of the shortest market, got {moments!r}; 12 "
                         "is usual")  # fmt: skip
    rows = {}
    for name, options in (VARIANTS if variants is None else variants).items():
        found = np.array([_score(each, _options(each, options), moments, warmup) for each in simulations])
        both = found.mean(axis=1)
        rows[name] = [*found.mean(axis=0), both.mean(), both.min(), both.max()]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=[*SIDES, "mean", "lowest", "highest"])
    return table.rename_axis("variant")


def _options(simulation: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value(simulation) if callable(value) else value for name, value in options.items()}


def _score(simulation: Any, options: dict[str, Any], moments: int, warmup: float) -> list[float]:
    """Mean correlation of longs and shorts on one market."""
    market: Market = simulation.market
    candles = market.candles
    last = np.linspace(int(warmup * len(candles)), len(candles) - 1, moments).astype(int)
    price = candles["close"].to_numpy()[last]
    edges = np.exp(np.arange(np.log(price.min() * (1 - REACH)), np.log(price.max() * (1 + REACH)) + WIDTH, WIDTH))
    truth = simulation.standing(pd.DatetimeIndex(candles.index[last]) + market.step, edges)
    inputs = _inputs(market, **options)
    at = np.searchsorted(inputs.bar, last, side="right") - 1
    record = run_ledger(inputs.steps, inputs.ladder, columns=Columns(at, np.zeros(moments, np.int64), edges))
    middle = np.sqrt(edges[1:] * edges[:-1])
    scores = []
    for side in (0, 1):
        away = (middle / price[:, None] - 1) * (1 if side else -1)
        near = (away > 0) & (away < REACH)
        scores.append(float(np.mean([
            spearman(record.notional[side, k, near[k]], truth[k, near[k], side]) for k in range(moments)
        ])))  # fmt: skip
    return scores


def _inputs(
    market: Market, *, model: str | None = None, touch: str = "range", maintenance: bool = True, **options: Any
) -> EngineInputs:
    if not maintenance:
        free = {"tier": 1, "min_notional": 0.0, "max_notional": 1e12, "maintenance_margin_rate": 1e-12,
                "max_leverage": 125.0, "maintenance_amount": 0.0}  # fmt: skip
        who = {"exchange": market.exchange, "symbol": market.symbol, "as_of": market.start}
        market = replace(market, leverage_tiers=pd.DataFrame([who | free]))
    inputs = build_inputs(market, Assumptions.given(None, model, options))
    if touch == "range":
        return inputs
    if touch != "close":
        raise ValueError(f"touch must be 'range' or 'close', got {touch!r}")
    close = cell_of(market.candles["close"].to_numpy())[inputs.bar]
    return replace(inputs, steps=replace(inputs.steps, touch_low=close, touch_high=close))
