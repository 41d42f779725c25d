"""Markets in which prices know nothing of positions: for tests that must not find anything."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from liqlab.market.market import Market
from tests.markets import tiers


def garch_walk(seed: int, *, days: int = 100, daily: float = 0.03, start: Any = "2024-01-01") -> Market:
    """Hourly candles of a driftless walk of twelve Student steps an hour, with GARCH(1, 1) volatility."""
    draw, hours, parts = np.random.default_rng(seed), 24 * days, 12
    shocks = draw.standard_t(5, (hours, parts)) / np.sqrt(5 / 3 * parts)
    variance, state = np.empty(hours), 1.0
    for k, shock in enumerate(shocks.sum(axis=1)):
        variance[k] = state
        state = 0.03 + 0.07 * state * shock * shock + 0.9 * state
    steps = daily / np.sqrt(24) * np.sqrt(variance)[:, None] * shocks
    after = np.log(100.0) + steps.ravel().cumsum().reshape(hours, parts)
    inside = np.column_stack([np.append(np.log(100.0), after[:-1, -1]), after])
    volume = 1e6 * np.sqrt(variance) * np.exp(0.5 * draw.standard_normal(hours))
    table = {"open": inside[:, 0], "high": inside.max(1), "low": inside.min(1), "close": inside[:, -1]}
    index = pd.date_range(start, periods=hours, freq="1h", tz="UTC", name="time")
    candles = np.exp(pd.DataFrame(table, index=index)).assign(volume=volume)
    return Market(candles, symbol="X/USDT:USDT", exchange="venue", timeframe="1h", leverage_tiers=tiers())
