"""A map that is drawn anew for every part that a reader zooms to: the Bokeh figure, and what is put into it.

Colours, their scale, thresholds, sides and the map under the pointer need no Python; `zoomed_script` holds them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from liqlab.market.clock import timedelta
from liqlab.plot import bokeh_hooks, zoomed_script
from liqlab.plot.cells import column_width, middles, milliseconds
from liqlab.plot.colour_bar import EMPTY, SCALES, limits, palette
from liqlab.plot.style import EDGE, FALL, HEIGHT, LONG, RISE, SHORT, SIDE, heading

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["ZoomedFigure", "cells_of", "look_of", "zoomed_figure"]

OWN = "#ff9f1c"
LOOK = ("side", "cmap", "cnorm", "low", "high")


@dataclass(frozen=True, eq=False)
class ZoomedFigure:
    """A Bokeh figure and its map of one moment, with the data sources that are written on.

    Attributes
    ----------
    main, profile : bokeh figures
    cells : ColumnDataSource
        Amounts [quote] of longs and shorts, as `cells_of` gives them.
    look : ColumnDataSource
        side, cmap, cnorm, low and high (thresholds as shares of the brightest colour), one value each.
    asked : ColumnDataSource
        What the reader's browser shows a tenth of a second after the last movement: x0, x1 [ms], y0, y1 [quote], wide,
        tall [px].
    bars, zones, labels, events, own : ColumnDataSource
        Candles, outlined clusters with their labels, observed liquidations, the reader's own position.
    """

    main: Any
    profile: Any
    cells: Any
    look: Any
    asked: Any
    bars: Any
    zones: Any
    labels: Any
    events: Any
    own: Any

    def draw(self, heat: xr.Dataset, leverages: tuple[float, ...] = ()) -> None:
        """Put a map into the figure; cells come last, since they set off the painting."""
        self.main.title.text = heading(heat, None)
        self.main.yaxis.axis_label = f"price [{heat.attrs['quote']}]"
        self.bars.data = _bars_of(heat)
        self.cells.data = cells_of(heat, leverages)

    def outline(self, zones: pd.DataFrame | None, heat: xr.Dataset | None = None) -> None:
        """Clusters as `liqlab.clusters` gives them; None: none."""
        from liqlab.plot.zones import outlines

        boxes: dict[str, Any] = {name: [] for name in self.zones.data}
        words: dict[str, Any] = {name: [] for name in self.labels.data}
        if zones is not None and len(zones):
            table, labels = outlines(zones, heat=heat, ylim=None)
            boxes = {"left": milliseconds(table["time"]), "right": milliseconds(table["time1"]),
                     "bottom": table["price"].to_numpy(), "top": table["price1"].to_numpy(),
                     "colour": [LONG if side == "long" else SHORT for side in table["side"]],
                     "dash": ["dotted" if broad else "solid" for broad in table["broad"]]}  # fmt: skip
            words = {"x": milliseconds(labels["time"]), "y": labels["peak"].to_numpy(), "text": list(labels["text"]),
                     "align": list(labels["align"])}  # fmt: skip
        self.zones.data, self.labels.data = boxes, words

    def observe(self, events: pd.DataFrame | None) -> None:
        """Observed liquidations: time, price, side, notional [quote]; None: none."""
        data: dict[str, Any] = {name: [] for name in self.events.data}
        if events is not None and len(events):
            most = float(events["notional"].max())
            data = {"x": milliseconds(events["time"]), "y": events["price"].to_numpy(),
                    "size": 3 + 15 * np.sqrt(events["notional"].to_numpy() / most),
                    "angle": [np.pi if side == "long" else 0.0 for side in events["side"]],
                    "colour": [LONG if side == "long" else SHORT for side in events["side"]]}  # fmt: skip
        self.events.data = data

    def own_position(self, lines: list[tuple[float, str, str]]) -> None:
        """The reader's own: prices with dashes and words."""
        prices, dashes, words = zip(*lines, strict=True) if lines else ((), (), ())
        self.own.data = {"y": list(prices), "dash": list(dashes), "text": list(words)}


