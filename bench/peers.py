"""``python -m bench.peers``: other programs that make such a map, on the same candles, as ratios of time and memory.

Their sources are no part of this repository; each is run where an environment variable says where it lies:

- ``LIQMAP_SOURCE``: liqmap (TypeScript), the folder that holds ``src/engine/build.ts``; needs node and esbuild (on the
  path, or named by ``ESBUILD``);
- ``PY_LIQUIDATION_MAP_SOURCE``: py-liquidation-map, the folder that holds ``liqmap/mapping.py``.

The plain pandas loop is always run. Every measurement has a process of its own, imports and compiling done before it
begins; the least time of several, the peak of the memory above what the process held before. A benchmark, not a test.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import liqlab as lq
from bench.__main__ import bare, machine, market, seconds, walk

LAW = {10: 0.35, 25: 0.30, 50: 0.20, 100: 0.15}  # the four leverages that liqmap and py-liquidation-map know
BINS = 1_100  # price bins of liqmap
TURNS = 5
LIQMAP = """
import { readFileSync } from 'node:fs';
const { buildHeatmap } = await import(process.argv[1]);
const cells = new Float64Array(new Uint8Array(readFileSync(process.argv[2])).buffer);
const candles = [];
for (let i = 0; i < cells.length; i += 7) {
  const [start, open, high, low, close, volume, turnover] = cells.subarray(i, i + 7);
  candles.push({ start, open, high, low, close, volume, turnover });
}
const before = process.resourceUsage().maxRSS, begun = performance.now();
const map = buildHeatmap(candles, [], '5m');
const took = (performance.now() - begun) / 1e3;
const shape = [map.nCols, map.grid.nBuckets, map.tiers.length];
const peak = (process.resourceUsage().maxRSS - before) / 1e3;
console.log(JSON.stringify({ kernel: took, call: took, peak, shape }));
"""


class Cost(NamedTuple):
    """Seconds of the kernel and of the whole call, peak memory above that before [MB], cells of the map."""

    kernel: float
    call: float
    peak: float
    shape: tuple[int, ...]


# --- what each does with the candles ----------------------------------------------------------------------------------


def ours(number: int, every_candle: str) -> None:
    """The default call with four leverages, or with a column for every candle and liqmap's bins."""
    candles = walk(number)
    options: dict[str, Any] = {"law": LAW}
    if every_candle == "1":
        low, high = candles["low"].min() * (1 - 1 / min(LAW)), candles["high"].max() * (1 + 1 / min(LAW))
        step = (high - low) / (BINS - 1)
        first = np.floor(low / step)
        options |= {"price_range": (first * step, (first + BINS) * step), "price_step": step, "time_step": "1m"}
    whole = market(candles, 0)
    lq.heatmap(market(candles.iloc[:500], 0), law=LAW)  # compile
    shape, peak = _in_a_fork(lambda: lq.heatmap(whole, **options)["notional"].shape)
    kernel = bare(whole, None, options)
    turns = [(seconds(kernel), seconds(lambda: lq.heatmap(whole, **options))) for _ in range(TURNS)]
    least = np.min(turns, axis=0)
    _tell(least[0], least[1], peak, shape)


def plain_loop(number: int) -> None:
    """A table of the levels that stand: drop what a candle touches, append what it opens, count each price bin."""
    candles = walk(number)
    edges = np.linspace(candles["low"].min() * 0.9, candles["high"].max() * 1.1, BINS + 1)
    signs = {"long": -1, "short": 1}
    rows = [(side, 1 + sign / leverage, share / 2) for leverage, share in LAW.items() for side, sign in signs.items()]
    opened = pd.DataFrame(rows, columns=["side", "ratio", "share"])

    def loop() -> tuple[int, ...]:
        standing = pd.DataFrame({"side": [], "price": [], "notional": []})
        columns = []
        for _, bar in candles.iterrows():
            standing = standing[(standing["price"] < bar["low"]) | (standing["price"] > bar["high"])]
            amount = bar["volume"] * bar["close"] * opened["share"]
            new = pd.DataFrame({"side": opened["side"], "price": bar["close"] * opened["ratio"], "notional": amount})
            standing = pd.concat([standing, new], ignore_index=True)
            bins = pd.cut(standing["price"], edges, labels=False)
            columns.append(standing.groupby([bins, "side"])["notional"].sum())
        return pd.concat(columns, axis=1).shape

    shape, peak = _in_a_fork(loop)
    took = seconds(loop)
    _tell(took, took, peak, shape)


