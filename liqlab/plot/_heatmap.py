"""A heatmap, drawn with all its panels; and a case in one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from liqlab.maps.arguments import check_same_market, check_same_source, moment_in
from liqlab.maps.stacking import one_heatmap
from liqlab.market.arguments import Table, checked
from liqlab.market.clock import utc
from liqlab.market.market import Market
from liqlab.plot import bokeh_hooks, open_interest_panel
from liqlab.plot._candles import candles_over
from liqlab.plot.colour_bar import colours
from liqlab.plot.image import image
from liqlab.plot.observed import is_observed, observed_heatmap
from liqlab.plot.own_positions import own_positions
from liqlab.plot.profile import liquidation_map
from liqlab.plot.style import FONT, SIDE, WIDE, heading, raw, view
from liqlab.plot.zones import clusters

if TYPE_CHECKING:
    import holoviews as hv
    import xarray as xr

MAX_COLUMNS = 700  # more than a screen has pixels only make the page heavy


@checked(zones=Table("lq.clusters(heat)", "side low peak high notional", "at start"))
def heatmap(
    heat: xr.Dataset,
    market: Market | None = None,
    *,
    cmap: str = "purple-yellow",
    logz: bool | None = None,
    cnorm: str | None = None,
    threshold: float = 0.0,
    ylim: tuple[float, float] | None = None,
    at: Any = None,
    positions: Mapping[str, Any] | Sequence[Mapping[str, Any]] | pd.DataFrame | None = None,
    zones: pd.DataFrame | None = None,
    strip: bool = True,
    profile: bool = True,
    title: str | None = None,
) -> hv.Layout | hv.Overlay:
    """Draw a heatmap: estimated levels, candles on top, the map of one moment at the side, a strip below.

    Parameters
    ----------
    heat : Dataset
        From `liqlab.heatmap`, or from `liqlab.observed_heatmap`, which is then drawn as `observed_heatmap` here does.
    market : Market, optional
        For the strip: open interest where the market has it, else volume. The candles come from `heat`.
    cmap : str
        One of the four colour scales in circulation: ``purple-yellow``, ``black-yellow``, ``green-red``,
        ``violet-red``, or a name of matplotlib's. The last two of the four are neither perceptually uniform nor safe
        for colour-blind eyes. A cell in which nothing stands is black, and no amount is; no data is hatched.
    logz : bool, optional
        Logarithmic colours or linear ones; default: linear, and logarithmic for what was observed, of which most is
        small.
    cnorm : str, optional
        ``linear``, ``log`` or ``eq_hist``; it has the last word over `logz`. Linear colours begin at 0. Logarithmic
        ones begin where a hundredth of the notional lies below, and the colour bar says how much it is. ``eq_hist``
        gives every colour the same number of cells: it shows the most detail, and no proportions.
    threshold : float
        Share [0..1) of the brightest colour; dimmer cells are hidden, and the colour bar says how much that hides.
    ylim : (low, high), optional
        Prices shown [quote]; default: the candles' range and about as much around it.
    at : time-like, optional
        Moment of the side profile; default: the last column. A line marks it when it is given.
    positions : mapping, sequence or DataFrame, optional
        Your own, as in `liqlab.assess_positions`: liquidation price and stop are drawn against the zones at that
        moment.
    zones : DataFrame, optional
        From `liqlab.clusters`: outlined, the largest labelled with peak, notional and leverages.
    strip, profile : bool
        Draw the strip below and the map at the side.
    title : str, optional
        Replaces the first line of the title; the legend line stays.

    Returns
    -------
    holoviews Layout or Overlay
        Composes with ``*`` and ``+``; rendered by Bokeh, as wide as its page.
    """
    import holoviews as hv

    bokeh_hooks.use_bokeh()
    heat = one_heatmap(heat)
    if is_observed(heat):
        if at is not None or positions is not None or zones is not None:
            raise ValueError("at, positions and zones belong to an estimated map, and this one is of observed "
                             "liquidations; leave them out, or lay lq.plot.clusters(zones) over it with *")  # fmt: skip
        return observed_heatmap(heat, cmap=cmap, logz=logz is not False, cnorm=cnorm, ylim=ylim, strip=strip,
                                profile=profile, title=title)  # fmt: skip
    check_same_market(market, heat)
    check_same_source(zones, heat)
    low, high = ylim or view(heat)
    main = image(heat, (low, high), colours(cmap, logz=logz, cnorm=cnorm), threshold=threshold) * candles_over(heat)
    if at is not None:
        main = main * hv.VLine(moment_in(heat, at)).opts(color="white", line_dash="dashed", line_width=1)
    if zones is not None:
        main = main * clusters(zones, heat=heat, ylim=(low, high))
    if positions is not None:
        from liqlab.zones.own_positions import assess_positions as assessed

        main = main * own_positions(assessed(positions, heat, at=at), heat, (low, high))
    main = main.opts(
        hv.opts.Overlay(
            title=raw(heading(heat, title)), ylim=(low, high), xlabel="", ylabel=f"price [{heat.attrs['quote']}]",
            show_grid=False, fontsize=FONT, toolbar="above", hooks=[bokeh_hooks.borders, bokeh_hooks.prices], **WIDE,
        )
    )  # fmt: skip
    if not (strip or profile):
        return main
    parts = [main]
    if profile:
        parts.append(liquidation_map(heat, at=at, ylim=(low, high), width=SIDE))
    if strip:
        parts.append(open_interest_panel.strip(heat, market))
    if strip and profile:
        parts.append(open_interest_panel.coverage(heat, at))
    return bokeh_hooks.sheet(parts, 2 if profile else 1)


@checked()
def show(
    case: str | Market, model: str | None = None, *, start: Any = None, end: Any = None, **options: Any
) -> hv.Layout:
    """A case in one line: load it, build its heatmap over the part worth looking at first, draw it.

    Parameters
    ----------
    case : str or Market
        A name from `liqlab.examples`, or a market of your own.
    model : str
        As in `liqlab.heatmap`.
    start, end : time-like, optional
        What is shown; default: the case's window, or a market's last three days.
    **options
        Those of `heatmap` here (``cmap=``, ``threshold=``, …) and of `liqlab.heatmap` (``lookback=``, ``law=``, …).

    Returns
    -------
    holoviews Layout or Overlay
        As `heatmap` here.
    """
    from liqlab.loaders import _examples
    from liqlab.maps import heatmaps

    market = _examples.load_example(case) if isinstance(case, str) else case
    if isinstance(case, str):
        row = _examples.examples().loc[case]
        start, end = row["window_start"] if start is None else start, row["window_end"] if end is None else end
    start = max(market.start, market.end - pd.Timedelta("3D")) if start is None else start
    near = int(market.start.as_unit("ns").value), int(market.end.as_unit("ns").value)
    until = market.end if end is None else utc(end, name="end", span=near)
    span = until - utc(start, name="start", span=near)
    wide = -(-span // (MAX_COLUMNS * market.step)) * market.step
    options.setdefault("time_step", wide if wide > market.step else None)
    mine = {name: options.pop(name) for name in list(options) if name in _DRAWING}
    heat = heatmaps.heatmap(market, model, start=start, end=end, **options)
    return heatmap(heat, market, **mine)


_DRAWING = ("cmap", "logz", "cnorm", "ylim", "threshold", "at", "positions", "zones", "strip", "profile", "title")
