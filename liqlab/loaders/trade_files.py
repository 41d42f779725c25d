"""Every trade from files: opened in batches, understood by their columns, joined to runs as they pass."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from liqlab.loaders import bounded_streams
from liqlab.loaders.bounded_arrow import check_parquet
from liqlab.loaders.column_names import recognise
from liqlab.loaders.file_formats import load, pieces
from liqlab.loaders.layouts import TRADE_ROWS, fold
from liqlab.loaders.numerals import numbers_of
from liqlab.loaders.timestamps import stamps
from liqlab.loaders.trade_runs import Batch, Joining
from liqlab.market.arguments import warn
from liqlab.market.instruments import contradiction, parse_symbol

__all__ = ["Runs", "read_trades"]

TABLE = "trades"
BATCH = 1 << 18  # rows
BUYS, SELLS = ("buy", "b", "bid", "1"), ("sell", "s", "a", "ask", "-1")
MAKER = {"true": False, "false": True, "1": False, "0": True}  # the buyer waited: the taker sold
_PER_SECOND = (1, 10**3, 10**6, 10**9)
_FIRST = 1_230_768_000  # [s] 2009: no exchange is older than bitcoin
_BROKEN = "cannot be read ({}); is its ending right and the download complete?"


@dataclass
class Runs:
    """Trades joined to runs, and the candles that they make.

    Attributes
    ----------
    table : DataFrame (time,)
        price, quantity, taker_buy of every run, with the time and price of its first trade.
    candles : DataFrame (time,)
        open, high, low, close, volume, quote_volume, trades, taker_buy_volume.
    origin : dict
        For `Market.sources`.
    """

    table: pd.DataFrame
    candles: pd.DataFrame
    origin: dict[str, str] = field(default_factory=dict)


def read_trades(source: Any, *, symbol: str, exchange: str, width: int, start: int, now: pd.Timestamp) -> Runs:
    """Read every trade, batch by batch.

    Parameters
    ----------
    source : path, several paths, DataFrame or list of rows
    symbol, exchange : str
        As in `liqlab.read`.
    width, start : int
        Candles are so long, and one of them begins here [ns].
    now : Timestamp

    Returns
    -------
    Runs

    Raises
    ------
    FileNotFoundError, TypeError, ValueError
        As `liqlab.read`; also where trades of a file, or of files one after the other, are not in the order of time.
    """
    if parse_symbol(symbol, exchange).inverse or exchange == "binancecoinm":
        raise ValueError(f"{TABLE}: those of {symbol or exchange} count contracts worth a sum of quote, and trades are "
                         "read in coins; divide quantity by price, times the contract's size, and pass a DataFrame "
                         "without symbol, or leave trades out")  # fmt: skip
    joining, origins = Joining(width, start), []
    for piece in pieces(source, TABLE):
        label = Path(piece).name if isinstance(piece, str | Path) else f"{TABLE} (from memory)"
        for frame in _ahead(_batches(piece, exchange)):
            joining.take(
                _understood(frame, label, symbol, exchange, now, sort=not isinstance(piece, str | Path)), label
            )
        origins.append((label, _sha256(Path(piece)) if isinstance(piece, str | Path) else ""))
    files = [name for name, _ in origins]
    seal = (
        origins[0][1]
        if len(files) == 1
        else hashlib.sha256("".join(f"{s}  {n}\n" for n, s in origins).encode()).hexdigest()
    )
    label = files[0] if len(files) == 1 else f"{files[0]} … {files[-1]} ({len(files)} files)"
    table, candles = joining.result()
    note = f"{joining.trades:,} trades in {len(table):,} runs of one cell and one taker side"
    told = {"exchange": exchange, "origin": label, "kind": "own", "note": note}
    return Runs(table, candles, told | ({"sha256": seal} if seal else {}))


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _ahead(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """The same, the next one opened while this one is worked on."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, batches, None)
        while (frame := coming.result()) is not None:
            coming = pool.submit(next, batches, None)
            yield frame


# --- opening ----------------------------------------------------------------------------------------------------------


