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
from research.site_words import count_notebook

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
    assert {p.stem for p in CASES} >= {"btc-56k-cascade", "october-2025"}


def test_every_notebook_but_the_template_is_a_page() -> None:
    pages = {page.notebook for page in list_pages(ROOT / "notebooks")}
    assert pages == set(NOTEBOOKS) == {*(ROOT / "notebooks").glob("*.ipynb")} - {TEMPLATE}


def test_the_skeleton_is_there_in_its_order(notebook: Path) -> None:
    """A question first, what it cannot tell, exercises with solutions, references, sources; one answer, one picture."""
    told = [text(cell) for cell in cells(notebook, "markdown")]
    assert re.match(r"# .+\?\n", told[0]), "the H1 is a question"
    tags = [tag for cell in cells(notebook, "code") for tag in cell["metadata"].get("tags", [])]
    assert tags.count("answer") == tags.count("thumbnail") == 1, "the page opens with its answer and its picture"
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
    """Five to seventeen cells of code, none long, none that defines helpers."""
    code = [cell for cell in cells(notebook, "code") if not is_prose(cell)]
    for cell in cells(notebook, "code"):
        compile(text(cell), notebook.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        assert max(map(len, text(cell).splitlines())) <= MAX_LINE, "longer lines are cut off in JupyterLab"
    assert 5 <= len(code) <= 18
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


def test_few_computed_sentences() -> None:
    """Code shows how liqlab is used: at most 15 % of it makes sentences, and nowhere more than a fifth."""
    counted = {row.name: row for row in map(count_notebook, [*NOTEBOOKS, TEMPLATE])}
    assert all(row.sentences <= 0.2 * row.code for row in counted.values()), counted
    assert sum(row.sentences for row in counted.values()) <= 0.15 * sum(row.code for row in counted.values())


@pytest.mark.parametrize("case", CASES, ids=lambda p: p.stem)
def test_a_case_holds_all_parameters_of_the_case_notebook_and_nothing_else(case: Path) -> None:
    known = {line.split(":")[0] for line in parameters(ROOT / "notebooks" / "06_case_study.ipynb")}
    of_files = {"candles", "open_interest", "symbol", "exchange", "timezone"}
    assert set(yaml.safe_load(case.read_text())) == known - of_files
