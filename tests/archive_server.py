"""Binance's public archive on loopback: zips with their checksum files, and every fault that a download can meet."""

from __future__ import annotations

import hashlib
import io
import socket
import struct
import threading
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pandas as pd

KLINES = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"
)
METRICS = ("create_time,symbol,sum_open_interest,sum_open_interest_value,count_toptrader_long_short_ratio,"
           "sum_toptrader_long_short_ratio,count_long_short_ratio,sum_taker_long_short_vol_ratio")  # fmt: skip
FUNDING = "calc_time,funding_interval_hours,last_funding_rate"


class Archive:
    """Files by path, faults by path (each used up by one request, in order), and what was asked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[str]] = {}
        self.asked: Counter[str] = Counter()
        self.url = ""

    def put(self, path: str, csv: str) -> None:
        """A zip and its checksum file."""
        name = path.rpartition("/")[2]
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(zipfile.ZipInfo(name.replace(".zip", ".csv"), (2024, 1, 1, 0, 0, 0)), csv)
        self.files[path] = out.getvalue()
        self.files[f"{path}.CHECKSUM"] = f"{hashlib.sha256(out.getvalue()).hexdigest()}  {name}\n".encode()

    def zips(self) -> list[str]:
        """Zips asked for, in order of their first request."""
        return [path for path in self.asked if path.endswith(".zip")]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body leave as two packets, and need not wait for each other

    def do_GET(self) -> None:
        archive: Archive = self.server.archive  # type: ignore[attr-defined]
        path = self.path.lstrip("/")
        archive.asked[path] += 1
        waiting = archive.faults.get(path, [])
        fault = waiting.pop(0) if waiting else ""
        data = archive.files.get(path)
        if fault.isdigit() or data is None:
            self._send(int(fault) if fault else 404, b"<html>no</html>", {"Retry-After": "0"} if fault else {})
        elif fault == "corrupt":
            self._send(200, data[: len(data) // 2] + bytes(len(data) - len(data) // 2))
        elif fault == "reset":
            self._send(200, data, cut=True)
        elif fault == "short":
            self._send(200, data, cut=True, gently=True)
        elif fault == "wrong":
            self._send(200, b"0" * 64 + data[64:])
        else:
            self._send(200, data)

    def _send(self, status: int, data: bytes, headers: Any = None, cut: bool = False, gently: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if cut else data)
        if cut:
            self.wfile.flush()
            if not gently:  # closing with a zero linger sends RST instead of FIN
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        pass  # the resets are our own


@contextmanager
def serving() -> Iterator[Archive]:
    """An empty archive on a free port of loopback."""
    server = _Server(("127.0.0.1", 0), _Handler)
    archive = Archive()
    server.archive = archive  # type: ignore[attr-defined]
    archive.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield archive
    finally:
        server.shutdown()
        server.server_close()


# --- contents -------------------------------------------------------------------------------------------------------


def klines(candles: pd.DataFrame, *, header: bool = True, unit: str = "ms", inverse: bool = False) -> str:
    """Candles as the archive writes them; `inverse`: volume in contracts of 100 USD, coins where others have quote."""
    size = {"ms": 10**6, "us": 10**3}[unit]
    step = int((candles.index[1] - candles.index[0]).value)
    lines = [KLINES] if header else []
    for stamp, row in zip(candles.index.as_unit("ns").asi8.tolist(), candles.itertuples(index=False), strict=True):
        amounts = [row.volume, row.quote_volume, row.taker_buy_volume, row.taker_buy_quote_volume]
        if inverse:
            amounts = [round(row.quote_volume / 100), row.volume, round(row.taker_buy_quote_volume / 100),
                       row.taker_buy_volume]  # fmt: skip
        fields = [stamp // size, row.open, row.high, row.low, row.close, amounts[0], (stamp + step) // size - 1,
                  amounts[1], int(row.trades), amounts[2], amounts[3], 0]  # fmt: skip
        lines.append(",".join(map(repr, fields)))
    return "\n".join(lines) + "\n"


def metrics(values: dict[str, Any], *, symbol: str = "BTCUSDT") -> str:
    """Open interest by label, ``2024-05-01 00:05:00`` → coins; the ratios are 1.1 … 1.4."""
    rows = [f"{label},{symbol},{value},{float(value or 0) * 100},1.1,1.2,1.3,1.4" for label, value in values.items()]
    return "\n".join([METRICS, *rows]) + "\n"


def funding(rates: dict[int, float]) -> str:
    """Funding by epoch ms."""
    return "\n".join([FUNDING, *(f"{stamp},8,{rate!r}" for stamp, rate in rates.items())]) + "\n"
