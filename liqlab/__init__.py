"""liqlab: the research notebook kit for crypto liquidation heatmaps.

This module is the table of contents: the names that are used most, and the room each lives in. What else a room offers
is found there: ``lq.market.check_candles``, ``lq.margin.tiers_for``, ``lq.validation.Scores``.
Names are resolved when they are first used, so ``import liqlab`` stays light.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_ROOMS = {
    "market": ["Market", "indicators"],
    "margin": ["liquidation_price", "bankruptcy_price"],
    "models": ["Assumptions", "law"],
    "engine": [],
    "maps": ["heatmap", "liquidation_map", "expected_liquidations", "balance", "levels", "explain", "combine",
             "live", "load_live", "lookback_heatmaps", "model_heatmaps", "observed_heatmap"],
    "zones": ["clusters", "track", "confluence", "cumulative", "max_pain", "nearest", "sweeps",
              "assess_positions", "stop_zones", "event_windows"],
    "cascades": ["price_impact", "amplification", "cascade", "critical_zones"],
    "simulation": ["simulate"],
    "loaders": ["examples", "load_example", "read_case", "read", "load", "load_saved", "fetch", "fetch_depth", "follow",
                "capabilities"],
    "validation": ["calibrate", "score", "walk_forward", "magnet", "claims"],
    "plot": ["show"],
    "report": ["save"],
    "app": ["alerts", "explore", "scan", "watch"],
}  # fmt: skip
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = sorted([*_ROOM_OF, "plot"])


def __getattr__(name: str) -> Any:
    if name in _ROOM_OF:
        return getattr(import_module(f"{__name__}.{_ROOM_OF[name]}"), name)
    if name in _ROOMS:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"liqlab has no {name!r}; it has: {', '.join(__all__)}")


def __dir__() -> list[str]:
    return [*__all__, *(room for room in _ROOMS if room not in __all__), "__version__"]
