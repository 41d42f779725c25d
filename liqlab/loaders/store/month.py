"""One month in one parquet file: rows, covered ranges and origins together, the same content always as the same bytes.

The file's own metadata (key ``liqlab``) is JSON: ``version``, the key, ``covered`` ranges, ``origins`` (each with the
ranges that came from it) and two digests, see `liqlab.loaders.store.seals`. Nothing is read without its seal.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from liqlab.loaders.store.keys import COLUMNS, Key
from liqlab.loaders.store.seals import DIGITS, check_body, check_footer, footer_start, sealed
from liqlab.market.clock import utc

__all__ = ["DamagedError", "Month", "Range", "check", "empty", "joined", "minus", "read", "read_notes", "render"]

VERSION = 2
_NAME = b"liqlab"
Range = tuple[pd.Timestamp, pd.Timestamp]


@dataclass(frozen=True, eq=False)
class Month:
    """What one file holds.

    Parameters
    ----------
    rows : DataFrame (time,)
        float64, index ``time`` in UTC [µs], ascending, unique.
    origins : mapping of str to list of ranges
        Origin (as canonical JSON) → the half-open ranges known from it.
    """

    rows: pd.DataFrame
    origins: dict[str, list[Range]] = field(default_factory=dict)

    @property
    def covered(self) -> list[Range]:
        """The ranges known as complete, whatever they came from."""
        return joined(span for spans in self.origins.values() for span in spans)


# --- ranges ---------------------------------------------------------------------------------------------------------


def joined(ranges: Iterable[Range]) -> list[Range]:
    """Half-open ranges, ascending, those that overlap or touch made one.

    >>> at = [pd.Timestamp(day, unit="D", tz="UTC") for day in range(5)]
    >>> [(a.day, b.day) for a, b in joined([(at[2], at[3]), (at[0], at[1]), (at[1], at[2])])]
    [(1, 4)]
    """
    out: list[Range] = []
    for start, end in sorted(ranges):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((start, end))
    return out


def minus(start: pd.Timestamp, end: pd.Timestamp, covered: Iterable[Range]) -> list[Range]:
    """What of ``[start, end)`` lies in none of the covered ranges, which are ascending and disjoint."""
    out, at = [], start
    for first, last in covered:
        if first > at and at < end:
            out.append((at, min(first, end)))
        at = max(at, last)
    return [*out, (at, end)] if at < end else out


# --- writing --------------------------------------------------------------------------------------------------------


def empty(kind: str) -> pd.DataFrame:
    """A table of a kind without rows, in the store's form."""
    index = pd.DatetimeIndex([], dtype="datetime64[us, UTC]", name="time")
    return pd.DataFrame({column: np.empty(0) for column in COLUMNS[kind].required}, index=index)


