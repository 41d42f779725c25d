"""The site in a real browser: from the disk and over HTTP, on a desk and on a phone, by day and by night.

``LIQLAB_SITE=site`` looks at every page of a site that is already built; ``LIQLAB_LONG=1`` builds the whole one first,
and runs the quickstart in JupyterLab.
"""

from __future__ import annotations

import functools
import http.server
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import liqlab as lq
from liqlab.margin.tiers import tiers_for
from tests.browsers import launched, needs_chromium
from tests.small_site import shared

pytestmark = needs_chromium

PAGES = ("index", "00_quickstart", "02_explore", "fall", "cases", "glossary", "api", "search")
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
    return shared(tmp_path_factory)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as chromium:
        yield chromium


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

    def __init__(self, browser: Any, *, width: int, scheme: str = "light", touch: bool = False) -> None:
        self.context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, has_touch=touch, is_mobile=touch
        )
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
        figures = self.page.locator(".lq-figure").count()
        for k in range(figures):
            figure = f"document.querySelectorAll('.lq-figure')[{k}]"
            self.page.evaluate(f"{figure}.scrollIntoView({{behavior: 'instant'}})")
            self.page.wait_for_function(f"{figure}.dataset.drawn === 'yes'", timeout=20_000)
        self.page.wait_for_function(f"() => ({PAINTED})() >= {figures}", timeout=20_000)
        return self

    def width(self) -> int:
        return self.page.evaluate("document.documentElement.scrollWidth")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", PAGES)
def test_from_the_disk(name: str, width: int, site: Path, browser: Any) -> None:
    with Visit(browser, width=width) as session:
        session.read((site / f"{name}.html").as_uri())
        assert [url for url in session.asked if not url.startswith((site.as_uri(), "data:", "blob:"))] == []
        assert session.complaints == []
        assert session.width() <= width, "the page scrolls sideways"


@pytest.mark.parametrize("width", [1280, 390])
def test_over_http(width: int, address: str, browser: Any) -> None:
    for name in PAGES:
        with Visit(browser, width=width, scheme="dark") as session:
            session.read(f"{address}/{name}.html")
            assert [url for url in session.asked if not url.startswith((address, "data:", "blob:"))] == []
            assert session.complaints == []
            assert session.width() <= width, "the page scrolls sideways"


def test_figures_are_painted(site: Path, browser: Any) -> None:
    with Visit(browser, width=1280) as session:
        session.read((site / "00_quickstart.html").as_uri())
        assert session.page.locator(".lq-figure").count() == 3
        column = session.page.locator(".bd-article").bounding_box()["width"]
        for plot in session.page.locator(".lq-plot").all():
            assert 0.9 * column < plot.bounding_box()["width"] <= column


def test_tables_scroll_in_their_own_box_on_a_phone(site: Path, browser: Any) -> None:
    with Visit(browser, width=390) as session:
        session.read((site / "00_quickstart.html").as_uri())
        table = session.page.locator("table.dataframe")
        assert table.bounding_box()["width"] > 390
        assert table.evaluate("e => e.closest('.output').clientWidth") <= 390


def test_dark_mode_recolours_figures(site: Path, browser: Any) -> None:
    title = "Bokeh.documents[0].roots()[0].title.text_color"
    with Visit(browser, width=1280) as session:
        session.read((site / "00_quickstart.html").as_uri())
        before = session.page.evaluate("getComputedStyle(document.body).backgroundColor"), session.page.evaluate(title)
        session.page.locator("button.theme-switch-button").first.click()
        session.page.locator("button.theme-change-button[data-mode=dark]").first.click()
        session.page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
        after = session.page.evaluate("getComputedStyle(document.body).backgroundColor"), session.page.evaluate(title)
        assert before[0] != after[0] and before[1] != after[1]
        assert session.complaints == []


def test_search_finds_a_page(site: Path, browser: Any) -> None:
    with Visit(browser, width=1280) as session:
        session.page.goto(f"{(site / 'search.html').as_uri()}?q=liquidated")
        session.page.wait_for_selector("#search-results li a")
        found = [link.get_attribute("href") for link in session.page.locator("#search-results li a").all()]
        assert any("00_quickstart" in address for address in found)
        assert session.complaints == []


