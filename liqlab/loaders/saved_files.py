"""Maps and tables as files: netCDF, parquet and CSV that give back what was written, attributes and all.

A table of a map holds the cells in which something stands; its other variables, and the attributes of any table, go
along as JSON: in a parquet's metadata, in the first line of a CSV, which begins with ``#`` (pandas leaves it out with
``comment="#"``). Every file is read back before it takes its name.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["read_saved", "write_saved"]

KEY = b"liqlab"  # of the record in a parquet's metadata
MARK = "# liqlab "  # begins the first line of a CSV, the record
FORM = 1
TIMES = "mM"  # numpy's kinds of durations and moments


def write_saved(thing: Any, part: Path, ending: str) -> None:
    """Write a map or a table to `part` in the form of `ending`; refuse what would not be read back as it was."""
    table = isinstance(thing, pd.DataFrame)
    if ending == ".nc":
        thing.assign_attrs(liqlab_form=FORM).to_netcdf(part, engine="scipy")
    else:
        frame, record = _from_frame(thing) if table else _from_map(thing)
        line = json.dumps({"form": FORM, **record}, ensure_ascii=True)
        (_write_parquet if ending == ".parquet" else _write_csv)(frame, line, part)
    try:
        same = _same(read_saved(part, ending), thing)
    except (ValueError, TypeError, KeyError):
        same = False
    if not same:
        other = (
            "save it as .parquet"
            if table and ending == ".csv"
            else "save it as .nc"
            if not table and ending != ".nc"
            else ""
        )
        other = other or "make its attributes and columns text, numbers and times"
        raise ValueError(f"as {ending} this {'table' if table else 'map'} would not be read back as it is: it holds "
                         f"what such a file does not know; {other}")  # fmt: skip


def read_saved(path: Path, ending: str) -> xr.Dataset | pd.DataFrame:
    """What `write_saved` wrote.

    Raises
    ------
    ValueError
        Where the file was not written by it.
    """
    if ending == ".nc":
        return _read_netcdf(path)
    record, frame = (_read_parquet if ending == ".parquet" else _read_csv)(path)
    if record.get("form") != FORM:
        raise ValueError(f"it is of form {record.get('form')!r}, this version of liqlab reads form {FORM}")
    return _to_map(frame, record) if record["kind"] == "map" else _to_frame(frame, record)


def _same(read: Any, thing: Any) -> bool:
    if not isinstance(thing, pd.DataFrame):
        return bool(read.identical(thing))
    try:
        pd.testing.assert_frame_equal(read, thing, check_exact=True, check_freq=False)
    except AssertionError:
        return False
    return _encoded(dict(read.attrs)) == _encoded(dict(thing.attrs))


# --- netCDF ---


def _read_netcdf(path: Path) -> xr.Dataset:
    import xarray as xr

    read = xr.load_dataset(path, engine="scipy")
    if read.attrs.pop("liqlab_form", None) != FORM:
        raise ValueError("it was not written by lq.save; open it with xarray.load_dataset")
    read.encoding = {}
    text = {name: read[name].astype(str) for name in read.variables if read[name].dtype.kind == "O"}
    return read.assign_coords({name: read[name].copy(data=each.to_numpy()) for name, each in text.items()})


# --- parquet and CSV ---


def _write_parquet(frame: pd.DataFrame, line: str, part: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise ValueError(f"parquet cannot hold a column of this table: {error}; leave it out with .drop") from error
    pq.write_table(table.replace_schema_metadata({**(table.schema.metadata or {}), KEY: line.encode()}), part)


def _read_parquet(path: Path) -> tuple[dict[str, Any], pd.DataFrame]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(f"it is no parquet file ({error})") from error
    line = (table.schema.metadata or {}).get(KEY)
    if line is None:
        raise ValueError("it was not written by lq.save; read it with pandas.read_parquet, or a market with lq.read")
    record, frame = json.loads(line), table.to_pandas()
    other = {name: kind for name, kind in record["dtypes"].items() if str(frame[name].dtype) != kind}
    return record, frame.astype(other)


def _write_csv(frame: pd.DataFrame, line: str, part: Path) -> None:
    with part.open("w", encoding="utf-8", newline="") as file:
        file.write(f"{MARK}{line}\n")
        frame.to_csv(file, index=False, lineterminator="\n")


def _read_csv(path: Path) -> tuple[dict[str, Any], pd.DataFrame]:
    with path.open("rb") as file:
        head = file.readline()
    if not head.startswith(MARK.encode()):
        raise ValueError("it was not written by lq.save; read it with pandas.read_csv, or a market with lq.read")
    record = json.loads(head[len(MARK) :])
    kinds: dict[str, str] = record["dtypes"]
    whole = {name: kind for name, kind in kinds.items() if kind.startswith(("float", "int", "uint"))}
    frame = pd.read_csv(path, skiprows=1, dtype={name: whole.get(name, "str") for name in kinds}, na_values=[""],
                        keep_default_na=False)  # fmt: skip
    return record, frame.assign(**{name: _column(frame[name], kind, name in record["blank"])
                                   for name, kind in kinds.items() if name not in whole})  # fmt: skip


def _column(text: pd.Series, kind: Any, blank: bool) -> pd.Series:
    """A column of a CSV as what it was; `blank`: that empty text was text."""
    if kind.startswith("datetime64"):
        moments = pd.to_datetime(text, utc="," in kind, format="ISO8601")
        return moments.astype(kind)
    if kind.startswith("timedelta64"):
        return pd.to_timedelta(text).astype(kind)
    if kind == "bool":
        return text.map({"True": True, "False": False}).astype(bool)
    return (text.fillna("") if blank else text).astype(kind)


# --- tables ---


def _from_frame(table: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Columns with plain names, the index among them, and what is needed to make the table of them again."""
    simple = isinstance(table.index, pd.RangeIndex) and table.index.name is None
    levels = [] if simple else [f"index {k}" if name is None else str(name) for k, name in enumerate(table.index.names)]
    names = [*levels, *(" ".join(map(str, name)) if isinstance(name, tuple) else str(name) for name in table.columns)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"a table with two columns called {twice[0]!r} cannot be saved; rename one")
    bare = table.copy(deep=False)
    bare.attrs = {}
    parts = [] if simple else [table.index.get_level_values(k) for k in range(table.index.nlevels)]
    columns = [*(part.to_series(index=pd.RangeIndex(len(table))) for part in parts),
               *(bare.iloc[:, k].reset_index(drop=True) for k in range(bare.shape[1]))]  # fmt: skip
    frame = pd.concat(columns, axis=1, ignore_index=True) if columns else bare
    frame.columns = pd.Index(names, dtype=object)
    index = table.index
    record = {
        "kind": "table",
        "levels": None if simple else _encoded(list(index.names)),
        "range": [index.start, index.stop, index.step] if isinstance(index, pd.RangeIndex) else None,
        "columns": _encoded(list(table.columns)),
        "over": _encoded(list(table.columns.names)),
        "attrs": _encoded(dict(table.attrs)),
        **_kinds(frame),
    }
    return frame, record


