"""Reading: every layout gives the same market, every fault is named with its remedy, nothing happens in silence."""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import sys
import tempfile
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

import liqlab as lq
from liqlab.loaders import _read, column_names, read, store
from liqlab.loaders.layouts import EVENTS
from liqlab.market.checks import TIER_COLUMNS
from liqlab.market.market import PRICES

N = 24
UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
KLINE_HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"
)
TEXT_OHLCV = ["open", "high", "low", "close", "volume"]


def truth(n: int = N, start: str = "2024-05-01") -> Any:
    """Candles as they trade: each opens where the one before closed; floats that a sloppy parser would round."""
    rng = np.random.default_rng(1)
    price = 60_000 * np.exp(np.cumsum(rng.normal(0, 1e-3, n + 1)))
    open_, close = price[:-1], price[1:]
    volume = rng.uniform(1, 100, n) / 3
    table: Any = pd.DataFrame(
        {
            "open": open_,
            "high": np.maximum(open_, close) * 1.001,
            "low": np.minimum(open_, close) * 0.999,
            "close": close,
            "volume": volume,
            "quote_volume": volume * (open_ + close) / 2,
            "trades": rng.integers(10, 1000, n).astype(float),
            "taker_buy_volume": volume * 0.6,
            "taker_buy_quote_volume": volume * 0.6 * (open_ + close) / 2,
        },
        index=pd.date_range(start, periods=n, freq="5min", tz="UTC", unit="us", name="time"),
    )
    table.index.freq = None
    return table


def epoch(index: Any, unit: str = "ms") -> np.ndarray:
    return index.as_unit("ns").asi8 // (10**9 // UNITS[unit])


def klines(table: Any, unit: str = "ms", text: bool = False) -> list[list]:
    """The twelve columns of Binance."""
    rows = []
    for stamp, row in zip(epoch(table.index, unit).tolist(), table.itertuples(index=False), strict=True):
        spell: Any = repr if text else float
        rows.append([stamp, *(spell(getattr(row, c)) for c in TEXT_OHLCV), stamp + 300 * UNITS[unit] - 1,
                     spell(row.quote_volume), int(row.trades), spell(row.taker_buy_volume),
                     spell(row.taker_buy_quote_volume), "0"])  # fmt: skip
    return rows


def ccxt_rows(table: Any, unit: str = "ms") -> list[list]:
    return [
        [t, *row] for t, row in zip(epoch(table.index, unit).tolist(), table[TEXT_OHLCV].values.tolist(), strict=True)
    ]


def lines(rows: list[list], delimiter: str = ",") -> str:
    return "\n".join(delimiter.join(str(field) for field in row) for row in rows) + "\n"


def csv_of(table: Any, **options: Any) -> str:
    return table[TEXT_OHLCV].to_csv(**options)


# --- layouts: one way of writing per entry; each must give the truth back, to the last bit ------------------------


