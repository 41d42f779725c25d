"""What is unpacked ends: at a size, at a ratio, at the first torn byte."""

from __future__ import annotations

import gzip
import io
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

import liqlab as lq
from liqlab.loaders import bounded_streams


def zipped(content: bytes, name: str = "table.csv") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize(
    "size", [0, 1, bounded_streams.PIECE - 1, bounded_streams.PIECE, 3 * bounded_streams.PIECE + 7]
)
def test_what_was_packed_comes_back(size: int) -> None:
    content = np.random.default_rng(size).integers(0, 20, size, dtype=np.uint8).tobytes()
    half = len(content) // 2
    twice = gzip.compress(content[:half]) + gzip.compress(content[half:]) + bytes(512)
    for packed in (gzip.compress(content), twice):
        assert bounded_streams.gunzip(packed, "x.gz") == content
    assert bounded_streams.members(zipped(content), "x.zip") == ["table.csv"]
    assert bounded_streams.unzip(zipped(content), "table.csv", "x.zip") == content


@pytest.mark.parametrize("pack", [gzip.compress, zipped])
def test_a_packed_file_of_zeros_is_given_up_at_once(pack: object, tmp_path: Path) -> None:
    packed = pack(bytes(300_000_000))  # type: ignore[operator]
    file = tmp_path / ("zeros.csv.gz" if pack is gzip.compress else "zeros.zip")
    file.write_bytes(packed)
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"zeros\..*: it unpacks to more than 200 times its size.*unpack and check it"):
        lq.read(candles=file, symbol="BTC/USDT:USDT", exchange="x")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 70_000_000


def test_the_largest_size_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    content = np.random.default_rng(1).bytes(3_000_000)
    monkeypatch.setenv("LIQLAB_MAX_UNPACKED_MB", "2")
    for use in (
        lambda: bounded_streams.gunzip(gzip.compress(content), "x.gz"),
        lambda: bounded_streams.members(zipped(content), "x"),
    ):
        with pytest.raises(ValueError, match=r"larger than 2 MB, the most that is read; .*LIQLAB_MAX_UNPACKED_MB"):
            use()
    monkeypatch.setenv("LIQLAB_MAX_UNPACKED_MB", "much")
    with pytest.raises(ValueError, match="LIQLAB_MAX_UNPACKED_MB must be a number > 0, got 'much'; unset it for 2000"):
        bounded_streams.max_unpacked()


def test_torn_files_say_so() -> None:
    content = b"time,open\n" * 1000
    for packed in (gzip.compress(content), zipped(content)):
        use = bounded_streams.gunzip if packed[:2] == b"\x1f\x8b" else bounded_streams.members
        for cut in (packed[:-1], packed[: len(packed) // 2], packed[:3]):
            with pytest.raises(ValueError, match=r"x: cannot be unpacked \(.*\); download it again"):
                use(cut, "x")
