"""liqlab: the research notebook kit for crypto liquidation heatmaps.

This module is the table of contents: every public name, and the room it lives in.
Names are resolved when they are first used, so ``import liqlab`` stays light.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_ROOMS = {
    "market.market": ["Market", "check_candles", "check_open_interest", "check_funding_rate", "check_liquidations",
               "check_taker", "check_mark_candles", "check_leverage_tiers"],
    "margin": ["liquidation_price", "bankruptcy_price", "tiers_for", "tiers_from_ccxt"],
    "models._law": ["Law", "law"],
    "maps.heatmaps": ["heatmap", "liquidation_map"],
    "maps.tables": ["expected_liquidations", "balance", "levels"],
    "maps.attribution": ["explain"],
    "zones": ["clusters", "track", "confluence", "windows", "cumulative", "max_pain"],
    "maps.combining": ["combine"],
    "maps._live": ["Live", "live", "load_live"],
    "cascades.depth": ["price_impact"],
    "cascades._cascade": ["amplification", "cascade", "critical_zones"],
    "market.technicals": ["indicators"],
    "zones._sweeps": ["sweeps"],
    "zones.swings": ["matched", "swing_controls"],
    "zones.stops": ["positions", "stop_zones"],
    "maps.observed": ["around", "observed"],
    "validation.calibration._calibrate": ["Calibration", "calibrate"],
    "validation": ["Scores", "Walk", "score", "walk_forward"],
    "validation._claims._magnet": ["Magnet", "magnet"],
    "validation._claims.table": ["claims"],
    "zones.told_prices": ["told_levels", "episodes", "swing_sweeps"],
    "simulation._simulate": ["Simulation", "simulate"],
    "loaders._examples": ["examples", "load_example"],
    "loaders": ["read", "fetch", "fetch_depth", "capabilities"],
    "plot._heatmap": ["show"],
}  # fmt: skip
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}
_SUBMODULES = [
    "market",
    "margin",
    "models",
    "maps",
    "validation",
    "plot",
    "report",
    "cli",
    "engine",
    "zones",
    "cascades",
    "simulation",
    "loaders",
]

__all__ = sorted([*_ROOM_OF, "plot"])


def __getattr__(name: str) -> Any:
    if name in _ROOM_OF:
        return getattr(import_module(f"{__name__}.{_ROOM_OF[name]}"), name)
    if name in _SUBMODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"liqlab has no {name!r}; it has: {', '.join(__all__)}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
