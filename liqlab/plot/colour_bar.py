"""Which colour an amount has: the scales by name, their limits, the look of the colour bar."""

from __future__ import annotations

import numpy as np

# The four colour scales in circulation, by name; the first two are perceptually uniform and safe for colour-blind eyes.
SCALES = {
    "purple-yellow": "viridis",
    "black-yellow": "inferno",
    "green-red": "RdYlGn_r",
    "violet-red": "turbo",
}
# Limits of the colour scale, as quantiles of the positive cells: a few huge cells must not black out the rest.
QUANTILES = (0.35, 0.999)
COLOUR_BAR = {
    "colorbar_position": "bottom",
    "colorbar_opts": {"height": 9, "title_text_font_size": "8pt", "title_standoff": 3, "padding": 2},
}


def limits(total: np.ndarray, threshold: float) -> tuple[float, float]:
    """Colour limits [quote] from quantiles of the positive cells."""
    positive = total[total > 0]
    if not positive.size:
        return 1.0, 10.0
    low, high = (float(x) for x in np.quantile(positive, QUANTILES))
    low = max(low, threshold * high, 1e-3 * high)
    return (low if low < high else 0.1 * high), high


def colours_of(cmap: str) -> str:
    """Name of the colour map that `cmap` stands for.

    >>> colours_of("black-yellow"), colours_of("cividis")
    ('inferno', 'cividis')
    """
    from matplotlib import colormaps

    name = SCALES.get(cmap, cmap) if isinstance(cmap, str) else cmap
    if name not in list(colormaps):
        raise ValueError(f"cmap must be one of {', '.join(SCALES)}, or a name of matplotlib's, got {cmap!r}")
    return name


def lowest(cmap: str) -> str:
    """Background = low end of the colour map: an empty cell is a dark cell."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return to_hex(colormaps[colours_of(cmap)](0.0))
