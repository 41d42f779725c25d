"""Compare two built sites number by number: ``python -m research.compare_sites OLD_SITE NEW_SITE [--map map.csv]``.

Compared are the text, tables, code and printed output of every page, the data of every figure, and ``report.json``.
Integers and words must be equal, floats equal within 1e-9 relative, as printed or as stored. Names of the old site may
be translated by a table with the columns ``scope,old,new``:

- ``page``: a page's name without ``.html``, also where code, printed output and the report say it
- ``column``: a whole column or row head, or a column of a figure's data; also inside code and printed output
- ``key``: a key of ``report.json``
- ``word``: a word or phrase anywhere; upper and lower case differ
- ``code``: a word or phrase in code (also within a sentence) and printed output only

With an empty ``new`` a page, column or key is left out. Left out always: run times, the time of the build, versions,
checksums, file sizes, absolute paths, colours and sizes in figures. Exit status: 0 equal, 1 different, 2 bad input.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from research.site_blocks import Block, Names, is_number, read_page, tokens_of

T = TypeVar("T")
TOLERANCE = 1e-9  # relative
WINDOW = 50  # how far ahead the partner of a block or row is looked for
SKIPPED_KEYS = {"liqlab", "made", "versions", "sha256", "key", "seconds", "bytes"}  # of report.json


class Difference(NamedTuple):
    """One exception: the file and place where it stands, what kind of thing differs, and both sides."""

    file: str
    place: str
    kind: str
    old: str
    new: str


def value_of(token: str) -> int | float | str:
    """A token as what it stands for: an integer, a float, or itself."""
    if not is_number(token):
        return token
    plain = token.replace(",", "")
    return float(plain) if re.search("[.eE]", plain) else int(plain)


def same(old: str, new: str) -> bool:
    """Whether two tokens are equal: floats within the tolerance, all else exactly."""
    if old == new:
        return True
    a, b = value_of(old), value_of(new)
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=TOLERANCE)
    return type(a) is type(b) and a == b


def align(old: Sequence[T], new: Sequence[T], words: Sequence[list[str]]) -> Iterator[tuple[T | None, T | None]]:
    """Pair the items of two sequences in order; None stands where an item has no partner.

    `words` holds the tokens of the old items, then those of the new ones. Items are partners where these are equal;
    between such partners by their place where both sides have as many, else where at least half of the words agree.
    """
    keys = [tuple(tokens) for tokens in words]
    bags = [Counter("#" if is_number(token) else token for token in tokens) for tokens in words]
    count = len(old)
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, keys[:count], keys[count:], autojunk=False).get_opcodes():
        if tag == "equal" or i2 - i1 == j2 - j1:
            yield from zip(old[i1:i2], new[j1:j2], strict=True)
            continue
        for i in range(i1, i2):
            likeness = [_likeness(bags[i], bag) for bag in bags[count + j1 : count + min(j2, j1 + WINDOW)]]
            if not likeness or max(likeness) < 0.5:
                yield old[i], None
                continue
            best = j1 + likeness.index(max(likeness))
            yield from ((None, item) for item in new[j1:best])
            yield old[i], new[best]
            j1 = best + 1
        yield from ((None, item) for item in new[j1:j2])


def _likeness(old: Counter[str], new: Counter[str]) -> float:
    return 2 * (old & new).total() / max(old.total() + new.total(), 1)


class Comparison:
    """What differs between two sites, and how much was compared."""

    def __init__(self, names: Names, only_numbers: bool = False) -> None:
        self.names, self.only_numbers = names, only_numbers
        self.found: list[Difference] = []
        self.counts: Counter[str] = Counter()

    def _tell(self, file: str, place: str, kind: str, old: Any, new: Any) -> None:
        self.found.append(Difference(file, place, kind, *(" ".join(str(side).split()) for side in (old, new))))

    def site(self, old: Path, new: Path) -> None:
        """Compare all pages and the report of two sites."""
        pages = {}
        for page in pages_of(old):
            if name := self.names.name("page", page):
                pages[name] = page
        there = pages_of(new)
        for page in [*pages, *(name for name in there if name not in pages)]:
            if page not in there or page not in pages:
                self._tell(f"{page}.html", "", "page", *[page if page in side else "" for side in (pages, there)])
                continue
            self.counts["pages"] += 1
            self.page(f"{page}.html", read_page(old, pages[page], self.names), read_page(new, page, Names()))
        reports = [json.loads((site / "report.json").read_text(encoding="utf-8")) for site in (old, new)]
        self.report("", *reports)

    def page(self, file: str, old: list[Block], new: list[Block]) -> None:
        """Compare the blocks of one page, each kind in its own order."""
        for kind in ("text", "output", "code", "table", "figure"):
            before, after = ([block for block in side if block.kind == kind] for side in (old, new))
            pairs = align(before, after, [tokens_of(block.said()) for block in before + after])
            for number, (a, b) in enumerate(pairs, start=1):
                place = f"{(a or b or Block(kind, '')).place} | {kind} {number}"
                if a and b:
                    self._block(file, place, a, b)
                else:
                    self._lone(file, place, f"whole {kind}", *[block.said() if block else "" for block in (a, b)])

    def _block(self, file: str, place: str, old: Block, new: Block) -> None:
        self.counts[f"blocks of {old.kind}"] += 1
        self.text(file, place, old.kind, old.text, new.text)
        self.table(file, place, old, new)
        for name in {**old.data, **new.data}:
            self.values(file, f"{place} | {name}", old.data.get(name, []), new.data.get(name, []))

    def _lone(self, file: str, place: str, kind: str, old: str, new: str) -> None:
        if not self.only_numbers or any(map(is_number, tokens_of(old + new))):
            self._tell(file, place, kind, old, new)

    def table(self, file: str, place: str, old: Block, new: Block) -> None:
        """Compare two tables, columns by their heads, rows in their order."""
        for head in [*old.head, *(name for name in new.head if name not in old.head)]:
            if head not in old.head or head not in new.head:
                self._tell(file, place, "column", *[head if head in side.head else "" for side in (old, new)])
        shared = [(old.head.index(head), new.head.index(head), head) for head in old.head if head in new.head]
        rows = (
            [[row[i] for i, _, _ in shared] for row in old.rows],
            [[row[j] for _, j, _ in shared] for row in new.rows],
        )
        for number, (a, b) in enumerate(align(*rows, [tokens_of(" ".join(row)) for row in rows[0] + rows[1]]), start=1):
            if a is None or b is None:
                self._lone(file, f"{place} row {number}", "row", " ".join(a or []), " ".join(b or []))
                continue
            for (_, _, head), before, after in zip(shared, a, b, strict=True):
                self.text(file, f"{place} row {number} [{a[0]}] column {head!r}", "table", before, after)

    def text(self, file: str, place: str, kind: str, old: str, new: str) -> None:
        """Compare two texts token by token."""
        a, b = ([t for t in tokens_of(x) if not self.only_numbers or is_number(t)] for x in (old, new))
        self.counts["numbers"] += sum(map(is_number, a))
        self.counts["words"] += sum(not is_number(token) for token in a)
        if len(a) == len(b) and all(map(same, a, b)):
            return
        for tag, i1, i2, j1, j2 in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
            if tag == "equal" or (i2 - i1 == j2 - j1 and all(map(same, a[i1:i2], b[j1:j2]))):
                continue
            what = "number" if [*filter(is_number, a[i1:i2])] != [*filter(is_number, b[j1:j2])] else "word"
            context = f" … {' '.join(a[max(i1 - 4, 0) : i1])}" if i1 and kind != "table" else ""
            self._tell(file, place + context, f"{kind} {what}", " ".join(a[i1:i2]), " ".join(b[j1:j2]))

    def values(self, file: str, place: str, old: list[Any], new: list[Any]) -> None:
        """Compare the values of a figure's column as multisets: texts, and numbers in the order of their size."""
        if not self.only_numbers:
            a, b = (Counter(value for value in side if isinstance(value, str)) for side in (old, new))
            self.counts["figure texts"] += a.total()
            if a != b:
                extra = [", ".join(map(repr, sorted(side.elements()))) for side in (a - b, b - a)]
                self._tell(file, place, "figure word", *extra)
        sides = [[np.atleast_1d(value).ravel() for value in side if not isinstance(value, str)] for side in (old, new)]
        one, two = (np.sort(np.concatenate([*side, np.array([], dtype=int)])) for side in sides)
        self.counts["figure numbers"] += one.size
        if one.size != two.size:
            self._tell(file, place, "figure number", f"{one.size} values", f"{two.size} values")
            return
        off = np.flatnonzero(~close(one, two))
        if off.size:
            with np.errstate(divide="ignore", invalid="ignore"):
                most = np.nanmax(np.abs(two[off] / one[off] - 1.0), initial=0.0)
            where = f"{place} | {off.size} of {one.size} by size, at most {most:.1g} relative"
            self._tell(file, where, "figure number", *[repr(side[off[0]].item()) for side in (one, two)])

    def report(self, place: str, old: Any, new: Any) -> None:
        """Compare two values of the reports, and all that is in them."""
        if isinstance(old, list) and isinstance(new, list):
            if all(isinstance(item, dict) and "page" in item for item in old + new):
                old = {name: item for item in old if (name := self.names.name("page", item["page"]))}
                new = {item["page"]: item for item in new}
            else:
                old, new = ({str(number): item for number, item in enumerate(side)} for side in (old, new))
        elif isinstance(old, dict) and isinstance(new, dict):
            old = {name: value for key, value in old.items() if (name := self.names.name("key", key))}
        if isinstance(old, dict) and isinstance(new, dict):
            for key in [key for key in {**old, **new} if key not in SKIPPED_KEYS]:
                if key in old and key in new:
                    self.report(f"{place}.{key}".lstrip("."), old[key], new[key])
                else:
                    self._tell("report.json", f"{place}.{key}", "key", old.get(key, ""), new.get(key, ""))
            return
        self.counts["report values"] += 1
        if isinstance(old, str) and isinstance(new, str):
            self.text("report.json", place, "report", self.names.text(old, "report"), new)
        elif isinstance(old, float) and isinstance(new, float) and math.isclose(old, new, rel_tol=TOLERANCE):
            return
        elif type(old) is not type(new) or old != new:
            self._tell("report.json", place, "report number", repr(old), repr(new))


