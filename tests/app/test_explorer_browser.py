"""The explorer in a real browser: what one does with one's hands, what needs no server, and who may open it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from liqlab.app import scan_report
from liqlab.app._scan import Scan
from tests.browsers import launched, needs_chromium

pytestmark = [
    needs_chromium,
    pytest.mark.timeout(400),  # a server and a browser, both from cold
]
READY = "() => window.Bokeh && Bokeh.documents.length && Bokeh.documents[0].is_idle"
# what the map's own code has painted: places in the palette
PAINTED = """() => {
  const named = (name) => Bokeh.documents[0].select_by_name(name);
  const image = [...Bokeh.documents[0]._all_models.values()].filter((m) => m.data?.image)[0].data.image[0];
  let sum = 0;
  for (let k = 0; k < image.length; k++) sum += image[k] * (1 + k % 97);
  return [image.shape[1], image.shape[0], sum];
}"""
START = "?market=btc-2024-07&start=2024-07-01&end=2024-07-08"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "liqlab.cli", "explore", "--no-show", "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            if server.poll() is not None:
                raise RuntimeError("the explorer's server ended")
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as chromium:
        yield chromium


@pytest.fixture
def opened(browser: Any, address: str) -> Iterator[Any]:
    page = browser.new_context(viewport={"width": 1280, "height": 1000}).new_page()
    page.set_default_timeout(60_000)
    page.asked, page.complaints = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.goto(f"{address}/{START}", timeout=120_000)
    page.wait_for_function(READY)
    yield page
    page.context.close()


def until(page: Any, words: str) -> None:
    """Wait for words in the line of Python."""
    page.wait_for_function(f"(words) => {LINE}.includes(words)", arg=words)


LINE = "[...Bokeh.documents[0]._all_models.values()].find((m) => m.title === 'this state as a line of Python').value"


def test_by_hand(opened: Any, address: str) -> None:
    page = opened
    page.wait_for_function(f"() => ({PAINTED})()[2] > 0")
    columns, _, before = page.evaluate(PAINTED)
    assert columns == 168
    page.get_by_label("side", exact=True).select_option("long")
    page.wait_for_function(f"(before) => ({PAINTED})()[2] !== before", arg=before)
    until(page, "side='long'")
    page.get_by_label("colour scale").select_option("linear")
    until(page, "cnorm='linear'")
    page.mouse.move(600, 400)
    page.mouse.wheel(0, -300)
    page.wait_for_function(f"() => ({PAINTED})()[0] < 168")
    until(page, "price_range=")
    page.mouse.click(500, 480)
    page.locator("table").first.wait_for()
    assert "liquidation_price" in page.locator("table").first.inner_text()
    page.get_by_label("model", exact=True).select_option("volume")
    until(page, "model='volume'")
    with page.expect_download() as waited:
        page.get_by_text("CSV", exact=True).click()
    assert waited.value.suggested_filename == "liquidation-heatmap.csv"
    assert page.complaints == []
    assert [url for url in page.asked if not url.startswith((address, "data:", "blob:"))] == []
    page.wait_for_function("() => location.search.includes('model=volume')")
    link = page.url
    again = page.context.new_page()
    again.goto(link, timeout=120_000)
    again.wait_for_function(READY)
    assert again.evaluate(LINE) == page.evaluate(LINE)


def test_what_is_typed_is_not_run(opened: Any, address: str) -> None:
    page = opened
    page.get_by_label("from (UTC)").fill("<img src=x onerror='window.evil=1'>")
    page.get_by_label("from (UTC)").press("Enter")
    page.locator("[role=status]").get_by_text("<img").wait_for()
    page.goto(f"{address}/?market=%3Cimg%20src%3Dx%20onerror%3D%22window.evil%3D1%22%3E", timeout=120_000)
    page.wait_for_function(READY)
    page.locator("[role=status]").get_by_text("no market is called").wait_for()
    assert page.evaluate("window.evil") is None


def test_every_field_has_a_name_and_fits_a_phone(browser: Any, address: str) -> None:
    page = browser.new_context(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True).new_page()
    page.goto(f"{address}/{START}", timeout=120_000)
    page.wait_for_function(READY, timeout=60_000)
    page.wait_for_function(f"() => ({PAINTED})()[2] > 0")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for name in ("market", "window", "model", "law", "opened within", "leverages (none: all)", "side", "colours",
                 "colour scale", "clusters", "observed liquidations", "own position", "entry price"):  # fmt: skip
        assert page.get_by_label(name, exact=True).count() == 1, name
    for words in ("earlier", "later", "zoom in", "zoom out"):
        assert page.get_by_role("button", name=words).count() == 1, words
    page.get_by_role("button", name="zoom in").focus()
    page.keyboard.press("Enter")
    page.wait_for_function(f"() => ({PAINTED})()[0] < 168")
    page.context.close()


@pytest.mark.parametrize(("origin", "status"), [("http://evil.example", 403), (None, 101)])
def test_a_foreign_origin_is_refused(address: str, origin: str | None, status: int) -> None:
    host = address.removeprefix("http://")
    page = HTTPConnection(host, timeout=120)
    page.request("GET", "/")
    text = page.getresponse().read().decode()
    token = text.split('"token":"')[1].split('"')[0]
    connection = HTTPConnection(host, timeout=60)
    connection.request("GET", "/ws", headers={
        "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Origin": origin or address,
        "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==", "Sec-WebSocket-Protocol": f"bokeh, {token}",
    })  # fmt: skip
    assert connection.getresponse().status == status
    connection.close()


def test_the_page_of_a_scan_is_sorted_by_its_headings_and_leads_here(browser: Any, tmp_path: Path) -> None:
    """By keyboard too; what is missing stays last; a name is text, and its link opens that market."""
    columns = {"price": [3.0, 1_000.0, 20.0], "long_distance_percent": [-4.0, np.nan, 0.5], "notes": ["<b>", "", "y"]}
    table = pd.DataFrame(columns, index=["btc-2024-07", "<i>far</i>", "sol-2024-04"])
    (tmp_path / "scan.html").write_text(scan_report._page(Scan(table, pd.DataFrame(), {})), encoding="utf-8")
    page = browser.new_page()
    page.goto((tmp_path / "scan.html").as_uri())
    names = "() => [...document.querySelectorAll('table.markets tbody th')].map((cell) => cell.textContent)"
    assert page.evaluate("() => document.querySelectorAll('i, b').length") == 0
    page.get_by_role("button", name="price").click()
    assert page.evaluate(names) == ["btc-2024-07", "sol-2024-04", "<i>far</i>"]
    page.keyboard.press("Enter")
    assert page.evaluate(names) == ["<i>far</i>", "sol-2024-04", "btc-2024-07"]
    assert page.locator("th[aria-sort=descending]").inner_text() == "price"
    for _ in range(2):
        page.get_by_role("button", name="long_distance_percent").click()
    assert page.evaluate(names) == ["btc-2024-07", "sol-2024-04", "<i>far</i>"]
    link = page.get_by_role("link", name="btc-2024-07").get_attribute("href")
    assert link == "http://127.0.0.1:5006/?market=btc-2024-07" and "liqlab explore '<i>far</i>'" in page.inner_text(
        "code"
    )
    page.close()
