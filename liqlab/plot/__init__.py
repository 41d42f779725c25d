"""Pictures: tables in, HoloViews objects out. Nothing is decided here, nothing is shown here.

Colours are safe for colour-blind readers by default; longs are orange and shorts blue everywhere.
"""

from liqlab.plot._calibration import calibration, uncertainty
from liqlab.plot._candles import candles
from liqlab.plot._cascade import amplification, cascade
from liqlab.plot._events import events
from liqlab.plot._explore import explore
from liqlab.plot._four_maps import four_maps
from liqlab.plot._heatmap import heatmap, show
from liqlab.plot._indicators import indicators
from liqlab.plot._sweeps import sweeps
from liqlab.plot.claims import claims_table, forest, magnet
from liqlab.plot.colour_bar import SCALES
from liqlab.plot.law_and_levels import explain, law, levels
from liqlab.plot.lookbacks import lookback_heatmaps
from liqlab.plot.observed import observed_heatmap
from liqlab.plot.profile import liquidation_map
from liqlab.plot.save import png
from liqlab.plot.scores import scoreboard
from liqlab.plot.small_multiples import small_maps
from liqlab.plot.zones import clusters, confluence, cumulative

__all__ = [
    "SCALES",
    "amplification",
    "calibration",
    "candles",
    "cascade",
    "claims_table",
    "clusters",
    "confluence",
    "cumulative",
    "events",
    "explain",
    "explore",
    "forest",
    "four_maps",
    "heatmap",
    "indicators",
    "law",
    "levels",
    "liquidation_map",
    "lookback_heatmaps",
    "magnet",
    "observed_heatmap",
    "png",
    "scoreboard",
    "show",
    "small_maps",
    "sweeps",
    "uncertainty",
]


def __dir__() -> list[str]:
    """The figures alone, for the Tab key."""
    return [name for name in __all__ if name not in ("SCALES", "png")]
