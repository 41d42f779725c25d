"""Heatmaps written to a PNG, SVG or PDF file, without a browser: plain matplotlib, with the look of a page."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from liqlab.loaders.whole_file import whole_file
from liqlab.maps.arguments import check_same_market, check_same_source, moment_in
from liqlab.maps.stacking import SEVERAL, heatmaps_of, one_heatmap
from liqlab.market.arguments import Table, checked
from liqlab.market.market import Market
from liqlab.plot import matplotlib_layers as layers
from liqlab.plot.cells import cells
from liqlab.plot.colour_bar import Colours, colours
from liqlab.plot.observed import is_observed, observed_heading
from liqlab.plot.style import heading, view

if TYPE_CHECKING:
    import xarray as xr

ENDINGS = ("png", "svg", "pdf")
NARROW, WITH_PROFILE, WIDE, MAX_DPI = 3.5, 5.5, 60.0, 1200  # [inches] of a panel at least, of a picture at most; [dpi]
TALL = {"map": 0.42, "observed": 0.3}  # of a panel's width
BAR, STRIP, TITLE, AXIS, KEY = 0.1, 0.8, 0.75, 0.35, 0.55  # [inches]


class _Look(NamedTuple):
    """What all panels of a picture share."""

    scale: Colours
    observed_scale: Colours
    threshold: float
    ylim: tuple[float, float] | None
    at: Any
    title: str | None
    candles: bool
    profile: bool
    strip: bool
    ticks: int


@checked(zones=Table("lq.clusters(heat)", "side low peak high notional", "at start"))
def png(
    heat: xr.Dataset | Sequence[xr.Dataset],
    path: str | os.PathLike[str],
    market: Market | None = None,
    *,
    cmap: str = "purple-yellow",
    logz: bool | None = None,
    cnorm: str | None = None,
    threshold: float = 0.0,
    ylim: tuple[float, float] | None = None,
    at: Any = None,
    candles: bool = True,
    zones: pd.DataFrame | None = None,
    positions: Mapping[str, Any] | Sequence[Mapping[str, Any]] | pd.DataFrame | None = None,
    observed: xr.Dataset | None = None,
    strip: bool | None = None,
    profile: bool | None = None,
    title: str | None = None,
    columns: int = 2,
    width: float = 10.0,
    dpi: int = 110,
) -> Path:
    """Write heatmaps as PNG, SVG or PDF, without a browser (matplotlib), with the look of the figures on a page.

    Parameters
    ----------
    heat : Dataset or sequence of Datasets
        From `liqlab.heatmap` or `liqlab.observed_heatmap`. Several, or a Dataset of several lookbacks or models, stand
        side by side on one range of prices, each with colours of its own.
    path : path-like
        File to write, ending in ``.png``, ``.svg`` or ``.pdf``; an existing one is replaced once the new one is whole,
        and stays if it cannot be written.
    market : Market, optional
        For the strip: open interest where the market has it, else volume.
    cmap, logz, cnorm, threshold, ylim, at, title
        As in `heatmap`.
    candles : bool
        Draw the candles over the map.
    zones : DataFrame, optional
        From `liqlab.clusters`: outlined from where each was seen in `heat`, the largest labelled.
    positions : mapping, sequence or DataFrame, optional
        Your own, as in `liqlab.assess_positions`.
    observed : Dataset, optional
        From `liqlab.observed_heatmap`: drawn below the map, on the same axes of time and price.
    strip, profile : bool, optional
        Draw the strip below and the map at the side; default: where there is one map.
    columns : int
        Panels per row, of several maps.
    width : float
        Width [inches], at most 60; each panel of a row needs 3.5, with the map at the side 5.5.
    dpi : int
        Dots per inch, at most 1200.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError, TypeError
        Another ending of the file's name, a width or dpi out of range, zones, positions or observed with several maps,
        or what is no heatmap.
    """
    kind = _kind_of(path)
    maps = _maps(heat)
    several = len(maps) > 1
    columns = min(_whole(columns, "columns"), len(maps))
    profile = not several if profile is None else profile
    _check_size(width, dpi, columns, WITH_PROFILE if profile else NARROW)
    if several and not (zones is None and positions is None and observed is None):
        raise ValueError("zones, positions and observed belong to one map, and these are several; save them one by one")
    if observed is not None and not is_observed(one_heatmap(observed, "observed")):
        raise ValueError("observed must be a map of observed liquidations; make it with lq.observed_heatmap(market)")
    if is_observed(maps[0]) and not (zones is None and positions is None and observed is None and at is None):
        raise ValueError("at, positions, zones and observed belong to an estimated map, and this one is of observed "
                         "liquidations; leave them out, or pass it as observed= with the estimated map")  # fmt: skip
    for each in maps:
        check_same_market(market, each)
    check_same_source(zones, maps[0], "zones")
    check_same_source(observed, maps[0], "observed")
    look = _Look(colours(cmap, logz=logz, cnorm=cnorm),
                 colours(cmap, logz=logz is not False, cnorm=cnorm), threshold, ylim, at, title, candles, profile,
                 not several if strip is None else strip, max(5, int(width / columns)))  # fmt: skip
    figure = _figure(maps, market, look, zones=zones, positions=positions, observed=observed, columns=columns,
                     width=width, dpi=dpi)  # fmt: skip
    with whole_file(path) as part:
        figure.savefig(part, format=kind)
    return Path(path)


def _figure(
    maps: list[xr.Dataset], market: Market | None, look: _Look, *, zones: Any, positions: Any, observed: Any,
    columns: int, width: float, dpi: int,
) -> Any:  # fmt: skip
    """The finished figure: a panel for each map."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    heights = _heights(width / columns, observed is not None, look.strip)
    rows = -(-len(maps) // columns)
    one = sum(heights) + TITLE + (KEY + AXIS) * (1 + (observed is not None)) + AXIS * look.strip
    figure = Figure(figsize=(width, rows * one), dpi=dpi, layout="constrained")
    FigureCanvasAgg(figure)
    parts = figure.subfigures(rows, columns, squeeze=False).ravel()
    first = look.ylim or _view(maps[0])
    for part, heat in zip(parts, maps, strict=False):
        axes = part.subplots(len(heights), 1 + look.profile, squeeze=False, height_ratios=heights,
                             width_ratios=[6, 1][: 1 + look.profile])  # fmt: skip
        _map_rows(axes[:2], heat, first, look)
        if zones is not None:
            layers.draw_zones(axes[0, 0], zones, heat, first)
        if positions is not None:
            from liqlab.zones.own_positions import assess_positions

            layers.draw_positions(axes[0, 0], assess_positions(positions, heat, at=look.at), heat, first)
        if observed is not None:
            _map_rows(axes[2:4], observed, first, look._replace(at=None, title=None, threshold=0.0))
            axes[2, 0].set_xlim(axes[0, 0].get_xlim())
        if look.strip:
            _strip_row(axes[-1], heat, market, look)
            axes[-1, 0].set_xlim(axes[0, 0].get_xlim())
    return figure


def _map_rows(axes: Any, heat: xr.Dataset, ylim: tuple[float, float], look: _Look) -> None:
    """A map with its candles and the map at the side, and the colour bar below."""
    main, bar = axes[0, 0], axes[1, 0]
    scale = look.observed_scale if is_observed(heat) else look.scale
    layers.draw_cells(main, bar, cells(heat, ylim), heat, ylim, scale, look.threshold)
    if look.candles:
        layers.draw_candles(main, heat)
    if look.at is not None:
        layers.draw_moment(main, moment_in(heat, look.at))
    _time_axis(main, look.ticks)
    main.yaxis.set_major_formatter("{x:,.10g}")
    main.set_ylabel(f"price [{heat.attrs['quote']}]", **layers.LABEL)
    words = observed_heading(heat, look.title) if is_observed(heat) else heading(heat, look.title)
    main.set_title(words, loc="left", fontsize=8, weight="bold", color=layers.INK, parse_math=False)
    if look.profile:
        layers.draw_profile(axes[0, 1], heat, ylim, look.at)
        axes[1, 1].set_axis_off()


def _strip_row(axes: Any, heat: xr.Dataset, market: Market | None, look: _Look) -> None:
    """Below the map: open interest or volume and the coverage; of what was observed, the sums by time."""
    if is_observed(heat):
        layers.draw_sums(axes[0], heat)
    else:
        layers.draw_strip(axes[0], heat, market)
    _time_axis(axes[0], look.ticks)
    if look.profile and is_observed(heat):
        axes[1].set_axis_off()
    elif look.profile:
        layers.draw_coverage(axes[1], heat, look.at)


def _time_axis(axes: Any, most: int) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=2, maxticks=most)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.tick_params(labelsize=7)
    axes.xaxis.get_offset_text().set_fontsize(7)


