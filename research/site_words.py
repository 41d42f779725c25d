"""Words of built sites and shares of computed sentences in notebooks: ``python -m research.site_words [SITE …]``.

Words are those that a reader sees on the pages of the course: text and tables, without code, printed output and the
pages of reference. A computed sentence is a cell of code that makes ``Markdown(…)``; its share is of all signs of code.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import NamedTuple

from research.site_blocks import Names, read_page

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
REFERENCE = {"api", "glossary", "units", "genindex", "search"}
_SENTENCE = re.compile(r"(?<![\w.])Markdown\(")


class NotebookCount(NamedTuple):
    """One notebook: signs of code, signs of code that makes sentences, longest line of code, words of text."""

    name: str
    code: int
    sentences: int
    longest: int
    words: int


def count_notebook(path: Path) -> NotebookCount:
    """Count one notebook's cells."""
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(path.read_text("utf-8"))["cells"]]
    code = [text for kind, text in cells if kind == "code"]
    return NotebookCount(
        path.stem,
        sum(map(len, code)),
        sum(len(text) for text in code if _SENTENCE.search(text)),
        max((len(line) for text in code for line in text.splitlines()), default=0),
        sum(len(text.split()) for kind, text in cells if kind == "markdown"),
    )


def count_site(site: Path) -> dict[str, int]:
    """Words of each page of the course, by its name."""
    pages = [path.stem for path in sorted(site.glob("*.html")) if path.stem not in REFERENCE]
    seen = {page: [b for b in read_page(site, page, Names()) if b.kind in ("text", "table")] for page in pages}
    return {page: sum(len(block.said().split()) for block in blocks) for page, blocks in seen.items()}


def main(sites: list[str]) -> None:
    """Print both counts."""
    rows = [count_notebook(path) for path in sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))]
    for row in rows:
        print(f"{row.name:32} {row.code:7,} {row.sentences / row.code:5.0%} {row.longest:4} {row.words:6,}")
    total = [sum(getattr(row, name) for row in rows) for name in ("code", "sentences", "words")]
    print(f"{'all':32} {total[0]:7,} {total[1] / total[0]:5.0%}      {total[2]:6,}")
    for site in sites:
        pages = count_site(Path(site))
        print(f"\n{site}: {sum(pages.values()):,} words on {len(pages)} pages")
        for name, words in pages.items():
            print(f"  {name:32} {words:7,}")


if __name__ == "__main__":
    main(sys.argv[1:])
