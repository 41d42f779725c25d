"""Where markets come from: one file = one venue, archive or file format.

What a module here needs beyond pandas (an exchange client, HTTP) it imports where it is used, so that
``import liqlab.sources`` stays light.
"""

from liqlab.sources.files import read

__all__ = ["read"]
