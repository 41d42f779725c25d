"""Confluence: prices at which several maps are bright at once, be it several leverages or several lookbacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.engine.records import SIDES
from liqlab.maps.arguments import check_same_source, estimated
from liqlab.maps.heatmaps import liquidation_map
from liqlab.maps.stacking import heatmaps_of, leverage_names, one_heatmap
from liqlab.market.arguments import Table, checked
from liqlab.zones._clusters import WIDTH, by_side, check_positive, origin
from liqlab.zones.profile_peaks import Smoother, smooth_all_nb, smoother

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["confluence", "score_of"]

MIN_LAYER_BRIGHTNESS = 0.5  # a layer takes part in a zone where it is half as bright as its own brightest


@checked(zones=Table("lq.clusters(heat)", "side low peak high"))
def confluence(
    heat: xr.Dataset | Mapping[str, xr.Dataset],
    at: Any = None,
    *,
    leverages: Sequence[float] | None = None,
    width: float | None = WIDTH,
    zones: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Where layers meet: one score in [0, 1] by price and side, of leverages or of lookbacks.

    Parameters
    ----------
    heat : Dataset, or mapping of name to Dataset
        Maps of several lookbacks (`lookback_heatmaps`) or models (`model_heatmaps`): each is a layer. Or one heatmap
        made with ``by_leverage=True``: its layers are the leverages. Heatmaps whose columns or bins differ, of several
        time frames for instance, come as a mapping; the bins of the first count.
    at : time-like, optional
        UTC: of each heatmap the last column closed at or before it; default: the last column of each.
    leverages : sequence of float, optional
        Only these classes of leverage, ``(25, 50, 100)``; default: all that the heatmap has. Layers are named by the
        leverages that a class stands for.
    width : float or None
        Scale [log price] at which brightness is compared, as in `clusters`; None compares bin by bin.
    zones : DataFrame, optional
        Zones from `clusters`: they come back with their score, ranked by it.

    Returns
    -------
    DataFrame
        By price: index price [quote], columns long, short: the score. With `zones`: the zones, best score first, with
        rank renewed, and two columns more: score, the largest within the zone; layers, the names of those that are
        there at least half as bright as their own brightest. ``attrs``: layers, at, price, and what the first map was
        made of.

    Raises
    ------
    ValueError
        Where there are fewer than two layers, or a leverage that the heatmap does not have.

    Notes
    -----
    Brightness u_k of layer k is its notional per log price, smoothed, over the layer's greatest on the whole map (both
    sides), so that large layers do not drown small ones. With n layers the score is

        S = ((√u_1 + … + √u_n) / n)².

    It is 1 where every layer has its brightest point, 0 where none has anything, and 1/n² where one layer alone is at
    its brightest. It equals the mean brightness times N/n, where N = (Σ √(u_k / Σu))² is the effective number of
    layers (Hill's, of order ½). A plain mean would not tell one glaring layer from several middling ones; a geometric
    mean is 0 as soon as one layer is empty.

    Lookbacks are nested: what is in the 12 h map is in the 7 d map too. A score near 1 says that a zone is young *and*
    stands out of all that is older; it is no independent confirmation.

    References
    ----------
    M. O. Hill, "Diversity and evenness", Ecology 54 (1973).

    Examples
    --------
    >>> import liqlab as lq
    >>> market = lq.load_example("btc-2024-05")
    >>> heat = lq.heatmap(market, start="2024-05-01", end="2024-05-02", by_leverage=True)
    >>> table = lq.confluence(heat, leverages=(25, 50, 100))
    >>> bool(((table >= 0) & (table <= 1)).all(axis=None))
    True
    """
    layers, first = _layers(heat, at, leverages)
    if len(layers) < 2:
        raise ValueError(
            f"confluence needs two layers or more, got {list(layers)}; pass maps of several lookbacks "
            "(lq.lookback_heatmaps) or models (lq.model_heatmaps), or one made with by_leverage=True"
        )
    price = first["price"].to_numpy()
    bright = np.stack([_brightness(edge, amount, price, width) for edge, amount in layers.values()])
    moment = pd.Timestamp(first["close_time"].item(), tz="UTC")
    table = pd.DataFrame(score_of(bright).T, index=pd.Index(price, name="price"), columns=SIDES)
    check_same_source(zones, first)
    if zones is not None:
        table = _scored(zones, table, bright, list(layers))
    table.attrs = {**origin(first), **table.attrs, "layers": list(layers), "at": moment, "price": float(first["close"])}
    return table


