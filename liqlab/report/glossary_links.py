"""The words of the glossary, linked where a page first uses them."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from liqlab.report.glossary_page import word_id, words

__all__ = ["with_linked_words"]

# What is no running text: fenced and inline code, formulas, links and pictures, tags, headings, rows of tables.
_APART = re.compile(
    r"(```.*?```|:::.*?$|`[^`\n]+`|\$\$.*?\$\$|\$[^$\n]+\$|!?\[[^\]\n]*\]\([^)\n]*\)|<[^>\n]+>|^\#+ .*?$|^\|.*?$"
    r"|^\(?[\w-]+\)?=$|&\w+;)",
    re.DOTALL | re.MULTILINE,
)


def with_linked_words(notebook: Any) -> Any:
    """The notebook with a link at the first use of each word of the glossary; changes and returns it.

    Only the author's own prose is read: what cells show is data.
    """
    left = dict(_patterns())
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and left:
            parts = _APART.split(cell.source)
            cell.source = "".join(part if k % 2 else _linked(part, left) for k, part in enumerate(parts))
    return notebook


def _linked(text: str, left: dict[str, re.Pattern[str]]) -> str:
    """The text with links, each word once; the words linked are taken from `left`."""
    places: list[tuple[int, int, str]] = []
    for word, pattern in list(left.items()):
        for found in pattern.finditer(text):
            if not any(found.start() < end and found.end() > start for start, end, _ in places):
                places.append((found.start(), found.end(), word))
                del left[word]
                break
    for start, end, word in sorted(places, reverse=True):
        text = (
            f'{text[:start]}<a class="lq-word" href="glossary.html#{word_id(word)}">{text[start:end]}</a>{text[end:]}'
        )
    return text


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Each word as prose has it, longest first, so that *liquidation price* is not taken for another word."""
    every = [word for group in words().values() for word, told in group.items() if told.get("link", True)]
    spoken = {word: [part.strip().replace("_", " ") for part in word.split(",")] for word in every}
    return tuple(
        (word, re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, spoken[word]))})(?:s|es)?(?![\w-])", re.IGNORECASE))
        for word in sorted(every, key=len, reverse=True)
    )
