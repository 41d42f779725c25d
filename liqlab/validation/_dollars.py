"""Dollars: from what a map estimates to what a venue published, by numbers fitted once and kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from liqlab.engine.records import SIDES
from liqlab.loaders._examples import folder
from liqlab.maps.arguments import as_columns, estimated
from liqlab.market.arguments import checked
from liqlab.market.clock import step_of, timeframe_of
from liqlab.validation.align import amounts, on_step

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["dollar_factors", "link", "published_heatmap", "published_liquidations"]

FILE = "dollars.csv"
HOUR = pd.Timedelta("1h")


@checked()
def dollar_factors() -> pd.DataFrame:
    """What turns an estimated dollar of the default map into a published one, by truth and side, and how it did.

    Returns
    -------
    DataFrame (truth, side)
        factor [1]: published per estimated dollar on the median day, low … high (90 %, drawing days); scale, exponent,
        offset [quote]: the link of hours, ``published = scale · (estimated + offset) ** exponent``. On days that did
        not fit them, by asset (``btc_``, ``eth_``) and by ``link`` or ``factor``: ``median`` of the daily ratios
        published ÷ expected, share of days ``inside`` [1/3, 3], ``slope`` by tenth of the hours. ``december_``: ratio
        of sums in hours of December 2024 in which single forced orders were recorded; no open interest is known there.

    Assumptions
    -----------
    - Of the default map only. Throttle, coverage of the venue and faults of the map are in one number; these data
      cannot part them.
    - ``binance-2024``: hourly published liquidations of BTC and ETH, 19 June to 9 July 2024; at most one order a second
      was published, the latest. Since spring 2026 it is the largest: fit again then.

    Examples
    --------
    >>> table = dollar_factors()
    >>> bool(table["factor"].between(table["low"], table["high"]).all())
    True
    """
    return pd.read_csv(folder("data") / FILE, index_col=["truth", "side"])


@checked()
def published_liquidations(estimated: pd.DataFrame, *, truth: str = "binance-2024") -> pd.DataFrame:
    """Hourly liquidations that a venue is expected to *publish*, from what the default map estimates.

    Parameters
    ----------
    estimated : DataFrame (time,)
        long, short [quote] per bar of at most an hour, from ``lq.expected_liquidations(market)``.
    truth : str
        Whose publishing: a name in `dollar_factors`.

    Returns
    -------
    DataFrame (time,)
        long, short [quote] per hour.

    Raises
    ------
    ValueError
        An unknown truth, or bars longer than an hour: the link bends, so it holds for hours only.
    """
    kept = _of(truth)
    table = amounts(estimated, "estimated")
    if step_of(table) > HOUR:
        raise ValueError(f"estimated has bars of {timeframe_of(step_of(table))}, longer than an hour; make it from "
                         "candles of 1h or finer")  # fmt: skip
    hourly = on_step({"estimated": table}, HOUR)[0]["estimated"]
    return pd.DataFrame(
        {s: link(hourly[s], *kept.loc[s, ["scale", "exponent", "offset"]].astype(float)) for s in SIDES}
    )


@checked()
def published_heatmap(heat: xr.Dataset, *, truth: str = "binance-2024") -> xr.Dataset:
    """A heatmap in dollars that are expected to be published: every side's notional times its one number.

    Parameters
    ----------
    heat : Dataset
        Of the default map.
    truth : str
        Whose publishing: a name in `dollar_factors`.

    Returns
    -------
    Dataset
        As `heat`, with notional, notional_low and notional_high [quote] from the factor and its interval, and
        ``published`` in its attrs. Still estimated: nothing in it was observed.

    Raises
    ------
    ValueError
        An unknown truth.

    Assumptions
    -----------
    - A band is swept on a day like the median one. On busy days a smaller part is published, on quiet ones a larger.
    """
    kept, heat = _of(truth), estimated(as_columns(heat))
    side = heat["side"].to_numpy()
    made: dict[str, Any] = {}
    for name, column in (("notional", "factor"), ("notional_low", "low"), ("notional_high", "high")):
        made[name] = heat["notional"] * kept[column].loc[side].to_xarray()
    factors = ", ".join(f"{factor:.3g} ({s}s)" for s, factor in kept["factor"].items())
    told = f"expected to be published, {truth}: × {factors}"
    return heat.assign(made).assign_attrs({**heat.attrs, "published": told})


def link(made: Any, scale: float, exponent: float, offset: float) -> Any:
    """Published from estimated dollars of an hour.

    >>> link(3.0, 2.0, 0.5, 1.0)
    4.0
    """
    return scale * (made + offset) ** exponent


def _of(truth: str) -> pd.DataFrame:
    table = dollar_factors()
    known = list(dict.fromkeys(table.index.get_level_values("truth")))
    if truth not in known:
        raise ValueError(
            f"truth must be one of {', '.join(known)}, got {truth!r}; research/fit_dollars.py fits another"
        )
    return table[table.index.get_level_values("truth") == truth].droplevel("truth")