def _write(folder: Path, name: str, content: str | bytes) -> Path:
    file = folder / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def _zip(folder: Path, name: str, members: dict[str, str]) -> Path:
    with zipfile.ZipFile(folder / name, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return folder / name


def _feather(folder: Path, table: pd.DataFrame, name: str) -> Path:
    table.to_feather(folder / name)
    return folder / name


def _parquet(folder: Path, table: pd.DataFrame) -> Path:
    table.to_parquet(folder / "x.parquet")
    return folder / "x.parquet"


FULL = {
    "archive, header": lambda d, t: _write(d, "x.csv", KLINE_HEADER + "\n" + lines(klines(t))),
    "archive, no header": lambda d, t: _write(d, "x.csv", lines(klines(t))),
    "archive, µs": lambda d, t: _write(d, "x.csv", lines(klines(t, "us"))),
    "archive, ms then µs": lambda d, t: _write(d, "x.csv", lines(klines(t[:9]) + klines(t[9:], "us"))),
    "archive, zip": lambda d, t: _zip(d, "x.zip", {"x.csv": lines(klines(t))}),
    "REST": lambda d, t: _write(d, "x.json", json.dumps(klines(t, text=True))),
    "REST, in memory": lambda d, t: klines(t, text=True),
    "REST, s": lambda d, t: klines(t, "s", text=True),
    "long names": lambda d, t: _write(
        d,
        "x.csv",
        "open_time,open,high,low,close,volume,close_time,quote_asset_volume,number_of_trades,"
        "taker_buy_base_asset_volume,taker_buy_quote_asset_volume,ignore\n" + lines(klines(t)),
    ),
    "own csv": lambda d, t: _write(d, "x.csv", t.to_csv()),
    "own csv.gz": lambda d, t: _write(d, "x.csv.gz", gzip.compress(t.to_csv().encode())),
    "own parquet": lambda d, t: _parquet(d, t),
    "own parquet, no index": lambda d, t: _parquet(d, t.reset_index()),
    "own frame": lambda d, t: t,
    "own frame, other zone": lambda d, t: t.tz_convert("America/New_York"),
    "own frame, timestamp objects": lambda d, t: t.reset_index().astype({"time": object}),
    "own frame, epoch in a named index": lambda d, t: t.set_axis(pd.Index(epoch(t.index), name="time")),
    "own frame, ns": lambda d, t: t.set_axis(t.index.as_unit("ns")),
}
PLAIN = {
    "ccxt list": lambda d, t: ccxt_rows(t),
    "ccxt json": lambda d, t: _write(d, "x.json", json.dumps(ccxt_rows(t))),
    "ccxt csv, no header": lambda d, t: _write(d, "x.csv", lines(ccxt_rows(t))),
    "ccxt frame": lambda d, t: pd.DataFrame(ccxt_rows(t), columns=["timestamp", *TEXT_OHLCV]),
    "freqtrade": lambda d, t: _feather(d, t[TEXT_OHLCV].rename_axis("date").reset_index(), "x.feather"),
    "TradingView": lambda d, t: _write(
        d,
        "x.csv",
        csv_of(t.set_axis(pd.Index(epoch(t.index, "s"), name="time"))).replace("volume", "Volume"),
    ),
    "datetime, capitals": lambda d, t: _write(
        d, "x.csv", csv_of(t, index_label="datetime").title().replace("Utc", "UTC")
    ),
    "date as index": lambda d, t: t[TEXT_OHLCV].rename_axis("Date").rename(columns=str.capitalize),
    "tab": lambda d, t: _write(d, "x.tsv", csv_of(t, sep="\t")),
    "semicolon": lambda d, t: _write(d, "x.csv", csv_of(t, sep=";")),
    "byte order mark, CRLF": lambda d, t: _write(d, "x.csv", "\ufeff" + csv_of(t, lineterminator="\r\n")),
    "offset +02:00": lambda d, t: _write(d, "x.csv", csv_of(t.tz_convert("Europe/Berlin"))),
    "Z": lambda d, t: _write(d, "x.csv", csv_of(t, date_format="%Y-%m-%dT%H:%M:%SZ")),
    "UTC spelled out": lambda d, t: _write(d, "x.csv", csv_of(t, date_format="%Y-%m-%d %H:%M:%S UTC")),
    "epoch as float": lambda d, t: _write(
        d, "x.csv", csv_of(t.set_axis(pd.Index(epoch(t.index, "s") / 1.0, name="time")))
    ),
}


@pytest.mark.parametrize("layout", [*FULL, *PLAIN])
def test_layout_gives_the_truth_back(layout: str, tmp_path: Path) -> None:
    table = truth()
    expected = table if layout in FULL else table[TEXT_OHLCV]
    market = read((FULL | PLAIN)[layout](tmp_path, table), symbol="BTC/USDT:USDT", exchange="binanceusdm")
    assert_frame_equal(market.candles, expected, check_exact=True, check_column_type=False)
    assert (market.timeframe, market.symbol, market.exchange) == ("5m", "BTC/USDT:USDT", "binanceusdm")


@pytest.mark.parametrize("unit", UNITS)
def test_epoch_units(unit: str) -> None:
    assert_frame_equal(read(ccxt_rows(truth(), unit)).candles, truth()[TEXT_OHLCV], check_exact=True)


@pytest.mark.parametrize("table", ["path", "mark_candles"])
def test_other_candles_need_no_volume(table: str, tmp_path: Path) -> None:
    file = _write(tmp_path, "fine.csv", truth()[list(PRICES)].to_csv())
    options: dict[str, Any] = {table: file}
    market = read(truth(), **options)
    assert_frame_equal(getattr(market, table), truth()[list(PRICES)], check_exact=True)
    options[table] = klines(truth())
    assert list(getattr(read(truth(), **options), table).index) == list(truth().index)


VALUES = np.arange(1.0, N + 1) / 3
SMALL = VALUES / 1e5
ISO = truth().index.strftime("%Y-%m-%d %H:%M:%S").tolist()
MS = epoch(truth().index).tolist()
SERIES: dict[tuple[str, str], Any] = {
    ("open_interest", "own"): lambda: pd.DataFrame({"open_interest": VALUES}, index=truth().index),
    ("open_interest", "metrics"): lambda: pd.DataFrame(
        {"create_time": ISO, "symbol": "BTCUSDT", "sum_open_interest": VALUES, "sum_open_interest_value": VALUES * 6e4,
         "count_toptrader_long_short_ratio": 1.0}),
    ("open_interest", "openInterestHist"): lambda: [
        {"symbol": "BTCUSDT", "sumOpenInterest": repr(float(v)), "sumOpenInterestValue": repr(float(v * 6e4)),
         "timestamp": t}
        for t, v in zip(MS, VALUES, strict=True)],
    ("open_interest", "ccxt"): lambda: [
        {"symbol": "BTC/USDT:USDT", "openInterestAmount": float(v), "openInterestValue": None, "timestamp": t,
         "datetime": iso, "info": {}} for t, v, iso in zip(MS, VALUES, ISO, strict=True)],
    ("funding_rate", "own"): lambda: pd.DataFrame({"funding_rate": SMALL}, index=truth().index),
    ("funding_rate", "archive"): lambda: pd.DataFrame(
        {"calc_time": MS, "funding_interval_hours": 8, "last_funding_rate": SMALL}),
    ("funding_rate", "REST"): lambda: [
        {"symbol": "BTCUSDT", "fundingTime": t, "fundingRate": repr(float(v)), "markPrice": ""}
        for t, v in zip(MS, SMALL, strict=True)],
    ("funding_rate", "ccxt"): lambda: [
        {"symbol": "BTC/USDT:USDT", "timestamp": t, "fundingRate": float(v), "info": {}}
        for t, v in zip(MS, SMALL, strict=True)],
    ("taker", "own"): lambda: pd.DataFrame({"time": MS, "taker_buy_share": VALUES / 10}),
    ("liquidations", "own"): lambda: pd.DataFrame({"time": MS, "long": VALUES, "short": VALUES * 2}),
}  # fmt: skip


NAMES = {"open_interest": ["open_interest"], "funding_rate": ["funding_rate"], "taker": ["taker_buy_share"],
         "liquidations": ["long", "short"]}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*one side is assumed")
@pytest.mark.parametrize("way", ["memory", "file"])
@pytest.mark.parametrize(("table", "layout"), SERIES)
def test_series_layouts(table: str, layout: str, way: str, tmp_path: Path) -> None:
    source = SERIES[table, layout]()
    if way == "file" and isinstance(source, list):
        source = _write(tmp_path, "x.json", json.dumps(source))
    elif way == "file":
        source = _write(tmp_path, "x.csv", source.to_csv(index=isinstance(source.index, pd.DatetimeIndex)))
    options: dict[str, Any] = {table: source}
    got = getattr(read(truth(), symbol="BTC/USDT:USDT", **options), table)
    expected = {"open_interest": [VALUES], "funding_rate": [SMALL], "taker": [VALUES / 10],
                "liquidations": [VALUES, VALUES * 2]}[table]  # fmt: skip
    assert list(got.index) == list(truth().index)
    assert np.array_equal(got[NAMES[table]].to_numpy().T, np.array(expected))
    assert list(got.columns) == [*NAMES[table], *(["interval_hours"] if layout == "archive" else [])]


def test_leverage_tiers(tmp_path: Path) -> None:
    rows = [["binanceusdm", "BTC/USDT:USDT", "2024-04-25", 1, 0, 50_000, 0.004, 125, 0],
            ["binanceusdm", "BTC/USDT:USDT", "2024-04-25", 2, 50_000, 600_000, 0.005, 100, 50]]  # fmt: skip
    tiers = pd.DataFrame(rows, columns=list(TIER_COLUMNS))
    market = read(truth(), leverage_tiers=_write(tmp_path, "tiers.csv", tiers.to_csv(index=False)))
    assert market.leverage_tiers is not None
    assert market.leverage_tiers["maintenance_amount"].tolist() == [0.0, 50.0]
    with pytest.raises(ValueError, match=r"'maintenance_amount', row 1 \(time 2\).*'none given'.*correct"):
        read(truth(), leverage_tiers=tiers.astype(object).replace({"maintenance_amount": {50: "none given"}}))


def test_sources_name_and_hash(tmp_path: Path) -> None:
    file = _write(tmp_path, "btc.csv", truth().to_csv())
    market = read(str(file), open_interest=SERIES["open_interest", "own"]())
    assert market.sources["candles"] == {
        "exchange": "", "origin": "btc.csv", "file": "btc.csv",
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(), "kind": "own",
    }  # fmt: skip
    assert market.sources["open_interest"] == {
        "exchange": "", "origin": "from memory", "kind": "own", "sides": "one, assumed",
    }  # fmt: skip


def test_input_is_left_as_it_was() -> None:
    table = truth()[::-1].reset_index()
    before = table.copy(deep=True)
    with pytest.warns(UserWarning, match="sorted"):
        read(table)
    assert_frame_equal(table, before)


# --- several symbols ----------------------------------------------------------------------------------------------


def _two_symbols() -> pd.DataFrame:
    btc, eth = SERIES["open_interest", "metrics"](), SERIES["open_interest", "metrics"]()
    return pd.concat([btc, eth.assign(symbol="ETHUSDT", sum_open_interest=7.0)], ignore_index=True)


@pytest.mark.parametrize("symbol", ["BTC/USDT:USDT", "BTCUSDT", "btc/usdt", "BTC-USDT-SWAP"])
def test_symbol_chooses_its_rows(symbol: str) -> None:
    market = read(truth(), symbol=symbol, open_interest=_two_symbols())
    assert market.open_interest is not None
    assert np.array_equal(market.open_interest["open_interest"], VALUES)


def test_symbols_are_never_mixed() -> None:
    with pytest.raises(ValueError, match=r"2 symbols in one table: BTCUSDT, ETHUSDT; pass symbol="):
        read(truth(), open_interest=_two_symbols())
    with pytest.raises(ValueError, match=r"no row is of TIA/USDT:USDT; the symbol column holds BTCUSDT, ETHUSDT"):
        read(truth(), symbol="TIA/USDT:USDT", open_interest=_two_symbols())


# --- faults of files: content → what the message must say -----------------------------------------------------------

OWN = csv_of(truth())
ROW = lines(ccxt_rows(truth(3)))
HEADER = "time,open,high,low,close,volume\n"


def _edited(column: str, value: object, row: int = 5) -> str:
    table: Any = truth()[TEXT_OHLCV].astype(object)
    table.iloc[row, TEXT_OHLCV.index(column)] = value
    return table.to_csv()


def _timed(*times: str) -> str:
    return HEADER + "".join(f"{time},100,101,99,100,1\n" for time in times)


BROKEN = {
    "empty": ("", r"x\.csv: the file is empty \(0 bytes\); download"),
    "blank": ("\n \n\n", r"x\.csv: the file holds only blank lines"),
    "header only": (HEADER, r"x\.csv: no rows under the header time, open.*download complete"),
    "one row": (HEADER + "2024-05-01T00:00Z,1,2,1,2,1\n", r"x\.csv: only one row.*pass timeframe='1h'"),
    "unknown columns": ("when,o,h\n1,2,3\n",
                        r"(?s)x\.csv: the columns.*Found: when, o, h\. Understood:.*Binance klines"),
    "no volume": (truth()[list(PRICES)].to_csv(),
                  r"(?s)Nearest is 'liqlab, TradingView', it lacks volume; rename or add"),
    "column twice": (HEADER.strip() + ",Open\n1714521600,1,2,1,2,1,1\n", r"x\.csv: the column 'open' stands twice"),
    "no delimiter": (OWN.replace(",", " "), r"x\.csv: no delimiter.*columns found: 'time open high low close volume'"),
    "ragged": (OWN.replace("\n", "\n1,", 1),
               r"unequal length: 6 field\(s\) in the first line.*7 in line 2.*remove text"),
    "preamble": ("Exported by me\n" + OWN, r"x\.csv: no delimiter.*'Exported by me'"),
    "ragged far down": (OWN + OWN.splitlines()[-1] + ",1\n", r"x\.csv: rows of unequal length \(.*line 26, saw 7"),
    "delimiter unclear": ("1714521600;1,5;2,5;1,5;1,5;1,5\n" * 2, r"delimiter unclear, comma and semicolon both fit"),
    "decimal comma": (csv_of(truth(), sep=";", decimal=","),
                      r"x\.csv: column 'open', row 0 \(time 2024-05-01 00:00.*number with a comma: '60.*decimal point"),
    "decimal comma, comma delimited": (csv_of(truth(), decimal=",").replace('"', ""),
                                       r"unequal length.*decimal commas"),
    "thousands": (_edited("close", "60,000.5"), r"'close', row 5 .*number with a comma: '60,000\.5'.*thousands"),
    "text": (_edited("low", "n/k"),
             r"x\.csv: column 'low', row 5 \(time 2024-05-01 00:25:00\+00:00\) is not a number: 'n/k'"),
    "no header, odd width": (lines([[1714521600000, 1, 2, 1, 2]] * 3),
                             r"without column names, 5 column\(s\) wide.*add a header"),
    "utf-16": (OWN.encode("utf-16"), r"x\.csv: not UTF-8 text.*save it as UTF-8"),
    "NaN": (_edited("close", ""), r"x\.csv: candles: column 'close', row 5 \(2024-05-01 00:25.*nan.*finite"),
    "infinite": (_edited("high", "inf"), r"x\.csv: candles: column 'high', row 5 .*inf.*finite"),
    "zero": (_edited("low", 0), r"x\.csv: candles: column 'low', row 5 .*0\.0.*prices are > 0"),
    "negative volume": (_edited("volume", -1), r"x\.csv: candles: column 'volume', row 5 .*-1\.0.*volumes are >= 0"),
    "high < low": (_edited("high", 1), r"x\.csv: candles: column 'high', row 5 .*high must be >= open"),
    "conflict": (OWN + OWN.splitlines()[-1] + "9\n",
                 r"x\.csv: candles: 1 stamp\(s\) stand twice with different values"),
    "bars of another length": (HEADER + "1714521600,1,2,1,2,1\n1714521900,1,2,1,2,1\n"
                               "1714522050,1,2,1,2,1\n1714522320,1,2,1,2,1\n",
                               r"x\.csv: candles: row 3 .*off the regular step of 150s"),
    "year 1970": (_timed("17145", "17146"),
                  r"x\.csv: column 'time', row 0 is 17145: it is no epoch.*\(2 such row\(s\)\); write ISO"),
    "year 57000": (_timed("1714521600000000000000", "1"), r"row 0 is .*no epoch s, ms, µs or ns between 2009-01-01"),
    "date as number": (_timed("20240501", "20240502"), r"row 0 is 20240501: it is no epoch"),
    "year 2008": (_timed("2008-05-01T00:00Z", "2024-05-01T00:05Z"), r"row 0 is '2008.*outside 2009-01-01.*\(1 such"),
    "year 2124": (_timed("2024-05-01T00:00Z", "2124-05-01T00:05Z"), r"row 1 is '2124-05-01T00:05Z': it lies outside"),
    "day or month first": (_timed("05/01/2024 00:00", "05/01/2024 00:05"),
                           r"row 0 is '05/01.*not an ISO time.*2024-05-01 07:00"),
    "header again": (ROW + "timestamp,open,high,low,close,volume\n" + ROW,
                     r"row 3 is 'timestamp': it is not a number like the others"),
    "time missing": (_timed("2024-05-01T00:00Z", "", "2024-05-01T00:10Z"),
                     r"column 'time', row 1 is nan: it is missing"),
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN)
def test_broken_csv(fault: str, tmp_path: Path) -> None:
    content, message = BROKEN[fault]
    with pytest.raises(ValueError, match=message):
        read(_write(tmp_path, "x.csv", content))


def test_a_year_that_python_has_no_date_for(tmp_path: Path) -> None:
    table = pd.DataFrame({"time": np.array([1714521600000000, 2**62], "datetime64[us]")}
                         | {name: [1.0, 1.0] for name in ("open", "high", "low", "close", "volume")})  # fmt: skip
    table.to_parquet(tmp_path / "x.parquet")
    with pytest.raises(ValueError, match=r"row 1 is 148108-07-06T14:00:27.387904: it lies outside 2009-01-01"):
        read(tmp_path / "x.parquet", timezone="UTC")


OTHER_FILES: dict[str, tuple[str, Any, str]] = {
    "ending": ("x.xlsx", b"PK", r"x\.xlsx: files of this ending are not read; understood are \.csv"),
    "torn gzip": ("x.csv.gz", gzip.compress(OWN.encode())[:-20], r"x\.csv\.gz: cannot be unpacked.*download it again"),
    "no zip": ("x.zip", b"nothing", r"x\.zip: cannot be unpacked"),
    "no parquet": ("x.parquet", b"nothing at all", r"x\.parquet: cannot be read .*ending"),
    "no feather": ("x.feather", b"nothing at all", r"x\.feather: cannot be read"),
    "no json": ("x.json", b"[[1, 2", r"x\.json: not JSON"),
    "json object": ("x.json", b'{"code": -1121, "msg": "Invalid symbol."}', r"x\.json: holds an object with code, msg"),
    "json empty list": ("x.json", b"[]", r"x\.json: no rows \(an empty list\)"),
    "json mixed": ("x.json", b"[[1714521600000, 1, 2, 1, 2, 1], [1714521900000, 1]]",
                   r"x\.json: row 1 is \[1714521900000, 1\]"),
    "json odd width": ("x.json", b"[[1, 2, 3]]", r"x\.json: candles without column names, 3 column"),
}  # fmt: skip


@pytest.mark.parametrize("fault", OTHER_FILES)
def test_broken_files(fault: str, tmp_path: Path) -> None:
    name, content, message = OTHER_FILES[fault]
    with pytest.raises(ValueError, match=message):
        read(_write(tmp_path, name, content))


def test_two_tables_in_one_archive(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"x\.zip: the archive holds 2 files; unpack it"):
        read(_zip(tmp_path, "x.zip", {"a.csv": OWN, "b.csv": OWN}))


def test_missing_file(tmp_path: Path) -> None:
    _write(tmp_path, "btc.csv", OWN)
    with pytest.raises(FileNotFoundError, match=r"candles: no file btc5\.csv in .*; it holds btc\.csv; check the name"):
        read(tmp_path / "btc5.csv")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        read(tmp_path / "nowhere" / "btc.csv")
    with pytest.raises(FileNotFoundError, match=r"no file eth\*\.zip in .*; it holds btc\.csv; check the name"):
        read(tmp_path / "eth*.zip")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"the folder .*empty holds no table \(\.csv, .*\); pass another"):
        read(tmp_path / "empty")
    with pytest.raises(FileNotFoundError, match=r"open_interest: no file oi\.csv"):
        read(truth(), open_interest=tmp_path / "oi.csv")


