"""The explorer's page: widgets, figures, and what each change asks for. Panel is imported here and nowhere else."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from html import escape
from io import BytesIO
from typing import Any

import pandas as pd
import panel as pn

from liqlab.app.explorer_controls import OWN, WIDE, changed, controls, copied, paragraph
from liqlab.app.explorer_files import SUFFIXES, picture, uploaded
from liqlab.app.explorer_maps import Catalogue, Seen
from liqlab.app.explorer_pane import Pane, around, moment_of
from liqlab.app.explorer_state import WINDOWS, ExplorerState
from liqlab.market.clock import timedelta
from liqlab.plot.style import short_number
from liqlab.plot.zoomed import look_of

__all__ = ["Explorer", "Session"]

REFUSED = (ValueError, TypeError, OSError, KeyError, ImportError)
EXPLAINED = [
    "opened_at",
    "side",
    "leverage",
    "entry_price",
    "liquidation_price",
    "standing",
    "notional",
    "share",
    "age",
]
MOVES = {"◀": ("earlier", -0.5, 0.0, 1.0), "▶": ("later", 0.5, 0.0, 1.0), "+": ("zoom in", 0.0, 0.0, 0.5),
         "−": ("zoom out", 0.0, 0.0, 2.0), "▲": ("higher prices", 0.0, 0.25, 1.0),
         "▼": ("lower prices", 0.0, -0.25, 1.0)}  # fmt: skip


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
        self.widgets = controls(self.state, catalogue.names())
        for name, widget in self.widgets.items():
            widget.param.watch(lambda event, name=name: self._changed(name, event.new), "value")
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
                pane.look(self.catalogue, state, seen)
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
        low, high = state.price_range or around(market, start, end)
        return Seen(start, end, low, high)

    def _seen(self) -> Seen:
        """What the browser shows."""
        figure = self.panes[0].figure
        assert figure is not None
        main, asked = figure.main, figure.asked.data
        start, end = (moment_of(edge) for edge in (main.x_range.start, main.x_range.end))
        wide, tall = (int(asked[name][0] or 0) for name in ("wide", "tall"))
        return Seen(start, end, main.y_range.start, main.y_range.end, wide or 900, tall or 400)

    def _move(self, seen: Seen) -> None:
        """Let the figures show a range."""
        main = self.panes[0].figure.main  # type: ignore[union-attr]
        main.x_range.update(start=seen.start.value / 1e6, end=seen.end.value / 1e6)
        main.y_range.update(start=seen.low, end=seen.high)

    def _draw(self) -> None:
        """The maps of what is seen."""
        if self.panes[0].figure is None:
            return self._begin()
        try:
            seen = self._seen()
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                for pane, state in zip(self.panes, self._states(), strict=False):
                    pane.look(self.catalogue, state, seen)
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
                self._explained(pane.explain(float(event.y), moment_of(event.x)))
            except REFUSED as error:
                self._say(str(error))

        return tapped

    def _explained(self, table: pd.DataFrame) -> None:
        a = table.attrs
        amount = short_number(table["notional"].sum())
        words = (f"{a['low']:,.10g} to {a['high']:,.10g} at {a['at']:%Y-%m-%d %H:%M} UTC: {amount} estimated, "
                 f"{len(table)} parts, the largest first")  # fmt: skip
        look = {"index": False, "escape": True, "float_format": "{:,.6g}".format, **WIDE}
        self.table.objects = [paragraph(words), pn.pane.DataFrame(table[EXPLAINED].head(12), **look)]

    def _changed(self, name: str, value: Any) -> None:
        """A widget has another value."""
        if name in self._told:
            return None
        try:
            self.state = changed(self.state, name, value, self.widgets)
        except REFUSED as error:
            return self._say(str(error))
        self._follow(name)
        return None

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
        """A file that the reader chose is offered to this session alone."""
        if not data:
            return
        try:
            self.catalogue = self.catalogue.with_market("own file", uploaded(data, name))
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
            copied(self.link, "copy link", "location.origin + location.pathname + link.value"),
            copied(self.line, "copy line", "link.value"),
            paragraph("Every level is estimated from candles, volume and open interest. Education, not advice."),
            name="Liquidation heatmap explorer", **WIDE,
        )  # fmt: skip

    def _in_the_browser(self, widget: Any, change: str) -> None:
        """A choice that asks no server: it is written where the figures' own code looks."""
        widget.jscallback(value=f"look.data = {{...look.data, ...{change}}};", args={"look": self.choice})

    def _file(self, ending: str) -> Callable[[], BytesIO]:
        def made() -> BytesIO:
            heat = self.panes[0].heat
            assert heat is not None
            return picture(heat, ending)

        return made
