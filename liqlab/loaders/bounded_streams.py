"""Reading with an end: streams and archives that may hold more than memory can take.

A packed file of zeros is a thousandth of what it unpacks to, and a server may never stop sending. What is read here is
read in pieces and given up as soon as it is more than is allowed; the message names the limit.
"""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator

__all__ = ["MAX_RATIO", "check_ratio", "check_size", "gunzip", "in_words", "joined", "max_unpacked", "members", "unzip"]

PIECE = 1 << 18  # bytes
MAX_UNPACKED_MB = 2_000.0  # a year of trades of one symbol unpacks to less, month by month
MAX_RATIO = 200  # bytes unpacked for each packed one; tables of numbers reach 30
_SMALL = 1_000_000  # bytes below which a ratio tells nothing
_BROKEN = (zipfile.BadZipFile, zlib.error, OSError, EOFError, KeyError, RuntimeError, NotImplementedError)


def max_unpacked() -> int:
    """Largest size that anything is unpacked to [bytes]; LIQLAB_MAX_UNPACKED_MB changes it."""
    text = os.environ.get("LIQLAB_MAX_UNPACKED_MB", "")
    try:
        number = float(text or MAX_UNPACKED_MB)
    except ValueError:
        number = -1.0
    if not 0 < number < 1e9:
        raise ValueError(f"LIQLAB_MAX_UNPACKED_MB must be a number > 0, got {text!r}; unset it for {MAX_UNPACKED_MB:g}")
    return int(number * 1e6)


def joined(pieces: Iterable[bytes], limit: int, what: str, remedy: str) -> bytes:
    """The pieces as one, given up as soon as they are more than `limit` bytes.

    >>> joined([b"ab", b"c"], 3, "the answer", "ask for less")
    b'abc'
    >>> joined([b"ab", b"c"], 2, "the answer", "ask for less")
    Traceback (most recent call last):
    ValueError: the answer is larger than 2 bytes, the most that is read; ask for less
    """
    kept, size = [], 0
    for piece in pieces:
        size += len(piece)
        if size > limit:
            raise ValueError(f"{what} is larger than {in_words(limit)}, the most that is read; {remedy}")
        kept.append(piece)
    return b"".join(kept)


def in_words(size: float) -> str:
    """A number of bytes in the unit that makes it short.

    >>> in_words(2e9), in_words(50_000_000), in_words(2)
    ('2 GB', '50 MB', '2 bytes')
    """
    for unit, width in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= width:
            return f"{size / width:.4g} {unit}"
    return f"{size:.0f} bytes"


def gunzip(data: bytes, name: str) -> bytes:
    """What a gzip file holds.

    Parameters
    ----------
    data : bytes
        The file; several gzip members one after the other are one content.
    name : str
        Its name, for messages.

    Raises
    ------
    ValueError
        Where it unpacks to more than `max_unpacked`, to more than `MAX_RATIO` times its size, or is damaged.
    """
    try:
        return joined(_gunzipped(data, name), max_unpacked(), f"{name}: what it unpacks to", _LARGER)
    except (zlib.error, EOFError) as error:
        raise ValueError(f"{name}: cannot be unpacked ({error}); download it again") from error


_LARGER = "unpack it and pass a part of it, or set LIQLAB_MAX_UNPACKED_MB"


def _gunzipped(data: bytes, name: str) -> Iterator[bytes]:
    packed, at, size = memoryview(data), 0, 0
    while at < len(packed):
        unpacker = zlib.decompressobj(31)  # gzip, with its checksum
        while not unpacker.eof:
            given = packed[at : at + PIECE]
            piece = unpacker.decompress(given, PIECE)
            if not piece and not given and not unpacker.eof:
                raise EOFError("it is cut off")
            at += len(given) - len(unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail)
            size += len(piece)
            check_ratio(size, at, name)
            yield piece
        while at < len(packed) and packed[at] == 0:  # some writers fill the last block with zeros
            at += 1


def members(data: bytes, name: str) -> list[str]:
    """Names of the files in a zip, folders left out; errors as `gunzip`."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            found = [member for member in archive.infolist() if not member.is_dir()]
    except (*_BROKEN, ValueError) as error:
        raise ValueError(f"{name}: cannot be unpacked ({error}); download it again") from error
    check_size(sum(member.file_size for member in found), len(data), name)
    return [member.filename for member in found]


def unzip(data: bytes, member: str, name: str) -> bytes:
    """One file of a zip, whose `members` have been asked for, read in pieces; errors as `gunzip`."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open(member) as stream:
            pieces = iter(lambda: stream.read(PIECE), b"")
            return joined(pieces, max_unpacked(), f"{name}: what it unpacks to", _LARGER)
    except _BROKEN as error:
        raise ValueError(f"{name}: cannot be unpacked ({error}); download it again") from error


def check_size(size: int, packed: int, name: str) -> None:
    """Refuse what is larger than the limit once it is unpacked, or far larger than it is packed [bytes]."""
    if size > (limit := max_unpacked()):
        raise ValueError(
            f"{name}: what it unpacks to is larger than {in_words(limit)}, the most that is read; {_LARGER}"
        )
    check_ratio(size, packed, name)


def check_ratio(size: int, packed: int, name: str) -> None:
    """Refuse what is far larger than it is packed [bytes]."""
    if size > max(MAX_RATIO * packed, _SMALL):
        raise ValueError(f"{name}: it unpacks to more than {MAX_RATIO} times its size, which no table of numbers does; "
                         "download it again, or unpack and check it")  # fmt: skip
