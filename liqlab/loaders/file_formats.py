"""From a path, a frame or a list of rows to the table as it was found: formats, compression, delimiters."""

from __future__ import annotations

import csv
import glob
import hashlib
import io
import json
import os
import re
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from liqlab.loaders import bounded_streams
from liqlab.loaders.archive_files import checksum
from liqlab.loaders.bounded_arrow import check_feather, check_parquet
from liqlab.loaders.replies import arranged, holds_table, rows_of, table_of
from liqlab.market.arguments import path_of

__all__ = ["load", "pieces"]

_HEAD = 65_536  # bytes that show delimiter and header
_PIECE = 1 << 20  # bytes hashed at once: between pieces the thread waits for those that run Python
_BY_PATH = (".csv", ".tsv", ".parquet", ".feather")
_LONGEST_BLANK = 9  # letters of -1.#QNAN and its like
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


def pieces(source: Any, table: str) -> list[Any]:
    """The sources that one argument stands for: a folder, a pattern or a list of paths are several files.

    Parameters
    ----------
    source : path, list of paths, DataFrame or list of rows
        A folder stands for the tables that lie in it (not in its own folders); ``*``, ``?`` and ``[…]`` for what they
        match. Anything else stands for itself.
    table : str
        What it is to become; used in messages.

    Raises
    ------
    FileNotFoundError
        Where a folder holds no table or a pattern matches none; the message lists what there is.
    """
    if isinstance(source, list | tuple) and source and all(isinstance(one, str | os.PathLike) for one in source):
        return [piece for one in source for piece in pieces(one, table)]
    if not isinstance(source, str | os.PathLike):
        return [source]
    path = path_of(source, table)
    if path.is_dir():
        found = [file for file in sorted(path.iterdir()) if _is_table(file)]
    elif not path.exists() and glob.has_magic(str(path)):
        found = [Path(name) for name in sorted(glob.glob(str(path), recursive=True)) if _is_table(Path(name))]
    else:
        return [path]
    if not found:
        raise FileNotFoundError(_missing(path, table))
    return found


def _is_table(file: Path) -> bool:
    return file.is_file() and file.suffix.lower() in (*_READERS, ".gz", ".zip") and not file.name.startswith(".")


def load(source: Any, table: str, exchange: str = "") -> tuple[pd.DataFrame, dict[str, Any]]:
    """Open a table as it is, without judging its columns.

    Parameters
    ----------
    source : path, DataFrame, list of rows or a venue's reply
        Paths end in .csv, .tsv, .json, .parquet, .feather, or in .gz or .zip of these.
    table, exchange : str
        The table of a Market that it is to become, and the venue: used in messages, and for rows without column names.

    Returns
    -------
    frame : DataFrame (rows,)
        Columns as found; rows without column names get them from `liqlab.loaders.replies`. ``attrs``:
        ``newest_first`` where that is the venue's order, ``liqlab`` for a month of the store.
    origin : dict
        ``kind``, and for files ``file`` (its name) and ``sha256``, which may be a future.

    Raises
    ------
    FileNotFoundError, TypeError, ValueError
        Where there is no such file, no table in it, or its rows do not fit together.
    """
    if isinstance(source, pd.DataFrame):
        return source, {"kind": "own"}
    if isinstance(source, list | tuple):
        return rows_of(source, table, f"{table} (from memory)", exchange), {"kind": "own"}
    if isinstance(source, Mapping) and holds_table(source):
        return _reply(source, table, f"{table} (from memory)", exchange), {"kind": "own"}
    if not isinstance(source, str | os.PathLike):
        held = (
            f" with {', '.join(list(map(str, source))[:10])}, none of which is a list of rows that is understood"
            if isinstance(source, Mapping)
            else ""
        )
        raise TypeError(f"{table} must be a path, a DataFrame or a list of rows, got {type(source).__name__}{held}")
    file = Path(source)
    if not file.is_file():
        raise FileNotFoundError(_missing(file, table))
    if file.suffix.lower() in _BY_PATH and not file.with_name(f"{file.name}.CHECKSUM").is_file():
        return _opened_by_path(file, table, exchange)
    data = file.read_bytes()
    origin = {"file": file.name, "sha256": hashlib.sha256(data).hexdigest(), "kind": "own"}
    if (stated := file.with_name(f"{file.name}.CHECKSUM")).is_file():  # downloaded along with an archive's zip
        checksum(data, stated.read_text(encoding="utf-8", errors="replace"), file.name)
    if not data:
        raise ValueError(f"{file.name}: the file is empty (0 bytes); download or export it again")
    name, content = _unpacked(file.name, data)
    reader = _READERS.get(Path(name).suffix.lower())
    if reader is None:
        raise ValueError(f"{file.name}: files of this ending are not read; understood are {', '.join(_READERS)}, "
                         "also .gz and .zip of them")  # fmt: skip
    return reader(content, table, file.name, exchange), origin


