"""What the position ledger shows: heatmaps, one moment of them, tables, live maps; and what was really observed."""

from liqlab.maps._live import Live, live, load_live
from liqlab.maps.attribution import explain
from liqlab.maps.combining import combine
from liqlab.maps.heatmaps import heatmap, liquidation_map
from liqlab.maps.observed import observed_heatmap
from liqlab.maps.several_heatmaps import lookback_heatmaps, model_heatmaps
from liqlab.maps.tables import balance, expected_liquidations, levels

__all__ = [
    "Live", "balance", "combine", "expected_liquidations", "explain", "heatmap", "levels",
    "liquidation_map", "live", "load_live", "lookback_heatmaps", "model_heatmaps", "observed_heatmap",
]  # fmt: skip
