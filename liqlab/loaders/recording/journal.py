"""An append-only file of entries that survives ``kill -9``: each line has its checksum, a torn last one is left out.

What was appended is in the system's hands after `flush`, so that a killed process loses only what it had not flushed;
`sync` waits for the disk, for the case that the machine itself goes down.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from liqlab.loaders.store.locked_writes import explained, publish

__all__ = ["Journal"]


class Journal:
    """Entries on the disk, in order.

    Parameters
    ----------
    path : Path
        The file; made where there is none. Its folder must be there, and nobody else may write to it.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._waiting = path, bytearray()
        self.entries, whole = _read(path)
        with explained(path):
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
            os.ftruncate(self._file, whole)
        self._length = whole

    def append(self, entry: Iterable[Any]) -> None:
        """Keep an entry for the next flush."""
        self._waiting += _line(entry)

    @property
    def waiting(self) -> int:
        """What could not be written yet [bytes]."""
        return len(self._waiting)

    def flush(self) -> None:
        """Hand everything to the system. On an error (a full disk) all of it is kept for the next time."""
        if not self._waiting:
            return
        with explained(self.path):
            os.lseek(self._file, self._length, os.SEEK_SET)
            try:
                rest = memoryview(bytes(self._waiting))
                while rest:
                    rest = rest[os.write(self._file, rest) :]
            except OSError:
                os.ftruncate(self._file, self._length)  # no line stands half-written before the next ones
                raise
        self._length += len(self._waiting)
        self._waiting.clear()

    def sync(self) -> None:
        """Wait until the disk has it."""
        with explained(self.path):
            os.fsync(self._file)

    def replace(self, entries: Iterable[Iterable[Any]]) -> None:
        """Begin anew with these entries: the old file or the new one is there, never half of one."""
        data = b"".join(map(_line, entries))
        publish(self.path, data)
        os.close(self._file)
        self._file = os.open(self.path, os.O_WRONLY | getattr(os, "O_BINARY", 0))
        self._length = len(data)
        self._waiting.clear()

    def close(self) -> None:
        """Let the file go."""
        os.close(self._file)


def _line(entry: Iterable[Any]) -> bytes:
    text = json.dumps(list(entry), separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _read(path: Path) -> tuple[list[list[Any]], int]:
    """The entries up to the first line that is not what was written, and where they end."""
    entries: list[list[Any]] = []
    whole = 0
    if not path.is_file():
        return entries, whole
    with explained(path), path.open("rb") as file:
        for line in file:
            head, _, text = line.rstrip(b"\n").partition(b" ")
            if not line.endswith(b"\n") or head != b"%08x" % zlib.crc32(text):
                break
            entries.append(json.loads(text))
            whole += len(line)
    return entries, whole
