"""Which colour an amount has: scales by name, their limits, and what the colour bar says.

An empty cell has a colour of its own, which no amount has. Logarithmic colours have to begin somewhere: what lies below
keeps the lowest colour, and the colour bar says how much that is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

# The four colour scales in circulation, by name; the first two are perceptually uniform and safe for colour-blind eyes.
SCALES = {
    "purple-yellow": "viridis",
    "black-yellow": "inferno",
    "green-red": "RdYlGn_r",
    "violet-red": "turbo",
}
EMPTY = "#0a0a0a"  # a cell in which nothing stands
GAP, HATCH = "#8c8c8c", "#5c5c5c"  # no data: neither empty nor an amount
NORMS = ("linear", "log", "eq_hist")
APART = 0.3  # of the RGB cube's side: how far the lowest colour is from that of an empty cell, at least
# Quantile of the positive cells at which colours end: a few huge cells must not black out the rest. Linear colours are
# blacked out more easily.
HIGHEST, LINEAR_HIGHEST = 0.999, 0.99
BELOW = 0.01  # of the notional may lie below the beginning of logarithmic colours
COLOUR_BAR = {
    "colorbar_position": "bottom",
    "colorbar_opts": {"height": 9, "title_text_font_size": "8pt", "title_standoff": 3, "padding": 2},
}


@dataclass(frozen=True)
class Colours:
    """What `cmap`, `logz` and `cnorm` of a figure stand for.

    Attributes
    ----------
    palette : list of str
        256 colours, from the least amount to the largest.
    norm : str
        ``linear``, ``log`` or ``eq_hist``: equal steps of colour are equal differences, equal ratios, equal numbers of
        cells.
    """

    palette: list[str]
    norm: str


class Limits(NamedTuple):
    """Ends of the colours [quote], and the share of the notional that lies below them or is hidden for it."""

    low: float
    high: float
    share: float
    hidden: bool

    def words(self) -> str:
        """What the picture does not tell apart, short enough for a phone; empty where there is nothing of it."""
        if not (self.hidden or self.share > 0):
            return ""
        return f"{'hidden' if self.hidden else 'below'}: {100 * self.share:.1f} % of the notional"


def colours(cmap: str, *, logz: bool | None = None, cnorm: str | None = None) -> Colours:
    """Palette and scale, linear if nothing is said; `cnorm` has the last word, as in hvPlot."""
    norm = cnorm or ("log" if logz else "linear")
    if norm not in NORMS:
        raise ValueError(f"cnorm must be one of {', '.join(NORMS)}, got {cnorm!r}")
    return Colours(palette(cmap), norm)


def palette(cmap: str) -> list[str]:
    """256 colours of a colour map, without those at its low end that could be taken for an empty cell."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex, to_rgb

    colour = colormaps[name_of(cmap)]
    low = np.linspace(0, 0.5, 51)
    apart = np.linalg.norm(colour(low)[:, :3] - to_rgb(EMPTY), axis=1) >= APART
    return [to_hex(each) for each in colour(np.linspace(low[np.argmax(apart)], 1, 256))]


def name_of(cmap: str) -> str:
    """Name of the colour map that `cmap` stands for.

    >>> name_of("black-yellow"), name_of("cividis")
    ('inferno', 'cividis')
    """
    from matplotlib import colormaps

    name = SCALES.get(cmap, cmap) if isinstance(cmap, str) else cmap
    if name not in list(colormaps):
        raise ValueError(f"cmap must be one of {', '.join(SCALES)}, or a name of matplotlib's, got {cmap!r}")
    return name


def limits(amounts: np.ndarray, norm: str = "log", threshold: float = 0.0) -> Limits:
    """Limits of the colours of these cells; of those below `threshold` times the upper end nothing is shown.

    >>> limits(np.array([0.0, 1.0, 9.0, 90.0]), "linear")
    Limits(low=0.0, high=88.38, share=0.0, hidden=False)
    >>> limits(np.array([0.5, 9.5, 90.0]), threshold=0.1)  # 0.5 lies below a tenth of 89.8
    Limits(low=8.9839, high=89.839, share=0.005, hidden=True)
    """
    if not 0 <= threshold < 1:
        raise ValueError(f"threshold is a share of the brightest colour in [0, 1), got {threshold!r}; pass 0 for all")
    positive = np.sort(amounts[amounts > 0].astype(float))
    if not positive.size:
        return Limits(0.0 if norm == "linear" else 1.0, 10.0, 0.0, False)
    running = np.cumsum(positive)
    high = brightest = float(np.quantile(positive, LINEAR_HIGHEST if norm == "linear" else HIGHEST))
    low = float(positive[np.searchsorted(running, BELOW * running[-1])])
    low = min(max(low, 1e-4 * high), 0.1 * high)
    if norm != "log":
        low = 0.0 if norm == "linear" else float(positive[0])
        high = high if norm == "linear" else float(positive[-1])
    if threshold:
        low = threshold * brightest
    under = int(np.searchsorted(positive, low))
    share = float(running[under - 1] / running[-1]) if under else 0.0
    return Limits(float(f"{low:.9g}"), float(f"{high:.9g}"), share, threshold > 0)


def matplotlib_norm(norm: str, ends: Limits, amounts: np.ndarray) -> Any:
    """The same scale for matplotlib."""
    from matplotlib.colors import BoundaryNorm, LogNorm, Normalize

    if norm == "eq_hist":
        positive = amounts[amounts > 0]
        steps = np.unique(np.quantile(positive, np.linspace(0, 1, 257))) if positive.size else positive
        if steps.size > 2:
            return BoundaryNorm(list(steps), 256)
    return (LogNorm if norm == "log" else Normalize)(ends.low, ends.high)
