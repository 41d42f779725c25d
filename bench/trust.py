"""``python -m bench.trust OTHER``: what verifying costs, beside another build of liqlab.

OTHER is a checkout of an older commit with an environment of its own in ``.venv`` (``make setup``). Both builds store a
year of 1m candles and save a live map with their own code, then read them back, alternately, each time in a process of
its own; medians of CPU time are compared. The limits are 1.15 (stored year) and 1.1 (live map).
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

TURNS = 5
LIMITS = {"a stored year of 1m candles": 1.15, "a saved live map": 1.1}
# Run by the interpreter of either build; names moved between them.
BODY = """
import importlib, json, sys, time
from pathlib import Path
import numpy as np, pandas as pd
import liqlab as lq

def first(*names):
    for name in names:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            pass
    raise SystemExit("no module of " + ", ".join(names))

store = first("liqlab.loaders.store", "liqlab.store")
folder, write = Path(sys.argv[1]), sys.argv[2] == "write"
n, start = 365 * 1440, pd.Timestamp("2024-01-01", tz="UTC")
key, end = store.Key("binanceusdm", "BTC/USDT:USDT", "candles", "1m"), start + pd.Timedelta("365D")
if write:
    rng = np.random.default_rng(0)
    price = 60_000 * np.exp(np.cumsum(rng.normal(0, 5e-4, n + 1)))
    index = pd.date_range(start, periods=n, freq="1min", unit="us", name="time")
    index.freq = None
    rows = pd.DataFrame({"open": price[:-1], "high": np.maximum(price[:-1], price[1:]) * 1.0005,
                         "low": np.minimum(price[:-1], price[1:]) * 0.9995, "close": price[1:],
                         "volume": rng.uniform(1, 100, n)}, index=index)
    store.append(key, rows, start, end, store=folder, origin={"source": "bench"})
    lq.live(lq.Market(symbol="BTC/USDT:USDT", exchange="binanceusdm", candles=rows[-40_000:])).save(folder / "live.npz")
    raise SystemExit
store.load(key, start, start + pd.Timedelta("1D"), store=folder)  # libraries are loaded
lq.load_live(folder / "live.npz")
took = []
for use in (lambda: store.load(key, start, end, store=folder), lambda: lq.load_live(folder / "live.npz")):
    best = float("inf")
    for _ in range(5):
        begun = time.process_time()
        use()
        best = min(best, time.process_time() - begun)
    took.append(best)
print(json.dumps(took))
"""


def run(build: Path, folder: Path, what: str) -> list[float]:
    """Write with a build, or read with it: CPU seconds of the stored year and of the live map, best of five."""
    command = [str(build / ".venv" / "bin" / "python"), "-W", "ignore", "-c", BODY, str(folder), what]
    done = subprocess.run(command, cwd=build, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{build}: {done.stderr[-2000:]}")
    return json.loads(done.stdout) if what == "read" else []


def main(other: Path) -> None:
    """Print the ratios."""
    builds = {"here": Path(__file__).parents[1], "other": other}
    with tempfile.TemporaryDirectory() as scratch:
        for name, build in builds.items():
            run(build, Path(scratch) / name, "write")
        turns = [
            {name: run(build, Path(scratch) / name, "read") for name, build in builds.items()} for _ in range(TURNS)
        ]
    for row, (what, limit) in enumerate(LIMITS.items()):
        here, there = (statistics.median(turn[name][row] for turn in turns) for name in builds)
        verdict = "PASS" if here / there <= limit else "over"
        print(f"{what:30} here {here:.4f} s, other {there:.4f} s: {here / there:.2f} ({verdict}, limit {limit})")


if __name__ == "__main__":
    if len(sys.argv) != 2 or not (Path(sys.argv[1]) / ".venv" / "bin" / "python").is_file():
        raise SystemExit("usage: python -m bench.trust OTHER, a checkout with its environment in .venv (make setup)")
    main(Path(sys.argv[1]).resolve())
