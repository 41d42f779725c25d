"""How large a parquet or feather file becomes in memory, before it is read: constant columns pack a thousandfold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from liqlab.loaders.bounded_streams import check_size

__all__ = ["check_feather", "check_parquet"]

_CELL = 8  # bytes of a number
_START = 8  # bytes of the magic word before the first message
_TEXT = ("BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY")


def check_parquet(file: Any, packed: int, name: str) -> Any:
    """Refuse a parquet file that is far larger in memory than on disk.

    Parameters
    ----------
    file : path or file-like
    packed : int
        Its size [bytes].
    name : str
        What to call it in messages.

    Returns
    -------
    pyarrow.parquet.FileMetaData

    Raises
    ------
    ValueError
        As `bounded_streams.gunzip`.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(file) as opened:
        about = opened.metadata
        check_size(about.num_rows * about.num_columns * _CELL, packed, name)
        columns = [about.schema.column(place) for place in range(about.num_columns)]
        text = [column.path for column in columns if column.physical_type in _TEXT]
    most = 0
    for group in range(about.num_row_groups):
        rows = about.row_group(group)
        parts = (rows.column(place) for place, column in enumerate(columns) if column.physical_type in _TEXT)
        most += sum(rows.num_rows * part.total_uncompressed_size for part in parts)
    if most > packed:  # words that stand once in the file and in many rows
        check_size(_size_of_words(file, text), packed, name)
    return about


def _size_of_words(file: Any, columns: list[str]) -> int:
    """Bytes of columns of text, counted without repeating a word."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    size = 0
    with pq.ParquetFile(file, read_dictionary=columns) as opened:
        for group in range(opened.metadata.num_row_groups):
            for column in opened.read_row_group(group, columns=columns).columns:
                for chunk in column.chunks:
                    words = getattr(chunk, "dictionary", None)
                    if words is None or not len(words):
                        size += chunk.nbytes
                        continue
                    lengths = pc.binary_length(words).to_numpy(zero_copy_only=False).astype("float64")
                    used = chunk.indices.drop_null().to_numpy(zero_copy_only=False)
                    size += int(lengths[used].sum())
    return size


def check_feather(file: Path | bytes, name: str) -> None:
    """Refuse a feather file that is far larger in memory than on disk; errors as `check_parquet`."""
    import pyarrow as pa

    with pa.BufferReader(file) if isinstance(file, bytes) else pa.memory_map(str(file)) as opened:
        packed = opened.size()
        if opened.read(4) == b"FEA1":  # the old format packs nothing
            return
        opened.seek(_START)
        size = 0
        for message in pa.ipc.MessageReader.open_stream(opened):
            if message.type in ("record batch", "dictionary"):
                size += _size_of_batch(memoryview(message.metadata), memoryview(message.body or b""), message.type)
                check_size(size, packed, name)


def _size_of_batch(head: memoryview, body: memoryview, kind: str) -> int:
    """Bytes that the buffers of one message unpack to: each packed one begins with its length."""
    batch = _table(head, _field(head, _at(head, 0), 2))
    if kind == "dictionary":
        batch = _table(head, _field(head, batch, 1))
    if not _field(head, batch, 3):  # nothing is packed
        return len(body)
    vector = _table(head, _field(head, batch, 2))
    count = int(np.frombuffer(head, "<u4", 1, vector)[0])
    places = np.frombuffer(head, "<i8", 2 * count, vector + 4).reshape(-1, 2)
    sizes = [int(np.frombuffer(body, "<i8", 1, at)[0]) if length >= 8 else 0 for at, length in places.tolist()]
    return sum(length if size < 0 else size for size, length in zip(sizes, places[:, 1].tolist(), strict=True))


def _at(head: memoryview, at: int) -> int:
    return at + int(np.frombuffer(head, "<u4", 1, at)[0])


def _table(head: memoryview, at: int) -> int:
    if not at:
        raise ValueError("a message of the file holds no batch")
    return _at(head, at)


def _field(head: memoryview, table: int, number: int) -> int:
    """Place of a field of a FlatBuffers table; 0 where it is not there."""
    fields = table - int(np.frombuffer(head, "<i4", 1, table)[0])
    if 4 + 2 * number >= int(np.frombuffer(head, "<u2", 1, fields)[0]):
        return 0
    offset = int(np.frombuffer(head, "<u2", 1, fields + 4 + 2 * number)[0])
    return table + offset if offset else 0
