"""``python -m bench.recording``: what a recorder costs and loses under load, against four venues on loopback.

Every venue speaks its own stream's messages in a process of its own, with repeats, disorder and dropped connections;
one recorder listens to each, as ``liqlab record`` does. First a quiet stretch: processor time, and memory after the
first minute. Then recorders are killed with SIGKILL and started again, and what the store holds is compared with what
was sent. A benchmark, not a test: it always exits with 0.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd

from tests import stream_server as server

VENUES = ("binanceusdm", "bybit", "okx", "hyperliquid")
CLOCK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
SETTLE = 60.0  # the store is written to so often here, ten times as often as usual [s]


# --- processes --------------------------------------------------------------------------------------------------------


def serve(venue: str, options: dict[str, Any], port: Any, zero: Any, connections: Any) -> None:
    """A venue, until it is terminated; it has no candles to give for minutes that were missed."""
    server.StreamVenue._klines = lambda *_: iter(())  # type: ignore[method-assign]
    made = server.StreamVenue(venue, **options).start()
    port.value = made.port
    while True:
        time.sleep(0.05)
        connections.value = made.connections
        if made.zero and not zero.value:
            zero.value = time.time() - (time.monotonic() - made.zero)


def record(venue: str, store: str) -> None:
    """One recorder, as the command starts it, until SIGINT; then its counts, as JSON."""
    from liqlab.loaders.exchanges._instruments import Instrument
    from liqlab.loaders.recording import record as run
    from liqlab.loaders.recording import recorder as recording

    recording.SETTLE = SETTLE
    symbol = server.SYMBOL.get(venue, "BTC/USDT:USDT")
    if venue != "binanceusdm":  # the venue on loopback has Binance's REST alone
        item = Instrument(venue, symbol, server.CONTRACT[venue], contract_size=server.SIZE.get(venue, 1.0))
        recording.Questions.instruments = lambda *_: [item]  # type: ignore[method-assign]
    done = run([symbol], venue, store=store, depth=False, quiet=True, tell=lambda _: None)
    counts = {"messages": sum(c.messages for c in done.connections), "drops": sum(c.drops for c in done.connections),
              "unreadable": sum(c.unreadable for c in done.connections)}  # fmt: skip
    print(json.dumps(counts), flush=True)


def started(venue: str, store: Path, port: int, connections: Any) -> subprocess.Popen[str]:
    """A recorder that has connected."""
    before, limit = connections.value, time.monotonic() + 120
    names = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    url = f"http://127.0.0.1:{port}"
    more = {f"LIQLAB_{venue.upper()}_STREAM_URL": url, f"LIQLAB_{venue.upper()}_URL": url,
            "LIQLAB_HYPERLIQUID_USERS": server.USER}  # fmt: skip
    command = [sys.executable, "-m", "bench.recording", "--recorder", venue, str(store)]
    process = subprocess.Popen(
        command, env={**names, **more}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while connections.value == before and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.05)
    return process


def used(process: subprocess.Popen[str]) -> tuple[float, float]:
    """Processor time [s] and resident memory [MB] of a process."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    pages = Path(f"/proc/{process.pid}/statm").read_text().split()[1]
    return (int(fields[11]) + int(fields[12])) / CLOCK, int(pages) * PAGE / 2**20


# --- what is measured -------------------------------------------------------------------------------------------------


