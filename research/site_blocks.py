"""What the pages of a built site say: text, code, printed output, tables, and the data of figures."""

from __future__ import annotations

import base64
import csv
import gzip
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from liqlab.report.packed_images import unpacked_images

SCOPES = ("page", "column", "key", "word", "code")
MAPPED = {  # what is translated in each kind of text; the first that has a name wins
    "text": ("word",),
    "table": ("word",),
    "figure": ("column", "word"),
    "report": ("page", "word"),
    "output": ("code", "column", "page", "word"),
    "code": ("code", "column", "page", "word"),
}
LEFT_OUT = "\0"  # no text holds it
SKIPPED_TEXT = re.compile(
    r"\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{12,64}\b"  # checksums
    r"|(?<=\bliqlab )\d+(?:\.\d+)+|(?<=\bPython )\d+(?:\.\d+)+"
    r"|(?<![\w.:/])/(?:[\w.~+-]+/)+[\w.+-]*"  # absolute paths
)
TOKEN = re.compile(
    r"([-+−]?(?:\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+\b)?))"
    r"|[^\W\d]\w*|\S"
)
BREAKS = re.compile("p|li|d[tdl]|pre|div|section|h[1-6]|caption|summary|details|table|tr|[bh]r|figcaption")
FIGURE_DATA = re.compile(  # attributes of Bokeh models that say something about the data, beside the columns
    r"(?!Legend\.location)\w+\.(location|left|right|top|bottom|start|end|low|high|ticks|value|text|axis_label|title"
    r"|label|labels|tooltips|options|factors|major_label_overrides|x|y|dw|dh|args)"
)
Cell = tuple[str, bool, int, int]  # text, is it a head, rows and columns it spans


@dataclass
class Block:
    """One piece of a page: a stretch of text, code or printed output, a table (head, rows) or a figure (data)."""

    kind: str
    place: str
    text: str = ""
    head: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    data: dict[str, list[Any]] = field(default_factory=dict)

    def said(self) -> str:
        """All its words, by which it is found again on the other site."""
        return " ".join([self.text, *self.head, *(cell for row in self.rows for cell in row), *sorted(self.data)])


class Names:
    """Translation of old names into new ones; without a table nothing is translated."""

    def __init__(self, path: Path | None = None) -> None:
        self.rules: dict[str, dict[str, str]] = {scope: {} for scope in SCOPES}
        self.used: set[tuple[str, str]] = set()
        self._patterns: dict[tuple[str, ...], tuple[re.Pattern[str], dict[str, str]] | None] = {}
        if path:
            with path.open(encoding="utf-8-sig", newline="") as file:
                table = csv.DictReader(file)
                if table.fieldnames != ["scope", "old", "new"]:
                    raise ValueError(f"{path}: its first line has to be scope,old,new; it is {table.fieldnames}")
                for number, row in enumerate(table, start=2):
                    self._add(row, f"{path}, line {number}")

    def _add(self, row: dict[str, str], where: str) -> None:
        if None in row or None in row.values():
            raise ValueError(f"{where}: three columns are wanted, scope,old,new; quote a value that holds a comma")
        scope, old, new = (row[name].strip() for name in ("scope", "old", "new"))
        if scope not in SCOPES:
            raise ValueError(f"{where}: no scope is called {scope!r}; there are: {', '.join(SCOPES)}")
        if not old or (not new and scope in ("word", "code")):
            raise ValueError(f"{where}: {'old' if not old else 'new'} is empty; only page, column and key may go")
        if scope != "page" and new and numbers_in(old) != numbers_in(new):
            raise ValueError(f"{where}: {old!r} to {new!r} would translate a number; only names can be translated")
        if old in self.rules[scope]:
            raise ValueError(f"{where}: {scope} {old!r} stands twice; keep one line")
        self.rules[scope][old] = new

    def name(self, scope: str, name: str) -> str:
        """Translate a whole name; empty where it is to be left out."""
        if name in self.rules[scope]:
            self.used.add((scope, name))
        return self.rules[scope].get(name, name)

    def head(self, text: str, kind: str) -> str:
        """Translate a column's or row's head: as a whole, else the names within; `LEFT_OUT` where it is to go."""
        return (self.name("column", text) or LEFT_OUT) if text in self.rules["column"] else self.text(text, kind)

    def text(self, text: str, kind: str) -> str:
        """Translate the names within a text of some kind."""
        scopes = MAPPED[kind]
        if scopes not in self._patterns:
            rules = {old: new for scope in reversed(scopes) for old, new in self.rules[scope].items() if new}
            either = "|".join(re.escape(old) for old in sorted(rules, key=len, reverse=True))
            self._patterns[scopes] = (re.compile(rf"(?<!\w)(?:{either})(?!\w)"), rules) if rules else None
        if not (found := self._patterns[scopes]):
            return text

        def replace(match: re.Match[str]) -> str:
            self.used.update((scope, match[0]) for scope in scopes if match[0] in self.rules[scope])
            return found[1][match[0]]

        return found[0].sub(replace, text)

    def unused(self) -> list[str]:
        """Lines of the table that met nothing on the old site."""
        return [f"{s},{old},{new}" for s in SCOPES for old, new in self.rules[s].items() if (s, old) not in self.used]


