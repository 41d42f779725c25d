"""The glossary: the words of this field as the course uses them, with the functions that take or return them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from pathlib import Path

from liqlab.report.api_pages import anchor, public_functions

WORDS = Path(__file__).parent / "theme" / "words.yml"


def glossary() -> str:
    """The page, in MyST Markdown; *used by* is read from the functions' own documentation."""
    table = words()
    used = _users([word for group in table.values() for word in group])
    parts = []
    for heading, group in table.items():
        parts.append(f"## {heading}\n")
        for word, told in group.items():
            unit, meaning = told.get("unit", ""), told["meaning"]
            name = f"`{word}`" if "_" in word else word
            names = used.get(word, [])
            links = ", ".join(f"[`{user}`](#{anchor(user)})" for user in names[:6])
            more = f" and {len(names) - 6} more" if len(names) > 6 else ""
            users = f"\n\n  {{.lq-tags}}\n  used by {links}{more}" if links else ""
            spot = f'<span id="{word_id(word)}"></span>'
            parts.append(f"{spot}{name}{f' [{unit}]' if unit else ''}\n: {meaning}{users}\n")
    body = "\n".join(parts)
    return f"""# Glossary

The words of this field, spelled as in the code, in the order in which a reader meets them. What is **estimated** is
never called *observed*. *Education, not advice.*

{body}"""


def word_id(word: str) -> str:
    """Where the glossary has a word.

    >>> word_id("swing high, swing low")
    'word-swing-high-swing-low'
    """
    return "word-" + re.sub(r"[^\w]+", "-", word)


def words() -> dict[str, dict[str, dict[str, str]]]:
    """The words by heading: word → meaning, and unit where it has one."""
    import yaml

    return yaml.safe_load(WORDS.read_text(encoding="utf-8"))


def _users(every: Sequence[str]) -> dict[str, list[str]]:
    """Which public functions speak of a word of the code: as a parameter, a column or in their prose."""
    texts = {name: f"{' '.join(_parameters(thing))} {inspect.getdoc(thing) or ''}"
             for name, thing in public_functions().items()}  # fmt: skip
    chosen = [word for word in every if "_" in word or word in _TOLD]
    return {
        word: [name for name, text in texts.items() if re.search(rf"(?<![\w]){re.escape(word)}(?![\w])", text)]
        for word in chosen
    }


_TOLD = ("lookback", "confluence", "coverage", "law", "baseline", "placebo", "proxy", "cascade")


def _parameters(thing: object) -> list[str]:
    try:
        return list(inspect.signature(thing).parameters)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return []
