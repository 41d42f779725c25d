"""``make bench``: how fast the ledger and the maps are on this machine, as ratios to numpy's running sum.

One run prints everything. Absolute seconds say little about a program and much about the machine, so each time is
divided by that of ``np.cumsum`` on as many cells, measured in between: (a) along time over the map itself, in the
Dataset's order (time, price, side); (b) along whatever axis is fastest.
One thread, but two in the default call; the best of several repetitions. A benchmark, not a test: it always exits
with 0.
"""

from __future__ import annotations

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"  # read when the libraries are loaded

import time

BEGUN = time.perf_counter()

import gc
import platform
import resource
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import liqlab as lq

YEAR, REPEAT = 365 * 24 * 60, 5  # candles, turns
LAW = dict.fromkeys((2, 3, 5, 10, 20, 25, 50, 75, 100, 125), 1.0)
PRICES, TIMES = 1_000, 2_000
PARTS = ("heatmap", "run_ledger")
AIM = 5.0  # times the floor
# label: model, minutes between two stamps of open interest (0: none), options of the map
CASES: dict[str, tuple[str, int, dict[str, Any]]] = {
    "volume": ("volume", 0, {}),
    "volume, 7d lookback": ("volume", 0, {"lookback": "7d"}),
    "decay": ("decay", 0, {}),
    "open_interest, in proportion": ("open_interest", 0, {"closing": "proportional"}),
    "open_interest, none known": ("open_interest", 0, {}),
    "open_interest, 1m": ("open_interest", 1, {}),
    "open_interest, 1h": ("open_interest", 60, {}),
    "open_interest, 1h, 7d lookback": ("open_interest", 60, {"lookback": "7d"}),
    "open_interest, 1h, by leverage": ("open_interest", 60, {"by_leverage": True}),
}


# --- what is measured -------------------------------------------------------------------------------------------------


def walk(n: int, seed: int = 0) -> pd.DataFrame:
    """Candles of 1m: a geometric walk as volatile per minute as BTC in the example btc-2025-10."""
    real = lq.load_example("btc-2025-10")
    minutes = real.step / pd.Timedelta("1min")
    sigma = np.log(real.candles["close"]).diff().std() / np.sqrt(minutes)
    rng = np.random.default_rng(seed)
    close = real.candles["close"].iloc[-1] * np.exp(np.cumsum(rng.normal(0, sigma, n)))
    first = np.concatenate([close[:1], close[:-1]])
    beyond = np.exp(np.abs(rng.normal(0, sigma / 2, (2, n))))
    volume = real.candles["volume"].mean() / minutes * rng.lognormal(-0.5, 1.0, n)
    columns = {
        "open": first, "high": np.maximum(first, close) * beyond[0], "low": np.minimum(first, close) / beyond[1],
        "close": close, "volume": volume, "taker_buy_volume": volume * rng.uniform(0.3, 0.7, n),
    }  # fmt: skip
    return pd.DataFrame(columns, index=pd.date_range("2020-01-01", periods=n, freq="1min", tz="UTC"))


def market(candles: pd.DataFrame, every: int) -> lq.Market:
    """With open interest every so many minutes: half a day's volume, wandering by 3 % a day."""
    table = None
    if every:
        index = candles.index[::every]
        wander = np.random.default_rng(1).normal(0, 0.03 * np.sqrt(every / 1440), len(index))
        size = 720 * float(candles["volume"].mean())
        table = pd.DataFrame({"open_interest": size * np.exp(np.cumsum(wander))}, index=index)
    return lq.Market(candles, open_interest=table, symbol="BTC/USDT:USDT", exchange="binanceusdm", timeframe="1m")


