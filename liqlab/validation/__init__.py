"""Validation: does a map predict? Scores, what they are measured against, and what keeps them honest."""

from liqlab.validation._baselines import baselines
from liqlab.validation._claims import Magnet, claims, magnet
from liqlab.validation._dollars import dollar_factors, published_heatmap, published_liquidations
from liqlab.validation._kept import kept_results
from liqlab.validation._location import Location, bar_events, location
from liqlab.validation._placebos import placebos
from liqlab.validation._position_scores import score_positions
from liqlab.validation._positions import classes_of_positions, true_positions
from liqlab.validation._recovery import recovery
from liqlab.validation._score import Scores, score
from liqlab.validation._shelf_life import shelf_life
from liqlab.validation._walk_forward import Walk, walk_forward
from liqlab.validation.calibration._calibrate import Calibration, calibrate

__all__ = [
    "Calibration", "Location", "Magnet", "Scores", "Walk", "bar_events", "baselines", "calibrate", "claims",
    "classes_of_positions", "dollar_factors", "kept_results", "location", "magnet", "placebos", "published_heatmap",
    "published_liquidations", "recovery", "score", "score_positions", "shelf_life", "true_positions", "walk_forward",
]  # fmt: skip