def _opened_by_path(file: Path, table: str, exchange: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A file by its path, which pandas reads faster than bytes; hashed while others go on."""
    with file.open("rb") as stream:
        head = stream.read(_HEAD)
    if not head:
        raise ValueError(f"{file.name}: the file is empty (0 bytes); download or export it again")
    reader = _READERS[file.suffix.lower()]
    frame = reader(head if reader is _csv else b"", table, file.name, exchange, file)
    pool = ThreadPoolExecutor(1)
    origin = {"file": file.name, "sha256": pool.submit(_sha256, file), "kind": "own"}
    pool.shutdown(wait=False)
    return frame, origin


def _sha256(file: Path) -> str:
    seal, piece = hashlib.sha256(), bytearray(_PIECE)
    with file.open("rb", buffering=0) as stream:
        while got := stream.readinto(piece):
            seal.update(memoryview(piece)[:got])
    return seal.hexdigest()


def _missing(file: Path, table: str) -> str:
    folder = file.absolute().parent
    if file.is_dir():
        return f"{table}: the folder {file} holds no table ({', '.join(_READERS)}, also .gz and .zip); pass another"
    if not folder.is_dir():
        return f"{table}: no file {file}: there is no folder {folder}; check the path"
    names = sorted(entry.name for entry in folder.iterdir() if Path(entry.name).suffix in (*_READERS, ".gz", ".zip"))
    listed = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    return f"{table}: no file {file.name} in {folder}; it holds {listed or 'no table'}; check the name"


def _unpacked(name: str, data: bytes) -> tuple[str, bytes]:
    if name.lower().endswith(".gz"):
        return name[:-3], bounded_streams.gunzip(data, name)
    if name.lower().endswith(".zip"):
        members = bounded_streams.members(data, name)
        if len(members) != 1:
            raise ValueError(f"{name}: the archive holds {len(members)} files; unpack it and pass one")
        return members[0], bounded_streams.unzip(data, members[0], name)
    return name, data


def _text(data: bytes, file: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(_encoding(file, error)) from error


def _encoding(file: str, error: UnicodeDecodeError) -> str:
    return f"{file}: not UTF-8 text (byte {error.start}: {error.reason}); save it as UTF-8"


def _csv(data: bytes, table: str, file: str, exchange: str, path: Path | None = None) -> pd.DataFrame:
    """Delimiter and header from the first bytes, the whole by pandas' C engine: `data`, or what lies at `path`."""
    head = data[:_HEAD]
    if len(head) == _HEAD and b"\n" not in head:
        raise ValueError(f"{file}: its first line is longer than {_HEAD:,} bytes; is it a table of text?")
    text = _text(head[: head.rfind(b"\n") + 1] if len(head) == _HEAD else head, file)
    lines = text.splitlines()
    above = next((number for number, line in enumerate(lines) if line.strip() and not _is_note(line)), 0)
    lines = list(islice((line for line in lines[above:] if line.strip()), 20))
    if not lines:
        raise ValueError(f"{file}: the file holds only blank lines; download or export it again")
    delimiter = _delimiter(lines, file)
    names = [field.strip() for field in next(csv.reader(lines[:1], delimiter=delimiter))]
    headless = _is_number(names[1])
    spaced = any(f"{delimiter} " in line for line in lines)
    blank = any("" in row for row in csv.reader(lines, delimiter=delimiter))
    options: dict[str, Any] = {"sep": delimiter, "header": None if headless else 0, "skiprows": above,
                               "skipinitialspace": spaced}  # fmt: skip
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", pd.errors.DtypeWarning)  # numbers are converted one by one where need be
            frame = pd.read_csv(path or io.BytesIO(data), na_filter=blank, **options)  # without it a sixth cheaper
            if not (blank or _without_blanks(frame)):
                frame = pd.read_csv(path or io.BytesIO(data), **options)
    except pd.errors.ParserError as error:
        raise ValueError(f"{file}: rows of unequal length ({error}); {_RAGGED}") from error
    except UnicodeDecodeError as error:
        raise ValueError(_encoding(file, error)) from error
    if headless:
        return arranged(frame, table, file, exchange)
    return frame.set_axis(pd.Index(names), axis=1)


def _without_blanks(frame: pd.DataFrame) -> bool:
    """Whether no field of a table that was read without looking for blanks is one: all numbers, or text too long.

    A blank among numbers makes a column of text; the longest word that pandas takes for a blank has nine letters.
    """
    import pyarrow.compute as pc

    for kind, column in zip(frame.dtypes, frame, strict=True):
        if kind in (np.int64, np.float64):
            continue
        text = frame[column].array
        if not hasattr(text, "__arrow_array__") or isinstance(frame[column].dtype, np.dtype):
            return False
        if not pc.min(pc.binary_length(text.__arrow_array__())).as_py() > _LONGEST_BLANK:
            return False
    return True


def _is_note(line: str) -> bool:
    """The address or the remark that some sites put above the header."""
    text = line.lstrip('\ufeff" ').lower()
    return text.startswith(("http://", "https://", "www.")) or (text.startswith("#") and text.count(",") < 4)


_RAGGED = "remove text above the header, decimal commas and torn lines"


def _delimiter(lines: list[str], file: str) -> str:
    """The one delimiter that splits header and rows into the same number of fields, more than one."""
    try:
        widths = {mark: [len(row) for row in csv.reader(lines, delimiter=mark)] for mark in _DELIMITERS}
    except csv.Error as error:
        raise ValueError(f"{file}: is no table of text ({error}); {_RAGGED}") from error
    fitting = [mark for mark, width in widths.items() if width[0] > 1 and len(set(width)) == 1]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = " and ".join(_DELIMITERS[mark] for mark in fitting)
        raise ValueError(f"{file}: delimiter unclear, {names} both fit {lines[0]!r} (decimal commas?); "
                         "write it with commas between fields and points in numbers")  # fmt: skip
    mark = max(widths, key=lambda mark: widths[mark][0])
    if widths[mark][0] == 1:
        raise ValueError(f"{file}: no delimiter (comma, semicolon, tab, bar) in the first line, columns found: "
                         f"{lines[0][:200]!r}; is it a table?")  # fmt: skip
    row = next(number for number, width in enumerate(widths[mark]) if width != widths[mark][0])
    raise ValueError(f"{file}: rows of unequal length: {widths[mark][0]} field(s) in the first line "
                     f"{lines[0][:200]!r}, {widths[mark][row]} in line {row + 1} {lines[row][:200]!r}; "
                     f"{_RAGGED}")  # fmt: skip


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def _json(data: bytes, table: str, file: str, exchange: str) -> pd.DataFrame:
    text = _text(data, file)
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:  # also of numbers with thousands of digits
        raise ValueError(f"{file}: not JSON ({error}); download or export it again") from error
    if isinstance(rows, list):
        return rows_of(rows, table, file, exchange)
    if isinstance(rows, dict):
        return _reply(rows, table, file, exchange)
    raise ValueError(f"{file}: holds {str(rows)[:200]!r}, where a list of rows is understood; save the list alone")


def _reply(reply: Mapping[str, Any], table: str, file: str, exchange: str) -> pd.DataFrame:
    """A venue's reply as it is, with what is wrapped around the rows."""
    rows, symbol = table_of(reply, file)
    htx = re.fullmatch(r"market\.([^.]+)\.\w*kline\..+", str(reply.get("ch", "")))
    symbol = htx[1] if htx else symbol
    frame = rows_of(rows, table, file, exchange)
    if symbol and not {"symbol", "s"} & set(frame.columns):
        frame.insert(0, "symbol", symbol)
    frame.attrs["newest_first"] = True
    if {"retCode", "result"} <= set(reply):  # no other venue answers so
        frame.attrs["venue"] = "bybit"
    elif htx:
        frame.attrs["venue"] = "htx"
    return frame


def _parquet(data: bytes, table: str, file: str, exchange: str, path: Path | None = None) -> pd.DataFrame:
    packed = path.stat().st_size if path else len(data)
    about = _arrow(lambda: check_parquet(path or io.BytesIO(data), packed, file), file)
    frame = _arrow(lambda: pd.read_parquet(path or io.BytesIO(data)), file)
    if b"liqlab" in (about.metadata or {}):
        frame.attrs["liqlab"] = True
    return frame


def _feather(data: bytes, table: str, file: str, exchange: str, path: Path | None = None) -> pd.DataFrame:
    _arrow(lambda: check_feather(path or data, file), file)
    return _arrow(lambda: pd.read_feather(path or io.BytesIO(data)), file)


def _arrow(read: Callable[[], Any], file: str) -> Any:
    try:
        return read()
    except (ValueError, OSError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        # pyarrow's own errors derive from the first two; pandas meets the others in the notes of a damaged file
        if str(error).startswith(f"{file}: "):  # our own words
            raise
        raise ValueError(f"{file}: cannot be read ({error}); is its ending right and the download complete?") from error


_READERS: dict[str, Any] = {".csv": _csv, ".tsv": _csv, ".json": _json, ".parquet": _parquet, ".feather": _feather}
