"""The images of a figure packed small: `pack_images` here, `unpack` in the script of the page.

Amounts are rounded to powers of 2^(1/256), 0.14 % at most, which hovers and colours do not show; their exponents differ
little from row to row. Equal images stand once, and a total is left to be added up from its two sides.
"""

from __future__ import annotations

import base64
import gzip
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

__all__ = ["pack_images", "rounded", "unpacked_images"]

_STEPS = 256  # per doubling
_ZERO, _NAN = -32768, -32767  # codes
_MAX_CODE = 32_000
_SIDES = ("longs", "shorts")  # columns beside their total


def rounded(image: np.ndarray) -> np.ndarray:
    """Amounts to the nearest power of 2^(1/256), as float32; what is not positive stays."""
    with np.errstate(divide="ignore", invalid="ignore"):
        near = np.exp2(np.rint(np.log2(image) * _STEPS) / _STEPS)
    return np.where(image > 0, near, image).astype(np.float32)


def pack_images(item: dict[str, Any]) -> dict[str, Any]:
    """A figure's ``json_item`` with its images in a list of their own, ``images``; changes and returns it.

    An array that is no image of amounts stays where it is.
    """
    images: list[dict[str, Any]] = []
    places: dict[tuple[bytes, ...], int] = {}
    for columns in _sources(item["doc"]):
        found = {name: array for name, array in columns if _is_image(array)}
        sides = [_place(found[name], images, places) for name in _SIDES if name in found]
        for name, array in found.items():
            total = _total(array, found) if name not in _SIDES and None not in sides and len(sides) == 2 else None
            if total:
                images.append({"sum": sides, **total})
            place = len(images) - 1 if total else _place(array, images, places)
            if place is not None:
                array["array"]["data"] = {"image": place}
    return {**item, "images": images} if images else item


def unpacked_images(item: dict[str, Any]) -> list[np.ndarray]:
    """The images of a packed item, flat, as the script unpacks them."""
    done: list[np.ndarray] = []
    for image in item.get("images", ()):
        if "sum" in image:
            first, second = (np.nan_to_num(done[k]) for k in image["sum"])
            total = first + second
            done.append(np.where(total > 0, total, np.float32("nan" if image["empty"] == "nan" else 0)))
            continue
        shuffled = np.frombuffer(zlib.decompress(base64.b64decode(image["data"])), np.uint8)
        steps = np.ascontiguousarray(shuffled.reshape(2, -1).T).view("<i2").reshape(image["shape"])
        codes = np.cumsum(steps, axis=0, dtype=np.int16)
        done.append(_amounts(codes).ravel())
    return done


def _sources(node: Any) -> Iterator[list[tuple[str, Any]]]:
    """The columns of each data source of a document that hold one array each; other arrays one by one."""
    if isinstance(node, dict):
        if node.get("type") == "ndarray":
            yield [("", node)]
            return
        if node.get("type") == "map":
            columns = [(name, values[0]) for name, values in node.get("entries", ()) if _holds_one(values)]
            if columns:
                yield columns
            kept = [values for _, values in node.get("entries", ()) if not _holds_one(values)]
            for values in kept:
                yield from _sources(values)
            return
        for value in node.values():
            yield from _sources(value)
    elif isinstance(node, list):
        for value in node:
            yield from _sources(value)


def _holds_one(values: Any) -> bool:
    one = isinstance(values, list) and len(values) == 1 and isinstance(values[0], dict)
    return one and values[0].get("type") == "ndarray"


def _is_image(array: Any) -> bool:
    held = array["array"]
    binary = isinstance(held, dict) and held.get("type") == "bytes" and isinstance(held.get("data"), str)
    return binary and array["dtype"] == "float32" and len(array["shape"]) == 2 and array.get("order") == "little"


def _values(array: Any) -> np.ndarray:
    raw = base64.b64decode(array["array"]["data"])
    raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    return np.frombuffer(raw, "<f4").reshape(array["shape"])


def _place(array: Any, images: list[dict[str, Any]], places: dict[tuple[bytes, ...], int]) -> int | None:
    """Where in the list the image stands, now or already; None where it cannot be packed."""
    values = _values(array)
    key = (values.tobytes(), str(array["shape"]).encode())
    if key not in places:
        codes = _codes(values)
        if codes is None:
            return None
        steps = np.diff(codes, axis=0, prepend=np.int16(0)).astype("<i2")
        shuffled = steps.reshape(-1, 1).view(np.uint8).T.tobytes()
        packed = base64.b64encode(zlib.compress(shuffled, 9)).decode()
        images.append({"shape": list(array["shape"]), "data": packed})
        places[key] = len(images) - 1
    return places[key]


def _codes(values: np.ndarray) -> np.ndarray | None:
    """Exponents in steps; None where amounts are negative, infinite, out of range or not rounded."""
    positive = values > 0
    if ((values < 0) | np.isinf(values)).any():
        return None
    exponents = np.rint(np.log2(values, where=positive, out=np.zeros(values.shape)) * _STEPS)
    if np.abs(exponents).max(initial=0) > _MAX_CODE:
        return None
    codes = np.where(positive, exponents, np.where(np.isnan(values), _NAN, _ZERO)).astype(np.int16)
    again = _amounts(codes)
    return codes if np.allclose(again, values, rtol=1e-6, atol=0, equal_nan=True) else None


def _amounts(codes: np.ndarray) -> np.ndarray:
    amounts = np.exp2(codes / _STEPS).astype(np.float32)
    return np.where(codes == _ZERO, np.float32(0), np.where(codes == _NAN, np.float32("nan"), amounts))


def _total(array: Any, found: dict[str, Any]) -> dict[str, str] | None:
    """How empty cells are told, where the image is the sum of both sides; else None."""
    values, sides = _values(array), [np.nan_to_num(_values(found[name])) for name in _SIDES]
    if any(side.shape != values.shape for side in sides):
        return None
    summed, empty = sides[0] + sides[1], ~(values > 0)
    if not np.allclose(summed, np.nan_to_num(values), rtol=4e-3, atol=0) or not np.array_equal(empty, ~(summed > 0)):
        return None
    gone = np.isnan(values[empty])
    return {"empty": "nan" if gone.all() else "0"} if gone.all() or not gone.any() else None
