"""Forced orders through market depth: how far a shock is carried, step by step, and where it would not stop."""

from liqlab.cascades._cascade import amplification, cascade, critical_zones
from liqlab.cascades.depth import price_impact

__all__ = ["amplification", "cascade", "critical_zones", "price_impact"]
