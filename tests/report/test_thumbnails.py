"""Small pictures of the index, drawn from a page's first map."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from bokeh.plotting import figure
from matplotlib.image import imread

from liqlab.report.thumbnails import _draw


def test_an_outlined_zone_hides_no_map(tmp_path: Path) -> None:
    plot = figure(x_range=(0, 4), y_range=(0, 4))
    plot.image(image=[np.arange(16.0).reshape(4, 4)], x=0, y=0, dw=4, dh=4, palette="Viridis256")
    _draw(plot, tmp_path / "map.png")
    plot.quad(left=0.5, right=3.5, bottom=2.5, top=3.5, fill_alpha=0, line_color="#ff0000")
    _draw(plot, tmp_path / "outlined.png")
    plain, outlined = imread(tmp_path / "map.png"), imread(tmp_path / "outlined.png")
    changed = (plain != outlined).any(axis=2).mean()
    assert 0 < changed < 0.02  # the line, not what lies within
