"""Reading a map: its bright zones, where layers meet, what a move would set off. *Estimated*, as the map itself is."""

from liqlab.zones._clusters import clusters, every_cluster
from liqlab.zones._confluence import confluence
from liqlab.zones._cumulative import cumulative, max_pain
from liqlab.zones._event_windows import event_windows
from liqlab.zones._nearest import nearest
from liqlab.zones._sweeps import sweeps
from liqlab.zones.controls import match_controls, swing_controls
from liqlab.zones.own_positions import assess_positions, stop_zones
from liqlab.zones.told_levels import compare_levels, frozen_maps, summarise_periods, swing_sweeps
from liqlab.zones.tracking import track

__all__ = [
    "event_windows", "clusters", "confluence", "cumulative", "summarise_periods", "every_cluster", "match_controls",
    "max_pain", "nearest", "assess_positions", "stop_zones", "sweeps", "swing_controls", "swing_sweeps",
    "compare_levels", "frozen_maps", "track",
]  # fmt: skip
