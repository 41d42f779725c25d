"""A kernel with bounds: the surroundings that it needs and no more, a time, an amount of output, and an end.

What runs here runs in a worker process of `liqlab.report.run`. A kernel has a process group of its own; whatever ends
its worker or the report, a signal or their death, ends the group as well, also where the kernel no longer listens.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Any

__all__ = ["Bounds", "allowed", "execute", "watch_parent", "without_link_grammars"]

# variables by which an interpreter, its libraries and this package find their way
_NEEDED = frozenset((
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP",
    "SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT", "APPDATA", "LOCALAPPDATA", "USERPROFILE", "PROGRAMDATA",
    "VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LD_PRELOAD",
    "MALLOC_ARENA_MAX", "IPYTHONDIR", "MPLBACKEND", "MPLCONFIGDIR", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SOURCE_DATE_EPOCH", "FONTCONFIG_PATH", "FONTCONFIG_FILE",
))  # fmt: skip
_FAMILIES = ("LC_", "XDG_", "PYTHON", "NUMBA_", "OMP_", "MKL_", "OPENBLAS_", "JUPYTER_", "LIQLAB_")
_NETWORK = frozenset(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"))
_SECRET = ("KEY", "SECRET", "PASSWORD", "TOKEN", "CREDENTIAL")
MORE = "LIQLAB_KERNEL_ENV"  # names of further variables, with commas between them


@dataclass(frozen=True)
class Bounds:
    """What one notebook may take.

    Attributes
    ----------
    seconds : float
        Time from its first cell to its last [s].
    output : float
        All that it shows and prints [MB].
    """

    seconds: float = 1800.0
    output: float = 50.0


def allowed(variables: Mapping[str, str], *, network: bool) -> dict[str, str]:
    """The environment of a kernel: no keys and tokens; proxies, which may hold a password, only to ask the network.

    >>> allowed({"PATH": "/bin", "AWS_SECRET": "x", "LIQLAB_OKX_KEY": "x", "LIQLAB_STORE": "s"}, network=False)
    {'PATH': '/bin', 'LIQLAB_STORE': 's'}
    """
    named = {name.strip() for name in variables.get(MORE, "").split(",")}

    def needed(name: str) -> bool:
        upper = name.upper()
        if name in named or upper in _NEEDED or (network and upper in _NETWORK):
            return True
        return upper.startswith(_FAMILIES) and not any(word in upper for word in _SECRET)

    return {name: value for name, value in variables.items() if needed(name)}


def execute(notebook: str, output: str, *, kernel: str, bounds: Bounds, **options: Any) -> str:
    """Run a notebook as papermill does; returns which bound it met, in words, or nothing.

    Raises
    ------
    Exception
        What papermill raises; where a bound was met, that it raised is a consequence.
    """
    import papermill
    from papermill.engines import papermill_engines

    run = _BoundedRun(bounds)
    papermill_engines.register("liqlab", run.engine())
    try:
        papermill.execute_notebook(notebook, output, kernel_name=kernel, engine_name="liqlab", **options)
    except Exception:
        if not run.met:
            raise
    finally:
        run.stop()
    return run.met


class _BoundedRun:
    """One kernel, its clock and its count of output."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds, self.met, self._shown = bounds, "", 0
        self._timer = threading.Timer(bounds.seconds, self._late)
        self._timer.daemon = True

    def engine(self) -> type:
        from papermill.clientwrap import PapermillNotebookClient
        from papermill.engines import NBClientEngine

        run = self

        class Client(PapermillNotebookClient):
            def start_new_kernel_client(self) -> Any:
                client = super().start_new_kernel_client()
                _groups.add(self.km.provisioner.pid)
                run._timer.start()
                return client

            def process_message(self, message: Any, *args: Any, **options: Any) -> Any:
                if run.count(message):
                    return super().process_message(message, *args, **options)
                return None

        class Engine(NBClientEngine):
            @classmethod
            def execute_managed_notebook(
                cls, nb_man: Any, kernel_name: str, *, start_timeout: float = 60, **_: Any
            ) -> Any:
                # papermill would write all that is shown so far before and after every cell; it writes at the end
                path, nb_man.output_path = nb_man.output_path, None
                try:
                    client = Client(nb_man, kernel_name=kernel_name, startup_timeout=start_timeout, timeout=None)
                    return client.execute()
                finally:
                    nb_man.output_path = path

        return Engine

    def count(self, message: Any) -> bool:
        """Whether a message may still be shown; the first that may not ends the kernel."""
        content = message.get("content", {})
        data = content.get("data", {})
        self._shown += len(content.get("text", "")) + sum(len(str(value)) for value in data.values())
        if self._shown > self.bounds.output * 1e6 and not self.met:
            self.met = (f"it showed more than {self.bounds.output:g} MB; print less, or pass --output-limit "
                        "with more MB")  # fmt: skip
            end_kernels()
        return not self.met

    def _late(self) -> None:
        self.met = self.met or (f"it ran longer than {self.bounds.seconds:g} s; make it shorter, or pass --time-limit "
                                "with more seconds")  # fmt: skip
        end_kernels()

    def stop(self) -> None:
        self._timer.cancel()
        end_kernels()


_groups: set[int] = set()  # process groups of the kernels of this worker


def end_kernels() -> None:
    """End every kernel of this process and what it has started."""
    for group in list(_groups):
        with contextlib.suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(group, signal.SIGKILL)
            else:
                os.kill(group, signal.SIGTERM)
    _groups.clear()


def without_link_grammars() -> None:
    """In a process of our own: `jsonschema`, which reads notebooks, does without its check of international links.

    No notebook has one, and the grammars of that check take 3 s of every process that reads a notebook.
    """
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # an import of it fails, as if not there


def watch_parent() -> None:
    """In a worker: end with the kernels on SIGTERM, and when the report itself is gone."""

    def end(*_: Any) -> None:
        end_kernels()
        os._exit(143)

    signal.signal(signal.SIGTERM, end)
    parent = multiprocessing.parent_process()
    if parent is not None:

        def until_gone() -> None:
            wait([parent.sentinel])
            end()

        threading.Thread(target=until_gone, daemon=True).start()
