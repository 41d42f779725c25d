"""A heatmap that answers without a kernel: what its controls do is JavaScript in the figure itself.

The same figure works in a page that was saved and in JupyterLab. It is drawn from HoloViews' parts; the cells are added
to the finished plot as bytes, and the controls stand above it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.maps.arguments import as_columns, check_same_market, estimated
from liqlab.maps.stacking import SEVERAL, heatmaps_of, own_attrs
from liqlab.market.arguments import checked
from liqlab.market.market import Market
from liqlab.plot import bokeh_hooks, explore_layers, explore_script, open_interest_panel
from liqlab.plot._candles import candles_over
from liqlab.plot.cells import milliseconds, unit_of
from liqlab.plot.colour_bar import EMPTY, palette
from liqlab.plot.image import gaps
from liqlab.plot.profile import liquidation_map
from liqlab.plot.style import FONT, SIDE, WIDE, heading, raw, view

if TYPE_CHECKING:
    import holoviews as hv
    import xarray as xr

MAIN, PROFILE, STRIP, CELLS = "explore-main", "explore-profile", "explore-strip", "explore-cells"
SHOWN = ("both", "longs", "shorts")
# controls take the colours of a page that has any (by day and by night), and wrap on a phone
CSS = """
.bk-input, .bk-btn, option { background: var(--pst-color-surface, #fff); color: var(--pst-color-text-base, #222); }
.bk-btn.bk-active { background: var(--pst-color-primary, #0a7d91); color: var(--pst-color-background, #fff); }
.bk-input-group { flex-wrap: wrap; }
label { white-space: nowrap; }
"""


@checked()
def explore(
    heats: xr.Dataset,
    market: Market | None = None,
    *,
    cmap: str = "purple-yellow",
    ylim: tuple[float, float] | None = None,
    title: str | None = None,
) -> hv.Layout:
    """Draw a heatmap with controls that work without a kernel: in a saved page, and in JupyterLab.

    The reader hides dim cells, shows longs, shorts or both, chooses leverages and the model, and brushes the time
    shown; the map at the side is that of the column under the pointer. Each model has its own colour scale, which no
    other choice changes: what is chosen away goes dark, and nothing else grows brighter for it.

    Parameters
    ----------
    heats : Dataset
        From `liqlab.heatmap`; with ``by_leverage=True`` each class of leverage can be switched (more than six are
        joined into bands). Of several maps in one, from `liqlab.model_heatmaps` or `liqlab.lookback_heatmaps`, the
        reader chooses the model or the lookback.
    market : Market, optional
        For the strip below: open interest where the market has it, else volume.
    cmap : str
        As in `heatmap`.
    ylim : (low, high), optional
        Prices shown [quote]; default: as in `heatmap`.
    title : str, optional
        Replaces the first line of the title.

    Returns
    -------
    holoviews Layout
        As wide as its page. Amounts are rounded to one of 254 steps over five decades: the hover's are within 2.3 % of
        the heat's, and it says so.

    Raises
    ------
    TypeError
        Where it is no Dataset.
    """
    import holoviews as hv

    bokeh_hooks.use_bokeh()
    heats = as_columns(estimated(heats, "heats"), "heats")
    check_same_market(market, heats, "heats")
    choice, chosen = _choice(heats)
    first = next(iter(chosen.values()))
    low, high = ylim or view(first)
    layers = explore_layers.pack(chosen, (low, high))
    titles = [heading(heat, title or "Estimated liquidation heatmap") for heat in chosen.values()]
    about = _about(layers, first, titles) | {"choice": choice}
    picture = hv.Overlay([*gaps(layers.frame, (low, high)), candles_over(first)]).collate().opts(
        title=raw(titles[0]), ylim=(low, high), xlim=tuple(pd.to_datetime(np.array(about["time"]), unit="ms")),
        xlabel="", ylabel=f"price [{first.attrs['quote']}]", show_grid=False, fontsize=FONT, toolbar="above",
        bgcolor=EMPTY, hooks=[bokeh_hooks.borders, bokeh_hooks.prices, _painter(layers, about, cmap)], **WIDE,
    )  # fmt: skip
    profile = liquidation_map(first, ylim=(low, high), width=SIDE)
    hooks = [*profile.opts.get("plot").kwargs.get("hooks", []), _named(PROFILE)]
    strip = open_interest_panel.strip(first, market).opts(shared_axes=False, hooks=[bokeh_hooks.borders, _named(STRIP)])
    return bokeh_hooks.sheet([picture, profile.opts(hooks=hooks), strip], 2, kind="Explorer", finish=_finish)


def _choice(heats: Any) -> tuple[str, dict[str, xr.Dataset]]:
    """The dimension of which the reader chooses one, and the maps along it."""
    if not hasattr(heats, "dims"):
        raise TypeError("explore takes one heatmap, or maps of several models in one Dataset, as lq.model_heatmaps "
                        f"makes them, got {type(heats).__name__}")  # fmt: skip
    dim = next((dim for dim in SEVERAL if dim in heats.dims), "")
    return dim, heatmaps_of(heats, dim) if dim else {"": own_attrs(heats)}


def _about(layers: explore_layers.Layers, heat: Any, titles: list[str]) -> dict[str, Any]:
    """What the controls' code knows of the cells; times are milliseconds since 1970, as Bokeh draws them."""
    time = milliseconds(layers.frame["time"].to_numpy())
    price = layers.frame["price"].to_numpy()
    wide, tall = float(time[1] - time[0]), float(price[1] - price[0])
    closes = milliseconds(heat["close_time"].to_numpy())
    return {
        "spans": layers.spans,
        "models": layers.models,
        "bands": layers.bands,
        "titles": titles,
        "columns": int(time.size),
        "bins": int(price.size),
        "top": layers.top,
        "highs": layers.highs,
        "time": [float(time[0] - wide / 2), float(time[-1] + wide / 2)],
        "wide": wide,
        "tall": tall,
        "price": [float(price[0] - tall / 2), float(price[-1] + tall / 2)],
        "last": float(closes[-1]),
        "decades": explore_layers.DECADES,
        "steps": explore_layers.STEPS,
        "quote": heat.attrs["quote"],
        "unit": f"estimated [{unit_of(layers.frame, heat)}]",
        "aside": layers.sides[:, :, -1].tolist(),
    }


def _named(name: str) -> Any:
    def hook(plot: Any, element: Any) -> None:
        plot.state.name = name

    return hook


def _painter(layers: explore_layers.Layers, about: dict[str, Any], cmap: str) -> Any:
    """A hook that lays the cells under the candles, with their colour bar and their bytes."""

    def hook(plot: Any, element: Any) -> None:
        from bokeh.models import ColumnDataSource, CustomJSTickFormatter, LinearColorMapper
        from bokeh.models.annotations import ColorBar

        figure = plot.state
        if figure.select_one({"name": CELLS}):
            return
        shades = palette(cmap)
        (left, right), (bottom, top), high = about["time"], about["price"], about["highs"][0]
        figure.image(
            image=[shade(layers.sides.sum(axis=0), high)],
            x=left, y=bottom, dw=right - left, dh=top - bottom,
            color_mapper=LinearColorMapper(palette=[EMPTY, *shades[1:]], low=0, high=255), name=CELLS, level="underlay",
        )  # fmt: skip
        figure.renderers.insert(0, figure.renderers.pop())
        source = ColumnDataSource({"runs": layers.runs})
        figure.name, figure.tags = MAIN, [json.dumps(about), source]
        bar = ColorBar(
            color_mapper=LinearColorMapper(palette=shades, low=0, high=high), title=about["unit"], height=9,
            formatter=CustomJSTickFormatter(code=bokeh_hooks.SI), orientation="horizontal", title_text_font_size="8pt",
            major_label_text_font_size="8pt", title_standoff=3, padding=2,
        )  # fmt: skip
        figure.add_layout(bar, "below")

    return hook


def shade(amounts: np.ndarray, high: float) -> np.ndarray:
    """Amounts as places in the palette, in equal steps: 0 is empty, 255 is `high` and more.

    >>> shade(np.array([[0.0, 1.0, 50.0, 100.0, 1e3]]), 100.0)
    array([[  0,   3, 128, 255, 255]], dtype=uint8)
    """
    place = np.clip(np.floor(1 + 254 * amounts / high), 1, 255)
    return np.where(amounts > 0, place, 0).astype(np.uint8)


# --- controls ---------------------------------------------------------------------------------------------------------


def _finish(grid: Any) -> Any:
    """The finished grid of figures with its controls above it, all of them wired."""
    from bokeh.layouts import column
    from bokeh.models.annotations import ColorBar, Span

    main, profile, strip = (grid.select_one({"name": name}) for name in (MAIN, PROFILE, STRIP))
    about = json.loads(main.tags[0])
    cells = next(r for r in main.renderers if r.name == CELLS)
    mark = Span(dimension="height", location=about["time"][1] - about["wide"] / 2, line_color="white",
                line_dash="dotted", line_width=1)  # fmt: skip
    main.add_layout(mark)
    bars = _aside(profile, about)
    shown = _controls(about)
    known = {
        **{name: shown.get(name) for name in ("model", "side", "leverages", "threshold", "moment", "period")},
        "layers": main.tags[1], "cells": cells.data_source, "main": main, "profile": profile, "mark": mark,
        "bar": main.select_one(ColorBar), "longs": bars[0], "shorts": bars[1],
    }  # fmt: skip
    main.tags = []
    _wire(about, known)
    _hover(main, cells, about, known)
    _brush(main, strip, shown["period"])
    return column(_row(list(shown.values())), grid, sizing_mode="stretch_width", name="explore")


def _aside(profile: Any, about: dict[str, Any]) -> list[Any]:
    """The side map on the cells that its code will use; returns the sources of longs and shorts."""
    bars = [r.data_source for r in profile.renderers if type(r.glyph).__name__ == "Quad"]
    edge = about["price"][0] + about["tall"] * np.arange(about["bins"] + 1)
    for source, amounts in zip(bars, np.array(about.pop("aside")), strict=True):
        on = amounts > 0
        data = {"left": np.zeros(on.sum()), "right": amounts[on], "bottom": edge[:-1][on], "top": edge[1:][on]}
        source.data = data
    widest = max([1e-12, *(source.data["right"].max(initial=0.0) for source in bars)])
    profile.x_range.start, profile.x_range.end = 0.0, 1.05 * widest
    profile.xaxis.axis_label = f"[{about['quote']} per {about['tall']:.6g}]"
    return bars


def _controls(about: dict[str, Any]) -> dict[str, Any]:
    """Native controls, each reachable by keyboard; those without a choice are left out."""
    from bokeh.models import CustomJSTickFormatter
    from bokeh.models.widgets import CheckboxGroup, DatetimeRangeSlider, RadioButtonGroup, Select, Slider

    shown: dict[str, Any] = {}
    if len(about["models"]) > 1:
        shown["model"] = Select(title=about["choice"], options=about["models"], value=about["models"][0], width=200)
    shown["side"] = RadioButtonGroup(labels=list(SHOWN), active=0, width=190)
    if len(about["bands"]) > 1:
        every = list(range(len(about["bands"])))
        shown["leverages"] = CheckboxGroup(labels=about["bands"], active=every, inline=True,
                                           styles={"max-width": "100%"})  # fmt: skip
    shown["threshold"] = Slider(title="hide dimmer than [% of brightest]", start=0, end=95, step=1,
                                value=0, width=230)  # fmt: skip
    when = CustomJSTickFormatter(code=explore_script.when(about))
    shown["moment"] = Slider(title="side map: column closed", start=0, end=about["columns"] - 1, step=1,
                             value=about["columns"] - 1, format=when, width=230)  # fmt: skip
    shown["period"] = DatetimeRangeSlider(title="time shown", start=about["time"][0], end=about["time"][1],
                                          value=tuple(about["time"]), step=int(about["wide"]), format="%d %b %H:%M",
                                          width=230)  # fmt: skip
    return shown


def _row(widgets: list[Any]) -> Any:
    from bokeh.layouts import row
    from bokeh.models import InlineStyleSheet

    for widget in widgets:
        widget.stylesheets = [InlineStyleSheet(css=CSS)]
    look = {"flex-wrap": "wrap", "gap": "8px 22px", "align-items": "end", "padding": "0 8px"}
    return row(widgets, name="explore-controls", styles=look, sizing_mode="stretch_width")


def _wire(about: dict[str, Any], known: dict[str, Any]) -> None:
    """Whatever changes what is shown draws the cells and the side map anew; the pointer only moves the moment."""
    from bokeh.models import CustomJS

    draw = CustomJS(args=known, code=explore_script.draw(about))
    side = CustomJS(args=known, code=explore_script.side_map(about))
    for name, told in {"model": "value", "side": "active", "leverages": "active", "threshold": "value"}.items():
        if known[name] is not None:
            known[name].js_on_change(told, draw)
    known["moment"].js_on_change("value", side)
    point = CustomJS(args={"moment": known["moment"]}, code=explore_script.point(about))
    known["main"].js_on_event("mousemove", point)
    known["main"].js_on_event("tap", point)


def _hover(main: Any, cells: Any, about: dict[str, Any], known: dict[str, Any]) -> None:
    from bokeh.models import CrosshairTool, CustomJSHover, HoverTool

    used = {name: known[name] for name in ("model", "side", "leverages", "layers")}
    amounts = CustomJSHover(args=used, code=explore_script.hover(about))
    lines = [("time", "$x{%F %H:%M}"), ("price", "$y{0,0.[0000]}"), ("longs", "@image{longs}"),
             ("shorts", "@image{shorts}"), ("rounded", f"within {explore_layers.PRECISION:.1%}")]  # fmt: skip
    hover = HoverTool(renderers=[cells], tooltips=lines, formatters={"$x": "datetime", "@image": amounts})
    main.add_tools(hover, CrosshairTool(line_color="#bbbbbb", line_alpha=0.6))


def _brush(main: Any, strip: Any, period: Any) -> None:
    """A drag on the strip, or the slider, chooses the time shown; each follows the other, a double click shows all."""
    from bokeh.models import BoxSelectTool, CustomJS
    from bokeh.models.annotations import BoxAnnotation

    tool = BoxSelectTool(dimensions="width", renderers=[], description="drag: choose the time shown")
    strip.add_tools(tool)
    strip.toolbar.active_drag = tool
    frame = BoxAnnotation(left=main.x_range.start, right=main.x_range.end, fill_color="#0072b2", fill_alpha=0.12,
                          line_color="#0072b2", line_alpha=0.5)  # fmt: skip
    strip.add_layout(frame)
    known = {"span": main.x_range, "period": period, "frame": frame}
    period.js_on_change("value", CustomJS(args=known, code=explore_script.BRUSH))
    strip.js_on_event("selectiongeometry", CustomJS(args=known, code=explore_script.DRAG))
    strip.js_on_event("doubletap", CustomJS(args=known, code=explore_script.WHOLE))
    follow = CustomJS(args=known, code=explore_script.FOLLOW)
    main.x_range.js_on_change("start", follow)
    main.x_range.js_on_change("end", follow)
