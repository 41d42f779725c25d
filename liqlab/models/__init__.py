"""Models: one file = one rule of who opens and who closes, per bar. Files are found by their name.

A model is one function ``name(bars, **options) -> Flow`` in ``models/name.py``, for maps of a whole market and for live
ones. Its keyword signature is its configuration: it is recorded with every map, and an unknown option is a TypeError.
Where positions stand (``law``), where in the bar they open (``entries``) and how large a typical one is
(``position_notional``) is shared by all models; `Assumptions` holds all of it together.
"""

from liqlab.models._assumptions import ENTRIES, Assumptions
from liqlab.models._bars import Bars
from liqlab.models._discovery import find, names, options_of
from liqlab.models._flow import Flow
from liqlab.models._law import Law, law

__all__ = ["ENTRIES", "Assumptions", "Bars", "Flow", "Law", "find", "law", "names", "options_of"]
