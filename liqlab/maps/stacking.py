"""Heatmaps of several models or lookbacks as one Dataset with a dimension for them, and one of them taken out again.

What a map was made from stands in its attrs. Where the maps of a stack differ in it, it becomes a coordinate along the
new dimension, so that ``heats.sel(lookback="24h")`` carries what belongs to that map and nothing of the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from liqlab.maps.arguments import as_columns
from liqlab.models._law import leverage_name

if TYPE_CHECKING:
    import xarray as xr

SEVERAL = ("lookback", "model")  # dimensions that hold one map each


def stack_heatmaps(heats: Mapping[str, xr.Dataset], dim: str) -> xr.Dataset:
    """One Dataset of heatmaps on the same columns and bins, along `dim`; what all have alike is kept once."""
    import xarray as xr

    names, each = list(heats), list(heats.values())
    first = each[0]
    for name, heat in heats.items():
        for axis in ("time", "price_edge", "leverage"):
            if axis in first.coords and not np.array_equal(heat[axis].to_numpy(), first[axis].to_numpy()):
                raise ValueError(f"{axis} of {name!r} is not that of {names[0]!r}; make all with the same start, end, "
                                 "time_step, price_range, price_step and law")  # fmt: skip
    apart = [n for n in first.data_vars if n == "notional" or not all(heat[n].equals(first[n]) for heat in each[1:])]
    shared = first.drop_vars(apart)
    whole = xr.concat([heat[apart] for heat in each], dim=dim, coords="minimal", compat="override", join="override",
                      combine_attrs="drop_conflicts")  # fmt: skip
    told = dict.fromkeys(name for heat in each for name in heat.attrs if name not in (dim, *whole.attrs))
    differ = {name: (dim, [heat.attrs.get(name, "") for heat in each]) for name in told}
    return whole.assign(shared.data_vars).assign_coords({**shared.coords, dim: names, **differ})


def heatmaps_of(heats: xr.Dataset, dim: str) -> dict[str, xr.Dataset]:
    """The maps of a stack by their names, each with its own attrs."""
    return {str(name): own_attrs(heats.sel({dim: name})) for name in heats[dim].to_numpy()}


def leverage_names(heat: xr.Dataset) -> list[str]:
    """What the classes of leverage of a map are called: by the leverages that they stand for, where it tells them."""
    ends = [heat.coords.get(name, heat["leverage"]).to_numpy() for name in ("leverage_low", "leverage_high")]
    return [leverage_name(low, high) for low, high in zip(*ends, strict=True)]


def own_attrs(heat: xr.Dataset) -> xr.Dataset:
    """A map taken out of a stack, with what its coordinates say of it among its attrs, as in any other map."""
    said = {name: coord.item() for name, coord in heat.coords.items()
            if coord.ndim == 0 and coord.dtype.kind in "OUT" and name != "side"}  # fmt: skip
    return heat.drop_vars(said).assign_attrs(said) if said else heat


def one_heatmap(heat: Any, name: str = "heat") -> xr.Dataset:
    """One heatmap of whatever shows one, see `as_columns`; a stack, where one map is wanted, is refused."""
    heat = as_columns(heat, name)
    for dim in SEVERAL:
        if dim in heat.dims:
            names = [str(each) for each in heat[dim].to_numpy()]
            raise ValueError(f"{name} holds one map for each {dim} ({', '.join(names)}); "
                             f"choose one, .sel({dim}={names[0]!r})")  # fmt: skip
    return own_attrs(heat)
