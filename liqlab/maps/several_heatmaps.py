"""Heatmaps of one market by several models, or over several lookbacks, on the same bins and columns."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from liqlab import models as known
from liqlab.maps.heatmaps import heatmap
from liqlab.maps.stacking import stack_heatmaps
from liqlab.market.arguments import checked
from liqlab.market.clock import timedelta, timeframe_of
from liqlab.market.market import Market

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["LOOKBACKS", "lookback_heatmaps", "model_heatmaps"]

LOOKBACKS = ("12h", "24h", "3d", "7d", "30d")


@checked()
def lookback_heatmaps(
    market: Market, model: str | None = None, *, lookbacks: Sequence[Any] = LOOKBACKS, **options: Any
) -> xr.Dataset:
    """Heatmaps of several lookbacks on the same bins and columns, for `confluence` and for a panel of them.

    Parameters
    ----------
    market : Market
        As in `heatmap`.
    model : str
        As in `heatmap`.
    lookbacks : sequence of durations
        ``("12h", "24h", "3d")``; a map of 30 days needs a market that begins 30 days before what is shown.
    **options
        Those of `heatmap`, start, end and assumptions among them.

    Returns
    -------
    xarray.Dataset
        As from `heatmap`, with a dimension ``lookback`` for ``notional``; ``maps.sel(lookback="24h")`` is one heatmap.

    Raises
    ------
    ValueError
        Where a lookback reaches behind the market's start: its map would be one of a shorter window. No lookback, or
        one twice.

    Examples
    --------
    >>> import liqlab as lq
    >>> market = lq.load_example("btc-2024-05")
    >>> maps = lq.lookback_heatmaps(market, lookbacks=["12h", "24h"], start="2024-05-01", end="2024-05-02")
    >>> maps["notional"].dims
    ('lookback', 'time', 'price', 'side')
    >>> bool((maps["notional"].sel(lookback="12h") <= maps["notional"].sel(lookback="24h") + 1e-3).all())
    True
    """
    names = [each if isinstance(each, str) else timeframe_of(timedelta(each)) for each in lookbacks]
    _check_names("lookbacks", names, LOOKBACKS)
    maps = {}
    for name in names:
        with warnings.catch_warnings():  # what heatmap warns of is an error here
            warnings.filterwarnings("ignore", message="lookback: the market begins")
            heat = maps[name] = heatmap(market, model, lookback=name, **options)
        first = pd.Timestamp(heat["close_time"].to_numpy()[0], tz="UTC")
        if first - timedelta(name) < market.start - market.step:
            raise ValueError(f"a map of {name} at {first} would need a market from {first - timedelta(name)} on, it "
                             f"begins {market.start}; start later, or leave this lookback out")  # fmt: skip
    return stack_heatmaps(maps, "lookback")


@checked()
def model_heatmaps(market: Market, models: Sequence[str] | None = None, **options: Any) -> xr.Dataset:
    """Heatmaps of several models on the same bins and columns, for `liqlab.plot.explore` and for comparing them.

    Parameters
    ----------
    market : Market
        As in `heatmap`.
    models : sequence of str, optional
        Names of models, see `liqlab.models`; default: all of them.
    **options
        Those of `heatmap` that all models share, start and end among them.

    Returns
    -------
    xarray.Dataset
        As from `heatmap`, with a dimension ``model`` for what the models see differently: ``notional``, and coins
        attributed and not. ``maps.sel(model="decay")`` is one heatmap.

    Raises
    ------
    ValueError, TypeError
        As `heatmap`; no model, or one twice.

    Examples
    --------
    >>> import liqlab as lq
    >>> market = lq.load_example("btc-2024-05")
    >>> maps = lq.model_heatmaps(market, ["open_interest", "volume"], start="2024-05-01", end="2024-05-02")
    >>> maps["notional"].dims, maps["close"].dims
    (('model', 'time', 'price', 'side'), ('time',))
    """
    names = known.names() if models is None else list(models)
    _check_names("models", names, known.names())
    return stack_heatmaps({name: heatmap(market, name, **options) for name in names}, "model")


def _check_names(what: str, names: Sequence[str], such_as: Sequence[str]) -> None:
    if not names or len(set(names)) < len(names):
        raise ValueError(f"{what}: name one or more, each once, such as {list(such_as[:2])}; got {names}")
