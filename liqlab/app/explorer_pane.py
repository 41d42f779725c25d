"""One map of the explorer: whose it is, its figure, what is drawn over it and what a click explains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.app.explorer_maps import Catalogue, Seen
from liqlab.app.explorer_state import ExplorerState
from liqlab.models._assumptions import Assumptions
from liqlab.plot.style import with_room
from liqlab.plot.zoomed import ZoomedFigure, zoomed_figure

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Pane", "around", "moment_of"]


class Pane:
    """One map of the page: whose it is, and its figure."""

    def __init__(self, catalogue: Catalogue, choice: Any, beside: Pane | None = None) -> None:
        self.catalogue, self._choice, self._beside = catalogue, choice, beside  # the catalogue of what is drawn
        self.name, self.assumptions = "", Assumptions()
        self.lookback: str | None = None
        self.figure: ZoomedFigure | None = None
        self.heat: xr.Dataset | None = None
        self.view: Any = None

    def look(self, catalogue: Catalogue, state: ExplorerState, seen: Seen) -> None:
        """Draw what is seen of the market and assumptions that a state names."""
        assumptions = Assumptions(state.model, law=state.law)
        heat = catalogue.heatmap(state.market, assumptions, seen, lookback=state.lookback,
                                      by_leverage=bool(state.leverages))  # fmt: skip
        self.catalogue, self.heat, self.name, self.lookback, self.assumptions = (
            catalogue,
            heat,
            state.market,
            state.lookback,
            assumptions,
        )
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


def around(market: Any, start: pd.Timestamp, end: pd.Timestamp) -> tuple[float, float]:
    """Prices shown first: as `liqlab.plot.heatmap` shows them."""
    candles = market.candles.loc[lambda table: (table.index >= start) & (table.index < end)]
    if not len(candles):
        raise ValueError(f"nothing of this market lies between {start:%Y-%m-%d %H:%M} and {end:%Y-%m-%d %H:%M}; it "
                         f"runs from {market.start:%Y-%m-%d %H:%M} to {market.end:%Y-%m-%d %H:%M}")  # fmt: skip
    lowest = float(candles["low"].min())
    low, high = with_room(lowest, float(candles["high"].max()))
    return max(low, 0.05 * lowest), high


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


def moment_of(milliseconds: float) -> pd.Timestamp:
    """UTC, of what a figure's axis counts."""
    return pd.Timestamp(int(1e6 * milliseconds), unit="ns", tz="UTC")
