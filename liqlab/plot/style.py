"""What every picture shares, whoever draws it: colours and their limits, the part of the price axis, the title."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

LONG, SHORT = "#e69f00", "#56b4e9"
RISE, FALL, EDGE = "#ffffff", "#1b1b1b", "#d9d9d9"
HEIGHT, STRIP, SIDE, MIN_WIDTH_PX = 500, 150, 120, 236  # [px]; a heatmap and its profile side by side fit a phone
WIDE = {"responsive": True, "height": HEIGHT, "min_width": MIN_WIDTH_PX}
FONT = {"title": "8pt", "labels": "9pt", "ticks": "8pt", "legend": "8pt", "clabel": "8pt", "cticks": "8pt"}
# The four colour scales in circulation, by name; the first two are perceptually uniform and safe for colour-blind eyes.
SCALES = {
    "purple-yellow": "viridis",
    "black-yellow": "inferno",
    "green-red": "RdYlGn_r",
    "violet-red": "turbo",
}
# Limits of the colour scale, as quantiles of the positive cells: a few huge cells must not black out the rest.
QUANTILES = (0.35, 0.999)


def view(heat: xr.Dataset) -> tuple[float, float]:
    """The candles' range and nearly half as much above and below, at least 4 % of the price."""
    low, high = float(heat["low"].min()), float(heat["high"].max())
    around = max(0.45 * (high - low), 0.04 * high)
    return max(low - around, float(heat["price_edge"][0])), min(high + around, float(heat["price_edge"][-1]))


def limits(total: np.ndarray, threshold: float) -> tuple[float, float]:
    """Colour limits [quote] from quantiles of the positive cells."""
    positive = total[total > 0]
    if not positive.size:
        return 1.0, 10.0
    low, high = (float(x) for x in np.quantile(positive, QUANTILES))
    low = max(low, threshold * high, 1e-3 * high)
    return (low if low < high else 0.1 * high), high


def colours_of(scale: str) -> str:
    """Name of a scale's colour map."""
    if scale not in SCALES:
        raise ValueError(f"scale must be one of {', '.join(SCALES)}, got {scale!r}")
    return SCALES[scale]


def lowest(scale: str) -> str:
    """Background = low end of the colour map: an empty cell is a dark cell."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return to_hex(colormaps[colours_of(scale)](0.0))


def interest(heat: xr.Dataset) -> str:
    """Whose open interest the map rests on, without what stands in brackets."""
    words = heat.attrs["open_interest"].partition("(")[0].strip()
    return "assumed" if words == "none" else words


def heading(heat: xr.Dataset, title: str | None) -> str:
    """Five short lines, so that a phone shows them whole."""
    a = heat.attrs
    window = f"opened within {a['lookback']}" if a["lookback"] else "all positions"
    first = title or "Estimated liquidation heatmap"
    who = f"{a['symbol'] or 'no symbol'} · {a['exchange'] or 'no exchange'} · {a['timeframe']}"
    whose = interest(heat).partition(":")[0]
    origin = f" {a['open_interest'].partition(': ')[2].partition(',')[0]}" if whose == "proxy" else ""
    return f"{first}\n{who}\nmodel {a['model']}\nlaw {a['law']}\n{window} · OI {whose}{origin}"
