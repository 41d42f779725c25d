"""The local store: what was fetched once, month by month in parquet, and which ranges are known as complete.

A folder of files in hive layout, ``exchange=…/symbol=…/kind=…/timeframe=…/month=2024-05/data.parquet``, readable as it
lies by DuckDB, pandas, polars and Spark. Each file holds its rows *and* the ranges that were asked for and answered
(also where the answer was *nothing*), so that one rename publishes both together. Writing goes to a temporary file,
is flushed to the disk and renamed under a lock; whoever reads sees the old file or the new one, never half of one.
A file carries the sha256 of its bytes and is read only if they fit; `repair` sets one aside that does not.

No network here: `liqlab.loaders` fetches, this room keeps.
"""

from liqlab.loaders.store.inspection import listing, verify
from liqlab.loaders.store.keys import Key, folder
from liqlab.loaders.store.series import append, load, missing, repair

__all__ = ["Key", "append", "folder", "listing", "load", "missing", "repair", "verify"]
