"""The store: the same data always as the same bytes, nothing half written, nothing kept that is not true."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import subprocess
import sys
import time
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from typer.testing import CliRunner

from liqlab import cli
from liqlab.loaders import store
from liqlab.loaders.store import keys, locked_writes, month, seals
from tests.store_writer import END, KEY, ORIGIN, START, candles, tree, write

DAY = pd.Timedelta(1, "D")
FLIPS = 1000 if os.environ.get("LIQLAB_LONG") == "1" else 200
MAY = pd.Timestamp("2024-05-01", tz="UTC")


def keep(folder: Path, start: Any = START, end: Any = END, **options: Any) -> None:
    start, end = pd.Timestamp(start), pd.Timestamp(end)
    store.append(KEY, candles(start, end), start, end, store=folder, **{"origin": ORIGIN} | options)


def at(text: str) -> pd.Timestamp:
    return pd.Timestamp(text, tz="UTC")


# --- what goes in comes out -------------------------------------------------------------------------------------------


def test_rows_come_back_to_the_last_bit(tmp_path: Path) -> None:
    keep(tmp_path)
    assert_frame_equal(store.load(KEY, START, END, store=tmp_path), candles()[month_columns()], check_exact=True)
    part = store.load(KEY, "2024-01-31 12:00", "2024-02-02", store=tmp_path)
    assert (part.index[0], part.index[-1]) == (at("2024-01-31 12:00"), at("2024-02-01 23:45"))
    names = [file.relative_to(tmp_path).as_posix() for file in sorted(tmp_path.rglob("*.parquet"))]
    folder = "exchange=binanceusdm/symbol=BTC%2FUSDT%3AUSDT/kind=candles/timeframe=15m"
    assert names == [f"{folder}/month=2024-{number:02}/data.parquet" for number in range(1, 5)]


def month_columns() -> list[str]:
    return ["open", "high", "low", "close", "volume", "trades"]


def test_what_is_not_there_is_an_empty_table_and_all_missing(tmp_path: Path) -> None:
    nothing = store.load(KEY, START, END, store=tmp_path / "none")
    assert list(nothing.columns) == ["open", "high", "low", "close", "volume"] and nothing.empty
    assert str(nothing.index.dtype) == "datetime64[us, UTC]"
    assert store.missing(KEY, START, END, store=tmp_path / "none") == [(START, END)]
    assert store.listing(tmp_path / "none").empty and store.verify(tmp_path / "none").empty
    assert not (tmp_path / "none").exists()


KINDS = {
    "mark_candles": ("1h", {"open": 2.0, "high": 3.0, "low": 1.0, "close": 2.5}),
    "open_interest": ("5m", {"open_interest": 7.0, "open_interest_value": np.nan, "taker_ratio": 1.5}),
    "funding_rate": ("", {"funding_rate": -1e-4, "funding_interval_hours": 8.0}),
    "liquidations": ("1h", {"long": 0.0, "short": 3.0}),
    "taker": ("1h", {"taker_buy_share": 0.25}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind(kind: str, tmp_path: Path) -> None:
    timeframe, row = KINDS[kind]
    key = store.Key("okx", "BTC/USD:BTC", kind, timeframe)
    table = pd.DataFrame(row, index=pd.date_range(MAY, periods=5, freq="1h", unit="us", name="time"))
    store.append(key, table, MAY, MAY + DAY, store=tmp_path, origin={})
    expected = table.dropna(axis=1)
    expected.index.freq = None  # type: ignore[attr-defined]
    assert_frame_equal(store.load(key, MAY, MAY + DAY, store=tmp_path), expected, check_exact=True)
    assert store.verify(tmp_path)["ok"].tolist() == [True]
    assert store.listing(tmp_path)[["kind", "timeframe", "rows"]].to_numpy().tolist() == [[kind, timeframe, 5]]


def test_duckdb_reads_it_as_it_lies(tmp_path: Path) -> None:
    keep(tmp_path)
    other = store.Key("bybit", "1000SHIB/USDT:USDT", "candles", "15m")
    store.append(other, candles(MAY - DAY, MAY), MAY - DAY, MAY, store=tmp_path, origin=ORIGIN)
    sql = f"read_parquet('{tmp_path.as_posix()}/**/*.parquet', hive_partitioning=true, union_by_name=true)"
    columns = "exchange, symbol, kind, timeframe, count(*), epoch(min(time)), sum(volume)"
    rows = duckdb.sql(f"select {columns} from {sql} group by all order by exchange").fetchall()
    assert rows[0][:5] == ("binanceusdm", "BTC/USDT:USDT", "candles", "15m", len(candles()))
    assert rows[1][:5] == ("bybit", "1000SHIB/USDT:USDT", "candles", "15m", 96)
    assert rows[0][5] == START.timestamp()
    assert rows[0][6] == pytest.approx(candles()["volume"].sum(), rel=1e-12)
    assert duckdb.sql(f"select typeof(time) from {sql} limit 1").fetchall() == [("TIMESTAMP WITH TIME ZONE",)]
    highs = duckdb.sql(f"select max(high) from {sql} where symbol = 'BTC/USDT:USDT' and month = '2024-02' "
                       "and time >= '2024-02-10 00:00:00+00' and time < '2024-02-11 00:00:00+00'")  # fmt: skip
    assert highs.fetchall() == [(candles().loc["2024-02-10", "high"].max(),)]


def test_pandas_reads_a_file_alone(tmp_path: Path) -> None:
    keep(tmp_path)
    file = keys.month_file(KEY, "2024-02", tmp_path)
    table = pd.read_parquet(file).set_index("time")
    assert_frame_equal(table, candles(at("2024-02-01"), at("2024-03-01")), check_exact=True)
    notes = json.loads(pq.read_schema(file).metadata[b"liqlab"])
    assert notes["version"] == 2
    assert notes["covered"] == [["2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"]]
    assert notes["origins"] == [{"origin": ORIGIN, "ranges": notes["covered"]}]


# --- the same data, the same bytes ------------------------------------------------------------------------------------


@settings(max_examples=10)
@given(cuts=st.lists(st.integers(1, 1000), max_size=6), seed=st.integers(0, 99), overlap=st.integers(0, 50))
def test_pages_in_whatever_order_and_size_give_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], seed: int, overlap: int
) -> None:
    """Pages overlap, come shuffled, and their rows too; two origins, so that these are told apart the same way."""
    start, end = at("2024-01-25"), at("2024-02-05")
    step = pd.Timedelta(15, "min")
    edges = [start, *sorted({start + step * cut for cut in cuts if start + step * cut < end}), end]
    pages = [(max(start, since - step * overlap), until) for since, until in pairwise(edges)]
    rng = np.random.default_rng(seed)
    one, many = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("many")
    keep(one, start, end)
    keep(one, start, start + DAY, origin={"source": "other"})
    keep(many, start, start + DAY, origin={"source": "other"})
    for number in rng.permutation(len(pages)):
        since, until = pages[number]
        page = candles(since, until)
        store.append(KEY, page.iloc[rng.permutation(len(page))], since, until, store=many, origin=ORIGIN)
    assert tree(one) == tree(many)
    stamps = {file: file.stat().st_mtime_ns for file in many.rglob("*.parquet")}
    keep(many, start, end)
    assert {file: file.stat().st_mtime_ns for file in many.rglob("*.parquet")} == stamps  # not even written again


@settings(max_examples=15)
@given(
    spans=st.lists(st.tuples(st.integers(0, 99), st.integers(1, 30)), max_size=8),
    ask=st.tuples(st.integers(0, 90), st.integers(1, 40)),
)
def test_missing_is_what_no_append_covered(
    tmp_path_factory: pytest.TempPathFactory, spans: list[tuple[int, int]], ask: tuple[int, int]
) -> None:
    """Against a set of hours; no rows at all, so that coverage alone is tested, over the end of a month."""
    folder, hour, zero = tmp_path_factory.mktemp("s"), pd.Timedelta(1, "h"), at("2024-01-30")
    covered: set[int] = set()
    for first, length in spans:
        store.append(KEY, candles()[:0], zero + hour * first, zero + hour * (first + length), store=folder, origin={})
        covered |= set(range(first, first + length))
    wanted = set(range(ask[0], ask[0] + ask[1]))
    found = store.missing(KEY, zero + hour * ask[0], zero + hour * sum(ask), store=folder)
    hours = [number for since, until in found for number in range((since - zero) // hour, (until - zero) // hour)]
    assert hours == sorted(wanted - covered)
    assert all(until < since for (_, until), (since, _) in pairwise(found))
    assert store.verify(folder)["ok"].all()


def test_a_range_known_to_be_empty_is_not_asked_for_again(tmp_path: Path) -> None:
    store.append(KEY, pd.DataFrame(), START, START + DAY, store=tmp_path, origin=ORIGIN)
    assert store.missing(KEY, START, START + 2 * DAY, store=tmp_path) == [(START + DAY, START + 2 * DAY)]
    assert store.load(KEY, START, START + DAY, store=tmp_path).empty
    assert "96 of 96 bar(s) are not there" in store.verify(tmp_path)["note"].iloc[0]
    keep(tmp_path, START, START + DAY)  # it was not empty after all
    assert len(store.load(KEY, START, START + DAY, store=tmp_path)) == 96


def test_other_values_at_a_stored_stamp_are_refused(tmp_path: Path) -> None:
    keep(tmp_path)
    before = tree(tmp_path)
    other = candles(START, START + DAY)
    other.loc[other.index[7], "volume"] = 1.5
    told = r"1 of 96 stamp\(s\) are stored with another volume, first 2024-01-01 01:45.*stored 5\.\d+, new 1\.5.*delete"
    with pytest.raises(ValueError, match=told):
        store.append(KEY, other, START, START + DAY, store=tmp_path, origin=ORIGIN)
    assert tree(tmp_path) == before


def test_a_second_source_adds_the_columns_that_the_first_lacks(tmp_path: Path) -> None:
    """One knows trades, the other taker buys; what is known for some candles only is left out, and told."""
    half, table = START + DAY / 2, candles(START, START + DAY)
    store.append(KEY, table, START, START + DAY, store=tmp_path, origin=ORIGIN)
    second = table.drop(columns="trades").assign(taker_buy_volume=table["volume"] / 2, quote_volume=1.0)[:48]
    store.append(KEY, second, START, half, store=tmp_path, origin={"source": "second"})
    with pytest.warns(UserWarning, match=r"left out what the source of some rows did not tell: quote_volume in 48 row"):
        found = store.load(KEY, START, START + DAY, store=tmp_path)
    assert list(found.columns) == [*month_columns(), "taker_buy_volume"]
    assert found["taker_buy_volume"].notna().tolist() == [True] * 48 + [False] * 48
    assert store.verify(tmp_path)["ok"].all()


# --- what is refused --------------------------------------------------------------------------------------------------


def _edited(**columns: Any) -> pd.DataFrame:
    return candles(MAY - DAY, MAY).assign(**columns)


REFUSED: dict[str, tuple[Any, Any]] = {
    "outside the range": (lambda: candles(MAY - DAY, MAY + DAY), r"96 row\(s\) lie outside the range.*cut the frame"),
    "unknown column": (lambda: _edited(vwap=1.0), r"the store keeps no column\(s\) vwap; it keeps open, high"),
    "column lacking": (lambda: candles(MAY - DAY, MAY).drop(columns="volume"), r"lacks the column\(s\) volume"),
    "no zone": (lambda: candles(MAY - DAY, MAY).tz_localize(None), "the index has no time zone"),
    "no times": (lambda: candles(MAY - DAY, MAY).reset_index(drop=True), "must be indexed by time"),
    "not a frame": (lambda: [1], "must be a pandas DataFrame, got list"),
    "infinite": (lambda: _edited(volume=np.inf), "numbers must be finite"),
    "negative": (lambda: _edited(low=-1.0), "prices are > 0"),
    "twice": (lambda: pd.concat([_edited(), _edited(volume=3.0)]), "stand twice with different values"),
    "off the grid": (lambda: candles(MAY - DAY, MAY).shift(freq="5min").iloc[:-1], r"are no multiples of 15m, first"),
    "finer": (lambda: candles(MAY - DAY, MAY, "5min"), r"are no multiples of 15m, first 2024-04-30 00:05"),
}  # fmt: skip


@pytest.mark.parametrize("fault", REFUSED)
def test_rows_that_cannot_be_kept(fault: str, tmp_path: Path) -> None:
    frame, message = REFUSED[fault]
    with pytest.raises((ValueError, TypeError), match=message):
        store.append(KEY, frame(), MAY - DAY, MAY, store=tmp_path, origin=ORIGIN)
    assert tree(tmp_path) == {}


def test_ranges_and_keys_that_make_no_sense(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="start must lie before end"):
        store.missing(KEY, MAY, MAY, store=tmp_path)
    with pytest.raises(ValueError, match=r"which is in the future.*end at now"):
        store.append(KEY, candles()[:0], START, pd.Timestamp.now("UTC") + 2 * DAY, store=tmp_path, origin=ORIGIN)
    with pytest.raises(TypeError, match="origin must hold plain text and numbers only"):
        keep(tmp_path, origin={"at": MAY})
    with pytest.raises(ValueError, match=r"no kind 'trades'; it keeps candles, mark_candles"):
        store.Key("okx", "BTC/USDT:USDT", "trades", "5m")
    with pytest.raises(ValueError, match="not a time frame: '1M'"):
        store.Key("okx", "BTC/USDT:USDT", "candles", "1M")
    with pytest.raises(ValueError, match="a key of the store needs its symbol, got ''"):
        store.Key("okx", "", "candles", "5m")


def test_a_thin_page_may_lack_bars(tmp_path: Path) -> None:
    """Bars at 0, 2 and 5 steps are on the grid, though no two of them are one step apart."""
    store.append(KEY, candles(START, START + DAY).iloc[[0, 2, 5]], START, START + DAY, store=tmp_path, origin=ORIGIN)
    assert store.verify(tmp_path)[["ok", "note"]].to_numpy().tolist() == [
        [True, "93 of 96 bar(s) are not there; the source has none"]
    ]


@given(symbol=st.text(min_size=1, max_size=12).filter(lambda text: text.strip() and "\x00" not in text))
def test_every_symbol_is_a_folder_name_and_back(symbol: str) -> None:
    try:
        symbol.encode()
    except UnicodeEncodeError:
        return
    key = store.Key("okx", symbol, "funding_rate", "")
    file = keys.month_file(key, "2024-05", "/s")
    assert keys.key_of(file, Path("/s").absolute()) == (key, "2024-05")
    assert all(
        part.isascii() and not set(part) & set('/\\:*?"<>|') for part in file.relative_to(Path("/s").absolute()).parts
    )


def test_where_the_store_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIQLAB_STORE", raising=False)
    assert store.folder().name == "store" and "liqlab" in store.folder().parts
    monkeypatch.setenv("LIQLAB_STORE", str(tmp_path / "a"))
    assert store.folder() == tmp_path / "a"
    assert store.folder(tmp_path / "b") == tmp_path / "b"
    keep(None)  # type: ignore[arg-type]
    assert len(store.listing(tmp_path / "a")) == 1


# --- the disk ---------------------------------------------------------------------------------------------------------

CODES = {
    errno.ENOSPC: "the disk is full: free space.*LIQLAB_STORE",
    errno.EROFS: "the file system is read-only: choose another place with store=",
    errno.EACCES: "you may not write there: change its permissions",
    errno.EDQUOT: "quota is used up",
    errno.EIO: "reports a fault",
}


@pytest.mark.parametrize("call", ["open", "write", "fsync", "replace"])
@pytest.mark.parametrize("code", CODES, ids=lambda code: errno.errorcode[code])
def test_a_disk_that_refuses_leaves_the_store_intact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    """The second half of a month, and a new month, meet a disk that refuses; afterwards the same run completes."""
    keep(tmp_path, START, START + 10 * DAY)
    before = tree(tmp_path)
    real = getattr(os, call)

    def refusing(*given: Any, **options: Any) -> Any:
        mine = call != "open" or (isinstance(given[0], Path) and given[0].suffix == locked_writes.LEFTOVER)
        if mine:
            raise OSError(code, os.strerror(code))
        return real(*given, **options)

    monkeypatch.setattr(os, call, refusing)
    with pytest.raises(OSError, match=f"{CODES[code]}.*What was stored before is intact") as caught:
        keep(tmp_path, START + 10 * DAY, START + 40 * DAY)
    assert caught.value.errno == code
    monkeypatch.undo()
    assert tree(tmp_path) == before
    assert not list(tmp_path.rglob("*.tmp"))
    keep(tmp_path, START + 10 * DAY, START + 40 * DAY)
    assert store.missing(KEY, START, START + 40 * DAY, store=tmp_path) == []
    assert store.verify(tmp_path)["ok"].all()


def test_a_disk_that_is_really_full_or_read_only(tmp_path: Path) -> None:
    mount = tmp_path / "small"
    mount.mkdir()
    if os.name == "nt" or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160k", "tmpfs", mount], check=False,
                                         capture_output=True).returncode:  # fmt: skip
        pytest.skip("no file system can be mounted here")
    try:
        with pytest.raises(OSError, match="the disk is full") as full:
            keep(mount)
        assert full.value.errno == errno.ENOSPC
        found = store.verify(mount)
        assert found["ok"].all() and len(found) >= 1
        gap = store.missing(KEY, START, END, store=mount)
        assert len(gap) == 1 and gap[0][0] > START and gap[0][1] == END
        subprocess.run(["mount", "-o", "remount,ro", mount], check=True)
        with pytest.raises(OSError, match="the file system is read-only") as locked:
            keep(mount, *gap[0])
        assert locked.value.errno == errno.EROFS
        assert store.missing(KEY, START, END, store=mount) == gap  # reading needs no lock and no right to write
        assert len(store.load(KEY, START, END, store=mount)) == (gap[0][0] - START) // pd.Timedelta(15, "min")
        assert store.listing(mount)["rows"].sum() > 0
    finally:
        subprocess.run(["umount", mount], check=False)


def test_a_leftover_is_harmless_and_goes_with_the_next_write(tmp_path: Path) -> None:
    keep(tmp_path, START, START + DAY)
    leftover = keys.month_file(KEY, "2024-01", tmp_path).with_name(".data.parquet.99.ab12.tmp")
    leftover.write_bytes(b"PAR1 half")
    found = store.verify(tmp_path)
    assert found["ok"].all() and found["note"].str.contains("leftover of an interrupted write").sum() == 1
    assert store.missing(KEY, START, START + DAY, store=tmp_path) == []
    sql = f"select count(*) from read_parquet('{tmp_path.as_posix()}/**/*.parquet', hive_partitioning=true)"
    assert duckdb.sql(sql).fetchall() == [(96,)]
    keep(tmp_path, START + DAY, START + 2 * DAY)
    assert not leftover.exists()


def test_who_waits_too_long_for_the_lock_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locked_writes, "MAX_LOCK_WAIT", 0.05)
    with (
        locked_writes.locked(KEY.folder(tmp_path)),
        pytest.raises(TimeoutError, match=r"another process.*for 0\.05 s; wait"),
    ):
        keep(tmp_path)


@pytest.mark.timeout(120)
def test_writers_and_readers_at_once(tmp_path: Path) -> None:
    """Three processes write the same months in pages of different lengths; a reader never sees half of one."""
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["tests.store_writer", "pyarrow.parquet", "filelock"])
    writers = [processes.Process(target=write, args=(tmp_path, seed)) for seed in range(3)]
    for writer in writers:
        writer.start()
    looks, seen, whole = 0, 0, candles()
    while any(writer.is_alive() for writer in writers):
        rows = store.load(KEY, START, END, store=tmp_path)
        assert_frame_equal(rows, whole.loc[rows.index, rows.columns], check_exact=True)
        gaps = store.missing(KEY, START, END, store=tmp_path)  # read later: it may know more, never less
        assert len(rows) <= len(whole) - sum((until - since) // pd.Timedelta(15, "min") for since, until in gaps)
        looks, seen = looks + 1, seen + (0 < len(rows) < len(whole))
        time.sleep(0.01)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert looks > 3 and seen > 0
    keep(tmp_path / "alone")
    assert tree(tmp_path / "alone") == {
        name: data for name, data in tree(tmp_path).items() if not name.startswith("alone")
    }


# --- verify -----------------------------------------------------------------------------------------------------------


def test_flipped_bits_are_found(tmp_path: Path) -> None:
    """A bit flipped anywhere is reported, read by nobody, and carried on by nobody."""
    start, end = START, START + 5 * DAY
    keep(tmp_path, start, end)
    file, rng = keys.month_file(KEY, "2024-01", tmp_path), np.random.default_rng(3)
    data = file.read_bytes()
    for place in [*rng.integers(0, len(data), FLIPS), len(data) - 1, len(data) - 6, 0]:
        flipped = bytearray(data)
        flipped[place] ^= 1 << int(rng.integers(8))
        file.write_bytes(bytes(flipped))
        with pytest.raises(ValueError, match=r"cannot be read|upgrade liqlab"):
            month.read(file)
        with pytest.raises(ValueError, match=r"cannot be read|upgrade liqlab"):
            month.check(file)
    assert store.verify(tmp_path)["ok"].tolist() == [False]


@pytest.mark.parametrize("part", ["rows", "notes"])
def test_a_damaged_month_is_set_aside_and_never_carried_on(part: str, tmp_path: Path) -> None:
    """Neither `repair` nor `append` takes over one of its rows; what it claimed is missing; the file is kept aside."""
    keep(tmp_path, START, START + 5 * DAY)
    file = keys.month_file(KEY, "2024-01", tmp_path)
    data = bytearray(file.read_bytes())
    data[len(data) // 3 if part == "rows" else len(data) - 40] ^= 4
    file.write_bytes(bytes(data))
    with pytest.raises(ValueError, match=r"sha256 differs.*delete it and fetch this month again"):
        store.load(KEY, START, END, store=tmp_path)
    other = candles(START + 5 * DAY, START + 6 * DAY)
    with pytest.warns(UserWarning, match=r"2024-01: the stored file is damaged .*sha256 differs.* was set aside as"):
        store.append(KEY, other, START + 5 * DAY, START + 6 * DAY, store=tmp_path, origin=ORIGIN)
    assert store.missing(KEY, START, START + 6 * DAY, store=tmp_path) == [(START, START + 5 * DAY)]
    assert len(store.load(KEY, START, END, store=tmp_path)) == 96
    (aside,) = file.parent.glob("*.damaged")
    assert aside.read_bytes() == bytes(data)
    assert "sha256 differs" in aside.with_name(f"{aside.name}.txt").read_text(encoding="utf-8")
    assert any("a damaged file, set aside" in note for note in store.verify(tmp_path)["note"])
    file.write_bytes(bytes(data))
    with pytest.warns(UserWarning, match="was set aside as"):
        store.repair(KEY, START, END, store=tmp_path)
    assert store.missing(KEY, START, START + DAY, store=tmp_path) == [(START, START + DAY)]


def test_a_file_of_form_1_is_checked_and_written_anew(tmp_path: Path) -> None:
    keep(tmp_path, START, START + 2 * DAY)
    file = keys.month_file(KEY, "2024-01", tmp_path)
    today = file.read_bytes()
    _other_notes(file, lambda notes: notes.update(version=1), form=1)
    old = file.read_bytes()
    assert store.missing(KEY, START, START + 2 * DAY, store=tmp_path) == []
    assert len(store.load(KEY, START, START + 2 * DAY, store=tmp_path)) == 192
    file.write_bytes(today)
    _other_notes(file, lambda notes: notes.update(version=1), form=1, change=lambda rows: rows * 2)
    with pytest.raises(ValueError, match="its content is not what was written"):
        store.load(KEY, START, START + 2 * DAY, store=tmp_path)
    file.write_bytes(old)
    store.repair(KEY, START, START + 2 * DAY, store=tmp_path)
    assert file.read_bytes() == today


def _other_notes(file: Path, change_notes: Any, *, form: int = 2, change: Any = None) -> None:
    """Write a file with other notes under a seal that fits (form 2), or as form 1, by rows that are then changed."""
    table = pq.read_table(file, partitioning=None)
    notes = json.loads(table.schema.metadata[b"liqlab"])
    notes |= {"body": seals.DIGITS, "sha256": seals.DIGITS}
    if form == 1:
        del notes["body"]
    change_notes(notes)
    if form == 1:
        frame = table.to_pandas().set_index("time")
        notes["sha256"] = month._content_digest(notes, frame)
        if change is not None:
            changed = change(frame).reset_index()
            table = pa.Table.from_pandas(changed, schema=table.schema.remove_metadata(), preserve_index=False)
    with pq.ParquetWriter(file, table.schema.remove_metadata()) as writer:
        writer.write_table(table.replace_schema_metadata())
        writer.add_key_value_metadata({"liqlab": json.dumps(notes, sort_keys=True, separators=(",", ":"))})
    if form == 2 and notes.keys() >= {"body", "sha256"}:
        file.write_bytes(seals.sealed(file.read_bytes()))


def _ranges(notes: dict[str, Any], *spans: list[str]) -> None:
    notes["covered"] = notes["origins"][0]["ranges"] = [[f"2024-{edge}T00:00:00Z" for edge in span] for span in spans]


WRONG: dict[str, tuple[Any, str]] = {
    "cut off": (lambda file: file.write_bytes(file.read_bytes()[:-100]), "cannot be read.*delete it and fetch"),
    "empty": (lambda file: file.write_bytes(b""), "cannot be read"),
    "not ours": (lambda file: candles(START, START + DAY).to_parquet(file), "was not written by liqlab's store"),
    "newer": (lambda file: _other_notes(file, lambda notes: notes.update(version=3)), "this liqlab knows 2; upgrade"),
    "no version": (lambda file: _other_notes(file, lambda notes: [notes.pop(n) for n in ("version", "body")]),
                   "its notes tell no version.*delete it and fetch"),
    "no seal": (lambda file: _other_notes(file, lambda notes: notes.pop("body")), "notes lack body|sha256 differs"),
    "other key": (lambda file: _other_notes(file, lambda notes: notes["key"].update(symbol="ETH/USDT:USDT")),
                  "was written as candles of ETH/USDT:USDT.*but lies where candles of BTC/USDT:USDT"),
    "other month": (lambda file: (file.parent.parent / "month=2024-02").mkdir() or
                    file.rename(file.parent.parent / "month=2024-02" / "data.parquet"), "is not inside"),
    "covers less": (lambda file: _other_notes(file, lambda notes: _ranges(notes, ["01-02", "01-03"])),
                    r"96 row\(s\) lie outside the covered ranges, first 2024-01-01 00:00"),
    "covers nothing": (lambda file: _other_notes(file, lambda notes: _ranges(notes)), "knows no range as complete"),
    "covers backwards": (lambda file: _other_notes(file, lambda notes: _ranges(notes, ["01-03", "01-01"])),
                         "is not inside"),
    "covers twice": (lambda file: _other_notes(file, lambda notes: _ranges(notes, *[["01-01", "01-03"]] * 2)),
                     "overlap or are not in order"),
    "stranger": (lambda file: file.rename(file.parent / "other.parquet"), "not a place of the store's layout"),
    "wrong month": (lambda file: file.parent.rename(file.parent.parent / "month=2024-13"), "not a place"),
}  # fmt: skip


@pytest.mark.parametrize("fault", WRONG)
def test_verify_finds(fault: str, tmp_path: Path) -> None:
    keep(tmp_path, START, START + 2 * DAY)
    change, message = WRONG[fault]
    change(keys.month_file(KEY, "2024-01", tmp_path))
    found = store.verify(tmp_path)
    assert found["ok"].tolist() == [False]
    with pytest.raises(ValueError, match=f"(?s){message}"):
        raise ValueError(found["problem"].iloc[0])


def test_verify_checks_rows_as_the_market_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for change, message in [
        (lambda table: table.assign(low=table["high"] + 1), "low must be <= open and close"),
        (lambda table: table.iloc[::-1], "do not ascend strictly"),
        (lambda table: table.set_axis(table.index + pd.Timedelta(1, "min")), "no multiples of 15m"),
        (lambda table: table.drop(columns="volume"), "its columns are open, high, low, close, trades, not"),
    ]:
        rows = change(candles(START, START + DAY))
        data = month.render(KEY, month.Month(rows, {"{}": [(START, START + 2 * DAY)]}))
        locked_writes.publish(keys.month_file(KEY, "2024-01", tmp_path), data)
        found = store.verify(tmp_path)
        assert found["ok"].tolist() == [False] and message in found["problem"].iloc[0]


def test_a_damaged_file_stops_whoever_needs_it_and_names_the_remedy(tmp_path: Path) -> None:
    keep(tmp_path)
    file = keys.month_file(KEY, "2024-02", tmp_path)
    file.write_bytes(b"PAR1")
    for use in (store.missing, store.load):
        with pytest.raises(
            ValueError, match=r"2024-02.data\.parquet cannot be read .*delete it and fetch this month again"
        ):
            use(KEY, START, END, store=tmp_path)
        use(KEY, START, at("2024-02-01"), store=tmp_path)
    assert store.listing(tmp_path)["unreadable"].tolist() == [1]
    file.unlink()
    assert store.missing(KEY, START, END, store=tmp_path) == [(at("2024-02-01"), at("2024-03-01"))]


def test_listing(tmp_path: Path) -> None:
    keep(tmp_path, START, START + DAY)
    keep(tmp_path, at("2024-03-05 12:00"), at("2024-03-06"))
    found = store.listing(tmp_path).iloc[0].to_dict()
    size = sum(file.stat().st_size for file in tmp_path.rglob("*.parquet"))
    assert found == {
        "exchange": "binanceusdm", "symbol": "BTC/USDT:USDT", "kind": "candles", "timeframe": "15m", "months": 2,
        "rows": 96 + 48, "first": START, "last": at("2024-03-05 23:45"), "start": START, "end": at("2024-03-06"),
        "holes": 1, "bytes": size, "unreadable": 0,
    }  # fmt: skip


# --- the command line, the room ---------------------------------------------------------------------------------------


def test_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIQLAB_STORE", str(tmp_path))
    run = CliRunner()
    said = run.invoke(cli.app, ["data", "list"])
    assert said.exit_code == 0 and "holds nothing yet" in said.output
    keep(tmp_path, START, START + DAY)
    said = run.invoke(cli.app, ["data", "list"])
    head, row, *_ = said.stdout.splitlines()
    assert head.split() == ["exchange", "symbol", "kind", "step", "rows", "from", "until", "holes", "MB"]
    assert row.split()[:8] == ["binanceusdm", "BTC/USDT:USDT", "candles", "15m", "96", "2024-01-01", "2024-01-02", "0"]
    said = run.invoke(cli.app, ["data", "verify"])
    assert said.exit_code == 0 and "1 file(s), 96 rows, 0 wrong" in said.stdout
    keys.month_file(KEY, "2024-01", tmp_path).write_bytes(b"PAR1")
    said = run.invoke(cli.app, ["data", "verify", "--store", str(tmp_path)])
    assert said.exit_code == 1 and "WRONG" in said.output and "fetch this month again" in said.output
    assert run.invoke(cli.app, ["data", "list"]).exit_code == 1


def test_import_stays_light() -> None:
    code = ("import sys, pandas; before = set(sys.modules); import liqlab.loaders.store; "
            "new = set(sys.modules) - before; "
            "sys.exit(' '.join(sorted({'pyarrow', 'filelock', 'platformdirs', 'requests'} & new)) or 0)")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_nothing_warns_on_the_way(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        keep(tmp_path)
        store.load(KEY, START, END, store=tmp_path)
        store.verify(tmp_path)


# --- places that cannot be a store ------------------------------------------------------------------------------------


def test_places_that_cannot_be_a_store(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    for use in (store.listing, store.verify, lambda place: store.missing(KEY, START, END, store=place)):
        with pytest.raises(
            ValueError, match=r"the store must be a folder, but .*file is a file; pass another with store="
        ):
            use(file)
    with pytest.raises(ValueError, match=r"symbol 'AAAAAAAAAAAAAAAAAAAA'… is too long.* 900 characters where 200"):
        store.Key("okx", "A" * 900, "candles", "5m")


def test_files_of_another_layout_are_told(tmp_path: Path) -> None:
    keep(tmp_path / "new", START, START + DAY)
    (tmp_path / "old" / "binanceusdm").mkdir(parents=True)
    keys.month_file(KEY, "2024-01", tmp_path / "new").rename(tmp_path / "old" / "binanceusdm" / "2024-01.parquet")
    said = CliRunner().invoke(cli.app, ["data", "list", "--store", str(tmp_path / "old")])
    assert said.exit_code == 1 and "nothing yet" not in said.output
    assert "1 parquet file(s), none where the store keeps its own, first binanceusdm/2024-01.parquet" in said.output
