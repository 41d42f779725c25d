"""Pictures: tables in, HoloViews objects out. Nothing is decided here, nothing is shown here.

Colours are safe for colour-blind readers by default; longs are orange and shorts blue everywhere.
"""

from liqlab.plot._calibration import calibration, uncertainty
from liqlab.plot._candles import candles
from liqlab.plot._cascade import amplification, cascade
from liqlab.plot._events import events, four_maps
from liqlab.plot._explore import explore
from liqlab.plot._heatmap import heatmap, liquidation_map, show
from liqlab.plot._indicators import indicators
from liqlab.plot._observed import observed_heatmap
from liqlab.plot._png import png
from liqlab.plot._scoreboard import scoreboard
from liqlab.plot._sweeps import sweeps
from liqlab.plot.claims import claims_table, forest, magnet
from liqlab.plot.lessons import explain, law, levels
from liqlab.plot.style import SCALES
from liqlab.plot.zones import clusters, confluence, cumulative, lookback_heatmaps

__all__ = [
    "SCALES", "amplification", "calibration", "candles", "cascade", "clusters", "confluence", "cumulative", "events",
    "explain", "explore", "forest", "four_maps", "heatmap", "indicators", "law", "claims_table", "levels",
    "liquidation_map", "magnet", "observed_heatmap", "png", "scoreboard", "show", "sweeps", "uncertainty",
    "lookback_heatmaps",
]  # fmt: skip
