"""liqlab: the research notebook kit for crypto liquidation heatmaps.

This module is the table of contents: every public name, and the room it lives in.
Names are resolved when they are first used, so ``import liqlab`` stays light.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_ROOMS = {
    "market": ["Market", "check_candles", "check_open_interest", "check_funding_rate", "check_liquidations",
               "check_taker", "check_mark_candles", "check_leverage_tiers", "indicators"],
    "margin": ["liquidation_price", "bankruptcy_price", "tiers_for", "tiers_from_ccxt"],
    "models": ["Law", "law"],
    "engine": [],
    "maps": ["heatmap", "liquidation_map", "expected_liquidations", "balance", "levels", "explain", "combine",
             "Live", "live", "load_live", "lookback_heatmaps", "model_heatmaps", "observed_heatmap"],
    "zones": ["clusters", "track", "confluence", "cumulative", "max_pain", "sweeps",
              "match_controls", "swing_controls", "assess_positions", "stop_zones", "event_windows", "compare_levels",
              "summarise_periods", "swing_sweeps"],
    "cascades": ["price_impact", "amplification", "cascade", "critical_zones"],
    "simulation": ["Simulation", "simulate"],
    "loaders": ["examples", "load_example", "Case", "read_case", "read", "fetch", "fetch_depth", "capabilities"],
    "validation": ["Calibration", "calibrate", "Scores", "Walk", "score", "walk_forward", "Magnet", "magnet", "claims"],
    "plot": ["show"],
    "report": [],
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
    return [*__all__, "__version__"]
