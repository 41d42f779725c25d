"""The house: its rooms, which of them may import which, and names that no file may bear."""

from __future__ import annotations

import ast
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import liqlab as lq

PACKAGE = Path(lq.__file__).parent
FILES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if "_shipped" not in path.parts and "theme" not in path.parts
}
# Each room may import those before it.
ROOMS = ["market", "margin", "models", "engine", "maps", "zones", "cascades", "simulation", "loaders", "validation",
         "plot", "report", "app"]  # fmt: skip
BY_NAME = ["margin.venues", "models", "loaders.exchanges", "loaders.streams"]  # files are found by their names
ONLY_IN: dict[str, set[str]] = {
    "hvplot": {"plot"},
    "holoviews": {"plot"},
    "bokeh": {"plot", "report"},  # the report puts finished figures into pages
    "panel": {"app"},
    **{name: {"app"} for name in ("dask", "distributed")},
    "numba": {"engine.jit"},
    **{name: {"loaders"} for name in ("ccxt", "requests", "httpx", "aiohttp", "urllib", "http", "socket")},
    **{name: {"report"} for name in ("papermill", "nbconvert", "nbformat", "sphinx")},
}


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(FILES[module].read_text(encoding="utf-8"))


def imports(module: str) -> set[str]:
    """Dotted names of everything a module imports, at its top or inside its functions."""
    found = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                found.add(name if node.module == "liqlab" or name.removeprefix("liqlab.") in FILES else node.module)
    return found


def inside(module: str) -> set[str]:
    """Modules of liqlab that a module imports, without the package itself."""
    found = {name.removeprefix("liqlab.") for name in imports(module) if name.startswith("liqlab.")}
    return found - {"__version__"}


def test_the_package_holds_rooms_and_nothing_else() -> None:
    assert {name.partition(".")[0] for name in FILES} <= {*ROOMS, "__init__", "cli"}
    assert sorted(path.name for path in PACKAGE.glob("*.py")) == ["__init__.py", "cli.py"]


@pytest.mark.parametrize("module", [name for name in FILES if name not in ("__init__", "cli")])
def test_no_arrow_runs_up(module: str) -> None:
    room = module.partition(".")[0]
    later = [*ROOMS[ROOMS.index(room) + 1 :], "cli"]
    assert not {name for name in inside(module) if name.partition(".")[0] in later}


def test_nothing_imports_in_a_circle() -> None:
    """Modules, not rooms: each can be read before those that use it. A package's list of names counts as its files."""
    arrows = {module: {name for name in inside(module) if name in FILES} - {module} for module in FILES}
    done: set[str] = set()

    def circle(module: str, way: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        if module in way:
            yield (*way[way.index(module) :], module)
        elif module not in done:
            for name in sorted(arrows[module]):
                yield from circle(name, (*way, module))
            done.add(module)

    assert not [way for module in FILES for way in circle(module, ())]


def test_the_table_of_contents_imports_no_room() -> None:
    assert imports("__init__") <= {"importlib", "typing"}


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_is_known_only_where_it_belongs(library: str) -> None:
    # urllib.parse takes text apart and asks nobody
    users = {m for m in FILES for name in imports(m) - {"urllib.parse"} if name.partition(".")[0] == library}
    assert not {m for m in users if not any(m == room or m.startswith(f"{room}.") for room in ONLY_IN[library])}


# --- names of files ---


def test_no_file_bears_a_public_name() -> None:
    """A lazily resolved ``p.heatmap`` would otherwise be the module at the second call."""
    for module in FILES:
        package, _, name = module.rpartition(".")
        if not package:
            assert name == "plot" or name not in lq.__all__  # plot is itself the public name
            continue
        public = sys.modules.get(f"liqlab.{package}") or __import__(f"liqlab.{package}", fromlist=["__all__"])
        listed = set(getattr(public, "__all__", ()))
        if package not in BY_NAME:
            assert name not in listed, f"{module} would hide liqlab.{package}.{name}"


def test_every_public_name_is_a_function_or_a_class_whatever_was_imported_before() -> None:
    """All modules in a random order, then every name twice, in a process of its own."""
    modules = [f"liqlab.{name}" for name in FILES if name not in ("__init__",)]
    for seed in range(3):
        random.Random(seed).shuffle(modules)
        code = (
            "import importlib, json, sys, liqlab as lq\n"
            "for name in json.loads(sys.argv[1]): importlib.import_module(name)\n"
            "bad = [n for _ in range(2) for n in lq.__all__ if n != 'plot' and not callable(getattr(lq, n))]\n"
            "figures = [n for n in lq.plot.__all__ if n != 'SCALES']\n"
            "bad += [n for _ in range(2) for n in figures if not callable(getattr(lq.plot, n))]\n"
            "print(json.dumps(bad))"
        )
        command = [sys.executable, "-c", code, json.dumps(modules)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PACKAGE.parent)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == []


# --- house style ---


@pytest.mark.parametrize("module", FILES)
def test_files_and_functions_stay_short(module: str) -> None:
    """At most 350 lines a file and 60 a function body, its docstring not counted."""
    assert len(FILES[module].read_text(encoding="utf-8").splitlines()) <= 350
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
            assert body[-1].end_lineno - body[0].lineno + 1 <= 60, f"{module}.{node.name}"
