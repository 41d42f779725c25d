"""What a site keeps of its notebooks: for readers the code with its parameters, for the next report what it showed."""

from __future__ import annotations

import copy
import gzip
from pathlib import Path
from typing import Any

from liqlab.report.pages import ReportError

KEPT = "_notebooks"  # folder in the site


def kept_file(site: Path, name: str) -> Path:
    """Where a site keeps what a page showed when its notebook was run."""
    return site / KEPT / f"{name}.ipynb.gz"


def read_kept(path: Path) -> Any:
    """An executed notebook, packed or not."""
    import nbformat

    if path.suffix != ".gz":
        return nbformat.read(path, as_version=4)
    from liqlab.loaders.bounded_streams import gunzip  # a worker that runs notebooks does without the room

    try:
        return nbformat.reads(gunzip(path.read_bytes(), path.name).decode(), as_version=4)
    except (OSError, ValueError, RecursionError) as error:
        raise ReportError(f"{path}, kept by an earlier report, cannot be read ({error}); run the report with --all, or "
                          "remove the site") from error  # fmt: skip


def keep(notebook: Any, site: Path, name: str) -> None:
    """Write both: the notebook to run again without outputs, and, packed, what it showed."""
    import nbformat

    (site / KEPT).mkdir(parents=True, exist_ok=True)
    timeless(notebook)
    # no time in the packed file either: the same inputs give the same bytes
    kept_file(site, name).write_bytes(gzip.compress(nbformat.writes(notebook).encode(), 6, mtime=0))
    bare = copy.deepcopy(notebook)
    for cell in bare.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(bare, site / KEPT / f"{name}.ipynb")


def timeless(notebook: Any) -> Any:
    """The notebook without when and how fast it ran, and with ids by place; changes and returns it."""
    for number, cell in enumerate(notebook.cells, start=1):
        cell["id"] = f"cell-{number}"
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
    ran = notebook.metadata.get("papermill", {})
    notebook.metadata["papermill"] = {name: ran[name] for name in ("parameters",) if name in ran}
    return notebook
