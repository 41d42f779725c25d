"""The public archive: bytes to tables, names, what is absent, and a download that every fault was mixed into."""

from __future__ import annotations

import hashlib
import io
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import liqlab as lq
from liqlab.loaders import archive, archive_files, http, store
from liqlab.loaders.timestamps import instants
from liqlab.market.market import check_candles
from tests.archive_server import Archive, funding, klines, metrics, serving

NOW = pd.Timestamp("2024-08-10", tz="UTC")
UM = "data/futures/um"
SYMBOL = "BTC/USDT:USDT"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        http, "RETRY_POLICY", http.RetryPolicy(attempts=4, first=0.001, longest=0.002, connect=2, read=2)
    )


@pytest.fixture
def server() -> Iterator[Archive]:
    with serving() as archive:
        yield archive


def candles(start: Any, end: Any, step: str = "1h") -> pd.DataFrame:
    """The market that the tests' archive is about; the same stamp has the same values, whatever the range."""
    index = pd.date_range(start, end, freq=step, tz="UTC", inclusive="left", unit="us", name="time")
    index.freq = None
    hours = index.as_unit("ns").asi8 / 3.6e12
    close = 60_000 + 1_000 * np.sin(hours / 17)
    open_ = 60_000 + 1_000 * np.sin((hours - 1) / 17)
    volume = 10 + 5 * np.cos(hours / 5)
    return pd.DataFrame(
        {"open": open_, "high": np.maximum(open_, close) + 7, "low": np.minimum(open_, close) - 7, "close": close,
         "volume": volume, "quote_volume": volume * (open_ + close) / 2, "trades": np.round(volume * 3),
         "taker_buy_volume": volume * 0.4, "taker_buy_quote_volume": volume * 0.4 * (open_ + close) / 2},
        index=index,
    )  # fmt: skip


def fill(server: Archive, months: list[str], days: list[str] = [], **options: Any) -> None:  # noqa: B006
    for month in months:
        table = candles(month, pd.Timestamp(month) + pd.offsets.MonthBegin(1))
        server.put(f"{UM}/monthly/klines/BTCUSDT/1h/BTCUSDT-1h-{month}.zip", klines(table, **options))
    for day in days:
        table = candles(day, pd.Timestamp(day) + pd.Timedelta(1, "D"))
        server.put(f"{UM}/daily/klines/BTCUSDT/1h/BTCUSDT-1h-{day}.zip", klines(table, **options))


def fetched(server: Archive, start: Any, end: Any, *, kind: str = "candles", now: Any = NOW, **options: Any) -> Any:
    ranges = [(pd.Timestamp(start, tz="UTC"), pd.Timestamp(end, tz="UTC"))]
    timeframe = {"candles": "1h", "mark_candles": "1h", "open_interest": "5m"}.get(kind, "")
    options = {"symbol": SYMBOL, "timeframe": timeframe, "base_url": server.url, "now": now} | options
    return list(archive.pages(kind=kind, ranges=ranges, **options))


# --- bytes to tables ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("unit", ["ms", "us"])
def test_candles_come_back_to_the_last_bit(header: bool, unit: str) -> None:
    table = candles("2024-05-01", "2024-05-03")
    csv = klines(table, header=header, unit=unit).encode()
    parsed = archive_files.parse(csv, "candles", file="x.zip", now=NOW)
    assert_frame_equal(parsed.frame, table, check_exact=True)
    assert parsed.left_out == {}
    marks = archive_files.parse(csv, "mark_candles", file="x.zip", now=NOW).frame
    assert_frame_equal(marks, table[["open", "high", "low", "close"]], check_exact=True)


def test_coin_margined_candles_are_in_coins() -> None:
    """206 contracts of 100 USD at 9641 are 2.13660389 coins: the example of the archive's own description."""
    row = "1591258320000,9640.7,9642.4,9640.6,9642.0,206,1591258379999,2.13660389,48,119,1.23424865,0\n"
    frame = archive_files.parse(row.encode(), "candles", file="x.zip", now=NOW, inverse=True).frame
    assert frame.iloc[0].to_dict() == {
        "open": 9640.7, "high": 9642.4, "low": 9640.6, "close": 9642.0,
        "volume": 2.13660389, "trades": 48.0, "taker_buy_volume": 1.23424865,
    }  # fmt: skip
    assert 206 * 100 / frame["volume"].iloc[0] == pytest.approx(9641, rel=1e-3)
    check_candles(frame)


