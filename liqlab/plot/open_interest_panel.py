"""The panels below a heatmap: open interest or volume over time, and the coverage in the corner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.market.clock import naive
from liqlab.market.market import Market
from liqlab.market.provenance import Provenance
from liqlab.plot import bokeh_hooks
from liqlab.plot.cells import middles
from liqlab.plot.style import FONT, LONG, SHORT, SIDE, STRIP, WIDE, raw

if TYPE_CHECKING:
    import holoviews as hv
    import xarray as xr


def strip(heat: xr.Dataset, market: Market | None) -> hv.Element:
    """Open interest where the market has it, else the volume, on the heatmap's time axis."""
    import hvplot.pandas  # noqa: F401  (registers .hvplot)

    shared: dict[str, Any] = {**WIDE, "height": STRIP, "xlabel": "time [UTC]", "grid": True, "title": "",
                              "hover": False, "color": "#7f7f7f"}  # fmt: skip
    coin = heat.attrs["coin"]
    if market is None or market.open_interest is None:
        volume = pd.DataFrame({"volume": heat["volume"].to_numpy()}, index=middles(heat).rename("time"))
        picture = volume.hvplot.step(y="volume", where="mid", ylabel=f"volume [{coin}]", **shared)
    else:
        table = market.open_interest
        first, last = heat["time"].to_numpy()[0], heat["close_time"].to_numpy()[-1]
        stamps = naive(table.index)
        on = (stamps >= first) & (stamps <= last)
        kind = market.sources.get("open_interest", {})
        whose = f" ({kind.get('exchange')})" if kind.get("kind") == "proxy" else ""
        line = pd.DataFrame(
            {"open_interest": table["open_interest"].to_numpy()[on]}, index=pd.Index(stamps[on], name="time")
        )
        picture = line.hvplot.step(y="open_interest", where="post", ylabel=f"OI{whose} [{coin}]", **shared)
    return picture.opts(fontsize=FONT, toolbar=None, yticks=3, hooks=[bokeh_hooks.si_axis("y"), bokeh_hooks.borders])


def coverage(heat: xr.Dataset, at: Any) -> hv.Overlay:
    """How much of the open interest the map accounts for: attributed ÷ (attributed + unattributed), by side."""
    import holoviews as hv

    from liqlab.maps.heatmaps import liquidation_map as moment_of

    snap = moment_of(heat, at=at)
    uses = {one.open_interest.kind for one in Provenance.of(heat).each}
    known = "unattributed_oi" in snap and uses != {"not used"}
    attributed_oi, unattributed_oi = snap["attributed_oi"].to_numpy(), snap["unattributed_oi"].to_numpy()
    share = (
        np.divide(
            attributed_oi, attributed_oi + unattributed_oi, out=np.zeros(2), where=attributed_oi + unattributed_oi > 0
        )
        if known
        else np.zeros(2)
    )
    bars = [hv.Rectangles([(k - 0.35, 0.0, k + 0.35, share[k])]).opts(color=colour, line_width=0)
            for k, colour in enumerate((LONG, SHORT))]  # fmt: skip
    title = ("coverage, assumed" if "assumed" in uses else "coverage [% of OI]") if known else "coverage: no OI"
    return hv.Overlay(bars).opts(
        title=raw(title), width=SIDE, height=STRIP, ylim=(0, 1), xlim=(-0.6, 1.6), xlabel="", ylabel="", toolbar=None,
        xticks=[(0, f"L {share[0]:.0%}"), (1, f"S {share[1]:.0%}")] if known else 0, yticks=[(0, ""), (1, "")],
        fontsize=FONT, hooks=[bokeh_hooks.unlinked],
    )  # fmt: skip
