"""The Dataset that a map is: its variables and coordinates, and what it is made from and how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab import __version__
from liqlab.engine.grid import STEP
from liqlab.engine.inputs import InputsHeader
from liqlab.engine.records import SIDES, Record
from liqlab.market.clock import timedelta, timeframe_of
from liqlab.market.market import Market
from liqlab.market.provenance import Provenance

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["dataset", "provenance"]


def provenance(market: Market, inputs: InputsHeader, width: int, lookback: Any) -> Provenance:
    """What a map of these inputs is made from and how."""
    assumed = inputs.assumptions
    more = {"grid_step": STEP, "same_bar_share": assumed.same_bar_share}
    return Provenance(
        symbol=market.symbol,
        exchange=market.exchange,
        timeframe=market.timeframe,
        time_step=timeframe_of(pd.Timedelta(width, unit="ns")),
        quote=market.quote,
        coin=market.coin,
        model=assumed.model,
        lookback="" if lookback is None else timeframe_of(timedelta(lookback)),
        taker=inputs.taker,
        open_interest=inputs.open_interest,
        law=assumed.law.name,
        tiers=inputs.tiers,
        touch=inputs.touch,
        closing=inputs.closing,
        parameters={**assumed.parameters(), **more},
        assumptions=assumed.record(),
        sources={name: dict(source) for name, source in market.sources.items()},
        liqlab=__version__,
    )


def dataset(
    record: Record, frame: pd.DataFrame, edges: np.ndarray, apart: InputsHeader | None, attrs: dict[str, str]
) -> xr.Dataset:
    """The heatmap of a record; `apart`: the inputs, where its leverages are kept apart."""
    import xarray as xr

    coords: dict[str, Any] = {}
    notional: tuple[tuple[str, ...], np.ndarray]
    if apart is None:
        notional = (("side", "time", "price"), record.notional)
    else:
        notional = (("side", "leverage", "time", "price"), record.notional)
        law, coords["leverage"] = apart.assumptions.law, np.unique(apart.ladder.leverage)
        ranges = law.ranges[np.searchsorted(law.leverage, coords["leverage"])]
        coords |= {f"leverage_{end}": ("leverage", ranges[:, k]) for k, end in enumerate(("low", "high"))}
    data: dict[str, Any] = {
        name: ("time", frame[name].to_numpy()) for name in ("open", "high", "low", "close", "volume")
    }
    data |= {
        name: (("side", "time"), record.balance[:, k]) for k, name in enumerate(("attributed_oi", "unattributed_oi"))
    }
    coords |= {
        "time": frame.index.to_numpy(),
        "price": (edges[1:] + edges[:-1]) / 2,
        "side": SIDES,
        "close_time": ("time", frame["close_time"].to_numpy()),
        "price_edge": ("price_edge", edges),
    }
    heat = xr.Dataset({"notional": notional, **data}, coords=coords, attrs=attrs).transpose(
        "time", "price", "side", ...
    )
    words = {"notional": "estimated notional standing at its liquidation price", "price": "price", "volume": "volume"}
    units = {"notional": attrs["quote"], "price": attrs["quote"], "volume": attrs["coin"]}
    for name, unit in units.items():
        heat[name].attrs.update(long_name=words[name], units=unit)
    return heat
