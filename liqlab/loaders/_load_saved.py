"""Maps and tables read back from the files that `liqlab.save` wrote."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pandas as pd

from liqlab.loaders.saved_files import read_saved
from liqlab.market.arguments import checked, path_of

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["load_saved"]

ENDINGS = (".nc", ".parquet", ".csv")


@checked()
def load_saved(path: str | os.PathLike[str]) -> xr.Dataset | pd.DataFrame:
    """Read a map or a table that `liqlab.save` wrote, with all that it said of itself.

    Parameters
    ----------
    path : path-like
        A file ending in ``.nc``, ``.parquet`` or ``.csv``.

    Returns
    -------
    xarray.Dataset or DataFrame
        Equal to what was saved, its attrs included: what a map was made from is still known.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    ValueError
        Where the file has another ending, was not written by `liqlab.save` or was changed afterwards. Market data of
        any other origin are read with `liqlab.read`, a live map with `liqlab.load_live`.

    Examples
    --------
    >>> import tempfile, liqlab as lq
    >>> heat = lq.heatmap(lq.load_example("btc-2024-05"), start="2024-05-01", end="2024-05-02")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     back = lq.load_saved(lq.save(heat, f"{folder}/heat.nc"))
    >>> back.identical(heat)
    True
    """
    file = path_of(path, "path")
    ending = file.suffix.lower()
    if ending not in ENDINGS:
        raise ValueError(f"lq.load_saved reads {', '.join(ENDINGS)}, got {file.name!r}; market data are read with "
                         "lq.read, a live map with lq.load_live")  # fmt: skip
    if not file.is_file():
        raise FileNotFoundError(f"there is no file {file}; lq.save(heat, {file.name!r}) writes one")
    try:
        return read_saved(file, ending)
    except json.JSONDecodeError as error:
        raise ValueError(f"{file} cannot be loaded: its first line is damaged; save it again") from error
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, EOFError) as error:
        raise ValueError(f"{file} cannot be loaded: {error or type(error).__name__}") from error