def frame_of(candles: pd.DataFrame) -> dict[str, Any]:
    """Options of `heatmap` that make 1000 prices × 2000 times (or one less) of the whole."""
    low, high = 0.65 * candles["low"].min(), 1.45 * candles["high"].max()
    step = (high - low) / (PRICES - 1)
    first = np.floor(low / step)
    column = pd.Timedelta(minutes=-(-len(candles) // TIMES))
    return {"price_range": (first * step, (first + PRICES) * step), "price_step": step, "time_step": column, "law": LAW}


def bare(whole: lq.Market, model: str | None, options: dict[str, Any]) -> Callable[[], Any]:
    """The ledger alone, on the very steps and columns of the map: what is left of a call if its steps are written."""
    from liqlab.engine import ledger, shared_run

    taken: dict[str, Any] = {}

    def spy(*args: Any, **kwargs: Any) -> Any:
        taken.update(args=args, kwargs=kwargs)
        return ledger.run_ledger(*args, **kwargs)

    shared_run.run_ledger, kept = spy, shared_run.run_ledger
    try:
        lq.heatmap(whole, model, **options)
    finally:
        shared_run.run_ledger = kept
    return lambda: ledger.run_ledger(*taken["args"], **taken["kwargs"])


def seconds(function: Callable[[], Any]) -> float:
    gc.collect()
    start = time.perf_counter()
    kept = function()
    end = time.perf_counter()
    del kept
    return end - start


def floors(notional: np.ndarray) -> dict[str, Callable[[], Any]]:
    """(a) along time over the map; (b) candidates for the fastest running sum over as many cells."""
    cells = np.ascontiguousarray(notional)
    flat, wide = cells.reshape(-1), cells.reshape(len(cells), -1)
    return {
        "a": lambda: np.cumsum(cells, axis=0),
        "b flat": lambda: np.cumsum(flat),
        "b across": lambda: np.cumsum(wide, axis=1),
        "b along": lambda: np.cumsum(wide, axis=0),
    }


def measure(label: str, candles: pd.DataFrame) -> dict[str, float]:
    """Best seconds of the whole call, of the bare ledger, and of the floors, taken in turns."""
    model, every, options = CASES[label]
    whole, options = market(candles, every), {**frame_of(candles), **options}
    notional = lq.heatmap(whole, model, **options)["notional"].to_numpy()
    runs = {"heatmap": lambda: lq.heatmap(whole, model, **options), "run_ledger": bare(whole, model, options)}
    runs |= floors(notional)
    best = dict.fromkeys(runs, np.inf)
    for _ in range(REPEAT):
        for name, function in runs.items():
            best[name] = min(best[name], seconds(function))
    return {**best, "b": min(x for name, x in best.items() if name.startswith("b ")), "cells": float(notional.size)}


# --- the tables -------------------------------------------------------------------------------------------------------


def times(candles: pd.DataFrame) -> None:
    print(f"\none year of 1m candles, {len(LAW)} leverages × 2 sides, best of {REPEAT}, interleaved with the floors")
    print("(a) np.cumsum(notional, axis=time) in the Dataset's order   (b) fastest np.cumsum over as many cells")
    print("PASS or over: at most 5 times the floor, whole call / bare ledger")
    parts = "".join(f"  {part:>8} {'÷(a)':>6} {'÷(b)':>6}" for part in PARTS)
    print(f"{'':<32}{'cells':>6}{'(a)':>8}{'(b)':>8}{parts}  {'≤ 5×(a)':<10} ≤ 5×(b)")
    for label in CASES:
        x = measure(label, candles)
        parts = "".join(f"  {x[part]:>7.3f}s {x[part] / x['a']:>6.2f} {x[part] / x['b']:>6.2f}" for part in PARTS)
        said = ["/".join("PASS" if x[part] <= AIM * x[floor] else "over" for part in PARTS) for floor in "ab"]
        print(f"{label:<32}{x['cells'] / 1e6:>5.1f}M{x['a']:>7.3f}s{x['b']:>7.3f}s{parts}  {said[0]:<10} {said[1]}",
              flush=True)  # fmt: skip


def default_call(candles: pd.DataFrame) -> None:
    """The map as a user types it, every option left alone, on a year that stays and one that rises sixfold."""
    print(f"\nlq.heatmap(market), the default call, best of {REPEAT}: CPU seconds, seconds, and those of (a)")
    rise = np.exp(np.linspace(0.0, np.log(6.0), len(candles)))
    for words, factor in (("narrow", 1.0), ("wide", rise)):
        whole = candles.assign(**{name: candles[name] * factor for name in ("open", "high", "low", "close")})
        for kind, every in (("no open interest", 0), ("open interest 1h", 60)):
            traded = market(whole, every)
            cells = np.ascontiguousarray(lq.heatmap(traded)["notional"].to_numpy())
            call, floor = partial(lq.heatmap, traded), partial(np.cumsum, cells, axis=0)
            rows = [(*both(call), seconds(floor)) for _ in range(REPEAT)]
            cpu, wall, least = np.min(rows, axis=0)
            shape = " × ".join(f"{n:,}" for n in cells.shape)
            print(f"{words + ', ' + kind:<32}{shape:>16}  {cpu:.3f}s {wall:.3f}s  ÷(a) {cpu / least:.1f}", flush=True)


def both(function: Callable[[], Any]) -> tuple[float, float]:
    """Seconds of the processors, and seconds."""
    start = time.process_time()
    wall = seconds(function)
    return time.process_time() - start, wall


def growth(candles: pd.DataFrame) -> None:
    """Seconds of the whole call for 1 … 5 years; steady growth is 5 for five years, a map of no steps would be 1."""
    print("\ngrowth: seconds of heatmap for 1 … 5 years of 1m, 1000 × 2000 × 2 each, best of 3")
    for label in ("volume", "open_interest, 1m", "open_interest, 1h"):
        (model, every, _), best = CASES[label], []
        for year in range(1, 6):
            part = candles.iloc[: year * YEAR]
            call = partial(lq.heatmap, market(part, every), model, **frame_of(part))
            best.append(min(seconds(call) for _ in range(3)))
        print(f"{label:<32}{'  '.join(f'{x:.3f}s' for x in best)}   5y/1y {best[-1] / best[0]:.2f}", flush=True)


def reading(candles: pd.DataFrame) -> None:
    """Seconds to find every sweep of a year of 1m candles on its map, zones included; aim: under 5 s."""
    whole = market(candles, 60)
    heat = lq.heatmap(whole, law=LAW)
    best = min(seconds(lambda: lq.sweeps(whole, heat)) for _ in range(3))
    print(f"\nsweeps of one year of 1m, {heat.sizes['time']} columns, best of 3: {best:.2f}s "
          f"({'PASS' if best < 5 else 'over'}, aim 5 s)", flush=True)  # fmt: skip


def scoring() -> None:
    """Seconds to score four maps of 40 days of hours against what was observed, from 1,000 resamples of days."""
    whole = lq.load_example("btc-2024-07")
    maps = {f"{model}, {law}": lq.expected_liquidations(whole, model, law=law, unit="coins")
            for model in ("open_interest", "volume") for law in ("measured", "retail")}  # fmt: skip
    for words, baselines in (("two baselines", ["excursion × volume", "√excursion + log volume"]),
                             ("all baselines, the ceiling's trees included", True)):  # fmt: skip
        call = partial(lq.score, maps, whole.liquidations, market=whole, unit="coins", baselines=baselines)
        print(f"\nscore of four maps, {words}: {min(seconds(call) for _ in range(3)):.2f}s", flush=True)


def ages() -> None:
    """Seconds that the ages of zones add to finding them; aim: 0.3 of that and one run of the ledger."""
    from liqlab.engine import shared_run

    whole = lq.load_example("btc-2024-05")
    heat = lq.heatmap(whole, price_step=10.0)

    def anew(function: Callable[[], Any]) -> float:
        shared_run._RUNS.clear()
        return seconds(function)

    print(f"\nages of zones, a year of 15m, {heat.sizes['time']} columns; each turn: zones, run, zones and ages anew")
    for width in (0.003, 0.0006):
        find = partial(lq.clusters, heat, width=width)
        turns = [(seconds(find), anew(partial(lq.expected_liquidations, whole)), anew(partial(find, market=whole)))
                 for _ in range(2 * REPEAT)]  # fmt: skip
        plain, run, aged = (min(turn) for turn in zip(*turns, strict=True))
        print(f"width {width:g}, {len(find())} zones: {plain:.3f}s, run {run:.3f}s, with ages {aged:.3f}s "
              f"({'PASS' if aged <= 1.3 * plain + run else 'over'})", flush=True)  # fmt: skip


def carried(candles: pd.DataFrame) -> None:
    """Milliseconds to carry a live map on by one bar, picture included; aim: under 1 ms."""
    whole = market(candles.iloc[: 60 * 1440], 60)
    for label, law in (("10 classes", LAW), ("law measured", "measured")):
        ledger = lq.live(whole, law=law)
        bars = candles.iloc[60 * 1440 : 60 * 1440 + 500].to_dict("records")
        took = [seconds(partial(ledger.update, bar)) for bar in bars]
        print(
            f"\none bar more on a live map, {label}, {ledger.notional.shape[1]} bins: median "
            f"{1e3 * np.median(took):.2f} ms ({'PASS' if np.median(took) < 1e-3 else 'over'}, aim 1 ms)",
            flush=True,
        )


def zones() -> None:
    """Seconds to find the zones of every column of a map of 2000 × 1000 × 2; aim: under 1 s."""
    import xarray as xr

    from liqlab.zones import every_cluster

    rng, edges = np.random.default_rng(2), np.linspace(40_000.0, 90_000.0, PRICES + 1)
    price, close = (edges[1:] + edges[:-1]) / 2, np.full(TIMES, 60_000.0)
    even = rng.exponential(1.0, (TIMES, PRICES)) * (1 + np.sin(np.log(price) / 0.01))
    amount = np.stack([even * (price < 60_000), even * (price > 60_000)]).transpose(1, 2, 0)
    time = pd.date_range("2024-01-01", periods=TIMES, freq="1h").as_unit("ns").to_numpy()
    ohlc = dict.fromkeys(("open", "high", "low", "close"), ("time", close))
    coords = {"time": time, "price": price, "side": ["long", "short"], "price_edge": ("price_edge", edges),
              "close_time": ("time", time + np.timedelta64(1, "h"))}  # fmt: skip
    heat = xr.Dataset({"notional": (("time", "price", "side"), amount), **ohlc}, coords=coords)
    found = len(every_cluster(heat))
    best = min(seconds(lambda: every_cluster(heat)) for _ in range(3))
    print(f"\nzones of every column of {TIMES} × {PRICES} × 2, {found / TIMES:.1f} a column, best of 3: {best:.2f}s "
          f"({'PASS' if best < 1 else 'over'}, aim 1 s)", flush=True)  # fmt: skip


def memory() -> None:
    print("\npeak additional memory of one call, in a process of its own (the map itself included)")
    for label in CASES:
        size, peak = child("peak", label).split()
        print(f"{label:<32}map {float(size):>7.0f} MB   peak {float(peak):>7.0f} MB", flush=True)


def start() -> None:
    with tempfile.TemporaryDirectory() as folder:
        cold, warm = (child("first", cache=folder).split() for _ in range(2))
    print("\nfirst small map of a process, imports included (of which the call itself)")
    for words, (whole, call) in (("compiled anew", cold), ("compiled before, from the cache", warm)):
        print(f"{words:<32}{float(whole):>6.2f}s ({float(call):.2f}s)")


def child(*arguments: str, cache: str | None = None) -> str:
    environment = {**os.environ, **({"NUMBA_CACHE_DIR": cache} if cache else {})}
    command = [sys.executable, "-W", "ignore", "-m", "bench", *arguments]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


# --- inside a child -------------------------------------------------------------------------------------------------


def peak(label: str) -> None:
    """Print the size of a case's map and how far its making drove the peak of a forked process [MB]."""
    model, every, options = CASES[label]
    candles = walk(YEAR)
    whole, options = market(candles, every), {**frame_of(candles), **options}
    few = candles.iloc[:2_000]
    lq.heatmap(market(few, every), model, **{**frame_of(few), **CASES[label][2]})  # compile
    gc.collect()
    sys.stdout.flush()
    if os.fork() == 0:  # a fork's peak begins at what it holds, not at what building the market took
        unit = 1e6 if sys.platform == "darwin" else 1e3
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        heat = lq.heatmap(whole, model, **options)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / unit
        print(heat["notional"].nbytes / 1e6, grown, flush=True)
        os._exit(0)
    os.wait()


def first() -> None:
    """Print the seconds since the imports began, and those of a first small map."""
    whole = lq.load_example("btc-2024-05")
    call = seconds(lambda: lq.heatmap(whole, start="2024-05-01", end="2024-05-02"))
    print(time.perf_counter() - BEGUN, call)


def machine() -> None:
    import numba
    import xarray as xr

    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            cpu = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        cpu = platform.processor() or "unknown processor"
    print(f"{cpu}, {os.cpu_count()} cores, {platform.system()}; Python {platform.python_version()}, liqlab "
          f"{lq.__version__}, numpy {np.__version__}, numba {numba.__version__}, pandas {pd.__version__}, xarray "
          f"{xr.__version__}; one thread")  # fmt: skip


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    own = {"peak": peak, "first": first}  # in processes of their own, which this one starts
    if sys.argv[1:] and sys.argv[1] in own:
        own[sys.argv[1]](*sys.argv[2:])
    elif sys.argv[1:]:
        others = sorted(file.stem for file in Path(__file__).parent.glob("[a-z]*.py"))
        print(f"{__doc__}\nIt takes no arguments. Others: python -m bench.NAME, of {', '.join(others)}.")
        sys.exit(0 if {"-h", "--help"} & {*sys.argv[1:]} else 2)
    else:
        machine()
        years = walk(5 * YEAR)
        default_call(years.iloc[:YEAR])
        times(years.iloc[:YEAR])
        reading(years.iloc[:YEAR])
        scoring()
        carried(years)
        zones()
        ages()
        start()
        memory()
        growth(years)
