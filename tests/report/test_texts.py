"""What a case, a market or a table says is text on every page and in every figure: looked at in a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import xarray as xr
import yaml

import liqlab as lq
from liqlab.report import build_page
from liqlab.report.texts import as_text, defuse_tex, one_line, with_texts_as_text
from tests.browsers import launched, needs_chromium
from tests.small_site import SETUP, write_notebook

# every sign that Markdown, MyST, HTML, TeX, sphinx or Bokeh takes for more than itself; all harmless
MARKED = "<b id=lq-marker>x</b> <img src=lq-marker.png> <script>window.lqMarker = 1</script> [a](lq-marker.html) "
MARKED += (
    "![a](lq-marker.png) {ref}`lq-marker` `c` $$\\frac{1}{2}$$ $x$ \\(y\\) {{z}} @{q} **s** | ~~t~~ &copy; <lq-marker>"
)
BLOCKS = "a\n\n# lq-marker\n\n```{include} lq-marker.txt\n```\n\n:::{note}\nlq-marker\n:::\n\n{eval-rst}\n\n- b\n\n"
BLOCKS += "<div id=lq-marker>\n"
TITLE = f"{MARKED} # 1\nindex\n\n```{{include}} lq-marker.txt"

CASE = """seed: int = 2  # of the random numbers
title: str = ""  # of the page
answers: str = ""  # for the index
story: str = ""  # told
periods: list = []  # [words, from, to]"""
MARKET = """import dataclasses
import liqlab as lq
from IPython.display import Markdown
market = lq.load_example("btc-2024-05").until("2024-04-20")
market = dataclasses.replace(market, symbol=title, exchange=story)
heat = lq.heatmap(market, price_step=200, start="2024-04-19")"""
SHOWN = (
    'Markdown(f"> {story}\\n\\n*{periods[0][0]}* **{answers}** `{answers}`\\n\\n{story}\\n\\n1. {title}")',
    "pd.DataFrame({'told': [1.0]}, index=[periods[0][0]]).style.set_caption(story)",
    "pd.DataFrame({answers: [story]}, index=[title])",
    "lq.plot.heatmap(heat)",
    "lq.plot.liquidation_map(heat)",
    "lq.plot.explore(heat, market)",
    "price = pd.Series([1.0, 2.0], name='n')\nprice.hvplot.line(title='x', ylabel=title, xlabel=story, height=250)",
    "hv.Bars(pd.DataFrame({'told': [title, answers], 'n': [1, 2]}), 'told', 'n').opts(height=250)",
    "print(story)",
    "lq.plot.png(heat, 'lq.png', width=5.5)",
)
FOUND = """() => {
  const wrong = [], ids = [];
  const look = (root) => root.querySelectorAll("*").forEach((e) => {
    for (const a of e.attributes ?? []) {
      if (["id", "src", "href", "name"].includes(a.name) && /^[./]*lq-marker/i.test(a.value)) {
        wrong.push(e.outerHTML.slice(0, 200));
      }
      if (/^on/.test(a.name)) wrong.push(e.outerHTML.slice(0, 200));
    }
    if (/^lq-marker$/i.test(e.tagName)) wrong.push(e.tagName);
    if (["H1", "H2", "H3", "ASIDE"].includes(e.tagName) && /^\\s*lq-marker/.test(e.textContent)) wrong.push(e.tagName);
    if (e.tagName === "MJX-CONTAINER") wrong.push(e.tagName);
    if (e.shadowRoot) look(e.shadowRoot);
  });
  look(document);
  if (document.querySelector("[src*=lq-marker]")) wrong.push("a source");
  if (window.lqMarker) wrong.push("a script ran");
  if (/SECRET OF A FILE/.test(document.documentElement.outerHTML)) wrong.push("a file was included");
  return wrong;
}"""


def write_case(folder: Path) -> Path:
    folder.mkdir()
    write_notebook(folder / "00_plain.ipynb", "# What is plain?", "seed: int = 1  # told", "print(seed)")
    write_notebook(folder / "06_case_study.ipynb", "# What did the map know?", CASE, SETUP, MARKET, *SHOWN)
    (folder / "cases").mkdir()
    told = {"title": TITLE, "answers": f"# {MARKED}", "story": BLOCKS + MARKED, "periods": [[MARKED, "", ""]]}
    (folder / "cases" / "odd.yml").write_text(yaml.safe_dump(told), encoding="utf-8")
    (folder / "cases" / "even.yml").write_text("seed: 4\ntitle: An even one\nperiods: [[a, b, c]]\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    from liqlab.report import build_site

    folder = tmp_path_factory.mktemp("texts")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "lq-marker.txt").write_text("SECRET OF A FILE", encoding="utf-8")
        notebooks = write_case(folder / "notebooks")
        (notebooks / "lq-marker.txt").write_text("SECRET OF A FILE", encoding="utf-8")
        build_site(folder / "site", notebooks=notebooks)
        build_page(notebooks / "cases" / "odd.yml", folder / "one.html", notebooks=notebooks)
        yield folder