def test_one_file_page(site: Path, browser: Any, tmp_path: Path) -> None:
    from liqlab.report.kept_pages import kept_file
    from liqlab.report.pages import Page
    from liqlab.report.single_page import write_page

    kept = kept_file(site, "00_quickstart")
    file = write_page(kept, page=Page("00_quickstart", kept), folder=tmp_path)
    with Visit(browser, width=390) as session:
        session.read(file.as_uri())
        assert [url for url in session.asked if not url.startswith((file.as_uri(), "data:", "blob:"))] == []
        assert session.complaints == []
        assert session.width() <= 390


# --- controls without a kernel ---------------------------------------------------------------------------------------

# what the canvases of the figure with controls show, in one line
DIGEST = """() => {
  const found = [];
  const look = (root) => root.querySelectorAll("*").forEach((e) => {
    if (e.tagName === "CANVAS") found.push(e);
    if (e.shadowRoot) look(e.shadowRoot);
  });
  look(document.getElementById("figure-02_explore-1"));
  return found.filter((canvas) => canvas.width > 60).map((canvas) => {
    const data = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer);
    return data.reduce((sum, pixel) => (Math.imul(sum, 31) + pixel) | 0, 0);
  }).join();
}"""
NAMED = "[...Bokeh.documents[0].all_models].find((model) => model.name === 'explore-{}')"
MAIN, ASIDE, SPAN = NAMED.format("main"), NAMED.format("profile"), NAMED.format("main") + ".x_range"


@pytest.fixture(scope="module")
def explored(site: Path, browser: Any) -> Iterator[Any]:
    """The page with controls, drawn; tests leave its controls as they found them."""
    with Visit(browser, width=1280) as session:
        yield session.read((site / "02_explore.html").as_uri()).page
        assert session.complaints == []


def still(page: Any) -> str:
    """What the picture shows while the pointer is elsewhere."""
    page.mouse.move(5, 5)
    page.wait_for_timeout(200)
    return page.evaluate(DIGEST)


def cells(page: Any) -> list[int]:
    """What the picture is made from, by price and time: places in the palette."""
    return page.evaluate(f"Array.from({NAMED.format('cells')}.data_source.data.image[0])")


def repainted(page: Any, before: str) -> list[int]:
    """The cells, once the picture is another one."""
    page.wait_for_function(f"(before) => ({DIGEST})() !== before", arg=before, timeout=5_000)
    page.wait_for_timeout(200)
    return cells(page)


def leverages(page: Any) -> Any:
    """The box of one band of leverages."""
    return page.get_by_label(re.compile(r"^\d+(\.\d+)?–\d+(\.\d+)?x$")).nth(1)


def test_sides_leverages_and_models_change_the_picture_and_back(explored: Any) -> None:
    whole = cells(explored)
    models = explored.locator("select").first
    for choose, undo in (
        (lambda: button(explored, "shorts").click(), lambda: button(explored, "both").click()),
        (lambda: leverages(explored).click(), lambda: leverages(explored).click()),
        (lambda: models.select_option("volume"), lambda: models.select_option("open_interest")),
    ):
        before = still(explored)
        choose()
        assert repainted(explored, before) != whole
        assert f"model {models.input_value()}" in explored.evaluate(f"{MAIN}.title.text")
        before = still(explored)
        undo()
        assert repainted(explored, before) == whole


def button(page: Any, name: str) -> Any:
    return page.get_by_role("button", name=name, exact=True)


def test_what_is_chosen_is_what_is_drawn(explored: Any) -> None:
    """A cell stands for longs or for shorts: what both show is what each shows alone."""

    def drawn(side: str) -> list[int]:
        button(explored, side).click()
        explored.wait_for_timeout(200)
        return cells(explored)

    longs, shorts, both = drawn("longs"), drawn("shorts"), drawn("both")
    lit = [{k for k, code in enumerate(codes) if code} for codes in (longs, shorts, both)]
    assert lit[0] and lit[1] and lit[0] | lit[1] == lit[2]
    assert sum(lit[0]) / len(lit[0]) < sum(lit[1]) / len(lit[1]), "longs stand below shorts"


