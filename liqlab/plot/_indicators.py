"""Indicators as panels that share the heatmap's time axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.market.arguments import Table, checked
from liqlab.market.clock import between, naive, nanoseconds, timedelta
from liqlab.plot import bokeh_hooks
from liqlab.plot.style import FONT, WIDE, raw

if TYPE_CHECKING:
    import holoviews as hv

HEIGHT = 130  # [px]
MAX_POINTS = 2_000  # of a line: more than a screen has pixels only makes the page heavy
LINE, GUIDE = "#0072b2", "#999999"


@checked(table=Table("lq.indicators(market)", attrs="timeframe", times=True))
def indicators(
    table: pd.DataFrame,
    *,
    columns: list[str] | None = None,
    start: Any = None,
    end: Any = None,
    under: hv.Layout | hv.Overlay | None = None,
) -> hv.Layout:
    """Draw indicators as panels one below the other, on one time axis.

    Parameters
    ----------
    table : DataFrame
        From `liqlab.indicators`.
    columns : list of str, optional
        Which to draw; default: all that the table has.
    start, end : time-like, optional
        What is drawn, half-open, UTC.
    under : Layout or Overlay, optional
        A picture from `liqlab.plot.heatmap`: the panels go below it, under its first column, and move with its time
        axis. A heatmap without strip and profile can also be added: ``(picture + panels).cols(1)``.

    Returns
    -------
    holoviews Layout
        A value stands at the close of its candle, when it became known.
    """
    import holoviews as hv

    bokeh_hooks.use_bokeh()
    chosen = [name for name in _PANELS if name in table] if columns is None else list(columns)
    unknown = [name for name in chosen if name not in _PANELS or name not in table]
    if unknown or not chosen:
        had = ", ".join(name for name in _PANELS if name in table)
        if not had:
            raise ValueError(f"table has none of the columns that are drawn, {', '.join(_PANELS)}; make it with "
                             "lq.indicators(market)")  # fmt: skip
        raise ValueError(f"columns: no panel is called {', '.join(map(str, unknown)) or 'nothing'}; table has {had}")
    step = timedelta(table.attrs["timeframe"])
    rows = table[between(nanoseconds(table.index), start, end)]
    if rows.empty:
        raise ValueError(f"start and end: no row lies in [{start}, {end}); choose a range in {table.index[0]} to "
                         f"{table.index[-1]}")  # fmt: skip
    known = naive(rows.index + step)
    every = -(-len(rows) // MAX_POINTS)
    parts = [_panel(name, known[::every], rows[name].to_numpy()[::every], table.attrs) for name in chosen]
    parts[-1] = parts[-1].opts(xlabel="time of close [UTC]")
    if under is None:
        return hv.Layout(parts).cols(1).opts(shared_axes=True, toolbar=None)
    above = list(under) if isinstance(under, hv.Layout) else [under]
    if len(above) == 1 or not _beside(above):
        return bokeh_hooks.sheet([*above, *parts], 1)
    spaced = [part for panel in parts for part in (panel, hv.Empty())]
    return bokeh_hooks.sheet([*above, *spaced[:-1]], 2)


def _beside(parts: list[Any]) -> bool:
    """Whether the second part stands beside the first: a profile has a width of its own, a strip has not."""
    import holoviews as hv

    return hv.Store.lookup_options("bokeh", parts[1], "plot").kwargs.get("width") is not None


def _panel(name: str, known: np.ndarray, values: np.ndarray, attrs: Any) -> hv.Overlay:
    import holoviews as hv

    words, unit, guides, limits = _PANELS[name]
    data = pd.DataFrame({"time": known, name: values})
    curve = hv.Curve(data, "time", name).opts(color=LINE, line_width=1.2, interpolation="steps-post", tools=["hover"])
    parts = [hv.HLine(y).opts(color=GUIDE, line_dash="dotted", line_width=1) for y in guides]
    lender = attrs["proxies"].get(_TABLE.get(name, name))
    proxy = "" if lender is None else f", proxy {lender}".rstrip()
    label = words.format(**attrs)
    axis = unit.format(**attrs)
    return hv.Overlay([curve, *parts]).opts(
        title=raw(f"{label}{proxy}" + (f" [{axis}]" if axis else "")), ylabel="", xlabel="", fontsize=FONT,
        toolbar=None, yticks=3, hooks=[bokeh_hooks.borders, _axis(name)], show_legend=False,
        **({"ylim": limits} if limits else {}),
        **{**WIDE, "height": HEIGHT},
    )  # fmt: skip


def _axis(name: str) -> Any:
    """Rates and changes as percent, amounts with k and M, prices in full."""
    if name in ("vwap",):
        return bokeh_hooks.prices
    if name in ("funding_rate", "open_interest_change"):

        def percent(plot: Any, element: Any) -> None:
            from bokeh.models import NumeralTickFormatter

            for axis in plot.state.yaxis:
                axis.formatter = NumeralTickFormatter(format="0.[000]%")

        return percent
    return bokeh_hooks.si_axis("y")


# table of the market that a column is made of, where it bears another name
_TABLE = {"funding_z": "funding_rate", "open_interest_change": "open_interest"}
# column: words of the panel, unit, dotted guides, limits of the axis
_PANELS: dict[str, tuple[str, str, tuple[float, ...], tuple[float, float] | None]] = {
    "rsi": ("RSI {rsi}", "", (30.0, 70.0), (0.0, 100.0)),
    "atr": ("ATR {atr}", "{quote}", (), None),
    "vwap": ("VWAP, anew every {vwap}", "{quote}", (), None),
    "funding_rate": ("funding rate", "per interval", (0.0,), None),
    "funding_z": ("funding z-score, {funding_window}", "sd", (0.0,), None),
    "open_interest": ("open interest", "{coin}", (), None),
    "open_interest_change": ("OI change over {open_interest_change}", "", (0.0,), None),
    "taker_ratio": ("taker buys / sells", "", (1.0,), None),
    "long_short_ratio": ("longs / shorts", "", (1.0,), None),
}
