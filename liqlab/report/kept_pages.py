"""What a site keeps of its notebooks: for readers the code with its parameters, for the next report what it showed."""

from __future__ import annotations

import copy
import gzip
import re
from pathlib import Path
from typing import Any

from liqlab.report.pages import ReportError

KEPT = "_notebooks"  # folder in the site
_FIGURE = re.compile(r'(<script type="application/json" data-for="([^"]+)">)(.*?)(</script>)', re.DOTALL)


def kept_file(site: Path, name: str) -> Path:
    """Where a site keeps what a page showed when its notebook was run."""
    return site / KEPT / f"{name}.ipynb.gz"


def read_kept(path: Path) -> Any:
    """An executed notebook, packed or not; the figures of one that a site keeps are read from its page."""
    import nbformat

    if path.suffix != ".gz":
        return nbformat.read(path, as_version=4)
    from liqlab.loaders.bounded_streams import gunzip  # a worker that runs notebooks does without the room

    try:
        notebook = nbformat.reads(gunzip(path.read_bytes(), path.name).decode(), as_version=4)
        return _with_figures(notebook, path.parents[1] / f"{path.name.removesuffix('.ipynb.gz')}.html")
    except (OSError, ValueError, KeyError, RecursionError) as error:
        raise ReportError(f"{path}, kept by an earlier report, cannot be read ({error}); run the report with --all, or "
                          "remove the site") from error  # fmt: skip


def keep(notebook: Any, site: Path, name: str) -> None:
    """Write both: the notebook to run again without outputs, and, packed, what it showed."""
    import nbformat

    (site / KEPT).mkdir(parents=True, exist_ok=True)
    timeless(notebook)
    # no time in the packed file either: the same inputs give the same bytes
    packed = nbformat.writes(_without_figures(copy.deepcopy(notebook))).encode()
    kept_file(site, name).write_bytes(gzip.compress(packed, 6, mtime=0))
    bare = copy.deepcopy(notebook)
    for cell in bare.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(bare, site / KEPT / f"{name}.ipynb")


def _without_figures(notebook: Any) -> Any:
    """The figures' data stand in the page already, and are most of its bytes."""
    for data in _shown(notebook):
        data["text/html"] = _FIGURE.sub(r"\1\4", data["text/html"])
    return notebook


def _with_figures(notebook: Any, page: Path) -> Any:
    """The notebook with the figures' data that its page holds; KeyError where the page lacks one."""
    figures = [data for data in _shown(notebook) if _FIGURE.search(data["text/html"])]
    if figures:
        held = {spot: item for _, spot, item, _ in _FIGURE.findall(page.read_text(encoding="utf-8"))}
        for data in figures:
            data["text/html"] = _FIGURE.sub(lambda found: found[1] + held[found[2]] + found[4], data["text/html"])
    return notebook


def _shown(notebook: Any) -> list[Any]:
    """What cells show that may be figures."""
    return [data for cell in notebook.cells for data in shown_by(cell) if isinstance(data.get("text/html"), str)]


def shown_by(cell: Any) -> list[Any]:
    """What a cell shows, each as a mapping of its forms."""
    return [output.get("data", {}) for output in cell.get("outputs", ())]


def timeless(notebook: Any) -> Any:
    """The notebook without when and how fast it ran, and with ids by place; changes and returns it."""
    for number, cell in enumerate(notebook.cells, start=1):
        cell["id"] = f"cell-{number}"
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
    ran = notebook.metadata.get("papermill", {})
    notebook.metadata["papermill"] = {name: ran[name] for name in ("parameters",) if name in ran}
    return notebook
