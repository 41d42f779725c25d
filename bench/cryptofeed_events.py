"""``python -m bench.cryptofeed_events PYTHON``: the same messages of Binance through liqlab's recorder and cryptofeed.

PYTHON is an interpreter that has cryptofeed. Messages are those of the venue on loopback: trades with some forced
orders and mark prices. Both read them twice: from one local WebSocket server, each with its own client, as in use; and
as texts in memory, without a socket. liqlab decodes, parses, removes repeats and makes minutes of them; cryptofeed
decodes, parses and calls a function that counts. Processor time of the reading process, the best of five.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

TURNS, SECONDS, RATE = 5, 60, 2_000

THEIRS = """
import asyncio, json, sys, time
from importlib.metadata import version
from cryptofeed.defines import LIQUIDATIONS, TRADES, FUNDING
from cryptofeed.connection import WSAsyncConn
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
async def stream(one):
    link = WSAsyncConn("wss://x", "x", compression=None, max_queue=None, max_size=None)
    link.address, left, began = sys.argv[3], len(texts), 0.0
    async with link.connect() as link:
        async for text in link.read():
            began = began or time.process_time()
            await one.message_handler(text, link, link.last_message)
            left -= 1
            if not left:
                return time.process_time() - began
best = min(asyncio.run(turn(feed(nothing))) for _ in range(int(sys.argv[2])))
socket = min(asyncio.run(stream(feed(nothing))) for _ in range(int(sys.argv[2])))
asyncio.run(turn(feed(keep)))
assert counts[0] == len(texts) * (2 * int(sys.argv[2]) + 1) - len(kept), "an event did not come"
forced = {name: str(value) for name, value in kept[0].items() if name != "raw"}
print(json.dumps({"seconds": best, "socket": socket, "version": version("cryptofeed"), "forced": forced}))
"""


def texts() -> list[str]:
    """A minute of Binance's messages."""
    from tests import stream_server as server

    return [text for k in range(SECONDS) for _, text in server.messages("binanceusdm", 1_760_000_040_000, 5, k, RATE)]


def wrapped(line: str) -> str:
    """A message as cryptofeed's kind of subscription gets it: beside the stream's name."""
    names = {"aggTrade": "aggTrade", "forceOrder": "forceOrder", "markPriceUpdate": "markPrice@1s"}
    data = json.loads(line)
    return json.dumps({"stream": f"btcusdt@{names[data['e']]}", "data": data})


@contextlib.contextmanager
def served(lines: list[str]) -> Iterator[str]:
    """A server that sends all lines to whoever connects, as fast as they are taken; its address."""
    port = multiprocessing.get_context("fork").Value("i", 0)
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(lines, port), daemon=True)
    process.start()
    while not port.value:
        time.sleep(0.01)
    yield f"ws://127.0.0.1:{port.value}"
    process.kill()


def _serve(lines: list[str], port: Any) -> None:
    from aiohttp import web

    async def send(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        with contextlib.suppress(ConnectionError):
            for line in lines:
                await socket.send_str(line)
            await socket.receive()
        return socket

    async def run() -> None:
        app = web.Application()
        app.router.add_get("/{tail:.*}", send)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port.value = runner.addresses[0][1]
        await asyncio.Event().wait()

    asyncio.run(run())


def connection(keep: Callable[[Any], object]) -> Any:
    """liqlab's connection with one tape."""
    from liqlab.loaders.exchanges._instruments import Instrument
    from liqlab.loaders.recording.connection import Connection
    from liqlab.loaders.recording.tape import Tape
    from liqlab.loaders.streams import stream_of

    item = Instrument("binanceusdm", "BTC/USDT:USDT", "BTCUSDT")
    return Connection(stream_of("binanceusdm"), [item], {item.symbol: Tape(keep)}, lambda _: None)


def ours(lines: list[bytes]) -> tuple[float, list[Any]]:
    """Processor time of liqlab's connection and tape [s], and the forced orders that came out."""

    def turn() -> tuple[float, list[Any]]:
        kept: list[Any] = []
        one, memory = connection(kept.append), dict[Any, Any]()
        began = time.process_time()
        for line in lines:
            one.take(line, memory)
        for tape in one.tapes.values():
            tape.tick(one.seen)
        return time.process_time() - began, [entry for entry in kept if entry[0] == "l"]

    turns = [turn() for _ in range(TURNS)]
    return min(seconds for seconds, _ in turns), turns[0][1]


def ours_by_socket(url: str, count: int) -> float:
    """The same from a server, as `Connection.run` reads it [s]."""
    os.environ["LIQLAB_BINANCEUSDM_STREAM_URL"] = url

    async def turn() -> float:
        one = connection(lambda _: None)
        running, began = asyncio.ensure_future(one.run()), 0.0
        while one.messages < count:
            await asyncio.sleep(0.01)
            began = began or (one.messages and time.process_time())
        running.cancel()
        return time.process_time() - began

    return min(asyncio.run(turn()) for _ in range(TURNS))


def main() -> None:
    """Both, and the first forced order as each tells it."""
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_file():
        raise SystemExit("usage: python -m bench.cryptofeed_events PYTHON, an interpreter that has cryptofeed")
    lines = texts()
    with tempfile.TemporaryDirectory() as folder, served([wrapped(line) for line in lines]) as url:
        file, script = Path(folder) / "messages", Path(folder) / "theirs.py"
        file.write_text("\n".join(lines), encoding="utf-8")
        script.write_text(THEIRS, encoding="utf-8")
        done = subprocess.run([sys.argv[1], script, file, str(TURNS), url], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"cryptofeed did not run: {done.stderr.strip()[-500:]}")
    theirs = json.loads(done.stdout.splitlines()[-1])
    seconds, forced = ours([line.encode() for line in lines])
    with served(lines) as url:
        socket = ours_by_socket(url, len(lines))
    print(f"{len(lines):,} messages; events per second of processor time, from a socket and from memory:")
    print(f"liqlab                {len(lines) / socket:>10,.0f} {len(lines) / seconds:>10,.0f}")
    print(f"cryptofeed {theirs['version']:<10} {len(lines) / theirs['socket']:>10,.0f} "
          f"{len(lines) / theirs['seconds']:>10,.0f}")  # fmt: skip
    print(f"ratio                 {theirs['socket'] / socket:>10.2f} {theirs['seconds'] / seconds:>10.2f}  (aim: 1.5)")
    sent = next(json.loads(line) for line in lines if '"forceOrder"' in line)
    print(f"a forced order as sent: {sent}")
    print(f"liqlab (time, position's side, price, filled, average price, ordered): {forced[0][1:7]}")
    print(f"cryptofeed: {theirs['forced']}")


if __name__ == "__main__":
    main()
