"""The index's picture of a page: its first map, redrawn small by matplotlib, so that no browser is needed."""

from __future__ import annotations

import base64
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from liqlab.report.figures import figures_of, plots_in

_SIZE = (6.4, 3.6)  # [inch], 16:9 as the index shows it


def draw_thumbnail(notebook: Any, target: Path, *, name: str) -> bool:
    """Write the page's picture to `target`; returns whether the page has something to show.

    The cell tagged ``thumbnail`` is asked first; then the first figure with an image in it, then any figure.
    """
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    tagged = [cell for cell in cells if "thumbnail" in cell.metadata.get("tags", ())]
    for cell in tagged:
        if png := _png_of(cell):
            target.write_bytes(png)
            return True
    plots = [plot for cell in tagged or cells for root in figures_of(cell, name=name) for plot in plots_in(root)]
    best = next((plot for plot in plots if _has_image(plot)), plots[0] if plots else None)
    if best is not None:
        return _drawn(best, target, name)
    png = next(filter(None, map(_png_of, cells)), None)
    if png:
        target.write_bytes(png)
    return png is not None


def _png_of(cell: Any) -> bytes | None:
    for output in cell.get("outputs", ()):
        if png := output.get("data", {}).get("image/png"):
            return base64.b64decode("".join(png))
    return None


def _has_image(plot: Any) -> bool:
    return any(type(glyph.glyph).__name__.startswith("Image") for glyph in _layers(plot))


def _layers(plot: Any) -> Sequence[Any]:
    return [layer for layer in plot.renderers if hasattr(layer, "glyph") and layer.visible]


def _drawn(plot: Any, target: Path, name: str) -> bool:
    """Draw, or say why not: a report is not given up for want of a small picture."""
    try:
        _draw(plot, target)
    except Exception as error:
        warnings.warn(f"{name}: no picture for the index: {type(error).__name__}: {error}", stacklevel=2)
        return False
    return True


