"""Heatmaps of several lookbacks, or models, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from liqlab.maps.stacking import SEVERAL, heatmaps_of
from liqlab.market.arguments import Table, at_least, checked
from liqlab.plot import bokeh_hooks
from liqlab.plot._candles import candles_over
from liqlab.plot.colour_bar import colours
from liqlab.plot.image import image
from liqlab.plot.style import FONT, WIDE, interest, raw, view

if TYPE_CHECKING:
    import holoviews as hv
    import xarray as xr

HEIGHT = 550  # [px] with title, colour bar and axis: the map itself is 300 high


@checked(maps=Table("lq.lookback_heatmaps(market, lookbacks=['24h', '7d'])"))
def lookback_heatmaps(
    maps: xr.Dataset,
    *,
    cmap: str = "purple-yellow",
    logz: bool = False,
    cnorm: str | None = None,
    ylim: tuple[float, float] | None = None,
    columns: int = 2,
) -> hv.Layout:
    """Draw heatmaps of several lookbacks, or of several models, side by side on one range of prices.

    Parameters
    ----------
    maps : Dataset
        From `liqlab.lookback_heatmaps` or `liqlab.model_heatmaps`: with a dimension ``lookback`` or ``model``.
    cmap, logz, cnorm
        As in `heatmap`.
    ylim : (low, high), optional
        Prices shown [quote]; default: that of the first heatmap.
    columns : int
        Panels per row.

    Returns
    -------
    holoviews Layout
        Each panel has colours of its own: a longer window holds more, and would outshine the shorter ones.
    """
    import holoviews as hv

    bokeh_hooks.use_bokeh()
    dim = next((dim for dim in SEVERAL if dim in getattr(maps, "dims", ())), None)
    if dim is None:
        raise ValueError("maps must be several heatmaps in one, a Dataset with a dimension lookback or model; make it "
                         "with lq.lookback_heatmaps(market, lookbacks=['24h', '7d'])")  # fmt: skip
    at_least(1, columns=columns)
    each = heatmaps_of(maps, dim)
    low, high = ylim or view(next(iter(each.values())))
    look = {**WIDE, "height": HEIGHT, "min_width": 165, "fontsize": FONT, "show_grid": False, "toolbar": None,
            "hooks": [bokeh_hooks.prices, bokeh_hooks.apart]}  # fmt: skip
    scale = colours(cmap, logz=logz, cnorm=cnorm)
    pictures = []
    for k, (name, heat) in enumerate(each.items()):
        main = image(heat, (low, high), scale, narrow=True).opts(hv.opts.Image(axiswise=True)) * candles_over(heat)
        ylabel = f"price [{heat.attrs['quote']}]" if k % columns == 0 else ""
        pictures.append(main.opts(hv.opts.Overlay(title=raw(_narrow(heat, name)), ylim=(low, high), xlabel="time [UTC]",
                                                ylabel=ylabel, **look)))  # fmt: skip
    return hv.Layout(pictures).cols(columns).opts(shared_axes=True, toolbar=None)


def _narrow(heat: xr.Dataset, name: str) -> str:
    """The heading in lines short enough for two panels on a phone."""
    a = heat.attrs
    whose = interest(heat, narrow=True)
    return (f"{name}, estimated\n{a['symbol'] or 'no symbol'}\n{a['exchange'] or 'no exchange'} {a['timeframe']}\n"
            f"{a['model']}\nlaw {a['law']}\nOI {whose}")  # fmt: skip
