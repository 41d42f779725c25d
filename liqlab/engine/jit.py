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


def jit(function: Callable[..., Any], **more: Any) -> Callable[..., Any]:
    """Compile a kernel: no Python objects, no fastmath (results are the same bit for bit), GIL released."""
    options: dict[str, Any] = {"nogil": True, "fastmath": False, "error_model": "numpy", **more}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder can be written at all: compile anew in every process
        return numba.njit(**options)(function)


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """`jit`, put into its callers: for what is called from one place, which then is compiled once and with it."""
    return jit(function, inline="always")
