"""Maps that stay current: a replay equals one run, a stream survives drops, and both come by the same way."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import liqlab as lq
from liqlab.loaders import _follow, closed_bars, http
from liqlab.loaders.closed_bars import Minutes
from liqlab.loaders.recording.minutes import MINUTE
from liqlab.market.market import Market
from tests import stream_server as server

BINS: dict[str, Any] = {"price_range": (90_000.0, 140_000.0), "price_step": 100.0}
T0 = 1_760_000_100_000 // 300_000 * 300_000


async def collect(following: Any, count: float = math.inf) -> list[Any]:
    heats = []
    async for heat in following:
        heats.append(heat)
        if len(heats) >= count:
            await following.aclose()
            break
    return heats


def test_a_replay_of_a_day_loses_no_bar_and_ends_as_one_run_bit_for_bit() -> None:
    market = lq.load_example("btc-2025-10")
    part = market.until("2025-10-11")
    heats = asyncio.run(collect(lq.follow(replay=part, speed=None, **BINS)))
    closes = [heat["close_time"].values[-1] for heat in heats]
    assert len(heats) == 288 and (np.diff(closes) == np.timedelta64(5, "m")).all()
    one = lq.heatmap(replace(part, path=None), time_step="5m", **BINS).isel(time=slice(-48, None))
    last = heats[-1]
    assert last.sizes["time"] == 48
    for name in ("notional", "open", "high", "low", "close", "volume", "attributed_oi", "unattributed_oi"):
        np.testing.assert_array_equal(last[name].values, one[name].values, err_msg=name)
    assert (last.attrs["missed_bars"], last.attrs["received"], last.attrs["replayed"]) == (0, 1.0, "True")
    assert len(lq.clusters(last)) > 0  # what works on a heatmap works on it


def test_a_replay_keeps_the_clock() -> None:
    """Two hours at 36,000 times the speed take a fifth of a second, neither less nor much more."""
    part = lq.load_example("btc-2024-05").until("2024-05-02")

    async def timed() -> float:
        following, loop = (
            lq.follow(replay=part, speed=36_000, start="2024-05-01 22:00", **BINS),
            asyncio.get_running_loop(),
        )
        await anext(following)
        begin = loop.time()
        await collect(following)
        return loop.time() - begin

    assert 0.17 <= asyncio.run(timed()) < 3


@pytest.mark.filterwarnings("ignore:candles. 1 gap")
def test_bars_that_a_market_lacks_are_counted() -> None:
    part = lq.load_example("btc-2024-05").until("2024-05-02")
    lost = pd.date_range("2024-05-01 20:00", periods=4, freq="15min", tz="UTC")
    holey = replace(part, candles=part.candles.drop(lost))
    heats = asyncio.run(collect(lq.follow(replay=holey, speed=None, start="2024-05-01 12:00")))
    assert len(heats) == 44 and heats[-1].attrs["missed_bars"] == 4
    assert heats[-1].attrs["received"] == pytest.approx(1 - 4 / 48)
    assert heats[31].attrs["missed_bars"] == 0 and heats[32].attrs["missed_bars"] == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "follow needs a symbol"),
        ({"replay": "btc-2024-05", "speed": 0}, "speed must be > 0"),
        ({"replay": "btc-2024-05", "columns": 0}, "columns must be from 1 to 500"),
        ({"replay": "btc-2024-05", "start": "2031-01-01"}, "start must lie between"),
        ({"symbol": "BTC/USDT:USDT", "start": "2024-01-01"}, "start says where a replay begins"),
        ({"replay": "btc-1999"}, "btc-1999"),
        ({"replay": "btc-2024-05", "symbol": "ETH/USDT:USDT"}, "the replay is of BTC/USDT:USDT"),
        ({"replay": "btc-2024-05", "columns": 501}, "columns must be from 1 to 500"),
        ({"replay": "btc-2024-05", "start": 3}, "does not say whether it counts s"),
        ({"symbol": "BTC/USDT:USDT", "exchange": "kraken"}, "liqlab reads no stream of 'kraken'"),
        ({"symbol": "BTC/USDT:USDT", "timeframe": "90x"}, "timeframe: not a time frame"),
        ({"symbol": "BTC/USDT:USDT", "history": 30}, "history: the number 30 has no unit"),
        ({"replay": "btc-2024-05", "speed": math.inf}, "speed must be a finite number"),
    ],
)
def test_what_cannot_be_followed(options: dict[str, Any], message: str) -> None:
    """Said at once, before anything is fetched or waited for."""
    with pytest.raises(ValueError, match=message):
        lq.follow(**options)


# --- minutes to bars ------------------------------------------------------------------------------------------


def minute(k: int, price: float, *, whole: bool = True) -> tuple[Any, ...]:
    return ("c", T0 + k * MINUTE, whole, price, price + 1, price - 1, price + 0.5, 0.1, 10.0, 3, 0.05, 5.0)


def test_bars_are_made_of_whole_runs_of_minutes() -> None:
    bars: list[Any] = []
    made = Minutes(pd.Timedelta("5min"), bars.append)
    for k in range(12):
        if k == 10:
            break
        made.keep(minute(k, 100.0 + k, whole=k != 7))
        made.keep(("m", T0 + k * MINUTE, True, 100.0, 101.0 + k, 99.0 - k, 100.0))
        made.keep(("o", T0 + k * MINUTE + 50_000, 1000.0 + k))
        made.keep(("a", 0, 1))
    whole, torn = bars
    assert whole.candle is not None and torn.candle is None
    picked = {name: whole.candle[name] for name in ("open", "high", "low", "close", "volume", "taker_buy_volume")}
    assert picked == {
        "open": 100.0,
        "high": 105.0,
        "low": 99.0,
        "close": 104.5,
        "volume": 0.5,
        "taker_buy_volume": 0.25,
    }
    assert whole.mark == (95.0, 105.0) and whole.open_interest == 1004.0 and torn.open_interest == 1009.0
    late: list[Any] = []
    begun = Minutes(pd.Timedelta("5min"), late.append)
    for k in (3, 4):
        begun.keep(minute(k, 100.0))
    begun.keep(("a", 0, 1))
    assert [bar.candle for bar in late] == [None]
    with pytest.raises(ValueError, match="made of minutes"):
        Minutes(pd.Timedelta("90s"), late.append)


# --- over a socket ----------------------------------------------------------------------------------------------


@pytest.fixture
def venue(monkeypatch: pytest.MonkeyPatch) -> Iterator[server.StreamVenue]:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(
        http, "RETRY_POLICY", http.RetryPolicy(attempts=2, first=0.001, longest=0.01, connect=2, read=2)
    )
    monkeypatch.setattr(_follow, "SETTLED", 0.3)
    made = server.StreamVenue("binanceusdm", speed=40, repeat=0.05, disorder=0.02, drop=(200.0,)).start()
    monkeypatch.setenv("LIQLAB_BINANCEUSDM_STREAM_URL", made.url)
    monkeypatch.setenv("LIQLAB_BINANCEUSDM_URL", made.url)

    def history(*_: Any) -> Market:
        """A day of quiet minutes up to where the stream begins."""
        index = pd.date_range(end=pd.Timestamp(made.begin, unit="ms", tz="UTC"), periods=1441, freq="1min", name="time")
        wave = 60_000 + 200 * np.sin(np.arange(1440) / 60)
        bars = pd.DataFrame(
            {"open": wave, "high": wave + 20, "low": wave - 20, "close": wave, "volume": 50.0}, index[:-1]
        )
        return Market(bars, symbol="BTC/USDT:USDT", exchange="binanceusdm", timeframe="1m")

    monkeypatch.setattr(_follow.Source, "history", history)
    yield made
    made.stop()


def test_a_stream_with_a_drop_gives_every_bar_once(venue: server.StreamVenue, tmp_path: Path) -> None:
    """The first minute, seen in part, and those around the drop are refilled; every map is of the true candles."""
    told: list[str] = []
    following = lq.follow("BTC/USDT:USDT", timeframe="1m", store=tmp_path, tell=told.append)
    heats = asyncio.run(collect(following, 6))
    truth = server.candles(venue.begin, venue.seed, 360, venue.rate)
    last = heats[-1].isel(time=slice(-6, None))
    assert heats[-1].sizes["time"] == 48 and heats[0].sizes["time"] == 48  # the history's columns before them
    assert [str(stamp) for stamp in last["time"].values] == [
        str(stamp) for stamp in truth.index.tz_localize(None).as_unit("ns").values
    ]
    for name in ("open", "high", "low", "close", "volume"):
        np.testing.assert_array_equal(last[name].values, truth[name].values, err_msg=name)
    assert last.attrs["missed_bars"] == 0 and last.attrs["refilled_bars"] >= 2 and last.attrs["received"] == 1.0
    assert last.attrs["replayed"] == "False" and 0 <= last.attrs["age_seconds"] < 600
    assert any("closed the stream" in text for text in told)


def test_what_the_exchange_no_longer_has_is_marked(
    venue: server.StreamVenue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.StreamVenue, "_klines", lambda *_: iter(()))
    told: list[str] = []
    following = lq.follow("BTC/USDT:USDT", timeframe="1m", store=tmp_path, tell=told.append)
    heats = asyncio.run(collect(following, 3))
    assert heats[-1].attrs["missed_bars"] >= 1 and heats[-1].attrs["received"] < 1
    assert any("stay missing" in text and "the map goes on without them" in text for text in told)
    assert closed_bars.NAMES[:5] == ("open", "high", "low", "close", "volume")
