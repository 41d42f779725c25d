"""Every trade from files: layouts, times, batches, and what is refused."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import liqlab as lq
from liqlab.loaders import trade_files
from tests.engine.test_trades import trades

KNOWN: dict[str, Any] = {"symbol": "BTC/USDT:USDT", "exchange": "binanceusdm", "timeframe": "1m"}


def archive(table: pd.DataFrame, per_second: int = 1000) -> pd.DataFrame:
    """Binance's aggTrades."""
    number = np.arange(len(table))
    stamps = table.index.as_unit("us").asi8 // (10**6 // per_second)  # type: ignore[attr-defined]
    return pd.DataFrame({
        "agg_trade_id": number, "price": table["price"].to_numpy(), "quantity": table["quantity"].to_numpy(),
        "first_trade_id": number, "last_trade_id": number, "transact_time": stamps,
        "is_buyer_maker": np.where(table["taker_buy"], "false", "true"),
    })  # fmt: skip


def files(folder: Path, table: pd.DataFrame) -> dict[str, Any]:
    """The same trades in every understood writing."""
    rows, made = archive(table), {name: folder / name for name in (
        "header.csv", "plain.csv", "micro.csv", "spot.csv", "trades.csv", "zipped.zip", "packed.csv.gz", "own.parquet",
        "archive.parquet", "lines.jsonl", "list.json")}  # fmt: skip
    rows.to_csv(made["header.csv"], index=False)
    rows.to_csv(made["plain.csv"], index=False, header=False)
    archive(table, 10**6).to_csv(made["micro.csv"], index=False, header=False)
    archive(table, 10**6).assign(best="True").to_csv(made["spot.csv"], index=False, header=False)
    single = rows.assign(quote=1.0)[["agg_trade_id", "price", "quantity", "quote", "transact_time", "is_buyer_maker"]]
    single.to_csv(made["trades.csv"], index=False, header=False)
    with zipfile.ZipFile(made["zipped.zip"], "w", zipfile.ZIP_DEFLATED) as packed:
        packed.write(made["plain.csv"], "BTCUSDT-aggTrades-2024-05-01.csv")
    made["packed.csv.gz"].write_bytes(gzip.compress(made["header.csv"].read_bytes()))
    table.to_parquet(made["own.parquet"])
    rows.assign(is_buyer_maker=~table["taker_buy"].to_numpy()).to_parquet(made["archive.parquet"])
    venue = [{"coin": "BTC", "side": "B" if row.taker_buy else "A", "px": str(row.price), "sz": str(row.quantity),
              "time": int(row.Index.timestamp() * 1000), "tid": number}
             for number, row in enumerate(table.itertuples())]  # fmt: skip
    made["lines.jsonl"].write_text("\n".join(map(json.dumps, venue)))
    made["list.json"].write_text(json.dumps(venue[::-1]))
    ccxt = [{"timestamp": row["time"], "symbol": "BTC/USDT:USDT", "side": "buy" if row["side"] == "B" else "sell",
             "price": float(row["px"]), "amount": float(row["sz"])} for row in venue]  # fmt: skip
    return {**made, "ccxt's list": ccxt, "frame": table}