@pytest.mark.timeout(900)
@needs_chromium
@pytest.mark.filterwarnings("ignore")
def test_no_element_comes_from_data_on_any_page(odd: Path) -> None:
    from tests.report.test_site_browser import Visit

    pages = [*sorted((odd / "site").glob("*.html")), odd / "one.html"]
    with launched() as browser:
        for page in pages:
            with Visit(browser, width=1280) as session:
                session.read(page.as_uri())
                assert session.page.evaluate(FOUND) == [], page.name
                strange = [url for url in session.asked if not url.startswith((odd.as_uri(), "data:", "blob:"))]
                assert strange == [] and not any("lq-marker" in url for url in session.asked), page.name
                assert session.complaints == [], page.name
                if page.name in ("odd.html", "one.html"):
                    text = " ".join(session.page.inner_text("body").split())
                    assert one_line(TITLE) in text and one_line(BLOCKS + MARKED) in text
        with Visit(browser, width=1280) as session:
            session.read((odd / "site" / "index.html").as_uri())
            cards = session.page.locator(".lq-card")
            assert cards.count() == 3 and one_line(f"# {MARKED}") in " ".join(cards.nth(2).inner_text().split())
        browser.close()
    assert len(json.loads((odd / "site" / "report.json").read_text(encoding="utf-8"))["pages"]) == 3


# --- the pieces -------------------------------------------------------------------------------------------------------


def test_text_is_shown_as_it_is_by_markdown() -> None:
    from html import unescape

    from markdown_it import MarkdownIt

    for text in (
        MARKED,
        one_line(BLOCKS),
        "1. x",
        "- x",
        "    x",
        "=== x",
        "(x)=",
        "% x",
        "+++",
        ":::{x}",
        "#",
        "1) a",
    ):
        html = MarkdownIt("commonmark").render(f"x\n\n{as_text(text)}\n")
        assert html.count("<") == 4 and unescape(html.split("<p>")[2].removesuffix("</p>\n")) == one_line(text)


@pytest.mark.parametrize(
    ("html", "kept"),
    [
        ('<table border="1" class="dataframe">\n<tr><th id="a">x</th></tr></table>', None),
        (
            '<style type="text/css">\n#T_1 td { color: red; }\n</style>\n<table id="T_1"><caption>c</caption></table>',
            None,
        ),
        ("<div><p>3 rows × 4 columns</p></div>", None),
        (pd.DataFrame({"a": [1.5], "b": ["<i>"]})._repr_html_(), None),
        (xr.Dataset({"a": ("x", [1.0])}, attrs={"t": "<b>"})._repr_html_(), None),
        (pd.DataFrame({"a": [1.5]}).style.bar().set_caption("c").to_html(), None),
        ("<td><b>x</b></td><b>y</b>", "<td>&lt;b>x&lt;/b></td><b>y</b>"),
        ("<td onclick=x>", "&lt;td onclick=x>"),
        ('<p style="background: url(http://x)">', '&lt;p style="background: url(http://x)">'),
        ("<style>@import 'x'</style>", "&lt;style>@import 'x'&lt;/style>"),
        ("<script>x</script><img src=x", "&lt;script>x&lt;/script>&lt;img src=x"),
        ("<svg/onload=x>", "&lt;svg/onload=x>"),
    ],
)
def test_outputs_are_tables_and_prose(html: str, kept: str | None) -> None:
    import nbformat

    output = nbformat.v4.new_output("display_data", data={"text/html": html})
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x", outputs=[output])])
    assert with_texts_as_text(notebook, []).cells[0].outputs[0].data["text/html"] == (html if kept is None else kept)


def test_tex_in_a_figure_is_text() -> None:
    assert defuse_tex({"text": ["$$x$$", "\\(y\\)", "$5"], "code": "/\\(/"}) == {
        "text": ["$\u200b$x$\u200b$", "\\\u200b(y\\)", "$5"], "code": "/\\(/"}  # fmt: skip


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_a_picture_takes_every_sign_of_a_symbol(kind: str, tmp_path: Path) -> None:
    market = replace(
        lq.load_example("btc-2024-05").until("2024-04-20"), symbol="$A_{x}$B/$U^$:$U^$", exchange="$\\frac"
    )
    heat = lq.heatmap(market, price_step=200, start="2024-04-19")
    file = lq.plot.png(heat, tmp_path / f"map.{kind}", width=8)
    assert file.stat().st_size > 1_000
