"""Colours as colour-blind eyes see them, by simulation: scales still rise, and the two sides are still told apart.

Matrices: Machado, Oliveira, Fernandes (2009), A physiologically-based model for simulation of color vision deficiency,
severity 1; they apply to linear RGB.
"""

from __future__ import annotations

import numpy as np
import pytest

import liqlab as lq
from liqlab.plot.style import LONG, SHORT

SEEN = {
    "everybody": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(rgb: np.ndarray, eyes: str) -> np.ndarray:
    """CIE L*a*b* of sRGB colours [0..1] (…, 3) as these eyes see them."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = np.clip(linear @ np.array(SEEN[eyes]).T, 0, 1) @ TO_XYZ.T / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


def scale(name: str) -> np.ndarray:
    from matplotlib import colormaps

    return colormaps[lq.plot.SCALES[name]](np.linspace(0, 1, 65))[:, :3]


@pytest.mark.parametrize("eyes", SEEN)
@pytest.mark.parametrize("name", ["purple-yellow", "black-yellow"])
def test_safe_scales_rise_in_lightness_for_all_eyes(name: str, eyes: str) -> None:
    """Brighter means more, whoever looks: lightness never falls by more than a hair, and spans more than half."""
    lightness = lab(scale(name), eyes)[:, 0]
    assert (np.diff(lightness) > -0.3).all() and lightness[-1] - lightness[0] > 50


def test_the_scales_that_are_not_safe_are_caught() -> None:
    """The test can fail: green to red falls again."""
    assert (np.diff(lab(scale("green-red"), "deuteranopia")[:, 0]) < -0.3).any()


@pytest.mark.parametrize("eyes", SEEN)
def test_longs_and_shorts_are_told_apart(eyes: str) -> None:
    """A difference of 2.3 is just seen; these differ tenfold, on a white and on a dark page."""
    from matplotlib.colors import to_rgb

    longs, shorts = (lab(np.array(to_rgb(colour)), eyes) for colour in (LONG, SHORT))
    assert np.linalg.norm(longs - shorts) > 23
