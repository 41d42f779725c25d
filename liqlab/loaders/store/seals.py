"""The seals of a month's file: its own bytes carry the sha256 that they must have.

A parquet file ends with its footer, in which the notes stand as JSON. Two digests stand in them: ``body``, of all bytes
before the footer, and ``sha256``, of the footer with these 64 digits as zeros. So the notes can be trusted without
reading the rows, one rename publishes file and seals together, and no bit of the file is outside of both.
"""

from __future__ import annotations

import hashlib

__all__ = ["DIGITS", "check_body", "check_footer", "footer_start", "sealed"]

DIGITS = "0" * 64  # stands in the notes where the digests will
_END = b"PAR1"
_MARKS = {"body": b'"body":"', "sha256": b'"sha256":"'}


def footer_start(size: int, end: bytes) -> int:
    """Where the footer of a file of this many bytes begins, by the file's last eight bytes.

    Raises
    ------
    ValueError
        Where they are not the end of a parquet file of this size.
    """
    start = size - 8 - int.from_bytes(end[:4], "little")
    if len(end) != 8 or end[4:] != _END or start < len(_END):
        raise ValueError("it is cut off or no parquet file: its last bytes are not those of one")
    return start


def sealed(data: bytes) -> bytes:
    """A file with both digests in the places that the notes keep for them."""
    start = footer_start(len(data), data[-8:])
    footer = _with(data[start:], "body", hashlib.sha256(data[:start]).hexdigest())
    return data[:start] + _with(footer, "sha256", hashlib.sha256(footer).hexdigest())


def check_footer(footer: bytes) -> None:
    """Raise where a footer, up to the file's end, is not the one that was sealed."""
    place = _place(footer, "sha256")
    blank = footer[:place] + DIGITS.encode() + footer[place + len(DIGITS) :]
    if footer[place : place + len(DIGITS)] != hashlib.sha256(blank).hexdigest().encode():
        raise ValueError("its notes are not what was written (sha256 differs)")


def check_body(body: memoryview, stated: object) -> None:
    """Raise where the bytes before the footer have another sha256 than the notes, themselves checked, state."""
    if hashlib.sha256(body).hexdigest() != stated:
        raise ValueError("its content is not what was written (sha256 differs)")


def _place(footer: bytes, name: str) -> int:
    mark = _MARKS[name]
    place = footer.rfind(mark)  # the last: an origin may tell a sha256 of its own, and stands before
    if place < 0:
        raise ValueError(f"its notes lack {name}")
    return place + len(mark)


def _with(footer: bytes, name: str, digits: str) -> bytes:
    place = _place(footer, name)
    return footer[:place] + digits.encode() + footer[place + len(digits) :]
