"""The form of a published page, made from an executed notebook: its answer and picture first, one cell of parameters.

A notebook computes in its own order, and papermill writes the parameters given into a cell of their own. A reader wants
the answer at the top with its picture, each parameter once, with its value and what it means, and no section in which
nothing is shown.
"""

from __future__ import annotations

import ast
import copy
import json
import pprint
import re
import textwrap
from collections.abc import Collection
from typing import Any

__all__ = ["published"]

_WIDTH = 96  # signs in a line of code that the column shows whole
_PARAMETER = re.compile(r"^(\w+): (\w+) = (.+?)  # (.*)$")
_SHOWN_ABOVE = "*Its figure is the picture at the top of this page.*"
_BARE_HEADING = re.compile(r"\s*#+[^\n]*\s*")
_SECTION = re.compile(r"##+[ \t]")
_TITLE = re.compile(r"\A(#[ \t]+.+?)[ \t]*\n")
_LINK = re.compile(r"\[([^\]]+)\]\(([\w.-]+)\.(?:ipynb|md)\)")


def published(notebook: Any, pages: Collection[str] = ()) -> Any:
    """The notebook in the form of a page; changes and returns it. Doing it again changes nothing.

    Parameters
    ----------
    notebook : NotebookNode
        Executed, with plain figures.
    pages : collection of str
        The pages that stand beside it, by name: a link to another one becomes its words.
    """
    _merge_parameters(notebook)
    _drop_empty_sections(notebook)
    _put_answer_first(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = _LINK.sub(lambda link: link[0] if link[2] in pages else link[1], cell.source)
    return notebook


def _drop_empty_sections(notebook: Any) -> None:
    """Remove sections whose code shows nothing: what they are about is not in this page's data."""
    sections: list[list[Any]] = [[]]
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and _SECTION.match(cell.source):
            sections.append([])
        sections[-1].append(cell)
    kept = sections[:1] + [section for section in sections[1:] if not _is_empty(section)]
    notebook.cells = [cell for section in kept for cell in section]


def _is_empty(section: list[Any]) -> bool:
    code = [cell for cell in section if cell.cell_type == "code"]
    return bool(code) and not any(cell.outputs or _moved(cell) for cell in code)


def _moved(cell: Any) -> bool:
    """Whether what the cell shows stands at the top."""
    return bool({"answer", "thumbnail"} & set(cell.metadata.get("tags", ())))


def _tagged(notebook: Any, tag: str) -> list[Any]:
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", ())]


def _merge_parameters(notebook: Any) -> None:
    """The values that papermill has set, in the cell that says what each parameter is."""
    given = [cell for cell in _tagged(notebook, "injected-parameters") if _values(cell.source) is not None]
    values = {name: value for cell in given for name, value in (_values(cell.source) or {}).items()}
    notebook.cells = [cell for cell in notebook.cells if not any(cell is other for other in given)]
    for cell in _tagged(notebook, "parameters"):
        cell.source = "\n".join(_with_value(line, values) for line in cell.source.splitlines())
        if len(cell.source.splitlines()) > 20 and "hide-input" not in cell.metadata["tags"]:
            cell.metadata["tags"].append("hide-input")


def _values(source: str) -> dict[str, Any] | None:
    """What the cell sets; None where a value cannot be written down: nan is none."""
    try:
        return {ast.unparse(line.targets[0]): ast.literal_eval(line.value) for line in ast.parse(source).body
                if isinstance(line, ast.Assign)}  # fmt: skip
    except ValueError:
        return None


def _with_value(line: str, values: dict[str, Any]) -> str:
    """A line of the parameters cell with the value that was used.

    >>> _with_value('case: str = "btc"  # the market', {"case": "eth"})
    'case: str = "eth"  # the market'
    """
    found = _PARAMETER.match(line)
    if not found or found[1] not in values:
        return line
    name, kind, _, words = found.groups()
    short = f"{name}: {kind} = {_literal(values[name])}"
    if len(short) + len(words) + 4 <= _WIDTH:
        return f"{short}  # {words}"
    if len(short) <= _WIDTH:
        return f"# {words}\n{short}"
    start = f"{name}: {kind} = "
    lines = pprint.pformat(values[name], width=_WIDTH - len(start))
    return f"# {words}\n{start}{textwrap.indent(lines, ' ' * len(start)).lstrip()}"


def _literal(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _put_answer_first(notebook: Any) -> None:
    """What the cell tagged ``answer`` says stands below the title; its code stays where it is computed."""
    import nbformat

    head = notebook.cells[0] if notebook.cells else None
    for cell in _tagged(notebook, "answer")[:1]:
        if head is None or head.cell_type != "markdown" or _tagged(notebook, "answer-first"):
            return
        top = copy.deepcopy(cell)
        top["id"] = f"{cell['id']}-first"
        top.metadata["tags"] = ["answer-first", "remove-input"]
        cell.outputs = []
        before = next(notebook.cells[k - 1] for k, other in enumerate(notebook.cells) if other is cell)
        if _BARE_HEADING.fullmatch(before.source) and before.cell_type == "markdown":
            notebook.cells = [other for other in notebook.cells if other is not before]  # of a section now empty
        title = _TITLE.match(head.source)
        rest = head.source[title.end() :].lstrip("\n") if title else ""
        first = [nbformat.v4.new_markdown_cell(title[1] if title else head.source), top, *_picture(notebook)]
        notebook.cells[:1] = [*first, nbformat.v4.new_markdown_cell(rest)] if rest else first


def _picture(notebook: Any) -> list[Any]:
    """The figure of the cell tagged ``thumbnail``, taken from its place, where a line says so."""
    import nbformat

    for k, cell in enumerate(notebook.cells):
        if "thumbnail" in cell.metadata.get("tags", ()) and cell.outputs:
            top = copy.deepcopy(cell)
            top["id"] = f"{cell['id']}-first"
            top.metadata["tags"] = ["picture-first", "remove-input"]
            cell.outputs = []
            notebook.cells.insert(k + 1, nbformat.v4.new_markdown_cell(_SHOWN_ABOVE))
            return [top]
    return []
