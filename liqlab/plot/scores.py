"""The scoreboard as a picture: every forecast with its interval, the ceiling as a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from liqlab.market.arguments import checked
from liqlab.plot import bokeh_hooks
from liqlab.plot.style import FONT, MIN_WIDTH_PX, raw

if TYPE_CHECKING:
    import holoviews as hv

    from liqlab.validation._score import Scores

# kinds: words, colour, marker; told apart without colour as well
KINDS = {"map": ("map, estimated", "#0b6e4f", "circle"), "baseline": ("knows no positions", "#6b6b6b", "square"),
         "ceiling": ("ceiling: hindsight", "#882255", "diamond"),
         "placebo": ("placebo", "#c9a227", "triangle")}  # fmt: skip
NAMES = {
    "spearman": "Spearman rank correlation",
    "r_squared_log": "R² of log(1 + coins)",
    "poisson_skill": "Poisson deviance skill",
    "gamma_skill": "gamma deviance skill",
    "precision": "precision of the top decile",
    "lift": "lift of the top decile",
    "calibration_slope": "calibration slope of log(1 + coins)",
}
CHANCE = {"precision": 0.1, "lift": 1.0}
ROW, FRAME, BELOW = 20, 224, 128  # height of a line, of what stands around them, and of that the part below [px]


@checked()
def scoreboard(
    result: Scores | Mapping[str, Scores],
    *,
    placebos: tuple[str, ...] = (),
    score: str = "spearman",
    side: str = "both",
) -> hv.Layout:
    """Draw scores: one line per forecast with its interval, the best on top.

    Parameters
    ----------
    result : Scores or mapping of title to Scores
        From `liqlab.score`; one panel for each.
    placebos : tuple of str
        Names of estimates that are placebos, to be marked as such.
    score, side : str
        Which score of which side: ``spearman``, ``r_squared_log``, …; ``long``, ``short`` or ``both``.

    Returns
    -------
    holoviews Layout
        One panel below the other; as wide as the page.
    """
    bokeh_hooks.use_bokeh()
    if score not in NAMES:
        raise ValueError(f"score must be one of {', '.join(NAMES)}, got {score!r}")
    results = result if isinstance(result, Mapping) else {"": result}
    panels = [_panel(title, one, score, side, placebos, f"line {k}") for k, (title, one) in enumerate(results.items())]
    return bokeh_hooks.sheet(panels, 1)


def _panel(title: str, result: Scores, score: str, side: str, placebos: tuple[str, ...], line: str) -> hv.Overlay:
    import holoviews as hv

    from liqlab.validation._baselines import CEILING

    rows = result.of(score, side).iloc[::-1].reset_index().assign(**{line: lambda x: range(len(x))})
    kinds = {**result.kinds, **dict.fromkeys(placebos, "placebo")}
    rows["kind"] = rows["forecast"].map(kinds)
    parts: list[Any] = []
    ceiling = rows[rows["forecast"] == CEILING]
    if len(ceiling):
        parts.append(
            hv.VLine(float(ceiling["value"].iloc[0])).opts(color=KINDS["ceiling"][1], line_dash="dashed", line_width=1)
        )
    parts.append(hv.VLine(CHANCE.get(score, 0.0)).opts(color="#aaaaaa", line_width=1))
    for kind, (words, colour, marker) in KINDS.items():
        part = rows[rows["kind"] == kind]
        if len(part):
            parts += _kind(part, line, words, colour, marker)
    a = result.about
    who = " · ".join(filter(None, [title or a["symbol"], a["exchange"]]))
    sides = {"both": "both sides", "long": "longs", "short": "shorts"}[side]
    heading = (f"Estimated against observed\n{NAMES[score]}\n{sides} · bars of {a['step']} · {a['days']} days\n{who}\n"
               f"{a['level']:.0%} intervals, days resampled")  # fmt: skip
    span = [*rows["low"], *rows["high"], *rows["value"], CHANCE.get(score, 0.0)]
    low, high = pd.Series(span).min(), pd.Series(span).max()
    room = 0.04 * (high - low) or 0.1
    return hv.Overlay(parts).opts(
        hv.opts.Overlay(
            title=raw(heading), xlabel=NAMES[score], ylabel="",
            yticks=list(zip(rows[line], rows["forecast"], strict=True)),
            ylim=(-0.7, len(rows) - 0.3), xlim=(low - room, high + room), show_grid=True, toolbar=None, fontsize=FONT,
            legend_position="bottom", hooks=[_small_legend], responsive=True, min_width=MIN_WIDTH_PX,
            height=FRAME + ROW * len(rows),
        )
    )  # fmt: skip


def _kind(part: pd.DataFrame, line: str, words: str, colour: str, marker: str) -> list[Any]:
    """Intervals and points of one kind of forecast."""
    import holoviews as hv

    bars = hv.Segments(part[["low", line, "high"]].assign(again=part[line]), ["low", line, "high", "again"])
    points = hv.Points(part, ["value", line], ["forecast", "low", "high", "lead"], label=words)
    tips = [("", "@forecast"), ("score", "@value{0.000}"), ("interval", "@low{0.000} to @high{0.000}"),
            ("first estimate ahead by", "@ahead{+0.000}")]  # fmt: skip
    return [
        bars.opts(color=colour, line_width=2.5),
        points.opts(
            color=colour, marker=marker, size=9, line_color="white", tools=["hover"], hooks=[bokeh_hooks.hover(tips)]
        ),
    ]


def _small_legend(plot: Any, element: Any) -> None:
    """One entry below the other, so that a phone shows them whole."""
    for legend in plot.state.legend:
        legend.orientation, legend.ncols = "vertical", 1
        legend.label_text_font_size, legend.glyph_height, legend.padding, legend.spacing = "8pt", 12, 2, 0
        legend.label_height, legend.margin, legend.location = 12, 4, (0, 0)
    plot.state.min_border_bottom = BELOW