@pytest.mark.parametrize("source", [None, 5, {"open": [1]}])
def test_wrong_type(source: object) -> None:
    with pytest.raises(TypeError, match=f"candles must be a path, a DataFrame or a list.*got {type(source).__name__}"):
        read(source)


def test_fault_in_a_second_table_names_its_file(tmp_path: Path) -> None:
    oi = SERIES["open_interest", "own"]()
    oi.iloc[3] = -1.0
    with pytest.raises(ValueError, match=r"oi\.csv: open_interest: column 'open_interest', row 3"):
        read(truth(), open_interest=_write(tmp_path, "oi.csv", oi.to_csv()))
    with pytest.raises(
        ValueError, match=r"open_interest \(from memory\): open_interest: column 'open_interest', row 3"
    ):
        read(truth(), open_interest=oi)


# --- units: never guessed -------------------------------------------------------------------------------------------

WRONG_OPEN_INTEREST: dict[str, tuple[Any, str]] = {
    "ccxt value only": ([{"timestamp": MS[0], "openInterestAmount": None, "openInterestValue": 5e9}],
                        r"quote \(USD\) and not in coins"),
    "no amount column": (pd.DataFrame({"timestamp": MS, "openInterestValue": VALUES}),
                         r"quote \(USD\) and not in coins.*fetch"),
    "metrics value only": (pd.DataFrame({"create_time": ISO, "sum_open_interest_value": VALUES}), r"quote \(USD\)"),
    "coin-margined REST": ([{"pair": "BTCUSD", "contractType": "PERPETUAL", "sumOpenInterest": "1",
                             "timestamp": MS[0]}], "contracts; multiply"),
    "coin-margined archive": (SERIES["open_interest", "metrics"]().assign(symbol="BTCUSD_PERP"),
                              "BTCUSD_PERP holds.*contracts"),
}  # fmt: skip


