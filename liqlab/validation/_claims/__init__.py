"""What is commonly claimed of heatmaps, each claim with its test: zones are frozen, the price goes on."""

from liqlab.validation._claims._magnet import Magnet, magnet
from liqlab.validation._claims.table import claims

__all__ = ["Magnet", "claims", "magnet"]