@pytest.mark.parametrize("batch", [trade_files.BATCH, 97])
def test_every_writing_gives_the_same_market(tmp_path: Path, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the bit, whatever the batches."""
    table = trades()
    made, whole = files(tmp_path, table), lq.read(trades=table, **KNOWN)
    monkeypatch.setattr(trade_files, "BATCH", batch)
    for name, source in made.items():
        if name == "list.json":  # newest first: sorted, and trades of one stamp then stand the other way round
            continue
        found = lq.read(trades=source, **KNOWN)
        pd.testing.assert_frame_equal(found.candles, whole.candles, check_exact=True, obj=name)
        pd.testing.assert_frame_equal(found.trades, whole.trades, check_exact=True, check_index_type=False, obj=name)
        assert "3,000 trades in" in found.sources["trades"]["note"]


def test_candles_are_the_trades() -> None:
    table = trades()
    market = lq.read(trades=table, **KNOWN)
    minute = table.groupby(table.index.floor("1min"))
    for name, column, how in (("open", "price", "first"), ("high", "price", "max"), ("low", "price", "min"),
                              ("close", "price", "last"), ("volume", "quantity", "sum")):  # fmt: skip
        np.testing.assert_allclose(market.candles[name], minute[column].agg(how), rtol=1e-12)
    bought = table["quantity"].where(table["taker_buy"], 0.0).groupby(table.index.floor("1min")).sum()
    np.testing.assert_allclose(market.candles["taker_buy_volume"], bought, rtol=1e-12)
    assert market.sources["candles"]["note"] == "made of its trades"
    assert market.trades["quantity"].sum() == pytest.approx(table["quantity"].sum(), rel=1e-12)


def test_files_follow_each_other_and_candles_may_be_given(tmp_path: Path) -> None:
    table = trades()
    whole = lq.read(trades=table, **KNOWN)
    for number, part in enumerate((table.iloc[:1111], table.iloc[1111:])):
        archive(part).to_csv(tmp_path / f"day-{number}.csv", index=False)
    market = lq.read(whole.candles, trades=tmp_path / "day-*.csv", symbol="BTC/USDT:USDT", exchange="binanceusdm")
    pd.testing.assert_frame_equal(market.trades, whole.trades, check_exact=True, check_index_type=False)
    assert "(2 files)" in market.sources["trades"]["origin"] and len(market.sources["trades"]["sha256"]) == 64
    with pytest.raises(ValueError, match=r"comes after one at a later time.*none twice"):
        lq.read(trades=[tmp_path / "day-1.csv", tmp_path / "day-0.csv"], **KNOWN)


def test_one_symbol_of_several() -> None:
    table = trades().reset_index().assign(symbol="BTCUSDT")
    other = table.assign(symbol="ETHUSDT", price=3_000.0)
    both = pd.concat([table, other]).sort_values("time", kind="stable")
    market = lq.read(trades=both, **KNOWN)
    assert market.candles["low"].min() > 50_000
    with pytest.raises(ValueError, match="trades of 2 symbols"):
        lq.read(trades=both, timeframe="1m")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: rows.assign(price=-1.0), "prices are > 0"),
        (lambda rows: rows.assign(price="x"), "is not a number"),
        (lambda rows: rows.assign(quantity=np.inf), "quantities are >= 0"),
        (lambda rows: rows.assign(is_buyer_maker="maybe"), "tells no taker side"),
        (lambda rows: rows.assign(transact_time=17), "is no epoch"),
        (lambda rows: rows.drop(columns="is_buyer_maker"), "not understood as trades"),
        (lambda rows: rows.iloc[::-1], "comes after one at a later time"),
    ],
)
def test_bad_rows_are_refused_in_words(tmp_path: Path, change: Any, words: str) -> None:
    file = tmp_path / "bad.csv"
    change(archive(trades())).to_csv(file, index=False)
    with pytest.raises(ValueError, match=words):
        lq.read(trades=file, **KNOWN)


def test_bad_files_are_refused_in_words(tmp_path: Path) -> None:
    for name, data, words in (
        ("empty.csv", b"", "first line is empty"), ("long.csv", b"1" * 100_000, "no line of a table"),
        ("four.csv", b"1,2,3,4\n5,6,7,8\n", "are not understood as trades"),
        ("no.parquet", b"PAR1xxxx", "cannot be read"),
        ("no.zip", b"PKxx", "cannot be read"), ("no.jsonl", b"{]\n", "not one JSON object per line"),
    ):  # fmt: skip
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ValueError, match=words):
            lq.read(trades=tmp_path / name, **KNOWN)
    with pytest.raises(FileNotFoundError, match=r"no file none\.csv"):
        lq.read(trades=tmp_path / "none.csv", **KNOWN)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.csv", b"0" * 50_000_000)
    with pytest.raises(ValueError, match="more than 200 times"):
        lq.read(trades=tmp_path / "bomb.zip", **KNOWN)


def test_what_else_must_be_told() -> None:
    table = trades()
    with pytest.raises(ValueError, match="pass timeframe='1m', or candles"):
        lq.read(trades=table)
    with pytest.raises(ValueError, match="must divide a day"):
        lq.read(trades=table, timeframe="7m")
    with pytest.raises(ValueError, match="count contracts"):
        lq.read(trades=table, symbol="BTC/USD:BTC", exchange="binancecoinm", timeframe="1m")
    with pytest.raises(TypeError, match="candles must be a path"):
        lq.read()
