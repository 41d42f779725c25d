"""Models: one file = one rule of who opens and who closes, per bar. Files are found by their name.

A model is a function ``name(market, **options) -> Flow`` in ``models/name.py``. Its keyword signature is its
configuration: it is recorded with every map, and an unknown option is a TypeError. Where positions stand (``law``),
where in the bar they open (``entries``) and how large a typical one is (``position_notional``) is shared by all models;
`Assumptions` holds all of it together.
"""

from liqlab.models._assumptions import ENTRIES, Assumptions
from liqlab.models._discovery import find, names, one_bar, options_of
from liqlab.models._flow import Bar, Flow
from liqlab.models._law import Law, law

__all__ = ["ENTRIES", "Assumptions", "Bar", "Flow", "Law", "find", "law", "names", "one_bar", "options_of"]
