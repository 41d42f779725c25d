"""The notebooks keep the rules of a lesson: one question, typed parameters, computed prose, limits, exercises."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from liqlab.report.pages import list_pages

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
TEMPLATE = ROOT / "notebooks" / "_template.ipynb"
CASES = sorted((ROOT / "notebooks" / "cases").glob("*.yml"))
MAX_LINE = 100
TYPED = re.compile(r"^\w+: (str|float|int|bool|list|dict) = .+  # \S.*$")


def cells(path: Path, kind: str = "") -> list[dict[str, Any]]:
    every = json.loads(path.read_text())["cells"]
    return [cell for cell in every if not kind or cell["cell_type"] == kind]


def text(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def is_prose(cell: dict[str, Any]) -> bool:
    """Text, or code that only computes a sentence."""
    return cell["cell_type"] == "markdown" or "hide-input" in cell["metadata"].get("tags", [])


def parameters(path: Path) -> list[str]:
    tagged = [c for c in cells(path, "code") if "parameters" in c["metadata"].get("tags", [])]
    assert len(tagged) == 1, "one cell is tagged parameters"
    return text(tagged[0]).splitlines()


@pytest.fixture(params=[*NOTEBOOKS, TEMPLATE], ids=lambda p: p.stem)
def notebook(request: Any) -> Path:
    return request.param


def test_there_are_notebooks_and_cases() -> None:
    assert {p.stem for p in NOTEBOOKS} >= {"00_quickstart", "06_case_study"}
    assert {p.stem for p in CASES} >= {"btc-56k-cascade", "tia-reversal"}


def test_every_notebook_but_the_template_is_a_page() -> None:
    pages = {page.notebook for page in list_pages(ROOT / "notebooks")}
    assert pages == set(NOTEBOOKS) == {*(ROOT / "notebooks").glob("*.ipynb")} - {TEMPLATE}


def test_the_skeleton_is_there_in_its_order(notebook: Path) -> None:
    """A question first, what the reader will do, what it cannot tell, exercises with solutions, references, sources."""
    told = [text(cell) for cell in cells(notebook, "markdown")]
    assert re.match(r"# .+\?\n", told[0]), "the H1 is a question"
    assert "**You will**" in told[0]
    assert told[0].count("\n- ") == 3
    whole = "\n".join(told)
    places = [
        whole.index(f"## {name}") for name in ("What this cannot tell you", "Exercises", "References", "Provenance")
    ]
    assert places == sorted(places)
    assert 2 <= whole.count("<summary>Solution</summary>") <= 3
    assert whole.count("Education, not advice") == 1


def test_parameters_are_typed_commented_and_offline(notebook: Path) -> None:
    for line in parameters(notebook):
        assert TYPED.match(line), f"name: type = default  # what it is; got {line!r}"


def test_code_is_short_and_prose_goes_with_it(notebook: Path) -> None:
    """Six to fourteen cells of code, none long, none that defines helpers; at least as much prose as code."""
    code = [cell for cell in cells(notebook, "code") if not is_prose(cell)]
    prose = [cell for cell in cells(notebook) if is_prose(cell)]
    for cell in cells(notebook, "code"):
        compile(text(cell), notebook.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        assert max(map(len, text(cell).splitlines())) <= MAX_LINE, "longer lines are cut off in JupyterLab"
    assert 6 <= len(code) <= 14
    assert len(prose) >= len(code)
    for cell in code:
        assert "def " not in text(cell)
        assert "parameters" in cell["metadata"].get("tags", []) or len(text(cell).splitlines()) <= 9, text(cell)


def test_what_only_computes_a_sentence_is_folded_in_jupyterlab_too(notebook: Path) -> None:
    for cell in cells(notebook, "code"):
        folded = cell["metadata"].get("jupyter", {}).get("source_hidden", False)
        assert folded == ("hide-input" in cell["metadata"].get("tags", [])), text(cell)


def test_every_figure_is_described(notebook: Path) -> None:
    """A cell that ends in a figure carries its words for those who cannot see it."""
    for cell in cells(notebook, "code"):
        if re.search(r"lq\.plot\.|\.hvplot\.|hv\.Layout", text(cell)):
            assert len(cell["metadata"].get("liqlab", {}).get("alt", "")) > 20, text(cell)


def test_figures_are_read_in_computed_words(notebook: Path) -> None:
    """Every *What we see* comes from code, so its numbers cannot go stale."""
    for cell in cells(notebook, "markdown"):
        assert "**What we see" not in text(cell)
    assert any("**What we see" in text(cell) for cell in cells(notebook, "code"))


@pytest.mark.parametrize("case", CASES, ids=lambda p: p.stem)
def test_a_case_holds_all_parameters_of_the_case_notebook_and_nothing_else(case: Path) -> None:
    known = {line.split(":")[0] for line in parameters(ROOT / "notebooks" / "06_case_study.ipynb")}
    of_files = {"candles", "open_interest", "symbol", "exchange", "timezone"}
    assert set(yaml.safe_load(case.read_text())) == known - of_files
