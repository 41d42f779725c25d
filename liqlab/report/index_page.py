"""The pages of the site that are no notebooks: the index with its routes and cards, the cases, references, doing."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from liqlab.report.landing import ALT
from liqlab.report.texts import as_text

__all__ = ["MAP", "PICTURES", "in_markdown", "own_pages"]

PICTURES = "pictures"  # folder of the sources; Sphinx copies what is shown of it
MAP = "annotated-map.png"

ROUTES = Path(__file__).parent / "theme" / "routes.yml"
_TOLD = ("title", "answers")


def in_markdown(entry: Mapping[str, Any], name: str, *, case: bool) -> str:
    """Title or answers of a page, for Markdown: those of a case are data, those of a notebook are Markdown."""
    return as_text(entry[name]) if case else str(entry[name])


def own_pages(entries: Sequence[dict[str, Any]], knobs: str = "") -> dict[str, str]:
    """The pages that are no notebooks, in MyST Markdown, by name; `knobs` is the HTML of the index's own figure."""
    from liqlab.report.api_pages import reference
    from liqlab.report.doing_pages import doing_pages
    from liqlab.report.glossary_page import glossary
    from liqlab.report.units_page import venue_units_page

    pages = {"glossary": glossary(), "units": venue_units_page(), "api": reference()}
    doing = doing_pages([entry["name"] for entry in entries], [*pages, "cases", "index"])
    cases = [entry for entry in entries if entry["case"]]
    gallery = {"cases": _gallery(cases)} if cases else {}
    return {"index": _index(entries, doing, knobs), **pages, **doing, **gallery}


def _index(entries: Sequence[dict[str, Any]], doing: Mapping[str, str], knobs: str) -> str:
    """The index in MyST Markdown: what this is, routes, one card per page, and the contents for Sphinx."""
    import liqlab

    cases = any(entry["case"] for entry in entries)
    names = [entry["name"] for entry in entries] + (["cases"] if cases else []) + [*doing, "glossary", "units", "api"]
    more = "[the cases](cases.md) side by side, " if cases else ""
    numbers = _numbers(entries)
    titles = {entry["name"]: f"{numbers[entry['name']]} {entry['title']} <{entry['name']}>" for entry in entries}
    lines = "\n".join(titles.get(name, name) for name in names)
    return f"""# Liquidation heatmaps, worked through

Where would leveraged positions be closed by force, and what can a map of these prices know? Each page asks one
question and answers it with code that you can run, change and check. What the maps show is **estimated** from market
data; nobody's account was read. *Education, not advice.*

{f"![{ALT}]({PICTURES}/{MAP})" if knobs else ""}

{_routes(entries, doing)}

{_knobs(knobs)}

Also here: {more}the [glossary](glossary.md), [what venues count](units.md), the [API](api.md).

{_cards(entries)}

Made with liqlab {liqlab.__version__} and Python {sys.version.split()[0]}. Every page ends with its own parameters, \
versions and checksums; <a href="report.json">report.json</a> holds them for programs.

```{{toctree}}
:hidden:
:titlesonly:

{lines}
```
"""


def _routes(entries: Sequence[dict[str, Any]], doing: Mapping[str, str]) -> str:
    """Ways through the pages, from `theme/routes.yml`; a way of which no page is there is left out."""
    import yaml

    from liqlab.report.doing_pages import title_of

    numbers = _numbers(entries)
    links = {entry["name"]: f"**{numbers[entry['name']]}** [{in_markdown(entry, 'title', case=entry['case'])}]"
                            f"({entry['name']}.ipynb)" for entry in entries}  # fmt: skip
    links |= {"cases": "[The cases](cases.md)"} if any(entry["case"] for entry in entries) else {}
    links |= {name: f"[{title_of(text)}]({name}.md)" for name, text in doing.items()}
    ways = []
    for heading, way in yaml.safe_load(ROUTES.read_text(encoding="utf-8")).items():
        if there := [links[name] for name in way["pages"] if name in links]:
            ways.append(f":::{{container}} lq-route\n**{heading}**: {way['for']}\n\n" + "\n\n".join(there) + "\n:::")
    return "::::{container} lq-routes\n" + "\n\n".join(ways) + "\n::::" if ways else ""


def _knobs(figure: str) -> str:
    """A figure with controls, where the site has one."""
    if not figure:
        return ""
    return f"""## Turn the knobs

Hide what is dim, take one side or single leverages away, change the model: which bands stay whatever you do?
[Chapter 5](05_reading_a_heatmap.ipynb) tells what the parts are.

```{{raw}} html
{figure}
```
"""


def _gallery(cases: Sequence[dict[str, Any]]) -> str:
    """The cases alone: one notebook, asked of several days."""
    return f"""# Cases

One notebook, asked of several markets and days: what stood on the map before, what the price then did, and what the
data say of the story that is told. The maps are **estimated**. *Education, not advice.*

{_cards(cases)}

A case is one file of parameters. To add your own, copy one of `notebooks/cases/*.yml`, change what differs, and run

```
liqlab page my-case.yml
```
"""


def _cards(entries: Sequence[dict[str, Any]]) -> str:
    numbers = _numbers(entries)
    cards = "\n\n".join(_card(entry, numbers[entry["name"]]) for entry in entries)
    return f"::::{{container}} lq-cards\n{cards}\n::::"


def _numbers(entries: Sequence[dict[str, Any]]) -> dict[str, str]:
    """The numbers by which pages call each other, from the notebooks' names; cases are counted within theirs.

    >>> cases = [{"name": name, "case": True, "notebook": {"file": "06_case_study.ipynb"}} for name in ("btc", "tia")]
    >>> _numbers([{"name": "05_reading", "case": False, "notebook": {"file": "05_reading.ipynb"}}, *cases])
    {'05_reading': '5.', 'btc': '6.1', 'tia': '6.2'}
    """
    found, cases = {}, 0
    for entry in entries:
        stem = entry["notebook"]["file"]
        number = str(int(stem[:2])) if stem[:2].isdigit() else "·"
        cases += entry["case"]
        found[entry["name"]] = f"{number}.{cases if entry['case'] else ''}"
    return found


def _card(entry: dict[str, Any], number: str) -> str:
    name, title, answers = entry["name"], *(in_markdown(entry, each, case=entry["case"]) for each in _TOLD)
    picture = f"[![{title}]({PICTURES}/{name}.png)]({name}.ipynb)\n\n" if entry["picture"] else ""
    minutes = f" *{entry['minutes']} minutes*" if entry["minutes"] else ""
    return f""":::{{container}} lq-card
{picture}**{number} [{title}]({name}.ipynb)**

{answers}{minutes}
:::"""
