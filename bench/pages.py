"""Pages of a built site as a browser draws them: what is cut, and what lies over what.

``python -m bench.pages SITE [PAGE …] [--shots FOLDER]`` draws every page at 390, 768 and 1280 px and prints the faults:
text of a figure that is cut by its edge, texts over each other, a legend over data or over a title, a page wider than
its window. ``--shots`` writes a picture of each page too. It ends with 1 if there was a fault.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

WIDTHS = (390, 768, 1280)
CHROMIUM = "/usr/bin/chromium"
PATIENCE_S = 30
CUT_PX, OVER_PX = 1.5, 2.0  # of a text's box: letters are smaller than it

# Notes each text that is painted, with its box [CSS px of its canvas]; a canvas that is cleared forgets its texts.
NOTE_TEXTS = """
(() => {
  const kept = globalThis.paintedTexts = new Map(), pen = CanvasRenderingContext2D.prototype;
  const {fillText, clearRect} = pen;
  pen.clearRect = function (x, y, w, h) {
    if (w * (devicePixelRatio || 1) >= this.canvas.width - 2 || w >= this.canvas.width - 2) kept.delete(this.canvas);
    return clearRect.call(this, x, y, w, h);
  };
  pen.fillText = function (text, x, y, ...rest) {
    if (this.canvas.isConnected !== undefined && String(text).trim()) {
      const m = this.measureText(text), t = this.getTransform(), ratio = devicePixelRatio || 1;
      const corners = [[x - m.actualBoundingBoxLeft, y - m.actualBoundingBoxAscent],
        [x + m.actualBoundingBoxRight, y + m.actualBoundingBoxDescent]];
      const ends = [[0, 0], [0, 1], [1, 0], [1, 1]].map(([i, j]) => [corners[i][0], corners[j][1]])
        .map(([a, b]) => [(t.a * a + t.c * b + t.e) / ratio, (t.b * a + t.d * b + t.f) / ratio]);
      const xs = ends.map((e) => e[0]), ys = ends.map((e) => e[1]);
      if (!kept.has(this.canvas)) kept.set(this.canvas, []);
      kept.get(this.canvas).push([String(text), [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)]]);
    }
    return fillText.call(this, text, x, y, ...rest);
  };
})();
"""

# Of each Bokeh figure: its size, what is painted on it, its legends, and the places of its data.
FIGURES = """
() => {
  const found = [], seen = new Set(), box = (b) => b && [b.left, b.top, b.right, b.bottom];
  const inside = (root, all = []) => {
    for (const e of root.querySelectorAll("*")) {
      if (e.tagName === "CANVAS") all.push(e);
      if (e.shadowRoot) inside(e.shadowRoot, all);
    }
    return all;
  };
  const points = (glyph, frame) => {
    const seenIn = ([x, y]) => x >= frame.left && x <= frame.right && y >= frame.top && y <= frame.bottom;
    if (typeof glyph?.sleft?.[0] === "number")
      return Array.from(glyph.sleft).flatMap((x, k) => [[x, glyph.stop[k]], [glyph.sright[k], glyph.stop[k]],
        [(x + glyph.sright[k]) / 2, (glyph.stop[k] + glyph.sbottom[k]) / 2]]).filter(seenIn);
    if (typeof glyph?.sx?.[0] !== "number" || glyph.sy?.length !== glyph.sx.length) return [];
    return Array.from(glyph.sx).map((x, k) => [x, glyph.sy[k]]).filter(seenIn);
  };
  const read = (view) => {
    const legends = [], data = [];
    for (const [model, item] of view.renderer_views) {
      if (!model.visible) continue;
      if (model.type === "Legend" && model.items.length) legends.push(box(item.bbox));
      if (model.type === "GlyphRenderer") data.push(...points(item.glyph, view.frame.bbox));
    }
    const texts = inside(view.shadow_el).flatMap((canvas) => globalThis.paintedTexts.get(canvas) ?? []);
    found.push({title: view.model.title?.text ?? "", size: [view.el.clientWidth, view.el.clientHeight],
      texts, legends, data});
  };
  const walk = (view) => {
    if (!view || seen.has(view)) return;
    seen.add(view);
    if (view.model?.type === "Figure" && view.el.clientWidth) read(view);
    for (const child of view.child_views ?? []) walk(child);
  };
  for (const view of globalThis.Bokeh?.index?.roots ?? []) walk(view);
  return found;
}
"""


def faults_of(figure: dict[str, Any]) -> Iterator[str]:
    """What is wrong with one figure, in words.

    >>> figure = {"size": [100, 50], "texts": [["long", [80, 2, 120, 9]]], "legends": [[10, 12, 40, 20]],
    ...           "data": [[20, 15]]}
    >>> list(faults_of(figure))
    ["'long' is cut by 20 px", 'a legend lies over 1 of 1 points']
    """
    (wide, tall), texts, data = figure["size"], {(text, *box) for text, box in figure["texts"]}, figure["data"]
    for text, *box in sorted(texts):
        out = max(-box[0], -box[1], box[2] - wide, box[3] - tall)
        if out > CUT_PX:
            yield f"{text!r} is cut by {out:.0f} px"
    for (one, *a), (other, *b) in combinations(sorted(texts), 2):
        if _shared(a, b) > OVER_PX:
            yield f"{one!r} lies over {other!r}"
    for legend in figure["legends"]:
        under = sum(legend[0] < x < legend[2] and legend[1] < y < legend[3] for x, y in data)
        if under:
            yield f"a legend lies over {under} of {len(data)} points"
        if legend[2] - wide > CUT_PX or legend[3] - tall > CUT_PX:
            yield "a legend is cut"


def _shared(a: list[float], b: list[float]) -> float:
    """The lesser side of what two boxes share [px]; 0 or less where they are apart."""
    return min(min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1]))


def draw(page: Any, address: str) -> int:
    """Open a page and scroll until its figures are drawn; returns how many were not within `PATIENCE_S` each."""
    page.goto(address)
    missing = 0
    for figure in page.locator(".lq-figure").all():
        for _ in range(2 * PATIENCE_S):  # what is drawn above moves what is below: scroll again
            figure.evaluate("each => each.scrollIntoView({behavior: 'instant'})")
            if figure.get_attribute("data-drawn") == "yes":
                break
            page.wait_for_timeout(500)
        else:
            missing += 1
    page.wait_for_timeout(600)
    page.evaluate("window.scrollTo(0, 0)")
    return missing


def look(browser: Any, page: Path, width: int, shots: Path | None) -> list[str]:
    """The faults of one page at one width [px]."""
    context = browser.new_context(viewport={"width": width, "height": 900})
    tab = context.new_page()
    tab.add_init_script(NOTE_TEXTS)
    missing = draw(tab, page.resolve().as_uri())
    found = [f"{figure['title'].splitlines()[:1]}: {fault}" for figure in tab.evaluate(FIGURES)
             for fault in faults_of(figure)]  # fmt: skip
    if missing:
        found.append(f"figures not drawn: {missing}")
    if (wide := tab.evaluate("document.documentElement.scrollWidth")) > width:
        found.append(f"the page is {wide} px wide")
    if shots:
        tab.screenshot(path=shots / f"{page.stem}-{width}.png", full_page=True)
    context.close()
    return found


def main() -> int:
    """Look at the pages that the command line names, else at all."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("site", type=Path)
    parser.add_argument("pages", nargs="*")
    parser.add_argument("--shots", type=Path)
    asked = parser.parse_args()
    pages = [asked.site / f"{name}.html" for name in asked.pages] or sorted(asked.site.glob("*.html"))
    if asked.shots:
        asked.shots.mkdir(parents=True, exist_ok=True)
    count = 0
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for page in pages:
            for width in WIDTHS:
                faults = look(browser, page, width, asked.shots)
                count += len(faults)
                print(*(f"{page.stem} {width} {fault}" for fault in faults), sep="\n", end="\n" if faults else "")
        browser.close()
    print(f"{count} faults on {len(pages)} pages at {', '.join(map(str, WIDTHS))} px")
    return int(count > 0)


if __name__ == "__main__":
    raise SystemExit(main())
