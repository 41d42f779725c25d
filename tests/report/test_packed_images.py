"""Images of figures are packed without a loss beyond their rounding, equal ones once, totals from their sides."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from bokeh.core.json_encoder import serialize_json
from bokeh.embed import json_item
from bokeh.models import ColumnDataSource
from bokeh.plotting import figure

from liqlab.report.packed_images import pack_images, rounded, unpacked_images


def item(*sources: dict[str, np.ndarray]) -> Any:
    plot = figure()
    for columns in sources:
        data = {name: [image] for name, image in columns.items()}
        plot.image(next(iter(columns)), x=0, y=0, dw=1, dh=1, source=ColumnDataSource(data))
    return json.loads(serialize_json(json_item(plot)))


def sides(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    longs, shorts = (rounded(rng.lognormal(10, 4, (30, 40)) * (rng.random((30, 40)) < 0.7)) for _ in range(2))
    longs[0, 0] = shorts[0, 0] = 0
    return longs, shorts


def test_amounts_come_back() -> None:
    longs, _ = sides()
    longs[3] = np.nan
    packed = pack_images(item({"a": longs}))
    (back,) = unpacked_images(packed)
    np.testing.assert_allclose(back.reshape(longs.shape), longs, rtol=1e-6)
    assert json.dumps(packed).count('"image": 0') == 1
    assert len(json.dumps(packed)) < len(json.dumps(item({"a": longs})))


def test_equal_images_stand_once_and_a_total_is_added_up() -> None:
    longs, shorts = sides()
    total = np.where(longs + shorts > 0, longs + shorts, np.nan).astype(np.float32)
    columns = {"estimated": rounded(total), "longs": longs, "shorts": shorts}
    packed = pack_images(item(columns, columns))
    assert [image.get("sum") for image in packed["images"]] == [None, None, [0, 1], [0, 1]]
    for back in unpacked_images(packed)[2:]:
        np.testing.assert_allclose(back.reshape(total.shape), total, rtol=1e-6)


def test_what_is_no_sum_is_packed_by_itself() -> None:
    longs, shorts = sides()
    packed = pack_images(item({"estimated": rounded(longs + 2 * shorts), "longs": longs, "shorts": shorts}))
    assert len(packed["images"]) == 3 and not any("sum" in image for image in packed["images"])


@pytest.mark.parametrize("values", [[[-1.0, 2.0]], [[np.inf, 1.0]], [[1.001, 1.0]]])
def test_what_cannot_be_packed_stays(values: list[list[float]]) -> None:
    packed = pack_images(item({"a": np.array(values, np.float32)}))
    assert "images" not in packed and '"data": {"image"' not in json.dumps(packed)