def cells_of(heat: xr.Dataset, leverages: tuple[float, ...] = ()) -> dict[str, Any]:
    """Amounts of a map on even cells, as the browser paints them: missing columns are NaN.

    Parameters
    ----------
    heat : Dataset
        From `liqlab.heatmap`.
    leverages : tuple of float
        Of a map by leverage: the classes that are summed; empty: all.

    Returns
    -------
    dict
        long, short: one float32 array (bin, column) each [quote]; x, dw [ms], y, dh [quote]: where they lie; low, high:
        limits of logarithmic colours [quote]; unit.
    """
    notional = heat["notional"]
    if "leverage" in notional.dims:
        on = np.isin(heat["leverage"].to_numpy(), leverages) if leverages else slice(None)
        notional = notional.isel(leverage=on).sum("leverage")
    wide = column_width(heat).value
    begin = middles(heat).to_numpy().astype("datetime64[ns]").astype(np.int64) - wide // 2
    number = (begin - begin[0]) // wide
    edge = heat["price_edge"].to_numpy()
    sides = {}
    for side in ("long", "short"):
        amounts = np.full((len(edge) - 1, int(number[-1]) + 1), np.nan, np.float32)
        amounts[:, number] = notional.sel(side=side).transpose("price", "time").to_numpy()
        sides[side] = [amounts]
    both = sides["long"][0] + sides["short"][0]
    ends = limits(both[np.isfinite(both)])
    tall = float(f"{edge[1] - edge[0]:.9g}")
    quote = heat.attrs["quote"]
    return {
        **sides, "x": [begin[0] / 1e6], "dw": [both.shape[1] * wide / 1e6], "y": [float(edge[0])],
        "dh": [float(edge[-1] - edge[0])], "low": [ends.low], "high": [ends.high],
        "unit": [f"estimated [{quote} per {tall:g} {quote}]"],
    }  # fmt: skip


def look_of(**chosen: Any) -> Any:
    """What a reader chooses without asking anybody, as the browser reads it: side, cmap, cnorm, low, high."""
    from bokeh.models import ColumnDataSource

    return ColumnDataSource({name: [chosen[name]] for name in LOOK})


