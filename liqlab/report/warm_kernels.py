"""A warm interpreter that forks kernels: what the pages import is imported once for all of them.

A report starts one such process (Linux only; elsewhere every kernel is started from nothing). It imports, opens no
socket and starts no thread of Python, and then waits at a pipe. For each kernel it forks; the child is a kernel like
any other, with an environment, a working folder and a process group of its own, and shares nothing with later ones.
When nobody holds the other end of the pipe any more, it ends every kernel that is left, and itself.
"""

from __future__ import annotations

import builtins
import contextlib
import gc
import importlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

__all__ = ["WarmKernels", "import_all", "serve", "warm_kernels"]

# what pages import; not hvplot.pandas, which acts on the notebook that imports it, nor pyplot, which hooks into it
WARM = ("ipykernel.kernelapp", "ipykernel.zmqshell", "numpy", "pandas", "numba", "xarray", "scipy.stats",
        "scipy.optimize", "scipy.ndimage", "holoviews", "holoviews.plotting.bokeh", "panel", "hvplot",
        "hvplot.interactive")  # fmt: skip
_START = "import sys; sys.path.append(sys.argv[1]); from liqlab.report.warm_kernels import serve; serve()"


@dataclass(frozen=True)
class WarmKernels:
    """How workers reach the warm interpreter: one at a time, a request is answered by the number of a process."""

    requests: Any
    answers: Any
    turn: Any


@contextmanager
def warm_kernels(environment: Mapping[str, str], context: Any) -> Iterator[WarmKernels | None]:
    """A warm interpreter with this environment, as long as this lasts; None where kernels cannot be forked.

    Parameters
    ----------
    environment : mapping
        Of the interpreter. A kernel gets its own, but what a library read when it was imported stays.
    context : multiprocessing context
        Of the workers that will ask.
    """
    if not sys.platform.startswith("linux") or not hasattr(os, "pidfd_open"):
        yield None
        return
    (asked, requests), (answers, told) = context.Pipe(duplex=False), context.Pipe(duplex=False)
    root = str(Path(__file__).parents[2])
    # one thread for linear algebra: a pool of threads does not survive a fork, and the jobs share the cores anyway
    surroundings = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", **environment}
    ends = [str(asked.fileno()), str(told.fileno())]
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", _START, root, *ends], env=surroundings, start_new_session=True,
        stdin=subprocess.DEVNULL, pass_fds=[asked.fileno(), told.fileno()],
    )  # fmt: skip
    asked.close()
    told.close()
    try:
        yield WarmKernels(requests, answers, context.Lock())
    finally:
        requests.close()
        answers.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        process.kill()
        process.wait()


# --- in the warm interpreter --------------------------------------------------------------------------------------


def serve() -> None:
    """Import, then fork a kernel per request, until nobody can ask any more; in a child, be that kernel."""
    requests, answers = (Connection(int(text)) for text in sys.argv[2:4])
    hooks = import_all()
    kernels: set[int] = set()
    while True:
        try:
            command, environment, folder = requests.recv()
        except (EOFError, OSError):
            break
        _forget_ended(kernels)
        if not may_fork():
            answers.send(0)
            continue
        child = os.fork()
        if not child:
            requests.close()
            answers.close()
            _be_kernel(command, environment, folder, hooks)
            return
        kernels.add(child)
        with contextlib.suppress(OSError):
            answers.send(child)
    _end(kernels)


class _Shell:
    """Stands for the shell of a notebook while libraries are imported; keeps what they want to be called at."""

    def __init__(self) -> None:
        self.events, self.hooks = self, list[tuple[str, Any]]()

    def register(self, event: str, function: Any) -> None:
        """Keep a function for an event of the shell."""
        self.hooks.append((event, function))


@contextmanager
def _as_in_a_notebook() -> Iterator[_Shell]:
    """Several libraries look when they are imported whether they are in a notebook."""
    shell = _Shell()
    builtins.__IPYTHON__, builtins.get_ipython = True, lambda: shell  # type: ignore[attr-defined]
    sys.argv = ["ipykernel_launcher.py"]
    try:
        yield shell
    finally:
        del builtins.__IPYTHON__, builtins.get_ipython  # type: ignore[attr-defined]


def import_all() -> list[tuple[str, Any]]:
    """Import what pages do, the whole of liqlab, and its compiled kernels; returns hooks into a notebook's shell."""
    with _as_in_a_notebook() as shell:
        for name in WARM:
            importlib.import_module(name)
        import liqlab
        from liqlab.engine import warm

        for room in (liqlab, liqlab.plot):
            for name in room.__all__:
                getattr(room, name)
        for kind in warm.KINDS:
            warm.warm(kind)
    gc.collect()
    gc.freeze()  # the collector of a child need not touch, and so copy, what all of them share
    return shell.hooks


def may_fork() -> bool:
    """Whether no thread of Python runs that a child would miss."""
    return threading.active_count() == 1


def _be_kernel(command: Sequence[str], environment: Mapping[str, str], folder: str, hooks: Any) -> None:
    """In a child: a kernel with its own surroundings, which ends with the warm interpreter."""
    import numpy as np
    from ipykernel.kernelapp import IPKernelApp

    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)
    np.random.seed()  # noqa: NPY002  all children would draw the same; Python's own generator does this by itself
    app: Any = IPKernelApp.instance()
    # ipykernel read who its parent is when it was imported
    app.initialize([*command, f"--IPKernelApp.parent_handle={os.getppid()}"])
    for event, function in hooks:
        app.shell.events.register(event, function)
    app.start()


def _forget_ended(kernels: set[int]) -> None:
    """Take note of children that have ended, so that nobody waits for them."""
    for child in list(kernels):
        if os.waitpid(child, os.WNOHANG)[0]:
            kernels.discard(child)


def _end(kernels: set[int]) -> None:
    for child in kernels:
        with contextlib.suppress(OSError):
            os.killpg(child, signal.SIGKILL)