def _draw(plot: Any, target: Path) -> None:
    """The plot's layers, edge to edge, without axes: what a reader can recognise at 300 pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import is_color_like
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE, dpi=100)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    for layer in _layers(plot):
        if draw := _GLYPHS.get(type(layer.glyph).__name__):
            draw(axes, layer.glyph, layer.data_source.data)
    ground = getattr(plot, "background_fill_color", None)
    figure.patch.set_facecolor(ground if is_color_like(ground) else "white")  # empty cells show it, as on the page
    axes.set_axis_off()
    axes.autoscale_view()
    for limits, span in ((axes.set_xlim, plot.x_range), (axes.set_ylim, plot.y_range)):
        edges = [_numbers(getattr(span, end, None)) for end in ("start", "end")]
        if all(edge.size == 1 and np.isfinite(edge).all() for edge in edges):
            limits(float(edges[0].item()), float(edges[1].item()))
    axes.set_aspect("auto")
    figure.savefig(target, facecolor="auto")


# --- layers, by the name of Bokeh's glyph ----------------------------------------------------------------------------


def _image(axes: Any, glyph: Any, data: Any) -> None:
    columns = [_column(glyph, data, key) for key in ("image", "x", "y", "dw", "dh")]
    for image, x, y, dw, dh in zip(*columns, strict=False):
        left, bottom, width, height = (float(_numbers(value).item()) for value in (x, y, dw, dh))
        axes.imshow(np.asarray(image, float), origin="lower", aspect="auto", interpolation="nearest",
                    extent=(left, left + width, bottom, bottom + height), **_colours(glyph.color_mapper))  # fmt: skip


def _colours(mapper: Any) -> dict[str, Any]:
    from matplotlib.colors import ListedColormap, LogNorm, Normalize, is_color_like

    scale = LogNorm if type(mapper).__name__.startswith("Log") else Normalize
    nothing = mapper.nan_color if is_color_like(mapper.nan_color) else "none"  # Bokeh's rgba(…) is transparent
    palette = ListedColormap(list(mapper.palette)).with_extremes(bad=nothing)
    return {"cmap": palette, "norm": scale(mapper.low, mapper.high)}


def _line(axes: Any, glyph: Any, data: Any) -> None:
    axes.plot(_xs(glyph, data, "x"), _xs(glyph, data, "y"), color=_colour(glyph, "line"), linewidth=1.5)


def _segments(axes: Any, glyph: Any, data: Any) -> None:
    x0, y0, x1, y1 = (_xs(glyph, data, key) for key in ("x0", "y0", "x1", "y1"))
    from matplotlib.collections import LineCollection

    lines = np.stack([np.column_stack([x0, y0]), np.column_stack([x1, y1])], axis=1)
    axes.add_collection(LineCollection(list(lines), colors=_colour(glyph, "line", data), linewidths=0.8))


def _quads(axes: Any, glyph: Any, data: Any) -> None:
    left, right, bottom, top = (_xs(glyph, data, key) for key in ("left", "right", "bottom", "top"))
    corners = [np.column_stack(pair) for pair in ((left, bottom), (right, bottom), (right, top), (left, top))]
    _polygons(axes, np.stack(corners, axis=1), glyph, data)


def _bars(axes: Any, glyph: Any, data: Any) -> None:
    x, top, width = (_xs(glyph, data, key) for key in ("x", "top", "width"))
    bottom, half = np.broadcast_to(_xs(glyph, data, "bottom"), x.shape), width / 2
    left, right = x - half, x + half
    corners = [np.column_stack(pair) for pair in ((left, bottom), (right, bottom), (right, top), (left, top))]
    _polygons(axes, np.stack(corners, axis=1), glyph, data)


def _points(axes: Any, glyph: Any, data: Any) -> None:
    axes.scatter(_xs(glyph, data, "x"), _xs(glyph, data, "y"), c=_colour(glyph, "fill", data), s=14)


def _area(axes: Any, glyph: Any, data: Any) -> None:
    axes.fill(_xs(glyph, data, "x"), _xs(glyph, data, "y"), color=_colour(glyph, "fill"), alpha=0.5)


def _polygons(axes: Any, corners: Any, glyph: Any, data: Any) -> None:
    from matplotlib.collections import PolyCollection

    if getattr(glyph.fill_alpha, "value", glyph.fill_alpha) == 0:  # an outline, whose fill is any colour
        look = {"facecolors": "none", "edgecolors": _colour(glyph, "line", data), "linewidths": 0.8}
    else:
        look = {"facecolors": _colour(glyph, "fill", data), "edgecolors": "none"}
    axes.add_collection(PolyCollection(list(corners), **look))


_GLYPHS: dict[str, Callable[[Any, Any, Any], None]] = {
    "Image": _image, "Line": _line, "Step": _line, "Segment": _segments, "Quad": _quads, "VBar": _bars,
    "Scatter": _points, "Circle": _points, "Patch": _area,
}  # fmt: skip


def _column(glyph: Any, data: Any, key: str) -> Any:
    """A glyph's property: the column it names, or its one value as a column."""
    value = getattr(glyph, key)
    name = getattr(value, "field", value)
    if isinstance(name, str) and name in data:
        return data[name]
    return [getattr(value, "value", value)]


def _xs(glyph: Any, data: Any, key: str) -> Any:
    column = _numbers(_column(glyph, data, key))
    rows = max((len(values) for values in data.values()), default=1)
    return np.broadcast_to(column, (rows,)) if column.size == 1 else column


def _numbers(values: Any) -> Any:
    """Numbers as Bokeh draws them: times are milliseconds since 1970."""
    array = np.atleast_1d(np.asarray(values))
    if array.dtype.kind == "M":
        return array.astype("datetime64[us]").astype(np.int64) / 1000
    try:
        return array.astype(float)
    except (TypeError, ValueError):  # a category has no number; it takes its place in the row
        return np.arange(array.size, dtype=float) if array.size and array[0] is not None else np.array([np.nan])


def _colour(glyph: Any, kind: str, data: Any = None) -> Any:
    """A layer's colour: one, or one per row where the rows carry colours."""
    from matplotlib.colors import is_color_like

    value = getattr(glyph, f"{kind}_color")
    name = getattr(value, "field", value)
    if isinstance(name, str) and data is not None and name in data and getattr(value, "transform", None) is None:
        return list(data[name])
    value = getattr(value, "value", value)
    return value if isinstance(value, str) and is_color_like(value) else "#31688e"
