"""The explorer's page: widgets, figures, and what each change asks for. Panel is imported here and nowhere else."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import panel as pn

from liqlab import models
from liqlab.app.explorer_maps import Catalogue, Seen
from liqlab.app.explorer_state import LAWS, LOOKBACKS, SIDES, WINDOWS, ExplorerState
from liqlab.market.clock import timedelta
from liqlab.models._assumptions import Assumptions
from liqlab.models._law import law as law_of
from liqlab.plot.colour_bar import NORMS, SCALES
from liqlab.plot.style import short_number
from liqlab.plot.zoomed import ZoomedFigure, look_of, zoomed_figure

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Explorer", "Session"]

OWN, ALL = "own", "all"
MARKS = {"clusters": "clusters", "observed liquidations": "observed"}
REFUSED = (ValueError, TypeError, OSError, KeyError, ImportError)
EXPLAINED = (
    "opened_at",
    "side",
    "leverage",
    "entry_price",
    "liquidation_price",
    "standing",
    "notional",
    "share",
    "age",
)
SUFFIXES = (".csv", ".parquet", ".feather", ".json")
MAX_UPLOAD = 200_000_000  # bytes
COPY = """
const text = {source};
if (navigator.clipboard) navigator.clipboard.writeText(text);
button.label = "copied";
setTimeout(() => button.label = "{label}", 1500);
"""
MOVES = {"◀": ("earlier", -0.5, 0.0, 1.0), "▶": ("later", 0.5, 0.0, 1.0), "+": ("zoom in", 0.0, 0.0, 0.5),
         "−": ("zoom out", 0.0, 0.0, 2.0), "▲": ("higher prices", 0.0, 0.25, 1.0),
         "▼": ("lower prices", 0.0, -0.25, 1.0)}  # fmt: skip
WIDE = {"sizing_mode": "stretch_width"}


class Explorer(pn.viewable.Viewer):
    """The explorer as Panel shows it: in a notebook, and in a session of a server.

    Each time it is shown it begins with the same state, which then is that view's own.

    Attributes
    ----------
    state : ExplorerState
        What the view shown last shows now.
    """

    def __init__(
        self, state: ExplorerState, catalogue: Catalogue, market_code: str | None = None, note: str = ""
    ) -> None:
        super().__init__()
        self._first, self._catalogue, self._code, self._note = state, catalogue, market_code, note
        self._session: Session | None = None

    @property
    def state(self) -> ExplorerState:
        return self._session.state if self._session else self._first

    def __panel__(self) -> Any:
        self._session = Session(self._first, self._catalogue, self._code, self._note)
        return self._session.page


class Pane:
    """One map of the page: whose it is, and its figure."""

    def __init__(self, catalogue: Catalogue, choice: Any, beside: Pane | None = None) -> None:
        self.catalogue, self._choice, self._beside = catalogue, choice, beside
        self.name, self.assumptions = "", Assumptions()
        self.lookback: str | None = None
        self.figure: ZoomedFigure | None = None
        self.heat: xr.Dataset | None = None
        self.view: Any = None

    def look(self, state: ExplorerState, seen: Seen) -> None:
        """Draw what is seen of the market and assumptions that a state names."""
        assumptions = Assumptions(state.model, law=state.law)
        heat = self.catalogue.heatmap(state.market, assumptions, seen, lookback=state.lookback,
                                      by_leverage=bool(state.leverages))  # fmt: skip
        self.heat, self.name, self.lookback, self.assumptions = heat, state.market, state.lookback, assumptions
        self.begin(heat, state.leverages)
        assert self.figure is not None
        self.figure.draw(heat, state.leverages)

    def begin(self, heat: xr.Dataset, leverages: tuple[float, ...] = ()) -> None:
        """The figure, where there is none yet."""
        if self.figure is None:
            beside = self._beside.figure if self._beside else None
            self.figure = zoomed_figure(heat, self._choice, leverages, beside=beside)

    @property
    def closes(self) -> pd.DatetimeIndex:
        """Closes of the columns, UTC."""
        assert self.heat is not None
        return pd.DatetimeIndex(self.heat["close_time"].to_numpy(), tz="UTC")

    def overlays(self, state: ExplorerState) -> None:
        """Clusters, observed liquidations and the reader's own position, at the end of what is seen."""
        from liqlab.zones import assess_positions, clusters

        assert self.figure is not None
        assert self.heat is not None
        at = self.closes[-1]
        wanted = state.clusters or state.position is not None
        map_: Any = self.catalogue.profile(self.name, self.assumptions, at, self.lookback) if wanted else None
        zones = clusters(map_) if map_ is not None and state.clusters else None
        if zones is not None:
            zones.attrs["start"] = pd.Timestamp(self.heat["time"].to_numpy()[0], tz="UTC")
            zones = zones.drop(columns="age", errors="ignore")
        self.figure.outline(zones)
        self.figure.observe(_events(self.catalogue.market(self.name), self.heat) if state.observed else None)
        lines: list[tuple[float, str, str]] = []
        if state.position is not None:
            row = assess_positions(state.position, map_).iloc[0]
            what = f"{row['side']} {row['leverage']:g}x"
            lines = [(float(row["liquidation_price"]), "solid", f"{what} liquidated {row['liquidation_price']:,.6g}"),
                     (float(state.position["entry_price"]), "dashed", f"{what} entry")]  # fmt: skip
        self.figure.own_position(lines)

    def explain(self, price: float, moment: pd.Timestamp) -> pd.DataFrame:
        """Who stands behind the cell at a price, in the column that holds a moment."""
        from liqlab.maps import explain

        assert self.heat is not None
        closes = self.closes
        at = closes[min(int(closes.searchsorted(moment, side="right")), len(closes) - 1)]
        step = float(np.diff(self.heat["price_edge"].to_numpy()[:2])[0])
        return explain(self.catalogue.market(self.name), price, at=at, price_step=step, lookback=self.lookback,
                       assumptions=self.assumptions)  # fmt: skip


