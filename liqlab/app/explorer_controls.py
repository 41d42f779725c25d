"""The explorer's widgets: what can be chosen, with the values of a state."""

from __future__ import annotations

from html import escape
from typing import Any

import panel as pn

from liqlab import models
from liqlab.app.explorer_state import LAWS, LOOKBACKS, SIDES, WINDOWS, ExplorerState
from liqlab.models._law import law as law_of
from liqlab.plot.colour_bar import NORMS, SCALES

__all__ = ["ALL", "MARKS", "OWN", "WIDE", "changed", "controls", "copied", "paragraph"]

OWN, ALL = "own", "all"
MARKS = {"clusters": "clusters", "observed liquidations": "observed"}
WIDE = {"sizing_mode": "stretch_width"}
COPY = """
const text = {source};
if (navigator.clipboard) navigator.clipboard.writeText(text);
button.label = "copied";
setTimeout(() => button.label = "{label}", 1500);
"""


def controls(s: ExplorerState, names: dict[str, list[str]]) -> dict[str, Any]:
    """Widgets by name; `names`: markets by group."""
    flat = [each for group in names.values() for each in group]
    beside, own = s.beside or {}, s.position or {}
    w = pn.widgets
    return {
        "market": w.Select(label="market", groups=names, value=s.market if s.market in flat else None, width=210),
        "window": w.Select(label="window", options=[*WINDOWS, OWN], value=OWN if s.start else s.window, width=80),
        "start": w.TextInput(label="from (UTC)", value=s.start or "", placeholder="2024-05-01", width=130),
        "end": w.TextInput(label="to (UTC)", value=s.end or "", placeholder="2024-05-03", width=130),
        "model": w.Select(label="model", options=models.names(), value=s.model, width=130),
        "law": w.Select(label="law", options=list(LAWS), value=s.law, width=100),
        "side": w.Select(label="side", options=list(SIDES), value=s.side, width=80),
        "leverages": w.MultiSelect(label="leverages (none: all)", options=_classes(s.law), value=list(s.leverages),
                                   size=4, width=150),
        "lookback": w.Select(label="opened within", options=[ALL, *LOOKBACKS], value=s.lookback or ALL, width=90),
        "cmap": w.Select(label="colours", options=list(SCALES), value=s.cmap, width=120),
        "cnorm": w.Select(label="colour scale", options=list(NORMS), value=s.cnorm, width=90),
        "threshold": w.IntRangeSlider(label="shown, % of the brightest", start=0, end=100, step=1, width=200,
                                      value=(round(100 * s.threshold[0]), round(100 * s.threshold[1]))),
        "marks": w.CheckBoxGroup(options=list(MARKS), value=[name for name in MARKS if getattr(s, MARKS[name])],
                                 inline=True, align="end"),
        "position_side": w.Select(label="own position", options=["none", "long", "short"], width=90,
                                  value=own.get("side", "none")),
        "position_entry": w.FloatInput(label="entry price", value=own.get("entry_price"), start=0.0, width=110),
        "position_leverage": w.FloatInput(label="leverage", value=own.get("leverage", 10.0), start=1.0, width=80),
        "beside_market": w.Select(label="beside: market", options=["same", *flat], width=170,
                                  value=beside.get("market", "same")),
        "beside_model": w.Select(label="beside: model", options=["same", *models.names()], width=130,
                                 value=beside.get("model", "same")),
        "beside_law": w.Select(label="beside: law", options=["same", *LAWS], width=100,
                               value=beside.get("law", "same")),
    }  # fmt: skip


def changed(state: ExplorerState, name: str, value: Any, widgets: dict[str, Any]) -> ExplorerState:
    """The state after the widget of that name has got that value."""
    if name == "market":
        return state.but(market=value, start=None, end=None, price_range=None)
    if name == "window":
        return state if value == OWN else state.but(window=value, start=None, end=None, price_range=None)
    if name in ("start", "end"):
        return state.but(**{name: value or None}, price_range=None)
    if name == "lookback":
        return state.but(lookback=None if value == ALL else value)
    if name == "law":
        widgets["leverages"].param.update(options=_classes(value), value=[])
        return state.but(law=value, leverages=())
    if name == "leverages":
        return state.but(leverages=tuple(value))
    if name == "threshold":
        return state.but(threshold=(value[0] / 100, value[1] / 100))
    if name == "marks":
        return state.but(**{field: words in value for words, field in MARKS.items()})
    if name.startswith("position"):
        side, entry, leverage = (widgets[f"position_{each}"].value for each in ("side", "entry", "leverage"))
        own = {"side": side, "entry_price": entry, "leverage": leverage or 10}
        return state.but(position=own if side != "none" and entry else None)
    if name.startswith("beside"):
        told = {each: widgets[f"beside_{each}"].value for each in ("market", "model", "law")}
        return state.but(beside={each: value for each, value in told.items() if value != "same"} or None)
    return state.but(**{name: value})


def copied(text: Any, label: str, source: str) -> Any:
    """A line of text with a button that copies it."""
    button = pn.widgets.Button(label=label, width=110, align="end")
    button.jscallback(clicks=COPY.format(source=source, label=label), args={"link": text, "button": button})
    return pn.Row(text, button, **WIDE)


def paragraph(words: str) -> Any:
    """A paragraph; whatever it quotes stands as text."""
    return pn.pane.HTML(f"<p style='margin:0'>{escape(words)}</p>", margin=(5, 10), **WIDE)


def _classes(law: str) -> dict[str, float]:
    """Classes of a law by the leverages they are named after."""
    return {f"{leverage:g}x": float(leverage) for leverage in law_of(law).leverage}
