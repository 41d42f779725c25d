"""`jit`: numba's compiler for kernels, with a cache that also works where the package folder is read-only."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

if "NUMBA_CACHE_DIR" not in os.environ and not os.access(Path(__file__).parent, os.W_OK):
    # numba raises on import where it finds no folder to cache in, so it is shown one before it is imported
    from platformdirs import user_cache_dir

    os.environ["NUMBA_CACHE_DIR"] = user_cache_dir("liqlab")

import numba
from numba.core import event

COMPILES = "liqlab compiles its kernels once, about 10 s …"


class _Say(event.Listener):
    """One line on stderr before the first kernel is compiled, so that nobody waits without knowing for what."""

    said = False

    def on_start(self, event: event.Event) -> None:
        function = getattr(event.data.get("dispatcher"), "py_func", None)
        if not self.said and getattr(function, "__module__", "").startswith("liqlab."):
            self.said = True
            print(COMPILES, file=sys.stderr, flush=True)

    def on_end(self, event: event.Event) -> None:
        """Nothing: the map that follows says that it is done."""


event.register("numba:compile", _Say())


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
