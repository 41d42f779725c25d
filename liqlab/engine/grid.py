"""The fixed log-price grid on which levels stand: absolute, not derived from the data's range."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["STEP", "cell_of", "first_cell", "price_of"]

STEP = 5e-5  # grid step in log price: 0.5 bp, finer than any tick that matters, coarse enough for a small state


def cell_of(price: Any, *, step: float = STEP) -> np.ndarray:
    """Grid cell of a price: ``floor(ln(price) / step)``.

    >>> int(cell_of(1.0)), int(cell_of(1.00007))
    (0, 1)
    """
    return np.floor(np.log(price) / step).astype(np.int64)


def first_cell(edges: Any, *, step: float = STEP) -> np.ndarray:
    """First grid cell of each bin; a cell belongs to the bin that holds its centre, ``edge <= price_of(cell)``."""
    return np.ceil(np.log(edges) / step - 0.5).astype(np.int64)


def price_of(cell: Any, *, step: float = STEP) -> np.ndarray:
    """Price at the centre of a cell [quote]: the price of a level that stands there."""
    return np.exp((np.asarray(cell) + 0.5) * step)
