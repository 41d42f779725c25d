"""The site in a real browser: from the disk and over HTTP, on a desk and on a phone, by day and by night."""

from __future__ import annotations

import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.small_site import build

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; apt-get install chromium to run these")

QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
PAGES = ("index", "00_quickstart", "fall", "search")
# figures draw in shadow roots; a canvas is painted if not all its pixels are alike
PAINTED = """() => {
  const found = [];
  const look = (root) => root.querySelectorAll("*").forEach((e) => {
    if (e.tagName === "CANVAS") found.push(e);
    if (e.shadowRoot) look(e.shadowRoot);
  });
  look(document);
  return found.filter((canvas) => {
    if (!canvas.width || !canvas.height) return false;
    const context = canvas.getContext("2d");
    const data = context ? new Uint32Array(context.getImageData(0, 0, canvas.width, canvas.height).data.buffer) : [];
    return data.some((pixel) => pixel !== data[0]);
  }).length;
}"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("browser"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """The site on this machine's loopback."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Visit:
    """A page opened in a browser window, with what it asked for and what it complained of."""

    def __init__(self, browser: Any, *, width: int, scheme: str = "light") -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page = self.context.new_page()
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("requestfailed", lambda request: self.complaints.append(f"not loaded: {request.url}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda line: self.complaints.append(line.text) if line.type == "error" else None)

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def read(self, address: str) -> Visit:
        """Open and scroll to the end, as a reader does: figures are drawn when they come near."""
        self.page.goto(address)
        self.page.evaluate("document.querySelectorAll('.lq-figure').forEach((figure) => figure.scrollIntoView())")
        self.page.wait_for_timeout(100)
        figures = self.page.locator(".lq-figure").count()
        self.page.wait_for_function(f"() => ({PAINTED})() >= {figures}", timeout=20_000)
        return self

    def width(self) -> int:
        return self.page.evaluate("document.documentElement.scrollWidth")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", PAGES)
def test_from_the_disk(name: str, width: int, site: Path, browser: Any) -> None:
    with Visit(browser, width=width) as visit:
        visit.read((site / f"{name}.html").as_uri())
        assert [url for url in visit.asked if not url.startswith((site.as_uri(), "data:", "blob:"))] == []
        assert visit.complaints == []
        assert visit.width() <= width, "the page scrolls sideways"


@pytest.mark.parametrize("width", [1280, 390])
def test_over_http(width: int, address: str, browser: Any) -> None:
    for name in PAGES:
        with Visit(browser, width=width, scheme="dark") as visit:
            visit.read(f"{address}/{name}.html")
            assert [url for url in visit.asked if not url.startswith((address, "data:", "blob:"))] == []
            assert visit.complaints == []
            assert visit.width() <= width, "the page scrolls sideways"


def test_figures_are_painted(site: Path, browser: Any) -> None:
    with Visit(browser, width=1280) as visit:
        visit.read((site / "00_quickstart.html").as_uri())
        assert visit.page.locator(".lq-figure").count() == 3
        column = visit.page.locator(".bd-article").bounding_box()["width"]
        for plot in visit.page.locator(".lq-plot").all():
            assert 0.9 * column < plot.bounding_box()["width"] <= column


def test_tables_scroll_in_their_own_box_on_a_phone(site: Path, browser: Any) -> None:
    with Visit(browser, width=390) as visit:
        visit.read((site / "00_quickstart.html").as_uri())
        table = visit.page.locator("table.dataframe")
        assert table.bounding_box()["width"] > 390
        assert table.evaluate("e => e.closest('.output').clientWidth") <= 390


def test_dark_mode_recolours_figures(site: Path, browser: Any) -> None:
    title = "Bokeh.documents[0].roots()[0].title.text_color"
    with Visit(browser, width=1280) as visit:
        visit.read((site / "00_quickstart.html").as_uri())
        before = visit.page.evaluate("getComputedStyle(document.body).backgroundColor"), visit.page.evaluate(title)
        visit.page.locator("button.theme-switch-button").first.click()
        visit.page.locator("button.theme-change-button[data-mode=dark]").first.click()
        visit.page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
        after = visit.page.evaluate("getComputedStyle(document.body).backgroundColor"), visit.page.evaluate(title)
        assert before[0] != after[0] and before[1] != after[1]
        assert visit.complaints == []


def test_search_finds_a_page(site: Path, browser: Any) -> None:
    with Visit(browser, width=1280) as visit:
        visit.page.goto(f"{(site / 'search.html').as_uri()}?q=liquidated")
        visit.page.wait_for_selector("#search-results li a")
        found = [link.get_attribute("href") for link in visit.page.locator("#search-results li a").all()]
        assert any("00_quickstart" in address for address in found)
        assert visit.complaints == []


def test_one_file_page(site: Path, browser: Any, tmp_path: Path) -> None:
    from liqlab.report.pages import Page
    from liqlab.report.single import write_page

    kept = site / "_notebooks" / "00_quickstart.ipynb"
    file = write_page(kept, page=Page("00_quickstart", kept), folder=tmp_path)
    with Visit(browser, width=390) as visit:
        visit.read(file.as_uri())
        assert [url for url in visit.asked if not url.startswith((file.as_uri(), "data:", "blob:"))] == []
        assert visit.complaints == []
        assert visit.width() <= 390
