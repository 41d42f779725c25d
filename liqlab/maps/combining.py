"""One map of several venues: the same asset, ledger by ledger, added up in quote notional."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from liqlab.maps.heatmaps import heatmap, shown_edges
from liqlab.market.arguments import checked
from liqlab.market.market import Market
from liqlab.market.provenance import Provenance
from liqlab.models._assumptions import Assumptions

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["combine"]


@checked()
def combine(
    markets: Sequence[Market],
    model: str | None = None,
    *,
    assumptions: Assumptions | Any = None,
    start: Any = None,
    end: Any = None,
    price_range: tuple[float, float] | None = None,
    price_step: float | None = None,
    **options: Any,
) -> xr.Dataset:
    """Estimated liquidation heatmap of several venues of one asset, with the share of each.

    Every venue keeps a ledger of its own, from its own candles, tiers and open interest; only the notional is added,
    bin by bin, so that a venue's levels are touched by its own prices and no other's.

    Parameters
    ----------
    markets : sequence of Market
        Two or more, of the same coin and time frame. The first lends its candles to the picture.
    model, assumptions, start, end, price_range, price_step, **options
        As in `heatmap`, the same for all. start and end default to the span that all markets share.

    Returns
    -------
    xarray.Dataset
        As from `heatmap`, ``notional``, ``attributed_oi`` and ``unattributed_oi`` summed over the venues, and
        ``venue_share`` (time, venue): the venue's part of all standing notional [1], NaN where nothing stands.

    Raises
    ------
    ValueError
        Fewer than two markets, different coins or time frames, the same venue twice, no common time.

    Assumptions
    -----------
    The quote currencies are worth the same (USDT, USDC and USD are added as they are). Positions hedged across venues
    count on each.

    Examples
    --------
    >>> import liqlab as lq
    >>> from dataclasses import replace
    >>> one = lq.load_example("btc-2024-05")
    >>> both = lq.combine([one, replace(one, exchange="bybit")], start="2024-05-01", end="2024-05-02")
    >>> bool((both["venue_share"].sum("venue").round(9) == 1).all())
    True
    """
    _check(markets)
    first, last = max(m.start for m in markets), min(m.end for m in markets)
    if first >= last:
        raise ValueError(f"the markets have no time in common: they end by {last}, one begins at {first}")
    start, end = first if start is None else start, last if end is None else end
    if price_range is None or price_step is None:  # the bins of the first venue, for all
        edges = shown_edges(markets[0], start, end, price_range, price_step)
        price_range, price_step = (float(edges[0]), float(edges[-1])), float(edges[1] - edges[0])
    shown: dict[str, Any] = {"start": start, "end": end, "price_range": price_range, "price_step": price_step}
    heats = [heatmap(m, model, assumptions=assumptions, **shown, **options) for m in markets]
    return _added(heats, [m.exchange or f"venue {k}" for k, m in enumerate(markets)])


def _added(heats: list[xr.Dataset], venues: list[str]) -> xr.Dataset:
    import xarray as xr

    times = heats[0]["time"].to_numpy()
    for heat, venue in zip(heats, venues, strict=True):
        if not np.array_equal(heat["time"].to_numpy(), times):
            raise ValueError(f"{venue} has candles at other times than {venues[0]}; choose start and end without gaps")
    total = heats[0].copy()
    for name in ("notional", "attributed_oi", "unattributed_oi"):
        total[name] = sum((heat[name] for heat in heats[1:]), start=heats[0][name])
    each = [heat["notional"].sum([d for d in heat["notional"].dims if d != "time"]) for heat in heats]
    share = xr.concat(each, dim="venue").transpose("time", "venue")
    total["venue_share"] = share / share.sum("venue").where(lambda x: x > 0)
    made = Provenance.combined([Provenance.of(heat) for heat in heats], venues)
    return total.assign_coords(venue=venues).assign_attrs(made.attrs())


def _check(markets: Sequence[Market]) -> None:
    if len(markets) < 2:
        raise ValueError(f"markets: combine needs two or more, got {len(markets)}; for one, use heatmap")
    for what, values in (("coin", [m.coin for m in markets]), ("time frame", [m.timeframe for m in markets])):
        if len(set(values)) > 1:
            raise ValueError(f"the markets must have one {what}, got {', '.join(values)}; resample or choose others")
    venues = [f"{m.exchange} {m.symbol}" for m in markets]
    if len(set(venues)) < len(venues):
        raise ValueError(f"markets: the same venue and symbol stand twice in {', '.join(venues)}: positions would "
                         "count twice; pass each market once")  # fmt: skip