def test_sliders_are_moved_by_keyboard(explored: Any) -> None:
    whole, before = cells(explored), still(explored)
    handles = explored.locator("[role=slider]")
    assert handles.count() == 4  # threshold, moment, and both ends of the period
    handles.nth(0).focus()
    for _ in range(4):
        explored.keyboard.press("PageUp")
    assert sum(map(bool, repainted(explored, before))) < sum(map(bool, whole))
    explored.keyboard.press("Home")
    explored.wait_for_timeout(300)
    assert cells(explored) == whole
    before = explored.evaluate(f"{ASIDE}.title.text")
    handles.nth(1).focus()
    explored.keyboard.press("Home")
    explored.wait_for_function(f"(before) => {ASIDE}.title.text !== before", arg=before)
    explored.keyboard.press("End")
    explored.wait_for_function(f"(before) => {ASIDE}.title.text === before", arg=before)
    start = explored.evaluate(f"{SPAN}.start")
    handles.nth(2).focus()
    explored.keyboard.press("PageUp")
    explored.wait_for_function(f"(start) => {SPAN}.start > start", arg=start)
    explored.keyboard.press("Home")
    explored.wait_for_function(f"(start) => {SPAN}.start === start", arg=start)


def test_side_map_follows_the_pointer_and_the_hover_tells_its_precision(explored: Any) -> None:
    explored.locator("[id=figure-02_explore-1]").scroll_into_view_if_needed()
    box = explored.locator("[id=figure-02_explore-1] .bk-Figure").first.bounding_box()
    explored.mouse.move(box["x"] + 0.35 * box["width"], box["y"] + 0.5 * box["height"])
    explored.wait_for_timeout(300)
    first = explored.evaluate(f"{ASIDE}.title.text")
    explored.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.45 * box["height"], steps=4)
    explored.wait_for_function(f"(first) => {ASIDE}.title.text !== first", arg=first)
    explored.get_by_text("within 2.3%").first.wait_for()


def test_a_drag_on_the_strip_brushes_the_time(explored: Any) -> None:
    start, end = explored.evaluate(f"[{SPAN}.start, {SPAN}.end]")
    strip = explored.locator("[id=figure-02_explore-1] .bk-Figure").last
    strip.scroll_into_view_if_needed()
    box = strip.bounding_box()
    y = box["y"] + 0.3 * box["height"]
    explored.mouse.move(box["x"] + 0.4 * box["width"], y)
    explored.mouse.down()
    explored.mouse.move(box["x"] + 0.7 * box["width"], y, steps=6)
    explored.mouse.up()
    explored.wait_for_timeout(300)
    new = explored.evaluate(f"[{SPAN}.start, {SPAN}.end]")
    assert start <= new[0] < new[1] <= end and new != [start, end]
    assert explored.locator("dialog.lq-large").count() == 0, "a drag is no click"
    explored.evaluate(f"{SPAN}.setv({{start: {start}, end: {end}}})")


# --- every figure -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["00_quickstart", "02_explore"])
def test_click_opens_large_and_escape_closes(name: str, site: Path, browser: Any) -> None:
    with Visit(browser, width=1280) as session:
        page = session.read((site / f"{name}.html").as_uri()).page
        for figure in page.locator(".lq-figure").all():
            plot = figure.locator(".bk-Figure").first
            plot.scroll_into_view_if_needed()
            page.wait_for_timeout(200)
            small = plot.bounding_box()
            page.mouse.click(small["x"] + 0.5 * small["width"], small["y"] + 0.5 * small["height"])
            page.locator("dialog.lq-large[open]").wait_for()
            page.wait_for_timeout(400)
            large = page.locator("dialog.lq-large .bk-Figure").first.bounding_box()
            assert large["width"] > 1.2 * small["width"] or large["height"] > 1.2 * small["height"]
            page.keyboard.press("Escape")
            page.locator("dialog.lq-large").wait_for(state="detached")
            page.wait_for_timeout(300)
            again = plot.bounding_box()
            assert abs(again["width"] - small["width"]) < 2 and abs(again["height"] - small["height"]) < 2
        assert session.complaints == []