def _kinds(frame: pd.DataFrame) -> dict[str, Any]:
    """What each column is, and in which empty text is text."""
    text = [name for name in frame if frame[name].dtype == object or isinstance(frame[name].dtype, pd.StringDtype)]
    return {"dtypes": {str(name): str(frame[name].dtype) for name in frame},
            "blank": [str(name) for name in text if not frame[name].isna().any()]}  # fmt: skip


def _to_frame(frame: pd.DataFrame, record: dict[str, Any]) -> pd.DataFrame:
    columns, over, count = _decoded(record["columns"]), _decoded(record["over"]), 0
    if record["levels"] is None:
        frame.index = pd.RangeIndex(*record["range"])
    else:
        names = _decoded(record["levels"])
        count = len(names)
        frame = frame.set_index(list(frame.columns[:count]))
        frame.index.names = names
    if any(isinstance(name, tuple) for name in columns):
        frame.columns = pd.MultiIndex.from_tuples(columns, names=over)
    else:
        frame.columns = pd.Index(columns, name=over[0])
    frame.attrs = _decoded(record["attrs"])
    return frame


# --- maps ---


def _from_map(heat: xr.Dataset) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The cells of the largest variables in which something stands, and all else as a record."""
    whole = max(heat.data_vars.values(), key=lambda each: each.ndim)
    names = [str(name) for name, each in heat.data_vars.items() if each.dims == whole.dims]
    values = {name: heat[name].to_numpy() for name in names}
    places = np.nonzero(np.logical_or.reduce([each != 0 for each in values.values()]))
    axes = {str(dim): heat[dim].to_numpy()[place] for dim, place in zip(whole.dims, places, strict=True)}
    frame = pd.DataFrame({**axes, **{name: each[places] for name, each in values.items()}})
    record = {
        "kind": "map",
        "dims": [str(dim) for dim in whole.dims],
        "cells": {name: {"dtype": str(values[name].dtype), "attrs": _encoded(dict(heat[name].attrs))}
                  for name in names},
        "coords": {str(name): _variable(each) for name, each in heat.coords.items()},
        "others": {str(name): _variable(each) for name, each in heat.data_vars.items() if name not in names},
        "attrs": _encoded(dict(heat.attrs)),
        **_kinds(frame),
    }  # fmt: skip
    return frame, record


def _variable(each: Any) -> dict[str, Any]:
    values = each.to_numpy()
    plain = values.astype("int64") if values.dtype.kind in TIMES else values
    return {"dims": list(each.dims), "dtype": str(values.dtype), "data": plain.tolist(), "attrs": _encoded(each.attrs)}


def _to_map(frame: pd.DataFrame, record: dict[str, Any]) -> xr.Dataset:
    import xarray as xr

    coords = {name: _array(told) for name, told in record["coords"].items()}
    data = {name: _array(told) for name, told in record["others"].items()}
    dims = record["dims"]
    places = tuple(pd.Index(coords[dim][1]).get_indexer(pd.Index(frame[dim].to_numpy())) for dim in dims)
    if any((place < 0).any() for place in places):
        raise ValueError("it has cells that are not on its own axes; it was changed after it was saved")
    for name, told in record["cells"].items():
        values = np.zeros([len(coords[dim][1]) for dim in dims], told["dtype"])
        values[places] = frame[name].to_numpy()
        data[name] = (dims, values, _decoded(told["attrs"]))
    return xr.Dataset(data, coords, _decoded(record["attrs"]))


def _array(told: dict[str, Any]) -> tuple[list[str], np.ndarray, dict[str, Any]]:
    dtype = np.dtype(told["dtype"])
    values = np.array(told["data"], "int64" if dtype.kind in TIMES else dtype)
    return told["dims"], values.astype(dtype), _decoded(told["attrs"])


# --- what JSON does not know ---


def _encoded(value: Any) -> Any:
    """A value as JSON: moments, durations, tuples and mappings under a name of their own."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, pd.Timestamp):
        return {"moment": value.isoformat(), "unit": value.unit}
    if isinstance(value, pd.Timedelta):
        return {"duration": int(value.value), "unit": value.unit}
    if isinstance(value, list):
        return [_encoded(each) for each in value]
    if isinstance(value, tuple):
        return {"tuple": [_encoded(each) for each in value]}
    if isinstance(value, dict):
        return {"mapping": [[_encoded(name), _encoded(each)] for name, each in value.items()]}
    raise ValueError(f"an attribute of the table holds {type(value).__name__}, which no file keeps: {value!r:.80}; "
                     "take it out of .attrs")  # fmt: skip


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(each) for each in value]
    if not isinstance(value, dict):
        return value
    if "moment" in value:
        return pd.Timestamp(value["moment"]).as_unit(value["unit"])
    if "duration" in value:
        return pd.Timedelta(value["duration"], unit="ns").as_unit(value["unit"])
    if "tuple" in value:
        return tuple(_decoded(each) for each in value["tuple"])
    return {_decoded(name): _decoded(each) for name, each in value["mapping"]}
