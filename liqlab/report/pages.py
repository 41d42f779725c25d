"""Which pages there are, and which parameters each of them takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

CASE_NOTEBOOK = "06_case_study"


class ReportError(Exception):
    """A report that cannot be made; the message says what is wrong, what is allowed and what to do."""


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


def list_pages(notebooks: str | Path | None = None) -> list[Page]:
    """Every page in reading order: the notebooks by name, the case notebook once per file in ``cases``.

    Parameters
    ----------
    notebooks : path, optional
        Folder of the notebooks. Default: those that come with liqlab.
    """
    folder = _folder(notebooks)
    cases = sorted((folder / "cases").glob("*.yml"))
    pages: list[Page] = []
    for path in sorted(folder.glob("*.ipynb")):
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


def one_page(name: str | Path, notebooks: str | Path | None = None) -> Page:
    """The page of this name, or the one made from this file (``.ipynb``, or ``.yml`` for the case notebook)."""
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
    if len(found) > 1:
        raise ReportError(f"{name} is run once per case; choose one: {', '.join(page.name for page in found)}")
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
    known = {page.name: parameters_of(page.notebook) for page in pages}
    for page in pages:
        _refuse_unknown(page.parameters, known[page.name], f"the case {page.name}")
    for name in values:
        if not any(name in names for names in known.values()):
            lists = "\n".join(f"  {page}: {', '.join(names) or 'none'}" for page, names in known.items())
            raise ReportError(f"no chosen page has a parameter {name!r}; the parameters are\n{lists}")
    return [
        replace(page, parameters={**page.parameters, **{k: v for k, v in values.items() if k in known[page.name]}})
        for page in pages
    ]


def parameters_of(notebook: Path) -> list[str]:
    """Names in the cell tagged ``parameters``."""
    try:
        import papermill
    except ImportError as error:
        raise ReportError("reports need further packages; pip install 'liqlab[report]'") from error
    return list(papermill.inspect_notebook(str(notebook)))


def _refuse_unknown(given: Mapping[str, Any], known: Sequence[str], what: str) -> None:
    unknown = [name for name in given if name not in known]
    if unknown:
        raise ReportError(f"{what} sets {', '.join(unknown)}, which the notebook has not; its parameters are "
                          f"{', '.join(known) or 'none: tag one code cell `parameters`'}")  # fmt: skip


def _case(path: Path, notebook: Path) -> Page:
    values = _yaml(path.read_text(encoding="utf-8"), str(path))
    if not isinstance(values, dict):
        raise ReportError(f"{path} must hold `name: value` lines, the parameters of {notebook.name}")
    return Page(path.stem, notebook, values, case=True)


def _yaml(text: str, where: str) -> Any:
    import yaml

    from liqlab.loaders.cases import TextDates

    try:
        return yaml.load(text, Loader=TextDates)
    except yaml.YAMLError as error:
        raise ReportError(f"{where} is not YAML: {error}") from error


def _folder(notebooks: str | Path | None) -> Path:
    if notebooks is None:
        from liqlab.loaders._examples import folder

        return folder("notebooks")
    path = Path(notebooks).expanduser().resolve()
    if not path.is_dir():
        raise ReportError(f"there is no folder {path}; pass the folder that holds the notebooks")
    return path
