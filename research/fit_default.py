"""Fit the default map: every variant of a small grid, scored on observed liquidations and on simulated positions.

``python -m research.fit_default`` (20 minutes) writes ``research/fit_default.csv``, one row per variant that was looked
at, and ``data/default.csv``, what was chosen. Fitted on the first half of the observed days and on the simulations of
seed 0; scored, not chosen, on the second half and on other seeds.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import liqlab as lq
from liqlab.models._law import NAMED, lognormal_shares, spread_out
from liqlab.validation import _recovery
from liqlab.validation.score_functions import spearman

HERE = Path(__file__).resolve().parent
CASES = ("btc-2024-07", "eth-2024-07")
GRID = {
    "median": (0.12, 0.2, 0.3),
    "sigma": (0.8, 1.0, 1.2),
    "near": (0.0, 0.05, 0.1),
    "share_of_volume": (0.1, 0.2, 0.3),
    "closing": ("by_age", "mostly_short"),
}
OLD = {"law": "measured", "entries": "spread", "share_of_volume": 0.1, "closing": "by_age"}
CROSS, DAYS, MOMENTS, REACH = (0.0, 0.5, 0.95), 12, 5, 0.1
NEW_SEEDS = (11, 12)
BY_HAND = 163  # orders inside a bar, leverages one by one, shapes of the law, κ, closings: what made the grid; and
# afterwards shares of the law at named leverages, 0.2 to 1, on 10, 12 and 18 of them
MARGIN = 0.005
RULE = "excursion × volume"
CHOSEN_ON = "Binance BTC and ETH, 2024-06-19 to 2024-07-09, published liquidations; simulations of seed 0"


def observed_markets() -> dict[str, tuple[lq.Market, pd.DataFrame]]:
    """Hourly and 15m candles of both assets, with what was observed."""
    found = {}
    for case in CASES:
        hourly = lq.load_example(case)
        path = hourly.path
        assert path is not None
        assert hourly.liquidations is not None
        fine = replace(hourly, candles=path, path=None, timeframe="15m", taker=None)
        found[f"{case} 15m"] = fine, hourly.liquidations
        found[f"{case} 1h"] = replace(hourly, path=None), hourly.liquidations
    return found


def observed_scores(markets: dict[str, Any], options: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Rank correlation of the hours by market, half of the days, and side; both sides in one ranking as ``both``."""
    for name, (market, seen) in markets.items():
        made = lq.expected_liquidations(market, unit="coins", **options).resample("1h").sum().reindex(seen.index)
        middle = seen.index[0].normalize() + (seen.index[-1] - seen.index[0]) / 2
        for half, on in (("first", seen.index < middle), ("second", seen.index >= middle)):
            mine, true = made[on].to_numpy(), seen[on][["long", "short"]].to_numpy()
            yield f"{name} {half} long", spearman(mine[:, 0], true[:, 0])
            yield f"{name} {half} short", spearman(mine[:, 1], true[:, 1])
            yield f"{name} {half} both", spearman(mine.T.ravel(), true.T.ravel())