def test_open_interest_without_a_value_off_the_grid_or_twice_is_left_out_and_counted() -> None:
    values = {"2024-05-01 00:05:00": 10, "2024-05-01 00:10:00": 0, "2024-05-01 00:15:00": "",
              "2024-05-01 00:21:07": 11, "2024-05-01 00:25:00": 12, "2024-05-01 00:30:00": 13}  # fmt: skip
    csv = metrics(values) + metrics({"2024-05-01 00:30:00": 14, "2024-05-01 00:25:00": 12}).partition("\n")[2]
    parsed = archive_files.parse(csv.encode(), "open_interest", file="x.zip", now=NOW)
    assert parsed.frame["open_interest"].to_dict() == {
        pd.Timestamp("2024-05-01 00:05", tz="UTC"): 10.0, pd.Timestamp("2024-05-01 00:25", tz="UTC"): 12.0,
    }  # fmt: skip
    assert parsed.left_out == {"without a value": 2, "off the 5-minute grid": 1, "twice with different values": 2}
    assert parsed.frame.iloc[0].tolist() == [10.0, 1000.0, 1.1, 1.2, 1.3, 1.4]


def test_funding_keeps_its_odd_milliseconds() -> None:
    parsed = archive_files.parse(
        funding({1714521600003: 1e-4, 1714550400000: -3e-5}).encode(), "funding_rate", file="x", now=NOW
    )
    assert parsed.frame["funding_rate"].tolist() == [1e-4, -3e-5]
    assert parsed.frame.index[0] == pd.Timestamp("2024-05-01 00:00:00.003", tz="UTC")


def test_labels_of_open_interest_become_instants() -> None:
    """Until 24 June 2026 a label is the instant of the snapshot, since then it lies five minutes before it."""
    old = pd.date_range("2026-06-24 00:05", "2026-06-25 00:00", freq="5min", tz="UTC")
    new = pd.date_range("2026-06-25 00:00", "2026-06-25 23:55", freq="5min", tz="UTC")
    assert instants(old).equals(pd.DatetimeIndex(old))
    assert instants(new).equals(pd.DatetimeIndex(new + pd.Timedelta(5, "min")))
    whole = instants(old.append(new))
    assert whole.is_unique
    assert (whole[1:] - whole[:-1] == pd.Timedelta(5, "min")).all()


