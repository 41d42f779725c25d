"""Where markets come from: embedded examples, files, exchanges, archives, and the store that keeps what was fetched.

What a file here needs beyond pandas (an exchange client, HTTP) it imports where it is used, so that
``import liqlab.loaders`` stays light. Only this room knows file formats, HTTP and ccxt.
"""

from liqlab.loaders._examples import examples, load_example
from liqlab.loaders._fetch import fetch, fetch_depth
from liqlab.loaders._follow import follow
from liqlab.loaders._load import load
from liqlab.loaders._load_saved import load_saved
from liqlab.loaders._read import read
from liqlab.loaders.cases import Case, read_case
from liqlab.loaders.exchanges._capabilities import capabilities, venue_units
from liqlab.loaders.streams import channels

__all__ = [
    "Case",
    "read_case",
    "capabilities",
    "channels",
    "examples",
    "fetch",
    "fetch_depth",
    "follow",
    "load",
    "load_example",
    "load_saved",
    "read",
    "venue_units",
]
