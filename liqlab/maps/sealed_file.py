"""A sealed .npz: nothing is read of a file but what was written, and no array but the one that its header promises.

The comment at the end of the zip names the form and the sha256 of all bytes before these 64 digits; numpy opens the
file all the same.
"""

from __future__ import annotations

import hashlib
import io
import math
import re
import zipfile
import zlib

import numpy as np

__all__ = ["MAX_FILE", "check_seal", "sealed", "unpacked"]

VERSION = 3
MAX_FILE = 1_000_000_000  # bytes, packed and unpacked; a year of one market takes 15 MB
_HEADER, _PIECE = 10_000, 16_384  # bytes of a header at most (numpy writes 128), packed bytes taken at once
_MARK = f"liqlab live map {VERSION} sha256=".encode()
_EOCD = b"PK\5\6"  # the record that ends a zip; its last two bytes count those of the comment


def sealed(data: bytes) -> bytes:
    """The file with a comment at the end of its zip: the mark, and the sha256 of everything before the digits."""
    if data[-22:-18] != _EOCD:
        raise AssertionError("numpy has written no plain zip")
    marked = data[:-2] + (len(_MARK) + 64).to_bytes(2, "little") + _MARK
    return marked + hashlib.sha256(marked).hexdigest().encode()


def check_seal(data: bytes) -> None:
    """Refuse bytes that are not those that were written, or of another form."""
    mark = data[-64 - len(_MARK) : -64]
    if mark != _MARK:
        other = re.fullmatch(rb"liqlab live map (\d{1,9}) sha256=", data[-128:-64].rpartition(b"\0")[2])
        if other is not None and int(other[1]) > VERSION:
            raise ValueError(f"its form is number {int(other[1])}, this liqlab knows {VERSION}: upgrade liqlab")
        raise ValueError("it carries no seal, so it is no live map, cut off, or saved by an older liqlab")
    if hashlib.sha256(memoryview(data)[:-64]).hexdigest().encode() != data[-64:]:
        raise ValueError("it is not what was written (sha256 differs)")


def unpacked(data: bytes) -> dict[str, np.ndarray]:
    """Every array by its name."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        size = sum(member.file_size for member in archive.infolist())
        if size > MAX_FILE:
            raise ValueError(f"it unpacks to {size / 1e9:.1f} GB, more than {MAX_FILE / 1e9:g}")
        return {member.filename.removesuffix(".npy"): _array(data, member) for member in archive.infolist()}


def _array(data: bytes, member: zipfile.ZipInfo) -> np.ndarray:
    """One array, whose header promises as many bytes as there are.

    The seal has vouched for every byte, so the zip's own checksum, a sixth of the time of reading, is left alone.
    """
    head = member.header_offset
    start = head + 30 + sum(int.from_bytes(data[head + k : head + k + 2], "little") for k in (26, 28))
    packed = memoryview(data)[start : start + member.compress_size]
    if member.compress_type != zipfile.ZIP_DEFLATED:
        raise ValueError(f"{member.filename} is packed in another way than numpy packs")
    whole, at, unpacker = np.empty(member.file_size, np.uint8), 0, zlib.decompressobj(-15)
    for first in range(0, len(packed), _PIECE):
        piece = unpacker.decompress(packed[first : first + _PIECE])
        whole[at : at + len(piece)] = np.frombuffer(piece, np.uint8)
        at += len(piece)
    stream = io.BytesIO(whole[:_HEADER].tobytes())
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError(f"the header of {member.filename} is not numpy's of form 1.0")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.hasobject or math.prod(shape) * dtype.itemsize != at - stream.tell():
        raise ValueError(f"the header of {member.filename} promises another array than there is")
    return np.frombuffer(whole.data, dtype, offset=stream.tell()).reshape(shape, order="F" if fortran else "C")
