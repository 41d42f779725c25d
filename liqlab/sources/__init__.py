"""Where markets come from: one file = one venue, archive or file format.

What a module here needs beyond pandas (an exchange client, HTTP) it imports where it is used, so that
``import liqlab.sources`` stays light.
"""

from liqlab.sources.capability import capabilities
from liqlab.sources.fetching import fetch, fetch_depth
from liqlab.sources.files import read

__all__ = ["capabilities", "fetch", "fetch_depth", "read"]
