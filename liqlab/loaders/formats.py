"""From a path, a frame or a list of rows to the table as it was found: formats, compression, delimiters."""

from __future__ import annotations

import csv
import glob
import hashlib
import io
import json
import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from liqlab.loaders import bounded
from liqlab.loaders.archive_files import checksum
from liqlab.loaders.column_names import CANDLE_TABLES, POSITIONS

__all__ = ["load", "pieces"]

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
    path = Path(source).expanduser()
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


def load(source: Any, table: str) -> tuple[pd.DataFrame, dict[str, str]]:
    """Open a table as it is, without judging its columns.

    Parameters
    ----------
    source : path, DataFrame or list of rows
        Paths end in .csv, .tsv, .json, .parquet, .feather, or in .gz or .zip of these.
    table : str
        The table of a Market that it is to become; used in messages, and for rows without column names.

    Returns
    -------
    frame : DataFrame (rows,)
        Columns as found; a table without column names gets them by its width, from `POSITIONS`.
    origin : dict
        ``kind``, and for files ``file`` (its name) and ``sha256``.

    Raises
    ------
    FileNotFoundError, TypeError, ValueError
        Where there is no such file, no table in it, or its rows do not fit together.
    """
    if isinstance(source, pd.DataFrame):
        return source, {"kind": "own"}
    if isinstance(source, list | tuple):
        return _rows(source, table, f"{table} (from memory)"), {"kind": "own"}
    if not isinstance(source, str | os.PathLike):
        raise TypeError(f"{table} must be a path, a DataFrame or a list of rows, got {type(source).__name__}")
    file = Path(source)
    if not file.is_file():
        raise FileNotFoundError(_missing(file, table))
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
    return reader(content, table, file.name), origin


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
        return name[:-3], bounded.gunzip(data, name)
    if name.lower().endswith(".zip"):
        members = bounded.members(data, name)
        if len(members) != 1:
            raise ValueError(f"{name}: the archive holds {len(members)} files; unpack it and pass one")
        return members[0], bounded.unzip(data, members[0], name)
    return name, data


def _text(data: bytes, file: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file}: not UTF-8 text (byte {error.start}: {error.reason}); save it as UTF-8") from error


def _csv(data: bytes, table: str, file: str) -> pd.DataFrame:
    text = _text(data, file)
    lines = [line.rstrip("\r\n") for line in islice((line for line in io.StringIO(text) if line.strip()), 20)]
    if not lines:
        raise ValueError(f"{file}: the file holds only blank lines; download or export it again")
    delimiter = _delimiter(lines, file)
    names = [field.strip() for field in next(csv.reader(lines[:1], delimiter=delimiter))]
    headless = _is_number(names[1])
    try:
        frame = pd.read_csv(io.StringIO(text), sep=delimiter, header=None if headless else 0, low_memory=False,
                            skipinitialspace=True)  # fmt: skip
    except pd.errors.ParserError as error:
        raise ValueError(f"{file}: rows of unequal length ({error}); {_RAGGED}") from error
    frame.columns = pd.Index(_positions(len(names), table, file) if headless else names)
    return frame


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


def _positions(width: int, table: str, file: str) -> tuple[str, ...]:
    if table not in CANDLE_TABLES or width not in POSITIONS:
        raise ValueError(f"{file}: {table} without column names, {width} column(s) wide; only candles are understood "
                         "so: 6 (ccxt: time, open, high, low, close, volume) or 12 (Binance klines); "
                         "add a header")  # fmt: skip
    return POSITIONS[width]


def _json(data: bytes, table: str, file: str) -> pd.DataFrame:
    try:
        rows = json.loads(_text(data, file))
    except json.JSONDecodeError as error:
        raise ValueError(f"{file}: not JSON ({error}); download or export it again") from error
    if isinstance(rows, list):
        return _rows(rows, table, file)
    found = f"an object with {', '.join(list(rows)[:10])}" if isinstance(rows, dict) else f"{rows!r}"
    raise ValueError(f"{file}: holds {found}, where a list of rows is understood; save the list alone")


def _rows(rows: Sequence[Any], table: str, file: str) -> pd.DataFrame:
    """Rows as ccxt and the exchanges give them: lists for candles, mappings for the rest."""
    if not rows:
        raise ValueError(f"{file}: no rows (an empty list); is the range right?")
    if all(isinstance(row, dict) for row in rows):
        return pd.DataFrame(list(rows))
    width = len(rows[0]) if isinstance(rows[0], list | tuple) else 0
    for number, row in enumerate(rows):
        if not isinstance(row, list | tuple) or len(row) != width:
            raise ValueError(f"{file}: row {number} is {row!r}, unlike the row(s) before; rows are lists of one "
                             f"length (here {width}) or all mappings")  # fmt: skip
    return pd.DataFrame(list(rows), columns=pd.Index(_positions(width, table, file)))


def _parquet(data: bytes, table: str, file: str) -> pd.DataFrame:
    return _arrow(pd.read_parquet, data, file)


def _feather(data: bytes, table: str, file: str) -> pd.DataFrame:
    return _arrow(pd.read_feather, data, file)


def _arrow(reader: Any, data: bytes, file: str) -> pd.DataFrame:
    try:
        return reader(io.BytesIO(data))
    except (ValueError, OSError) as error:  # pyarrow's errors derive from these
        raise ValueError(f"{file}: cannot be read ({error}); is its ending right and the download complete?") from error


_READERS = {".csv": _csv, ".tsv": _csv, ".json": _json, ".parquet": _parquet, ".feather": _feather}
