"""Files of the explorer: one that a reader uploads, and those that he takes away."""

from __future__ import annotations

import tempfile
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from liqlab.market.market import Market

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["SUFFIXES", "picture", "uploaded"]

SUFFIXES = (".csv", ".parquet", ".feather", ".json")
MAX_UPLOAD = 200_000_000  # bytes


def uploaded(data: bytes, name: str) -> Market:
    """The market of an uploaded file, read as `liqlab.read` reads it."""
    from liqlab.loaders import read

    suffix = Path(name or "").suffix.lower()
    if suffix not in SUFFIXES or len(data) > MAX_UPLOAD:
        raise ValueError(f"a file must end in {', '.join(SUFFIXES)} and have at most {MAX_UPLOAD / 1e6:g} MB")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"upload{suffix}")
        path.write_bytes(data)
        return read(path)


def picture(heat: xr.Dataset, ending: str) -> BytesIO:
    """What is seen as a file of that ending."""
    from liqlab.report import save

    heat = heat.sum("leverage", keep_attrs=True) if "leverage" in heat.dims else heat
    with tempfile.TemporaryDirectory() as folder:
        return BytesIO(save(heat, Path(folder, f"map{ending}")).read_bytes())
