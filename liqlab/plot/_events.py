"""Prices around events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from liqlab.market.arguments import Table, checked
from liqlab.plot import bokeh_hooks
from liqlab.plot.style import FONT, LONG, MIN_WIDTH_PX, NEUTRAL, SHORT, raw

if TYPE_CHECKING:
    import holoviews as hv

HUES = (LONG, SHORT, "#009e73")
BANDS = ((0.05, 0.95, 0.15), (0.25, 0.75, 0.3))  # of the event figure: quantiles and opacity


@checked(tables=Table("lq.event_windows(market, times)"))
def events(tables: pd.DataFrame | Mapping[str, pd.DataFrame], *, title: str = "Price around events") -> hv.Overlay:
    """Draw prices before and after events: median, the middle half, and the middle nine tenths.

    Parameters
    ----------
    tables : DataFrame or mapping {label: DataFrame}
        From `liqlab.event_windows`; at most three, each in a colour of its own.
    title : str
        First line.

    Returns
    -------
    holoviews Overlay
        The number of events stands in the legend, and how many of them reach the offset with the fewest.
    """
    import holoviews as hv

    bokeh_hooks.use_bokeh()
    given = dict(tables) if isinstance(tables, Mapping) else {"median": tables}
    if not given or any(table.empty for table in given.values()):
        raise ValueError("tables: no event to draw; a table of liqlab.event_windows has one column per event")
    for name, table in given.items():
        if not isinstance(table.index, pd.TimedeltaIndex):
            raise ValueError(f"tables: that of {name!r} must be indexed by the time before and after events; "
                             "lq.event_windows(market, times) gives one")  # fmt: skip
    if len(given) > len(HUES):
        raise ValueError(f"at most {len(HUES)} tables can be told apart in one figure, got {len(given)}")
    parts: list[Any] = []
    for (label, table), colour in zip(given.items(), HUES, strict=False):
        hours = pd.TimedeltaIndex(table.index).total_seconds().to_numpy() / 3600
        percent = 100 * table
        for low, high, alpha in BANDS:
            area = (hours, percent.quantile(low, axis=1), percent.quantile(high, axis=1))
            parts.append(hv.Area(area, "hours", ["change", "upper"]).opts(color=colour, alpha=alpha, line_width=0))
        n, fewest = table.shape[1], int(table.notna().sum(axis=1).min())
        words = f"{label}, n = {n}" + ("" if fewest == n else f" (at least {fewest})")
        line = hv.Curve((hours, percent.median(axis=1)), "hours", "change", label=words)
        parts.append(line.opts(color=colour, line_width=2))
    parts += [hv.VLine(0).opts(color=NEUTRAL, line_dash="dashed", line_width=1),
              hv.HLine(0).opts(color=NEUTRAL, line_width=1)]  # fmt: skip
    symbols = sorted({str(table.attrs.get("symbol", "")) for table in given.values()} - {""})
    return hv.Overlay(parts).opts(
        title=raw(f"{title}\n{', '.join(symbols) or 'several markets'}\nlines: medians; bands: middle 50 % and 90 %"),
        xlabel="hours from the event", ylabel="change since the event [%]", fontsize=FONT, legend_position="bottom",
        show_grid=True, responsive=True, height=380, min_width=MIN_WIDTH_PX, toolbar=None,
    )  # fmt: skip