def score_of(bright: np.ndarray) -> np.ndarray:
    """Score of layers' brightness (layer, …) in [0, 1].

    >>> [float(score_of(np.array(u))) for u in ([1, 1], [1, 0], [0.25, 0.25])]
    [1.0, 0.25, 0.25]
    >>> float(score_of(np.array([1.0, 0.25])))  # ((1 + 0.5) / 2)²
    0.5625
    """
    return np.sqrt(bright).mean(axis=0) ** 2


def _layers(
    heat: Any, at: Any, leverages: Sequence[float] | None
) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], xr.Dataset]:
    """Edges and notional (side, price) of every layer at the moment, and the moment's map that lends its bins."""
    if not isinstance(heat, Mapping) or hasattr(heat, "data_vars"):
        snap = liquidation_map(estimated(heat), at=at)
        dim = next((d for d in snap["notional"].dims if d not in ("price", "side", "leverage")), "leverage")
        snaps = heatmaps_of(snap, str(dim)) if dim != "leverage" else _by_leverage(snap, leverages)
    else:
        snaps = {str(name): liquidation_map(one_heatmap(each, f"heat[{name!r}]"), at=at) for name, each in heat.items()}
    if not snaps:
        raise ValueError(
            "heat: confluence needs two heatmaps or more, got none; lq.lookback_heatmaps(market) makes them"
        )
    found = {name: (snap["price_edge"].to_numpy(), by_side(snap)[:, 0])
             for name, snap in snaps.items()}  # fmt: skip
    return found, next(iter(snaps.values()))


def _by_leverage(snap: xr.Dataset, leverages: Sequence[float] | None) -> dict[str, xr.Dataset]:
    """The map of each leverage."""
    if "leverage" not in snap.dims:
        raise ValueError("this heatmap keeps no leverages apart; make it with by_leverage=True, or pass maps of "
                         "several lookbacks (lq.lookback_heatmaps)")  # fmt: skip
    known = [float(x) for x in snap["leverage"].to_numpy()]
    for each in () if leverages is None else leverages:
        if each not in known:
            raise ValueError(f"the heatmap has no leverage {each!r}; it has {', '.join(f'{x:g}' for x in known)}")
    names = dict(zip(known, leverage_names(snap), strict=True))
    return {names[x]: snap.sel(leverage=x, drop=True) for x in (known if leverages is None else leverages)}


def _brightness(edge: np.ndarray, amount: np.ndarray, price: np.ndarray, width: float | None) -> np.ndarray:
    """Brightness (side, price) of one layer in [0, 1], at the given prices."""
    if width is None:
        if len(price) != amount.shape[1] or not np.allclose((edge[1:] + edge[:-1]) / 2, price, rtol=1e-9):
            raise ValueError("bin by bin, all heatmaps must have the same bins; give them one price_range and "
                             "price_step, or pass a width")  # fmt: skip
        return amount / (amount.max() or 1.0)
    check_positive(width=width)
    grid: Smoother = smoother(edge, width)
    profile = smooth_all_nb(amount, grid.first, grid.weight, grid.cells)
    at = np.log(price)
    cells = np.log(grid.price)
    values = np.stack([np.interp(at, cells, each, left=0.0, right=0.0) for each in profile])
    return np.clip(values / (profile.max() or 1.0), 0.0, 1.0)


def _scored(zones: pd.DataFrame, table: pd.DataFrame, bright: np.ndarray, names: list[str]) -> pd.DataFrame:
    """Zones with the best score inside them and the layers that take part there."""
    price, scores, layers = table.index.to_numpy(), [], []
    for side, low, peak, high in zip(*(zones[name] for name in ("side", "low", "peak", "high")), strict=True):
        inside = np.flatnonzero((price >= low) & (price <= high))
        inside = inside if inside.size else np.array([int(np.argmin(np.abs(price - peak)))])
        best = inside[np.argmax(table[side].to_numpy()[inside])]
        scores.append(float(table[side].to_numpy()[best]))
        part = bright[:, SIDES.index(side), inside].max(axis=1) >= MIN_LAYER_BRIGHTNESS
        layers.append(" ".join(name for name, on in zip(names, part, strict=True) if on))
    ranked = zones.assign(score=np.array(scores, float), layers=layers)
    ranked = ranked.sort_values("score", ascending=False, kind="stable", ignore_index=True)
    ranked["rank"] = np.arange(1, len(ranked) + 1)
    return ranked
