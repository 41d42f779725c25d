"""``python -m tests.engine.kernels_run``: every kernel on small markets, and what came out, as JSON.

The markets are drawn as everywhere in the tests, the same ones in every process, so that a process with bounds checks
can be compared with one without.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, Phase, given, settings

import liqlab as lq
from liqlab import models
from liqlab.engine.jit import jit
from liqlab.engine.ledger import run_ledger
from liqlab.engine.records import Columns, Ladder, Steps
from liqlab.maps._live import load_live
from liqlab.market.market import Market
from liqlab.models.open_interest import COHORTS
from tests.markets import market, markets, steps_and_ladders

STEPS, MARKETS = 40, 2  # so many of each are drawn
settings.register_profile("same", derandomize=True, database=None, deadline=None, phases=[Phase.generate],
                          suppress_health_check=list(HealthCheck))  # fmt: skip
settings.load_profile("same")
VARIANTS: list[dict[str, Any]] = [
    *({"model": model} for model in models.names()),
    *({"closing": closing, "entries": entries} for closing in COHORTS for entries in models.ENTRIES),
    {"model": "volume", "entries": "ordered"}, {"law": {1: 0.5, 125: 0.5}},
    {"assumptions": lq.Assumptions.preset("fitted")},
]  # fmt: skip


class Digests:
    """What was computed, by the name of the function: one sha256 of every number in its order."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}

    def take(self, name: str, *values: Any) -> None:
        """Add arrays, tables and maps."""
        digest = self.found.setdefault(name, hashlib.sha256())
        for value in values:
            for array in _arrays(value):
                digest.update(str(array.shape).encode() + np.ascontiguousarray(array).tobytes())

    def refused(self, name: str, call: Callable[[], Any]) -> None:
        """Add what a call gives, or how it refuses."""
        try:
            self.take(name, call())
        except ValueError as error:
            self.found.setdefault(name, hashlib.sha256()).update(str(error).encode())


def _arrays(value: Any) -> Iterator[np.ndarray]:
    """The numbers of a value."""
    if isinstance(value, pd.DataFrame):
        yield from (value[name].to_numpy() for name in value.select_dtypes(["number", "bool"]))
    elif hasattr(value, "data_vars"):
        for name in value.data_vars:
            yield value[name].to_numpy()
    elif value is not None:
        yield np.asarray(value)


def run() -> dict[str, str]:
    """Every kernel on every small market."""
    digests = Digests()
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        settings(max_examples=STEPS)(given(steps_and_ladders())(lambda drawn: _ledgers(digests, *drawn)))()
        settings(max_examples=MARKETS)(given(markets(mark=True))(lambda drawn: _maps(digests, drawn, Path(folder))))()
        for each in edge_cases():
            _maps(digests, each, Path(folder))
        _rest(digests)
    return {name: digest.hexdigest() for name, digest in digests.found.items()}


def edge_cases() -> list[Market]:
    """One bar; nothing traded; a price that never moves; one that falls by a tenth and comes back."""
    flat = (100.0, 100.0, 100.0, 100.0, 5.0)
    deep = [(100.0, 100.5, 99.5, 100.0, 5.0), (100.0, 100.0, 90.0, 90.0, 900.0), (90.0, 100.0, 90.0, 100.0, 900.0)]
    return [market([flat]), market([(*flat[:4], 0.0)] * 6), market([flat] * 12), market(deep * 2)]


def _ledgers(digests: Digests, steps: Steps, ladder: Ladder) -> None:
    """In one piece, and carried on from every other step; with lookbacks, by leverage, settling rarely and always."""
    n, low, high = len(steps), int(steps.touch_low.min()) - 50, int(steps.touch_high.max()) + 50
    edges = np.exp(np.arange(low, high + 7, 7) * 5e-5)
    at, none = np.arange(n), np.zeros(n, np.int64)
    for alive in (none, np.maximum(at - 2, 0), at):
        for by_leverage in (False, True):
            columns = Columns(at, alive, edges, by_leverage)
            for every in (1, 1_000):
                record = run_ledger(steps, ladder, columns=columns, flows=True, settle_every=every)
                digests.take("run_ledger", record.notional, record.closed, record.liquidated, record.survival)
    for by_level in (False, True):
        state = None
        for cut in range(0, n, 2):
            some = Steps(*(part if part is None else part[..., cut : cut + 2] for part in _parts(steps)))
            record = run_ledger(some, ladder, flows=True, by_level=by_level, state=state)
            state = record.state
        digests.take("carried states", *(getattr(state, f.name) for f in fields(state)))


