"""What HoloViews has no option for: a sheet of figures as wide as its page, and hooks on the rendered plots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import holoviews as hv

_registered: dict[str, Any] = {}


def sheet(parts: list[Any], columns: int) -> hv.Layout:
    """A layout whose first column takes all the width that the others leave."""
    import holoviews as hv
    from holoviews.plotting.bokeh import LayoutPlot

    if "Sheet" not in _registered:

        class Sheet(hv.Layout):
            pass

        class SheetPlot(LayoutPlot):
            def initialize_plot(self, *args: Any, **kwargs: Any) -> Any:
                grid = super().initialize_plot(*args, **kwargs)
                grid.toolbar.logo = None
                grid.toolbar.active_drag = grid.toolbar.active_scroll = None
                grid.cols = ["1fr", *["max-content"] * (self.cols - 1)]
                return grid

        hv.Store.register({Sheet: SheetPlot}, "bokeh")
        _registered["Sheet"] = Sheet
    return (
        _registered["Sheet"](parts)
        .cols(columns)
        .opts(shared_axes=True, merge_tools=True, toolbar="above", show_title=False)
    )


# 12.5M and not bokeh's 12.5m, which a trader reads as thousandths
_SI = """
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
                **{field: CustomJSHover(code=f"const tick = value;{_SI}") for field in amounts},
            }

    return hook


def si_colorbar(plot: Any, element: Any) -> None:
    from bokeh.models import CustomJSTickFormatter

    if "colorbar" in plot.handles:
        plot.handles["colorbar"].formatter = CustomJSTickFormatter(code=_SI)


def si_axis(which: str) -> Any:
    def hook(plot: Any, element: Any) -> None:
        from bokeh.models import CustomJSTickFormatter

        for axis in getattr(plot.state, f"{which}axis"):
            axis.formatter = CustomJSTickFormatter(code=_SI)

    return hook


def borders(plot: Any, element: Any) -> None:
    """The same margins above and below, so that the strip's hours stand under the heatmap's."""
    plot.state.min_border_left, plot.state.min_border_right = 72, 12


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


def use_bokeh() -> None:
    """Bokeh as the backend, without touching what a notebook has loaded already."""
    import holoviews as hv

    if "bokeh" not in hv.Store.registry or hv.Store.current_backend != "bokeh":
        hv.extension("bokeh", logo=False)
