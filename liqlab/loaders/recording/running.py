"""Running recorders from a terminal: signals that end them cleanly, one line that says how it goes."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from liqlab.loaders.recording.recorder import Recorder

__all__ = ["record", "status"]

EVERY = 60.0  # a line so often where no terminal rewrites it [s]


def record(
    symbols: Sequence[str],
    exchange: str,
    *,
    store: Any = None,
    depth: bool = True,
    quiet: bool = False,
    seconds: float | None = None,
    tell: Callable[[str], object] | None = None,
) -> Recorder:
    """Record until SIGINT or SIGTERM (or for some seconds); then everything is in the store.

    Parameters
    ----------
    symbols : list of str
        ``BTC/USDT:USDT``, ccxt's spelling.
    exchange : str
        One of those that `liqlab.loaders.streams.channels` lists.
    store : path, optional
        Folder of the store.
    depth : bool
        Order books once a minute, summed up by distance.
    quiet : bool
        No status line.
    seconds : float, optional
        Stop after so long.
    tell : callable, optional
        Takes sentences; default: the terminal's error stream.

    Returns
    -------
    Recorder
        For its counts.
    """
    return asyncio.run(_record(list(symbols), exchange, store, depth, quiet, seconds, tell or _to_stderr))


async def _record(
    symbols: list[str], exchange: str, store: Any, depth: bool, quiet: bool, seconds: float | None,
    tell: Callable[[str], object],
) -> Recorder:  # fmt: skip
    recorder = Recorder(symbols, exchange, store=store, tell=tell, depth=depth)
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):
            loop.add_signal_handler(name, recorder.stop)
    if seconds is not None:
        loop.call_later(seconds, recorder.stop)
    line = asyncio.ensure_future(_line(recorder)) if not quiet else None
    try:
        await recorder.run()
    finally:
        if line is not None:
            line.cancel()
    return recorder


def _to_stderr(text: str) -> None:
    print(("\r\033[K" if sys.stderr.isatty() else "") + text, file=sys.stderr, flush=True)


async def _line(recorder: Recorder) -> None:
    """The status, rewritten every second on a terminal, else once a minute."""
    lively = sys.stderr.isatty()
    before, at = 0, time.monotonic()
    while True:
        await asyncio.sleep(1.0 if lively else EVERY)
        now, messages = time.monotonic(), sum(c.messages for c in recorder.connections)
        text = status(recorder, (messages - before) / max(now - at, 1e-9))
        before, at = messages, now
        print(f"\r\033[K{text}" if lively else text, end="" if lively else "\n", file=sys.stderr, flush=True)


def status(recorder: Recorder, rate: float) -> str:
    """How it goes, in one line: what runs, messages a second, forced orders, drops, age of the newest message."""
    running = [c for c in recorder.connections if c.open]
    forced = sum(tape.forced for tape in recorder.tapes.values())
    drops = sum(c.drops for c in recorder.connections)
    age = max((recorder.now() - c.seen) / 1000 for c in running) if running else float("nan")
    state = f"newest {max(age, 0):.1f} s old" if running else "NO STREAM"
    quiet = [tape_of for tape_of, tape in recorder.tapes.items() if running and _stale(recorder, tape.newest)]
    lost = f", nothing of {', '.join(quiet)} for ten minutes: still listed?" if quiet else ""
    return (f"{recorder.exchange}: {len(recorder.tapes)} symbol(s), {rate:,.0f} messages/s, {forced:,} forced orders, "
            f"{drops} drop(s), {recorder.refilled} minute(s) refilled, {state}{lost}")  # fmt: skip


def _stale(recorder: Recorder, newest: int) -> bool:
    return newest > 0 and recorder.now() - newest > 600_000
