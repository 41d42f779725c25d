"""Executed notebooks → a folder of pages, by Sphinx with MyST-NB; put in place in one step or not at all."""

from __future__ import annotations

import glob
import hashlib
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from io import StringIO
from pathlib import Path
from typing import Any

from liqlab.report.doing_pages import ORDER, doing_files
from liqlab.report.index_page import MAP, PICTURES, in_markdown, own_pages
from liqlab.report.kept_pages import KEPT, keep, kept_file, read_kept, shown_by, timeless
from liqlab.report.landing import draw_annotated_map
from liqlab.report.pages import Page, ReportError
from liqlab.report.run import Run
from liqlab.report.texts import one_line, texts_of, with_texts_as_text

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

THEME = Path(__file__).parent / "theme"
_LOCK = ".in-use"  # in a temporary folder
_H1 = re.compile(r"^#[ \t]+(.+?)[ \t]*$", re.MULTILINE)


@contextmanager
def work_folder(target: Path) -> Iterator[Path]:
    """A temporary folder beside `target`, on the same disk, so that the result moves in by renaming."""
    if target.is_dir() and any(target.iterdir()) and not (target / KEPT).is_dir():
        raise ReportError(f"{target} holds files that no report has written; pass --output with a new folder")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        sweep(target)
        _clear_failed(target)
        work = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise ReportError(f"{target} cannot be written ({error.strerror}); pass --output with a place where you may "
                          "write") from error  # fmt: skip
    with _locked(work):
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)


def sweep(target: Path) -> None:
    """Remove the temporary folders of reports that were killed; a site that one of them had set aside comes back."""
    for work in target.parent.glob(f".{glob.escape(target.name)}-????????"):
        lock = work / _LOCK
        if not lock.is_file() or not _free(lock):
            continue
        if (work / "old").is_dir() and not target.exists():
            os.rename(work / "old", target)
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def _locked(work: Path) -> Iterator[None]:
    """While this lasts, another report sees that the folder is in use; the lock of one that was killed is free."""
    with (work / _LOCK).open("wb") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _free(lock: Path) -> bool:
    if fcntl is None:  # there an open file cannot be removed, so a day is waited for
        return time.time() - lock.stat().st_mtime > 86_400
    with lock.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True


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


def write_site(pages: Sequence[Page], *, work: Path, keys: Mapping[str, str], earlier: Mapping[str, Any],
               old: Path) -> list[dict[str, Any]]:  # fmt: skip
    """Build the site in ``work/html`` from ``work/executed`` and, for pages not run now, from the site `old`.

    Parameters
    ----------
    keys : mapping {page: key}
        What the pages run now depend on, see `record.key_of`.
    earlier : mapping {page: entry}
        What the last report told of the pages that it keeps: those alone are taken from `old`.

    Returns
    -------
    list of dict
        One per page of the course, in reading order: page, file, bytes and what `report.json` tells of it.
    """
    source, html = work / "source", work / "html"
    (source / "_static").mkdir(parents=True)
    (source / PICTURES).mkdir()
    html.mkdir()
    entries = []
    beside = {*(page.name for page in pages), "cases", "glossary", "units", "api", *ORDER}
    for page in pages:
        executed = work / "executed" / f"{page.name}.ipynb"
        before: Mapping[str, Any] = {}
        picture = source / PICTURES / f"{page.name}.png"
        if not executed.is_file() and page.name in earlier:
            executed, before = kept_file(old, page.name), earlier[page.name]
            if before["picture"]:
                shutil.copyfile(old / "_images" / picture.name, picture)
        if executed.is_file():
            entry = _write_entry(read_kept(executed), page, source=source, html=html, beside=beside)
            entries.append({**entry, "key": keys.get(page.name) or before.get("key"), "seconds": before.get("seconds")})
    knobs = _knobs(source)
    if knobs:  # a site of the course
        draw_annotated_map(source / PICTURES / MAP)
    written = own_pages(entries, knobs)
    for name, text in written.items():
        (source / f"{name}.md").write_text(text, encoding="utf-8")
    doing_files(source / "_static", list(written))
    copy_bokeh(source / "_static")
    _sphinx(source, html, work / "doctrees")
    for path in html.rglob("*.map"):  # of the theme, for those who write themes: 2 MB that no page loads
        path.unlink()
    return [{**entry, "bytes": (html / entry["file"]).stat().st_size} for entry in entries]


def _knobs(source: Path) -> str:
    """The figure of the cell tagged ``knobs`` of one of the pages, for the index too."""
    import nbformat

    for path in sorted(source.glob("*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            if "knobs" in cell.metadata.get("tags", ()):
                return "\n".join(data.get("text/html", "") for data in shown_by(cell))
    return ""


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
    title, answers = heading[1] if heading else page.name, about.get("answers", "")
    if page.case:
        title = one_line(given.get("title") or f"{title} ({page.name})")
        answers = one_line(given.get("answers") or answers)
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


def _write_entry(notebook: Any, page: Page, *, source: Path, html: Path, beside: Collection[str]) -> dict[str, Any]:
    """One page's sources: its notebook for readers and the next report, one for Sphinx, its picture."""
    import nbformat

    from liqlab.report.figures import with_plain_figures
    from liqlab.report.glossary_links import with_linked_words
    from liqlab.report.page_form import published
    from liqlab.report.page_record import command, data_used, figures_shown, parameters_used
    from liqlab.report.thumbnails import draw_thumbnail

    entry = {"page": page.name, **describe(notebook, page), "file": f"{page.name}.html", "case": page.case}
    entry["notebook"] = {"file": page.notebook.name, "sha256": _sha256(page.notebook)}
    entry["parameters"] = parameters_used(notebook, page)
    entry["data"] = data_used(notebook, entry["parameters"])
    picture = source / PICTURES / f"{page.name}.png"
    entry["picture"] = picture.is_file() or draw_thumbnail(notebook, picture, name=page.name)
    foot = _foot(page.name, command(page, entry["parameters"]))
    plain = with_texts_as_text(with_plain_figures(notebook, name=page.name), texts_of(entry["parameters"]))
    keep(plain, html, page.name)
    with_linked_words(published(plain, beside))
    with_title(plain, in_markdown(entry, "title", case=page.case))
    entry["figures"] = figures_shown(plain)
    plain.cells.append(nbformat.v4.new_markdown_cell(foot))
    nbformat.write(timeless(plain), source / f"{page.name}.ipynb")
    return entry


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _foot(name: str, command: str) -> str:
    """What stands under a page: how to make it again, and the notebook itself."""
    return f"""<div class="lq-again">
<details><summary>Make this page again</summary>
<p>With all its parameters, at a prompt where liqlab is installed:</p>
<pre>{escape(command).replace(chr(10), "&#10;")}</pre>
</details>
<p><button type="button" class="lq-copy">Copy the parameters</button>
<a class="lq-download" href="{KEPT}/{name}.ipynb" download>Download this notebook, to run it yourself</a></p>
</div>"""


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
