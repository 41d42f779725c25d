"""Fetching over real HTTP from a loopback exchange: exact, patient, resumable; its errors say what to do."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import time
import tracemalloc
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tqdm.std
from typer.testing import CliRunner

import liqlab as lq
from liqlab.cli import app
from liqlab.loaders import filling, http, planning
from liqlab.loaders import store as shelf
from liqlab.loaders.exchanges import binance
from liqlab.loaders.paging import Pages, collect
from tests.exchange_server import FAULTS, KEY, SECRET, Exchange
from tests.store_writer import fetch_by_command

LONG = os.environ.get("LIQLAB_LONG") == "1"
START = pd.Timestamp("2024-01-01", tz="UTC")
BTC = "BTC/USDT:USDT"


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Every wait that liqlab asked for, none of them waited for."""
    asked: list[float] = []
    monkeypatch.setattr(http, "wait_seconds", asked.append)
    return asked


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        http, "RETRY_POLICY", http.RetryPolicy(attempts=6, first=0.001, longest=0.01, connect=2, read=0.5)
    )
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def venue(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Starts exchanges, and sends liqlab to the last one."""
    running = []

    def start(**options: Any) -> Exchange:
        server = Exchange(**({"weight": 10**9} | options)).__enter__()
        running.append(server)
        monkeypatch.setenv("LIQLAB_BINANCEUSDM_URL", server.url)
        return server

    yield start
    for server in running:
        server.__exit__()


def after(rows: int, minutes: int = 1) -> pd.Timestamp:
    return START + pd.Timedelta(rows * minutes, "min")


def get(store: Path, rows: int = 3000, **options: Any) -> lq.Market:
    given = {"timeframe": "1m", "start": START, "end": after(rows), "kinds": ["candles"]} | options
    return lq.fetch(BTC, store=store, progress=False, **given)


def contents(store: Path) -> dict[str, bytes]:
    return {str(file.relative_to(store)): file.read_bytes() for file in sorted(store.rglob("*.parquet"))}


def same(got: pd.DataFrame, wanted: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(got, wanted, check_exact=True, check_freq=False)


# --- exact, with and without faults -----------------------------------------------------------------------------------


def test_a_year_over_http_is_the_source_to_the_last_bit(venue: Any, tmp_path: Path) -> None:
    rows = 525_600 if LONG else 50_000
    server = venue(candles=rows)
    market = get(tmp_path, rows)
    same(market.candles, server.truth())
    assert server.asked("/klines") <= rows / 1500 + 13  # every page full but the months' last ones
    assert market.sources["candles"]["origin"] == "binanceusdm /fapi/v1/klines"


def test_a_damaged_month_is_fetched_again(venue: Any, tmp_path: Path) -> None:
    """One bit of the rows: nothing of the file is used, it is kept aside, and the month comes from the venue anew."""
    server = venue(candles=60_000)
    get(tmp_path, 60_000)
    whole, (file, _) = contents(tmp_path), sorted(tmp_path.rglob("*.parquet"))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 16
    file.write_bytes(bytes(data))
    before = server.asked("/klines")
    with pytest.warns(UserWarning, match=r"2024-01: the stored file is damaged .*fetched again where its source"):
        market = get(tmp_path, 60_000)
    same(market.candles, server.truth())
    assert contents(tmp_path) == whole and 0 < server.asked("/klines") - before <= 31
    assert [aside.read_bytes() for aside in tmp_path.rglob("*.damaged")] == [bytes(data)]


def test_all_faults_mixed_leave_the_same_bytes_in_the_store(venue: Any, tmp_path: Path, waits: list[float]) -> None:
    rows = 525_600 if LONG else 30_000
    server = venue(candles=rows)
    get(tmp_path / "clean", rows)
    draw = np.random.default_rng(3)
    plan: list[str | None] = [None]
    for _ in range(12 if LONG else 2):  # each fault several times, two in a row, then a clean answer
        one = [str(fault) for fault in draw.permutation(FAULTS)]
        plan += [fault for k in range(0, len(one), 2) for fault in (*one[k : k + 2], None)]
    faulty = venue(candles=rows, faults=plan, hang=0.7, retry_after=7)
    market = get(tmp_path / "faulty", rows)
    assert set(faulty.served) == set(FAULTS)
    same(market.candles, server.truth())
    assert contents(tmp_path / "faulty") == contents(tmp_path / "clean")
    assert sum(wait >= 7 for wait in waits) >= faulty.served.count("429") + faulty.served.count("418")


@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_that_does_not_end_is_an_error_and_the_store_stays_whole(
    venue: Any, tmp_path: Path, waits: list[float], fault: str
) -> None:
    """Faults of order and number are cured; what cannot be cured names host, path and remedy."""
    server = venue(candles=4000, faults=[None, *[fault] * 60], hang=0.7)
    cured = fault in ("duplicate", "shuffled", "short")
    if cured:
        same(get(tmp_path, 4000).candles, server.truth())
    elif fault == "empty":  # told, and not taken for an answer: the next run finds the rest
        with pytest.warns(
            UserWarning,
            match=r"1,500 of 4,000 row\(s\) that are due; nothing from 2024-01-02 01:00 to 2024-01-03 18:40",
        ):
            get(tmp_path, 4000)
        server.faults.clear()
        same(get(tmp_path, 4000).candles, server.truth())
    else:
        with pytest.raises(http.FetchError, match=r"127\.0\.0\.1/fapi/v1/klines: .*attempt") as caught:
            get(tmp_path, 4000)
        assert "same again" in str(caught.value) or "region" in str(caught.value)
        assert "startTime" not in str(caught.value)
        # what came before is kept, so the next run does not ask for it again
        assert (
            len(shelf.load(shelf.Key("binanceusdm", BTC, "candles", "1m"), START, after(4000), store=tmp_path)) == 1500
        )
    tries = {"451": 3, "empty": 99}.get(fault, 6)
    assert cured or server.served.count(fault) <= tries
    assert shelf.verify(tmp_path)["ok"].all()


def test_after_an_error_the_next_run_completes_the_same_bytes(venue: Any, tmp_path: Path, waits: list[float]) -> None:
    server = venue(candles=9000, faults=[None, None, *["500"] * 6])
    with pytest.raises(http.FetchError, match="status 500"):
        get(tmp_path / "broken", 9000)
    before = server.asked("/klines")
    get(tmp_path / "broken", 9000)
    assert server.asked("/klines") - before == 4  # 6,000 rows were missing
    get(tmp_path / "whole", 9000)
    assert contents(tmp_path / "broken") == contents(tmp_path / "whole")


def test_ctrl_c_keeps_what_came_in(venue: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = venue(candles=9000)
    real, count = binance.page, [0]

    def page(*given: Any, **options: Any) -> pd.DataFrame:
        count[0] += 1
        if count[0] == 4:
            raise KeyboardInterrupt
        return real(*given, **options)

    monkeypatch.setattr(binance, "page", page)
    with pytest.raises(KeyboardInterrupt):
        get(tmp_path, 9000)
    assert shelf.verify(tmp_path)["ok"].all()
    before = server.asked("/klines")
    same(get(tmp_path, 9000).candles, server.truth())
    assert server.asked("/klines") - before == 3


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_killed_at_any_moment_the_store_verifies_and_the_next_run_goes_on(venue: Any, tmp_path: Path) -> None:
    """kill -9 of ``liqlab fetch`` somewhere after a random number of pages; at the end the same bytes."""
    rows, draw = 46_000, np.random.default_rng(11)  # two months, 31 pages
    server = venue(candles=rows)
    get(tmp_path / "whole", rows)
    fork = multiprocessing.get_context("forkserver")  # one process imports everything, the others begin at once
    fork.set_forkserver_preload(["liqlab.loaders.filling", "requests", "tenacity", "tqdm.auto", "pyarrow.parquet"])
    options = {"timeframe": "1m", "end": f"{after(rows):%Y-%m-%dT%H:%M}", "kinds": ["candles"], "quiet": True}
    kills, store = 0, tmp_path / "0"
    while kills < (100 if LONG else 4):
        due = server.asked("/klines") + int(draw.integers(1, 28))
        given = os.environ["LIQLAB_BINANCEUSDM_URL"], BTC, "2024-01-01"  # the server of processes may be older than it
        run = fork.Process(target=fetch_by_command, args=given, kwargs=options | {"store": store})
        run.start()
        while run.is_alive() and server.asked("/klines") < due:
            time.sleep(0.002)
        time.sleep(float(draw.uniform(0, 0.03)))
        run.kill()
        run.join()
        kills += run.exitcode == -signal.SIGKILL
        assert run.exitcode in (0, -signal.SIGKILL)
        if store.exists():
            assert shelf.verify(store)["ok"].all()
        if run.exitcode == 0:
            assert contents(store) == contents(tmp_path / "whole")
            store = tmp_path / str(kills)
    get(store, rows)
    assert contents(store) == contents(tmp_path / "whole")


# --- waiting ----------------------------------------------------------------------------------------------------------


def test_retry_after_is_obeyed_and_a_long_ban_is_an_error_at_once(
    venue: Any, tmp_path: Path, waits: list[float]
) -> None:
    venue(candles=100, faults=["429"], retry_after=33)
    get(tmp_path / "a", 100)
    assert [wait for wait in waits if wait >= 33] == pytest.approx([33], abs=1)
    venue(candles=100, faults=["418"], retry_after=7200)
    with pytest.raises(http.FetchError, match=r"status 418, it asks to wait 7200 s \(1 attempt.*banned this address"):
        get(tmp_path / "b", 100)


def test_backoff_grows_with_jitter(waits: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "RETRY_POLICY", http.RetryPolicy(attempts=200, first=1.0, longest=60.0))

    def fail() -> None:
        raise http.Failure("no")

    with pytest.raises(http.FetchError, match=r"here: no \(200 attempt"):
        http.retry(fail, "here")
    assert len(waits) == 199
    assert waits[0] <= 1
    assert max(waits) <= 60
    late = np.array(waits[10:])
    assert 20 < late.mean() < 40  # full jitter: uniform on 0 … 60
    assert len(set(waits)) > 190


def test_the_venues_count_of_our_weight_is_watched(venue: Any, tmp_path: Path, waits: list[float]) -> None:
    """40 pages of weight 10 under a limit of 300: we wait for the next minute before the venue has to say 429."""
    server = venue(candles=60_000, weight=300)
    server.next_fault = lambda path: (
        server.used.clear() if waits and server.used and max(server.used.values()) > 285 else None
    )
    get(tmp_path, 60_000)
    assert waits and all(0 < wait <= 60.5 for wait in waits)


def test_patience_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIQLAB_HTTP_TIMEOUT", "3")
    monkeypatch.setenv("LIQLAB_HTTP_ATTEMPTS", "2")
    assert (http.RetryPolicy.usual().read, http.RetryPolicy.usual().connect, http.RetryPolicy.usual().attempts) == (
        3,
        3,
        2,
    )
    monkeypatch.setenv("LIQLAB_HTTP_TIMEOUT", "-1")
    with pytest.raises(ValueError, match="LIQLAB_HTTP_TIMEOUT must be a number > 0, got '-1'; unset it for 30"):
        http.RetryPolicy.usual()


# --- what is finished, what is a hole, what is asked twice ------------------------------------------------------------


def test_a_second_fetch_asks_nothing_and_a_longer_one_only_for_the_rest(venue: Any, tmp_path: Path) -> None:
    server = venue(candles=12_000, step="5m")
    early, late = {"timeframe": "5m", "end": after(10_000, 5)}, {"timeframe": "5m", "end": after(12_000, 5)}
    first = get(tmp_path, **early)
    asked = len(server.log)
    same(get(tmp_path, **early).candles, first.candles)
    assert len(server.log) == asked
    same(get(tmp_path, **late).candles, server.truth())
    starts = [int(query["startTime"]) for path, query in server.log[asked:] if path.endswith("/klines")]
    assert min(starts) == after(10_000, 5).value // 10**6


def test_a_true_gap_is_asked_for_three_times_and_then_known(venue: Any, tmp_path: Path) -> None:
    server = venue(candles=5000, gaps=((2000, 2090), (4000, 4001)))
    with pytest.warns(UserWarning, match=r"candles: 2 gap\(s\), 91 row\(s\) missing in all"):
        same(get(tmp_path, 5000).candles, server.truth())
    holes = [query for _, query in server.log if query.get("startTime") == str(server.stamps[2000])]
    assert len(holes) == 2  # after the page that showed it
    asked = len(server.log)
    with pytest.warns(UserWarning, match="91 row"):
        get(tmp_path, 5000)
    assert len(server.log) == asked


def test_unfinished_candles_are_never_stored(venue: Any, tmp_path: Path) -> None:
    server = venue(candles=5000, now="2024-01-02 12:34:30")
    with pytest.warns(UserWarning, match="this computer's clock is .* ahead of that of binanceusdm"):
        market = get(tmp_path, end=None)
    assert market.end == pd.Timestamp("2024-01-02 12:34", tz="UTC")
    same(market.candles, server.truth(len(market.candles)))
    server.now = "2024-01-02 14:00:30"
    with pytest.warns(UserWarning, match="clock"):
        same(get(tmp_path, end=None).candles, server.truth(38 * 60))


def test_a_venue_whose_clock_runs_ahead_does_not_make_candles_final(venue: Any, tmp_path: Path) -> None:
    now = pd.Timestamp.now("UTC")
    begin = now.floor("h") - pd.Timedelta(5, "h")
    venue(candles=1000, start=str(begin.tz_localize(None)), skew=1800)
    with pytest.warns(UserWarning, match=r"clock is 0 days 00:(29|30):\d\d behind that of binanceusdm"):
        market = get(tmp_path, start=begin, end=None)
    assert now - pd.Timedelta(3, "min") <= market.end <= pd.Timestamp.now("UTC")


def test_conflicting_rows_are_asked_for_again() -> None:
    """One stamp with two values is no page that can be believed."""
    with pytest.raises(http.Failure, match="twice with different values"):
        binance.frame_of([0, 0], {"open": ["1", "2"]})
    assert len(binance.frame_of([60_000, 0, 0], {"open": ["1", "2", "2"]})) == 2


@pytest.mark.parametrize("loose", [False, True])
def test_pages_in_any_order_and_size_are_put_together(loose: bool) -> None:
    """A venue that answers with its newest rows first, with few, or with nothing at times."""
    draw = np.random.default_rng(1)
    stamps = np.arange(0, 400) * 1000
    table = pd.DataFrame({"x": stamps}, index=pd.to_datetime(stamps, unit="ms", utc=True))

    def ask(start: int, stop: int) -> pd.DataFrame:
        found = table[(stamps >= start) & (stamps < stop)]
        many = int(draw.integers(0, 30))
        return found.iloc[len(found) - many :] if draw.random() < 0.5 else found.iloc[:many]

    pages = Pages(ask, 1000, window=0, loose=False)
    assert len(collect(pages, 0, 400_000)) > 390
    whole = Pages(lambda start, stop: table[(stamps >= start) & (stamps < stop)].iloc[-7:], 1000, 20_000, loose=False)
    assert len(collect(whole, 0, 400_000)) == 400


def test_memory_does_not_grow_with_the_range(venue: Any, tmp_path: Path) -> None:
    months = 12 if LONG else 5
    venue(candles=months * 30 * 288, step="5m")
    peaks = {}
    for count in (2, 2, months):  # the first run also fills caches
        plan = planning.plan(
            BTC, "binanceusdm", "5m", START, after(count * 30 * 288, 5), ["candles"], tmp_path / f"{count}"
        )
        tracemalloc.start()
        filling.fill(plan, progress=False)
        peaks[count] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        (tmp_path / "2").rename(tmp_path / "done") if (tmp_path / "2").exists() and not (
            tmp_path / "done"
        ).exists() else None
    assert peaks[months] < 1.2 * peaks[2]


# --- the other tables -------------------------------------------------------------------------------------------------


def test_a_whole_market(venue: Any, tmp_path: Path) -> None:
    """Open interest reaches back thirty days: what lies before is named, not filled."""
    server = venue(candles=35 * 288, step="5m", now="2024-02-05")
    end = pd.Timestamp("2024-02-03", tz="UTC")
    with pytest.warns(UserWarning, match="not fetched") as told:
        market = lq.fetch(BTC, timeframe="5m", start=START, end=end, store=tmp_path, progress=False)
    texts = " | ".join(str(one.message) for one in told)
    assert "binanceusdm has no liquidations: not fetched" in texts
    assert "open_interest: binanceusdm keeps 30d only, so nothing was asked for from 2024-01-01 00:00 to" in texts
    assert market.has() == ["candles", "open_interest", "funding_rate", "mark_candles"]
    same(market.candles, server.truth(33 * 288))
    same(market.mark_candles, server.truth(33 * 288)[["open", "high", "low", "close"]])
    interest = market.open_interest["open_interest"]
    assert interest.index[0] == pd.Timestamp("2024-01-06 00:05", tz="UTC")
    assert interest.index[-1] == end  # the instant that closes the last bar
    assert interest.tolist() == [server.interest_at(stamp.value // 10**6) for stamp in interest.index]
    assert market.funding_rate["funding_rate"].tolist() == server.funding[: 33 * 3 + 1].tolist()
    assert set(market.sources) == set(market.has())
    assert lq.heatmap(market, start="2024-01-20")["notional"].sum() > 0
    asked = len(server.log)
    with pytest.warns(UserWarning, match="keeps 30d only"):
        lq.fetch(BTC, timeframe="5m", start=START, end=end, store=tmp_path, progress=False)
    paths = [path for path, _ in server.log[asked:]]
    assert not [path for path in paths if not path.endswith(("/time", "/exchangeInfo"))]


def test_the_interval_of_each_rate_comes_along(venue: Any, tmp_path: Path) -> None:
    """Paid every 8, then every 4, then every hour: from the venue, from the store, and through a file."""
    server = venue(candles=5 * 288, step="5m", now="2024-02-05")
    server.paid = [*range(0, 48, 8), *range(48, 72, 4), *range(72, 121)]
    wanted = [8.0] * 7 + [4.0] * 6 + [1.0] * 48
    options: dict[str, Any] = {"timeframe": "5m", "start": START, "end": "2024-01-06", "store": tmp_path}
    for _ in range(2):
        market = lq.fetch(BTC, kinds=["candles", "funding_rate"], progress=False, **options)
        assert market.funding_rate["interval_hours"].tolist() == wanted
    asked = server.asked("fundingRate")
    assert asked == 1
    file = tmp_path / "rates.csv"
    market.funding_rate.to_csv(file)
    assert lq.read(market.candles, funding_rate=file).funding_rate["interval_hours"].tolist() == wanted
    assert lq.load(BTC, **options).funding_rate["interval_hours"].tolist() == wanted


def test_open_interest_comes_in_the_nearest_period_that_is_not_coarser() -> None:
    periods = binance.offers("binanceusdm")["open_interest"].periods
    assert [planning.period_for(frame, periods) for frame in ("1m", "5m", "8h", "1d")] == ["5m", "5m", "6h", "1d"]


def test_leverage_tiers_need_a_key_which_is_never_shown(
    venue: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    venue(candles=300)
    kinds = ["candles", "leverage_tiers"]
    with pytest.raises(http.FetchError, match="set LIQLAB_BINANCEUSDM_KEY and LIQLAB_BINANCEUSDM_SECRET"):
        get(tmp_path, 300, kinds=kinds)
    monkeypatch.setenv("LIQLAB_BINANCEUSDM_KEY", KEY)
    monkeypatch.setenv("LIQLAB_BINANCEUSDM_SECRET", SECRET)
    with caplog.at_level(logging.DEBUG):
        market = get(tmp_path, 300, kinds=kinds)
    assert market.leverage_tiers["maintenance_amount"].tolist() == [0.0, 50.0]
    shown = caplog.text + repr(market) + repr(market.sources) + repr(binance.connect("binanceusdm"))
    monkeypatch.setenv("LIQLAB_BINANCEUSDM_SECRET", SECRET.lower())
    with pytest.raises(
        http.FetchError, match=r"leverageBracket: refused with status 401: -2015 Invalid API-key"
    ) as bad:
        get(tmp_path, 300, kinds=kinds)
    shown += repr(bad.value) + repr(bad.value.__context__)
    assert KEY not in shown and SECRET not in shown and SECRET.lower() not in shown


def test_the_order_book(venue: Any) -> None:
    venue()
    book = lq.fetch_depth(BTC)
    assert book.groupby("side", sort=False)["price"].first().to_dict() == {"bid": 39999.9, "ask": 40000.1}
    assert book.groupby("side")["quantity"].sum().to_dict() == {"bid": 13.5, "ask": 10.5}
    assert book.attrs["symbol"] == BTC


# --- errors that say what to do ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"symbol": "BTC/USDT"}, r"lists no 'BTC/USDT'; did you mean 'BTC/USDT:USDT'"),
        ({"symbol": "SHIB/USDT:USDT"}, r"lists no 'SHIB/USDT:USDT'; did you mean '1000SHIB/USDT:USDT'"),
        ({"exchange": "binanceusd"}, r"no exchange is called 'binanceusd'; did you mean .*'binanceusdm'"),
        (
            {"kinds": ["liquidations"]},
            r"binanceusdm has no liquidations: they are on a live stream.*; it has candles, ",
        ),
        ({"kinds": ["orders"]}, r"no kind is called 'orders'; there are candles, open_interest"),
        ({"timeframe": "7m"}, r"binanceusdm has no candles of '7m'; it has 1m, 3m"),
        ({"start": "2099-01-01"}, r"start lies in the future: 2099-01-01 .*pass an earlier one"),
        ({"end": "2099-01-01"}, r"end lies in the future: 2099-01-01 .*leave it out"),
        ({"end": "2023-01-01"}, r"start must lie before end, got 2024-01-01 .* and 2023-01-01"),
        ({"start": "2020-01-01", "end": "2020-02-01"}, r"no candles of BTC/USDT:USDT in .*pass a later start"),
        ({"volume_unit": "lots"}, r"volume_unit must be coins, contracts or quote, got 'lots'"),
    ],
)
def test_errors_say_what_to_do(venue: Any, tmp_path: Path, given: dict[str, Any], message: str) -> None:
    venue(candles=300)
    options = {"symbol": BTC, "timeframe": "1m", "start": START, "end": after(300), "kinds": ["candles"]} | given
    with pytest.raises(ValueError, match=message):
        lq.fetch(options.pop("symbol"), store=tmp_path, progress=False, **options)


def test_nobody_listening(tmp_path: Path, waits: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIQLAB_BINANCEUSDM_URL", "http://127.0.0.1:9")
    with pytest.raises(http.FetchError, match=r"nobody takes the connection \(6 attempt\(s\)\).*run the same again"):
        get(tmp_path)


def test_an_error_of_the_disk_comes_through(venue: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venue(candles=300)

    def full(*given: Any, **options: Any) -> None:
        raise OSError(28, "No space left on device: free some, then run the same again")

    monkeypatch.setattr(shelf, "append", full)
    with pytest.raises(OSError, match="No space left on device: free some"):
        get(tmp_path, 300)


def test_retry_after_as_a_date() -> None:
    later = (pd.Timestamp.now("UTC") + pd.Timedelta(30, "s")).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert http.retry_after({"retry-after": later}) == pytest.approx(30, abs=2)
    assert http.retry_after({"Retry-After": "soon"}) == 0


def test_certificates_and_proxies_come_from_the_usual_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", "company.pem")
    assert http.session().verify == "company.pem"
    assert http.session().trust_env
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "other.pem")
    assert http.session().verify is True  # requests reads that one itself


# --- COIN-M, capabilities, the command line ---------------------------------------------------------------------------


def test_coin_margined_contracts_become_coins() -> None:
    """BTCUSD_PERP, 100 USD a contract: volumes from the columns in coins, open interest from the value in coins."""
    said = {"symbols": [{"symbol": "BTCUSD_PERP", "pair": "BTCUSD", "contractType": "PERPETUAL", "contractSize": 100,
                         "baseAsset": "BTC", "quoteAsset": "USD", "marginAsset": "BTC"}]}  # fmt: skip
    item = binance.parse_instruments(said, "binancecoinm")["BTC/USD:BTC"]
    assert (item.inverse, item.contract_size, item.pair) == (True, 100.0, "BTCUSD")
    interest = [{"pair": "BTCUSD", "contractType": "PERPETUAL", "sumOpenInterest": "20000", "sumOpenInterestValue":
                 "40.0", "timestamp": 1591261042378}]  # fmt: skip
    assert binance.parse_open_interest(interest, item)["open_interest"].tolist() == [40.0]
    book = binance.parse_depth({"bids": [["50000", "10"]], "asks": [["50001", "5"]]}, item)
    assert book["quantity"].tolist() == [10 * 100 / 50_000, 5 * 100 / 50_001]
    tiers = [{"symbol": "BTCUSD_PERP", "brackets": [{"bracket": 1, "initialLeverage": 125, "qtyCap": 5, "qtyFloor": 0,
                                                     "maintMarginRatio": 0.004, "cum": 0.0}]}]  # fmt: skip
    assert binance.parse_brackets(tiers, item)[0]["maxNotional"] == 5


def test_capabilities_say_what_each_venue_has() -> None:
    table = lq.capabilities().set_index(["exchange", "kind"])
    assert table.loc[("gate", "liquidations"), "offered"]
    assert not table.loc[("bybit", "liquidations"), "offered"]
    assert "live stream" in table.loc[("bybit", "liquidations"), "note"]
    assert table.loc[("hyperliquid", "candles"), "reach"] == "5000 rows"
    assert not table.loc[("hyperliquid", "open_interest"), "offered"]
    assert table.loc[("binanceusdm", "leverage_tiers"), "key"]
    assert table.loc["okx", "offered"].to_dict()["open_interest"]


def test_the_command_line(venue: Any, tmp_path: Path) -> None:
    server = venue(candles=3000)
    command = ["fetch", BTC, "--timeframe", "1m", "--start", "2024-01-01", "--end", "2024-01-03", "--kinds",
               "candles,funding_rate", "--store", str(tmp_path), "--quiet"]  # fmt: skip
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "candles" in done.output and "2,880 rows   2024-01-01 00:00 … 2024-01-02 23:59" in done.output
    same(
        shelf.load(shelf.Key("binanceusdm", BTC, "candles", "1m"), START, after(2880), store=tmp_path),
        server.truth(2880),
    )
    wrong = CliRunner().invoke(app, ["fetch", "BTC/USD", "--start", "2024-01-01", "--store", str(tmp_path)])
    assert wrong.exit_code == 1
    assert "error: binanceusdm lists no 'BTC/USD'; did you mean 'BTC/USDT:USDT'" in " ".join(wrong.output.split())
    tiers = CliRunner().invoke(app, [*command, "--kinds", "leverage_tiers"])
    assert tiers.exit_code == 1
    assert "leverage_tiers hold as of today and are not stored; in Python, lq.fetch(" in " ".join(tiers.output.split())


def test_progress_bars_count_rows(
    venue: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    venue(candles=3000)
    monkeypatch.setattr("tqdm.auto.tqdm", tqdm.std.tqdm)  # a test before this one may have begun an IPython session
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lq.fetch(BTC, timeframe="1m", start=START, end=after(3000), kinds=["candles"], store=tmp_path)
    shown = capfd.readouterr().err
    assert "BTC/USDT:USDT candles: 100%" in shown and "3000/3000" in shown and "rows/s" in shown


# --- short and empty answers ------------------------------------------------------------------------------------------


def command(store: Path, *more: str, kinds: str = "candles", end: str = "2024-01-03") -> Any:
    given = ["fetch", BTC, "--timeframe", "1m", "--start", "2024-01-01", "--end", end, "--kinds", kinds, "--store",
             str(store), "--quiet", *more]  # fmt: skip
    return CliRunner().invoke(app, given)


def said(done: Any) -> str:
    return " ".join(done.output.split())


def test_a_short_answer_is_told_and_changes_the_exit_code(venue: Any, tmp_path: Path) -> None:
    """1,500 of 5,472 rows, then the rest: first 3, then 0."""
    server = venue(candles=6000, faults=[None, *["empty"] * 20])
    done = command(tmp_path, end="2024-01-04 19:12")
    assert done.exit_code == 3
    assert "short: candles of BTC/USDT:USDT on binanceusdm: 1,500 of 5,472 row(s) that are due" in said(done)
    assert "nothing from 2024-01-02 01:00 to 2024-01-04 19:12" in said(done)
    assert "candles 1,500 rows" in said(done)
    server.faults.clear()
    assert command(tmp_path, end="2024-01-04 19:12").exit_code == 0


def test_an_empty_answer_is_told_and_changes_the_exit_code(venue: Any, tmp_path: Path) -> None:
    venue(candles=3000, faults=["empty"] * 20)
    done = command(tmp_path)
    assert done.exit_code == 3
    assert "candles 0 rows" in said(done)
    assert "0 of 2,880 row(s) that are due; nothing from 2024-01-01 00:00 to 2024-01-03 00:00" in said(done)


@pytest.mark.parametrize("kind", ["mark_candles", "funding_rate"])
def test_every_kind_is_looked_at(venue: Any, tmp_path: Path, kind: str) -> None:
    server = venue(candles=3000)
    whole = server.answer
    ending = {"mark_candles": "markPriceKlines", "funding_rate": "fundingRate"}[kind]
    server.answer = lambda path, *rest: (200, b"[]") if path.endswith(ending) else whole(path, *rest)
    done = command(tmp_path, kinds=f"candles,{kind}")
    assert done.exit_code == 3
    assert f"short: {kind} of" in said(done) and "short: candles of" not in said(done)
    with pytest.warns(UserWarning, match=rf"{kind} of .*: 0 of (about )?[\d,]+ row\(s\) that are due"):
        get(tmp_path, 2880, kinds=["candles", kind])


def test_a_hole_in_the_middle_is_told_every_time(venue: Any, tmp_path: Path) -> None:
    venue(candles=3000, gaps=((1000, 1090),))
    for _ in range(2):
        done = command(tmp_path)
        assert done.exit_code == 3
        assert "2,790 of 2,880 row(s) that are due; nothing from 2024-01-01 16:40 to 2024-01-01 18:10" in said(done)


def test_what_is_not_due_is_not_short(venue: Any, tmp_path: Path) -> None:
    """Before the listing, after now, and what the venue says it no longer keeps."""
    server = venue(candles=35 * 288, step="5m", now="2024-02-05 00:03:00")
    given = ["fetch", BTC, "--timeframe", "5m", "--start", "2023-12-20", "--store", str(tmp_path), "--quiet"]
    for _ in range(2):
        done = CliRunner().invoke(app, given)
        assert done.exit_code == 0, done.output
        assert "keeps 30d only" in said(done) and "short" not in said(done)
    assert f"candles {35 * 288:,} rows" in said(done) and server.asked("/klines") > 0


def test_months_stored_with_both_sides_are_refused(tmp_path: Path) -> None:
    """Bybit's open interest as it was kept before it was halved: no mixture of the two."""
    end = after(48, 60)
    old = {"exchange": "bybit", "origin": "ccxt fetchOpenInterestHistory"}
    hours = pd.date_range(START, end, freq="h", name="time")
    candles = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close", "volume"), 100.0), index=hours[:-1])
    table = pd.DataFrame({"open_interest": 2_000.0}, index=hours)
    shelf.append(shelf.Key("bybit", BTC, "candles", "1h"), candles, START, end, store=tmp_path, origin=old)
    key = shelf.Key("bybit", BTC, "open_interest", "1h")
    until = end + pd.Timedelta(1, "ms")
    given = {"exchange": "bybit", "timeframe": "1h", "start": START, "end": end, "kinds": ["open_interest"]}
    shelf.append(key, table, START, until, store=tmp_path, origin=old)
    with pytest.raises(
        ValueError, match=r"2024-01 was stored with both sides of each trade counted.*delete .*fetch it again"
    ):
        lq.fetch(BTC, store=tmp_path, progress=False, **given)
    for file in key.folder(tmp_path).rglob("*.parquet"):
        file.unlink()
    shelf.append(key, table / 2, START, until, store=tmp_path, origin=old | {"sides": "both → one"})
    market = lq.fetch(BTC, store=tmp_path, progress=False, **given)
    assert market.sources["open_interest"]["note"] == "stamps every 1h; sides: both → one"
    assert set(market.open_interest["open_interest"]) == {1_000.0}


def test_open_interest_that_moves_more_than_was_traded_is_refused(venue: Any, tmp_path: Path) -> None:
    server = venue(candles=30 * 288, step="5m", now="2024-01-31 00:00:00")
    server.interest = server.interest * 1000.0  # contracts of 0.001 coins
    with pytest.raises(
        ValueError, match=r"open interest of BTC/USDT:USDT on binanceusdm moves by more coins than were"
    ):
        lq.fetch(BTC, timeframe="5m", start="2024-01-10", end="2024-01-20", kinds=["open_interest"], store=tmp_path,
                 progress=False)  # fmt: skip
