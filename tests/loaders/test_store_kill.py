"""kill -9 at random moments: the store always verifies, and the next run completes it to the same bytes."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from liqlab.loaders import store
from tests.exchange_server import Exchange
from tests.store_writer import END, KEY, ORIGIN, START, candles, fetch, tree, write

KILLS = 100 if os.environ.get("LIQLAB_LONG") == "1" else 10
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")


def kill_and_check(
    folder: Path, whole: dict[str, bytes], run: Callable[..., None], given: tuple[Any, ...]
) -> dict[str, int]:
    """Start, kill, look; until `KILLS` kills have hit a run at work. A completed store is compared and begun anew.

    The kills are spread over the work: each comes when a drawn number of files is there, half of them at once, the
    others a moment later.
    """
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["tests.store_writer", "pyarrow.parquet", "filelock", "requests", "tqdm.auto",
                                      "ccxt", "tenacity", "liqlab.loaders._fetch",
                                      "liqlab.loaders.exchanges.binance"])  # fmt: skip

    def start() -> Any:
        """A run in a process of its own, at the moment when it begins its work."""
        ready = processes.Event()
        process = processes.Process(target=run, args=(folder, *given, ready))
        process.start()
        assert ready.wait(60)
        return process

    started = start()
    began = time.monotonic()
    started.join()
    takes = time.monotonic() - began  # [s]
    assert tree(folder) == whole
    shutil.rmtree(folder)
    draw, count = random.Random(5), dict.fromkeys(("kills", "rounds", "leftovers", "completed", "partial"), 0)
    while count["kills"] < KILLS:
        count["rounds"] += 1
        assert count["rounds"] < 8 * KILLS, f"too few kills hit a run at work: {count}"
        process = start()
        least = draw.randrange(len(whole))
        while process.is_alive() and len(tree(folder)) < least:
            time.sleep(0.001)
        time.sleep(draw.choice([0.0, draw.uniform(0, takes / len(whole))]))
        process.kill()  # SIGKILL; nothing happens to one that has finished
        process.join()
        count["kills"] += process.exitcode == -signal.SIGKILL
        found = store.verify(folder)
        assert found["ok"].all(), found["problem"].tolist()
        count["leftovers"] += int(found["note"].str.contains("leftover").sum())
        now = tree(folder)
        count["partial"] += bool(now) and now != whole
        if now == whole:
            count["completed"] += 1
            shutil.rmtree(folder)
    run(folder, *given)
    assert tree(folder) == whole
    assert not store.verify(folder)["note"].str.contains("leftover").any()
    assert count["partial"] >= KILLS // 3, count  # the moments were spread over the work
    return count


@pytest.mark.timeout(900)
def test_a_writer_killed_at_random_moments(tmp_path: Path) -> None:
    store.append(KEY, candles(), START, END, store=tmp_path / "whole", origin=ORIGIN)

    kill_and_check(tmp_path / "killed", tree(tmp_path / "whole"), write, (7,))


def test_what_a_killed_writer_left_is_exactly_what_it_says(tmp_path: Path) -> None:
    """The rows in the store are all rows of the ranges that it calls complete, and no others."""
    processes = multiprocessing.get_context("forkserver")
    ready = processes.Event()
    writer = processes.Process(target=write, args=(tmp_path, 3, ready))
    writer.start()
    assert ready.wait(60)
    while len(tree(tmp_path)) < 2 and writer.is_alive():
        time.sleep(0.001)
    writer.kill()
    writer.join()
    expected = candles()
    for start, end in store.missing(KEY, START, END, store=tmp_path):
        expected = expected[(expected.index < start) | (expected.index >= end)]
    known = store.load(KEY, START, END, store=tmp_path)
    assert len(known) > 0
    assert_frame_equal(known, expected[known.columns], check_exact=True)


@pytest.mark.timeout(900)
def test_a_fetch_killed_at_random_moments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = 30_000
    with Exchange(candles=rows, step="5m", weight=10**9) as server:
        monkeypatch.setenv("LIQLAB_BINANCEUSDM_URL", server.url)
        end = START + pd.Timedelta(5 * rows, "min")
        fetch(tmp_path / "whole", server.url, end)
        whole = tree(tmp_path / "whole")
        assert len(whole) == 2 * 4
        found = store.load(store.Key("binanceusdm", "BTC/USDT:USDT", "candles", "5m"), START, end,
                           store=tmp_path / "whole")  # fmt: skip
        assert_frame_equal(found, server.truth(), check_exact=True, check_freq=False)
        kill_and_check(tmp_path / "killed", whole, fetch, (server.url, end))