def _parts(steps: Steps) -> list[Any]:
    return [getattr(steps, f.name) for f in fields(steps)]


def _maps(digests: Digests, drawn: Market, folder: Path) -> None:
    """Everything that is made of a market, by every model and closing, with every kind of entries."""
    price = float(drawn.candles["close"].iloc[-1])
    shown = {"price_range": (0.7 * price, 1.4 * price), "price_step": 0.002 * price}
    for variant in VARIANTS:
        for by_leverage in (False, True):
            for lookback in (None, "45m"):
                heat = lq.heatmap(drawn, by_leverage=by_leverage, lookback=lookback, time_step=drawn.timeframe,
                                  **shown, **variant)  # fmt: skip
                digests.take("heatmap", heat)
        digests.take("every_cluster", lq.zones.every_cluster(heat))
        digests.refused("track", lambda heat=heat: lq.track(heat))
        for lookback in (None, "15m", "1h"):
            digests.take("expected_liquidations",
                         lq.expected_liquidations(drawn, unit="quote", lookback=lookback, **variant))  # fmt: skip
        digests.take("balance", lq.balance(drawn, by_leverage=True, **variant))
        digests.refused("levels", lambda options=variant: lq.levels(drawn, **options))
        digests.refused("explain", lambda options=variant: lq.explain(drawn, 0.97 * price, price_step=0.01 * price,
                                                                      **options))  # fmt: skip
        digests.refused("live", lambda options=variant: _live(drawn, folder, {**shown, **options}))


def _live(drawn: Market, folder: Path, options: dict[str, Any]) -> Any:
    """A live map of the first half, fed the second; saved and loaded in between."""
    candles = drawn.candles
    begin = candles.index[max(len(candles) // 2 - 1, 0)] + drawn.step
    ledger = lq.live(drawn.until(begin), **options)
    for number, (time, row) in enumerate(candles.loc[begin:].iterrows()):
        ledger.update(row.drop("taker_buy_volume", errors="ignore").to_dict(), time=time)
        if number % 2:
            ledger = load_live(ledger.save(folder / "live.npz"))
    return ledger.heatmap()


def _rest(digests: Digests) -> None:
    """Agents on their path, ranks under resamples, gaps between reports of the open interest."""
    simulated = lq.simulate(8, warmup=0.5, timeframe="1h", seed=3, positions_per_day=400, magnet=0.5)
    heat = lq.heatmap(simulated.market, "volume", time_step="4h")
    edges = np.linspace(0.5, 1.5, 41) * float(simulated.market.candles["close"].iloc[-1])
    digests.take(
        "simulate",
        simulated.market.candles,
        simulated.market.liquidations,
        heat,
        simulated.standing([simulated.market.start, simulated.market.end], edges),
    )
    digests.take("cumulative", lq.cumulative(heat), lq.max_pain(heat), lq.confluence({"one": heat, "two": heat}))
    estimated = lq.expected_liquidations(simulated.market, unit="coins")
    scores = lq.score(estimated, simulated.market.liquidations, market=simulated.market, resamples=20)
    digests.take("score", scores.table.drop(columns=["score", "side", "forecast"]))


def not_run() -> list[str]:
    """Compiled functions of liqlab that nobody has called so far, but for those that are put into their callers."""
    import sys

    from numba.core.dispatcher import Dispatcher

    kernels = {id(value): value for name, module in list(sys.modules.items()) if name.startswith("liqlab.")
               for value in vars(module).values() if isinstance(value, Dispatcher)}  # fmt: skip
    return sorted(f"{kernel.__module__}.{kernel.__name__}" for kernel in kernels.values()
                  if not kernel.signatures and kernel.targetoptions.get("inline") != "always")  # fmt: skip


@jit
def _beyond_nb(values: np.ndarray, at: int) -> float:
    return values[at]


def is_checked() -> bool:
    """Whether a compiled function refuses an index beyond its array."""
    try:
        _beyond_nb(np.zeros(3), 3)
    except IndexError:
        return True
    return False


if __name__ == "__main__":
    json.dump({"checked": is_checked(), "digests": run(), "not run": not_run()}, sys.stdout)
