"""Executed notebooks → a folder of pages, by Sphinx with MyST-NB; put in place in one step or not at all."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

from liqlab.report.pages import Page, ReportError
from liqlab.report.run import Run

THEME = Path(__file__).parent / "theme"
KEPT = "_notebooks"  # in the site: the executed notebooks, for readers and for the next --only
_H1 = re.compile(r"^#[ \t]+(.+?)[ \t]*$", re.MULTILINE)


@contextmanager
def work_folder(target: Path) -> Iterator[Path]:
    """A temporary folder beside `target`, on the same disk, so that the result moves in by renaming."""
    if target.is_dir() and any(target.iterdir()) and not (target / KEPT).is_dir():
        raise ReportError(f"{target} holds files that no report has written; pass --output with a new folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    _clear_failed(target)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def executed_folder(target: Path) -> Path:
    """Where the site at `target` keeps its executed notebooks."""
    return target / KEPT


def keep_failed(runs: Sequence[Run], target: Path) -> str:
    """Move failed notebooks to where they can be read; returns the message that names them."""
    folder = _failed_folder(target)
    lines = [run.error for run in runs]
    kept = [run for run in runs if run.path.is_file()]
    for run in kept:
        folder.mkdir(exist_ok=True)
        shutil.move(run.path, folder / run.path.name)
    where = f"\nexecuted as far as they went, for reading: {folder}" if kept else ""
    site = f"\n{target} is as it was" if target.exists() else ""
    return "\n".join(lines) + where + site


def replace_site(built: Path, target: Path) -> None:
    """Put the built site in place: two renames, the old one comes back if the second fails."""
    built.chmod(0o755)
    old = built.with_name("old")
    if target.exists():
        os.rename(target, old)
    try:
        os.rename(built, target)
    except OSError:
        if old.exists():
            os.rename(old, target)
        raise


def write_site(pages: Sequence[Page], *, work: Path, earlier: Path | None = None) -> list[dict[str, Any]]:
    """Build the site in ``work/html`` from ``work/executed`` and, for pages not run now, from `earlier`.

    Returns
    -------
    list of dict
        One per page, in reading order: page, file, bytes.
    """
    import nbformat

    source, html = work / "source", work / "html"
    (source / "_static").mkdir(parents=True)
    (html / KEPT).mkdir(parents=True)
    entries = []
    for page in pages:
        executed = work / "executed" / f"{page.name}.ipynb"
        if not executed.is_file() and earlier is not None:
            executed = earlier / executed.name
        if executed.is_file():
            notebook = nbformat.read(executed, as_version=4)
            entries.append(_write_entry(notebook, page, source=source, kept=html / KEPT))
    (source / "index.md").write_text(_index(entries), encoding="utf-8")
    copy_bokeh(source / "_static")
    _sphinx(source, html, work / "doctrees")
    files = {entry["name"]: f"{entry['name']}.html" for entry in entries}
    return [{"page": name, "file": file, "bytes": (html / file).stat().st_size} for name, file in files.items()]


def copy_bokeh(folder: Path) -> list[str]:
    """Copy BokehJS from the installed package; returns the files' names in the order of loading."""
    import bokeh

    scripts = Path(bokeh.__file__).parent / "server" / "static" / "js"
    names = ["bokeh.min.js", "bokeh-widgets.min.js", "bokeh-tables.min.js"]
    for name in names:
        shutil.copyfile(scripts / name, folder / name)
    return names


def describe(notebook: Any, page: Page) -> dict[str, Any]:
    """What the index says of a page: name, title, answers, minutes. A case's heading tells it from the others."""
    about = notebook.metadata.get("liqlab", {})
    given = notebook.metadata.get("papermill", {}).get("parameters", {})
    heading = _H1.search(next((cell.source for cell in notebook.cells if cell.cell_type == "markdown"), ""))
    title = heading[1] if heading else page.name
    if page.case:
        title = str(given.get("title") or f"{title} ({page.name})")
    answers = str(given.get("answers") or about.get("answers", "")) if page.case else about.get("answers", "")
    return {"name": page.name, "title": title, "answers": answers, "minutes": about.get("minutes")}


