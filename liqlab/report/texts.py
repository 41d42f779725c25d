"""Text of cases, parameters and tables stays text: nothing in it becomes markup on a page.

A notebook's own words are its author's, and may be Markdown. What a case, a parameter or a table says is data that
people pass around. On the way to a page the signs in it that Markdown, MyST, HTML or TeX would take for markup become
numeric character references, which all of these show as the sign itself; and outputs lose what no table needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import yaml

__all__ = ["as_text", "defuse_tex", "one_line", "texts_of", "with_texts_as_text"]

_SIGNS = re.compile(r"[&<>`*_{}\[\]$\\#|~@]|:(?=//)")
_PLAIN = re.compile(r"[A-Za-z0-9]+(?:[_./:-][A-Za-z0-9]+)*")  # open_interest, BTC/USDT:USDT: no markup, often in code
_START = re.compile(r"^(\d{1,9})([.)])|^([-+=:%(.])")  # what would begin a list, a rule, a target or a directive
_SHORT = 3  # signs; what is shorter stands in too many places to be told apart
_TABLE = frozenset(("table", "caption", "colgroup", "col", "thead", "tbody", "tfoot", "tr", "th", "td"))
_PROSE = frozenset(("div", "p", "span", "br", "hr", "b", "i", "em", "strong", "code", "pre", "sub", "sup", "small",
                    "ul", "ol", "li", "dl", "dt", "dd", "h2", "h3", "h4", "details", "summary", "input", "label",
                    "svg", "defs", "symbol", "path", "use", "title"))  # fmt: skip
_ATTRIBUTE = (r"\s+(?:class|id|type|border|valign|align|scope|colspan|rowspan|width|height|open|title|style|for|hidden"
              r"|checked|disabled|viewBox|d|(?:xlink:)?href(?==['\"]#))"
              r"(?:=(?:\"(?:(?!url\()[^\"<>])*\"|'(?:(?!url\()[^'<>])*'))?")  # fmt: skip
_STYLE = r"<style(?:\s+(?:type=\"text/css\"|scoped))*\s*>(?:(?!url\(|@import|</)[^<])*</style\s*>"
_TOKEN = re.compile(rf"({_STYLE})|<(/?)([a-zA-Z][a-zA-Z0-9]*)((?:{_ATTRIBUTE})*\s*/?)>|<", re.IGNORECASE)
_CELLS = ("td", "th", "caption")


def one_line(text: Any) -> str:
    """A text in one line, without the characters that turn the direction of reading or show nothing.

    >>> one_line("a\\n\\n  b")
    'a b'
    """
    return re.sub(r"[\x00-\x08\x0e-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]", "", " ".join(str(text).split()))


def as_text(text: Any) -> str:
    """A text for Markdown, MyST or HTML that is shown as it is, in one line.

    >>> as_text("BTC: 1 < 2, *not* [this](x)"), as_text("# 1. May")
    ('BTC: 1 &#60; 2, &#42;not&#42; &#91;this&#93;(x)', '&#35; 1. May')
    """
    safe = _SIGNS.sub(lambda found: f"&#{ord(found[0])};", one_line(text))
    return _START.sub(lambda found: f"{found[1] or ''}&#{ord(found[2] or found[3])};", safe)


def texts_of(parameters: Any) -> list[str]:
    """The texts of a page's parameters, and of the case that they name, with signs of markup in them; longest first."""
    found = {text for text in _strings([parameters, _case(parameters.get("case"))]) if len(text.strip()) >= _SHORT}
    found |= {text.strip() for text in found}
    marked = (text for text in found if as_text(text) != text and not _PLAIN.fullmatch(text))
    return sorted(marked, key=len, reverse=True)


def _case(name: Any) -> dict[str, Any]:
    from liqlab.loaders.cases import read_case

    try:
        return vars(read_case(name)) if isinstance(name, str) else {}
    except (ValueError, TypeError, OSError, yaml.YAMLError, RecursionError):  # the notebook will have said so
        return {}


def _strings(value: Any, depth: int = 0) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict) and depth < 10:
        yield from _strings([*value.keys(), *value.values()], depth + 1)
    elif isinstance(value, list | tuple) and depth < 10:
        for each in value:
            yield from _strings(each, depth + 1)


def with_texts_as_text(notebook: Any, texts: Iterable[str]) -> Any:
    """The notebook with outputs in which these texts are text, and tables are tables; changes and returns it."""
    known = list(texts)
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if "text/markdown" in data:
                data["text/markdown"] = _markdown("".join(data["text/markdown"]), known)
            html = "".join(data.get("text/html", ""))
            if html and "docs_json" not in html and '<div class="lq-figure"' not in html:
                data["text/html"] = _tables_alone(_replaced(html, known))
    return notebook


def _replaced(output: str, known: Iterable[str]) -> str:
    for text in known:
        output = output.replace(text, as_text(text))
    return output


def _markdown(output: str, known: Iterable[str]) -> str:
    """Markdown with these texts as text, and without raw HTML; in code both are shown as they are, and stand."""
    known = list(known)
    output = _replaced(output, (text for text in known if "`" in text))
    parts = re.split(r"(```.*?```|`[^`\n]+`)", output, flags=re.DOTALL)
    plain = [re.sub(r"<(?=[a-zA-Z/!?])", "&lt;", _replaced(part, known)) for part in parts[::2]]
    return "".join(part if k % 2 else plain[k // 2] for k, part in enumerate(parts))


def _tables_alone(html: str) -> str:
    """HTML of an output: tables and plain prose. Other tags, and those in a cell, are shown as the text they are."""
    inside = 0

    def keep(found: re.Match[str]) -> str:
        nonlocal inside
        style, closing, name = found[1], found[2], (found[3] or "").lower()
        if name in _CELLS:
            inside = 0 if closing else 1
        if style or name in _TABLE or (name in _PROSE and not inside):
            return found[0]
        return f"&lt;{found[0][1:]}"

    return _TOKEN.sub(keep, html)


def defuse_tex(value: Any) -> Any:
    """A figure's JSON in which no text begins TeX: BokehJS would load MathJax from another host to draw it."""
    if isinstance(value, str):
        return re.sub(r"\$(?=\$)|\\(?=[(\[])", lambda found: f"{found[0]}\u200b", value)
    if isinstance(value, list):
        return [defuse_tex(each) for each in value]
    if isinstance(value, dict):
        return {name: each if name == "code" else defuse_tex(each) for name, each in value.items()}
    return value