def py_liquidation_map(number: int, source: str) -> None:
    """Its two tables of levels are the kernel, its map from trades the call: a buy and a sell of every candle."""
    import types

    import matplotlib as mpl

    mpl.use("Agg")
    fetched = types.ModuleType("download")  # nothing is downloaded here
    fetched.BinanceAggTradesDownload = fetched.BybitAggTradesDownloader = None  # type: ignore[attr-defined]
    sys.modules["download"] = fetched
    sys.path.insert(0, str(Path(source).resolve() / "liqmap"))
    from mapping import HistoricalMapping  # type: ignore[import-not-found]

    candles = walk(number)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        _trades(candles)
        first, last = (time.strftime("%Y-%m-%d %H:%M:%S") for time in candles.index[[0, -1]])
        levels = HistoricalMapping("BTCUSDT", first, last, "binance")
        levels._download = lambda: None
        call = lambda: levels.liquidation_map_from_historical(threshold_gross_value=0)  # noqa: E731
        kernel = lambda: (levels._make_buy_dataframe(), levels._make_sell_dataframe())  # noqa: E731
        _, peak = _in_a_fork(call)
        _tell(min(seconds(kernel) for _ in range(TURNS)), seconds(call), peak, (len(LAW), number))
        os.chdir(tempfile.gettempdir())


def _trades(candles: pd.DataFrame) -> None:
    """The candles as Binance's files of trades, one a day: what takers bought and what they sold, at the close."""
    folder = Path("data/futures/um/daily/aggTrades/BTCUSDT")
    folder.mkdir(parents=True)
    stamp = candles.index.as_unit("ms").asi8  # type: ignore[attr-defined]
    both = []
    for sold in (False, True):
        bought = candles["taker_buy_volume"].to_numpy()
        size = candles["volume"].to_numpy() - bought if sold else bought
        both.append(pd.DataFrame({"agg_trade_id": 0, "price": candles["close"].to_numpy(), "quantity": size,
                                  "first_trade_id": 0, "last_trade_id": 0, "transact_time": stamp,
                                  "is_buyer_maker": sold}))  # fmt: skip
    trades = pd.concat(both).sort_values("transact_time")
    for day, part in trades.groupby(pd.to_datetime(trades["transact_time"], unit="ms").dt.strftime("%Y-%m-%d")):
        part.to_csv(folder / f"BTCUSDT-aggTrades-{day}.csv", index=False)


