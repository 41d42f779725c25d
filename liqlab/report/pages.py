"""Which pages there are, and which parameters each of them takes."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from liqlab.market.arguments import checked
from liqlab.report.parameters import Parameter, ReportError, check_values, declared

CASE_NOTEBOOK = "06_case_study"
_NAME = re.compile(r"\w[\w.-]*")  # of a page: it stands in links and in the names of files


@dataclass(frozen=True)
class Page:
    """One page: a notebook and the parameters it is run with.

    Parameters
    ----------
    name : str
        Stem of the notebook, or of the case's YAML file.
    notebook : Path
        The notebook to run.
    parameters : mapping
        What differs from the notebook's own parameters cell.
    case : bool
        Whether the page is the case notebook run for one case.
    """

    name: str
    notebook: Path
    parameters: Mapping[str, Any] = field(default_factory=dict)
    case: bool = False


@checked()
def list_pages(notebooks: str | Path | None = None) -> list[Page]:
    """Every page in reading order: the notebooks by name, the case notebook once per file in ``cases``.

    Names that begin with an underscore, such as that of the template, are left out.

    Parameters
    ----------
    notebooks : path, optional
        Folder of the notebooks. Default: those that come with liqlab.
    """
    folder = _folder(notebooks)
    cases = sorted((folder / "cases").glob("*.yml"))
    pages: list[Page] = []
    for path in sorted(folder.glob("[!_]*.ipynb")):
        if path.stem == CASE_NOTEBOOK and cases:
            pages += [_case(case, path) for case in cases]
        else:
            pages.append(Page(path.stem, path))
    if not pages:
        raise ReportError(f"no notebook (*.ipynb) in {folder}; pass the folder that holds them")
    return pages


def choose(pages: Sequence[Page], only: Sequence[str]) -> list[Page]:
    """The pages that bear these names; the case notebook's own name stands for all its cases."""
    names = [page.name for page in pages]
    groups = sorted({page.notebook.stem for page in pages if page.case})
    unknown = [name for name in only if name not in names and name not in groups]
    if unknown:
        near = get_close_matches(unknown[0], [*names, *groups], n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ReportError(f"no page is called {unknown[0]!r}{hint}\npages: {', '.join([*names, *groups])}")
    return [page for page in pages if not only or page.name in only or (page.case and page.notebook.stem in only)]


def one_page(name: str | Path, notebooks: str | Path | None = None, given: Collection[str] = ()) -> Page:
    """The page of this name, or the one made from this file (``.ipynb``, or ``.yml`` for the case notebook).

    `given` are the names of parameters: with a case or candles among them the case notebook's own name is a page.
    """
    path = Path(name).expanduser()
    if path.suffix in (".ipynb", ".yml", ".yaml") and not path.is_file():
        raise ReportError(f"there is no file {path}; give a path that exists, or the name of a page without suffix")
    if path.suffix == ".ipynb":
        return Page(path.stem, path.resolve())
    if path.suffix in (".yml", ".yaml"):
        notebook = _folder(notebooks) / f"{CASE_NOTEBOOK}.ipynb"
        if not notebook.is_file():
            raise ReportError(f"there is no case notebook {notebook}, so {path.name} has nothing to be run with")
        return _case(path, notebook)
    found = choose(list_pages(notebooks), [str(name)])
    if len(found) > 1 and {"case", "candles"} & set(given):
        return Page(CASE_NOTEBOOK, found[0].notebook)
    if len(found) > 1:
        every = ", ".join(page.name for page in found)
        raise ReportError(f"{name} is run once per case; choose one: {every}; or, for a "
                          "market of your own, pass -p candles=my.csv")  # fmt: skip
    return found[0]


def read_assignments(parameters: Mapping[str, Any] | Sequence[str]) -> dict[str, Any]:
    """``name=value`` pairs as a dict; values are read as YAML, dates stay text.

    >>> read_assignments(["leverages=[25, 50]", "at=2024-05-01 07:00", "show=true"])
    {'leverages': [25, 50], 'at': '2024-05-01 07:00', 'show': True}
    """
    if isinstance(parameters, Mapping):
        return dict(parameters)
    values: dict[str, Any] = {}
    for text in parameters:
        name, equals, value = text.partition("=")
        if not equals or not name.strip().isidentifier():
            raise ReportError(f"not a parameter: {text!r}; write name=value, for instance -p leverage=25")
        values[name.strip()] = _yaml(value, f"-p {text}")
    return values


def give(pages: Sequence[Page], values: Mapping[str, Any]) -> list[Page]:
    """Pages with these parameters, each to those that have it; refuses names that no page, or no notebook, knows."""
    known = {page.name: declared(page.notebook) for page in pages}
    for page in pages:
        _refuse_unknown(page.parameters, list(known[page.name]), f"the case {page.name}")
    for name in values:
        if not any(name in names for names in known.values()):
            lists = "\n".join(f"  {page}: {', '.join(names) or 'none'}" for page, names in known.items())
            raise ReportError(f"no chosen page has a parameter {name!r}; the parameters are\n{lists}")
    return [_given(page, known[page.name], values) for page in pages]


def _given(page: Page, known: Mapping[str, Parameter], values: Mapping[str, Any]) -> Page:
    """The page with those values that it knows, each and all together checked."""
    from liqlab.loaders.cases import read_case, read_own

    given = check_values(page.name, known, {name: value for name, value in values.items() if name in known})
    if given.get("candles") and page.parameters.get("case"):
        raise ReportError(f"page {page.name} tells of {page.parameters['case']}, not of {given['candles']}; for your "
                          f"own: liqlab page {CASE_NOTEBOOK} -p candles={given['candles']}")  # fmt: skip
    page = replace(page, parameters={**page.parameters, **given})
    whole = {**{name: each.default for name, each in known.items()}, **page.parameters}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the page says them
            if {"case", "frozen"} <= set(known):
                read_case(whole.pop("case"), **whole)
            elif "candles" in known and known["candles"].meaning == "file":
                read_own(whole)
    except (ValueError, TypeError, OSError) as error:
        raise ReportError(f"page {page.name}: {error}") from error
    return page


def parameters_of(notebook: Path) -> list[str]:
    """Names in the cell tagged ``parameters``."""
    return list(declared(notebook))


def _refuse_unknown(given: Mapping[str, Any], known: Sequence[str], what: str) -> None:
    unknown = [name for name in given if name not in known]
    if unknown:
        raise ReportError(f"{what} sets {', '.join(unknown)}, which the notebook has not; its parameters are "
                          f"{', '.join(known) or 'none: tag one code cell `parameters`'}")  # fmt: skip


def _case(path: Path, notebook: Path) -> Page:
    if not _NAME.fullmatch(path.stem):
        raise ReportError(f"{path.name!r} cannot name a page; rename the file to letters, digits, '_', '-' and '.'")
    from liqlab.loaders.cases import text_of

    try:
        values = _yaml(text_of(path), str(path))
    except ValueError as error:
        raise ReportError(str(error)) from error
    if not isinstance(values, dict):
        raise ReportError(f"{path} must hold `name: value` lines, the parameters of {notebook.name}")
    return Page(path.stem, notebook, values, case=True)


def _yaml(text: str, where: str) -> Any:
    from liqlab.loaders.cases import read_yaml

    try:
        return read_yaml(text, where)
    except ValueError as error:
        raise ReportError(str(error)) from error


def _folder(notebooks: str | Path | None) -> Path:
    if notebooks is None:
        from liqlab.loaders._examples import folder

        return folder("notebooks")
    path = Path(notebooks).expanduser().resolve()
    if not path.is_dir():
        raise ReportError(f"there is no folder {path}; pass the folder that holds the notebooks")
    return path
