"""A file that is written whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["checked_place", "whole_file"]


def checked_place(path: str | os.PathLike[str]) -> Path:
    """The path that a file may be written to: new, or a regular file, which will be replaced; links are followed.

    Raises
    ------
    ValueError
        Where it is a folder, a device or the like, or its folder does not exist.
    """
    target = Path(path).expanduser().resolve()
    if target.is_dir():
        raise ValueError(f"{target} is a folder; give the name of a file in it, for instance {target / 'btc.png'}")
    if target.exists() and not target.is_file():
        raise ValueError(f"{target} is no file but a device or the like; give the name of a file")
    if not target.parent.is_dir():
        raise ValueError(f"there is no folder {target.parent}; make it first, or give another path")
    return target


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A path to write to, beside `path`: it takes that name once all is written, and goes where anything fails."""
    target = checked_place(path)
    part = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.tmp")
    try:
        yield part
        os.replace(part, target)
    except OSError as error:
        told = f"{target.name} cannot be written ({error.strerror or error}); what was there stays"
        raise OSError(error.errno, told, str(target)) from error
    finally:
        part.unlink(missing_ok=True)
