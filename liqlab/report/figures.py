"""Outputs of an executed notebook → what a page can show by itself.

A displayed HoloViews, hvPlot or Bokeh object leaves in the notebook a script that waits for a loader, and a loader that
asks other hosts for files. Both are dropped. The figure's document, which the script carries, is read back into Bokeh,
made to fit the column, and written as one ``json_item`` that the page's own few lines of JavaScript draw.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from html import escape
from typing import Any

import numpy as np

from liqlab.engine.jit import COMPILES
from liqlab.report.packed_images import pack_images, rounded
from liqlab.report.pages import ReportError
from liqlab.report.texts import defuse_tex

_LOADERS = ("application/vnd.holoviews_load.v0+json", "application/vnd.bokehjs_load.v0+json")
_WIDGETS = ("application/vnd.jupyter.widget-view+json", "application/vnd.jupyter.widget-state+json")
_SESSION = ("panel.models.browser.BrowserInfo", "panel.models.comm_manager.CommManager")
_DOCUMENT = re.compile(r"\bdocs_json\s*=\s*(?=\{)")
_ITEMS = re.compile(r"\brender_items\s*=\s*(?=\[)")
_NOT_SHOWN = re.compile(r"<(script|style|link)\b.*?(</\1>|/>)|<[^>]*>|\s", re.DOTALL | re.IGNORECASE)
_TEX = re.compile(r"\$\$|\\\\[(\[]")
_DONE = '<div class="lq-figure"'
_MIN_WIDTH_PX = 300  # [px] of a plot in a row of plots
_WIDE = 400  # [px] from which a plot of fixed width stretches, also beside others


def without_loaders(notebook: Any) -> Any:
    """The notebook without the libraries that ``hv.extension`` and widgets write into it (3 MB each time).

    Nor does a page say that its machine had to compile.
    """
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not _is_loader(output)]
    return notebook


def with_plain_figures(notebook: Any, *, name: str) -> Any:
    """The notebook with every figure as plain BokehJS; changes and returns it.

    Parameters
    ----------
    notebook : NotebookNode
        Executed.
    name : str
        What to call it in messages.
    """
    count = itertools.count(1)
    for number, cell in enumerate(without_loaders(notebook).cells, start=1):
        if cell.cell_type != "code":
            continue
        alt = cell.metadata.get("liqlab", {}).get("alt", "")
        for output in cell.outputs:
            data = output.get("data", {})
            for kind in _WIDGETS:
                data.pop(kind, None)
            if _script_of(data):
                drawn = [_figure_html(root, alt, f"figure-{name}-{next(count)}")
                         for root in _roots(data, f"{name}, cell {number}")]  # fmt: skip
                output["data"] = {"text/html": "\n".join(drawn)}
                output["metadata"] = {}
        if alt:
            cell.metadata.setdefault("mystnb", {}).setdefault("image", {"alt": alt})
    return notebook


def figures_of(cell: Any, *, name: str) -> list[Any]:
    """The Bokeh figures and layouts that a cell of an executed notebook shows."""
    scripts = [output.get("data", {}) for output in cell.get("outputs", ()) if not _is_loader(output)]
    return [root for data in scripts if _script_of(data) for root in _roots(data, name)]


def standalone(root: Any) -> Any:
    """A Bokeh figure that a file can hold: as wide as its page, and no text of it asks another host for TeX."""
    from bokeh.document import Document

    document = Document()
    document.add_root(root)
    content: Any = document.to_json(deferred=False)
    document.clear()
    found = Document.from_json(defuse_tex(content)) if _TEX.search(json.dumps(content)) else None
    return _fitted(found.roots[0] if found else root)


def plots_in(root: Any) -> list[Any]:
    """The plots of a figure or layout, in the order of reading."""
    from bokeh.models import Plot

    return [root] if isinstance(root, Plot) else list(root.select({"type": Plot}))


def _script_of(data: Any) -> str:
    for kind in ("text/html", "application/javascript"):
        text = "".join(data.get(kind, ""))
        if _DOCUMENT.search(text):
            return text
    return ""


def _is_loader(output: Any) -> bool:
    """Whether an output shows nothing: it loads a library, keeps a session, or is empty."""
    if output.get("output_type") not in ("display_data", "execute_result"):
        return "".join(output.get("text", "")).strip() == COMPILES
    data = output.get("data", {})
    script = _script_of(data)
    if not data or any(kind in data for kind in _LOADERS):
        return True
    if script:
        return all(model["name"] in _SESSION for document in _documents(script) for model in document["roots"])
    html = data.get("text/html", "")
    if _DONE in html:  # a figure that is plain already
        return False
    return set(data) == {"text/html"} and not _NOT_SHOWN.sub("", _keep_media("".join(html)))


def _keep_media(html: str) -> str:
    """Tags that show something without text stand as a word, so that what is left is not taken for nothing."""
    return re.sub(r"<(img|svg|iframe|canvas|video|audio|hr|input|object)\b", r"shown <\1", html)


def _documents(script: str) -> list[Any]:
    found = _DOCUMENT.search(script)
    return list(json.JSONDecoder().raw_decode(script, found.end())[0].values()) if found else []


def _roots(data: Any, where: str) -> list[Any]:
    """Read the script's documents back into Bokeh models: those which the script shows, made to fit the column."""
    from bokeh.core.serialization import DeserializationError
    from bokeh.document import Document

    script = _script_of(data)
    found = _ITEMS.search(script)
    items = json.JSONDecoder().raw_decode(script, found.end())[0] if found else []
    shown = {root for item in items for root in item["root_ids"]}
    roots = []
    for content in _documents(script):
        try:
            document = Document.from_json(defuse_tex(content) if _TEX.search(json.dumps(content)) else content)
        except DeserializationError as error:
            raise ReportError(f"{where}: the figure needs a library that pages do not carry ({error}); show a plain "
                              "HoloViews, hvPlot or Bokeh figure without widgets") from error  # fmt: skip
        roots += [_fitted(root) for root in document.roots if not shown or root.id in shown]
    return roots


