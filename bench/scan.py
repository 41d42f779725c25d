"""``python -m bench.scan``: many synthetic markets of a year of 1m candles, by one worker and by two, and their memory.

Each market is a parquet file of candles and one of open interest. With ``--dask`` the two workers are processes of a
Dask scheduler on loopback. Among the markets stand three broken ones, and of the first pool a worker is killed once.
A benchmark, not a test: it always exits with 0.
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import liqlab as lq


def write(folder: Path, seed: int, days: int) -> dict[str, str]:
    """A random walk with day-long swings of volatility, and open interest every 5 minutes."""
    rng = np.random.default_rng(seed)
    n = days * 1440
    index = pd.date_range("2024-01-01", periods=n, freq="1min", tz="UTC", name="time")
    move = rng.normal(0, 5e-4, n) * np.exp(0.5 * np.sin(np.arange(n) / 229))
    close = 10.0 ** rng.uniform(-1, 4.5) * np.exp(np.cumsum(move))
    opened = np.append(close[:1], close[:-1])
    reach = np.abs(rng.normal(0, 3e-4, (2, n)))
    candles = pd.DataFrame({
        "open": opened, "high": np.maximum(opened, close) * (1 + reach[0]),
        "low": np.minimum(opened, close) * (1 - reach[1]), "close": close, "volume": rng.gamma(2.0, 50.0, n),
    }, index=index)  # fmt: skip
    interest = pd.DataFrame({"open_interest": 1e5 * np.exp(np.cumsum(rng.normal(0, 2e-3, n // 5)))}, index=index[::5])
    files = {name: folder / f"{name}-{seed}.parquet" for name in ("candles", "open_interest")}
    candles.reset_index().to_parquet(files["candles"])
    interest.reset_index().to_parquet(files["open_interest"])
    return {**{name: str(file) for name, file in files.items()}, "symbol": "SYN/USDT:USDT", "exchange": "binanceusdm"}


def workers(word: str) -> list[int]:
    """Processes that this one, or a scheduler of its, has started."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            status = (entry / "status").read_text() if entry.name.isdigit() else ""
            if f"PPid:\t{os.getpid()}\n" in status and word in (entry / "cmdline").read_text():
                found.append(int(entry.name))
        except OSError:  # it has ended meanwhile
            continue
    return found


@contextmanager
def watched(word: str, kill: bool = False) -> Any:
    """Peak of every worker's resident memory [MB]; on request one of them is killed once, after five seconds."""
    peak: dict[int, float] = {}
    stop, began, killed = threading.Event(), time.perf_counter(), not kill

    def look() -> None:
        nonlocal killed
        while not stop.wait(0.05):
            for pid in workers(word):
                try:
                    lines = Path(f"/proc/{pid}/status").read_text().split("\n")
                except OSError:
                    continue
                high = [int(line.split()[1]) / 1000 for line in lines if line.startswith("VmHWM")]
                peak[pid] = max(peak.get(pid, 0.0), *high, 0.0)
            if not killed and time.perf_counter() - began > 5 and (pids := workers(word)):
                os.kill(pids[0], signal.SIGKILL)
                killed = True

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()


def measure(
    title: str, given: dict[str, Any], word: str = "liqlab.app.worker", kill: bool = False, **how: Any
) -> float:
    """Scan, tell, and give the seconds."""
    with watched(word, kill) as peak:
        began = time.perf_counter()
        found = lq.scan(given, progress=False, **how)
        took = time.perf_counter() - began
    tried = int(found.table["notes"].astype(str).str.contains("tried again").sum()) if len(found.table) else 0
    most, load = max(peak.values(), default=0), os.getloadavg()[0]
    print(f"{title:<34}{took:8.1f} s  {len(found.table):>4} rows  {len(found.failed)} failed  {tried} tried again  "
          f"peak per worker {most:6.0f} MB  load {load:.1f}", flush=True)  # fmt: skip
    for name, reason in found.failed["reason"].items():
        print(f"    {name}: {reason[:100]}")
    return took


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--markets", type=int, default=200)
    ask.add_argument("--files", type=int, default=20, help="different ones; each is scanned under several names")
    ask.add_argument("--days", type=int, default=365)
    ask.add_argument("--dask", action="store_true")
    chosen = ask.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = [write(folder, seed, chosen.days) for seed in range(min(chosen.files, chosen.markets))]
        given: dict[str, Any] = {f"m{k:03d}": files[k % len(files)] for k in range(chosen.markets)}
        (folder / "bad.csv").write_text("time,open\n1,2\n")
        broken = {"no columns": str(folder / "bad.csv"), "no file": str(folder / "none.csv"), "no name": "no-such-case"}
        measure("one market, to begin with", {"m": files[0]}, workers=1)
        measure("one market", {"m": files[0]}, workers=1)
        one = measure(f"{chosen.markets} markets, 1 worker", given, workers=1)
        two = measure(f"{chosen.markets} markets, 2 workers", given, workers=2)
        print(f"two workers: {one / two:.2f} times one")
        few = dict(list(given.items())[: max(chosen.markets // 5, 4)])
        measure("3 broken, a worker killed", {**few, **broken}, workers=2, kill=True)
        if chosen.dask:
            os.environ["LIQLAB_THREADS"] = "1"  # as workers of the local pool have it
            from distributed import LocalCluster

            took = []
            for count in (1, 2):
                with LocalCluster(n_workers=count, threads_per_worker=1, host="127.0.0.1", dashboard_address=None,
                                  memory_limit=0) as cluster:  # fmt: skip
                    title = f"{chosen.markets} markets, Dask, {count} worker(s)"
                    took.append(measure(title, given, "spawn_main", scheduler=cluster.scheduler_address))
            print(f"two Dask workers: {took[0] / took[1]:.2f} times one")


if __name__ == "__main__":
    main()
