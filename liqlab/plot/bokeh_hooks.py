"""What HoloViews has no option for: a sheet of figures as wide as its page, and hooks on the rendered plots."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import holoviews as hv

_registered: dict[str, Any] = {}


def sheet(parts: list[Any], columns: int, *, kind: str = "Sheet", finish: Any = None) -> hv.Layout:
    """A layout whose first column takes all the width that the others leave; `finish` has the last word on the grid.

    `kind` names the layouts that share one `finish`.
    """
    import holoviews as hv

    if kind not in _registered:
        _registered[kind] = type(kind, (hv.Layout,), {})
        hv.Store.register({_registered[kind]: _plot_class(finish)}, "bokeh")
    return (
        _registered[kind](parts)
        .cols(columns)
        .opts(shared_axes=True, merge_tools=True, toolbar="above", show_title=False)
    )


def _plot_class(finish: Any) -> Any:
    from holoviews.plotting.bokeh import LayoutPlot

    class SheetPlot(LayoutPlot):
        def initialize_plot(self, *args: Any, **kwargs: Any) -> Any:
            grid = super().initialize_plot(*args, **kwargs)
            grid.toolbar.logo = None
            grid.toolbar.active_drag = grid.toolbar.active_scroll = None
            grid.cols = ["1fr", *["max-content"] * (self.cols - 1)]
            if finish is not None:
                self.handles["plot"] = finish(grid)
            return self.handles["plot"]

    return SheetPlot


# 12.5M and not bokeh's 12.5m, which a trader reads as thousandths
SI = """
const size = Math.abs(tick);
for (const [unit, name] of [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]]) {
  if (size >= unit) return +(tick / unit).toPrecision(3) + name;
}
return "" + +tick.toPrecision(3);
"""


def hover(tooltips: list[tuple[str, str]]) -> Any:
    """Lines of the hover; ``{custom}`` is for amounts."""

    def hook(plot: Any, element: Any) -> None:
        from bokeh.models import CustomJSHover

        hover = plot.handles.get("hover")
        if hover is not None:
            amounts = [field.removesuffix("{custom}") for _, field in tooltips if field.endswith("{custom}")]
            hover.tooltips = tooltips
            hover.formatters = {
                "$x": "datetime",
                **{field: CustomJSHover(code=f"const tick = value;{SI}") for field in amounts},
            }

    return hook


def si_colorbar(plot: Any, element: Any) -> None:
    from bokeh.models import CustomJSTickFormatter, NoOverlap

    if "colorbar" in plot.handles:
        plot.handles["colorbar"].update(formatter=CustomJSTickFormatter(code=SI), major_label_policy=NoOverlap())


def si_axis(which: str) -> Any:
    def hook(plot: Any, element: Any) -> None:
        from bokeh.models import CustomJSTickFormatter

        for axis in getattr(plot.state, f"{which}axis"):
            axis.formatter = CustomJSTickFormatter(code=SI)

    return hook


def borders(plot: Any, element: Any) -> None:
    """The same margins above and below, so that the strip's hours stand under the heatmap's."""
    plot.state.min_border_left, plot.state.min_border_right = 72, 12
    apart(plot, element)


def apart(plot: Any, element: Any) -> None:
    """Hours and days that would run into each other on a phone are left out, and the last one has room beside it."""
    from bokeh.models import DatetimeTickFormatter, NoOverlap

    plot.state.min_border_right = 20

    days = DatetimeTickFormatter(minutes="%d %b", hourmin="%d %b", hours="%d %b", days="%Y", months="%Y")
    for axis in plot.state.xaxis:
        axis.major_label_policy = NoOverlap(min_distance=6)
        axis.formatter = DatetimeTickFormatter(
            minutes="%H:%M", hourmin="%H:%M", hours="%H:%M", days="%d %b", months="%b %Y", context=days,
            context_which="start", context_location="below", hide_repeats=True,
        )  # fmt: skip


def prices(plot: Any, element: Any) -> None:
    """Prices in full: 125,000 and not 1.250e+5."""
    from bokeh.models import NumeralTickFormatter

    for axis in plot.state.yaxis:
        axis.formatter = NumeralTickFormatter(format="0,0.[000000]")


def unlinked(plot: Any, element: Any) -> None:
    """Coverage shares no axis with its neighbours."""
    plot.state.min_border_bottom = 40


def below(plot: Any, element: Any) -> None:
    """Room for the heatmap's colour bar, so that both price axes end at the same height."""
    plot.state.min_border_bottom = 92
    for renderer in plot.state.renderers:  # between bars without an edge the paper shines through
        glyph: Any = getattr(renderer, "glyph", None)
        if type(glyph).__name__ == "Quad":
            glyph.line_color, glyph.line_width = glyph.fill_color, 0.8
    for legend in plot.state.legend:  # small: what it covers is data
        legend.glyph_width = legend.glyph_height = 8
        legend.label_height = legend.label_width = 8
        legend.label_standoff, legend.padding, legend.spacing, legend.margin = 3, 3, 0, 2
        legend.label_text_font_size, legend.background_fill_alpha, legend.border_line_alpha = "7pt", 0.6, 0.0


def use_bokeh() -> None:
    """Bokeh as the backend, without touching what a notebook has loaded already.

    From then on the wheel over a figure scrolls the notebook, as it does a page, and a drag selects nothing: zoom and
    pan wait in the toolbar until they are chosen. Whoever wants another beginning says so, ``active_tools=[…]``.
    """
    import holoviews as hv

    there = "bokeh" in hv.Store.registry and hv.Store.current_backend == "bokeh"
    if not there or not hasattr(hv.opts, "Overlay"):  # its options are missing where something imported it by itself
        hv.extension("bokeh", logo=False)
    from holoviews.plotting.bokeh.element import ElementPlot

    if ElementPlot.active_tools is None:
        ElementPlot.active_tools = []


def is_figure(thing: Any) -> bool:
    """Whether something is a figure of HoloViews; where that was never loaded there is none."""
    if "holoviews" not in sys.modules:
        return False
    import holoviews as hv

    return isinstance(thing, hv.core.Dimensioned) and type(thing) is not hv.Dataset


def bokeh_model(figure: Any) -> Any:
    """The figure as Bokeh draws it.

    Raises
    ------
    ValueError
        Where a part of it needs a kernel, or is one of several frames that a slider chooses.
    """
    import holoviews as hv

    if figure.traverse(lambda part: part, [hv.DynamicMap, hv.HoloMap]):
        raise ValueError("a figure with a slider or one that Python redraws needs a kernel, and a file has none; save "
                         "one of its frames, figure[key], or side by side, figure.layout()")  # fmt: skip
    use_bokeh()
    return hv.render(figure, backend="bokeh")
