"""Many markets on one sheet: a small map of each around its last price."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from liqlab.maps.arguments import estimated
from liqlab.maps.stacking import one_heatmap
from liqlab.market.arguments import at_least, checked
from liqlab.plot import bokeh_hooks
from liqlab.plot.cells import cells, unit_of
from liqlab.plot.colour_bar import EMPTY, colours, limits
from liqlab.plot.image import gaps
from liqlab.plot.style import FONT, WIDE, raw, short_number

if TYPE_CHECKING:
    import holoviews as hv
    import xarray as xr

HEIGHT, NARROW, LETTERS = 210, 112, 18  # [px], [px], of a line of a heading: three panels side by side fit a phone
HOVER = [("time", "$x{%F %H:%M}"), ("from the last price", "$y{+0.00}%"), ("longs", "@longs{custom}"),
         ("shorts", "@shorts{custom}")]  # fmt: skip


@checked()
def small_maps(
    maps: Mapping[str, xr.Dataset],
    *,
    within: float = 0.1,
    cmap: str = "purple-yellow",
    logz: bool = False,
    cnorm: str | None = None,
    columns: int = 3,
) -> hv.Layout:
    """Draw a small heatmap of each of many markets, on one axis: the distance from each one's last price.

    Parameters
    ----------
    maps : mapping of name to Dataset
        ``lq.scan(…).maps``, or heatmaps by name.
    within : float
        Prices shown, as distance from the last one [1].
    cmap, logz, cnorm
        As in `heatmap`.
    columns : int
        Panels per row.

    Returns
    -------
    holoviews Layout
        Each panel has colours of its own; its heading says for how much the brightest stands, *estimated*, and when it
        ends. The white line is the close of each column. Compare places between panels, not colours.

    Raises
    ------
    ValueError
        No map, or a distance that is none.

    Examples
    --------
    >>> import liqlab as lq
    >>> heat = lq.heatmap(lq.load_example("btc-2024-05"), start="2024-05-01", end="2024-05-02", price_step=100)
    >>> len(small_maps({"Bitcoin": heat, "the same": heat}))
    2
    """
    import holoviews as hv

    bokeh_hooks.use_bokeh()
    at_least(1, columns=columns)
    if not 0 < within < 1:
        raise ValueError(f"within is a distance from the last price in (0, 1), got {within!r}; 0.1 is 10 %")
    if not maps:
        raise ValueError("maps is empty; lq.scan(markets).maps holds those that could be made")
    scale = colours(cmap, logz=logz, cnorm=cnorm)
    heats = {name: one_heatmap(estimated(heat, f"maps[{name!r}]")) for name, heat in maps.items()}
    panels = [_panel(str(name), heat, within, scale, left=k % columns == 0)
              for k, (name, heat) in enumerate(heats.items())]  # fmt: skip
    return hv.Layout(panels).cols(columns).opts(shared_axes=False, toolbar=None)


def _panel(name: str, heat: xr.Dataset, within: float, scale: Any, *, left: bool) -> hv.Overlay:
    import holoviews as hv

    close = heat["close"].to_numpy()
    last = float(close[-1])
    table = cells(heat, (last * (1 - within), last * (1 + within)))
    unit = unit_of(table, heat)
    table = table.assign_coords(price=100 * (table["price"] / last - 1))
    ends = limits(table["estimated"].to_numpy(), scale.norm)
    drawn = table.assign(estimated=table["estimated"].where(table["estimated"] > 0))
    picture = hv.Image(drawn, ["time", "price"], ["estimated", "longs", "shorts"]).opts(
        cmap=scale.palette, cnorm=scale.norm, clim=(ends.low, ends.high), bgcolor=EMPTY, tools=["hover"],
        hooks=[bokeh_hooks.hover(HOVER)],
    )  # fmt: skip
    half = (heat["close_time"].to_numpy()[0] - heat["time"].to_numpy()[0]) / 2
    line = hv.Curve((heat["time"].to_numpy() + half, 100 * (close / last - 1)), "time", "price")
    ylim = (-100 * within, 100 * within)
    axis: dict[str, Any] = {"ylabel": "from last price [%]"} if left else {"ylabel": "", "yaxis": "bare"}
    until = f"until {str(heat['close_time'].to_numpy()[-1])[:10]}"
    words = "\n".join([*_lines(name), until, f"≤ {short_number(ends.high)} {unit}".replace(" per", "\nper")])
    return hv.Overlay([picture, *gaps(table, ylim), line.opts(color="white", line_width=1)]).opts(
        title=raw(words), ylim=ylim, xlabel="", xaxis="bare", show_grid=False, fontsize={**FONT, "title": "7pt"},
        **{**WIDE, "height": HEIGHT, "min_width": NARROW}, toolbar=None, **axis,
    )  # fmt: skip


def _lines(name: str) -> list[str]:
    """A name in two lines that a small panel holds."""
    if len(name) <= LETTERS:
        return [name, ""]
    cut = max(name.rfind(mark, 0, LETTERS) for mark in " -_/:") + 1 or LETTERS
    rest = name[cut:].strip()
    return [name[:cut], rest if len(rest) <= LETTERS else rest[: LETTERS - 1] + "…"]