def zoomed_figure(
    heat: xr.Dataset, look: Any, leverages: tuple[float, ...] = (), *, beside: ZoomedFigure | None = None
) -> ZoomedFigure:  # fmt: skip
    """The figure of a map.

    Parameters
    ----------
    heat : Dataset
        From `liqlab.heatmap`: what is shown first.
    look : ColumnDataSource
        From `look_of`; several figures may share one.
    leverages : tuple of float
        As in `cells_of`.
    beside : ZoomedFigure, optional
        Another one, whose axes this one shares.

    Returns
    -------
    ZoomedFigure
    """
    from bokeh.models import ColumnDataSource, CustomJS, LinearColorMapper, Range1d
    from bokeh.models.annotations import Span
    from bokeh.plotting import figure

    data = cells_of(heat, leverages)
    sources = {
        "cells": ColumnDataSource(data), "look": look,
        "asked": ColumnDataSource({each: [0.0] for each in ("x0", "x1", "y0", "y1", "wide", "tall")}),
        "bars": ColumnDataSource(_bars_of(heat)),
        "zones": ColumnDataSource({each: [] for each in ("left", "right", "bottom", "top", "colour", "dash")}),
        "labels": ColumnDataSource({each: [] for each in ("x", "y", "text", "align")}),
        "events": ColumnDataSource({each: [] for each in ("x", "y", "size", "angle", "colour")}),
        "own": ColumnDataSource({each: [] for each in ("y", "dash", "text")}),
    }  # fmt: skip
    xs, ys = (beside.main.x_range, beside.main.y_range) if beside else (
        Range1d(data["x"][0], data["x"][0] + data["dw"][0]), Range1d(data["y"][0], data["y"][0] + data["dh"][0])
    )  # fmt: skip
    new_figure: Any = figure
    main = new_figure(
        x_range=xs, y_range=ys, x_axis_type="datetime", height=HEIGHT, sizing_mode="stretch_width", min_width=200,
        tools="pan,wheel_zoom,box_zoom,reset,save", active_drag="pan", active_scroll="wheel_zoom",
        title=heading(heat, None), background_fill_color=EMPTY, toolbar_location="above",
        y_axis_label=f"price [{heat.attrs['quote']}]", name="estimated liquidation heatmap",
    )  # fmt: skip
    shape = data["long"][0].shape
    shown = ColumnDataSource(
        {"image": [np.zeros(shape, np.uint8)], **{k: list(data[k]) for k in ("x", "y", "dw", "dh")}}
    )
    mapper = LinearColorMapper(palette=[EMPTY, *palette(look.data["cmap"][0])[1:]], low=0, high=255)
    picture = main.image("image", x="x", y="y", dw="dw", dh="dh", source=shown, color_mapper=mapper)
    mark = Span(dimension="height", location=data["x"][0] + data["dw"][0], line_color="white", line_dash="dotted")
    main.add_layout(mark)
    _over(main, sources)
    bar, marks = _colour_bar(main, mapper)
    left_out = _left_out(main)
    profile, longs, shorts = _profile(ys)
    paint = CustomJS(
        args={"cells": sources["cells"], "look": sources["look"], "shown": shown, "mapper": mapper, "bar": bar,
              "marks": marks, "left_out": left_out, "main": main, "empty": EMPTY,
              "palettes": {scale: palette(scale) for scale in SCALES}},
        code=zoomed_script.PAINT,
    )  # fmt: skip
    point = CustomJS(
        args={"cells": sources["cells"], "look": sources["look"], "longs": longs, "shorts": shorts, "mark": mark,
              "span": profile.x_range, "title": profile.title, "aside": mark, "main": main},
        code=zoomed_script.POINT,
    )  # fmt: skip
    for source in (sources["cells"], sources["look"]):
        source.js_on_change("data", paint, point)
    main.js_on_event("mousemove", point)
    ask = CustomJS(args={"asked": sources["asked"], "xs": xs, "ys": ys, "main": main}, code=zoomed_script.ASK)
    if beside is None:  # the other's axes are the same
        for span in (xs, ys):
            span.js_on_change("start", ask)
            span.js_on_change("end", ask)
        main.js_on_change("inner_width", ask)
    main.js_on_change("inner_width", paint, point)
    _hover(main, picture, sources["cells"])
    _dress(main)
    return ZoomedFigure(main, profile, **sources)


# --- parts ------------------------------------------------------------------------------------------------------------


def _bars_of(heat: xr.Dataset) -> dict[str, Any]:
    """Candles of the columns."""
    values = {each: heat[each].to_numpy() for each in ("open", "high", "low", "close")}
    wide = column_width(heat) / timedelta("1s") * 1000
    rise = values["close"] >= values["open"]
    return {"x": milliseconds(middles(heat)), **values, "wide": np.full(len(rise), 0.7 * wide),
            "colour": np.where(rise, RISE, FALL).tolist()}  # fmt: skip


def _over(main: Any, sources: dict[str, Any]) -> None:
    """Candles, zones, observed liquidations and the reader's own position over the cells."""
    bars = sources["bars"]
    main.segment("x", "low", "x", "high", source=bars, line_color=EDGE, line_width=1)
    main.vbar("x", "wide", "close", "open", source=bars, fill_color="colour", line_color=EDGE, line_width=0.5)
    main.quad(left="left", right="right", bottom="bottom", top="top", source=sources["zones"], fill_alpha=0.0,
              line_color="colour", line_width=2, line_dash="dash")  # fmt: skip
    main.text("x", "y", "text", source=sources["labels"], text_align="align", text_color="white",
              text_font_size="8pt", background_fill_color="#1b1b1b", background_fill_alpha=0.65)  # fmt: skip
    main.scatter("x", "y", size="size", angle="angle", source=sources["events"], marker="triangle", fill_color="colour",
                 line_color="white", fill_alpha=0.8)  # fmt: skip
    main.hspan("y", source=sources["own"], line_color=OWN, line_width=2, line_dash="dash")


