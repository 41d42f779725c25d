"""Validation: does a map predict? Scores, what they are measured against, and what keeps them honest."""

from liqlab.validation._baselines import baselines
from liqlab.validation._claims import Magnet, claims, magnet
from liqlab.validation._location import Location, bar_events, location
from liqlab.validation._placebos import placebos
from liqlab.validation._recovery import recovery
from liqlab.validation._score import Scores, score
from liqlab.validation._walk_forward import Walk, walk_forward
from liqlab.validation.calibration._calibrate import Calibration, calibrate

__all__ = [
    "Calibration", "Location", "Magnet", "Scores", "Walk", "bar_events", "baselines", "calibrate", "claims",
    "location", "magnet", "placebos", "recovery", "score", "walk_forward",
]  # fmt: skip
