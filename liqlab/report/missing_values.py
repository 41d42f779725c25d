"""No page is published with a nan in its text, its tables or the words of its figures.

A nan says that something was computed from nothing. Where a value may well be missing, the notebook shows a dash or
says so in words; where it may not, the page is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import unescape
from typing import Any

__all__ = ["missing_values"]

_WORD = re.compile(r"(?<![\w.])(?:nan|NaN|NaT|<NA>)(?!\w)")
# a text in a figure's JSON; {"type": "number", "value": "nan"} is no text
_IN_FIGURE = re.compile(r"\"(?<!\"value\":\")(?<!\"value\": \")([^\"\\]*(?<![\w.])nan(?!\w)[^\"\\]*)\"")
_ROW = re.compile(r"<tr\b.*?</tr>", re.DOTALL)
_CELL = re.compile(r"<(t[hd])\b[^>]*>(.*?)</\1>", re.DOTALL)
_TAG = re.compile(r"<(?!NA>)[^>]*>")
_REMEDY = ("give parameters with which there is a value; where it may be missing, show a dash or words, such as "
           "table.style.format(na_rep='–')")  # fmt: skip


def missing_values(notebook: Any, texts: Iterable[str] = ()) -> str:
    """What of an executed notebook shows a nan, in one line with the remedy; nothing where none does.

    Parameters
    ----------
    notebook : NotebookNode
        Executed.
    texts : iterable of str
        Texts of its parameters, which may hold the word.
    """
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            for where, text in _shown(output):
                for known in texts:
                    text = text.replace(known, "")
                if found := _WORD.search(text):
                    line = " ".join(text[max(found.start() - 60, 0) : found.end() + 30].split())
                    first = next((line for line in cell.source.splitlines() if line.strip()), "")
                    return f"cell In [{cell.get('execution_count')}] ({first!r}) shows {where}{line!r}; {_REMEDY}"
    return ""


def _shown(output: Any) -> Iterator[tuple[str, str]]:
    """Where in an output words are shown, and the words."""
    data = output.get("data", {})
    html = "".join(data.get("text/html", ""))
    if "docs_json" in html or '<div class="lq-figure"' in html:
        yield from (("in the words of a figure ", found[1]) for found in _IN_FIGURE.finditer(html))
    elif html:
        yield from _cells(html)
        yield "", unescape(_TAG.sub(" ", _CELL.sub(" ", html)))
    elif "text/markdown" in data:
        yield "", "".join(data["text/markdown"])
    else:
        yield "", "".join(data.get("text/plain", "")) + "".join(output.get("text", ""))


def _cells(html: str) -> Iterator[tuple[str, str]]:
    """The cells of tables, each with the names of its row and column."""
    heads: list[str] = []
    for row in _ROW.finditer(html):
        cells = [(kind, unescape(_TAG.sub("", text)).strip()) for kind, text in _CELL.findall(row[0])]
        heads = [text for _, text in cells] if "<thead" in html[: row.start()] and "<td" not in row[0] else heads
        label = next((text for kind, text in cells if kind == "th"), "")
        for k, (_, text) in enumerate(cells):
            column = heads[k] if len(heads) == len(cells) else ""
            yield f"in a table, row {label!r}, column {column!r}: ", text
