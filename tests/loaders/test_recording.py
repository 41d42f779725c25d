"""Recording over real sockets from loopback venues: everything once, gaps told, nothing lost in a crash."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import liqlab as lq
from liqlab.loaders import http
from liqlab.loaders import store as shelf
from liqlab.loaders.exchanges._instruments import Instrument
from liqlab.loaders.recording import recorder as recording
from liqlab.loaders.recording.connection import Connection
from liqlab.loaders.recording.journal import Journal
from liqlab.loaders.recording.minutes import MINUTE, MarkMinutes, TradeMinutes
from liqlab.loaders.recording.recorder import Recorder
from liqlab.loaders.recording.running import status
from liqlab.loaders.recording.settling import key_of, settle
from liqlab.loaders.recording.tape import Tape
from liqlab.loaders.streams import stream_of
from liqlab.loaders.streams._rows import LONG, ForcedOrder, Funding, Interest, Trade
from tests import stream_server as server

LONG_RUN = os.environ.get("LIQLAB_LONG") == "1"
T0 = 1_760_000_040_000
PRICES = ["open", "high", "low", "close", "volume", "taker_buy_volume"]


def trade(ms: int, price: float = 100.0, quantity: float = 1.0, number: int = 0, **more: Any) -> Trade:
    return Trade(
        "X", T0 + ms, price, quantity, **({"buy": True, "key": number or ms, "first": number, "last": number} | more)
    )


# --- minutes -----------------------------------------------------------------------------------------


def test_a_minute_is_what_its_trades_say_in_whatever_order_they_come() -> None:
    minutes = TradeMinutes()
    for one in (
        trade(500, 101.0, 2.0),
        trade(100, 100.0, 0.1),
        trade(59_999, 99.0, 0.2, buy=False),
        trade(30_000, 103.0, 1),
    ):
        assert minutes.add(one)
    assert not minutes.add(trade(500, 101.0, 2.0)) and minutes.repeated == 1
    assert minutes.finish(T0 + MINUTE + 2_499, T0) == []
    [bar] = minutes.finish(T0 + MINUTE + 2_500, T0)
    assert bar.open_time == T0 and bar.whole
    assert bar.values[:5] == (100.0, 103.0, 99.0, 99.0, 3.3)
    assert bar.values[5:] == (round(202 + 10 + 19.8 + 103, 8), 4, 3.1, 315.0)
    assert not minutes.add(trade(1)) and minutes.late == 1


def test_a_number_that_does_not_come_makes_its_minutes_not_whole_and_one_that_comes_late_heals_them() -> None:
    for healed in (False, True):
        minutes = TradeMinutes()
        for number, ms in ((1, 1_000), (2, 2_000), (5, 59_000), (6, 61_000), (7, 121_000)):
            minutes.add(trade(ms, number=number))
        if healed:
            minutes.add(trade(30_000, number=4))
            minutes.add(trade(20_000, number=3))
        bars = minutes.finish(T0 + 3 * MINUTE + 5_000, T0)
        assert [bar.whole for bar in bars] == [healed, True, True]


def test_a_minute_without_trades_stands_at_the_last_price() -> None:
    minutes, marks = TradeMinutes(), MarkMinutes()
    minutes.add(trade(10, 100.0))
    marks.add(T0 + 10, 99.0)
    for kept in (minutes, marks):
        bars = kept.finish(T0 + 3 * MINUTE + 3_000, T0)
        assert [bar.open_time for bar in bars] == [T0, T0 + MINUTE, T0 + 2 * MINUTE]
        assert bars[2].values[:4] == (bars[0].values[3],) * 4 and bars[2].whole


def test_what_was_seen_only_in_part_is_not_whole() -> None:
    kept: list[Any] = []
    tape = Tape(kept.append)
    tape.begin(T0 + 30_000)
    for ms in range(30_000, 200_000, 500):
        tape.take(trade(ms))
        tape.tick(T0 + ms)
    tape.end(T0 + 200_000)
    tape.begin(T0 + 215_000)
    for ms in range(215_000, 400_000, 500):
        tape.take(trade(ms))
        tape.tick(T0 + ms)
    whole = {(entry[1] - T0) // MINUTE: entry[2] for entry in kept if entry[0] == "c"}
    assert whole == {0: False, 1: True, 2: True, 3: False, 4: True, 5: True}
    seen = [entry[1:] for entry in kept if entry[0] == "a"]
    assert (
        max(b for _, b in seen if b < T0 + 210_000) == T0 + 199_000
        and min(a for a, _ in seen if a > T0 + 200_000) == T0 + 215_000
    )


def test_the_rate_that_was_told_last_is_the_one_that_is_kept() -> None:
    kept: list[Any] = []
    tape = Tape(kept.append)
    for ms, rate, due in ((0, 1e-4, 60_000), (59_000, 2e-4, 60_000), (61_000, 3e-4, 28_860_000)):
        tape.take(Funding("X", T0 + ms, rate, T0 + due))
    assert kept == [("f", T0 + 60_000, 2e-4, 8.0)]
    tape.take(Interest("X", T0 + 1_000, 5.0))
    tape.take(Interest("X", T0 + 50_000, 6.0))
    tape.take(Interest("X", T0 + 61_000, 7.0))
    assert kept[1] == ("o", T0 + 50_000, 6.0)


# --- journal -----------------------------------------------------------------------------------------


def test_a_torn_line_is_left_out_and_written_over(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    for k in range(3):
        journal.append(("l", k, 1.5, float("nan")))
    journal.flush()
    journal.close()
    with (tmp_path / "journal").open("ab") as file:
        file.write(b'0000abcd ["l",9')
    again = Journal(tmp_path / "journal")
    assert [entry[1] for entry in again.entries] == [0, 1, 2]
    again.append(("l", 3))
    again.flush()
    again.close()
    assert [entry[1] for entry in Journal(tmp_path / "journal").entries] == [0, 1, 2, 3]


def test_a_full_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that stops half-way, twice: the next one writes all of it."""
    journal, real, full = Journal(tmp_path / "journal"), os.write, [True]

    def write(handle: int, data: Any) -> int:
        if full[0]:
            real(handle, bytes(data)[:7])
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(handle, data)

    monkeypatch.setattr(os, "write", write)
    for k in range(2):
        journal.append(("o", k))
        with pytest.raises(OSError, match="the disk is full: free space"):
            journal.flush()
    full[0] = False
    journal.append(("o", 2))
    journal.flush()
    assert journal.waiting == 0
    assert [entry[1] for entry in Journal(tmp_path / "journal").entries] == [0, 1, 2]


