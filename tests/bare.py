"""A notebook run bare, as in JupyterLab, and with parameters changed, in a process that `tests.warm` was forked for.

Cells are run in their order with the notebook's own parameters. Before the first cell that reads one of the parameters
to be changed, the process forks: the child goes on with the change until the end or the first error, so that what comes
before is run once for all. Where the bare run need not be whole it ends when the last child has left. Writes one JSON
line per run: what was changed, how it ended, and where.
"""

from __future__ import annotations

import ast
import json
import os
import sys
import traceback
from typing import Any

import nbformat
from IPython.core.interactiveshell import InteractiveShell


class Shell(InteractiveShell):
    """Keeps errors instead of printing them, those of drawing what a cell shows included."""

    def showtraceback(self, exc_tuple: Any = None, *_: Any, **__: Any) -> None:
        self.errors.append((exc_tuple or sys.exc_info())[1])


def names_in(source: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}


def first_error(shell: Shell, cells: list[Any]) -> BaseException | None:
    """Run cells until one fails."""
    for cell in cells:
        shell.errors = []
        shell.run_cell(cell.source)
        if shell.errors:
            return shell.errors[0]
    return None


def tell(changed: dict[str, Any], error: BaseException | None) -> None:
    """Write how a run ended, as a line of JSON: the kind of error, what it says, the file and line that raised it."""
    told: dict[str, Any] = {"changed": changed, "error": None}
    if error is not None:
        last = traceback.extract_tb(error.__traceback__)[-1]
        told |= {"error": type(error).__name__, "says": str(error), "file": last.filename, "line": last.line or ""}
    with open("ends", "a", encoding="utf-8") as ends:
        print(json.dumps(told), file=ends)


def main(notebook: str, changes: list[dict[str, Any]], folder: str, *, whole: bool) -> None:
    """Run the notebook bare, and once per change of its parameters, in `folder`; tells of it in its ``ends``."""
    from IPython.core.displaypub import CapturingDisplayPublisher

    from tests.warm import HOOKS

    os.chdir(folder)
    os.environ["IPYTHONDIR"] = os.path.join(folder, "ipython")
    cells = [cell for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"]
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    shell = Shell.instance(display_pub_class=CapturingDisplayPublisher)
    for event, function in HOOKS:
        shell.events.register(event, function)
    error = None
    for number, cell in enumerate(cells):
        if "parameters" not in cell.metadata.get("tags", ()):
            due = [change for change in changes if names_in(cell.source) & set(change)]
            changes = [change for change in changes if change not in due]
            for change in due:
                child = os.fork()
                if not child:
                    shell.user_ns.update(change)
                    tell(change, first_error(shell, cells[number:]))
                    os._exit(0)
                os.waitpid(child, 0)
        if not changes and not whole:
            break
        error = error or first_error(shell, [cell])
    for change in changes:
        error = error or ValueError(f"no cell reads {', '.join(change)}")
    tell({}, error)