def with_title(notebook: Any, title: str) -> Any:
    """The notebook with this H1; changes and returns it."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = _H1.sub(lambda _: f"# {title}", cell.source, count=1)
            if not _H1.search(cell.source):
                cell.source = f"# {title}\n\n{cell.source}"
            break
    return notebook


def _write_entry(notebook: Any, page: Page, *, source: Path, kept: Path) -> dict[str, Any]:
    """One page's sources: the executed notebook for readers, its plain twin for Sphinx, its picture for the index."""
    import nbformat

    from liqlab.report.figures import with_plain_figures, without_loaders
    from liqlab.report.thumbnail import draw_thumbnail

    entry = describe(notebook, page)
    nbformat.write(without_loaders(notebook), kept / f"{page.name}.ipynb")
    entry["picture"] = draw_thumbnail(notebook, source / "_static" / f"{page.name}.png", name=page.name)
    link = f'<a class="lq-download" href="{KEPT}/{page.name}.ipynb" download>Download this notebook, as executed</a>'
    notebook.cells.append(nbformat.v4.new_markdown_cell(link))
    plain = with_title(with_plain_figures(notebook, name=page.name), entry["title"])
    nbformat.write(plain, source / f"{page.name}.ipynb")
    return entry


def _index(entries: Sequence[dict[str, Any]]) -> str:
    """The index in MyST Markdown: what this is, one card per page in reading order, and the contents for Sphinx."""
    import liqlab

    minutes = sum(entry["minutes"] or 0 for entry in entries)
    cards = "\n\n".join(_card(number, entry) for number, entry in enumerate(entries, start=1))
    names = "\n".join(entry["name"] for entry in entries)
    return f"""# Liquidation heatmaps, worked through

Where would leveraged positions be closed by force, and what can a map of these prices know? Each page asks one
question and answers it with code that you can run, change and check. What the maps show is **estimated** from market
data; nobody's account was read. *Education, not advice.*

Read in this order{f", {minutes} minutes in all" if minutes else ""}, or pick a question.

::::{{container}} lq-cards
{cards}
::::

Made with liqlab {liqlab.__version__} and Python {sys.version.split()[0]}. Every page ends with its own parameters, \
versions and checksums.

```{{toctree}}
:hidden:
:titlesonly:

{names}
```
"""


def _card(number: int, entry: dict[str, Any]) -> str:
    name, title = entry["name"], entry["title"]
    picture = f"[![{title}](_static/{name}.png)]({name}.ipynb)\n\n" if entry["picture"] else ""
    minutes = f" *{entry['minutes']} minutes*" if entry["minutes"] else ""
    return f""":::{{container}} lq-card
{picture}**{number}. [{title}]({name}.ipynb)**

{entry["answers"]}{minutes}
:::"""


def _sphinx(source: Path, html: Path, doctrees: Path) -> None:
    """Run Sphinx; its warnings go to the console, its errors become ours."""
    from sphinx.application import Sphinx
    from sphinx.errors import SphinxError
    from sphinx.util.docutils import docutils_namespace, patch_docutils

    warnings = StringIO()
    settings = {"html_static_path": [str(THEME / "_static"), str(source / "_static")]}
    try:
        with patch_docutils(str(source)), docutils_namespace():
            app = Sphinx(str(source), str(THEME), str(html), str(doctrees), "html", settings, None, warnings)
            app.build(force_all=True)
    except SphinxError as error:
        raise ReportError(f"the site cannot be built: {error}") from error
    if warnings.getvalue().strip():
        print(warnings.getvalue().strip(), file=sys.stderr)


def _failed_folder(target: Path) -> Path:
    return target.with_name(f"{target.stem}-failed")


def _clear_failed(target: Path) -> None:
    """Remove what an earlier failure left, and nothing else."""
    folder = _failed_folder(target)
    for path in folder.glob("*.ipynb"):
        path.unlink()
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
