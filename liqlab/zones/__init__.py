"""Reading a map: its bright zones, where layers meet, what a move would set off. *Estimated*, as the map itself is."""

from liqlab.zones.bright import clusters, every_cluster
from liqlab.zones.curves import cumulative, max_pain
from liqlab.zones.following import track
from liqlab.zones.meeting import confluence, windows

__all__ = ["clusters", "confluence", "cumulative", "every_cluster", "max_pain", "track", "windows"]