def render(key: Key, month: Month) -> bytes:
    """The bytes of a month's file; they depend on the content alone (and on pyarrow's version)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = [column for column in COLUMNS[key.kind].all if column in month.rows]
    notes = _notes(key, month)
    fields = [pa.field("time", pa.timestamp("us", tz="UTC"), nullable=False)]
    fields += [pa.field(column, pa.float64()) for column in columns]
    arrays = [pa.array(_micros(month.rows), pa.timestamp("us", tz="UTC"))]
    arrays += [pa.array(month.rows[column].to_numpy("float64"), from_pandas=True) for column in columns]
    table = pa.Table.from_arrays(arrays, schema=pa.schema(fields))
    out = pa.BufferOutputStream()
    # Arrow's own copy of the schema would hold the notes a second time, and two copies can differ.
    # Prices seldom repeat, so dictionaries only cost; by bytes side by side they pack and unpack best.
    encoding = {"time": "DELTA_BINARY_PACKED"} | dict.fromkeys(columns, "BYTE_STREAM_SPLIT")
    with pq.ParquetWriter(out, table.schema, compression="zstd", store_schema=False, use_dictionary=False,
                          column_encoding=encoding) as writer:  # fmt: skip
        writer.write_table(table, row_group_size=max(1, len(month.rows)))
        writer.add_key_value_metadata({_NAME: _json(notes)})
    return sealed(out.getvalue().to_pybytes())


def _micros(rows: pd.DataFrame) -> np.ndarray:
    return pd.DatetimeIndex(rows.index).as_unit("us").asi8


def _notes(key: Key, month: Month) -> dict[str, Any]:
    origins = [{"origin": json.loads(name), "ranges": _texts(joined(spans))}
               for name, spans in sorted(month.origins.items())]  # fmt: skip
    return {"version": VERSION, "key": asdict(key), "covered": _texts(month.covered), "origins": origins,
            "body": DIGITS, "sha256": DIGITS}  # fmt: skip


def _texts(ranges: Iterable[Range]) -> list[list[str]]:
    return [[edge.as_unit("us").isoformat().replace("+00:00", "Z") for edge in span] for span in ranges]


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def origin_name(origin: Any) -> str:
    """An origin as canonical JSON, by which equal ones are known as equal."""
    if not isinstance(origin, dict):
        raise TypeError(f"origin must be a dict such as {{'source': 'archive'}}, got {type(origin).__name__}")
    try:
        return _json(origin)
    except (TypeError, ValueError) as error:
        raise TypeError(f"origin must hold plain text and numbers only ({error}), got {origin!r}") from error


# --- reading --------------------------------------------------------------------------------------------------------


def read_notes(file: Path) -> dict[str, Any] | None:
    """A file's notes without its rows (plus ``rows``, ``first``, ``last``); None where there is no such file.

    Raises
    ------
    DamagedError
        Where the notes are not what was written, or cannot be read.
    ValueError
        Where a newer liqlab wrote them.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with _explained(file):
        try:
            stream = file.open("rb")
        except FileNotFoundError:
            return None
        with stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(size - 8, 0))
            start = footer_start(size, stream.read())
            stream.seek(start)
            footer = stream.read()
        _check_notes(footer)
        metadata = pq.read_metadata(pa.BufferReader(b"PAR1" + footer))
        notes = _parsed((metadata.metadata or {}).get(_NAME))
        if notes["version"] == 1:  # its seal needs the rows
            read(file)
        return notes | _summary(metadata)


def _summary(footer: Any) -> dict[str, Any]:
    spans = [footer.row_group(k).column(0).statistics for k in range(footer.num_row_groups)]
    known = [span for span in spans if span is not None and span.has_min_max]
    first, last = (utc(known[0].min), utc(known[-1].max)) if known else (pd.NaT, pd.NaT)
    return {"rows": footer.num_rows, "first": first, "last": last}


def read(file: Path) -> tuple[Month, dict[str, Any]] | None:
    """A file's content and its notes; None where there is no such file. What is used is what the seals were made of.

    Raises
    ------
    DamagedError
        Where it is not what was written, or cannot be read; the message says what to do.
    ValueError
        Where a newer liqlab wrote it.
    """
    return decoded(file, checked(file))


Opened = tuple[Any, dict[str, Any]]


def checked(file: Path) -> Opened | None:
    """The first half of `read`, which takes no lock of the interpreter: the bytes, and that they fit their seals."""
    with _explained(file):
        return _opened(file)


def decoded(file: Path, found: Opened | None) -> tuple[Month, dict[str, Any]] | None:
    """The second half of `read`: the rows."""
    if found is None:
        return None
    opened, notes = found
    with _explained(file):
        month = Month(
            _rows(opened.read()), {_json(told["origin"]): _ranges(told["ranges"]) for told in notes["origins"]}
        )
        if notes["version"] == 1 and notes["sha256"] != _content_digest(notes, month.rows):
            raise ValueError("its content is not what was written (sha256 differs)")
        return month, notes


def check(file: Path) -> int:
    """Raise as `read` does, at a third of the time; returns the number of the file's form, 0 where there is none."""
    with _explained(file):
        found = _opened(file)
        version = found[1]["version"] if found else 0
        if version == 1:  # its seal needs the rows
            read(file)
        return version