def _heights(wide: float, observed: bool, strip: bool) -> list[float]:
    """Heights of the rows of a panel [inches]."""
    heights = [TALL["map"] * wide, BAR]
    if observed:
        heights += [TALL["observed"] * wide, BAR]
    return [*heights, STRIP] if strip else heights


def _view(heat: xr.Dataset) -> tuple[float, float]:
    edges = heat["price_edge"].to_numpy()
    return (float(edges[0]), float(edges[-1])) if is_observed(heat) else view(heat)


def _maps(heat: Any) -> list[xr.Dataset]:
    """One map or several; a Dataset of several is taken apart."""
    if isinstance(heat, list | tuple):
        if not heat:
            raise ValueError("there is no map to draw, got an empty list; pass lq.heatmap(market)")
        return [one_heatmap(each) for each in heat]
    for dim in SEVERAL:
        if dim in getattr(heat, "dims", ()):
            return list(heatmaps_of(heat, dim).values())
    return [one_heatmap(heat)]


def _kind_of(path: str | os.PathLike[str]) -> str:
    kind = Path(path).suffix.lower().removeprefix(".")
    if kind not in ENDINGS:
        raise ValueError(f"a figure is written as .png, .svg or .pdf, got {Path(path).name!r}; choose one of these "
                         "endings")  # fmt: skip
    return kind


def _check_size(width: float, dpi: float, columns: int, narrow: float) -> None:
    if not (math.isfinite(width) and narrow * columns <= width <= WIDE):
        raise ValueError(f"width must be {narrow * columns:g} to {WIDE:g} inches for {columns} panel(s) in a row, got "
                         f"{width!r}; a narrower picture has no room for its axes, fewer dots make it smaller "
                         "(dpi=60)")  # fmt: skip
    if not 10 <= dpi <= MAX_DPI:
        raise ValueError(f"dpi must be 10 to {MAX_DPI} dots per inch, got {dpi!r}; 110 is the default")


def _whole(number: Any, name: str) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise ValueError(f"{name} must be a whole number >= 1, got {number!r}")
    return number
