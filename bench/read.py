"""``python -m bench.read``: what `lq.read` costs over pandas' own reader, a year of minutes, in the same run.

Both read the same file in turns; the best of several is compared. The aim is 1.5 times the C engine for text, and for
parquet 1.5 times the reader plus the checks, whose own time is printed beside it.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from liqlab.loaders import read
from liqlab.market.market import check_candles

MINUTES, TURNS = 365 * 24 * 60, 9


def candles(n: int = MINUTES) -> pd.DataFrame:
    """Candles of 1m as an archive writes them: prices to a tenth, volumes to a thousandth."""
    rng = np.random.default_rng(0)
    price = np.round(60_000 * np.exp(np.cumsum(rng.normal(0, 5e-4, n + 1))), 1)
    first, close = price[:-1], price[1:]
    columns = {"open": first, "high": np.round(np.maximum(first, close) * 1.0005, 1),
               "low": np.round(np.minimum(first, close) * 0.9995, 1), "close": close,
               "volume": np.round(rng.uniform(1, 100, n), 3)}  # fmt: skip
    return pd.DataFrame(columns, pd.date_range("2024-01-01", periods=n, freq="1min", tz="UTC", name="time"))


def klines(table: pd.DataFrame) -> pd.DataFrame:
    """The twelve columns of Binance's archive."""
    opens = table.index.as_unit("ms").asi8  # type: ignore[attr-defined]
    mean = (table["open"] + table["close"]) / 2
    whole = table.assign(close_time=opens + 59_999, quote_volume=(table["volume"] * mean).round(4), count=500,
                         taker_buy_volume=(table["volume"] / 2).round(3),
                         taker_buy_quote_volume=(table["volume"] * mean / 2).round(4), ignore=0)  # fmt: skip
    return whole.set_axis(pd.Index(opens, name="open_time")).reset_index()


def files(folder: Path) -> dict[str, Path]:
    """One market, written in the ways that differ in cost."""
    table = candles()
    epoch = table.set_axis(pd.Index(table.index.as_unit("ms").asi8, name="time"))  # type: ignore[attr-defined]
    made = {"csv, epoch": folder / "epoch.csv", "csv, ISO": folder / "iso.csv", "csv, klines": folder / "klines.csv",
            "parquet": folder / "own.parquet", "parquet, klines": folder / "klines.parquet"}  # fmt: skip
    epoch.to_csv(made["csv, epoch"])
    table.to_csv(made["csv, ISO"])
    klines(table).to_csv(made["csv, klines"], index=False)
    table.to_parquet(made["parquet"])
    klines(table).to_parquet(made["parquet, klines"])
    return made


def seconds(function: Callable[[], Any]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main() -> None:
    """Print seconds and ratios."""
    warnings.simplefilter("ignore")
    load = os.getloadavg()[0]
    print(
        f"lq.read of {MINUTES:,} rows, best of {TURNS} turns; load of the machine {load:.1f} on {os.cpu_count()} cores"
    )
    with tempfile.TemporaryDirectory() as folder:
        for name, file in files(Path(folder)).items():
            plain = partial(pd.read_csv if file.suffix == ".csv" else pd.read_parquet, file)
            ours = partial(read, file)
            table = ours().candles
            turns = [(seconds(plain), seconds(ours), seconds(partial(check_candles, table))) for _ in range(TURNS)]
            a, b, c = (min(column) for column in zip(*turns, strict=True))
            print(f"  {name:<18} pandas {a:.3f} s   lq.read {b:.3f} s   ratio {b / a:.2f}   checks {c:.3f} s"
                  f"   without them {(b - c) / a:.2f}")  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:]:
        raise SystemExit(print(__doc__))
    main()