@pytest.mark.parametrize("fault", WRONG_OPEN_INTEREST)
def test_open_interest_not_in_coins(fault: str) -> None:
    source, message = WRONG_OPEN_INTEREST[fault]
    with pytest.raises(ValueError, match=message):
        read(truth(), open_interest=source)


def _volume(factor: Any, **more: Any) -> Any:
    table = truth()[[*TEXT_OHLCV, "quote_volume"]]
    return table.assign(volume=table["volume"] * factor, **more)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            _volume(700),
            r"in 24 of 24 bars: volume looks like nothing that is known.*contracts are of 0\.001429 coins; drop",
        ),
        (_volume(truth()["close"]), r"quote_volume/volume is 0\.99.*looks like the quote currency; convert to coins"),
        (
            _volume(truth()["close"] / 100, quote_volume=truth()["volume"]),
            r"looks like coin-margined contracts of 100 USD; convert",
        ),
    ],
)
def test_volume_not_in_coins(table: pd.DataFrame, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(table)


def test_volume_tolerance_and_silence() -> None:
    table = _volume(1)
    table.loc[table.index[2], "quote_volume"] *= 2
    with pytest.warns(UserWarning, match=r"in 1 of 24 bars quote_volume/volume lies outside.*00:10"):
        read(table)
    read(_volume(1.005))  # within the per cent
    with pytest.warns(UserWarning, match="volume is 0 in all 24 bars"):
        read(_volume(0))  # nothing traded: the two go together
    read(_volume(1000).drop(columns="quote_volume"))  # cannot be seen, so nothing is claimed


@pytest.mark.parametrize(
    "swap",
    [("open", "close"), ("high", "low"), ("open", "high"), ("close", "low"), ("close", "high"), ("open", "low"),
     ("close", "volume")],
)  # fmt: skip
def test_swapped_columns_never_pass(swap: tuple[str, str]) -> None:
    table = truth()
    table = table.rename(columns={swap[0]: swap[1], swap[1]: swap[0]})
    with pytest.raises(ValueError, match=r"swapped|column order"):
        read(table[TEXT_OHLCV])


# --- time: zones, order, duplicates, the unfinished bar ------------------------------------------------------------


def _bare(*times: str) -> pd.DataFrame:
    return pd.DataFrame({"time": times, **dict.fromkeys(PRICES, 100.0), "volume": 1.0})


def test_times_without_zone(tmp_path: Path) -> None:
    text = csv_of(truth().tz_localize(None))
    with pytest.warns(
        UserWarning, match=r"x\.csv: 24 time\(s\) carry no zone and were read as UTC; pass timezone"
    ) as seen:
        market = read(_write(tmp_path, "x.csv", text))
    assert len(seen) == 1
    assert list(market.candles.index) == list(truth().index)
    for source in (tmp_path / "x.csv", truth().tz_localize(None)):
        assert list(read(source, timezone="UTC").candles.index) == list(truth().index)
        berlin = read(source, timezone="Europe/Berlin").candles.index
        assert berlin[0] == pd.Timestamp("2024-04-30 22:00", tz="UTC")


def test_zone_of_an_archive_is_known() -> None:
    market = read(truth(), open_interest=SERIES["open_interest", "metrics"](), timezone="Europe/Berlin")
    assert market.open_interest is not None
    assert market.open_interest.index[0] == truth().index[0]


def test_timezone_leaves_known_times_alone() -> None:
    assert list(read(ccxt_rows(truth()), timezone="Europe/Berlin").candles.index) == list(truth().index)
    mixed = _bare("2024-05-01 02:00", "2024-05-01T00:05:00Z", "2024-05-01 02:10+02:00", "2024-05-01 02:15")
    index: Any = read(mixed, timezone="Europe/Berlin").candles.index
    assert index.strftime("%H:%M").tolist() == ["00:00", "00:05", "00:10", "00:15"]


@pytest.mark.parametrize(
    ("times", "zone", "message"),
    [
        (("2024-10-27 01:30", "2024-10-27 02:30"), "Europe/Berlin",
         r"row 1 is '2024-10-27 02:30': it stands for two moments.*offset"),
        (("2024-03-31 01:30", "2024-03-31 02:30"), "Europe/Berlin",
         r"row 1 is '2024-03-31 02:30': it does not exist.*offset"),
        (("2024-03-31 01:30", "2024-03-31 03:30"), "Mars/Olympus", r"timezone 'Mars/Olympus' is not known; pass 'UTC'"),
    ],
)  # fmt: skip
def test_clock_changes_and_unknown_zones(times: tuple[str, str], zone: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(_bare(*times), timezone=zone)


def test_empty_zone_is_no_zone() -> None:
    with pytest.raises(ValueError, match="timezone '' is not known"):
        read(truth(), timezone="")


def test_shuffled_rows_are_sorted_and_counted() -> None:
    rows = ccxt_rows(truth())
    with pytest.warns(
        UserWarning,
        match=r"candles \(from memory\): 23 of 24 row\(s\) carry an earlier time than the row above; sorted",
    ):
        market = read(rows[::-1])
    assert_frame_equal(market.candles, truth()[TEXT_OHLCV], check_exact=True)


def test_identical_duplicates_are_dropped_and_counted() -> None:
    rows = ccxt_rows(truth())
    with pytest.warns(UserWarning, match=r"candles: dropped 2 duplicate row\(s\)"):
        market = read([*rows[:3], rows[2], rows[2], *rows[3:]])
    assert_frame_equal(market.candles, truth()[TEXT_OHLCV], check_exact=True)


def test_gaps_stay_gaps() -> None:
    with pytest.warns(UserWarning, match=r"1 gap\(s\), 2 row\(s\) missing"):
        market = read(truth().drop(truth().index[[4, 5]]))
    assert len(market.candles) == N - 2


def _at(monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    monkeypatch.setattr(_read, "_now", lambda: pd.Timestamp(moment, tz="UTC"))


@pytest.mark.parametrize("table", ["candles", "path", "mark_candles", "taker", "liquidations"])
def test_unfinished_bar_is_dropped(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _at(monkeypatch, "2024-05-01 01:57")  # the last bar opened at 01:55
    whole: dict[str, Any] = {"candles": truth()[:-1]}
    whole[table] = {"taker": SERIES["taker", "own"], "liquidations": SERIES["liquidations", "own"]}.get(table, truth)()
    with pytest.warns(UserWarning, match=r"dropped 1 unfinished bar, open at 2024-05-01 01:55") as seen:
        market = read(**whole)
    assert len(seen) == 1
    assert getattr(market, table).index[-1] == truth().index[-2]


def test_bar_that_closes_now_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    _at(monkeypatch, "2024-05-01 02:00")
    assert len(read(truth(), open_interest=SERIES["open_interest", "own"]()).candles) == N


def test_bars_in_the_future(monkeypatch: pytest.MonkeyPatch) -> None:
    _at(monkeypatch, "2024-05-01 01:00")
    with pytest.raises(ValueError, match=r"12 bars close after now \(2024-05-01 01:00 UTC\).*pass timezone="):
        read(truth())
    with pytest.raises(ValueError, match=r"the only bar, open at 2024-05-01 00:00.*has not closed"):
        read(truth(1), timeframe="4h")


def test_one_row_needs_a_time_frame() -> None:
    assert read(truth(1), timeframe="5m").timeframe == "5m"
    with pytest.raises(ValueError, match=r"candles \(from memory\): only one row.*pass timeframe='1h'"):
        read(truth(1))
    with pytest.raises(ValueError, match=r"path \(from memory\): only one row.*pass a longer path"):
        read(truth(), path=truth(1))


@pytest.mark.parametrize("stated", ["1h", "1m"])
def test_time_frame_must_be_the_one_found(stated: str) -> None:
    with pytest.raises(ValueError, match=f"the rows are 5m apart, but timeframe='{stated}'; correct it"):
        read(truth(), timeframe=stated)


def test_time_frame_is_that_of_the_candles_only() -> None:
    fine = truth().set_axis(pd.date_range("2024-05-01", periods=N, freq="1min", tz="UTC"))
    market = read(truth(), timeframe="5m", path=fine)
    assert market.timeframe == "5m"
    assert market.path is not None
    assert len(market.path) == N


# --- several files, and the archive's own -----------------------------------------------------------------------------


def _months(folder: Path, n: int = 3) -> list[Path]:
    """One table in n zips, the first without a header, the last in µs, as the archive changed over the years."""
    table, made = truth(8 * n), []
    for number in range(n):
        rows = klines(table[8 * number : 8 * (number + 1)], "us" if number == n - 1 else "ms")
        text = lines(rows) if number == 0 else KLINE_HEADER + "\n" + lines(rows)
        made.append(_zip(folder, f"BTCUSDT-5m-2024-0{number + 1}.zip", {f"BTCUSDT-5m-2024-0{number + 1}.csv": text}))
    return made


WAYS: dict[str, Any] = {
    "list": lambda folder, made: made,
    "list of text, back to front": lambda folder, made: [str(file) for file in reversed(made)],
    "folder": lambda folder, made: folder,
    "pattern": lambda folder, made: folder / "BTCUSDT-5m-2024-*.zip",
    "pattern of text": lambda folder, made: f"{folder}/BTCUSDT-5m-2024-0[1-3].zip",
    "pattern over folders": lambda folder, made: f"{folder.parent}/**/*-5m-*.zip",
}


@pytest.mark.parametrize("way", WAYS)
def test_several_files_are_one_table(way: str, tmp_path: Path) -> None:
    folder = tmp_path / "zips"
    folder.mkdir()
    made = _months(folder)
    (folder / "notes.txt").write_text("no table")
    market = read(WAYS[way](folder, made), symbol="BTC/USDT:USDT")
    assert_frame_equal(market.candles, truth(), check_exact=True)
    assert market.sources["candles"]["file"].endswith("(3 files)")
    assert len(market.sources["candles"]["sha256"]) == 64


def test_sha256_of_several_files_is_that_of_their_list(tmp_path: Path) -> None:
    made = _months(tmp_path)
    listed = "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in made)
    found = read(tmp_path).sources["candles"]
    assert found["sha256"] == hashlib.sha256(listed.encode()).hexdigest()
    assert found["file"] == "BTCUSDT-5m-2024-01.zip … BTCUSDT-5m-2024-03.zip (3 files)"


def test_files_that_overlap_are_one_table_and_those_that_differ_are_refused(tmp_path: Path) -> None:
    whole, part = _write(tmp_path, "a.csv", truth().to_csv()), _write(tmp_path, "b.csv", truth()[5:9].to_csv())
    with pytest.warns(UserWarning, match=r"dropped 4 duplicate row\(s\)"):
        assert len(read([whole, part]).candles) == N
    _write(tmp_path, "b.csv", truth()[5:9].assign(trades=1.0).to_csv())
    with pytest.raises(
        ValueError, match=r"a\.csv … b\.csv \(2 files\): candles: 4 stamp\(s\) stand twice with different"
    ):
        read(tmp_path)
    _write(tmp_path, "b.csv", csv_of(truth(9)[5:]))
    with pytest.raises(ValueError, match=r"a\.csv gives open, .*but b\.csv open, .*several files must hold one table"):
        read(tmp_path)


def test_checksum_beside_a_zip_is_verified(tmp_path: Path) -> None:
    file = _months(tmp_path)[0]
    stated = file.with_name(f"{file.name}.CHECKSUM")
    stated.write_text(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n")
    assert len(read(file).candles) == 8
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(ValueError, match=r"BTCUSDT-5m-2024-01\.zip: its sha256 is .*, the archive states"):
        read(file)


METRICS = ("create_time,symbol,sum_open_interest,sum_open_interest_value,count_toptrader_long_short_ratio,"
           "sum_toptrader_long_short_ratio,count_long_short_ratio,sum_taker_long_short_vol_ratio")  # fmt: skip


def _metrics(folder: Path, day: str, first: str, values: Any) -> Path:
    labels = pd.date_range(f"{day} {first}", periods=len(values), freq="5min").strftime("%Y-%m-%d %H:%M:%S")
    rows = [f"{label},BTCUSDT,{value},1,1,1,1,1" for label, value in zip(labels, values, strict=True)]
    return _zip(folder, f"BTCUSDT-metrics-{day}.zip", {"x.csv": "\n".join([METRICS, *rows]) + "\n"})


def test_metrics_zips_are_open_interest(tmp_path: Path) -> None:
    files_ = [_metrics(tmp_path, f"2024-05-0{day}", "00:05", np.arange(288) + 1000 * day) for day in (1, 2)]
    found = read(truth(600), symbol="BTC/USDT:USDT", open_interest=files_).open_interest
    assert found is not None
    assert list(found.index) == list(pd.date_range("2024-05-01 00:05", periods=576, freq="5min", tz="UTC"))
    assert found["open_interest"].tolist() == [*range(1000, 1288), *range(2000, 2288)]


def test_holes_of_the_metrics_archive_are_left_out_and_told(tmp_path: Path) -> None:
    file = _metrics(tmp_path, "2024-05-01", "00:05", [1, 0, "", 4])
    with pytest.warns(
        UserWarning, match=r"2024-05-01\.zip: left out of 4 row\(s\): 2 without a value; nothing"
    ) as seen:
        found = read(truth(), open_interest=file).open_interest
    assert found is not None and found["open_interest"].tolist() == [1.0, 4.0]
    assert len([warning for warning in seen if "left out" in str(warning.message)]) == 1


def test_labels_of_the_metrics_archive_since_june_2026_are_five_minutes_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both files have a row labelled 00:00 of the 25th: the old one's is that instant, the new one's 00:05."""
    _at(monkeypatch, "2026-07-01")
    _metrics(tmp_path, "2026-06-24", "00:05", range(1, 289))
    _metrics(tmp_path, "2026-06-25", "00:00", range(289, 577))
    found = read(truth(600, "2026-06-24"), open_interest=tmp_path).open_interest
    assert found is not None
    assert list(found.index) == list(pd.date_range("2026-06-24 00:05", periods=576, freq="5min", tz="UTC"))
    assert found["open_interest"].tolist() == list(range(1, 577))


def test_coin_margined_zips_are_refused_with_the_conversion(tmp_path: Path) -> None:
    table = truth().rename(columns={"volume": "quote_volume", "quote_volume": "volume"})
    table["volume"] = (table["volume"] / 100).round()
    table["taker_buy_volume"] = 0.0
    rows = klines(table.assign(taker_buy_quote_volume=0.0))
    file = _zip(tmp_path, "BTCUSD_PERP-5m-2024-05.zip", {"x.csv": lines(rows)})
    with pytest.raises(ValueError, match="coin-margined contracts of 100 USD; convert to coins"):
        read(file)


def test_a_month_of_the_store_is_a_parquet_file_like_others(tmp_path: Path) -> None:
    key, start = store.Key("binanceusdm", "BTC/USDT:USDT", "candles", "5m"), truth().index[0]
    store.append(key, truth(), start, start + pd.Timedelta(1, "D"), store=tmp_path, origin={})
    market = read(tmp_path / "**" / "*.parquet")
    assert_frame_equal(market.candles, truth(), check_exact=True)


# --- properties -----------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(
    order=st.permutations(range(N)),
    again=st.lists(st.integers(0, N - 1), max_size=5),
    unit=st.sampled_from(sorted(UNITS)),
    way=st.sampled_from(["list", "frame", "csv", "tsv", "json"]),
)
def test_order_duplicates_and_unit_do_not_matter(order: list[int], again: list[int], unit: str, way: str) -> None:
    rows = ccxt_rows(truth(), unit)
    shuffled = [rows[number] for number in [*order, *again]]
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        source = {
            "list": lambda: shuffled,
            "frame": lambda: pd.DataFrame(shuffled, columns=["timestamp", *TEXT_OHLCV]),
            "csv": lambda: _write(Path(folder), "x.csv", lines(shuffled)),
            "tsv": lambda: _write(Path(folder), "x.tsv", lines(shuffled, "\t")),
            "json": lambda: _write(Path(folder), "x.json", json.dumps(shuffled)),
        }[way]()
        assert_frame_equal(read(source).candles, truth()[TEXT_OHLCV], check_exact=True)


@settings(deadline=None, max_examples=60)
@given(values=st.lists(st.floats(1e-8, 1e12), min_size=2, max_size=2))
def test_numbers_keep_every_digit(values: list[float]) -> None:
    for spell in (float, repr, str):
        rows = truth(2)[TEXT_OHLCV].reset_index().assign(count=[spell(value) for value in values])
        assert read(rows).candles["trades"].tolist() == values


# --- the room itself ------------------------------------------------------------------------------------------------


def test_every_layout_can_fill_its_tables() -> None:
    for layout in column_names.LAYOUTS:
        for table in layout.tables:
            needed = ("time", "side", "quantity") if layout.name in EVENTS else column_names.NEEDED[table]
            lacking = set(needed) - set(layout.columns.values())
            assert not lacking, (layout.name, table, lacking)
            once = {role: name for name, role in reversed(layout.columns.items()) if role in needed}
            assert column_names.recognise([*once.values(), *layout.marks], table, "x") is not None


def test_import_stays_light() -> None:
    code = (
        "import sys, pandas; before = set(sys.modules); import liqlab.loaders; new = set(sys.modules) - before;"
        "heavy = {'ccxt', 'xarray', 'numba', 'holoviews', 'requests', 'aiohttp', 'scipy', 'pyarrow'};"
        "sys.exit(' '.join(sorted(heavy & new)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("function", [lq.read, lq.load_saved, lq.load_live])
def test_a_name_that_no_file_can_bear_is_refused(function: Any) -> None:
    with pytest.raises(ValueError, match=r"(candles|path): '9+…' has 3,004 characters, .*check the path"):
        function("9" * 3000 + ".csv")
