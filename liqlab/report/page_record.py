"""What a page was made from: its parameters, its data, its figures, and the key that tells whether it has changed."""

from __future__ import annotations

import hashlib
import json
import math
import platform
import re
import secrets
import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from html import unescape
from importlib import metadata
from pathlib import Path
from typing import Any

from liqlab.report.pages import Page
from liqlab.report.parameters import declared_in

REPORT = "report.json"
_KEPT_WORDS = {"page", "picture", "key", "seconds"}  # of a page, for the next report
LIBRARIES = ("numpy", "pandas", "xarray", "numba", "scipy", "holoviews", "hvplot", "bokeh", "matplotlib", "papermill",
             "sphinx", "myst-nb", "pydata-sphinx-theme")  # fmt: skip
_FIGURE = re.compile(r'<div class="lq-figure" role="figure" aria-label="([^"]*)">\s*<div class="lq-plot" id="([^"]+)"')


def read_report(site: Path) -> dict[str, Any]:
    """The pages that the site at `site` holds, by name; none where there is no readable report."""
    try:
        told = json.loads((site / REPORT).read_text(encoding="utf-8"))
        return {entry["page"]: entry for entry in told["pages"] if set(entry) >= _KEPT_WORDS}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}


def key_of(page: Page) -> str:
    """sha256 of all that a page's outputs depend on: notebook, parameters, package, data, libraries.

    Where a parameter is the path of a file, its content counts. A page that asks the network (``offline=false``) has a
    new key every time: what it shows as now must not be of yesterday.
    """
    digest = hashlib.sha256(page.notebook.read_bytes())
    digest.update(json.dumps(dict(page.parameters), sort_keys=True, default=str).encode())
    digest.update(_surroundings().encode())
    if page.parameters.get("offline") is False:
        digest.update(secrets.token_bytes(16))
    for value in page.parameters.values():
        if isinstance(value, str) and _is_file(value):
            digest.update(hashlib.sha256(Path(value).expanduser().read_bytes()).digest())
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Versions of this Python and of the libraries that draw and compute."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def parameters_used(notebook: Any, page: Page) -> dict[str, Any]:
    """All parameters of a page: the notebook's own defaults, and what differs from them."""
    known = declared_in(notebook.cells, page.name).values()
    values = {each.name: each.default for each in known if each.literal}
    given = notebook.metadata.get("papermill", {}).get("parameters", {})
    return {**values, **dict(page.parameters), **given}


def command(page: Page, parameters: Mapping[str, Any]) -> str:
    """The line that makes this page again, with all its parameters.

    >>> command(Page("00_quickstart", Path("x.ipynb")), {"case": "btc-2024-07", "leverages": [10, 25]})
    "liqlab page 00_quickstart -p case=btc-2024-07 -p 'leverages=[10, 25]'"
    """
    words = [f"-p {shlex.quote(f'{name}={_as_yaml(value)}')}" for name, value in parameters.items()]
    return " ".join([f"liqlab page {page.name}", *words])


def data_used(notebook: Any, parameters: Mapping[str, Any]) -> list[dict[str, str]]:
    """Shipped files of the examples that a page names, in its code, parameters or what it says, with their sha256."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    told = ("".join(o.get("data", {}).get("text/markdown", "")) for cell in code for o in cell.get("outputs", ()))
    text = " ".join([*(cell.source for cell in code), *told, json.dumps(dict(parameters), default=str)])
    files: dict[str, str] = {}
    for name in _example_names():
        if any(f"{quote}{name}{quote}" in text for quote in "\"'`"):
            files |= _files_of(name)
    return [{"file": file, "sha256": files[file]} for file in sorted(files)]


@cache
def _example_names() -> tuple[str, ...]:
    from liqlab.loaders._examples import examples

    return tuple(examples().index)


@cache
def _files_of(example: str) -> dict[str, str]:
    """The shipped files of an example with their sha256."""
    from liqlab.loaders._examples import load_example

    return {source["file"]: source["sha256"] for source in load_example(example).sources.values()}


def figures_shown(notebook: Any) -> list[dict[str, Any]]:
    """The figures of a plain notebook in their order: the box that holds each in the page, and its words."""
    found = []
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            boxes = _FIGURE.findall("".join(data.get("text/html", "")))
            found += [{"id": spot, "alt": unescape(label)} for label, spot in boxes]
            if "image/png" in data or "image/svg+xml" in data:
                found.append({"id": None, "alt": cell.metadata.get("liqlab", {}).get("alt", "")})
    return [{"number": number, **figure} for number, figure in enumerate(found, start=1)]


def write_report(folder: Path, pages: Sequence[Mapping[str, Any]], made: str, *, layout: str = "") -> None:
    """Write `report.json`: what a program may want to know of the site; `layout` is its `layout_key`."""
    import liqlab

    site = {"layout": layout, "files": _files_key(folder)}
    told = {"liqlab": liqlab.__version__, "made": made, "versions": versions(), "site": site, "pages": list(pages)}
    text = json.dumps(_finite(told), indent=1, ensure_ascii=False, default=str, allow_nan=False)
    (folder / REPORT).write_text(text + "\n", encoding="utf-8")


def layout_key(pages: Sequence[Page]) -> str:
    """sha256 of what a site is made from besides what its pages showed: the whole package, versions, the notebooks."""
    import liqlab

    digest = hashlib.sha256(_surroundings().encode())
    package = Path(liqlab.__file__).parent
    sources = [path for path in sorted(package.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
    for path in [*sources, *(page.notebook for page in pages)]:
        digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    digest.update(json.dumps([(page.name, page.case) for page in pages]).encode())
    return digest.hexdigest()


def stands(site: Path, layout: str) -> bool:
    """Whether the site was made with this `layout_key`, and each of its files is what was written."""
    try:
        told = json.loads((site / REPORT).read_text(encoding="utf-8"))["site"]
        return told == {"layout": layout, "files": _files_key(site)}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _files_key(site: Path) -> str:
    """sha256 of the names and bytes of all files but the report itself."""
    digest = hashlib.sha256()
    for path in sorted(path for path in site.rglob("*") if path.is_file() and path != site / REPORT):
        digest.update(path.relative_to(site).as_posix().encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _finite(value: Any) -> Any:
    """What JSON can say: NaN and infinite numbers become null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): _finite(each) for name, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, list | tuple) else value


@cache
def _surroundings() -> str:
    """sha256 of the package (but for what only lays pages out), of the shipped data's registry, and versions."""
    import liqlab
    from liqlab.loaders._examples import folder

    package = Path(liqlab.__file__).parent
    sources = [path for path in sorted(package.rglob("*.py")) if not _apart(path.relative_to(package))]
    sources += [folder("data") / name for name in ("registry.csv", "cases.yml")]  # the tiers' seal stands there too
    digest = hashlib.sha256(json.dumps(versions()).encode())
    for path in sources:
        digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _is_file(text: str) -> bool:
    try:
        return Path(text).expanduser().is_file()
    except (OSError, ValueError):  # too long for a name, or with signs that no name has: prose
        return False


def _apart(path: Path) -> bool:
    """What has no part in what a notebook shows: the report's other files, and the command line."""
    others = path.parts[0] == "report" and path.name not in ("figures.py", "thumbnails.py")
    return others or path.parts[0] == "_shipped" or path.name.startswith("cli")


def _as_yaml(value: Any) -> str:
    import yaml

    return (
        yaml.safe_dump(value, default_flow_style=True, width=10**9, allow_unicode=True).removesuffix("\n...\n").strip()
    )
