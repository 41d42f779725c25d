"""The only place that writes: temporary file, flush, rename, flush of the folder, all under the key's lock."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["ASIDE", "LEFTOVER", "locked", "publish", "set_aside"]

LEFTOVER = ".tmp"
ASIDE = ".damaged"
MAX_LOCK_WAIT = 120.0  # seconds to wait for another writer; one write takes a fraction of one

_ELSEWHERE = "choose another place with store= or the environment variable LIQLAB_STORE"
_REMEDIES = {
    errno.ENOSPC: f"the disk is full: free space and run it again, or {_ELSEWHERE}",
    errno.EDQUOT: f"your disk quota is used up: free space and run it again, or {_ELSEWHERE}",
    errno.EROFS: f"the file system is read-only: {_ELSEWHERE}",
    errno.EACCES: f"you may not write there: change its permissions, or {_ELSEWHERE}",
    errno.EPERM: f"you may not write there: change its permissions, or {_ELSEWHERE}",
    errno.ENOTDIR: f"a file stands where a folder should be: {_ELSEWHERE}",
    errno.EEXIST: f"a file stands where a folder should be: {_ELSEWHERE}",
    errno.EIO: f"the disk reports a fault: check it, or {_ELSEWHERE}",
}


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Errors of the disk say what to do, and that nothing was lost; their errno stays."""
    try:
        yield
    except TimeoutError:  # of the lock, no fault of the disk
        raise
    except OSError as error:
        code = error.errno or 0
        remedy = _REMEDIES.get(code, f"check the disk, or {_ELSEWHERE}")
        what = f"{error.strerror or error} while writing the store; {remedy}. What was stored before is intact"
        raise OSError(code, what, str(path)) from error


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Only one process at a time writes under this folder; the lock of one that was killed is free at once."""
    try:
        from filelock import FileLock, Timeout
    except ImportError as error:
        raise ImportError("writing the store needs filelock; install liqlab[fetch]") from error
    try:
        with explained(folder):
            _make(folder)
            lock = FileLock(folder / ".lock")
            lock.acquire(timeout=MAX_LOCK_WAIT)
    except Timeout as error:
        raise TimeoutError(
            errno.EBUSY,
            f"another process has been writing here for {MAX_LOCK_WAIT:g} s; wait for it or end it, then run it again",
            str(folder),
        ) from error
    try:
        yield
    finally:
        lock.release()


def publish(file: Path, data: bytes) -> None:
    """Put a file in its place as a whole: whoever looks, even after a power cut, sees the old one or the new one."""
    with explained(file):
        _make(file.parent)
        temporary = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}{LEFTOVER}")
        try:
            _write(temporary, data)
            os.replace(temporary, file)
        except BaseException:  # Ctrl-C as well
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        _flush(file.parent)
        for leftover in file.parent.glob(f".*{LEFTOVER}"):  # of writers that were killed: under the lock nobody writes
            with contextlib.suppress(OSError):
                leftover.unlink()


def set_aside(file: Path, reason: str) -> Path:
    """Rename a damaged file so that nobody reads it again, with a note beside it; returns its new place."""
    with explained(file):
        aside = file.with_name(f"{file.stem}.{secrets.token_hex(4)}{ASIDE}")
        note = f"{file.name} was set aside on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC and is read no more: {reason}.\n"
        publish(aside.with_name(f"{aside.name}.txt"), note.encode())
        os.replace(file, aside)
        _flush(file.parent)
    return aside


def _write(file: Path, data: bytes) -> None:
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def _make(folder: Path) -> None:
    """Make a folder and those above it, each flushed into its parent."""
    if folder.is_dir():
        return
    _make(folder.parent)
    folder.mkdir(exist_ok=True)
    _flush(folder.parent)


def _flush(folder: Path) -> None:
    if os.name == "nt":  # there folders cannot be opened, and renames are journalled
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