def _fitted(root: Any) -> Any:
    """As wide as the column: fixed widths stretch; spacers, style sheets of other hosts and the logo go."""
    from bokeh.models import BoxSelectTool, GridPlot, ImportedStyleSheet, LayoutDOM, Toolbar
    from bokeh.models.ui.ui_element import UIElement
    from bokeh.models.widgets import Widget

    for model in root.select({"type": UIElement}):
        model.stylesheets = [sheet for sheet in model.stylesheets if not isinstance(sheet, ImportedStyleSheet)]
    for toolbar in root.select({"type": Toolbar}):
        toolbar.logo = None
        # a page scrolls when its reader scrolls; zoom and pan wait until they are chosen
        toolbar.active_scroll = None
        if not isinstance(toolbar.active_drag, BoxSelectTool):  # a brush is there for nothing else
            toolbar.active_drag = None
    _round_images(root)
    while len(inner := _children(root)) == 1:
        root = inner[0]
    narrow = [plot for plot in plots_in(root) if plot.sizing_mode in (None, "fixed") and (plot.width or _WIDE) < _WIDE]
    if len(narrow) == len(plots_in(root)):
        narrow = []
    for model in root.select({"type": LayoutDOM}):
        if model not in narrow and not isinstance(model, Widget):  # a profile beside a map keeps its width
            _stretch(model)
    for grid in root.select({"type": GridPlot}):
        kept = {column for plot, _, column in grid.children if plot in narrow}
        grid.cols = ["max-content" if column in kept else "minmax(0, 1fr)" for column in range(_columns(grid))]
    return root


