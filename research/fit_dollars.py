"""Fit what turns a dollar of the default map into a published one, on one half of the days; score it on the other.

``python -m research.fit_dollars --raw FOLDER`` writes ``data/dollars.csv``: by side the link of hours and the one
number for maps, and how both do on days that did not fit them. The raw folder is needed for the second test, single
forced orders of December 2024.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize

import liqlab as lq
from liqlab.validation._dollars import link
from research.true_positions import ORDERS, PAUSE, read_raw

DATA = Path(__file__).resolve().parents[1] / "data"
CASES = ("btc-2024-07", "eth-2024-07")
CANDLES = "binanceusdm_BTCUSDT_candles_15m_2024-10-15_2024-12-31.parquet"
SIDES = ("long", "short")
DRAWS, LEVEL = 1_000, 0.9
LOOKS = 20  # forms and poolings of the link whose second half was seen by hand before this script


def hours(case: str) -> pd.DataFrame:
    """Estimated and published dollars of every hour: columns (what, side)."""
    market = lq.load_example(case)
    seen = market.liquidations
    assert seen is not None
    made = lq.expected_liquidations(market, unit="quote").resample("1h").sum().reindex(seen.index)
    close = market.candles["close"].reindex(seen.index)
    return pd.concat({"estimated": made, "published": seen.mul(close, axis=0)}, axis=1)


def halves(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Days before and from the middle on."""
    middle = table.index[0].normalize() + (table.index[-1] - table.index[0]) / 2
    return table[table.index < middle], table[table.index >= middle]


def fit(estimated: np.ndarray, published: np.ndarray) -> tuple[float, float, float]:
    """Scale, exponent and offset of the link by the gamma quasi-likelihood: errors count in proportion."""

    def loss(p: np.ndarray) -> float:
        mean = link(estimated, *(np.exp(p[0]), p[1], np.exp(p[2])))
        return float(np.mean(published / mean + np.log(mean)))

    starts = [(np.log(0.1), b, np.log(u)) for b in (0.6, 0.9) for u in (1e3, 1e5)]
    how = {"maxiter": 4_000, "maxfev": 4_000}
    found = [minimize(loss, start, method="Nelder-Mead", options=how) for start in starts]
    best = min(found, key=lambda each: each.fun).x
    return float(np.exp(best[0])), float(best[1]), float(np.exp(best[2]))


def daily(table: pd.DataFrame, side: str) -> pd.DataFrame:
    """Sums of whole days [quote] of one side."""
    one = table.xs(side, axis=1, level=1)
    days = one.groupby(one.index.normalize())
    return days.sum()[days.size() == 24]


def factor_of(tables: list[pd.DataFrame], side: str) -> tuple[float, float, float]:
    """The median day's published ÷ estimated dollars, with an interval that draws days (of both assets together)."""
    ratios = pd.concat([d["published"] / d["estimated"] for d in (daily(t, side) for t in tables)], axis=1)
    ratios = ratios.replace(np.inf, np.nan)
    rng, values = np.random.default_rng(0), ratios.to_numpy()
    drawn = [np.nanmedian(values[rng.integers(0, len(values), len(values))]) for _ in range(DRAWS)]
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(np.nanmedian(values)), float(low), float(high)


def judged(expected: pd.Series, published: pd.Series) -> dict[str, float]:
    """Median daily ratio published ÷ expected, share of days within [1/3, 3], slope by decile of hours."""
    both = pd.DataFrame({"expected": expected, "published": published})
    days = both.groupby(both.index.normalize())
    ratio = (days.sum()[days.size() == 24]).pipe(lambda d: d["published"] / d["expected"])
    tenth = pd.qcut(both["expected"].rank(method="first"), 10, labels=False)
    mean = both.groupby(tenth).mean().pipe(lambda d: d[(d > 0).all(axis=1)])
    slope = np.polyfit(np.log(mean["expected"]), np.log(mean["published"]), 1)[0]
    return {"median": float(ratio.median()), "inside": float(ratio.between(0.33, 3).mean()), "slope": float(slope),
            "days": len(ratio)}  # fmt: skip


def december(raw: Path) -> pd.DataFrame:
    """Estimated and published dollars of the recorded hours of December 2024; there is no open interest."""
    orders = read_raw(raw, ORDERS)
    market = lq.Market(candles=read_raw(raw, CANDLES), symbol="BTC/USDT:USDT", exchange="binanceusdm", timeframe="15m")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = lq.expected_liquidations(market, unit="quote").resample("1h").sum()
    value = (orders["price"] * orders["quantity"]).to_numpy()
    amount = pd.pivot_table(orders.assign(value=value, hour=orders["time"].dt.floor("h")), index="hour", columns="side",
                            values="value", aggfunc="sum").fillna(0.0)  # fmt: skip
    parts = [g["time"] for _, g in orders.groupby((orders["time"].diff() > PAUSE).cumsum())]
    spans = [(t.min().ceil("h"), t.max().floor("h")) for t in parts]
    whole = [h for start, end in spans for h in pd.date_range(start, end, freq="h", inclusive="left")]
    index = pd.DatetimeIndex(whole)
    return pd.concat({"estimated": made.reindex(index), "published": amount.reindex(index).fillna(0.0)}, axis=1)


def rows(raw: Path) -> list[dict[str, Any]]:
    """All of the table."""
    tables = {case: hours(case) for case in CASES}
    first, second = ({case: halves(t)[k] for case, t in tables.items()} for k in (0, 1))
    late = december(raw)
    found = []
    for side in SIDES:
        z, y = (np.concatenate([t[what, side] for t in first.values()]) for what in ("estimated", "published"))
        scale, exponent, offset = fit(z, y)
        factor, low, high = factor_of(list(first.values()), side)
        row = {"truth": "binance-2024", "side": side, "scale": scale, "exponent": exponent, "offset": offset,
               "factor": factor, "low": low, "high": high}  # fmt: skip
        for case, table in second.items():
            made, seen = table["estimated", side], table["published", side]
            for how, expected in (("link", link(made, scale, exponent, offset)), ("factor", factor * made)):
                told = judged(expected, seen)
                row |= {f"{case[:3]}_{how}_{what}": told[what] for what in ("median", "inside", "slope")}
        made, seen = late["estimated", side], late["published", side]
        row |= {"december_hours": len(late), "december_link": seen.sum() / link(made, scale, exponent, offset).sum(),
                "december_factor": seen.sum() / (factor * made).sum()}  # fmt: skip
        found.append(row)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--raw", type=Path, required=True, help="the folder of raw figures, with manifest.csv")
    table = pd.DataFrame(rows(parser.parse_args().raw))
    for name in table.select_dtypes("number"):
        table[name] = [f"{x:.4g}" for x in table[name]]
    table.to_csv(DATA / "dollars.csv", index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
