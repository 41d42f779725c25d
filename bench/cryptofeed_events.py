"""``python -m bench.cryptofeed_events PYTHON``: the same messages of Binance through liqlab's recorder and cryptofeed.

PYTHON is an interpreter that has cryptofeed. Messages are those of the venue on loopback, trades with some forced
orders and mark prices, as texts in memory: the socket is left out on both sides. liqlab decodes, parses, removes
repeats and makes minutes of them; cryptofeed decodes, parses and calls a function that counts. Processor time, the
best of five.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

TURNS, SECONDS, RATE = 5, 60, 2_000

THEIRS = """
import asyncio, json, sys, time
from importlib.metadata import version
from cryptofeed.defines import LIQUIDATIONS, TRADES, FUNDING
from cryptofeed.exchanges import BinanceFutures
from cryptofeed.symbols import Symbols

Symbols.set("BINANCE_FUTURES", {"BTC-USDT-PERP": "BTCUSDT"}, {"instrument_type": {"BTC-USDT-PERP": "perpetual"}})
kept, counts = [], [0]
async def nothing(event, receipt): counts[0] += 1
async def keep(event, receipt): kept.append(event.to_dict())
names = {"aggTrade": "aggTrade", "forceOrder": "forceOrder", "markPriceUpdate": "markPrice@1s"}
texts = [line for line in open(sys.argv[1])]
texts = [json.dumps({"stream": "btcusdt@" + names[json.loads(t)["e"]], "data": json.loads(t)}) for t in texts]
def feed(call):
    return BinanceFutures(symbols=["BTC-USDT-PERP"], channels=[TRADES, LIQUIDATIONS, FUNDING],
                          callbacks={TRADES: nothing, LIQUIDATIONS: call, FUNDING: nothing})
async def turn(one):
    began = time.process_time()
    for text in texts:
        await one.message_handler(text, None, 0.0)
    return time.process_time() - began
best = min(asyncio.run(turn(feed(nothing))) for _ in range(int(sys.argv[2])))
asyncio.run(turn(feed(keep)))
assert counts[0] == len(texts) * (int(sys.argv[2]) + 1) - len(kept), "an event did not come"
forced = {name: str(value) for name, value in kept[0].items() if name != "raw"}
print(json.dumps({"seconds": best, "version": version("cryptofeed"), "forced": forced}))
"""


def texts() -> list[str]:
    """A minute of Binance's messages."""
    from tests import stream_server as server

    return [text for k in range(SECONDS) for _, text in server.messages("binanceusdm", 1_760_000_040_000, 5, k, RATE)]


def ours(lines: list[str]) -> tuple[float, list[Any]]:
    """Processor time of liqlab's connection and tape [s], and the forced orders that came out."""
    from liqlab.loaders.exchanges._instruments import Instrument
    from liqlab.loaders.recording.connection import Connection
    from liqlab.loaders.recording.tape import Tape
    from liqlab.loaders.streams import stream_of

    async def turn() -> tuple[float, list[Any]]:
        kept: list[Any] = []
        item = Instrument("binanceusdm", "BTC/USDT:USDT", "BTCUSDT")
        tape = Tape(kept.append)
        one = Connection(stream_of("binanceusdm"), [item], {item.symbol: tape}, lambda _: None)
        memory: dict[Any, Any] = {}
        began = time.process_time()
        for line in lines:
            await one._take(line, memory, None)
        tape.tick(one.seen)
        return time.process_time() - began, [entry for entry in kept if entry[0] == "l"]

    turns = [asyncio.run(turn()) for _ in range(TURNS)]
    return min(seconds for seconds, _ in turns), turns[0][1]


def main() -> None:
    """Both, and the first forced order as each tells it."""
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m bench.cryptofeed_events PYTHON, an interpreter that has cryptofeed")
    lines = texts()
    with tempfile.TemporaryDirectory() as folder:
        file, script = Path(folder) / "messages", Path(folder) / "theirs.py"
        file.write_text("\n".join(lines), encoding="utf-8")
        script.write_text(THEIRS, encoding="utf-8")
        done = subprocess.run([sys.argv[1], script, file, str(TURNS)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"cryptofeed did not run: {done.stderr.strip()[-500:]}")
    theirs = json.loads(done.stdout.splitlines()[-1])
    seconds, forced = ours(lines)
    print(f"{len(lines):,} messages; events per second of processor time:")
    print(f"liqlab                {len(lines) / seconds:>10,.0f}")
    print(f"cryptofeed {theirs['version']:<10} {len(lines) / theirs['seconds']:>10,.0f}")
    print(f"ratio                 {theirs['seconds'] / seconds:>10.2f}  (aim: at least 1.5)")
    sent = next(json.loads(line) for line in lines if '"forceOrder"' in line)
    print(f"a forced order as sent: {sent}")
    print(f"liqlab (time, position's side, price, filled, average price, ordered): {forced[0][1:7]}")
    print(f"cryptofeed: {theirs['forced']}")


if __name__ == "__main__":
    main()