def tokens_of(text: str) -> list[str]:
    """Numbers, words and signs of a text, without what is never compared."""
    return [match[0].replace("−", "-") for match in TOKEN.finditer(SKIPPED_TEXT.sub(" … ", text))]


def is_number(token: str) -> bool:
    """Whether a token is a number: it has a digit at its start, or behind a sign or point."""
    return any(character.isdecimal() for character in token[:3]) and not (token[0].isalpha() or token[0] == "_")


def numbers_in(text: str) -> list[str]:
    """The numbers of a text, as printed."""
    return [token for token in tokens_of(text) if is_number(token)]


class PageReader(HTMLParser):
    """Blocks of the article of a page, its old names translated."""

    def __init__(self, names: Names) -> None:
        super().__init__()
        self.names = names
        self.blocks: list[Block] = []
        self._open: list[tuple[str, str]] = []  # tag, kind of text; from the article inwards
        self._text: list[tuple[str, str]] = []  # kind, text
        self._heading, self._label, self._script = "top", "", ""
        self._rows: list[list[Cell]] | None = None
        self._cell: tuple[bool, int, int] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        classes = set(told.get("class", "").split())
        if not self._open and not (tag == "article" and "bd-article" in classes):
            return
        if BREAKS.fullmatch(tag):
            self._flush()
        self._open.append((tag, self._kind(tag, classes, told)))  # one that is never closed goes with what holds it
        if tag == "table":
            self._rows = []
        elif tag == "tr" and self._rows is not None:
            self._rows.append([])
        elif tag in ("td", "th"):
            self._cell = (tag == "th", int(told.get("rowspan") or 1), int(told.get("colspan") or 1))
        elif tag == "img":
            self._text.append(("text", f" {told.get('alt', '')} "))
        if "lq-figure" in classes:
            self._label = self.names.text(told.get("aria-label", ""), "text")

    def _kind(self, tag: str, classes: set[str], told: dict[str, str]) -> str:
        around = self._open[-1][1] if self._open else "text"
        if tag in ("script", "style") or "headerlink" in classes:
            return "figure" if "data-for" in told else "skipped"
        if around != "skipped" and (tag == "code" or classes & {"cell_input", "lq-again", "sig"}):
            return "code"
        if around in ("code", "skipped"):
            return around
        return "output" if classes & {"text_plain", "stream"} else around

    def handle_endtag(self, tag: str) -> None:
        if tag not in [open_[0] for open_ in self._open]:
            return
        if tag in ("td", "th") and self._cell is not None and self._rows:
            whole = " ".join("".join(part for _, part in self._text).split())
            is_head = self._cell[0] and whole in self.names.rules["column"]
            self._rows[-1].append((self.names.head(whole, "table") if is_head else self._read("table"), *self._cell))
            self._text, self._cell = [], None
        elif BREAKS.fullmatch(tag):
            self._flush(heading=tag in ("h1", "h2", "h3", "h4"))
        if tag == "table" and self._rows:
            head, rows = grid(self._rows)
            self.blocks.append(Block("table", self._heading, head=head, rows=rows))
            self._rows = None
        if tag == "script" and self._open[-1][1] == "figure":
            data = figure_data(json.loads(self._script), self.names)
            self.blocks.append(Block("figure", self._heading, self._label, data=data))
            self._script = ""
        while self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        kind = self._open[-1][1] if self._open else "skipped"
        if kind == "figure":
            self._script += data
        elif kind != "skipped":
            self._text.append((kind, data))

    def _read(self, kind: str = "") -> str:
        """What was gathered, each stretch of one kind translated as a whole."""
        told = ""
        for part, run in groupby(self._text, key=lambda piece: piece[0]):
            told += self.names.text("".join(text for _, text in run), kind if kind and part == "text" else part)
        return re.sub(r",(\s*[)\]}])", r"\1", " ".join(told.split()))  # a trailing comma is a matter of layout

    def _flush(self, heading: bool = False) -> None:
        if self._cell is not None:
            self._text.append(("text", " "))
            return
        text = self._read()
        self._heading = text if heading else self._heading
        if text:
            kinds = {kind for kind, part in self._text if part.strip()}
            self.blocks.append(Block(kinds.pop() if len(kinds) == 1 else "text", self._heading, text))
        self._text = []


