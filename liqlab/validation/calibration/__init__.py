"""A law of distances fitted to observed liquidations, with its uncertainty."""

from liqlab.validation.calibration._calibrate import calibrate
from liqlab.validation.calibration.result import Calibration

__all__ = ["Calibration", "calibrate"]