def _batches(piece: Any, exchange: str) -> Iterator[pd.DataFrame]:
    """The rows of one source, some at a time where it can be read so."""
    if not isinstance(piece, str | Path):
        yield load(list(piece) if isinstance(piece, tuple) else piece, TABLE, exchange)[0]
        return
    file = Path(piece)
    kind = "".join(file.suffixes[-2:]).lower() if file.suffix.lower() == ".gz" else file.suffix.lower()
    if not file.is_file() or kind not in _OPENED:
        yield load(file, TABLE, exchange)[0]
        return
    try:
        yield from _OPENED[kind](file)
    except (pd.errors.ParserError, UnicodeDecodeError, zipfile.BadZipFile, OSError, LookupError) as error:
        raise ValueError(
            f"{file.name}: cannot be read ({error}); is its ending right and the download complete?"
        ) from error


def _parquet(file: Path) -> Iterator[pd.DataFrame]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with _arrow(file), pq.ParquetFile(file, pre_buffer=False, buffer_size=1 << 20) as opened:
        names = opened.schema_arrow.names
        used = [name for name in names if fold(name) in _USED]
        text = any(pa.types.is_string(opened.schema_arrow.field(name).type) for name in used)
        if text:
            check_parquet(file, file.stat().st_size, file.name)
        for batch in opened.iter_batches(batch_size=BATCH, columns=used or names):
            frame = batch.to_pandas(self_destruct=True)
            yield frame.reset_index() if frame.index.name else frame


@contextmanager
def _arrow(file: Path) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except pa.ArrowException as error:
        raise ValueError(
            f"{file.name}: cannot be read ({error}); is its ending right and the download complete?"
        ) from error


def _csv(file: Path) -> Iterator[pd.DataFrame]:
    with file.open("rb") as stream:
        yield from _text(stream, file.name)


def _zip(file: Path) -> Iterator[pd.DataFrame]:
    with zipfile.ZipFile(file) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        if len(members) != 1:
            raise ValueError(f"{file.name}: the archive holds {len(members)} files; unpack it and pass them")
        bounded_streams.check_ratio(members[0].file_size, file.stat().st_size, file.name)
        with archive.open(members[0]) as stream:
            yield from _text(stream, file.name)


def _gzip(file: Path) -> Iterator[pd.DataFrame]:
    yield from _text(io.BytesIO(bounded_streams.gunzip(file.read_bytes(), file.name)), file.name)


def _text(stream: Any, name: str) -> Iterator[pd.DataFrame]:
    """A CSV of an archive, with names or without."""
    head = stream.readline(1 << 16)
    if not head.strip() or len(head) == 1 << 16:
        raise ValueError(f"{name}: its first line is {'empty' if not head.strip() else 'no line of a table'}; download "
                         "or export it again")  # fmt: skip
    first = [word.strip() for word in head.decode("utf-8-sig").strip().split(",")]
    names = first
    if len(first) > 1 and _is_number(first[0]) and _is_number(first[1]):
        names = _archive_names(first, name)
        yield pd.DataFrame([dict(zip(names, first, strict=True))])
    with pd.read_csv(stream, header=None, names=names, chunksize=BATCH, index_col=False, low_memory=False) as chunks:
        yield from chunks


def _archive_names(first: list[str], name: str) -> list[str]:
    """Names of the columns of Binance's archives that come without: the place of true and false tells which it is."""
    marks = [number for number, word in enumerate(first) if word.lower() in ("true", "false")]
    order = TRADE_ROWS.get(marks[0] if marks else -1)
    if order is None or len(first) > len(order) or len(first) < marks[0] + 1:
        raise ValueError(f"{name}: rows without names, {len(first)} fields, are not understood as trades; put names "
                         "above them: time, price, quantity, is_buyer_maker (or side)")  # fmt: skip
    return list(order[: len(first)])


def _lines(file: Path) -> Iterator[pd.DataFrame]:
    """One JSON object per line."""
    with file.open(encoding="utf-8") as stream:
        while rows := list(islice(stream, BATCH)):
            try:
                yield pd.DataFrame([json.loads(row) for row in rows if row.strip()])
            except (ValueError, RecursionError, AttributeError) as error:
                raise ValueError(f"{file.name}: not one JSON object per line ({error}); download it again") from error


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


