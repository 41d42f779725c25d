"""liqlab: the research notebook kit for crypto liquidation heatmaps.

This module is the table of contents: every public name, and the room it lives in.
Names are resolved when they are first used, so ``import liqlab`` stays light.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_ROOMS = {
    "market": ["Market", "check_candles", "check_open_interest", "check_funding_rate", "check_liquidations",
               "check_taker", "check_mark_candles", "check_leverage_tiers"],
    "margin": ["liquidation_price", "bankruptcy_price", "tiers_for", "tiers_from_ccxt"],
    "laws": ["Law", "law"],
    "maps": ["heatmap", "liquidation_map"],
    "tables": ["expected_liquidations", "balance", "levels"],
    "bands": ["explain"],
    "zones": ["clusters", "track", "confluence", "windows", "cumulative", "max_pain"],
    "aggregate": ["combine"],
    "carried": ["Live", "live", "load_live"],
    "liquidity": ["price_impact"],
    "impact": ["amplification", "cascade", "critical_zones"],
    "beside": ["indicators"],
    "sweeping": ["sweeps"],
    "controls": ["matched", "swing_controls"],
    "stops": ["positions", "stop_zones"],
    "happened": ["around", "observed"],
    "validation.calibration": ["Calibration", "calibrate"],
    "validation": ["Scores", "Walk", "score", "walk_forward"],
    "validation.magnets": ["Magnet", "magnet"],
    "validation.ledger": ["claims"],
    "stories": ["told_levels", "episodes", "swing_sweeps"],
    "synthetic": ["Simulation", "simulate"],
    "datasets": ["examples", "load_example"],
    "cases": ["Case", "read_case"],
    "sources": ["read", "fetch", "fetch_depth", "capabilities"],
    "plot": ["show"],
}  # fmt: skip
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}
_SUBMODULES = ["market", "margin", "laws", "models", "maps", "tables", "validation", "stories", "synthetic", "datasets",
               "store", "sources", "plot", "report", "cli"]  # fmt: skip

__all__ = sorted([*_ROOM_OF, "plot"])


def __getattr__(name: str) -> Any:
    if name in _ROOM_OF:
        return getattr(import_module(f"{__name__}.{_ROOM_OF[name]}"), name)
    if name in _SUBMODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"liqlab has no {name!r}; it has: {', '.join(__all__)}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