# --- into the store ----------------------------------------------------------------------------------


def entries() -> list[Any]:
    kept: list[Any] = []
    tape = Tape(kept.append)
    tape.begin(T0)
    for ms in range(0, 4 * MINUTE, 250):
        tape.take(trade(ms, 100.0 + ms % 7, number=ms // 250 + 1))
        if ms % 1000 == 0:
            tape.take(Interest("X", T0 + ms, 1000.0 + ms))
        if ms % 20_000 == 0:
            for nth in range(3):
                tape.take(ForcedOrder("X", T0 + ms, LONG, 99.0, 0.5, nth=nth))
        tape.tick(T0 + ms)
    return kept


def test_the_same_entries_twice_and_in_parts_are_the_same_store(tmp_path: Path) -> None:
    """What a crash between the store and the journal makes happen."""
    rows = entries()
    assert settle(rows, "bybit", "X", store=tmp_path / "a") == []
    middle = len(rows) // 2
    for part in (rows[:middle], rows[:middle], rows[middle // 2 :], rows):
        settle(part, "bybit", "X", store=tmp_path / "b")
    for kind in ("candles", "open_interest", "liquidation_events"):
        one, two = (shelf.load(key_of("bybit", "X", kind), "2025", "2026", store=tmp_path / n) for n in "ab")
        pd.testing.assert_frame_equal(one, two, check_exact=True)
    assert len(one) == 36 and one.index.is_unique
    assert shelf.verify(tmp_path / "b")["ok"].all()


def test_minutes_that_the_store_has_already_are_left_as_they_are(tmp_path: Path) -> None:
    """Somebody fetched them meanwhile, with other roundings."""
    rows = entries()
    key = key_of("bybit", "X", "candles")
    edges = pd.to_datetime([T0 + MINUTE, T0 + 2 * MINUTE], unit="ms", utc=True)
    mine = pd.DataFrame({"open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0, "volume": 9.0}, index=edges[:1])
    shelf.append(key, mine, edges[0], edges[1], store=tmp_path, origin={"source": "another"})
    settle(rows, "bybit", "X", store=tmp_path)
    with pytest.warns(UserWarning, match="left out what the source of some rows did not tell"):
        found = shelf.load(key, "2025", "2026", store=tmp_path)
    assert found["open"].tolist() == [100.0, 1.0, 106.0]


def test_silence_of_hyperliquid_is_not_taken_for_quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [("a", T0, T0 + MINUTE)]
    settle(rows, "hyperliquid", "X", store=tmp_path)
    assert not list(tmp_path.rglob("kind=liquidation_events"))
    monkeypatch.setenv("LIQLAB_HYPERLIQUID_USERS", server.USER)
    settle(rows, "hyperliquid", "X", store=tmp_path)
    assert list(tmp_path.rglob("kind=liquidation_events"))


# --- over sockets ------------------------------------------------------------------------------------


@pytest.fixture
def venue(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Starts a venue and sends liqlab to it; REST of the others than Binance is not there."""
    running: list[server.StreamVenue] = []
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(
        http, "RETRY_POLICY", http.RetryPolicy(attempts=2, first=0.001, longest=0.01, connect=2, read=2)
    )
    monkeypatch.setenv("LIQLAB_HYPERLIQUID_USERS", server.USER)

    def start(name: str, **options: Any) -> server.StreamVenue:
        made = server.StreamVenue(name, **options).start()
        running.append(made)
        monkeypatch.setenv(f"LIQLAB_{name.upper()}_STREAM_URL", made.url)
        monkeypatch.setenv(f"LIQLAB_{name.upper()}_URL", made.url)
        if name != "binanceusdm":
            symbol = server.SYMBOL.get(name, "BTC/USDT:USDT")
            item = Instrument(name, symbol, server.CONTRACT[name], contract_size=server.SIZE.get(name, 1.0))
            monkeypatch.setattr(recording.Questions, "instruments", lambda *_: [item])
            monkeypatch.setattr(recording.Questions, "depth", lambda *_: None)
        return made

    yield start
    for one in running:
        one.stop()


def run(symbol: str, exchange: str, store: Path, until: Any, **options: Any) -> tuple[Recorder, list[str]]:
    """Record until a condition holds, at most 40 s."""
    told: list[str] = []

    async def go() -> Recorder:
        made = Recorder([symbol], exchange, store=store, tell=told.append, **options)
        job = asyncio.ensure_future(made.run())
        for _ in range(800):
            await asyncio.sleep(0.05)
            if job.done() or until(made):
                break
        made.stop()
        await job
        return made

    return asyncio.run(go()), told


def recorded(
    exchange: str, symbol: str, store: Path, made: server.StreamVenue, seconds: int
) -> tuple[set[Any], set[Any]]:
    """Forced orders of the store and of the truth, within the spans that the store says were seen."""
    key = key_of(exchange, symbol, "liquidation_events")
    start, end = pd.to_datetime([made.begin, made.begin + 1000 * seconds], unit="ms", utc=True)
    table = shelf.load(key, start, end, store=store)
    stamps = [int(stamp.timestamp() * 1000) for stamp in table.index.floor("ms")]
    have = list(zip(stamps, table["side"], table["price"], table["quantity"].round(8), strict=True))
    assert len(have) == len(set(have)), "something is stored twice"
    gaps = [tuple(int(edge.timestamp() * 1000) for edge in gap) for gap in shelf.missing(key, start, end, store=store)]
    truth = {one for one in server.forced(made.begin, made.seed, seconds, made.rate)
             if not any(first <= one[0] < last for first, last in gaps)}  # fmt: skip
    return set(have), truth


@pytest.mark.parametrize("name", ["binanceusdm", "bybit", "okx", "hyperliquid"])
def test_an_hours_part_with_drops_repeats_and_disorder(name: str, venue: Any, tmp_path: Path) -> None:
    """What lies in the spans that the store calls seen is there, once, to the bit; the drop is a gap in the store."""
    made = venue(name, speed=40, repeat=0.05, disorder=0.02, drop=(160.0,))
    symbol = server.SYMBOL.get(name, "BTC/USDT:USDT")
    done, told = run(symbol, name, tmp_path, lambda r: r.connections[0].seen > made.begin + 330_000)
    seconds = (done.connections[0].seen - made.begin) // 1000
    have, truth = recorded(name, symbol, tmp_path, made, seconds)
    assert len(truth) > 40 and have >= truth
    assert have <= set(server.forced(made.begin, made.seed, seconds + 2, made.rate))
    got = shelf.load(key_of(name, symbol, "candles"), "2020", "2099", store=tmp_path)
    whole = server.candles(made.begin, made.seed, int(seconds), made.rate).iloc[:-1]
    both = got.index.intersection(whole.index)
    assert len(both) >= 2
    pd.testing.assert_frame_equal(got.loc[both, PRICES], whole.loc[both, PRICES], check_exact=True, check_names=False,
                                  check_index_type=False)  # fmt: skip
    assert done.connections[0].drops == 1 and any("closed the stream" in text for text in told)
    assert any("this computer's clock is" in text and "set the clock" in text for text in told)
    start, end = pd.to_datetime([made.begin + 60_000, made.begin + 1000 * seconds - 2000], unit="ms", utc=True)
    gaps = [gap for gap in shelf.missing(key_of(name, symbol, "open_interest"), start, end, store=tmp_path)
            if gap[0] > start]  # fmt: skip
    begins = [(gap[0] - pd.Timestamp(made.begin, unit="ms", tz="UTC")).total_seconds() for gap in gaps]
    assert any(abs(seconds - 160) < 10 for seconds in begins), "a slow machine leaves more gaps, but never fewer"
    assert shelf.verify(tmp_path)["ok"].all()
    assert "1 drop(s)" in status(done, 1.0)


def test_trades_through_ccxt_are_the_venues_candles(venue: Any, tmp_path: Path) -> None:
    """Gate's contracts of 0.01 coins, with repeats, disorder and a drop; forced orders and the rest are not told."""
    made = venue("gate", speed=20, repeat=0.05, disorder=0.02, drop=(160.0,))
    done, told = run("BTC/USDT:USDT", "gate", tmp_path, lambda r: r.connections[0].seen > made.begin + 330_000)
    got = shelf.load(key_of("gate", "BTC/USDT:USDT", "candles"), "2020", "2099", store=tmp_path)
    whole = server.candles(made.begin, made.seed, int((done.connections[0].seen - made.begin) // 1000), made.rate)
    both = got.index.intersection(whole.index[:-1])
    assert len(both) >= 2 and len(got) < len(whole) - 1, "the minute of the drop is a gap"
    pd.testing.assert_frame_equal(got.loc[both, PRICES], whole.loc[both, PRICES], check_exact=True, check_names=False,
                                  check_index_type=False)  # fmt: skip
    assert done.connections[0].drops == 1 and any("ccxt gives up" in text for text in told)
    assert any("gate publishes no stream of forced orders" in text for text in told)
    assert {path.name for path in tmp_path.rglob("kind=*")} == {"kind=candles"}


def test_minutes_that_were_torn_are_fetched_and_the_market_is_whole(
    venue: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "SETTLE", 1.0)
    monkeypatch.setattr(recording, "REFILL", 5.0)
    made = venue("binanceusdm", speed=40, drop=(100.0,))
    done, _ = run("BTC/USDT:USDT", "binanceusdm", tmp_path, lambda r: r.connections[0].seen > made.begin + 400_000)
    assert done.refilled >= 2
    with pytest.warns(UserWarning, match=r"gap\(s\) in the recording"):
        market = lq.load("BTC/USDT:USDT", timeframe="1m", store=tmp_path)
    truth = server.candles(made.begin, made.seed, 360, made.rate)
    both = market.candles.index.intersection(truth.index)
    assert len(market.candles) == (market.candles.index[-1] - market.candles.index[0]) // pd.Timedelta("1min") + 1
    pd.testing.assert_frame_equal(market.candles.loc[both, PRICES], truth.loc[both, PRICES], check_exact=True,
                                  check_names=False, check_index_type=False)  # fmt: skip
    assert market.liquidation_events is not None and market.liquidations is not None
    assert market.open_interest is not None and market.mark_candles is not None
    gap = pd.Timestamp(made.begin + 60_000, unit="ms", tz="UTC")
    assert gap not in market.liquidations.index and len(market.liquidations) >= 2
    depth = shelf.load(key_of("binanceusdm", "BTC/USDT:USDT", "depth"), "2020", "2099", store=tmp_path)
    assert (depth["mid"] == 60_000).all() and (depth["bid_5bp"] == 1).all() and (depth["ask_500bp"] == 3).all()


COMMAND = [sys.executable, "-m", "liqlab.cli", "record", "BTC/USDT:USDT", "--quiet", "--no-depth"]


def _tells_a_span(store: Path) -> bool:
    """Whether the journal of the process that runs says of any time that it was seen."""
    return any(b'["a"' in journal.read_bytes() for journal in store.rglob("journal"))


def test_kill_9_again_and_again(venue: Any, tmp_path: Path) -> None:
    """At most the last second before each kill is missing; the gaps are in the store; nothing stands there twice."""
    made = venue("binanceusdm", speed=1, rate=50, repeat=0.05, begin=int(time.time()) // 60 * 60_000 - 60_000)
    kills = []
    for _ in range(20 if LONG_RUN else 3):
        process = subprocess.Popen([*COMMAND, "--store", str(tmp_path)], stderr=subprocess.PIPE, text=True)
        before, limit = made.connections, time.monotonic() + 30
        while made.connections == before and time.monotonic() < limit:
            time.sleep(0.05)
        while not _tells_a_span(tmp_path) and time.monotonic() < limit:  # two seconds, on a busy machine more
            time.sleep(0.05)
        time.sleep(1.0)
        kills.append(made.begin + 1000 * made.now())
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    process = subprocess.Popen([*COMMAND, "--store", str(tmp_path)], stderr=subprocess.PIPE, text=True)
    before = made.connections
    while made.connections == before:
        time.sleep(0.05)
    time.sleep(3.0)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0 and "stopped;" in errors, errors
    have, truth = recorded("binanceusdm", "BTC/USDT:USDT", tmp_path, made, int(made.now()))
    assert have == truth and len(truth) >= 1
    key = key_of("binanceusdm", "BTC/USDT:USDT", "liquidation_events")
    edges = pd.to_datetime([made.begin, made.begin + int(1000 * made.now())], unit="ms", utc=True)
    starts = [gap[0].timestamp() * 1000 for gap in shelf.missing(key, *edges, store=tmp_path)]
    for kill in kills:  # seen up to a second behind the newest message, on the disk within half a second
        begun = max((at for at in starts if at <= kill), default=0.0)
        assert kill - 3_000 <= begun, kill - begun
    assert shelf.verify(tmp_path)["ok"].all()


# --- what can go wrong, in words ---------------------------------------------------------------------


def test_html_instead_of_a_stream(venue: Any, tmp_path: Path) -> None:
    venue("binanceusdm", html=True)
    _, told = run("BTC/USDT:USDT", "binanceusdm", tmp_path, lambda r: r.connections[0].drops > 1)
    assert any("answers with a page (status 200) instead of a stream" in text for text in told)


def test_a_certificate_that_nobody_vouches_for(venue: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = venue("binanceusdm")
    monkeypatch.setenv("LIQLAB_BINANCEUSDM_STREAM_URL", made.url.replace("http:", "wss:"))
    _, told = run("BTC/USDT:USDT", "binanceusdm", tmp_path, lambda r: r.connections[0].drops > 0)
    assert any("certificate is not trusted here" in text for text in told)


@pytest.mark.parametrize("ahead", [-300, 300])
def test_a_clock_that_is_five_minutes_off(ahead: int) -> None:
    """It is said once; what is kept has the venue's time, and its age is measured with the venue's clock."""
    told: list[str] = []
    tape, item = Tape(lambda _: None), Instrument("binanceusdm", "BTC/USDT:USDT", "BTCUSDT")
    connection = Connection(stream_of("binanceusdm"), [item], {item.symbol: tape}, told.append)
    theirs = int((time.time() + ahead) * 1000)
    for k in range(3):
        trade = {"e": "aggTrade", "s": "BTCUSDT", "a": k + 1, "p": "60000", "q": "1", "f": k, "l": k, "T": theirs + k,
                 "m": True}  # fmt: skip
        connection.take(json.dumps(trade).encode(), {})
    way = "behind" if ahead > 0 else "ahead of"
    assert told == [f"this computer's clock is 300 s {way} that of binanceusdm; the venue's time is recorded: set the "
                    "clock"]  # fmt: skip
    assert tape.newest == connection.seen == theirs + 2
    assert abs(time.time() * 1000 + connection.ahead - connection.seen) < 5_000


def test_a_stop_at_the_moment_of_a_drop(venue: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes while a connection is being ended, and ends the reading all the same."""
    venue("binanceusdm", speed=40, drop=(1.0,))
    item = Instrument("binanceusdm", "BTC/USDT:USDT", "BTCUSDT")

    async def stop() -> None:
        ending = asyncio.Event()

        async def ping(*_: Any) -> None:
            try:
                await asyncio.sleep(100)
            finally:
                ending.set()
                await asyncio.sleep(0.2)

        monkeypatch.setattr(Connection, "_ping", ping)
        one = Connection(stream_of("binanceusdm"), [item], {item.symbol: Tape(lambda _: None)}, lambda _: None)
        reading = asyncio.ensure_future(one.run())
        await asyncio.wait_for(ending.wait(), 20)
        reading.cancel()
        await asyncio.wait([reading], timeout=5)
        assert reading.cancelled()

    asyncio.run(stop())


def test_nobody_listens(venue: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venue("binanceusdm")
    monkeypatch.setenv("LIQLAB_BINANCEUSDM_STREAM_URL", "ws://127.0.0.1:9")
    done, told = run("BTC/USDT:USDT", "binanceusdm", tmp_path, lambda r: r.connections[0].drops > 1)
    assert any("127.0.0.1" in text and "cannot be reached" in text for text in told)
    assert "NO STREAM" in status(done, 0.0)


def test_a_symbol_that_is_not_listed(venue: Any, tmp_path: Path) -> None:
    venue("binanceusdm")
    with pytest.raises(ValueError, match=r"lists no 'BTX/USDT:USDT'; did you mean 'BTC/USDT:USDT'"):
        Recorder(["BTX/USDT:USDT"], "binanceusdm", store=tmp_path)


def test_a_refusal_leaves_the_others_running(venue: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Delisted while it was being recorded."""
    made = venue("bybit", speed=20)
    refused = {"success": False, "ret_msg": "error:handler not found,topic:publicTrade.GONEUSDT", "op": "subscribe"}
    monkeypatch.setattr(server, "_acknowledgement", lambda name: refused)
    items = [Instrument("bybit", "BTC/USDT:USDT", "BTCUSDT"), Instrument("bybit", "GONE/USDT:USDT", "GONEUSDT")]
    monkeypatch.setattr(recording.Questions, "instruments", lambda *_: items)
    _, told = run("BTC/USDT:USDT", "bybit", tmp_path, lambda r: r.connections[0].seen > made.begin + 150_000)
    assert sum("GONEUSDT; is every symbol still listed? The others go on" in text for text in told) == 1
    assert len(shelf.load(key_of("bybit", "BTC/USDT:USDT", "candles"), "2020", "2099", store=tmp_path)) >= 1


def test_a_full_disk_is_told_and_waited_for(venue: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = venue("binanceusdm", speed=20)
    real, until = Journal.flush, made.begin + 60_000

    def flush(journal: Journal) -> None:
        if made.begin + 1000 * made.now() < until:
            raise OSError(errno.ENOSPC, "the disk is full: free space")
        real(journal)

    monkeypatch.setattr(Journal, "flush", flush)
    done, told = run("BTC/USDT:USDT", "binanceusdm", tmp_path, lambda r: r.connections[0].seen > made.begin + 120_000)
    assert sum("the disk is full" in text for text in told) == 1 and any("nothing was lost" in text for text in told)
    seconds = (done.connections[0].seen - made.begin) // 1000
    have, truth = recorded("binanceusdm", "BTC/USDT:USDT", tmp_path, made, seconds)
    assert have >= truth and len(truth) > 10


def test_two_recorders_of_one_symbol(venue: Any, tmp_path: Path) -> None:
    venue("binanceusdm")
    first = Recorder(["BTC/USDT:USDT"], "binanceusdm", store=tmp_path)
    with pytest.raises(TimeoutError, match="is being recorded into this store by another process"):
        Recorder(["BTC/USDT:USDT"], "binanceusdm", store=tmp_path)
    for one in first.shelves.values():
        one.close()


def test_what_cannot_be_read_is_counted_and_the_rest_goes_on(
    venue: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = venue("bybit", speed=20)
    real = server.messages

    def messages(*args: Any) -> list[tuple[int, str]]:
        rows = real(*args)
        broken = {"topic": "publicTrade.BTCUSDT", "data": [{"T": 1}]}
        future = {"topic": "tickers.BTCUSDT", "ts": 9_999_999_999_999, "data": {"markPrice": "1"}}
        return [*rows, *((rows[-1][0], json.dumps(one)) for one in (broken, future))] if rows else rows

    monkeypatch.setattr(server, "messages", messages)
    done, told = run("BTC/USDT:USDT", "bybit", tmp_path, lambda r: r.connections[0].seen > made.begin + 130_000)
    assert done.connections[0].unreadable > 50 and done.connections[0].seen < made.begin + 1_000_000
    assert sum("sent what liqlab cannot read" in text for text in told) == 1
    have, truth = recorded("bybit", "BTC/USDT:USDT", tmp_path, made, 125)
    assert have == truth


# --- load --------------------------------------------------------------------------------------------


def test_a_loaded_market_is_scored_and_located(tmp_path: Path) -> None:
    """Single orders that are put into the store come back, sum up per bar, and are judged by place."""
    example = lq.load_example("btc-2024-05").until("2024-05-03")
    candles = example.candles.loc["2024-04-20":]
    span = candles.index[0], candles.index[-1] + example.step
    shelf.append(shelf.Key("binanceusdm", "BTC/USDT:USDT", "candles", "15m"), candles, *span, store=tmp_path,
                 origin={"source": "test"})  # fmt: skip
    draw = np.random.default_rng(1)
    at = pd.DatetimeIndex(draw.choice(candles.index[400:], 300)).as_unit("us")
    at = (at + pd.to_timedelta(np.arange(300), unit="ms")).sort_values()
    rows = pd.DataFrame({"side": draw.choice([1.0, -1.0], 300), "quantity": draw.exponential(1, 300)}, index=at)
    low, high = (candles[c].reindex(at.floor("15min")).to_numpy() for c in ("low", "high"))
    rows["price"] = np.where(rows["side"] > 0, low, high)
    shelf.append(key_of("binanceusdm", "BTC/USDT:USDT", "liquidation_events"), rows, *span, store=tmp_path,
                 origin={"source": "test"})  # fmt: skip
    market = lq.load("BTC/USDT:USDT", timeframe="15m", store=tmp_path)
    assert market.liquidations is not None and market.liquidation_events is not None
    assert len(market.liquidations) == len(candles)
    for side, sign in (("long", 1.0), ("short", -1.0)):
        assert np.isclose(market.liquidations[side].sum(), rows.loc[rows["side"] == sign, "quantity"].sum())
        assert (market.liquidation_events["side"] == side).sum() == (rows["side"] == sign).sum()
    early = market.until("2024-04-28")
    assert early.liquidation_events is not None and early.liquidation_events.index.max() <= pd.Timestamp(
        "2024-04-28", tz="UTC"
    )
    heat = lq.heatmap(market, time_step="1h")
    found = lq.validation.location(heat, market.liquidation_events, resamples=20)
    assert found.about["events"] + found.about["outside"] == 300 and found.about["events"] > 50
    pd.testing.assert_frame_equal(lq.validation.location(heat, market, resamples=20).table, found.table)
    with pytest.raises(ValueError, match="the market has no liquidation_events; liqlab record brings them"):
        lq.validation.location(heat, replace(market, liquidation_events=None))
    with pytest.raises(ValueError, match="pass the market that it was made from"):
        lq.validation.location(heat, replace(market, exchange="bybit"))
    fitted = lq.calibrate(market, resamples=2, share_of_volume=(0.1,))
    assert lq.expected_liquidations(market, law=fitted.law).to_numpy().sum() > 0
    scores = lq.score(lq.expected_liquidations(market), market.liquidations, market=market, resamples=20)
    assert scores.table["spearman"].notna().any() if "spearman" in scores.table else len(scores.table)


def test_forced_orders_are_checked() -> None:
    stamps = pd.to_datetime(["2024-05-01 00:00:01"] * 2, utc=True)
    good = pd.DataFrame({"side": ["long", "long"], "price": 100.0, "quantity": 1.0}, index=stamps)
    assert len(lq.market.check_liquidation_events(good)) == 2  # two that are alike are two
    for change, message in (
        ({"side": "buy"}, "has the side 'buy'; it is long or short"),
        ({"price": 0.0}, "prices are > 0"),
        ({"quantity": -1.0}, "amounts are >= 0"),
        ({"quantity": np.nan}, "must be finite"),
    ):
        with pytest.raises(ValueError, match=message):
            lq.market.check_liquidation_events(good.assign(**change))


def test_what_repeats_is_known_however_much_came_between(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the last so many keys none is taken twice, whatever was forgotten before them."""
    monkeypatch.setattr("liqlab.loaders.recording.minutes.REMEMBERED", 10)
    monkeypatch.setattr("liqlab.loaders.recording.tape.REMEMBERED", 10)
    minutes, kept = TradeMinutes(), list[Any]()
    tape = Tape(kept.append)
    for k in range(1, 100):
        assert minutes.add(trade(k, number=k))
        tape.take(ForcedOrder("X", T0 + k, LONG, 100.0, 1.0))
        for back in range(min(k, 10)):
            assert not minutes.add(trade(k - back, number=k - back))
            tape.take(ForcedOrder("X", T0 + k - back, LONG, 100.0, 1.0))
    assert len(kept) == 99 and len(minutes.seen | minutes.seen_before) <= 20
    assert len(tape.orders | tape.orders_before) <= 20