def test_figures_are_downloaded_as_png(site: Path, browser: Any) -> None:
    with Visit(browser, width=1280) as session:
        page = session.read((site / "02_explore.html").as_uri()).page
        with page.expect_download() as waiting:
            page.get_by_role("button", name="download this figure as PNG").first.click()
        assert waiting.value.suggested_filename == "02_explore-figure-1.png"
        content = Path(waiting.value.path()).read_bytes()
        assert content.startswith(b"\x89PNG") and len(content) > 10_000


def test_parameters_are_copied(address: str, browser: Any) -> None:
    with Visit(browser, width=1280) as session:
        session.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = session.read(f"{address}/rise.html").page
        page.get_by_role("button", name="Copy the parameters").click()
        page.get_by_role("button", name="copied").wait_for()
        assert page.evaluate("navigator.clipboard.readText()").startswith("liqlab page rise -p seed=3 -p ")


def test_a_finger_scrolls_the_page(site: Path, browser: Any) -> None:
    """No figure takes the drag of a finger for itself, and none opens at a tap: that shows the hover."""
    taken = """() => {
      const found = [];
      const look = (root) => root.querySelectorAll("*").forEach((e) => {
        if (e.classList.contains("bk-events")) found.push(getComputedStyle(e).touchAction);
        if (e.shadowRoot) look(e.shadowRoot);
      });
      look(document);
      return found;
    }"""
    with Visit(browser, width=390, touch=True) as session:
        page = session.read((site / "02_explore.html").as_uri()).page
        found = page.evaluate(taken)
        assert found and set(found) <= {"auto", "pan-y", "pan-x pan-y", "manipulation"}
        plot = page.locator("[id=figure-02_explore-1] .bk-Figure").first
        plot.scroll_into_view_if_needed()
        box = plot.bounding_box()
        page.touchscreen.tap(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
        page.wait_for_timeout(300)
        assert page.locator("dialog.lq-large").count() == 0


def test_line_charts_are_dark_at_night_and_printed_as_by_day(site: Path, browser: Any) -> None:
    chart = "Bokeh.documents.flatMap((d) => [...d.all_models]).find((m) => m.title?.text === 'close [USDT]')"
    line = f"(() => {{ const c = {chart}.renderers[0].glyph.line_color; return c.value ?? c; }})()"
    with Visit(browser, width=1280, scheme="dark") as session:
        page = session.read((site / "02_explore.html").as_uri()).page
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert page.evaluate(f"{chart}.background_fill_color") == ground
        assert page.evaluate(line) not in ("black", "#000000")
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        assert page.evaluate(line) == "black"
        page.evaluate("window.dispatchEvent(new Event('afterprint'))")
        assert page.evaluate(line) != "black"


# --- the whole course, and JupyterLab ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if os.environ.get("LIQLAB_SITE"):
        return Path(os.environ["LIQLAB_SITE"]).resolve()
    if not os.environ.get("LIQLAB_LONG"):
        pytest.skip("the whole site: LIQLAB_SITE=<a built site> or LIQLAB_LONG=1")
    from liqlab.report.build import build_site

    folder = tmp_path_factory.mktemp("whole") / "site"
    build_site(folder)
    return folder


@pytest.mark.timeout(1_800)  # all pages at two widths
def test_every_page_of_the_course(whole_site: Path, browser: Any) -> None:
    faults = []
    for file in sorted(whole_site.glob("*.html")):
        for width in (1280, 390):
            with Visit(browser, width=width) as session:
                session.read(file.as_uri())
                asked = [url for url in session.asked if not url.startswith((whole_site.as_uri(), "data:", "blob:"))]
                wide = [f"{session.width()} px wide"] if session.width() > width else []
                faults += [f"{file.stem} at {width}: {fault}" for fault in (*asked, *session.complaints, *wide)]
        if file.stat().st_size >= 6e6:
            faults.append(f"{file.stem}: {file.stat().st_size / 1e6:.1f} MB")
    assert faults == []
    assert sum(path.stat().st_size for path in whole_site.rglob("*") if path.is_file()) < 40e6


@pytest.mark.skipif(not os.environ.get("LIQLAB_LONG"), reason="takes a minute: LIQLAB_LONG=1")
def test_quickstart_runs_in_jupyterlab(browser: Any, tmp_path: Path) -> None:
    """A reader's way: open the notebook, run all cells, look at the figures."""
    root = Path(__file__).parents[2]
    shutil.copy(root / "notebooks" / "00_quickstart.ipynb", tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", f"--port={port}",
               "--ip=127.0.0.1", "--IdentityProvider.token=", "--LabApp.expose_app_in_browser=True",
               f"--notebook-dir={tmp_path}"]  # fmt: skip
    own = {"JUPYTER_RUNTIME_DIR": str(tmp_path / "run"), "IPYTHONDIR": str(tmp_path / "ipython"),
           "JUPYTER_CONFIG_DIR": str(tmp_path / "config"), "PYTHONPATH": str(root)}  # fmt: skip
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(command, env={**os.environ, **own}, **quiet)
    try:
        wait_for_port(port, server)
        with Visit(browser, width=1280) as session:
            run_all(session.page, f"http://127.0.0.1:{port}/lab/tree/00_quickstart.ipynb")
    finally:
        server.terminate()
        server.wait(20)


def wait_for_port(port: int, server: Any) -> None:
    for _ in range(240):
        assert server.poll() is None, "JupyterLab has ended"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.25)
    raise AssertionError("JupyterLab does not answer")


