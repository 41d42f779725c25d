"""The panels below a heatmap: open interest or volume over time, and the coverage in the corner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from liqlab.market.clock import naive
from liqlab.market.market import Market
from liqlab.market.provenance import Provenance
from liqlab.plot import bokeh_hooks
from liqlab.plot.cells import middles
from liqlab.plot.style import FONT, LONG, SHORT, SIDE, SIDE_FONT, STRIP, WIDE, raw

if TYPE_CHECKING:
    import holoviews as hv
    import xarray as xr

GREY = "#7f7f7f"


def strip(heat: xr.Dataset, market: Market | None) -> hv.Element:
    """Open interest where the market has it, else the volume, on the heatmap's time axis."""
    import hvplot.pandas  # noqa: F401  (registers .hvplot)

    line, where, label = strip_line(heat, market)
    picture = line.to_frame().hvplot.step(
        y=line.name, where=where, ylabel=label, xlabel="time [UTC]", grid=True, title="", hover=False, color=GREY,
        **{**WIDE, "height": STRIP},
    )  # fmt: skip
    return picture.opts(fontsize=FONT, toolbar=None, yticks=3, hooks=[bokeh_hooks.si_axis("y"), bokeh_hooks.borders])


def strip_line(heat: xr.Dataset, market: Market | None) -> tuple[pd.Series, Literal["mid", "post"], str]:
    """What the strip shows (time,), where in its step a value stands, and the label of its axis."""
    coin = heat.attrs["coin"]
    if market is None or market.open_interest is None:
        volume = pd.Series(heat["volume"].to_numpy(), index=middles(heat).rename("time"), name="volume")
        return volume, "mid", f"volume [{coin}]"
    table = market.open_interest
    first, last = heat["time"].to_numpy()[0], heat["close_time"].to_numpy()[-1]
    stamps = naive(table.index)
    on = (stamps >= first) & (stamps <= last)
    kind = market.sources.get("open_interest", {})
    whose = f" ({kind.get('exchange')})" if kind.get("kind") == "proxy" else ""
    line = pd.Series(table["open_interest"].to_numpy()[on], pd.Index(stamps[on], name="time"), name="open_interest")
    return line, "post", f"OI{whose} [{coin}]"


def coverage(heat: xr.Dataset, at: Any) -> hv.Overlay:
    """How much of the open interest the map accounts for: attributed ÷ (attributed + unattributed), by side."""
    import holoviews as hv

    share, known, title = coverage_of(heat, at)
    bars = [hv.Rectangles([(k - 0.35, 0.0, k + 0.35, share[k])]).opts(color=colour, line_width=0)
            for k, colour in enumerate((LONG, SHORT))]  # fmt: skip
    return hv.Overlay(bars).opts(
        title=raw(title), width=SIDE, height=STRIP, ylim=(0, 1), xlim=(-0.6, 1.6), xlabel="", ylabel="", toolbar=None,
        xticks=[(0, f"L {share[0]:.0%}"), (1, f"S {share[1]:.0%}")] if known else 0, yticks=[(0, ""), (1, "")],
        fontsize=SIDE_FONT, hooks=[bokeh_hooks.unlinked],
    )  # fmt: skip


def coverage_of(heat: xr.Dataset, at: Any) -> tuple[np.ndarray, bool, str]:
    """Attributed share by side (side,), whether open interest was used at all, and the panel's title."""
    from liqlab.maps.heatmaps import liquidation_map as moment_of

    snap = moment_of(heat, at=at)
    uses = {one.open_interest.kind for one in Provenance.of(heat).each}
    known, share = "unattributed_oi" in snap and uses != {"not used"}, np.zeros(2)
    if known:
        attributed, rest = snap["attributed_oi"].to_numpy(), snap["unattributed_oi"].to_numpy()
        np.divide(attributed, attributed + rest, out=share, where=attributed + rest > 0)
    title = ("coverage, assumed" if "assumed" in uses else "coverage [% of OI]") if known else "coverage: no OI"
    return share, known, title