def _zip(**members: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize("place", [0.1, 0.4, 0.6, 0.95])
def test_torn_zips_never_become_tables(place: float) -> None:
    data = _zip(a=klines(candles("2024-05-01", "2024-05-08")))
    cut = int(len(data) * place)
    for broken in (data[:cut], data[:cut] + bytes(len(data) - cut), b"", b"<html>"):
        with pytest.raises(ValueError, match=r"x\.zip: cannot be unpacked"):
            archive_files.unzip(broken, "x.zip")
    with pytest.raises(ValueError, match="holds 2 files where one is expected"):
        archive_files.unzip(_zip(a="1", b="2"), "x.zip")


def test_checksums() -> None:
    seal = hashlib.sha256(b"abc").hexdigest()
    assert archive_files.checksum(b"abc", f"{seal}  a.zip\n", "a.zip") == seal
    assert archive_files.checksum(b"abc", f"{seal.upper()} *x/a.zip", "a.zip") == seal
    for text, message in [
        (f"{seal}  b.zip", "is about 'b.zip'"),
        ("<html>", "is not '<sha256>"),
        (f"{'0' * 64}  a.zip", "its sha256 is ba7816bf8f01…, the archive states 000000000000…"),
    ]:
        with pytest.raises(ValueError, match=message):
            archive_files.checksum(b"abc", text, "a.zip")


@pytest.mark.parametrize(
    ("kind", "csv", "message"),
    [
        ("candles", "a,b,c\n1,2,3\n", "its columns are a, b, c, where klines has open_time, open"),
        ("candles", "open_time,close,high,low,open,volume,close_time,quote_volume,count,taker_buy_volume,"
                    "taker_buy_quote_volume,ignore\n" + "1," * 11 + "1\n", "has the archive changed"),
        ("candles", "1714521600000,1,2,x,1,1,1,1,1,1,1,1\n", "column 'low', row 0 is not a number: 'x'"),
        ("candles", "99,1,2,1,1,1,1,1,1,1,1,1\n", "is no epoch"),
        ("candles", "", "is no table"),
        ("open_interest", metrics({"2024-05-01 00:05:00": 1}, symbol="ETHUSDT"), "rows of ETHUSDT, not of BTCUSDT"),
    ],
)  # fmt: skip
def test_tables_that_are_not_what_they_should_be(kind: str, csv: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        archive_files.parse(csv.encode(), kind, file="x.zip", now=NOW, instrument="BTCUSDT")


@pytest.mark.parametrize(
    ("symbol", "where", "unified"),
    [
        ("BTC/USDT:USDT", ("binanceusdm", "um", "BTCUSDT"), "BTC/USDT:USDT"),
        ("1000SHIBUSDT", ("binanceusdm", "um", "1000SHIBUSDT"), "1000SHIB/USDT:USDT"),
        ("BTC/USD:BTC", ("binancecoinm", "cm", "BTCUSD_PERP"), "BTC/USD:BTC"),
        ("BTCUSD_PERP", ("binancecoinm", "cm", "BTCUSD_PERP"), "BTC/USD:BTC"),
        ("ETHUSD_240628", ("binancecoinm", "cm", "ETHUSD_240628"), "ETH/USD:ETH-240628"),
        ("BTC/USDC:USDC", ("binanceusdm", "um", "BTCUSDC"), "BTC/USDC:USDC"),
    ],
)
def test_names(symbol: str, where: tuple[str, str, str], unified: str) -> None:
    assert archive_files.instrument(symbol) == where
    assert archive.key_for(symbol, "candles", "1h") == store.Key(where[0], unified, "candles", "1h")


@pytest.mark.parametrize(
    ("symbol", "kind", "timeframe", "message"),
    [
        ("BTC/USDT", "candles", "1h", "not a futures symbol of Binance: 'BTC/USDT'; write"),
        (SYMBOL, "taker", "5m", "the archive has no taker; it has candles.*taker-buy volume is in the candles"),
        (SYMBOL, "candles", "7m", "the archive has no '7m' candles; it has 1m, 3m"),
        (SYMBOL, "open_interest", "1h", "open interest every 5m, not every 1h; take 5m"),
        ("BTC/USD:BTC", "open_interest", "5m", "in contracts and does not tell their size; convert"),
    ],
)
def test_what_the_archive_does_not_have(symbol: str, kind: str, timeframe: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        archive.get(symbol, kind, timeframe, "2024-05-01", "2024-05-02")


# --- which files ----------------------------------------------------------------------------------------------------


def test_whole_months_as_months_the_running_one_as_days(server: Archive) -> None:
    fill(server, ["2024-06", "2024-07"], ["2024-08-01", "2024-08-02"])
    got = fetched(server, "2024-06-15 12:00", "2024-08-03", now="2024-08-03 01:00")
    assert_frame_equal(
        pd.concat([page[0] for page in got]), candles("2024-06-15 12:00", "2024-08-03"), check_exact=True
    )
    assert [page[1:3] for page in got] == [
        tuple(pd.Timestamp(edge, tz="UTC") for edge in span)
        for span in [("2024-06-15 12:00", "2024-07-01"), ("2024-07-01", "2024-08-01"), ("2024-08-01", "2024-08-02"),
                     ("2024-08-02", "2024-08-03")]
    ]  # fmt: skip
    assert not any("08.zip" in path for path in server.asked)
    path = f"{UM}/monthly/klines/BTCUSDT/1h/BTCUSDT-1h-2024-06.zip"
    assert got[0][3] == {"source": "Binance public archive", "file": path,
                         "sha256": hashlib.sha256(server.files[path]).hexdigest()}  # fmt: skip


def test_absent_days_are_told_once_and_never_filled(server: Archive) -> None:
    """June has no monthly zip and lacks two days (old: answered with nothing); the last day of August is young."""
    days = [f"2024-06-{day:02}" for day in range(1, 31) if day not in (7, 20)]
    fill(server, ["2024-07"], [*days, "2024-08-01"])
    told = r"lacks 3 file\(s\) of candles of BTCUSDT: 2024-06-07, 2024-06-20, 2024-08-02; nothing was filled in"
    with pytest.warns(UserWarning, match=told) as seen:
        got = fetched(server, "2024-06-01", "2024-08-03")
    assert len(seen) == 1
    empty = [page for page in got if page[0].empty]
    assert [f"{page[1]:%Y-%m-%d}" for page in empty] == ["2024-06-07", "2024-06-20"]
    assert all(page[3]["absent"] for page in empty)
    assert sum(len(page[0]) for page in got) == (28 + 31 + 1) * 24
    assert got[-1][2] == pd.Timestamp("2024-08-02", tz="UTC")


def test_a_symbol_that_is_nowhere_is_an_error_and_never_known_as_empty(server: Archive, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"the archive has nothing of NOPE/USDT:USDT.*check the symbol"):
        archive.get("NOPE/USDT:USDT", "candles", "1h", "2024-05-01", "2024-07-01", base_url=server.url, store=tmp_path)
    assert store.listing(tmp_path).empty
    fill(server, ["2024-06"])
    with pytest.warns(UserWarning, match="lacks 31 file"):  # before its listing: nothing, once the symbol is known
        table = archive.get(SYMBOL, "candles", "1h", "2024-05-01", "2024-07-01", base_url=server.url, store=tmp_path)
    assert len(table) == 30 * 24
    server.asked.clear()
    assert store.missing(archive.key_for(SYMBOL, "candles", "1h"), "2024-05-01", "2024-07-01", store=tmp_path) == []
    again = archive.get(SYMBOL, "candles", "1h", "2024-05-01", "2024-07-01", base_url=server.url, store=tmp_path)
    assert_frame_equal(again, table, check_exact=True)
    assert not server.asked


def _labels(day: str, first: str = "00:05") -> pd.DatetimeIndex:
    return pd.date_range(f"{day} {first}", periods=288, freq="5min")


def _metrics_day(server: Archive, day: str, first: str = "00:05", keep: int = 288, slow: int = 1) -> None:
    """Open interest = minutes since 2024 of the label; `slow` times less, where candles stand beside it."""
    minutes = (_labels(day, first) - pd.Timestamp("2024-01-01")) / pd.Timedelta(slow, "min")
    values = dict(zip(_labels(day, first).strftime("%Y-%m-%d %H:%M:%S"), minutes, strict=True))
    path = f"{UM}/daily/metrics/BTCUSDT/BTCUSDT-metrics-{day}.zip"
    server.put(path, metrics(dict(list(values.items())[:keep])))


def test_open_interest_of_midnight_comes_from_the_day_before(server: Archive) -> None:
    for day in ("2024-04-30", "2024-05-01", "2024-05-02"):
        _metrics_day(server, day)
    got = fetched(server, "2024-05-01", "2024-05-03", kind="open_interest")
    rows = pd.concat([page[0] for page in got])
    expected = pd.date_range("2024-05-01", "2024-05-03", freq="5min", tz="UTC", inclusive="left")
    assert list(rows.index) == list(expected)
    minutes = (expected - pd.Timestamp("2024-01-01", tz="UTC")) // pd.Timedelta(1, "min")
    assert rows["open_interest"].tolist() == minutes.tolist()
    assert [(len(page[0]), page[1].day, page[2].day) for page in got] == [(288, 1, 2), (288, 2, 3)]


def test_the_instant_at_the_end_of_a_range_needs_no_file_of_its_own(server: Archive) -> None:
    """Midnight closes the last bar, and stands in the file of the day before, not in that of the running day."""
    for day in ("2024-08-08", "2024-08-09"):
        _metrics_day(server, day)
    got = fetched(server, "2024-08-09", "2024-08-10 00:00:00.001", kind="open_interest")
    assert [len(page[0]) for page in got] == [288, 1]
    assert got[-1][0].index[0] == NOW and got[-1][2] == NOW + pd.Timedelta(1, "ms")
    assert got[-1][3]["file"].endswith("2024-08-09.zip")
    assert not any("2024-08-10" in path for path in server.asked)


def test_open_interest_without_the_day_before_lacks_one_row_only(server: Archive) -> None:
    _metrics_day(server, "2024-05-01", keep=163)
    _metrics_day(server, "2024-05-03")
    with pytest.warns(UserWarning, match=r"lacks 1 file\(s\) of open_interest of BTCUSDT: 2024-05-02;"):
        got = fetched(server, "2024-05-01", "2024-05-04", kind="open_interest")
    assert [len(page[0]) for page in got] == [163, 0, 287]
    assert got[0][0].index[0] == pd.Timestamp("2024-05-01 00:05", tz="UTC")


def test_open_interest_across_the_change_of_labels(server: Archive) -> None:
    for day, first in [
        ("2026-06-23", "00:05"),
        ("2026-06-24", "00:05"),
        ("2026-06-25", "00:00"),
        ("2026-06-26", "00:00"),
    ]:
        _metrics_day(server, day, first)
    got = fetched(server, "2026-06-24", "2026-06-27", kind="open_interest", now="2026-07-10")
    rows = pd.concat([page[0] for page in got])
    assert list(rows.index) == list(pd.date_range("2026-06-24", "2026-06-27", freq="5min", tz="UTC", inclusive="left"))
    minutes = (rows.index - pd.Timestamp("2024-01-01", tz="UTC")) // pd.Timedelta(1, "min")
    lag = minutes - rows["open_interest"].to_numpy()
    assert set(lag[rows.index <= pd.Timestamp("2026-06-25", tz="UTC")]) == {0}
    assert set(lag[rows.index > pd.Timestamp("2026-06-25", tz="UTC")]) == {5}


def test_funding_and_mark_candles(server: Archive, tmp_path: Path) -> None:
    stamps = pd.date_range("2024-05-01", "2024-06-01", freq="8h", tz="UTC", inclusive="left").as_unit("ms").asi8
    server.put(f"{UM}/monthly/fundingRate/BTCUSDT/BTCUSDT-fundingRate-2024-05.zip",
               funding({int(stamp) + 2: 1e-4 for stamp in stamps}))  # fmt: skip
    rates = archive.get(SYMBOL, "funding_rate", "", "2024-05-01", "2024-06-01", base_url=server.url, store=tmp_path)
    assert len(rates) == 93 and set(rates["funding_rate"]) == {1e-4}
    table = candles("2024-05-01", "2024-06-01")
    server.put(f"{UM}/monthly/markPriceKlines/BTCUSDT/1h/BTCUSDT-1h-2024-05.zip", klines(table))
    marks = archive.get(SYMBOL, "mark_candles", "1h", "2024-05-02", "2024-05-09", base_url=server.url, store=tmp_path)
    assert_frame_equal(marks, table.loc["2024-05-02":"2024-05-08", ["open", "high", "low", "close"]], check_exact=True)
    assert store.verify(tmp_path)["ok"].all()


# --- faults ---------------------------------------------------------------------------------------------------------


def tree(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*.parquet")}


def test_faults_that_pass_leave_the_same_bytes(server: Archive, tmp_path: Path) -> None:
    fill(server, ["2024-05", "2024-06"], ["2024-07-01"])
    options: dict[str, Any] = {"base_url": server.url}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        smooth = archive.get(SYMBOL, "candles", "1h", "2024-05-01", "2024-07-02", store=tmp_path / "a", **options)
        for number, path in enumerate(sorted(server.files)):
            faults = ["reset", "500", "short", "429", "502", "corrupt", "418"]
            mine = faults[number % 7 :] + faults[: number % 7]
            server.faults[path] = [fault for fault in mine if fault != "corrupt" or number % 2][:3]
            if path.endswith(".CHECKSUM"):
                server.faults[path] = [*mine[:2], "wrong"] if number % 3 else ["wrong"]
        rough = archive.get(SYMBOL, "candles", "1h", "2024-05-01", "2024-07-02", store=tmp_path / "b", **options)
    assert not any(server.faults.values())
    assert_frame_equal(rough, smooth, check_exact=True)
    assert_frame_equal(rough, candles("2024-05-01", "2024-07-02"), check_exact=True)
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


@pytest.mark.parametrize(
    ("fault", "suffix", "message"),
    [
        ("corrupt", "", r"its sha256 is .* \(3 downloads\); nothing of it was kept.*fetch around this file"),
        ("wrong", ".CHECKSUM", r"the archive states 000000000000… \(3 downloads\)"),
        ("404", ".CHECKSUM", "publishes no checksum of it, so it cannot be verified"),
        ("reset", "", r"the connection failed or broke \(4 attempt\(s\)\).*run the same again"),
        ("500", "", r"status 500 \(4 attempt\(s\)\)"),
        ("400", "", "refused with status 400; is the archive's address right"),
    ],
)
def test_faults_that_stay_are_errors_and_the_store_is_intact(
    server: Archive, tmp_path: Path, fault: str, suffix: str, message: str
) -> None:
    fill(server, ["2024-05", "2024-06", "2024-07"])
    path = f"{UM}/monthly/klines/BTCUSDT/1h/BTCUSDT-1h-2024-06.zip{suffix}"
    server.faults[path] = [fault] * 50
    options: dict[str, Any] = {"base_url": server.url, "store": tmp_path}
    with pytest.raises(http.FetchError, match=message):
        archive.get(SYMBOL, "candles", "1h", "2024-05-01", "2024-08-01", **options)
    assert store.verify(tmp_path)["ok"].tolist() == [True]
    assert len(store.load(archive.key_for(SYMBOL, "candles", "1h"), "2024-05-01", "2024-08-01", store=tmp_path)) == 744
    server.faults.clear()
    server.asked.clear()
    table = archive.get(SYMBOL, "candles", "1h", "2024-05-01", "2024-08-01", **options)
    assert_frame_equal(table, candles("2024-05-01", "2024-08-01"), check_exact=True)
    assert [zip_[-11:-4] for zip_ in server.zips()] == ["2024-06", "2024-07"]


def test_rows_of_other_dates_are_refused(server: Archive) -> None:
    path = f"{UM}/monthly/klines/BTCUSDT/1h/BTCUSDT-1h-2024-05.zip"
    server.put(path, klines(candles("2024-05-01", "2024-06-01 01:00")))
    with pytest.raises(http.FetchError, match=r"1 row\(s\) lie outside the file's own dates, first 2024-06-01"):
        fetched(server, "2024-05-01", "2024-05-02")


# --- by way of lq.fetch -----------------------------------------------------------------------------------------------


def test_fetch_takes_past_days_from_the_archive(
    server: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything asked for is in the archive, so the exchange (a dead address) is not asked at all."""
    fill(server, ["2024-05", "2024-06"])
    for day in pd.date_range("2024-05-30", "2024-06-01"):
        _metrics_day(server, f"{day:%Y-%m-%d}", slow=100)
    monkeypatch.setenv("LIQLAB_ARCHIVE_URL", server.url)
    monkeypatch.setenv("LIQLAB_BINANCEUSDM_URL", "http://127.0.0.1:9")
    options: dict[str, Any] = {"timeframe": "1h", "start": "2024-05-31", "end": "2024-06-02", "archive": True,
                               "kinds": ["candles", "open_interest"], "store": tmp_path, "progress": False}  # fmt: skip
    market = lq.fetch(SYMBOL, **options)
    assert_frame_equal(market.candles, candles("2024-05-31", "2024-06-02"), check_exact=True)
    assert market.open_interest is not None
    assert len(market.open_interest) == 2 * 288 + 1 and market.open_interest.index[-1] == market.end
    assert "Binance public archive" in market.sources["candles"]["origin"]
    server.asked.clear()
    lq.fetch(SYMBOL, **options)
    assert not server.asked
    with pytest.raises(ValueError, match="the public archive is Binance's; bybit has none: leave archive out"):
        lq.fetch(SYMBOL, **options | {"exchange": "bybit"})