def _opened(file: Path) -> Opened | None:
    """A file, its rows not yet decoded, and its notes; seals of this form are checked before a reader sees a byte."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return None
    start = footer_start(len(data), data[-8:])
    _check_notes(data[start:])
    opened = pq.ParquetFile(pa.BufferReader(data))
    notes = _parsed((opened.metadata.metadata or {}).get(_NAME))
    if notes["version"] > 1:
        check_body(memoryview(data)[:start], notes["body"])
    return opened, notes


def _rows(table: Any) -> pd.DataFrame:
    import pyarrow as pa

    if table.schema.field("time").type != pa.timestamp("us", tz="UTC"):
        raise ValueError(f"its column time is {table.schema.field('time').type}, not a timestamp [µs, UTC]")
    stamps = table["time"].cast(pa.timestamp("us")).to_numpy()
    return pd.DataFrame(
        {name: np.asarray(table[name].to_numpy(), "float64") for name in table.column_names if name != "time"},
        index=pd.DatetimeIndex(stamps).tz_localize("UTC").rename("time"),
        copy=False,  # views of what was decoded; whoever gives rows away copies them
    )


def _content_digest(notes: dict[str, Any], rows: pd.DataFrame) -> str:
    """The seal of files of form 1: sha256 over the notes (without their own sha256) and every value."""
    seal = hashlib.sha256(_json({name: value for name, value in notes.items() if name != "sha256"}).encode())
    seal.update(_micros(rows).astype("<i8").tobytes())
    for column in rows.columns:
        values = rows[column].to_numpy("float64")
        # A missing value has many bit patterns, and parquet keeps none of them.
        seal.update(f"|{column}|".encode() + np.where(np.isnan(values), np.nan, values).astype("<f8").tobytes())
    return seal.hexdigest()


def _check_notes(footer: bytes) -> None:
    """Raise where a footer is neither sealed nor of form 1, which has no such seal; no reader has seen it before."""
    try:
        check_footer(footer)
    except ValueError:
        if b'"covered"' not in footer:
            raise ValueError("it was not written by liqlab's store") from None
        found = re.findall(rb'"version":\s*(\d{1,9})', footer)
        if not found:
            raise ValueError("its notes tell no version") from None
        _refuse_newer(int(found[-1]))
        if int(found[-1]) != 1:
            raise


def _refuse_newer(version: int) -> None:
    if version > VERSION:
        raise _NewerError(f"its form is number {version}, this liqlab knows {VERSION}; upgrade liqlab, or, where no "
                          "newer one wrote it, delete it and fetch this month again")  # fmt: skip


def _parsed(text: bytes | None) -> dict[str, Any]:
    notes = json.loads(text or b"{}")
    _refuse_newer(notes["version"])
    if lacking := {"key", "covered", "origins", "sha256"} - set(notes):
        raise ValueError(f"its notes lack {', '.join(sorted(lacking))}")
    return notes


def _ranges(texts: Iterable[Iterable[str]]) -> list[Range]:
    return [(utc(start), utc(end)) for start, end in texts]


def covered(notes: dict[str, Any]) -> list[Range]:
    """The covered ranges of a file's notes."""
    return _ranges(notes["covered"])


class DamagedError(ValueError):
    """A stored file that is not what was written: it can be set aside and fetched again."""


class _NewerError(ValueError):
    """Written by a liqlab that knows more than this one: no reason to delete it."""


@contextmanager
def _explained(file: Path) -> Iterator[None]:
    """Whatever a damaged file makes go wrong becomes one error that says what to do."""
    import pyarrow as pa

    try:
        yield
    except DamagedError:
        raise
    except _NewerError as error:
        raise ValueError(f"{file}: {error}") from error
    except (pa.ArrowException, ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError) as error:
        if isinstance(error, OSError) and error.errno:  # of the disk; a decoder's own errors have no number
            remedy = "check the store's path, its permissions and the disk"
            raise ValueError(f"{file} cannot be read ({error.strerror}); {remedy}") from error
        raise DamagedError(f"{file} cannot be read ({error}); delete it and fetch this month again") from error
