"""How often the last price reaches, within an hour, what the mark price does not: ten days of June 2026 by the minute.

``python -m research.mark_last --raw FOLDER`` writes ``data/mark_last.csv``. The mark was polled once a minute, so its
own extremes between polls are not known, while those of the last price are. Closes of the same minutes are the last
price seen no more often than the mark: what they reach and the mark does not is no matter of looking more often.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from research.true_positions import COINS, read_raw

DATA = Path(__file__).resolve().parents[1] / "data"
DISTANCES = (0.001, 0.0025, 0.005, 0.01)
FEWEST = 55  # minutes of an hour in which both prices are known
DRAWS = 1_000
WHERE = "Hyperliquid BTC, ETH, SOL, 11 to 21 June 2026, hours, both sides; low, high: 90 %, drawing days"


def reached(raw: Path, coin: str) -> pd.DataFrame:
    """How far, in shares of its open, each hour went against a side: by extremes, closes and polled marks."""
    candles = read_raw(raw, f"hyperliquid_{coin}_candles_1m_2026-06-11_2026-06-22.parquet")
    context = read_raw(raw, f"hyperliquid_{coin}_context_1m_2026-06-11_2026-06-22.parquet")
    both = candles.join(context["mark"].groupby(context.index.floor("min")).last(), how="inner")
    hours = both.groupby(both.index.floor("h"))
    kept = hours.size() >= FEWEST
    start = hours["open"].first()
    down = {"extreme": hours["low"].min(), "close": hours["close"].min(), "mark": hours["mark"].min()}
    up = {"extreme": hours["high"].max(), "close": hours["close"].max(), "mark": hours["mark"].max()}
    away = [{k: 1 - v / start for k, v in down.items()}, {k: v / start - 1 for k, v in up.items()}]
    return pd.concat([pd.DataFrame(side)[kept] for side in away])


def rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """By distance: hours reached by the last price beyond those reached by the mark."""
    _, day = np.unique(table.index.normalize(), return_inverse=True)
    rng, days = np.random.default_rng(0), day.max() + 1
    drawn = np.column_stack([np.ones(days), rng.multinomial(days, np.full(days, 1 / days), size=DRAWS).T])
    found = []
    for distance in DISTANCES:
        counts = {k: np.bincount(day, table[k] >= distance, days) @ drawn for k in table}
        for what, how in (("extreme", "by its extremes"), ("close", "by closes of the same minutes")):
            share = counts[what] / counts["mark"] - 1
            low, high = np.quantile(share[1:], [0.05, 0.95])
            on = f"{WHERE}; {counts['mark'][0]:.0f} reached by the mark"
            name = f"hours reached more, {distance:.2%}, {how}"
            found.append({"name": name, "value": share[0], "on": on, "low": low, "high": high})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--raw", type=Path, required=True, help="the folder of raw figures, with manifest.csv")
    raw = parser.parse_args().raw
    table = pd.DataFrame(rows(pd.concat([reached(raw, coin) for coin in COINS])))
    for name in ("value", "low", "high"):
        table[name] = [f"{x:.4g}" for x in table[name]]
    table.to_csv(DATA / "mark_last.csv", index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