def run_all(page: Any, address: str) -> None:
    """Open, wait for the kernel, run every cell; no error, and the figures are painted."""
    page.goto(address)
    kernel = "jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel"
    ready = f"() => window.jupyterapp && {kernel}?.status === 'idle' && {kernel}?.connectionStatus === 'connected'"
    page.wait_for_function(ready, timeout=90_000)
    page.evaluate("() => { jupyterapp.commands.execute('notebook:run-all-cells'); }")
    codes = """(() => {
      const cells = jupyterapp.shell.currentWidget.content.model.cells;
      return [...Array(cells.length).keys()].map((k) => cells.get(k)).filter((cell) => cell.type === 'code');
    })()"""
    page.wait_for_function(f"() => {codes}.every((cell) => cell.executionCount !== null)", timeout=120_000)
    errors = f"{codes}.flatMap((cell) => cell.outputs.toJSON()).filter((output) => output.output_type === 'error')"
    assert page.evaluate(f"{errors}.map((output) => output.evalue)") == []
    page.wait_for_function(f"() => ({PAINTED})() >= 1", timeout=30_000)


@pytest.mark.parametrize("width", [1280, 390])
def test_the_calculator_answers_as_the_call_does(width: int, site: Path, browser: Any) -> None:
    with Visit(browser, width=width) as session:
        session.read((site / "calculator.html").as_uri())
        page = session.page
        for label, choice in (("Venue", "bybit"), ("Symbol", "SOL/USDT:USDT"), ("Side", "long")):
            page.get_by_label(label, exact=True).select_option(choice)
        for label, value in (("Entry price", "1,50.0"), ("Size", "100"), ("Leverage", "20"), ("Added margin", "3")):
            page.get_by_label(label, exact=True).fill(value)
        page.get_by_label("Unit of the added margin").select_option("percent")
        assert "Entry price: 1,50.0 is no number" in page.get_by_role("alert").inner_text()
        page.get_by_label("Entry price").fill("150")
        expected = lq.liquidation_price(150, side="long", leverage=20, quantity=100, added_margin=450, exchange="bybit",
                                        leverage_tiers=tiers_for("bybit", "SOL/USDT:USDT"))  # fmt: skip
        assert float(page.locator("#lq-price").inner_text()) == pytest.approx(expected, rel=1e-7)
        assert "binanceusdm's stand in" in page.locator("#lq-table").inner_text()
        call = page.locator("#lq-call").inner_text()
        with pytest.warns(UserWarning, match="stand in"):
            assert eval(call, {"lq": lq}) == pytest.approx(expected)
        page.get_by_label("Mode", exact=True).select_option("cross")
        assert "Fill in the wallet balance" in page.get_by_role("alert").inner_text()
        page.get_by_label("Wallet balance").fill("1200")
        assert page.get_by_role("alert").is_hidden() and not page.get_by_label("Leverage", exact=True).is_visible()
        assert session.width() <= width and not session.complaints
