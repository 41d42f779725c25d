"""Damaged input of every kind ends in words: an error that liqlab raises on purpose, within a fixed memory."""

from __future__ import annotations

import gzip
import io
import json
import os
import resource
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import liqlab as lq
from liqlab.loaders import http, store
from liqlab.loaders.store import keys
from liqlab.maps._live import live, load_live
from liqlab.maps.sealed_file import sealed
from tests.conftest import LONG
from tests.maps.test_live import BINS, part
from tests.store_writer import KEY, ORIGIN, START, candles

CASES = int(os.environ.get("LIQLAB_FUZZ", 10_000 if LONG else 60))
MEMORY = 400_000_000  # bytes above what the process had when its libraries were warm
WORDS = (ValueError, TypeError, FileNotFoundError, http.FetchError)
TOKENS = [
    b"", b"\0", b"\xff", b"nan", b"NaN", b"inf", b"-1", b"1e999", b"9" * 5000, b"[" * 3000, b"{", b"}", b"]", b'"',
    b",", b"\n", b";", b"&a [*a]", b"!!python/object:os.system", b"null", b"true", b"1970-01-01", b"\xef\xbb\xbf",
    b"\t", b"'", b"\xf0\x9f\x92\xa5", b"--- ", b"0x10", b"2**62", b"99999999999999999999", b"2262-04-12", b"\r",
    b": ", b"- ",
]  # fmt: skip


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """A few of: flipped bits, cuts, repeats, foreign tokens."""
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        at, kind = int(rng.integers(len(out) + 1)), int(rng.integers(5))
        end = min(len(out), at + int(rng.integers(1, 200)))
        if kind == 0 and at < len(out):
            out[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            del out[at:end]
        elif kind == 2:
            out[at:at] = out[at:end] * int(rng.integers(1, 4))
        elif kind == 3:
            out[at:at] = TOKENS[int(rng.integers(len(TOKENS)))]
        else:
            out[at:end] = TOKENS[int(rng.integers(len(TOKENS)))]
    return bytes(out) if out != data else damaged(data, rng)


def rows() -> pd.DataFrame:
    return candles(START, START + pd.Timedelta("1D")).reset_index()


def _csv() -> bytes:
    return rows().to_csv(index=False).encode()


def _json() -> bytes:
    return rows().assign(time=rows()["time"].astype(str)).to_json(orient="records").encode()


def _parquet() -> bytes:
    out = io.BytesIO()
    rows().to_parquet(out)
    return out.getvalue()


def _zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("candles.csv", _csv())
    return out.getvalue()


def read_as(suffix: str) -> Callable[[bytes, Path], object]:
    def read(data: bytes, folder: Path) -> object:
        file = folder / f"candles{suffix}"
        file.write_bytes(data)
        return lq.read(candles=file, symbol="BTC/USDT:USDT", exchange="x")

    return read


def read_case(data: bytes, folder: Path) -> object:
    file = folder / "case.yml"
    file.write_bytes(data)
    return lq.read_case(str(file))


def read_store(data: bytes, folder: Path) -> object:
    file = keys.month_file(KEY, "2024-01", folder)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return store.missing(KEY, START, START + pd.Timedelta("1D"), store=folder), store.load(
        KEY, START, START + pd.Timedelta("1D"), store=folder
    )


def read_live(data: bytes, folder: Path) -> object:
    """Damaged inside of the seal: what is fuzzed are the checks behind it."""
    (folder / "live.npz").write_bytes(data)
    return load_live(folder / "live.npz")


def answer(data: bytes, folder: Path) -> object:
    """A body as a server sends it, through the whole of `get_json`."""
    import requests

    class Adapter(requests.adapters.BaseAdapter):
        def send(self, request: Any, **_: Any) -> Any:
            from urllib3 import HTTPResponse

            raw = HTTPResponse(io.BytesIO(data), {}, 200, preload_content=False)
            return requests.adapters.HTTPAdapter().build_response(request, raw)

        def close(self) -> None:
            pass

    web = http.session()
    web.mount("http://", Adapter())
    return http.get_json(web, "http://127.0.0.1/x")


def _store(folder: Path) -> bytes:
    day = START + pd.Timedelta("1D")
    store.append(KEY, candles(START, day), START, day, store=folder / "sound", origin=ORIGIN)
    return keys.month_file(KEY, "2024-01", folder / "sound").read_bytes()


def _case() -> bytes:
    return lq.read_case("xrp-squeeze").to_yaml().encode()


KINDS: dict[str, tuple[Callable[[], bytes], Callable[[bytes, Path], object]]] = {
    "yaml": (_case, read_case),
    "json": (_json, read_as(".json")),
    "csv": (_csv, read_as(".csv")),
    "parquet": (_parquet, read_as(".parquet")),
    "zip": (_zip, read_as(".zip")),
    "gzip": (lambda: gzip.compress(_csv()), read_as(".csv.gz")),
    "http": (_json, answer),
}


def run(kind: str, seed: bytes, use: Callable[[bytes, Path], object], folder: Path, change: Any = damaged) -> int:
    """Use damaged data over and over; returns how often it was refused."""
    rng, refused, before = np.random.default_rng(len(kind)), 0, 0
    for number in range(CASES):
        data = change(seed, rng)
        if number == min(30, CASES // 2):
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                use(data, folder)
        except WORDS as error:
            refused += 1
            if len(str(error)) <= 15:
                raise AssertionError(f"{kind}, case {number}: no words: {error!r}") from error
        except Exception as error:
            (folder / "found").write_bytes(data)
            raise AssertionError(f"{kind}, case {number}: {type(error).__name__}: {error}") from error
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before < MEMORY
    return refused


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kind", KINDS)
def test_damaged_input_ends_in_words(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "RETRY_POLICY", http.RetryPolicy(attempts=1))
    seed, use = KINDS[kind]
    use(seed(), tmp_path)
    assert run(kind, seed(), use, tmp_path) > CASES // 4


@pytest.mark.timeout(7200)
def test_a_damaged_store_ends_in_words(tmp_path: Path) -> None:
    """Every one is refused: no damage is read as good."""
    assert run("store", _store(tmp_path), read_store, tmp_path) == CASES


@pytest.mark.timeout(7200)
def test_a_damaged_live_map_ends_in_words(tmp_path: Path) -> None:
    """Arrays and words changed behind a seal that fits: what is still read runs, and gives numbers that are finite."""
    market = part(lq.load_example("btc-2024-05"), "2024-04-27", "2024-04-28")
    seed = live(market, **BINS).save(tmp_path / "sound.npz").read_bytes()
    with np.load(io.BytesIO(seed)) as file:
        arrays = {name: file[name] for name in file.files}
    about = json.loads(str(arrays.pop("about")))

    def change(_: bytes, rng: np.random.Generator) -> bytes:
        changed, name = dict(arrays), str(rng.choice(list(arrays)))
        told = json.dumps(about)
        if rng.random() < 0.3:
            told = damaged(told.encode(), rng).decode(errors="replace")
        else:
            array = changed[name].copy()
            values = [0, -1, 1e300, np.nan, np.inf, 2.0**62, 7, array.flat[0] * 2 if array.size else 0]
            with np.errstate(all="ignore"):
                array.flat[rng.integers(0, array.size, 3) if array.size else []] = np.array(
                    [values[k] for k in rng.integers(0, len(values), 3)]
                ).astype(array.dtype)
            changed[name] = array if rng.random() < 0.8 else array.ravel()[: rng.integers(array.size + 1)]
        out = io.BytesIO()
        np.savez_compressed(out, about=np.array(told), **changed)
        return sealed(out.getvalue())

    def use(data: bytes, folder: Path) -> None:
        ledger = read_live(data, folder)
        ledger.update({"open": 60_000, "high": 61_000, "low": 59_000, "close": 60_000, "volume": 1.0})  # type: ignore[attr-defined]
        notional = ledger.notional  # type: ignore[attr-defined]
        assert np.isfinite(notional).all() and notional.sum() < 1e24

    assert run("live", seed, use, tmp_path, change) > CASES // 4
