"""Validation: does a map predict? Scores, what they are measured against, and what keeps them honest."""

from liqlab.validation.baselines import baselines
from liqlab.validation.placebos import placebos
from liqlab.validation.places import Location, bar_events, location
from liqlab.validation.scoreboard import Scores, score
from liqlab.validation.walk import Walk, walk_forward

__all__ = ["Location", "Scores", "Walk", "bar_events", "baselines", "location", "placebos", "score", "walk_forward"]
