"""Shelf life: whether observations of later weeks still fit what the default map was chosen and scored by."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from liqlab.maps.tables import expected_liquidations
from liqlab.market.arguments import at_least, checked, within_0_and_1
from liqlab.market.clock import timedelta
from liqlab.market.market import Market
from liqlab.validation._dollars import published_liquidations
from liqlab.validation._kept import kept_results
from liqlab.validation._score import score

__all__ = ["shelf_life"]

FEWEST_DAYS = 5  # an interval of whole days from fewer means nothing
FAR = 3.0  # times too much or too little published on the median day
HOUR = pd.Timedelta("1h")


@checked()
def shelf_life(
    market: Market,
    *,
    every: str = "7d",
    truth: str = "binance-2024",
    resamples: int = 200,
    level: float = 0.9,
    seed: int = 0,
) -> pd.DataFrame:
    """Hold the default map against newly observed liquidations, stretch by stretch.

    Parameters
    ----------
    market : Market
        With `liquidations`: own recordings, or an example that has them.
    every : str
        Length of a stretch; five days or more.
    truth : str
        Whose dollars are expected: a name in `dollar_factors`.
    resamples, level, seed : int, float, int
        Of the day-block bootstrap.

    Returns
    -------
    DataFrame (start,)
        days; rank, low, high: rank correlation of estimated and observed hours, both sides in one ranking, with its
        interval; kept: the lowest end of the intervals that the map was published with; ratio: observed ÷ expected
        dollars on the median day; verdict: ``fits``; ``ranks worse``: the whole interval lies below `kept`;
        ``amounts off``: the ratio is outside 1/3 … 3; ``too few days``.

    Raises
    ------
    ValueError
        No observed liquidations, or stretches of less than five days.

    Notes
    -----
    Where it no longer fits: ``lq.heatmap(market, assumptions=lq.calibrate(market))`` fits the law again to the same
    observations. Five per cent of the stretches fail by chance at the default level.
    """
    at_least(2, resamples=resamples)
    within_0_and_1(level=level)
    if market.liquidations is None:
        raise ValueError("market has no liquidations; record some with liqlab record, or pass an example that has them")
    step = timedelta(every)
    if step < FEWEST_DAYS * pd.Timedelta("1D"):
        raise ValueError(f"every must be {FEWEST_DAYS} days or more, got {every!r}; shorter stretches have no interval")
    made = {unit: expected_liquidations(market, unit=unit) for unit in ("coins", "quote")}
    expected = published_liquidations(made["quote"], truth=truth)
    seen = market.liquidations[["long", "short"]]
    dollars = seen.mul(market.candles["close"].reindex(seen.index, method="ffill"), axis=0).resample(HOUR).sum()
    kept = kept_results("default")
    known = min(float(low) for low in kept["low"][kept.index == "rank correlation, both"])
    rows = {}
    for start in pd.date_range(seen.index[0], seen.index[-1], freq=step):
        part = seen[start : start + step - pd.Timedelta("1us")]
        days = len(pd.DatetimeIndex(part.index).normalize().unique())
        row = {"days": days, "rank": np.nan, "low": np.nan, "high": np.nan, "kept": known, "ratio": np.nan}
        if days >= FEWEST_DAYS:
            drawn: dict[str, Any] = {"resamples": resamples, "level": level, "seed": seed}
            result = score(made["coins"], part, unit="coins", step="1h", baselines=False, **drawn)
            board = result.of("spearman", "both").iloc[0]
            row |= {"rank": board["value"], "low": board["low"], "high": board["high"]}
            hours = pd.DatetimeIndex(dollars.index.intersection(expected.index))
            hours = hours[(hours >= start) & (hours < start + step)]
            both = [t.loc[hours].sum(axis=1).groupby(hours.normalize()).sum() for t in (dollars, expected)]
            row["ratio"] = float((both[0] / both[1]).median())
        rows[start] = row | {"verdict": _verdict(row)}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("start")


def _verdict(row: dict[str, float]) -> str:
    if row["days"] < FEWEST_DAYS:
        return "too few days"
    if row["high"] < row["kept"]:
        return "ranks worse"
    return "fits" if 1 / FAR <= row["ratio"] <= FAR else "amounts off"
