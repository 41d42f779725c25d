"""Claims as pictures: the table as a forest, first-touch curves of the magnet test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.market.arguments import Table, checked
from liqlab.plot import bokeh_hooks
from liqlab.plot.style import FONT, MIN_WIDTH_PX, raw

if TYPE_CHECKING:
    import holoviews as hv

    from liqlab.validation._claims._magnet import Magnet

# verdicts, told apart by hue and by marker; grey says nothing
VERDICTS = {
    "supported": ("supported", "#0b6e4f", "circle"),
    "true but too small to matter": ("true, too small to matter", "#6aa84f", "diamond"),
    "the opposite was found": ("the opposite was found", "#882255", "triangle"),
    "no effect found": ("no effect found", "#0072b2", "square"),
    "cannot be told from these data": ("cannot be told", "#8a8a8a", "inverted_triangle"),
}
ZONE, OTHER = "#d55e00", "#4d4d4d"
AGAINST = {"mirror": "its mirror price", "paths": "blocks of other times"}
MAX_EFFECT_MARGINS = 6.0  # [margins] beyond it an interval is cut and shown with an arrow's tip by the axis
ROW, TALL, FRAME = 21, 31, 230  # height of a line, of one with its name above, of what stands around them [px]


@checked(table=Table("lq.claims()", "sign margin low high effect unit"))
def claims_table(table: pd.DataFrame, *, title: str | None = None) -> hv.Overlay:
    """Draw the table of claims: one line per claim, effect and interval in units of what would matter.

    Parameters
    ----------
    table : DataFrame
        From `liqlab.claims`, or some of its rows.
    title : str, optional
        Replaces the first line of the title.

    Returns
    -------
    holoviews Overlay
        Right of 0 is what the claim says, left of it the opposite; between −1 and 1 (grey) nothing would matter to a
        trader. Intervals are cut at six. The hover tells the verdict.
    """
    import holoviews as hv

    bokeh_hooks.use_bokeh()
    rows = table.iloc[::-1].reset_index(drop=True)
    scale = rows["sign"] / rows["margin"]
    ends = np.sort(np.column_stack([rows["low"] * scale, rows["high"] * scale]), axis=1)
    told = (f"{x:+.2g} {u} ({a:+.2g} to {b:+.2g})" if np.isfinite(a) else "no interval"
            for x, u, a, b in zip(rows["effect"], rows["unit"], rows["low"], rows["high"], strict=True))  # fmt: skip
    rows = rows.assign(
        row=range(len(rows)), x=(rows["effect"] * scale).clip(-MAX_EFFECT_MARGINS, MAX_EFFECT_MARGINS), told=list(told),
        start=ends[:, 0].clip(-MAX_EFFECT_MARGINS, MAX_EFFECT_MARGINS), stop=ends[:, 1].clip(-MAX_EFFECT_MARGINS,
        MAX_EFFECT_MARGINS), p=rows["p_corrected"],
    )  # fmt: skip
    grey = hv.VSpan(-1, 1).opts(color="#e8e8e8", line_alpha=0)
    parts: list[Any] = [grey, hv.VLine(0).opts(color="#777777", line_width=1)]
    for kind, (words, colour, marker) in VERDICTS.items():
        mine = rows[rows["kind"] == kind]
        if len(mine):
            parts += _lines(mine, "row", words, colour, marker, [("", "@claim"), ("verdict", "@verdict"),
                            ("effect", "@told"), ("n", "@n"), ("p corrected", "@p{0.000}")])  # fmt: skip
    names = rows[["row", "claim"]].assign(row=rows["row"] + 0.42, edge=-MAX_EFFECT_MARGINS)
    style = {"text_font_size": "8pt", "text_align": "left", "text_baseline": "middle", "text_color": "#333333"}
    parts.append(hv.Labels(names, ["edge", "row"], "claim").opts(**style))
    heading = title or "Claims about estimated heatmaps"
    heading = f"{heading}\n95 % intervals, one block of 8 days left out\nat a time, all markets of a date together"
    return hv.Overlay(parts).opts(
        hv.opts.Overlay(
            title=raw(heading), xlabel="← the opposite · 1 = would matter · as claimed →", ylabel="", yaxis=None,
            ylim=(-0.7, len(rows)), xlim=(-MAX_EFFECT_MARGINS - 0.2, MAX_EFFECT_MARGINS + 0.2), show_grid=True,
            toolbar=None, fontsize=FONT, legend_position="bottom", hooks=[_legend, _no_rows], responsive=True,
            min_width=MIN_WIDTH_PX, height=FRAME + TALL * len(rows),
        )
    )  # fmt: skip


@checked()
def magnet(result: Magnet) -> hv.Layout:
    """Draw how soon bright zones were touched, against their mirror prices and against blocks of other times.

    Parameters
    ----------
    result : Magnet
        From `liqlab.magnet`.

    Returns
    -------
    holoviews Layout
        One panel per comparison: share touched by the hours, with pointwise intervals.
    """
    bokeh_hooks.use_bokeh()
    panels = [_curves(result, name, k) for k, name in enumerate(result.curves["comparison"].unique())]
    return bokeh_hooks.sheet(panels, 1)


@checked()
def forest(result: Magnet, *, comparison: str = "mirror") -> hv.Overlay:
    """Draw the magnet effect of every market, and of all together.

    Parameters
    ----------
    result : Magnet
        From `liqlab.magnet`.
    comparison : str
        ``mirror``, ``paths`` or ``first``.

    Returns
    -------
    holoviews Overlay
        Points without a bar have too few independent stretches of time for an interval.
    """
    import holoviews as hv

    bokeh_hooks.use_bokeh()
    if comparison not in result.table.index:
        raise ValueError(f"comparison must be one of {', '.join(result.table.index)}, got {comparison!r}")
    one = result.assets[result.assets["comparison"] == comparison]
    every = result.table.loc[[comparison]].assign(market="all together")
    rows = pd.concat([every, one.iloc[::-1]], ignore_index=True).assign(asset=lambda x: range(len(x)))
    rows = rows.rename(columns={"effect": "x", "low": "start", "high": "stop"})
    rows["start"], rows["stop"] = rows["start"].clip(-100, 100), rows["stop"].clip(-100, 100)
    tips = [("", "@market"), ("effect", "@x{+0.0} points"), ("interval", "@start{+0.0} to @stop{+0.0}"),
            ("zones", "@n")]  # fmt: skip
    parts: list[Any] = [hv.VLine(0).opts(color="#777777", line_width=1)]
    parts += _lines(rows.iloc[1:], "asset", "one market", OTHER, "circle", tips)
    parts += _lines(rows.iloc[:1], "asset", "all together", ZONE, "diamond", tips)
    words = {"first": "touched first: zone less mirror"}.get(comparison, f"touched within {result.about['horizon']}: "
             f"zone less {AGAINST.get(comparison, '')}")  # fmt: skip
    return hv.Overlay(parts).opts(
        hv.opts.Overlay(
            title=f"{_about(result)}\n{words}\n95 % intervals, blocks of {result.about['block']}",
            xlabel="difference [percentage points]", ylabel="",
            yticks=list(zip(rows["asset"], rows["market"], strict=True)), ylim=(-0.7, len(rows) - 0.3),
            xlim=(-102, 102), show_grid=True, toolbar=None, fontsize=FONT,
            legend_position="bottom", hooks=[_legend], responsive=True, min_width=MIN_WIDTH_PX,
            height=FRAME + ROW * len(rows),
        )
    )  # fmt: skip


def _about(result: Magnet) -> str:
    a = result.about
    many = f"{len(a['markets'])} markets" if len(a["markets"]) > 1 else a["markets"][0]
    window = f"opened within {a['lookback']}" if a["lookback"] != "all" else "all positions"
    return f"Are estimated bright zones touched sooner?\n{many} · {a['model']}, law {a['law']}\n{window}"


def _curves(result: Magnet, comparison: str, number: int) -> hv.Overlay:
    import holoviews as hv

    part = result.curves[result.curves["comparison"] == comparison]
    row: Any = result.table.loc[comparison]
    parts: list[Any] = []
    top = 1.08 * float(np.nanmax(part[["share", "high"]].to_numpy()))
    y = f"touched {number}"  # its own axis
    for which, words, colour, dash in (("other", AGAINST[comparison], OTHER, "dashed"),
                                       ("zone", "bright zone, estimated", ZONE, "solid")):  # fmt: skip
        mine = part[part["which"] == which].rename(columns={"share": y})
        band = mine.dropna(subset=["low"])
        if len(band) > 1:
            area = hv.Area(band.rename(columns={y: "middle", "low": y}), "hours", [y, "high"])
            parts.append(area.opts(color=colour, alpha=0.16, line_alpha=0))
        parts.append(hv.Curve(mine, "hours", [y], label=words).opts(color=colour, line_width=2.5, line_dash=dash))
    interval = f"[{row['low']:+.1f}, {row['high']:+.1f}]" if np.isfinite(row["low"]) else "(too little time)"
    return hv.Overlay(parts).opts(
        hv.opts.Overlay(
            title=f"{_about(result)} · {int(row['n'])} zones\ndifference {row['effect']:+.1f} points {interval}",
            xlabel="hours after the map was frozen", ylabel="touched [%]", ylim=(0, top), show_grid=True, height=370,
            toolbar=None, fontsize=FONT, legend_position="top_left", hooks=[_legend], responsive=True,
            min_width=MIN_WIDTH_PX,
        )
    )  # fmt: skip


def _lines(
    rows: pd.DataFrame, line: str, words: str, colour: str, marker: str, tips: list[tuple[str, str]]
) -> list[Any]:
    """Intervals and points of one kind."""
    import holoviews as hv

    known = rows.dropna(subset=["start", "stop"])
    bars = hv.Segments(known[["start", line, "stop"]].assign(again=known[line]), ["start", line, "stop", "again"])
    told = [name.strip("@{}").partition("{")[0] for _, name in tips]
    points = hv.Points(rows, ["x", line], [name for name in dict.fromkeys(told) if name != "x"], label=words)
    hooks, size = [bokeh_hooks.hover(tips)], 13 if marker == "diamond" else 9  # a diamond is drawn smaller
    return [
        bars.opts(color=colour, line_width=2.5),
        points.opts(color=colour, marker=marker, size=size, line_color="white", tools=["hover"], hooks=hooks),
    ]


def _legend(plot: Any, element: Any) -> None:
    """One entry below the other and room for them all, so that a phone shows them whole."""
    for legend in plot.state.legend:
        legend.orientation, legend.ncols = "vertical", 1
        legend.label_text_font_size, legend.glyph_height, legend.padding, legend.spacing = "8pt", 12, 2, 0
        legend.label_height, legend.background_fill_alpha = 12, 0.7
        if legend in plot.state.below:
            plot.state.min_border_bottom = 76 + 15 * len(legend.items)


def _no_rows(plot: Any, element: Any) -> None:
    """No lines across: every claim has one of its own."""
    for grid in plot.state.ygrid:
        grid.visible = False
