"""A simulated market whose true positions are known, to test estimates against."""

from liqlab.simulation._simulate import Simulation, simulate

__all__ = ["Simulation", "simulate"]
