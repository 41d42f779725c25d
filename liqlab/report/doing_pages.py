"""Pages for doing things: `theme/pages/*.md`, with the numbers, tables and pictures that they name put in."""

from __future__ import annotations

import re
import shutil
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["ORDER", "doing_files", "doing_pages", "title_of"]

FOLDER = Path(__file__).parent / "theme" / "pages"
SAMPLE = "sample-candles.csv"
# In the order of the list of pages.
ORDER = ("installation", "command_line", "own_csv", "own_market", "calculator", "teachers")
_NEEDS = re.compile(r"\A---\nneeds: (\w+)\n---\n")
_LINK = re.compile(r"\[([^\]]+)\]\((\w+)\.(ipynb|md)\)")
_PLACE = re.compile(r"\{(\w+)\}(?!`)")  # not the name of a directive


def doing_pages(names: Sequence[str], others: Sequence[str]) -> dict[str, str]:
    """The pages, in MyST Markdown, by name.

    Parameters
    ----------
    names : sequence of str
        Notebooks' pages that the site has: a page that needs another one is left out, a link to one is plain text.
    others : sequence of str
        The site's other pages.
    """
    written = {}
    for name in ORDER:
        text = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
        need = _NEEDS.match(text)
        if not need or need[1] in names:
            written[name] = _filled(name, _NEEDS.sub("", text))
    known = {*(f"{name}.ipynb" for name in names), *(f"{name}.md" for name in (*written, *others))}
    for name, text in written.items():
        written[name] = _LINK.sub(lambda link: link[0] if f"{link[2]}.{link[3]}" in known else link[1], text)
    return written


def doing_files(folder: Path, pages: Sequence[str]) -> None:
    """Write into `folder` what these pages load: the calculator's tables, the sample file and its map."""
    from liqlab.loaders._examples import folder as shipped
    from liqlab.report.calculator_tables import calculator_script

    if "calculator" in pages:
        (folder / "calculator-tables.js").write_text(calculator_script(), encoding="utf-8")
    if "own_csv" in pages:
        shutil.copyfile(shipped("data") / SAMPLE, folder / SAMPLE)
        _draw_sample(folder / "own-csv.png")


def title_of(text: str) -> str:
    """The heading of a page."""
    return next(line[2:] for line in text.splitlines() if line.startswith("# "))


def _filled(name: str, text: str) -> str:
    values = _VALUES.get(name, dict)()
    return _PLACE.sub(lambda place: values[place[1]] if place[1] in values else place[0], text)


def _of_installation() -> dict[str, str]:
    from liqlab.margin.prices import liquidation_price

    return {"check": f"{liquidation_price(60_000, side='long', leverage=25):.2f}"}


def _of_calculator() -> dict[str, str]:
    from liqlab.report.calculator_tables import elsewhere

    return {"elsewhere": ", ".join(f"`{name}`" for name in elsewhere())}


def _of_own_market() -> dict[str, str]:
    from liqlab.loaders._examples import folder as shipped
    from liqlab.report.parameters import declared

    rows = declared(shipped("notebooks") / "12_your_market.ipynb").values()
    lines = "\n".join(
        f"| `{row.name}` | `{row.default!r}` | {row.comment.replace('|', chr(92) + '|')} |" for row in rows
    )
    return {"parameters": f"| parameter | the page's value | what it is |\n| --- | --- | --- |\n{lines}"}


def _of_own_csv() -> dict[str, str]:
    from liqlab.loaders._examples import folder as shipped

    market, said = _sample()
    (gap,) = (text for text in said if "gap" in text)
    steps = market.candles.index.to_series().diff()
    last = steps.idxmax()
    first = last - steps.max() + market.step
    missing = int(steps.max() / market.step) - 1
    head = "".join((shipped("data") / SAMPLE).read_text(encoding="utf-8").splitlines(keepends=True)[:3])
    return {"sample": head.rstrip(), "missing": str(missing), "warning": gap,
            "gap": f"{first:%d %B %Y, %H:%M} to {last:%H:%M} UTC"}  # fmt: skip


@cache
def _sample() -> tuple[Any, tuple[str, ...]]:
    """The market of the sample file, read as the page tells, and what was said of it."""
    from liqlab.loaders import read
    from liqlab.loaders._examples import folder as shipped

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        market = read(shipped("data") / SAMPLE, symbol="BTC/USDT:USDT", exchange="binanceusdm", timezone="UTC")
    return market, tuple(str(one.message) for one in caught)


def _draw_sample(path: Path) -> None:
    from liqlab.maps import heatmap
    from liqlab.plot import png

    market, _ = _sample()
    png(heatmap(market, start="2025-12-16"), path, market, width=9.0)


_VALUES: dict[str, Callable[[], dict[str, str]]] = {
    "installation": _of_installation,
    "calculator": _of_calculator,
    "own_market": _of_own_market,
    "own_csv": _of_own_csv,
}
