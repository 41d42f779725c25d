"""Parquet and feather are given up before they are read where they unpack to far more than they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from bench import hostile
from liqlab.loaders import read
from liqlab.loaders.bounded_arrow import _size_of_batch, check_feather, check_parquet
from tests.conftest import LONG
from tests.loaders.tables import market

ZEROS = pa.table({"time": np.zeros(2_000_000), "open": np.zeros(2_000_000)})
WORD = pa.table({"time": pa.array(["9" * 3000] * 20_000), "open": np.zeros(20_000)})


@pytest.mark.parametrize("table", [ZEROS, WORD], ids=["zeros", "one word"])
@pytest.mark.parametrize("ending", ["parquet", "feather"])
def test_what_grows_is_refused_in_words(table: pa.Table, ending: str, tmp_path: Path) -> None:
    file = tmp_path / f"x.{ending}"
    if ending == "parquet":
        pq.write_table(table, file, compression="zstd")
    else:
        feather.write_feather(table, file, compression="zstd")
    assert file.stat().st_size < 200_000
    with pytest.raises(ValueError, match=rf"^x\.{ending}: it unpacks to more than 200 times its size"):
        read(file)


@pytest.mark.parametrize("compression", ["zstd", "lz4", "uncompressed"])
def test_the_size_of_a_feather_file_is_that_of_its_tables(compression: str, tmp_path: Path) -> None:
    table = market(1000).reset_index().assign(symbol="BTCUSDT", kind=pd.Categorical(["a", "b"] * 500))
    feather.write_feather(pa.Table.from_pandas(table), tmp_path / "x.feather", compression=compression, chunksize=300)
    check_feather(tmp_path / "x.feather", "x")
    with pa.memory_map(str(tmp_path / "x.feather")) as opened:
        opened.seek(8)
        size = sum(_size_of_batch(memoryview(one.metadata), memoryview(one.body), one.type)
                   for one in pa.ipc.MessageReader.open_stream(opened) if one.type != "schema")  # fmt: skip
    assert size == pytest.approx(feather.read_table(tmp_path / "x.feather").nbytes, rel=0.1)


def test_what_is_as_large_as_it_seems_is_read(tmp_path: Path) -> None:
    table = market(3000).assign(symbol="BTCUSDT")
    table.to_parquet(tmp_path / "x.parquet")
    assert check_parquet(tmp_path / "x.parquet", (tmp_path / "x.parquet").stat().st_size, "x").num_rows == 3000
    table.reset_index().to_feather(tmp_path / "x.feather")
    for ending in ("parquet", "feather"):
        np.testing.assert_array_equal(read(tmp_path / f"x.{ending}").candles["close"], table["close"])


def test_a_first_line_without_an_end(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"time,open," + b"9" * 100_000)
    with pytest.raises(ValueError, match=r"x\.csv: its first line is longer than 65,536 bytes"):
        read(tmp_path / "x.csv")


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is read from /proc")
@pytest.mark.timeout(1800)
def test_hostile_inputs_stay_within_their_memory() -> None:
    """All of them with LIQLAB_LONG=1, else three; each in a process of its own."""
    names = [] if LONG else ["parquet of zeros", "gzip twice", "one chunk of 4 GB"]
    found = dict(hostile.results(names))
    assert len(found) == (len(hostile.FILES) + len(hostile.SERVERS) if LONG else 3)
    assert {name: one for name, one in found.items() if not hostile.passes(one)} == {}
