"""Pictures of a cascade: its ladder, step by step, and how far every shock would be carried."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.cascades._cascade import Cascade
from liqlab.market.arguments import Table, checked
from liqlab.plot import bokeh_hooks
from liqlab.plot.style import FONT, LONG, MIN_WIDTH_PX, SHORT, raw

if TYPE_CHECKING:
    import holoviews as hv

LOOK: dict[str, Any] = {"responsive": True, "height": 380, "min_width": MIN_WIDTH_PX, "fontsize": FONT, "toolbar": None}
SHOCK, ALONE, AWAY = "#cccccc", "#7f7f7f", "#d55e00"
LABELLED = 0.05  # of the picture's height: a thinner step has no room for words


@checked(table=Table("lq.amplification(heat, depth=…)", "side move amplification runaway", "start_price"))
def cascade(result: Cascade, *, table: pd.DataFrame | None = None, title: str | None = None) -> hv.Overlay | hv.Layout:
    """Draw a cascade as a ladder: each step a bar, as long as what it liquidates, as high as it moves the price.

    Parameters
    ----------
    result : Cascade
        From `liqlab.cascade`.
    table : DataFrame, optional
        From `liqlab.amplification`: its curve is drawn under the ladder, with a dot at this shock.
    title : str, optional
        Replaces the first line of the title.

    Returns
    -------
    holoviews Overlay or Layout
        The grey band is the shock (cut off at the edge where it is much larger than what it sets off), arrows show
        where a step's impact carries the price, the dashed line is where it ends; a dotted pair shows the end for the
        low and the high end of a fitted impact.
    """
    import holoviews as hv

    bokeh_hooks.use_bokeh()
    n, steps, colour = result.notes, result.steps.iloc[1:], LONG if result.side == "long" else SHORT
    sign = -1 if result.side == "long" else 1
    low, high = _view(result)
    rows = steps.assign(zero=0.0, step=steps.index, move=100 * sign * steps["impact"])
    bars = hv.Rectangles(rows, ["zero", "price_before", "liquidated", "price_after"], ["step", "move", "cumulative"],
                         label=f"forced {'sales' if sign < 0 else 'purchases'}")  # fmt: skip
    parts: list[Any] = [hv.HSpan(result.start_price, result.shocked_price).opts(color=SHOCK, alpha=0.6)]
    parts.append(bars.opts(color=colour, line_color="#333333", line_width=0.5, tools=["hover"]))
    parts += [_arrows(steps, high - low, sign), _labels(rows, high - low)]
    parts.append(hv.HLine(_end(result)).opts(color="#333333", line_dash="dashed", line_width=1.5))
    parts += [hv.HLine(end).opts(color="#333333", line_dash="dotted", line_width=1)
              for end in result.price_range if np.isfinite(end)]  # fmt: skip
    widest = max(float(steps["liquidated"].max()) if len(steps) else 0.0, 1e-9)
    verdict = f"not stopped: {result.reason}" if result.runaway else f"amplification {result.amplification:.3g}"
    first = title or f"Estimated cascade after {result.shock:+.2%}"
    ends = f"{result.start_price:,.6g} → {result.shocked_price:,.6g} → {_told_end(result)}"
    ladder = hv.Overlay(parts).opts(
        title=raw(_heading(n, first, f"{ends}, {verdict}")), ylim=(low, high), xlim=(0, 1.5 * widest),
        show_legend=False, xlabel=f"estimated, liquidated in the step [{n['quote']}]", ylabel=f"price [{n['quote']}]",
        xticks=4, hooks=[bokeh_hooks.si_axis("x"), bokeh_hooks.prices, bokeh_hooks.borders], **LOOK,
    )  # fmt: skip
    if table is None:
        return ladder
    return hv.Layout([ladder, amplification(table, mark=result)]).cols(1).opts(shared_axes=False, toolbar=None)


@checked(
    table=Table("lq.amplification(heat, depth=…)", "side move amplification runaway", "start_price"),
    zones=Table("lq.critical_zones(heat, depth=…)", "side from_price to_price"),
)
def amplification(
    table: pd.DataFrame, *, zones: pd.DataFrame | None = None, mark: Cascade | None = None, title: str | None = None
) -> hv.Overlay:
    """Draw how far the price goes for every shock, against the shock alone.

    Parameters
    ----------
    table : DataFrame
        From `liqlab.amplification`.
    zones : DataFrame, optional
        From `liqlab.critical_zones`: bands of moves that are crossed in one go.
    mark : Cascade, optional
        A dot at its shock and move.
    title : str, optional
        Replaces the first line of the title.

    Returns
    -------
    holoviews Overlay
        Where the line leaves the diagonal forced flow carries the price further; a vertical stretch is a critical
        zone; crosses are shocks after which nothing known stops the price (``runaway``).
    """
    import holoviews as hv

    bokeh_hooks.use_bokeh()
    moves = table["move"].fillna(table.index.to_series())  # what left the map is put on the diagonal
    rows = pd.DataFrame({"shock": 100 * table.index.to_numpy(), "move": 100 * moves.to_numpy(),
                         "amplification": table["amplification"].to_numpy(), "side": table["side"].to_numpy(),
                         "runaway": table["runaway"].to_numpy(bool)}).sort_values("shock")  # fmt: skip
    ends = rows["shock"].min(), rows["shock"].max()
    parts: list[Any] = []
    for _, zone in (pd.DataFrame() if zones is None else zones).iterrows():
        start = zone["from_price"] / table.attrs["start_price"] - 1
        stop = zone["to_price"] / table.attrs["start_price"] - 1
        colour = LONG if zone["side"] == "long" else SHORT
        parts.append(hv.HSpan(100 * start, 100 * stop).opts(color=colour, alpha=0.25))
    alone = hv.Curve((ends, ends), "shock", "move", label="shock alone")
    parts.append(alone.opts(color=ALONE, line_dash="dashed", line_width=1))
    for side, colour in (("long", LONG), ("short", SHORT)):
        part = rows[(rows["side"] == side) & ~rows["runaway"]]
        if len(part):
            line = hv.Curve(part, "shock", ["move", "amplification"], label=f"{side}s forced")
            parts.append(line.opts(color=colour, line_width=3, tools=["hover"]))
    away = rows[rows["runaway"]]
    if len(away):
        crosses = hv.Points(away, ["shock", "move"], label="not stopped")
        parts.append(crosses.opts(marker="x", size=7, color=AWAY, line_width=2))
    if mark is not None and np.isfinite(mark.amplification):
        sign = -1 if mark.side == "long" else 1
        dot = hv.Points([(100 * mark.shock, 100 * sign * mark.amplification * abs(mark.shock))], ["shock", "move"])
        parts.append(dot.opts(size=10, color="#333333", line_color="white"))
    return hv.Overlay(parts).opts(
        title=raw(_heading(table.attrs, title or "Estimated move after every shock", "")), xlabel="shock [%]",
        ylabel="whole move [%]", legend_position="bottom_right", show_grid=True, xticks=5, hooks=[bokeh_hooks.borders],
        **LOOK,
    )  # fmt: skip


def _end(result: Cascade) -> float:
    """Where the price ends, or the edge of the map over which it left."""
    return float(result.final_price if np.isfinite(result.final_price) else result.steps["price_after"].iloc[-1])


def _told_end(result: Cascade) -> str:
    return f"{_end(result):,.6g}" if np.isfinite(result.final_price) else f"beyond {_end(result):,.6g}"


def _view(result: Cascade) -> tuple[float, float]:
    """What the shock sets off, and of the shock as much again (all of it where it sets off little)."""
    down = result.side == "long"
    span = abs(_end(result) - result.shocked_price)
    ends = [_end(result), *(end for end in result.price_range if np.isfinite(end))]
    whole = abs(result.shocked_price - result.start_price)
    shown = whole if span == 0 else min(whole, 0.5 * span)
    far = min(ends) if down else max(ends)
    room = 0.08 * (abs(far - result.shocked_price) + shown)
    near = result.shocked_price + (shown if down else -shown)
    return (far - room, near + room) if down else (near - room, far + room)


def _arrows(steps: pd.DataFrame, height: float, sign: int) -> hv.Overlay:
    """From the price before a step to the price after it, at the end of its bar."""
    import holoviews as hv

    seen = steps[(steps["price_before"] - steps["price_after"]).abs() > 0.01 * height]
    data = (seen["liquidated"], seen["price_before"], seen["liquidated"], seen["price_after"])
    shafts = hv.Segments(data, ["liquidated", "price_before", "again", "price_after"]).opts(color="#333333")
    heads = hv.Points((seen["liquidated"], seen["price_after"]), ["liquidated", "price_after"])
    return shafts * heads.opts(marker="inverted_triangle" if sign < 0 else "triangle", size=8, color="#333333")


def _labels(rows: pd.DataFrame, height: float) -> hv.Labels:
    import holoviews as hv

    seen = rows[(rows["price_before"] - rows["price_after"]).abs() > LABELLED * height]
    words = [f" {k}: {_short(amount)}, {move:+.2g} %"
             for k, amount, move in zip(seen["step"], seen["liquidated"], seen["move"], strict=True)]  # fmt: skip
    data = (seen["liquidated"], (seen["price_before"] + seen["price_after"]) / 2, words)
    look = {"text_align": "left", "text_font_size": "8pt", "text_color": "#222222"}
    return hv.Labels(data, ["liquidated", "price_after"], "words").opts(**look)


def _short(amount: float) -> str:
    for unit, name in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if amount >= unit:
            return f"{amount / unit:.3g}{name}"
    return f"{amount:.3g}"


def _heading(notes: Mapping[Any, Any], first: str, second: str) -> str:
    """Short lines, so that a phone shows them whole."""
    who = " · ".join(notes[name] for name in ("symbol", "exchange") if notes[name])
    made = ", ".join(f"{name} {notes[name]}" for name in ("model", "law") if notes[name])
    at = f"map of {notes['at']} UTC" if notes["at"] else ""
    share = "" if notes["scale"] == 1 else f", {notes['scale']:.3g} of the map"
    lines = [first, second, who, at, made, f"impact {notes['depth']}{share}"]
    return "\n".join(line for line in lines if line)
