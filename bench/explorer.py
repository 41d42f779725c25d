"""``python -m bench.explorer``: how long the explorer takes in a real browser, on a year of 1m candles.

Medians of 50 in Chromium, from the change to the cells as the browser has painted them: what needs no server,
leverages, zoom and pan (less the debounce of 100 ms), models and laws; and the first picture. A benchmark, not a test.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import time
from typing import Any

import pandas as pd

TURNS = int(sys.argv[1]) if sys.argv[1:] and sys.argv[1].isdigit() else 50
PORT = 5207
QUIET = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
# the painter writes when it has painted; two frames later it is on the screen
SETUP = """() => {
  const models = [...Bokeh.documents[0]._all_models.values()];
  const named = (text) => models.find((m) => m.title === text);
  window.shown = models.find((m) => m.data?.image);
  window.look = models.find((m) => m.data?.cnorm);
  window.main = models.find((m) => m.name === "estimated liquidation heatmap");
  window.timed = (change) => new Promise((done, fail) => {
    const before = window.shown.tags[0], begun = performance.now();
    change();
    const wait = () => {
      if (window.shown.tags[0] !== before) requestAnimationFrame(() => done(performance.now() - begun));
      else if (performance.now() - begun > 60_000) fail("nothing was painted within a minute");
      else setTimeout(wait, 1);
    };
    wait();
  });
  window.choose = (title, value) => { named(title).value = value; };
}"""


def browsed(page: Any, name: str, changes: list[str], *, less: float = 0.0, aim: float) -> None:
    """Medians of the changes, in turn."""
    times = [page.evaluate(f"() => timed(() => {{ {changes[k % len(changes)]} }})") - less for k in range(TURNS)]
    middle = statistics.median(times)
    late = sorted(times)[int(0.9 * (len(times) - 1))]
    print(f"{name:44}{middle:8.0f} ms   90 %: {late:6.0f} ms   aim {aim:.0f}", flush=True)


def window(days: float, end: float, low: float, high: float) -> str:
    """Code that shows a range, in parts of the year and factors of the last price."""
    return f"shift({days}, {end}, {low}, {high});"


def main() -> None:
    """Serve a year, open it, and measure."""
    import panel as pn
    from playwright.sync_api import sync_playwright

    import liqlab as lq
    from bench.__main__ import YEAR, market, walk
    from liqlab.app.explorer_maps import Catalogue
    from liqlab.app.explorer_state import ExplorerState
    from liqlab.app.explorer_view import Explorer

    year = market(walk(YEAR), 60)
    catalogue = Catalogue({"year": year}, every_example=False)
    state = ExplorerState(market="year")
    lq.heatmap(lq.load_example("btc-2024-05"), start="2024-05-30")  # a warm kernel
    begun = time.perf_counter()
    Explorer(state, catalogue).__panel__()
    print(
        f"first picture in a warm kernel, without the browser   {time.perf_counter() - begun:5.2f} s   aim 3 s with it"
    )
    catalogue = Catalogue({"year": year}, every_example=False)
    server = pn.serve(
        {"/": lambda: Explorer(state, catalogue)}, port=PORT, address="127.0.0.1", show=False, threaded=True,
        websocket_origin=[f"127.0.0.1:{PORT}"], websocket_max_message_size=300_000_000,
    )  # fmt: skip
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with sync_playwright() as playwright:
        page = playwright.chromium.launch(executable_path=chromium, args=QUIET).new_page()
        page.set_default_timeout(120_000)
        time.sleep(2)
        begun = time.perf_counter()
        page.goto(f"http://127.0.0.1:{PORT}/")
        ready = "[...Bokeh.documents[0]._all_models.values()].find((m) => m.data?.image)?.tags.length"
        page.wait_for_function(f"() => window.Bokeh && Bokeh.documents.length && {ready}")
        print(f"first picture, page and all                           {time.perf_counter() - begun:5.2f} s   aim 3 s")
        page.wait_for_timeout(2_000)
        page.evaluate(SETUP)
        day, last = 86_400_000.0, year.end.value / 1e6
        price = float(year.candles["close"].iloc[-1])
        page.evaluate(f"""() => {{ window.shift = (days, end, low, high) => {{
          const stop = {last} - end * {day};
          main.x_range.setv({{start: stop - days * {day}, end: stop}});
          main.y_range.setv({{start: low * {price}, end: high * {price}}});
        }} }}""")
        columns, rows = page.evaluate("() => shown.data.image[0].shape").__reversed__()
        print(f"{columns} × {rows} cells, {TURNS} turns each")
        browsed(page, "threshold", [
            "look.data = {...look.data, low: [0.1]};", "look.data = {...look.data, low: [0.2]};"], aim=60)  # fmt: skip
        browsed(page, "colours", ["look.data = {...look.data, cmap: ['black-yellow']};",
                                  "look.data = {...look.data, cmap: ['purple-yellow']};"], aim=60)  # fmt: skip
        browsed(page, "scale", [f"look.data = {{...look.data, cnorm: ['{each}']}};"
                                for each in ("linear", "eq_hist", "log")], aim=60)  # fmt: skip
        browsed(page, "side", [f"look.data = {{...look.data, side: ['{each}']}};"
                               for each in ("long", "short", "both")], aim=150)  # fmt: skip
        for days in (0.5, 7, 30, 90, 180, 365):
            places = [window(days, k * min(days / 10, 3), 0.9, 1.1) for k in range(1, 8 if days < 365 else 2)]
            if days == 365:
                places = [window(360, 0, 0.6, 1.5), window(350, 0, 0.6, 1.5), window(340, 5, 0.6, 1.5)]
            browsed(page, f"zoom or pan, {days:g} days shown, less 100 ms", places, less=100, aim=250)
        page.evaluate(f"() => timed(() => {{ {window(7, 0, 0.9, 1.1)} }})")
        page.wait_for_timeout(1_000)
        begun = time.perf_counter()
        page.evaluate("() => timed(() => choose('leverages (none: all)', ['10x']))")
        print(f"the first leverage of a view                          {time.perf_counter() - begun:5.2f} s")
        browsed(page, "leverage", [f"choose('leverages (none: all)', ['{each}x']);" for each in (25, 50, 10)], aim=150)
        page.evaluate("() => timed(() => choose('leverages (none: all)', []))")
        browsed(page, "model", [f"choose('model', '{each}');" for each in ("volume", "open_interest")], aim=700)
        browsed(page, "law", [f"choose('law', '{each}');" for each in ("retail", "fitted")], aim=700)
        browsed(page, "model, three in turn", [f"choose('model', '{each}');"
                                               for each in ("volume", "decay", "open_interest")], aim=700)  # fmt: skip
        kept = sum(ledger.nbytes for ledger in catalogue._ledgers.values())
        print(f"states kept of {len(catalogue._ledgers)} ledgers: {kept / 1e6:.0f} MB   aim 300 MB")
    server.stop()
    print(f"measured {pd.Timestamp.now('UTC'):%Y-%m-%d}")


if __name__ == "__main__":
    if {"-h", "--help"} & {*sys.argv[1:]}:
        raise SystemExit(print(__doc__))
    main()