def grid(rows: list[list[Cell]]) -> tuple[list[str], list[list[str]]]:
    """Heads and body of a table: spans repeated, heads of several rows joined by ``/``, equal heads numbered."""
    cells: dict[tuple[int, int], tuple[str, bool]] = {}
    for i, row in enumerate(rows):
        j = 0
        for text, is_head, tall, wide in row:
            while (i, j) in cells:
                j += 1
            cells |= {(i + a, j + b): (text, is_head) for a in range(tall) for b in range(wide)}
            j += wide
    width = max((j + 1 for _, j in cells), default=0)
    lines = [[cells.get((i, j), ("", True)) for j in range(width)] for i in range(len(rows))]
    first = next((i for i, line in enumerate(lines) if not all(is_head for _, is_head in line)), len(lines))
    columns = [[line[j][0] for line in lines[:first]] for j in range(width)]
    kept = [j for j in range(width) if LEFT_OUT not in columns[j]]
    heads = [" / ".join(dict.fromkeys(filter(None, columns[j]))) for j in kept]
    unique = [f"{head}#{heads[:n].count(head) + 1}" if head in heads[:n] else head for n, head in enumerate(heads)]
    body = [[line[j][0] for j in kept] for line in lines[first:]]
    return unique, [row for row in body if LEFT_OUT not in row]


def leaves(node: Any) -> Iterator[Any]:
    """Numbers, texts and arrays below a node of a Bokeh document, without entering other models."""
    if isinstance(node, dict):
        kind = node.get("type")
        if kind in ("object", "field") or (kind is None and "id" in node):  # a model, a column's name, a reference
            return
        if kind in ("ndarray", "typed_array") and isinstance(node["array"], dict):
            packed = gzip.decompress(base64.b64decode(node["array"]["data"]))
            yield np.frombuffer(packed, np.dtype(node["dtype"]).newbyteorder(node.get("order", "little")[0]))
        elif kind == "number":  # nan and inf
            yield float(node["value"])
        else:
            yield from leaves(node["array"] if kind == "ndarray" else [v for k, v in node.items() if k != "type"])
    elif isinstance(node, list):
        for item in node:
            yield from leaves(item)
    elif isinstance(node, str | int | float) and not isinstance(node, bool):
        yield node


def put_back(document: Any) -> None:
    """Images that stand packed beside the figure, as its arrays; changes the document."""
    images = unpacked_images(document)

    def walk(node: Any) -> None:
        if isinstance(node, dict) and node.get("type") == "bytes" and isinstance(node["data"], dict):
            node["data"] = base64.b64encode(gzip.compress(images[node["data"]["image"]].tobytes())).decode()
        elif isinstance(node, dict | list):
            for value in node.values() if isinstance(node, dict) else node:
                walk(value)

    if images:
        walk(document["doc"])


def figure_data(document: Any, names: Names) -> dict[str, list[Any]]:
    """Values of a figure: by column, of all its sources together, and by attribute of what is drawn beside."""
    found: dict[str, list[Any]] = defaultdict(list)

    def walk(node: Any) -> None:
        if isinstance(node, list):
            for item in node:
                walk(item)
        elif isinstance(node, dict):
            told = node.get("attributes", {}) if node.get("type") == "object" else {}
            if node.get("name") == "ColumnDataSource" and told:
                for column, values in told.get("data", {}).get("entries", []):
                    found[names.head(column, "figure")] += leaves(values)
            for attribute, value in told.items():
                if FIGURE_DATA.fullmatch(name := f"{node['name']}.{attribute}"):
                    found[name] += leaves(value)
            for value in node.values():
                walk(value)

    put_back(document)
    walk(document["doc"]["roots"])
    for values in found.values():
        values[:] = [names.text(value, "figure") if isinstance(value, str) else value for value in values]
    return {name: values for name, values in found.items() if values and name != LEFT_OUT}


def read_page(site: Path, page: str, names: Names) -> list[Block]:
    """Blocks of one page."""
    reader = PageReader(names)
    reader.feed((site / f"{page}.html").read_text(encoding="utf-8"))
    reader.close()
    return reader.blocks
