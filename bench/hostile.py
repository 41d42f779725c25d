"""``python -m bench.hostile [NAME …]``: peak memory and time under inputs that are made to cost much.

Each input is used in a process of its own whose libraries are loaded; what it holds at most above that (the kernel's
own high-water mark) must stay within 100 MB, and it must end in an error that liqlab raises on purpose. Servers run in
another process. Where ``/proc`` is not there, nothing is measured.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

LIMIT = 100  # MB
MANY = 1_500_000_000  # bytes that a small file unpacks to
SOME = 300_000_000  # bytes that a small answer unpacks to: made while it is waited for
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


# --- files ------------------------------------------------------------------------------------------------------------


def _packed(piece: bytes, size: int, wbits: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    return b"".join(packer.compress(piece) for _ in range(size // len(piece))) + packer.flush()


def gzip_of_nines() -> bytes:
    return _packed(b"time,open\n" + b"9" * 999_990, MANY, 31)


def gzip_in_gzip(size: int = MANY) -> bytes:
    return gzip.compress(_packed(bytes(1_000_000), size, 31))


def zip_of_zeros() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("x.csv", "w", force_zip64=True) as x:
        for _ in range(MANY // 1_000_000):
            x.write(bytes(1_000_000))
    return out.getvalue()


def zip_that_lies() -> bytes:
    """Its directory says that the file is small."""
    data = bytearray(zip_of_zeros())
    at = data.rfind(b"PK\x01\x02")
    data[at + 24 : at + 28] = (1_000).to_bytes(4, "little")
    return bytes(data)


def zip_of_many() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(40_000):
            archive.writestr(f"{number}.csv", b"")
    return out.getvalue()


def _frame(rows: int) -> Any:
    import numpy as np
    import pyarrow as pa

    names = ("time", "open", "high", "low", "close", "volume")
    zeros = pa.py_buffer(np.zeros(rows))
    return pa.table({name: pa.Array.from_buffers(pa.float64(), rows, [None, zeros]) for name in names})


def parquet_of_zeros() -> bytes:
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(_frame(MANY // 48), out, compression="zstd", row_group_size=1 << 30)
    return out.getvalue()


def parquet_of_one_long_word() -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    word = pa.DictionaryArray.from_arrays(pa.array([0] * 1500, pa.int32()), pa.array(["9" * 1_000_000]))
    out = io.BytesIO()
    pq.write_table(pa.table({"time": word, "open": word}), out, compression="zstd", store_schema=False)
    return out.getvalue()


def _feather(table: Any) -> bytes:
    import pyarrow.feather as feather

    out = io.BytesIO()
    feather.write_feather(table, out, compression="zstd", chunksize=1 << 30)
    return out.getvalue()


def feather_of_zeros() -> bytes:
    return _feather(_frame(MANY // 48))


def feather_of_one_long_word() -> bytes:
    import pyarrow as pa

    return _feather(pa.table({"time": pa.array(["9" * 500_000_000], pa.large_string()), "open": [1.0]}))


def npz_of_zeros() -> bytes:
    import numpy as np

    out = io.BytesIO()
    np.savez_compressed(out, about=np.array("{}"), levels=np.zeros(MANY // 8))
    return out.getvalue()


def sealed_npz_of_zeros() -> bytes:
    from liqlab.maps.sealed_file import sealed

    return sealed(npz_of_zeros())


FILES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "gzip of nines": (".csv.gz", gzip_of_nines),
    "gzip in gzip": (".csv.gz", gzip_in_gzip),
    "zip of zeros": (".zip", zip_of_zeros),
    "zip that lies of its size": (".zip", zip_that_lies),
    "zip of 40,000 files": (".zip", zip_of_many),
    "parquet of zeros": (".parquet", parquet_of_zeros),
    "parquet of one long word": (".parquet", parquet_of_one_long_word),
    "feather of zeros": (".feather", feather_of_zeros),
    "feather of one long word": (".feather", feather_of_one_long_word),
    "CSV of one line": (".csv", lambda: b"time,open," + b"9" * 12_000_000),
    "CSV of 300,000 columns": (".csv", lambda: b",".join(b"c%d" % n for n in range(300_000)) + b"\n"),
    "JSON, deep": (".json", lambda: b"[" * 8_000_000),
    "JSON, deep objects": (".json", lambda: b'{"a":' * 2_000_000),
    "JSON, a long number": (".json", lambda: b"[[" + b"7" * 9_000_000 + b"]]"),
    "YAML that refers to itself": (".yml", lambda: b"case: &a [*a]\n"),
    "YAML of a billion laughs": (".yml", lambda: b"a0: &a0 [lol]\n" + b"".join(
        b"a%d: &a%d [%s]\n" % (n, n, b",".join([b"*a%d" % (n - 1)] * 9)) for n in range(1, 12))),
    "YAML, deep": (".yml", lambda: b"case: " + b"[" * 300_000),
    "live map of zeros": (".npz", npz_of_zeros),
    "sealed live map of zeros": (".npz", sealed_npz_of_zeros),
}  # fmt: skip


# --- servers ----------------------------------------------------------------------------------------------------------


def _repeat(head: bytes, piece: bytes, pause: float = 0.0) -> Callable[[socket.socket], None]:
    def say(guest: socket.socket) -> None:
        guest.sendall(head)
        while True:
            guest.sendall(piece)
            time.sleep(pause)

    return say


def _whole(head: bytes, body: Callable[[], bytes]) -> Callable[[socket.socket], None]:
    def say(guest: socket.socket) -> None:
        made = body()
        guest.sendall(HEAD + head + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(made) + made)

    return say


SERVERS: dict[str, Callable[[socket.socket], None]] = {
    "endless": _repeat(HEAD + b"\r\n[", b"7.25," * 20_000),
    "endless text": _repeat(HEAD + b'\r\n"', b"\\u0061" * 20_000),
    "endless chunks": _repeat(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"8000\r\n" + b"2" * 32768 + b"\r\n"),
    "one chunk of 4 GB": _repeat(HEAD + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n", b"3" * 65536),
    "gzip": _whole(b"Content-Encoding: gzip\r\n", lambda: _packed(bytes(1_000_000), SOME, 31)),
    "deflate": _whole(b"Content-Encoding: deflate\r\n", lambda: _packed(b"[" * 1_000_000, SOME, 15)),
    "gzip twice": _whole(b"Content-Encoding: gzip, gzip\r\n", lambda: gzip_in_gzip(SOME)),
    "endless headers": _repeat(b"HTTP/1.1 200 OK\r\n", b"X-A: 1\r\n" * 500),
    "endless header": _repeat(b"HTTP/1.1 200 OK\r\nX-A: ", b"1" * 65536),
    "endless 100s": _repeat(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "an error without end": _repeat(b"HTTP/1.1 503 Busy\r\nContent-Type: application/json\r\n\r\n{", b'"a":1,' * 9_000),
    "deep": _whole(b"", lambda: b'{"a":[' * 700_000),
    "drip": _repeat(HEAD + b"Content-Length: 5000\r\n\r\n", b"4", 0.2),
}


def serve(say: Callable[[socket.socket], None]) -> Iterator[str]:
    """The address of a server that answers every connection by a function."""
    door = socket.create_server(("127.0.0.1", 0))

    def answer(guest: socket.socket) -> None:
        with guest, suppress(OSError):
            guest.recv(65536)
            say(guest)

    def wait() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(door.accept()[0],), daemon=True).start()

    threading.Thread(target=wait, daemon=True).start()
    yield f"http://127.0.0.1:{door.getsockname()[1]}/x"
    door.close()


# --- measuring --------------------------------------------------------------------------------------------------------


def use(what: str) -> object:
    """Use one hostile input, a path or an address, as its kind is used."""
    import liqlab as lq
    from liqlab.loaders import http

    if what.startswith("http"):
        return http.get_json(http.session(), what)
    if what.endswith(".yml"):
        return lq.read_case(what)
    if what.endswith(".npz"):
        return lq.load_live(what)
    return lq.read(what, symbol="BTC/USDT:USDT", exchange="binanceusdm")


def measured(what: str) -> dict[str, Any]:
    """In this process: MB above idle at most, seconds, and the error."""
    import numpy as np
    import pandas as pd

    import liqlab as lq
    from liqlab.loaders import http

    http.RETRY_POLICY = http.RetryPolicy(attempts=1, total=20.0)
    table = pd.DataFrame({"time": np.arange(30) * 60_000 + 1_714_521_600_000, "open": 1.0, "high": 1.0, "low": 1.0,
                          "close": 1.0, "volume": 1.0})  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:  # libraries are loaded
        for write, ending in ((table.to_parquet, "parquet"), (table.to_feather, "feather"), (table.to_csv, "csv")):
            write(Path(folder) / f"x.{ending}")
            lq.read(Path(folder) / f"x.{ending}")
        with suppress(http.FetchError):
            http.get_json(http.session(), "http://127.0.0.1:9/x")
        with suppress(ValueError):
            lq.load_live(Path(folder) / "x.csv")
        lq.read_case("btc-56k-cascade")
    Path("/proc/self/clear_refs").write_text("5")
    idle, began = _status("VmRSS"), time.monotonic()
    try:
        use(what)
        error = "none: it was read"
    except (ValueError, TypeError, OSError, http.FetchError) as found:
        error = f"{type(found).__name__}: {found}"
    except BaseException as found:  # what nobody raised on purpose
        error = f"FOREIGN {type(found).__name__}: {found}"
    return {"peak": _status("VmHWM") - idle, "seconds": time.monotonic() - began, "error": error[:160]}


def _status(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith(name))


def child(what: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-W", "ignore", "-m", "bench.hostile", "--use", what], capture_output=True,
                          text=True, check=False, env={**os.environ, "NO_PROXY": "127.0.0.1"})  # fmt: skip
    if done.returncode:
        return {"peak": float("inf"), "seconds": 0.0, "error": f"FOREIGN exit {done.returncode} {done.stderr[-200:]}"}
    return json.loads(done.stdout.splitlines()[-1])


def results(names: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and what was measured, one input after the other."""
    with tempfile.TemporaryDirectory() as folder:
        for name, (ending, make) in FILES.items():
            if not names or name in names:
                file = Path(folder) / f"hostile{ending}"
                file.write_bytes(make())
                yield name, child(str(file))
                file.unlink()
        for name, say in SERVERS.items():
            if not names or name in names:
                for address in serve(say):
                    yield name, child(address)


def passes(found: dict[str, Any]) -> bool:
    """Within the limit, and ended by an error in words."""
    return found["peak"] <= LIMIT and not found["error"].startswith(("FOREIGN", "none"))


def main(names: list[str]) -> None:
    """Print a line for each."""
    for name, found in results(names):
        verdict = "PASS" if passes(found) else "over"
        print(f"{verdict} {name:28} +{found['peak']:6.1f} MB {found['seconds']:6.1f} s  {found['error']}", flush=True)


if __name__ == "__main__":
    if {"-h", "--help"} & {*sys.argv[1:]}:
        print(__doc__)
    elif sys.argv[1:2] == ["--use"]:
        print(json.dumps(measured(sys.argv[2])))
    elif not Path("/proc/self/clear_refs").exists():
        raise SystemExit("bench.hostile reads /proc, which is not there")
    else:
        main(sys.argv[1:])