def simulated_scores(simulations: dict[str, Any], options: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Rank correlation of what stands within `REACH` of the price, by simulation."""
    _recovery.REACH = REACH
    for name, simulation in simulations.items():
        chosen = {key: value(simulation) if callable(value) else value for key, value in options.items()}
        yield name, float(np.mean(_recovery._score(simulation, chosen, MOMENTS, 0.5)))


def variants() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """What is told of a variant, and the options of the map."""
    for values in product(*GRID.values()):
        told = dict(zip(GRID, values, strict=True))
        yield told, options_of(told)
    yield {"median": "old default"}, OLD
    for law in ("measured", "retail", "uniform"):
        yield {"median": f"law {law}, ordered"}, {**OLD, "entries": "ordered", "law": law}
    yield {"median": "law known, ordered"}, {**OLD, "entries": "ordered", "law": _recovery._known}


def options_of(told: dict[str, Any], exact: float = 0.0) -> dict[str, Any]:
    """Options of the map for a row of the grid; `exact` of its law stands at the very leverages that are named."""
    share = lognormal_shares(float(told["median"]), float(told["sigma"]), float(told["near"]))
    law = spread_out("trial", share, share, "a trial of research/fit_default.py", exact)
    return {"law": law, "entries": "ordered", "share_of_volume": float(told["share_of_volume"]),
            "closing": told["closing"]}  # fmt: skip


def look(seeds: tuple[int, ...], which: Iterator[tuple[dict[str, Any], dict[str, Any]]]) -> pd.DataFrame:
    """One row per variant."""
    markets = observed_markets()
    simulations = {f"sim {seed} cross {c:g}": lq.simulate(DAYS, seed=seed, cross_share=c)
                   for seed, c in product(seeds, CROSS)}  # fmt: skip
    rows = []
    for told, options in which:
        known = not callable(options["law"])
        row = {**told, **(dict(observed_scores(markets, options)) if known else {})}
        rows.append(row | dict(simulated_scores(simulations, options)))
        print(len(rows), told, flush=True)
    return pd.DataFrame(rows)


def chosen(table: pd.DataFrame) -> tuple[pd.Series, pd.DataFrame]:
    """The variant, and all that observations cannot tell from the best: among them simulated positions decide.

    Observations: mean over the first half's rankings of both sides. Told from the best: by more than `MARGIN`.
    """
    grid = table[table["near"].notna()]
    seen = grid.filter(like="first both").mean(axis=1)
    near = grid[seen > seen.max() - MARGIN]
    return near.loc[near.filter(like="sim ").mean(axis=1).idxmax()], near


def held_out(options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Scores on the second half of the observed days, with intervals by day-blocks, beside the old default's and the
    rule's; and what the map liquidates per published coin in both halves."""
    for name, (market, seen) in observed_markets().items():
        first, second = (seen[on] for on in (slice(0, len(seen) // 2), slice(len(seen) // 2, None)))
        maps = {which: lq.expected_liquidations(market, unit="coins", **each)
                for which, each in (("map", options), ("before", OLD))}  # fmt: skip
        result = lq.score(maps, second, market=market, unit="coins", step="1h", baselines=[RULE], resamples=500)
        for side in ("long", "short", "both"):
            board = result.of("spearman", side)
            for forecast, what in (("map", "rank correlation"), ("before", "rank correlation of the old default"),
                                   (RULE, f"rank correlation of {RULE}")):  # fmt: skip
                value, low, high = board.loc[forecast, ["value", "low", "high"]]
                yield {
                    "name": f"{what}, {side}",
                    "value": value,
                    "low": low,
                    "high": high,
                    "on": f"{name}, second half",
                }
        for side in ("long", "short"):
            for half, part in (("first", first), ("second", second)):
                made = maps["map"][side].resample("1h").sum().reindex(part.index)
                days = part.index.normalize()
                daily = (made.groupby(days).sum() / part[side].groupby(days).sum()).replace(np.inf, np.nan)
                low, high = daily.quantile([0.05, 0.95])
                ratio, where = made.sum() / part[side].sum(), f"{name}, {half} half; low, high: 5 to 95 % of the days"
                yield {"name": f"estimated ÷ published coins, {side}", "value": ratio, "low": low, "high": high,
                       "on": where}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--raw", help="the folder of raw figures; not needed: all that is read is embedded")
    parser.add_argument(
        "--kept", action="store_true", help="choose from the kept fit_default.csv, look at nothing anew"
    )
    arguments = parser.parse_args()
    if not arguments.kept:
        look((0,), variants()).round(4).to_csv(HERE / "fit_default.csv", index=False)
    table = pd.read_csv(HERE / "fit_default.csv")
    best, near = chosen(table)
    rows: list[dict[str, Any]] = [
        {"name": "variants looked at", "value": len(table), "on": "research/fit_default.csv"},
        {"name": "variants looked at before, by hand", "value": BY_HAND, "on": "all days of the same markets"},
    ]
    for name in GRID:
        values = sorted(near[name].unique())
        rows.append({"name": name, "value": best[name], "low": values[0], "high": values[-1],
                     "on": f"{CHOSEN_ON}; low, high: of {len(near)} variants within {MARGIN} of the best"})  # fmt: skip
    rows.append({"name": "share at named leverages", "value": NAMED, "low": 0, "high": 1,
                 "on": "isolated × round leverages of true positions, not fitted: docs/default-map.md; low, high: what "
                       "the observations allow"})  # fmt: skip
    rows += held_out(options_of(best.to_dict(), NAMED))
    known = options_of(best.to_dict(), NAMED), {**OLD, "entries": "ordered", "law": _recovery._known}, OLD
    fresh = look(NEW_SEEDS, (({"median": k}, each) for k, each in enumerate(known))).filter(like="sim ")
    for what, row in zip(("map", "its agents' own law", "old default"), fresh.to_numpy(), strict=True):
        where = f"simulations of seeds {NEW_SEEDS}, cross {CROSS}; low, high: of the markets"
        rows.append({"name": f"rank correlation of what stands within {REACH:.0%}, {what}", "value": row.mean(),
                     "low": row.min(), "high": row.max(), "on": where})  # fmt: skip
    kept = pd.DataFrame(rows)
    for name in ("value", "low", "high"):
        kept[name] = ["" if x != x else f"{x:.4g}" if isinstance(x, float) else x for x in kept[name]]
    kept.to_csv(HERE.parent / "data" / "default.csv", index=False)


if __name__ == "__main__":
    main()