def _round_images(root: Any) -> None:
    """Amounts of images to 0.14 %: hovers show three digits, eyes fewer colours."""
    from bokeh.models import ColumnDataSource
    from bokeh.models.glyphs import Image
    from bokeh.models.renderers import GlyphRenderer

    for renderer in root.select({"type": GlyphRenderer}):
        source = renderer.data_source
        if isinstance(renderer.glyph, Image) and isinstance(source, ColumnDataSource):
            data: dict[Any, Any] = dict(source.data)
            images = {name: [rounded(part) for part in column] for name, column in data.items() if _is_image(column)}
            source.data = {**data, **images}


def _is_image(column: Any) -> bool:
    return all(isinstance(part, np.ndarray) and part.ndim == 2 and part.dtype.kind == "f" for part in column)


def _children(root: Any) -> list[Any]:
    """What a layout shows; a grid, whose children come with their places, counts as one thing."""
    from bokeh.models import Spacer

    return [child for child in getattr(root, "children", ()) if not isinstance(child, Spacer | tuple | list)]


def _with_plots(root: Any) -> list[Any]:
    """What of a layout holds plots: rows of controls stand beside no plot, though their code knows of plots."""
    from bokeh.models import GridPlot, Plot

    return [child for child in _children(root) if isinstance(child, Plot | GridPlot) or _with_plots(child)]


def _stretch(model: Any) -> None:
    from bokeh.models import Plot

    if str(model.sizing_mode) in ("stretch_width", "scale_width"):
        return
    if isinstance(model, Plot):  # a page has no height that a figure could fill, so it needs its own
        if model.frame_height and not model.height:
            model.height = model.frame_height + 80
        model.frame_width = model.frame_height = None
        model.height = model.height or 400
    model.width = None
    model.sizing_mode = "stretch_width"


def _columns(root: Any) -> int:
    """How many plots stand side by side."""
    from bokeh.models import GridPlot, Row

    if isinstance(root, GridPlot):
        return max((spot[2] + 1 for spot in root.children), default=1)
    columns = [_columns(child) for child in _with_plots(root)] or [1]
    return sum(columns) if isinstance(root, Row) else max(columns)


def _least_width(root: Any) -> int:
    """What plots side by side need: a fixed width its own, a stretching plot the least it asks for."""
    from bokeh.models import Column, GridPlot

    if isinstance(root, Column) and (inner := _with_plots(root)):
        return max(map(_least_width, inner))
    if not isinstance(root, GridPlot):
        return _MIN_WIDTH_PX * _columns(root)
    least = [0] * _columns(root)
    for spot in root.children:
        plot, column = spot[0], spot[2]
        fixed = plot.width if plot.sizing_mode in (None, "fixed") else None
        least[column] = max(least[column], int(fixed or plot.min_width or _MIN_WIDTH_PX))
    return sum(least)


def _titles(root: Any) -> Iterator[str]:
    for plot in plots_in(root):
        text = getattr(plot.title, "text", plot.title)
        if isinstance(text, str) and text:
            yield text


def _figure_html(root: Any, alt: str, spot: str) -> str:
    """A box, and the figure as data beside it; `liqlab.js` draws the one into the other when it comes into view."""
    from bokeh.core.json_encoder import serialize_json
    from bokeh.core.types import ID
    from bokeh.embed import json_item

    whole = json.loads(serialize_json(json_item(root, target=ID(spot))))
    item = json.dumps(pack_images(whole), ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    label = alt or " · ".join(_titles(root)) or "figure"
    tall = sum(plot.height or 0 for plot in plots_in(root)) // _columns(root)
    wide = _least_width(root) if _columns(root) > 1 else 0  # side by side on a narrow phone: scrolls in its box
    return (
        f'{_DONE} role="figure" aria-label="{escape(label)}">'
        f'<div class="lq-plot" id="{spot}" style="min-height:{tall}px;min-width:{wide}px"></div>'
        f'<script type="application/json" data-for="{spot}">{item}</script></div>'
    )
