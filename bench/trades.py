"""``python -m bench.trades [MILLIONS]``: a map from every trade: seconds from file to map, and memory beside the map.

Trades are drawn (seeded): a fair random walk of the price in ticks, takers who follow each other on one side with a
given probability, quantities from an exponential law. `0.8` is near what exchanges show, `0.5` (nobody follows anybody)
is the case in which the fewest trades join to runs. They lie in a parquet file as Binance's aggTrades name their
columns. Each measurement is one process of its own, in which a small map has compiled and warmed everything before.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

import liqlab as lq

BATCH, DAYS = 1_000_000, 30
START = 1_714_521_600_000  # 1 May 2024 [ms]


def write(file: Path, trades: int, follow: float) -> None:
    """Trades of thirty days."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng, price, buy, begin = np.random.default_rng(0), 600_000, True, 0
    writer = None
    while begin < trades:
        n = min(BATCH, trades - begin)
        turned = rng.random(n) >= follow
        sides = np.logical_xor.accumulate(np.concatenate([[buy], turned]))[1:]
        ticks = np.maximum(price + np.cumsum(rng.integers(-12, 13, n)), 200_000)
        stamps = START + (np.arange(begin, begin + n) * (DAYS * 86_400_000 / trades)).astype(np.int64)
        table = pa.table({
            "agg_trade_id": np.arange(begin, begin + n), "price": ticks / 10,
            "quantity": np.round(rng.exponential(0.05, n) + 0.001, 3), "transact_time": stamps,
            "is_buyer_maker": ~sides,
        })  # fmt: skip
        writer = writer or pq.ParquetWriter(file, table.schema)
        writer.write_table(table)
        price, buy, begin = int(ticks[-1]), bool(sides[-1]), begin + n
    if writer:
        writer.close()


def peak() -> float:
    """Largest memory of this process since `forget` [MB]."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1000


def forget() -> None:
    """Begin to count the peak anew."""
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")


def measure(file: Path, warm: Path) -> dict[str, float]:
    """Seconds and memory of one map."""
    options = {"symbol": "BTC/USDT:USDT", "exchange": "binanceusdm", "timeframe": "1m"}
    lq.heatmap(lq.read(trades=warm, **options))
    forget()
    before, cpu, begin = peak(), time.process_time(), time.perf_counter()
    market = lq.read(trades=file, **options)
    read = time.perf_counter() - begin
    heat = lq.heatmap(market)
    size = sum(variable.nbytes for variable in heat.variables.values()) / 1e6
    return {"read": read, "whole": time.perf_counter() - begin, "cpu": time.process_time() - cpu,
            "runs": len(market.trades), "map": size, "beside": peak() - before - size}  # type: ignore[arg-type]  # fmt: skip


def main(millions: float) -> None:
    """Print the table."""
    print(f"{'takers follow':>14}{'trades':>12}{'runs':>12}{'read s':>9}{'map s':>9}{'whole s':>9}{'CPU s':>9}"
          f"{'map MB':>9}{'beside it MB':>14}")  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        warm = Path(folder) / "warm.parquet"
        write(warm, 100_000, 0.8)
        for follow in (0.8, 0.5):
            file = Path(folder) / f"{follow}.parquet"
            write(file, int(millions * 1e6), follow)
            done = subprocess.run([sys.executable, "-m", "bench.trades", "--one", str(file), str(warm)], check=True,
                                  capture_output=True, text=True)  # fmt: skip
            got = json.loads(done.stdout)
            file.unlink()
            print(f"{follow:>14}{int(millions * 1e6):>12,}{got['runs']:>12,.0f}{got['read']:>9.2f}"
                  f"{got['whole'] - got['read']:>9.2f}{got['whole']:>9.2f}{got['cpu']:>9.2f}{got['map']:>9.1f}"
                  f"{got['beside']:>14.1f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measure(Path(sys.argv[2]), Path(sys.argv[3]))))
    else:
        main(float(sys.argv[1]) if sys.argv[1:] else 50)