def liqmap(number: int, source: str) -> Cost:
    """Its `buildHeatmap`, bundled by esbuild, in node: every candle a column, every leverage a matrix."""
    candles = walk(number)
    rows = candles[["open", "high", "low", "close", "volume"]].to_numpy()
    stamp = candles.index.as_unit("ms").asi8  # type: ignore[attr-defined]
    cells = np.column_stack([stamp.astype(float), rows, rows[:, 3] * rows[:, 4]])
    with tempfile.TemporaryDirectory() as folder:
        bundle, file = Path(folder, "engine.mjs"), Path(folder, "candles.bin")
        file.write_bytes(np.ascontiguousarray(cells).tobytes())
        esbuild = os.environ.get("ESBUILD", "esbuild")
        entry = Path(source).resolve() / "src" / "engine" / "build.ts"
        subprocess.run([esbuild, str(entry), "--bundle", "--format=esm", f"--outfile={bundle}", "--log-level=error"],
                       check=True)  # fmt: skip
        command = ["node", "--input-type=module", "-e", LIQMAP, bundle.as_uri(), str(file)]
        told = [json.loads(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(TURNS)]
    least = [min(each[name] for each in told) for name in ("kernel", "call", "peak")]
    return Cost(*least, tuple(told[0]["shape"]))


# --- measuring --------------------------------------------------------------------------------------------------------


def _in_a_fork(function: Callable[[], Any]) -> tuple[Any, float]:
    """What it returns (as JSON), and how far it drove the peak of a forked process [MB]."""
    import resource

    receive, send = os.pipe()
    if os.fork() == 0:  # a fork's peak begins at what it holds
        unit = 1e6 if sys.platform == "darwin" else 1e3
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        told = function()
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / unit
        os.write(send, json.dumps([told, grown]).encode())
        os._exit(0)
    os.close(send)
    with os.fdopen(receive) as end:
        told, peak = json.loads(end.read())
    os.wait()
    return told, peak


def _tell(kernel: float, call: float, peak: float, shape: Any) -> None:
    print(json.dumps([kernel, call, peak, list(shape)]), flush=True)


def _child(*arguments: Any) -> Cost:
    command = [sys.executable, "-W", "ignore", "-m", "bench.peers", *map(str, arguments)]
    surroundings = {**os.environ, "PYTHONPATH": os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=surroundings)
    kernel, call, peak, shape = json.loads(done.stdout.splitlines()[-1])
    return Cost(kernel, call, peak, tuple(shape))


def _row(words: str, cost: Cost, least: Cost | None = None) -> None:
    shape = " × ".join(f"{n:,}" for n in cost.shape)
    line = f"{words:<34}{shape:>20}{cost.kernel:>10.3f}s{cost.call:>10.3f}s{cost.peak:>8.0f} MB"
    if least:
        line += (f"  ÷ ours: kernel {cost.kernel / least.kernel:,.0f}, call {cost.call / least.call:,.0f}, memory "
                 f"{cost.peak / max(least.peak, 1.0):,.1f}")  # fmt: skip
    print(line, flush=True)


def main() -> None:
    """Print the table."""
    machine()
    source = {name: os.environ.get(name) for name in ("LIQMAP_SOURCE", "PY_LIQUIDATION_MAP_SOURCE")}
    node = shutil.which("node")
    print(f"load {os.getloadavg()[0]:.1f}; four leverages; map, kernel, whole call, peak memory\n", flush=True)
    if source["LIQMAP_SOURCE"] and node:
        told = subprocess.run([node, "--version"], check=True, capture_output=True, text=True).stdout.strip()
        print(f"liqmap's engine in node {told}")
        for number, every in ((100_000, False), (20_000, True)):
            theirs, least = liqmap(number, source["LIQMAP_SOURCE"]), _child("ours", number, int(every))
            _row(f"liqmap, {number:,} candles", theirs, least)
            _row(f"liqlab, {'a column a candle' if every else 'default columns'}", least)
    else:
        print("liqmap: not run; it needs LIQMAP_SOURCE and node")
    if source["PY_LIQUIDATION_MAP_SOURCE"]:
        theirs = _child("py_liquidation_map", 1_000, source["PY_LIQUIDATION_MAP_SOURCE"])
        least = _child("ours", 1_000, 0)
        _row("py-liquidation-map, 1,000 candles", theirs, least)
        _row("liqlab", least)
    else:
        print("py-liquidation-map: not run; it needs PY_LIQUIDATION_MAP_SOURCE")
    theirs, least = _child("plain_loop", 1_000), _child("ours", 1_000, 1)
    _row("a plain pandas loop, 1,000 candles", theirs, least)
    _row("liqlab, a column a candle", least)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    if {"-h", "--help"} & {*sys.argv[1:]}:
        print(__doc__)
    elif sys.argv[1:]:
        what, number, *more = sys.argv[1:]
        {"ours": ours, "plain_loop": plain_loop, "py_liquidation_map": py_liquidation_map}[what](int(number), *more)
    else:
        main()
