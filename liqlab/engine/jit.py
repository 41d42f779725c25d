"""`jit`: numba's compiler for kernels, with a cache that also works where the package folder is read-only."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

if "NUMBA_CACHE_DIR" not in os.environ and not os.access(Path(__file__).parent, os.W_OK):
    # numba raises on import where it finds no folder to cache in, so it is shown one before it is imported
    from platformdirs import user_cache_dir

    os.environ["NUMBA_CACHE_DIR"] = user_cache_dir("liqlab")

import numba


def jit(function: Callable[..., Any], *, inline: bool = False) -> Callable[..., Any]:
    """Compile a kernel: no Python objects, no fastmath (results are the same bit for bit), GIL released.

    `inline`: put it into its caller; for what runs in every step, where handing over the arguments costs as much.
    """
    options: dict[str, Any] = {"nogil": True, "fastmath": False, "error_model": "numpy", "forceinline": inline}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder can be written at all: compile anew in every process
        return numba.njit(**options)(function)


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """`jit`, put into its caller."""
    return jit(function, inline=True)
