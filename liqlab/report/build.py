"""Notebooks to pages: run every notebook from its first cell to its last, and build a site from what they show.

``liqlab report`` runs `build_site`, ``liqlab page`` runs `build_page`. Pages open from the disk: nothing in them asks
another host for anything.

How a notebook is written
-------------------------
- ``NN_question.ipynb``: the number is the reading order, the question is the H1 of the first text cell.
- ``metadata.liqlab = {"answers": "one sentence: what the page answers", "minutes": 5}`` feeds the index.
- One code cell tagged ``parameters``: one typed name with its default per line, and a comment that says what it is.
- Figures are HoloViews, hvPlot or Bokeh objects, displayed as the last line of a cell. On the way to a page they lose
  the loader of their library and become plain BokehJS, which the site loads from its own folder.
- What else a cell shows is Markdown, or HTML that is a table or plain prose: tags in a table's cells, and scripts and
  the like anywhere, are shown as the text that they are. So is every sign of markup in a parameter or a case.
- ``cell.metadata.liqlab = {"alt": "..."}`` describes a cell's figure to those who cannot see it; else its title does.
- The cell tagged ``thumbnail`` gives the index its picture, else the first map, else the first figure of the page.

A case, ``cases/*.yml``, holds exactly the parameters of the case notebook: it becomes a page of its own, named like the
file. Where the notebook has a parameter ``title``, that is the page's heading; else its question and the case's name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from liqlab.market.arguments import checked
from liqlab.report.kernels import Bounds
from liqlab.report.pages import ReportError, choose, give, list_pages, one_page, read_assignments

__all__ = ["build_page", "build_site"]


@checked()
def build_site(
    output: str | Path = "site",
    *,
    only: Sequence[str] = (),
    parameters: Mapping[str, Any] | Sequence[str] = (),
    jobs: int | None = None,
    notebooks: str | Path | None = None,
    rerun: bool = False,
    time_limit: float = Bounds.seconds,
    output_limit: float = Bounds.output,
) -> list[dict[str, Any]]:
    """Run the notebooks and build the site from them.

    Parameters
    ----------
    output : path
        Folder of the site. A site that is already there is replaced in one step, once everything has succeeded; where
        nothing has changed since, and all its files are what was written, it stays.
    only : sequence of str, optional
        Pages to look at. Those of an earlier build whose executed notebooks are still in ``<output>/_notebooks`` stay.
    parameters : mapping or sequence of ``name=value``, optional
        Each goes to those of the chosen pages that have a parameter of this name; it must be known to at least one.
    jobs : int, optional
        How many notebooks run at the same time. Default: one per core.
    notebooks : path, optional
        Folder of the notebooks. Default: those that come with liqlab.
    rerun : bool
        Run every chosen page. Default: only those whose notebook, parameters, data, package or libraries have changed
        since the site was built.
    time_limit : float
        Longest that one notebook may run [s].
    output_limit : float
        Most that one notebook may show and print [MB].

    Returns
    -------
    list of dict
        One per page: page, seconds [s] (None where it was not run again), bytes, path.

    Raises
    ------
    ReportError
        Where a name is unknown or a notebook fails; the site that was there is left as it was.
    """
    from liqlab.report.page_record import key_of, layout_key, read_report, stands, write_report
    from liqlab.report.run import run_pages
    from liqlab.report.site import keep_failed, replace_site, work_folder, write_site

    bounds = _bounds(time_limit, output_limit)
    every = list_pages(notebooks)
    chosen = give(choose(every, only), read_assignments(parameters))
    target = Path(output).expanduser().resolve()
    keys = {page.name: key_of(page) for page in chosen}
    known = {page.name: page for page in chosen}
    pages = [known.get(page.name, page) for page in every]
    layout = layout_key(pages)
    with work_folder(target) as work:
        earlier = read_report(target)
        kept = _kept(target, earlier, keys, rerun=rerun)
        stale = [page for page in chosen if page.name not in kept]
        if not stale and stands(target, layout):
            return [_row(entry, target, None) for entry in earlier.values()]
        # the longest first, so that none is left alone at the end; what is not known yet from the last chapter on, for
        # later chapters compute more
        stale.reverse()
        stale.sort(key=lambda page: -(earlier.get(page.name, {}).get("seconds") or float("inf")))
        runs = run_pages(stale, folder=work / "executed", jobs=os.cpu_count() or 1 if jobs is None else jobs,
                         bounds=bounds)  # fmt: skip
        failed = sorted((run for run in runs if run.error), key=lambda run: list(keys).index(run.name))
        if failed:
            raise ReportError(keep_failed(failed, target))
        table = write_site(pages, work=work, keys=keys, earlier=kept, old=target)
        seconds = {run.name: round(run.seconds, 2) for run in runs}
        told = [{**row, "seconds": seconds.get(row["page"], row["seconds"])} for row in table]
        made = datetime.now(UTC).isoformat(timespec="seconds")
        write_report(work / "html", told, made, layout=layout)
        replace_site(work / "html", target)
    return [_row(row, target, seconds.get(row["page"])) for row in table]


def _row(entry: Mapping[str, Any], target: Path, seconds: float | None) -> dict[str, Any]:
    return {"page": entry["page"], "seconds": seconds, "bytes": entry["bytes"], "path": target / entry["file"]}


def _bounds(time_limit: float, output_limit: float) -> Bounds:
    for name, value, unit in (("time_limit", time_limit, "s"), ("output_limit", output_limit, "MB")):
        if not 0 < value < float("inf"):
            raise ReportError(f"{name} must be a number > 0 [{unit}], got {value!r}")
    return Bounds(time_limit, output_limit)


def _kept(target: Path, earlier: dict[str, Any], keys: dict[str, str], *, rerun: bool) -> dict[str, Any]:
    """Earlier pages that need not be run: those not chosen, and those whose inputs are what they were."""
    from liqlab.report.kept_pages import kept_file

    def stands(name: str) -> bool:
        same = name not in keys or (not rerun and earlier[name].get("key") == keys[name])
        return same and kept_file(target, name).is_file() and (target / f"{name}.html").is_file()

    return {name: entry for name, entry in earlier.items() if stands(name)}


@checked()
def build_page(
    name: str | Path,
    output: str | Path | None = None,
    *,
    parameters: Mapping[str, Any] | Sequence[str] = (),
    notebooks: str | Path | None = None,
    force: bool = False,
    time_limit: float = Bounds.seconds,
    output_limit: float = Bounds.output,
) -> Path:
    """Run one notebook and write it as one HTML file that needs nothing else.

    Parameters
    ----------
    name : str or path
        A page's name, a notebook (``.ipynb``), or a file of parameters for the case notebook (``.yml``).
    output : path, optional
        The file to write. Default: ``<page>.html`` in the current folder.
    parameters : mapping or sequence of ``name=value``, optional
        Parameters that differ from the notebook's own.
    notebooks : path, optional
        Folder of the notebooks. Default: those that come with liqlab.
    force : bool
        Replace a file at `output` that no report has written.
    time_limit, output_limit : float
        As in `build_site`.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    ReportError
        Where a name is unknown, the notebook fails, or `output` is no place for a page; what was there stays.
    """
    from liqlab.report.run import run_pages
    from liqlab.report.single_page import write_page
    from liqlab.report.site import keep_failed, work_folder

    values = read_assignments(parameters)
    (page,) = give([one_page(name, notebooks, values)], values)
    target = Path(output or f"{page.name}.html").expanduser().resolve()
    _check_place(target, f"{page.name}.html", force=force)
    bounds = _bounds(time_limit, output_limit)
    with work_folder(target) as work:
        (run,) = run_pages([page], folder=work / "executed", jobs=1, bounds=bounds)
        if run.error:
            raise ReportError(keep_failed([run], target))
        written = write_page(run.path, page=page, folder=work)
        os.replace(written, target)
    return target


def _check_place(target: Path, name: str, *, force: bool) -> None:
    """Refuse places where a page would take the place of something else."""
    if target.is_dir():
        raise ReportError(f"{target} is a folder; pass --output with the file to write, for instance {name}")
    if not target.exists():
        return
    if not target.is_file():
        raise ReportError(f"{target} is no file but a device or the like; pass --output with a file, such as {name}")
    try:
        with target.open("rb") as file:
            ours = not (head := file.read(2_000_000)) or any(mark in head for mark in _OURS)
    except OSError as error:
        raise ReportError(f"{target} cannot be read ({error.strerror}); pass --output with another file") from error
    if not ours and not force:
        raise ReportError(f"{target} is a file that no report has written; pass --force to replace it, or another "
                          "place with --output")  # fmt: skip


_OURS = (b'name="generator" content="liqlab', b".lq-figure")  # the second stands in pages of earlier versions
