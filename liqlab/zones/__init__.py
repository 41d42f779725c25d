"""Reading a map: its bright zones, where layers meet, what a move would set off. *Estimated*, as the map itself is."""

from liqlab.zones._clusters import clusters, every_cluster
from liqlab.zones._confluence import confluence, windows
from liqlab.zones._cumulative import cumulative, max_pain
from liqlab.zones._event_windows import around
from liqlab.zones._sweeps import sweeps
from liqlab.zones.stops import positions, stop_zones
from liqlab.zones.swings import matched, swing_controls
from liqlab.zones.told_prices import episodes, swing_sweeps, told_levels
from liqlab.zones.tracking import track

__all__ = [
    "around", "clusters", "confluence", "cumulative", "episodes", "every_cluster", "matched", "max_pain", "positions",
    "stop_zones", "sweeps", "swing_controls", "swing_sweeps", "told_levels", "track", "windows",
]  # fmt: skip
