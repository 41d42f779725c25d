"""A true market, and the ways in which tools and venues write it down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

OHLC = ["open", "high", "low", "close"]
HOUR = 3_600_000


def market(n: int = 48, *, price: float = 60_000.0, start: str = "2024-05-01", step: str = "1h", seed: int = 1) -> Any:
    """open, high, low, close, volume [coins], quote_volume, trades: each bar opens where the one before closed."""
    rng = np.random.default_rng(seed)
    path = price * np.exp(np.cumsum(rng.normal(0, 2e-3, n + 1)))
    opens, close = path[:-1], path[1:]
    volume = rng.uniform(10, 900, n)
    low, high = np.minimum(opens, close) * 0.999, np.maximum(opens, close) * 1.001
    mean = low + (high - low) * rng.uniform(0.2, 0.8, n)
    columns = {"open": opens, "high": high, "low": low, "close": close, "volume": volume,
               "quote_volume": volume * mean, "trades": rng.integers(10, 999, n).astype(float)}  # fmt: skip
    return pd.DataFrame(columns, pd.date_range(start, periods=n, freq=step, tz="UTC", unit="us", name="time"))


def interest(table: Any, level: float = 80_000.0, seed: int = 2) -> Any:
    """Open interest [coins] at the opens of the bars: it moves by a part of what is traded."""
    rng = np.random.default_rng(seed)
    moves = table["volume"].to_numpy() * rng.uniform(-0.2, 0.2, len(table))
    return pd.DataFrame({"open_interest": level + np.cumsum(moves)}, index=table.index)


def ms(table: Any) -> list[int]:
    """Opens [ms]."""
    return table.index.as_unit("ms").asi8.tolist()


def step_ms(table: Any) -> int:
    return int(np.diff(ms(table)).min())


def rows(table: Any, *names: str, stamp: Callable[[int], Any] = int) -> list[list[Any]]:
    """Lists of a stamp and of columns, as text where venues write text."""
    columns = [table[name].tolist() for name in names]
    return [[stamp(t), *map(repr, values)] for t, *values in zip(ms(table), *columns, strict=True)]


def arranged(table: Any, order: str, **more: Any) -> list[list[Any]]:
    """Rows in a venue's order, oldest first: ``t o h l c v q n`` as in the layouts' own abbreviations."""
    names = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume", "q": "quote_volume", "n": "trades"}
    out = []
    for number, (t, row) in enumerate(zip(ms(table), table.to_dict("records"), strict=True)):
        line: list[Any] = []
        for mark in order.split():
            if mark in more:
                made = more[mark]
                line.append(made(t, row) if callable(made) else made[number])
            else:
                line.append(str(t) if mark == "t" else repr(row[names[mark]]))
        out.append(line)
    return out
