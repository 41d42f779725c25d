"""The ceiling: what trees can tell of a bar's liquidations from the bar itself and what came before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from liqlab.engine.records import SIDES
from liqlab.market.clock import nanoseconds, step_of
from liqlab.market.extras import require
from liqlab.market.market import Market

__all__ = ["features", "hindsight"]

DAY = 86_400 * 10**9
WINDOWS = (3, 6, 12, 24, 72, 168)  # bars before, for extremes
FOLDS, MIN_TRAINING_ROWS = 10, 50  # groups of days; fewest rows to learn from
TREES: dict[str, Any] = {"learning_rate": 0.04, "max_iter": 200, "max_leaf_nodes": 8, "l2_regularization": 1.0,
                         "max_features": 0.3, "min_samples_leaf": 20}  # fmt: skip


def hindsight(
    market: Market,
    frame: pd.DataFrame,
    observed: pd.DataFrame,
    *,
    maps: Sequence[pd.DataFrame] = (),
    seed: int = 0,
) -> pd.DataFrame:
    """Gradient-boosted regression of log(1 + observed), each day foretold by trees that saw other days only.

    Parameters
    ----------
    market : Market
    frame : DataFrame (time,)
        Bars from `baselines.bars`.
    observed : DataFrame (time,)
        long, short [coins per bar].
    maps : sequence of DataFrame (time,)
        Estimated liquidations, given to the trees as further features.
    seed : int
        Which days are left out together.

    Returns
    -------
    DataFrame (time,)
        long, short [coins per bar].

    Assumptions
    -----------
    It sees the whole bar, and is trained on days before and after: hindsight twice over. A ceiling of these features
    and these trees, not of what could be known.
    """
    trees = require("sklearn.ensemble", "the hindsight ceiling of lq.score (baselines=False leaves it out)")
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    x = np.concatenate([features(market, frame, side).reindex(observed.index).to_numpy(float) for side in SIDES])
    for table in maps:
        x = np.column_stack([x, np.log1p(table.reindex(observed.index)[SIDES].to_numpy().T.ravel())])
    y = np.log1p(observed[SIDES].to_numpy().T.ravel())
    days = np.tile(nanoseconds(observed.index) // DAY, 2)
    fold = np.random.default_rng(seed).permutation(np.arange(np.ptp(days) + 1) % FOLDS)[days - days.min()]
    fit = np.full(len(y), np.nan)
    known = np.isfinite(y)
    with threadpool_limits(1):  # a table this small is slower on many threads, and very slow on a busy machine
        for k in np.unique(fold):
            train = (fold != k) & known
            if train.sum() < MIN_TRAINING_ROWS:
                continue
            fitted = trees.HistGradientBoostingRegressor(**TREES, random_state=seed).fit(x[train], y[train])
            fit[fold == k] = fitted.predict(x[fold == k])
    return pd.DataFrame(np.expm1(fit).reshape(2, -1).T, index=observed.index, columns=SIDES)


def features(market: Market, frame: pd.DataFrame, side: str) -> pd.DataFrame:
    """Some forty features of every bar as one side sees it: *against* it is down for longs, up for shorts."""
    sign = 1.0 if side == "long" else -1.0
    log = pd.DataFrame(np.log(frame[["open", "high", "low", "close"]]))
    low, high = ("low", "high") if side == "long" else ("high", "low")
    worst, best, open_, close = (log[name].mul(sign) for name in (low, high, "open", "close"))
    volume = frame["volume"]
    table = {
        "against": open_ - worst, "with": best - open_, "range": best - worst, "body": close - open_,
        "back": close - worst, "before": open_ - worst.shift(), "volume": volume,
        "against_volume": (open_ - worst) * volume, "square": (open_ - worst) ** 2 * volume,
        "busy_day": volume / volume.rolling(24, 6).mean().shift(), "busy_week": volume / volume.rolling(168, 24).mean(),
    }  # fmt: skip
    for window in WINDOWS:
        table[f"beyond_{window}"] = worst.rolling(window, 1).min().shift() - worst
        table[f"drop_{window}"] = best.rolling(window, 1).max() - worst
    for window in (6, 24, 72):
        table[f"calm_{window}"] = close.diff().rolling(window, 3).std().shift()
        table[f"trend_{window}"] = open_ - open_.shift(window)
    table |= {"against_1": table["against"].shift(), "volume_1": volume.shift()}
    index = pd.DatetimeIndex(frame.index)
    table |= {"hour": pd.Series(index.hour + index.minute / 60, index), "weekday": pd.Series(index.day_of_week, index)}
    table |= _from_path(market, frame, sign) | _from_positions(market, frame, sign)
    return pd.DataFrame(table)


def _from_path(market: Market, frame: pd.DataFrame, sign: float) -> dict[str, pd.Series]:
    """What finer candles say: the largest push against the side, how rough the way was, where the volume lay."""
    fine = market.path if market.path is not None else market.candles
    step = step_of(frame)
    if step_of(fine) >= step:
        return {}
    open_, close = sign * np.log(fine["open"]), sign * np.log(fine["close"])
    worst = np.log(fine["low"]) if sign > 0 else -np.log(fine["high"])
    columns = {"push": open_ - worst, "rough": (close - open_) ** 2, "fall": (open_ - close).clip(lower=0)}
    if "volume" in fine:
        columns |= {"burst": fine["volume"], "push_volume": (open_ - worst) * fine["volume"]}
    groups = pd.DataFrame(columns).resample(step, origin=frame.index[0])
    most, total = groups.max(), groups.sum()
    table = {f"most_{name}": most[name] for name in columns} | {f"sum_{name}": total[name] for name in columns}
    return {name: column.reindex(frame.index) for name, column in table.items()}


def _from_positions(market: Market, frame: pd.DataFrame, sign: float) -> dict[str, pd.Series]:
    """Taker share, open interest at the bar's two ends, and funding, where the market has them."""
    table: dict[str, pd.Series] = {}
    step, index = step_of(frame), pd.DatetimeIndex(frame.index)
    if "taker_buy_volume" in market.candles:
        sums = market.candles[["taker_buy_volume", "volume"]].resample(step, origin=frame.index[0]).sum(min_count=1)
        share = (sums["taker_buy_volume"] / sums["volume"]).reindex(frame.index)
        table |= {"takers": sign * (share - 0.5), "taker_flow": sign * (share - 0.5) * frame["volume"]}
    if market.open_interest is not None:
        level = market.open_interest["open_interest"]
        before, after = (level.reindex(at, method="ffill").set_axis(frame.index) for at in (index, index + step))
        table |= {"oi": before, "oi_change": after - before, "oi_share": after / before - 1,
                  "oi_lost": (before - after).clip(lower=0), "turnover": frame["volume"] / before}  # fmt: skip
        table |= {"oi_day": before / before.shift(24) - 1}
    if market.funding_rate is not None:
        table["funding"] = sign * market.funding_rate["funding_rate"].reindex(frame.index, method="ffill")
    return table
