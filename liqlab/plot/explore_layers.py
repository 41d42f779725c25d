"""A heatmap in bytes, for figures that work without a kernel: one layer per model, leverage class and side.

A cell is a number from 0 (empty) to 255 on a logarithmic scale; equal neighbours in time are written once with their
count. Standing positions change slowly, so a layer of 160,000 cells needs some ten thousand bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from liqlab.maps.stacking import leverage_names
from liqlab.models._law import leverage_name
from liqlab.plot.cells import MAX_BINS, cells
from liqlab.plot.colour_bar import limits

if TYPE_CHECKING:
    import xarray as xr

DECADES = 5.0  # a cell of less than a hundred-thousandth of the brightest counts as empty
STEPS = 254
PRECISION = 10 ** (DECADES / STEPS / 2) - 1  # of an amount that was rounded to the nearest step
BANDS = (5.0, 10.0, 25.0, 50.0, 100.0)  # where a heat holds more classes than a row of boxes, they are joined here
MAX_LEVERAGE_CLASSES = 6
MAX_BYTES = 2_500_000  # of all layers together: a third more as text of a page


@dataclass(frozen=True, eq=False)
class Layers:
    """Every choice that the figure offers, in bytes.

    Parameters
    ----------
    runs : ndarray of uint8
        Pairs (code, count), layer after layer; within a layer price by price upwards, in time within a price.
    spans : list of (from, to)
        Where in `runs` each layer lies; layers are counted ``(model * bands + band) * 2 + side``, longs first.
    models, bands : list of str
        Names of the choices.
    top : list of float
        Amount [quote] of code 255, per model.
    highs : list of float
        Amount [quote] at which the colours end, per model; they are linear, as in `heatmap`.
    sides : ndarray (side, price, time)
        Sums of all layers of the first model [quote], as the codes tell them.
    frame : Dataset
        The cells: coordinates time and price.
    """

    runs: np.ndarray
    spans: list[tuple[int, int]]
    models: list[str]
    bands: list[str]
    top: list[float]
    highs: list[float]
    sides: np.ndarray
    frame: xr.Dataset


def pack(heats: Mapping[str, xr.Dataset], ylim: tuple[float, float]) -> Layers:
    """All heats as layers on the same cells; bins are summed until the bytes suit a page."""
    most = MAX_BINS
    while True:
        packed = _pack(heats, ylim, most)
        if packed.runs.size <= MAX_BYTES or most <= 50:
            return packed
        most //= 2


def encode(amounts: np.ndarray, top: float) -> np.ndarray:
    """Amounts as bytes: 255 is `top`, a step is a 254th of five decades, 0 is empty.

    >>> encode(np.array([0.0, 1e-6, 1e-5, 1.0]), 1.0)
    array([  0,   0,   1, 255], dtype=uint8)
    """
    with np.errstate(divide="ignore"):
        codes = np.rint(255 + np.log10(np.maximum(amounts, 0) / top) * STEPS / DECADES)
    return np.where(codes >= 1, np.minimum(codes, 255), 0).astype(np.uint8)


def decode(codes: np.ndarray, top: float) -> np.ndarray:
    """Bytes as amounts.

    >>> decode(np.array([0, 1, 255], np.uint8), 2.0)
    array([0.e+00, 2.e-05, 2.e+00])
    """
    table = top * 10 ** ((np.arange(256) - 255) * DECADES / STEPS)
    table[0] = 0.0
    return table[codes]


def run_lengths(codes: np.ndarray) -> np.ndarray:
    """Pairs (code, count up to 255) of equal neighbours.

    >>> run_lengths(np.array([7, 7, 7, 0, 9], np.uint8))
    array([7, 3, 0, 1, 9, 1], dtype=uint8)
    """
    begins = np.flatnonzero(np.diff(codes.astype(np.int16), prepend=-1))
    lengths = np.diff(np.append(begins, codes.size))
    pieces = -(-lengths // 255)
    code, rest = np.repeat(codes[begins], pieces), np.full(pieces.sum(), 255)
    rest[np.cumsum(pieces) - 1] = lengths - 255 * (pieces - 1)
    return np.column_stack([code, rest]).astype(np.uint8).ravel()


def classes(heat: xr.Dataset) -> dict[str, Any]:
    """Choices of leverage: the classes of the heat where they are few, else bands; one, without a name, if unknown."""
    if "leverage" not in heat.dims:
        return {"all": None}
    leverage = heat["leverage"].to_numpy()
    if leverage.size <= MAX_LEVERAGE_CLASSES:
        return dict(zip(leverage_names(heat), leverage[:, None].tolist(), strict=True))
    place = np.searchsorted(BANDS, leverage, side="right")
    low, high = (heat.coords.get(name, heat["leverage"]).to_numpy() for name in ("leverage_low", "leverage_high"))
    parts = [np.flatnonzero(place == k) for k in np.unique(place)]
    return {leverage_name(low[part[0]], high[part[-1]]): leverage[part].tolist() for part in parts}


def _pack(heats: Mapping[str, xr.Dataset], ylim: tuple[float, float], most: int) -> Layers:
    named = {name: classes(heat) for name, heat in heats.items()}
    bands = list(dict.fromkeys(band for choice in named.values() for band in choice))
    tables = [[_cells(heat, named[name].get(band, []), ylim, most) for band in bands] for name, heat in heats.items()]
    frame = tables[0][0]
    stack = np.array([[[band[side].to_numpy() for side in ("longs", "shorts")] for band in row] for row in tables])
    stack = np.nan_to_num(stack.astype(float))  # (model, band, side, price, time)
    top = [float(model.max()) or 1.0 for model in stack]
    highs = [limits(model.sum(axis=(0, 1)), "linear").high for model in stack]
    codes = np.array([encode(model, most) for model, most in zip(stack, top, strict=True)])
    runs = [run_lengths(layer.ravel()) for layer in codes.reshape(-1, *stack.shape[3:])]
    ends = np.cumsum([0, *(run.size for run in runs)])
    spans = [(int(a), int(b)) for a, b in pairwise(ends)]
    first = decode(codes[0], top[0]).sum(axis=0)
    return Layers(np.concatenate(runs), spans, list(heats), bands, top, highs, first, frame)


def _cells(heat: xr.Dataset, leverage: list[float] | None, ylim: tuple[float, float], most: int) -> xr.Dataset:
    """The cells of one class of leverage; a class that this heat has not is empty."""
    part = heat if leverage is None else heat.sel(leverage=leverage)
    return cells(part, ylim, most=most).transpose("price", "time")