def close(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Where two arrays agree: integers exactly, floats within the tolerance, missing with missing."""
    whole = old.dtype.kind in "iu" and new.dtype.kind in "iu"
    return np.asarray(old == new if whole else np.isclose(old, new, rtol=TOLERANCE, atol=0.0, equal_nan=True))


def pages_of(site: Path) -> list[str]:
    """Names of the pages of a site."""
    files = sorted(path.relative_to(site) for path in site.rglob("*.html"))
    return [file.with_suffix("").as_posix() for file in files if not file.parts[0].startswith("_")]


def main() -> int:
    """Read the arguments, compare, and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path, metavar="OLD_SITE")
    parser.add_argument("new", type=Path, metavar="NEW_SITE")
    parser.add_argument("--map", type=Path, metavar="MAP.CSV", help="old and new names: columns scope,old,new")
    parser.add_argument("--numbers", action="store_true", help="compare numbers only, not the words around them")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the differences into a table as well")
    asked = parser.parse_args()
    for site in (asked.old, asked.new):
        if not (site / "report.json").is_file():
            parser.error(f"{site} is no built site: it has no report.json; build one with `liqlab report`")
    try:
        names = Names(asked.map)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    comparison = Comparison(names, asked.numbers)
    comparison.site(asked.old, asked.new)
    for difference in comparison.found:
        print(" | ".join(difference))
    if asked.csv:
        with asked.csv.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([Difference._fields, *comparison.found])
    print("compared: " + ", ".join(f"{count:,} {what}" for what, count in comparison.counts.items()))
    for kind, count in sorted(Counter(difference.kind for difference in comparison.found).items()):
        print(f"{count:6,} × {kind}")
    for rule in names.unused():
        print(f"not met on the old site: {rule}")
    print(f"{len(comparison.found):,} differences" if comparison.found else "no difference")
    return bool(comparison.found)


if __name__ == "__main__":
    sys.exit(main())