def _colour_bar(main: Any, mapper: Any) -> tuple[Any, Any]:
    from bokeh.models import ColumnDataSource, CustomJSTickFormatter, FixedTicker
    from bokeh.models.annotations import ColorBar

    marks = ColumnDataSource({"value": [0.0] * 5})
    bar = ColorBar(
        color_mapper=mapper, height=9, orientation="horizontal", title_text_font_size="8pt", title_standoff=3,
        padding=2, major_label_text_font_size="8pt", ticker=FixedTicker(ticks=[0, 63.75, 127.5, 191.25, 255]),
        formatter=CustomJSTickFormatter(code=zoomed_script.TICK, args={"marks": marks}),
    )  # fmt: skip
    main.add_layout(bar, "below")
    return bar, marks


def _left_out(main: Any) -> Any:
    """Where the share that a threshold hides is told."""
    from bokeh.models.annotations import Label

    label = Label(x=6, y=6, x_units="screen", y_units="screen", text="", text_color="white", text_font_size="8pt",
                  background_fill_color="#1b1b1b", background_fill_alpha=0.65)  # fmt: skip
    main.add_layout(label)
    return label


def _profile(ys: Any) -> tuple[Any, Any, Any]:
    """The map of one moment, on the same prices."""
    from bokeh.models import ColumnDataSource, CustomJSTickFormatter, Range1d
    from bokeh.plotting import figure

    new_figure: Any = figure
    profile = new_figure(
        width=SIDE, height=HEIGHT, x_range=Range1d(start=0, end=1), y_range=ys, tools="", toolbar_location=None,
        title="map at its close\n", name="estimated liquidation map at the pointer",
    )  # fmt: skip
    profile.title.text_font_size = "7pt"
    profile.yaxis.visible = False
    profile.xaxis.formatter = CustomJSTickFormatter(code=bokeh_hooks.SI)
    profile.xaxis.ticker.desired_num_ticks = 2
    sources = []
    for label, colour in (("longs", LONG), ("shorts", SHORT)):
        source = ColumnDataSource({each: [] for each in ("left", "right", "bottom", "top")})
        profile.quad(left="left", right="right", bottom="bottom", top="top", source=source, fill_color=colour,
                     line_color=colour, line_width=0.8, legend_label=label)  # fmt: skip
        sources.append(source)
    legend = profile.legend[0]
    legend.location, legend.label_text_font_size, legend.background_fill_alpha = "bottom_right", "7pt", 0.6
    legend.glyph_width = legend.glyph_height = 8
    return profile, sources[0], sources[1]


def _hover(main: Any, picture: Any, cells: Any) -> None:
    from bokeh.models import CrosshairTool, CustomJSHover, HoverTool

    amount = CustomJSHover(args={"cells": cells}, code=zoomed_script.HOVER)
    main.add_tools(
        HoverTool(
            renderers=[picture], formatters={"$x": "datetime", "@x": amount, "@y": amount},
            tooltips=[("time (UTC)", "$x{%d %b %Y %H:%M}"), ("price", "$y{0,0.[00]}"),
                      ("longs, estimated", "@x{longs}"), ("shorts, estimated", "@y{shorts}")],
        ),
        CrosshairTool(line_color="#bbbbbb", line_alpha=0.6),
    )  # fmt: skip


def _dress(main: Any) -> None:
    from bokeh.models import DatetimeTickFormatter, NoOverlap, NumeralTickFormatter

    days = DatetimeTickFormatter(minutes="%d %b", hourmin="%d %b", hours="%d %b", days="%Y", months="%Y")
    main.xaxis.formatter = DatetimeTickFormatter(
        minutes="%H:%M", hourmin="%H:%M", hours="%H:%M", days="%d %b", months="%b %Y", context=days,
        context_which="start", context_location="below", hide_repeats=True,
    )  # fmt: skip
    main.xaxis.major_label_policy = NoOverlap(min_distance=6)
    main.yaxis.formatter = NumeralTickFormatter(format="0,0.[000000]")
    main.title.text_font_size = "8pt"
    main.grid.visible = False
    main.toolbar.logo = None