def quiet(processes: dict[str, subprocess.Popen[str]], minutes: float) -> None:
    """Processor and memory while nothing is killed; the first half minute is that of starting."""
    time.sleep(30)
    began, before = time.monotonic(), {venue: used(process) for venue, process in processes.items()}
    memory: dict[str, list[float]] = {venue: [] for venue in processes}
    while time.monotonic() - began < 60 * minutes:
        time.sleep(2)
        for venue, process in processes.items():
            memory[venue].append(used(process)[1])
    seconds = time.monotonic() - began
    shares = {venue: (used(process)[0] - before[venue][0]) / seconds for venue, process in processes.items()}
    for venue, seen in memory.items():
        later = seen[len(seen) // 4 :]
        print(f"{venue:<12} {shares[venue]:6.1%} of a core, memory {seen[0]:.0f} MB at first, after a quarter of the "
              f"time between {min(later):.0f} and {max(later):.0f} MB")  # fmt: skip
    print(f"{'all':<12} {sum(shares.values()):6.1%} of a core (aim: at most 50 %)")


def killed(processes: dict[str, subprocess.Popen[str]], store: Path, venues: dict[str, Any], kills: int,
           every: float) -> dict[str, list[float]]:  # fmt: skip
    """SIGKILL to one recorder after the other, each started again at once; the moments [s since 1970]."""
    at: dict[str, list[float]] = {venue: [] for venue in processes}
    for k in range(kills):
        venue = list(processes)[k % len(processes)]
        time.sleep(every)
        processes[venue].send_signal(signal.SIGKILL)
        at[venue].append(time.time())
        processes[venue].wait()
        processes[venue] = started(venue, store, venues[venue][0].value, venues[venue][2])
    time.sleep(3 * every)
    return at


def compared(venue: str, store: Path, begin: int, zero: float, rate: int, kills: list[float]) -> str:
    """What the store holds of a venue, beside what was sent."""
    from liqlab.loaders import store as shelf
    from liqlab.loaders.recording.settling import key_of

    symbol, seed = server.SYMBOL.get(venue, "BTC/USDT:USDT"), 5
    key = key_of(venue, symbol, "liquidation_events")
    seconds = int(time.time() - zero)
    start, end = pd.to_datetime([begin, begin + 1000 * seconds], unit="ms", utc=True)
    table = shelf.load(key, start, end, store=store)
    stamps = [int(stamp.timestamp() * 1000) for stamp in table.index.floor("ms")]
    have = list(zip(stamps, table["side"], table["price"], table["quantity"].round(8), strict=True))
    gaps = [tuple(int(edge.timestamp() * 1000) for edge in gap) for gap in shelf.missing(key, start, end, store=store)]
    sent = server.forced(begin, seed, seconds, rate)
    seen = {one for one in sent if not any(first <= one[0] < last for first, last in gaps)}
    venue_time = [begin + 1000 * (at - zero) for at in kills]
    behind = [(at - max((first for first, last in gaps if first <= at < last), default=at)) / 1000 for at in venue_time]
    # a second of that is the sender's own: it sends a second's messages at its end
    held = [one for one in sent for at in venue_time if at - 10_000 <= one[0] < at - 2_000]
    ok = bool(shelf.verify(store)["ok"].all())
    twice, invented = len(have) - len(set(have)), len(set(have) - set(sent))
    return (f"{venue:<12} {len(sent)} forced orders sent, {len(seen)} in what the store calls seen; of these "
            f"{len(seen - set(have))} missing; {twice} stored twice, {invented} never sent; {len(kills)} kills, "
            f"{sum(x > 0 for x in behind)} a gap in the store, begun up to {max(behind, default=0):.1f} s before the "
            f"kill; of {len(held)} sent 1 to 9 s before a kill {len(set(held) - set(have))} missing; "
            f"files whole: {ok}")  # fmt: skip


def main() -> None:
    """Venues, recorders, a quiet stretch, kills, and what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=2_000, help="trades a second, of all venues together")
    parser.add_argument("--minutes", type=float, default=3, help="quiet stretch")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--every", type=float, default=8, help="seconds between two kills")
    parser.add_argument("--venues", nargs="+", default=VENUES, choices=(*VENUES, "gate"), help="gate: through ccxt.pro")
    parser.add_argument("--recorder", nargs=2, metavar=("VENUE", "STORE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.recorder:
        return record(*given.recorder)
    rate, begin = given.rate // len(given.venues), int(time.time()) // 60 * 60_000
    options = {"rate": rate, "speed": 1.0, "begin": begin, "repeat": 0.02, "disorder": 0.02, "drop": (100.0, 170.0)}
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder)
        shared = {venue: (spawn.Value("i", 0), spawn.Value("d", 0.0), spawn.Value("i", 0)) for venue in given.venues}
        servers = [spawn.Process(target=serve, args=(venue, options, *each), daemon=True)
                   for venue, each in shared.items()]  # fmt: skip
        for each in servers:
            each.start()
        while not all(port.value for port, *_ in shared.values()):
            time.sleep(0.1)
        processes = {venue: started(venue, store, port.value, count) for venue, (port, _, count) in shared.items()}
        print(f"{rate} trades a second of each venue, repeats 2 %, disorder 2 %, two drops; store written every "
              f"{SETTLE:g} s")  # fmt: skip
        quiet(processes, given.minutes)
        kills = killed(processes, store, shared, given.kills, given.every)
        for venue, process in processes.items():
            process.send_signal(signal.SIGINT)
            said, errors = process.communicate(timeout=120)
            print(f"{venue:<12} last recorder: {said.strip() or errors.strip()[-300:]}")
        for venue in sorted(set(given.venues) - {"gate"}):  # ccxt tells no forced orders of it
            print(compared(venue, store, begin, shared[venue][1].value, rate, kills[venue]))
        for each in servers:
            each.terminate()
    return None


if __name__ == "__main__":
    main()