_OPENED: dict[str, Callable[[Path], Iterator[pd.DataFrame]]] = {
    ".parquet": _parquet, ".csv": _csv, ".zip": _zip, ".csv.gz": _gzip, ".jsonl": _lines,
}  # fmt: skip
_USED = {fold(name) for name in (
    "time", "timestamp", "transact_time", "T", "ts", "price", "p", "px", "quantity", "qty", "q", "size", "sz", "amount",
    "is_buyer_maker", "m", "side", "taker_side", "taker_buy", "symbol", "coin",
)}  # fmt: skip


# --- understanding ----------------------------------------------------------------------------------------------------


def _understood(frame: pd.DataFrame, file: str, symbol: str, exchange: str, now: pd.Timestamp, *, sort: bool) -> Batch:
    """Time [ns], price, quantity and whether the taker bought, of each trade."""
    if isinstance(frame.index, pd.DatetimeIndex):
        frame = frame.rename_axis("time").reset_index()
    layout = recognise(frame.columns, TABLE, file)
    named = {fold(name): name for name in frame.columns} | {str(name): name for name in frame.columns}
    role: dict[str, Any] = {}
    for theirs, ours in layout.columns.items():
        key = theirs if len(theirs) == 1 else fold(theirs)
        if ours not in role and key in named:
            role[ours] = named[key]
    if "symbol" in role:
        frame = _one_symbol(frame, role["symbol"], symbol, exchange, file)
    time = frame[role["time"]]
    if not len(frame):
        nothing = np.empty(0)
        return nothing.astype(np.int64), nothing, nothing, nothing.astype(bool)
    moment = _nanoseconds(time, file, now)
    price, quantity = (numbers_of(frame[role[name]], time, name, file) for name in ("price", "quantity"))
    buy = _taker_buys(frame, role, file)
    if sort and (np.diff(moment) < 0).any():
        order = np.argsort(moment, kind="stable")
        warn(f"{file}: trades are not in the order of time; sorted")
        moment, price, quantity, buy = moment[order], price[order], quantity[order], buy[order]
    return moment, price, quantity, buy


def _one_symbol(frame: pd.DataFrame, column: Any, symbol: str, exchange: str, file: str) -> pd.DataFrame:
    names = [str(name) for name in pd.unique(frame[column])]
    if not symbol:
        if len(names) > 1:
            raise ValueError(f"{file}: trades of {len(names)} symbols, {', '.join(names[:10])}; pass symbol= to choose")
        return frame
    wanted = parse_symbol(symbol, exchange)
    mine = [name for name in names if not contradiction(wanted, parse_symbol(name, exchange))]
    return frame if mine == names else frame[frame[column].astype(str).isin(mine)]


def _nanoseconds(column: pd.Series, file: str, now: pd.Timestamp) -> np.ndarray:
    """Whole epoch numbers of one unit at once; all else as every table's times are read."""
    if column.dtype == np.int64:
        values, last = column.to_numpy(), int(now.timestamp()) + 86_400
        low, high = int(values.min()), int(values.max())
        for per in _PER_SECOND:
            if _FIRST * per <= low and high <= last * per:
                return values * (10**9 // per)
    return stamps(column, file=file, now=now, zone="UTC").as_unit("ns").asi8


def _taker_buys(frame: pd.DataFrame, role: dict[str, Any], file: str) -> np.ndarray:
    """Whether the taker bought, from what tells it."""
    kind = "taker_buy" if "taker_buy" in role else "buyer_maker" if "buyer_maker" in role else "side"
    column = frame[role[kind]]
    if column.dtype == bool:
        return column.to_numpy() if kind == "taker_buy" else ~column.to_numpy()
    text = column.astype(str).str.strip().str.lower()
    words = {"taker_buy": {word: not sold for word, sold in MAKER.items()}, "buyer_maker": MAKER,
             "side": dict.fromkeys(BUYS, True) | dict.fromkeys(SELLS, False)}[kind]  # fmt: skip
    found = text.map(words)
    if found.isna().any():
        row = int(np.flatnonzero(found.isna())[0])
        raise ValueError(f"{file}: column {column.name!r}, row {row} is {column.iloc[row]!r}, which tells no taker "
                         f"side ({int(found.isna().sum())} such row(s)); allowed are {', '.join(words)}")  # fmt: skip
    return found.to_numpy(bool)
