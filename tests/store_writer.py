"""A market to store, and a process that stores it page by page until it is killed."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from liqlab.loaders import store

KEY = store.Key("binanceusdm", "BTC/USDT:USDT", "candles", "15m")
START, END = pd.Timestamp("2024-01-01", tz="UTC"), pd.Timestamp("2024-05-01", tz="UTC")
ORIGIN = {"source": "test"}


def candles(start: Any = START, end: Any = END, step: str = "15min") -> pd.DataFrame:
    """The same stamp has the same values, whatever the range."""
    index = pd.date_range(start, end, freq=step, inclusive="left", unit="us", name="time")
    index.freq = None
    hours = index.as_unit("ns").asi8 / 3.6e12
    close, open_ = 60_000 + 1_000 * np.sin(hours / 17), 60_000 + 1_000 * np.sin((hours - 0.25) / 17)
    table = {"open": open_, "high": np.maximum(open_, close) + 7, "low": np.minimum(open_, close) - 7, "close": close,
             "volume": 10 + 5 * np.cos(hours), "trades": np.round(50 + 20 * np.cos(hours))}  # fmt: skip
    return pd.DataFrame(table, index=index)


def write(folder: Path, seed: int, ready: Any = None) -> None:
    """Store what is missing, in pages of random length; this is what gets killed."""
    draw = random.Random(seed)
    whole = candles()
    if ready is not None:
        ready.set()
    for start, end in store.missing(KEY, START, END, store=folder):
        at = start
        while at < end:
            until = min(end, at + pd.Timedelta(15 * draw.randint(50, 1500), "min"))
            page = whole[(whole.index >= at) & (whole.index < until)]
            store.append(KEY, page, at, until, store=folder, origin=ORIGIN)
            at = until


def tree(folder: Path) -> dict[str, bytes]:
    """Every published file of a store."""
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in sorted(folder.rglob("*.parquet"))}


def fetch(folder: Path, url: str, end: pd.Timestamp, ready: Any = None) -> None:
    """A real fetch of 5m candles and mark candles from an exchange at this address; gets killed as well."""
    import os

    import liqlab as lq

    os.environ["LIQLAB_BINANCEUSDM_URL"] = url  # a forked server of processes has an older environment
    if ready is not None:
        ready.set()
    lq.fetch("BTC/USDT:USDT", timeframe="5m", start=START, end=end, kinds=["candles", "mark_candles"], store=folder,
             progress=False)  # fmt: skip


def fetch_by_command(url: str, symbol: str, start: str, **options: Any) -> None:
    """``liqlab fetch`` from an exchange at this address."""
    import os

    from liqlab import cli

    os.environ["LIQLAB_BINANCEUSDM_URL"] = url
    cli.fetch(symbol, start, **options)
