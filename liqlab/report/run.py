"""Run notebooks: each in its own process and kernel, on the Python that runs the report."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from liqlab.report.kept_pages import read_kept
from liqlab.report.kernels import Bounds, allowed, execute, watch_parent, without_link_grammars
from liqlab.report.missing_values import missing_values
from liqlab.report.pages import Page, ReportError
from liqlab.report.warm_kernels import WarmKernels, warm_kernels

KERNEL = "liqlab-report"


@dataclass(frozen=True)
class Run:
    """What became of one page: the executed notebook, the time it took [s], and the error, if any."""

    name: str
    path: Path
    seconds: float
    error: str = ""


def run_pages(pages: Sequence[Page], *, folder: Path, jobs: int, bounds: Bounds | None = None) -> list[Run]:
    """Execute pages into `folder`, several at a time; a page that fails does not stop the others.

    The kernel works in the current folder, so a path in a parameter means what it means at the prompt. A signal that
    stops the report ends every kernel.
    """
    if jobs < 1:
        raise ReportError(f"jobs must be >= 1, got {jobs}; it is the number of notebooks that run at the same time")
    folder.mkdir(parents=True, exist_ok=True)
    if not pages:
        return []
    runs: dict[str, Run] = {}
    # beside the results: where the report is killed, the next one sweeps both
    with _stoppable(), tempfile.TemporaryDirectory(prefix="kernels-", dir=folder.parent) as private:
        environment = _environment(Path(private))
        workers = min(jobs, len(pages))
        spawn = multiprocessing.get_context("spawn")  # a forked kernel client inherits locks
        with (
            _warm(pages, environment, spawn) as warm,
            ProcessPoolExecutor(
                workers, mp_context=spawn, initializer=_enter,
                initargs=(environment, spawn.RLock(), spawn.Value("i", 1), warm),
            ) as pool,
        ):  # fmt: skip
            try:
                _collect(pool, pages, folder, bounds or Bounds(), runs)
            except BaseException:
                for process in list((pool._processes or {}).values()):
                    process.terminate()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    return [runs[page.name] for page in pages]


def _collect(pool: Any, pages: Sequence[Page], folder: Path, bounds: Bounds, runs: dict[str, Run]) -> None:
    from tqdm.auto import tqdm

    waiting = {pool.submit(_execute, page, folder / f"{page.name}.ipynb", bounds): page for page in pages}
    with tqdm(total=len(pages), desc="notebooks", unit="page") as bar:
        for done in as_completed(waiting):
            page = waiting[done]
            runs[page.name] = _outcome(done, page, folder)
            bar.update()
            bar.set_postfix_str(page.name)


def _warm(pages: Sequence[Page], environment: Mapping[str, str], spawn: Any) -> Any:
    """Imports that pages share are worth a process of their own from the second page on."""
    if sum("holoviews" in page.notebook.read_text(encoding="utf-8", errors="replace") for page in pages) < 2:
        return nullcontext()
    return warm_kernels(allowed({**os.environ, **environment}, network=False), spawn)


@contextmanager
def _stoppable() -> Iterator[None]:
    """SIGTERM unwinds the report as Ctrl-C does, so that it tidies up; in other threads signals are not ours."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: Any) -> None:
        raise SystemExit(143)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _environment(private: Path) -> dict[str, str]:
    """Surroundings of the kernels: this Python whatever the notebook names, and nobody's start-up files."""
    from ipykernel.kernelspec import write_kernel_spec

    quiet = ["--IPKernelApp.log_level=40"]  # the kernel listens on this machine only; its advice to encrypt is noise
    write_kernel_spec(private / "kernels" / KERNEL, extra_arguments=quiet)
    paths = [str(private), *filter(None, [os.environ.get("JUPYTER_PATH")])]
    return {
        "JUPYTER_PATH": os.pathsep.join(paths),
        "JUPYTER_RUNTIME_DIR": str(private / "runtime"),
        "IPYTHONDIR": str(private / "ipython"),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }


def _enter(environment: dict[str, str], lock: Any, rows: Any, warm: WarmKernels | None) -> None:
    """In a worker process, once: its surroundings, and the row of the console where its progress stands."""
    from tqdm.auto import tqdm

    watch_parent()
    without_link_grammars()
    if warm is not None:
        from liqlab.report.forked_kernels import connect

        connect(warm)
    tqdm.set_lock(lock)
    with rows.get_lock():
        _ROW.append(rows.value)
        rows.value += 1
    _FOUND.update(os.environ, **environment)


_ROW: list[int] = []  # of the console, in a worker
_FOUND: dict[str, str] = {}  # the environment that a worker found


def _execute(page: Page, output: Path, bounds: Bounds) -> Run:
    """In a worker process: run one notebook; errors come back as text, because not every error can be pickled."""
    from papermill.exceptions import PapermillExecutionError

    start, error = time.perf_counter(), ""
    # a bar of its own on a console; in a file it would only leave noise
    bar = {"desc": page.name, "position": _ROW[0], "leave": False, "disable": None}
    os.environ.clear()
    os.environ.update(allowed(_FOUND, network=page.parameters.get("offline") is False))
    try:
        met = execute(
            str(page.notebook), str(output), kernel=KERNEL, bounds=bounds, parameters=dict(page.parameters),
            progress_bar=bar,
        )  # fmt: skip
        words = met or missing_values(read_kept(output), [x for x in page.parameters.values() if isinstance(x, str)])
        error = f"{page.name}: {words}" if words else ""
    except PapermillExecutionError as failure:
        line = next((line for line in failure.source.splitlines() if line.strip()), "")
        error = f"{page.name}: cell In [{failure.exec_count}] ({line!r}) raised {failure.ename}: {failure.evalue}"
    except Exception as failure:  # a kernel that died, a notebook that is not JSON: the report goes on and tells
        error = f"{page.name}: {type(failure).__name__}: {failure}"
    return Run(page.name, output, time.perf_counter() - start, error)


def _outcome(done: Any, page: Page, folder: Path) -> Run:
    try:
        return done.result()
    except Exception as failure:  # the worker itself died, for instance for want of memory
        message = f"{page.name}: the process that ran it ended: {type(failure).__name__}: {failure}"
        return Run(page.name, folder / f"{page.name}.ipynb", 0.0, message)