class Session:
    """One reader's page. Nothing in it is shared with another but the markets and maps, which it only reads."""

    def __init__(
        self, state: ExplorerState, catalogue: Catalogue, market_code: str | None = None, note: str = ""
    ) -> None:
        self.catalogue, self._code = catalogue, market_code
        self._asked: tuple[float, ...] = ()
        self._told: set[str] = set()  # widgets that are being set from here
        first = next((names[0] for names in catalogue.names().values()), "")
        self.state = state if state.market else state.but(market=first)
        low, high = self.state.threshold
        self.choice = look_of(side=self.state.side, cmap=self.state.cmap, cnorm=self.state.cnorm, low=low, high=high)
        leading = Pane(catalogue, self.choice)
        self.panes = [leading, Pane(catalogue, self.choice, leading)]
        self.widgets = self._controls()
        self.status = pn.pane.HTML("", margin=(0, 10), **WIDE)
        self.figures = pn.FlexBox(**WIDE)
        self.table = pn.Column(
            pn.pane.Markdown("*Click on a band: which bars, sides and leverages stand behind it.*"), **WIDE
        )
        self.link = pn.widgets.TextInput(label="this state as a link's query", disabled=True, **WIDE)
        self.line = pn.widgets.TextInput(label="this state as a line of Python", disabled=True, **WIDE)
        self._begin(note)
        self.page = self._page()

    # --- what is seen ---

    def _begin(self, note: str = "") -> None:
        """Draw the state anew, from nothing."""
        try:
            seen = self._whole()
            for pane, state in zip(self.panes, self._states(), strict=False):
                pane.look(state, seen)
            self._over()
            self._say(note)
        except REFUSED as error:
            self._say(str(error))
        self._lay_out()
        self._tell()

    def _whole(self) -> Seen:
        """What a state without a picture shows: its window, and the prices of its candles with room around them."""
        market, state = self.catalogue.market(self.state.market), self.state
        end = min(pd.Timestamp(state.end, tz="UTC"), market.end) if state.end else market.end
        start = pd.Timestamp(state.start, tz="UTC") if state.start else end - timedelta(WINDOWS[state.window])
        start = max(start, market.start)
        low, high = state.price_range or _around(market, start, end)
        return Seen(start, end, low, high)

    def _seen(self) -> Seen:
        """What the browser shows."""
        figure = self.panes[0].figure
        assert figure is not None
        main, asked = figure.main, figure.asked.data
        start, end = (
            pd.Timestamp(int(1e6 * edge), unit="ns", tz="UTC") for edge in (main.x_range.start, main.x_range.end)
        )
        wide, tall = (int(asked[name][0] or 0) for name in ("wide", "tall"))
        return Seen(start, end, main.y_range.start, main.y_range.end, wide or 900, tall or 400)

    def _move(self, seen: Seen) -> None:
        """Let the figures show a range."""
        main = self.panes[0].figure.main  # type: ignore[union-attr]
        main.x_range.update(start=seen.start.value / 1e6, end=seen.end.value / 1e6)
        main.y_range.update(start=seen.low, end=seen.high)

    def _draw(self, *, overlays: bool = True) -> None:
        """The maps of what is seen."""
        if self.panes[0].figure is None:
            return self._begin()
        try:
            seen = self._seen()
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                for pane, state in zip(self.panes, self._states(), strict=False):
                    pane.look(state, seen)
                if overlays:
                    self._over()
            self._say("; ".join(dict.fromkeys(str(each.message) for each in caught if each.category is UserWarning)))
        except REFUSED as error:
            self._say(str(error))
        self._tell()
        return None

    def _states(self) -> list[ExplorerState]:
        """Of each map."""
        beside = self.state.beside
        return [self.state] if beside is None else [self.state, self.state.but(**beside)]

    def _over(self) -> None:
        for pane, state in zip(self.panes, self._states(), strict=False):
            pane.overlays(state)

    def _lay_out(self) -> None:
        """Figures side by side, below each other on a phone; what the browser does to them comes back here.

        Both are there from the beginning, the second one hidden and nearly empty: figures that share axes reach the
        browser together.
        """
        first, second = self.panes
        if first.heat is None or first.view is not None:
            return
        second.begin(first.heat.isel(time=slice(-2, None)))
        for pane in self.panes:
            assert pane.figure is not None
            main, profile = pane.figure.main, pane.figure.profile
            main.on_event("tap", self._tapped(pane))
            side = pn.pane.Bokeh(profile, width=profile.width, sizing_mode="fixed")
            pane.view = pn.Row(pn.pane.Bokeh(main, **WIDE), side, styles={"flex": "1 1 340px"}, **WIDE)
        first.figure.asked.on_change("data", self._on_asked)  # type: ignore[union-attr]
        second.view.visible = self.state.beside is not None
        self.figures.objects = [pane.view for pane in self.panes]

    # --- what the reader does ---

    def _on_asked(self, attr: str, old: Any, new: Any) -> None:
        key = tuple(float(new[name][0] or 0) for name in new)
        if key == self._asked:
            return
        self._asked = key
        seen = self._seen()
        self.state = self.state.but(start=f"{seen.start:%Y-%m-%d %H:%M:%S}", end=f"{seen.end:%Y-%m-%d %H:%M:%S}",
                                    price_range=(round(seen.low, 10), round(seen.high, 10)))  # fmt: skip
        self._draw()

    def _tapped(self, pane: Pane) -> Callable[[Any], None]:
        def tapped(event: Any) -> None:
            try:
                moment = pd.Timestamp(int(1e6 * event.x), unit="ns", tz="UTC")
                self._explained(pane.explain(float(event.y), moment))
            except REFUSED as error:
                self._say(str(error))

        return tapped

    def _explained(self, table: pd.DataFrame) -> None:
        a = table.attrs
        amount = short_number(table["notional"].sum())
        words = (f"{a['low']:,.10g} to {a['high']:,.10g} at {a['at']:%Y-%m-%d %H:%M} UTC: {amount} estimated, "
                 f"{len(table)} parts, the largest first")  # fmt: skip
        shown = table[list(EXPLAINED)].head(12)
        self.table.objects = [
            _text(words),
            pn.pane.DataFrame(shown, index=False, escape=True, float_format="{:,.6g}".format, **WIDE),
        ]

    def _changed(self, name: str, value: Any) -> None:
        """A widget has another value."""
        if name in self._told:
            return None
        try:
            self.state = self._with(name, value)
        except REFUSED as error:
            return self._say(str(error))
        self._follow(name)
        return None

    def _with(self, name: str, value: Any) -> ExplorerState:
        state = self.state
        if name == "market":
            return state.but(market=value, start=None, end=None, price_range=None)
        if name == "window":
            return state if value == OWN else state.but(window=value, start=None, end=None, price_range=None)
        if name in ("start", "end"):
            return state.but(**{name: value or None}, price_range=None)
        if name == "lookback":
            return state.but(lookback=None if value == ALL else value)
        if name == "law":
            self.widgets["leverages"].param.update(options=_classes(value), value=[])
            return state.but(law=value, leverages=())
        if name == "leverages":
            return state.but(leverages=tuple(value))
        if name == "threshold":
            return state.but(threshold=(value[0] / 100, value[1] / 100))
        if name == "marks":
            return state.but(**{field: words in value for words, field in MARKS.items()})
        if name.startswith("position"):
            side, entry, leverage = (self.widgets[f"position_{each}"].value for each in ("side", "entry", "leverage"))
            own = {"side": side, "entry_price": entry, "leverage": leverage or 10}
            return state.but(position=own if side != "none" and entry else None)
        if name.startswith("beside"):
            told = {each: self.widgets[f"beside_{each}"].value for each in ("market", "model", "law")}
            return state.but(beside={each: value for each, value in told.items() if value != "same"} or None)
        return state.but(**{name: value})

    def _follow(self, name: str) -> None:
        """What a change asks for: colours and sides nothing, overlays little, the rest a map."""
        if self.panes[0].figure is None:
            return self._begin()
        if name in ("market", "window", "start", "end"):
            try:
                self._move(self._whole())
            except REFUSED as error:
                return self._say(str(error))
            self._asked = ()
            return self._draw()
        if name in ("model", "law", "lookback", "leverages"):
            return self._draw()
        if name.startswith("beside"):
            self._draw()
            self.panes[1].view.visible = self.state.beside is not None
        elif name == "marks" or name.startswith("position"):
            try:
                self._over()
                self._say("")
            except REFUSED as error:
                self._say(str(error))
        self._tell()
        return None

    def _step(self, right: float, up: float, size: float) -> Callable[[Any], None]:
        def step(_: Any) -> None:
            if self.panes[0].figure is None:
                return
            seen = self._seen()
            span, tall = seen.end - seen.start, seen.high - seen.low
            middle = seen.start + span * (0.5 + right)
            centre = (seen.low + seen.high) / 2 + up * tall
            half, room = span * size / 2, tall * size / 2
            self._move(Seen(middle - half, middle + half, max(centre - room, 1e-9), centre + room))
            self._draw()

        return step

    def _uploaded(self, data: bytes | None, name: str) -> None:
        """A file that the reader chose: it is read as `liqlab.read` reads it, and offered to this session alone."""
        from liqlab.loaders import read

        suffix = Path(name or "").suffix.lower()
        if not data:
            return
        try:
            if suffix not in SUFFIXES or len(data) > MAX_UPLOAD:
                raise ValueError(f"a file must end in {', '.join(SUFFIXES)} and have at most {MAX_UPLOAD / 1e6:g} MB")
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, f"upload{suffix}")
                path.write_bytes(data)
                market = read(path)
            self.catalogue = self.catalogue.with_market("own file", market)
            self.widgets["market"].groups = self.catalogue.names()
            self.widgets["market"].value = "own file"
        except REFUSED as error:
            self._say(str(error))

    # --- what is told ---

    def _say(self, text: str) -> None:
        """A note of what went wrong; whatever it quotes stands as text."""
        heat = self.panes[0].heat
        told = ""
        if heat is not None:
            told = (f"{heat.attrs['symbol'] or self.state.market}: {len(heat['time'])} columns of "
                    f"{heat.attrs['time_step']} up to {self.panes[0].closes[-1]:%Y-%m-%d %H:%M} UTC, last price "
                    f"{float(heat['close'][-1]):,.8g}. Estimated.")  # fmt: skip
        colour = "#b00020" if text else "inherit"
        self.status.object = (f'<p role="status" aria-live="polite" style="margin:0">{escape(told)} '
                              f'<span style="color:{colour}">{escape(text)}</span></p>')  # fmt: skip

    def _tell(self) -> None:
        """The state as a link and as a line of Python."""
        query = self.state.query()
        self.link.value, self.line.value = f"?{query}", self.state.python(self._code)
        self._set("window", OWN if self.state.start else self.state.window)
        self._set("start", self.state.start or "")
        self._set("end", self.state.end or "")
        doc = pn.state.curdoc
        if doc is not None and doc.session_context is not None and pn.state.location is not None:
            pn.state.location.search = f"?{query}"

    def _set(self, name: str, value: Any) -> None:
        """What a widget shows, without its being a change that the reader made."""
        self._told.add(name)
        self.widgets[name].value = value
        self._told.discard(name)

    # --- the page ---

    def _controls(self) -> dict[str, Any]:
        s = self.state
        names = self.catalogue.names()
        flat = [each for group in names.values() for each in group]
        beside, own = s.beside or {}, s.position or {}
        w = pn.widgets
        found: dict[str, Any] = {
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
        for name, widget in found.items():
            widget.param.watch(lambda event, name=name: self._changed(name, event.new), "value")
        return found

    def _page(self) -> Any:
        w = self.widgets
        for name in ("side", "cmap", "cnorm"):
            self._in_the_browser(w[name], f"{{{name}: [cb_obj.value]}}")
        self._in_the_browser(w["threshold"], "{low: [cb_obj.value[0] / 100], high: [cb_obj.value[1] / 100]}")
        upload = pn.widgets.FileInput(accept=",".join(SUFFIXES), label="own file", width=210)
        upload.param.watch(lambda event: self._uploaded(event.new, upload.filename or ""), "value")
        files = [pn.widgets.FileDownload(callback=self._file(ending), filename=f"liquidation-heatmap{ending}", width=90,
                                         label=ending[1:].upper())
                 for ending in (".png", ".html", ".csv")]  # fmt: skip
        buttons = []
        for label, (words, *way) in MOVES.items():
            button = pn.widgets.Button(label=f"{label} {words}", width=118)
            button.on_click(self._step(*way))
            buttons.append(button)
        box = {"sizing_mode": "stretch_width", "align_items": "end"}
        groups = (("market", "window", "start", "end"), ("model", "law", "lookback", "leverages"),
                  ("side", "cmap", "cnorm", "threshold"), ("marks",))  # fmt: skip
        more = ("position_side", "position_entry", "position_leverage")
        compare = ("beside_market", "beside_model", "beside_law")
        return pn.Column(
            pn.FlexBox(*(w[name] for group in groups for name in group), **box),
            self.status,
            self.figures,
            pn.FlexBox(*buttons, *files, **box),
            self.table,
            pn.FlexBox(*(w[name] for name in (*more, *compare)), upload, **box),
            self._copied(self.link, "copy link", "location.origin + location.pathname + link.value"),
            self._copied(self.line, "copy line", "link.value"),
            _text("Every level is estimated from candles, volume and open interest. Education, not advice."),
            name="Liquidation heatmap explorer", **WIDE,
        )  # fmt: skip

    def _copied(self, text: Any, label: str, source: str) -> Any:
        button = pn.widgets.Button(label=label, width=110, align="end")
        button.jscallback(clicks=COPY.format(source=source, label=label), args={"link": text, "button": button})
        return pn.Row(text, button, **WIDE)

    def _in_the_browser(self, widget: Any, change: str) -> None:
        """A choice that asks no server: it is written where the figures' own code looks."""
        widget.jscallback(value=f"look.data = {{...look.data, ...{change}}};", args={"look": self.choice})

    def _file(self, ending: str) -> Callable[[], BytesIO]:
        def made() -> BytesIO:
            from liqlab.report import save

            pane = self.panes[0]
            assert pane.heat is not None
            heat = pane.heat.sum("leverage", keep_attrs=True) if "leverage" in pane.heat.dims else pane.heat
            with tempfile.TemporaryDirectory() as folder:
                return BytesIO(save(heat, Path(folder, f"map{ending}")).read_bytes())

        return made


def _text(words: str) -> Any:
    """A paragraph; whatever it quotes stands as text."""
    return pn.pane.HTML(f"<p style='margin:0'>{escape(words)}</p>", margin=(5, 10), **WIDE)


def _classes(law: str) -> dict[str, float]:
    """Classes of a law by the leverages they are named after."""
    return {f"{leverage:g}x": float(leverage) for leverage in law_of(law).leverage}


def _around(market: Any, start: pd.Timestamp, end: pd.Timestamp) -> tuple[float, float]:
    """Prices shown first: as `liqlab.plot.heatmap` shows them."""
    candles = market.candles.loc[lambda table: (table.index >= start) & (table.index < end)]
    if not len(candles):
        raise ValueError(f"nothing of this market lies between {start:%Y-%m-%d %H:%M} and {end:%Y-%m-%d %H:%M}; it "
                         f"runs from {market.start:%Y-%m-%d %H:%M} to {market.end:%Y-%m-%d %H:%M}")  # fmt: skip
    low, high = float(candles["low"].min()), float(candles["high"].max())
    room = max(0.45 * (high - low), 0.04 * high)
    return max(low - room, 0.05 * low), high + room


def _events(market: Any, heat: xr.Dataset) -> pd.DataFrame:
    """Observed liquidations of what is seen, at the low (longs) or the high (shorts) of their column."""
    if market.liquidations is None:
        raise ValueError("this market has no observed liquidations; btc-2024-07 has, and liqlab record collects them")
    opens = pd.DatetimeIndex(heat["time"].to_numpy(), tz="UTC")
    stamps = market.liquidations.index
    table = market.liquidations[
        (stamps >= opens[0]) & (stamps < pd.Timestamp(heat["close_time"].to_numpy()[-1], tz="UTC"))
    ]
    column = opens.searchsorted(table.index, side="right") - 1
    rows = []
    for side, edge in (("long", "low"), ("short", "high")):
        coins = np.bincount(column, table[side].to_numpy(), minlength=len(opens))
        price = heat[edge].to_numpy()
        on = coins > 0
        rows.append(pd.DataFrame({"time": heat["time"].to_numpy()[on], "price": price[on], "side": side,
                                  "notional": coins[on] * price[on]}))  # fmt: skip
    return pd.concat(rows, ignore_index=True)
