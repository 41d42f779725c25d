"""The form of a page: each parameter once with its value, the answer at the top, words linked once."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from liqlab.report.glossary_links import with_linked_words
from liqlab.report.glossary_page import glossary, word_id, words
from liqlab.report.page_form import published
from tests.report.test_notebooks import NOTEBOOKS

STORY = "A long story, " * 20
PARAMETERS = """case: str = None  # a market
story: str = None  # what is told
levels: list = None  # prices
share: float = 0.5  # of what"""


def notebook(given: str = "") -> Any:
    cells = [
        new_markdown_cell("# What is it?\n\n**You will**\n\n- see"),
        new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
        *([new_code_cell(given, metadata={"tags": ["injected-parameters"]})] if given else []),
        new_markdown_cell("## 2. In short"),
        new_code_cell("Markdown(f'{x}')", metadata={"tags": ["hide-input", "answer"]},
                      outputs=[new_output("display_data", {"text/markdown": "It is 42."})]),
    ]  # fmt: skip
    return new_notebook(cells=cells)


@pytest.mark.parametrize("levels", [[], [[56880 + k, 16.0] for k in range(30)]])
def test_one_cell_holds_the_values_that_were_used(levels: list[Any]) -> None:
    values = {"case": 'it\'s "x"', "story": STORY, "levels": levels}
    made = published(notebook("# Parameters\n" + "\n".join(f"{name} = {value!r}" for name, value in values.items())))
    (cell,) = [c for c in made.cells if "parameters" in c.metadata.get("tags", ())]
    assert not [c for c in made.cells if "injected-parameters" in c.metadata.get("tags", ())]
    found: dict[str, Any] = {}
    exec(cell.source, found)
    assert {name: found[name] for name in (*values, "share")} == {**values, "share": 0.5}
    assert max(map(len, cell.source.splitlines())) <= 100
    for words_of_one in ("a market", "what is told", "prices", "of what"):
        assert cell.source.count(f"# {words_of_one}") == 1
    assert ("hide-input" in cell.metadata["tags"]) == bool(levels)  # a long cell is folded


def test_a_value_that_is_no_literal_stays_where_it_was() -> None:
    made = published(notebook("share = float('nan')"))
    assert "share = float('nan')" in [cell.source for cell in made.cells]


def test_the_answer_stands_below_the_title_and_its_code_where_it_was() -> None:
    made = published(notebook())
    assert [cell.cell_type for cell in made.cells] == ["markdown", "code", "markdown", "code", "code"]
    assert made.cells[0].source == "# What is it?" and made.cells[2].source.startswith("**You will**")
    assert made.cells[1].outputs[0]["data"]["text/markdown"] == "It is 42."
    assert "## 2. In short" not in [cell.source for cell in made.cells]  # nothing would stand below it
    assert made.cells[-1].outputs == [] and made.cells[-1].source == "Markdown(f'{x}')"
    again = published(copy.deepcopy(made))
    assert nbformat.writes(again) == nbformat.writes(made)


def with_picture() -> Any:
    figure = new_output("display_data", {"text/html": "<div class='lq-figure'></div>"})
    cells = [
        new_markdown_cell("# What is it?\n\nSee [there](01_there.ipynb), [here](02_here.ipynb)."),
        new_markdown_cell("## Setup and nothing"),
        new_code_cell("x = 1"),
        new_code_cell("None if x else x"),
        new_markdown_cell("## The picture"),
        new_code_cell("draw(x)", metadata={"tags": ["thumbnail"]}, outputs=[figure]),
        new_markdown_cell("## Words alone"),
        new_markdown_cell("## In short"),
        new_code_cell("Markdown(x)", metadata={"tags": ["hide-input", "answer"]},
                      outputs=[new_output("display_data", {"text/markdown": "It is 42."})]),
    ]  # fmt: skip
    return new_notebook(cells=cells)


def test_the_picture_follows_the_answer_and_leaves_a_line_in_its_place() -> None:
    made = published(with_picture(), ["02_here"])
    sources = [cell.source for cell in made.cells]
    assert sources[:3] == ["# What is it?", "Markdown(x)", "draw(x)"]
    assert made.cells[2].outputs and "remove-input" in made.cells[2].metadata["tags"]
    place = sources.index("draw(x)", 3)
    assert not made.cells[place].outputs and "top of this page" in sources[place + 1]
    again = published(copy.deepcopy(made), ["02_here"])
    assert nbformat.writes(again) == nbformat.writes(made)


def test_a_section_that_shows_nothing_and_links_to_pages_that_are_not_there_go() -> None:
    made = published(with_picture(), ["02_here"])
    sources = [cell.source for cell in made.cells]
    assert "## Setup and nothing" not in sources and "x = 1" not in sources
    assert "## Words alone" in sources and "## The picture" in sources
    assert "See there, [here](02_here.ipynb)." in sources


def test_words_are_linked_once_in_prose_alone() -> None:
    text = (
        "# The law of a heatmap\n\nA `law` and $law$ and [law](x) and <i title='law'>. The Laws, a law.\n\n"
        "```\nlaw\n```\n\nThe liquidation prices of open interest; κ. No outlaw, no law-abiding one."
    )
    made = with_linked_words(new_notebook(cells=[new_markdown_cell(text), new_markdown_cell("law, proxy")]))
    first, second = (cell.source for cell in made.cells)
    for word, shown in (("law", "Laws"), ("liquidation_price", "liquidation prices"),
                        ("open_interest", "open interest"), ("κ", "κ")):  # fmt: skip
        link = f'<a class="lq-word" href="glossary.html#{word_id(word)}">{shown}</a>'
        assert first.count(link) == 1
    assert first.startswith("# The law of a heatmap\n\nA `law` and $law$ and [law](x) and <i title='law'>. The <a")
    assert "law, <a" in second and second.count("<a ") == 1


def test_every_word_of_the_glossary_has_a_place_and_every_link_meets_one() -> None:
    page = glossary()
    for group in words().values():
        for word in group:
            assert page.count(f'<span id="{word_id(word)}"></span>') == 1


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_linking_takes_nothing_from_a_notebook(path: Path) -> None:

    book = nbformat.read(path, as_version=4)
    before = [cell.source for cell in copy.deepcopy(book).cells]
    after = [re.sub(r'<a class="lq-word" href="[^"]+">(.*?)</a>', r"\1", cell.source)
             for cell in with_linked_words(book).cells]  # fmt: skip
    assert after == before
