"""The wheel over a figure scrolls the notebook: no figure zooms before its reader has chosen a tool."""

from __future__ import annotations

import holoviews as hv
import pandas as pd
import pytest
from bokeh.models import Toolbar
from holoviews.plotting.bokeh.element import ElementPlot

import liqlab as lq
from liqlab.plot import bokeh_hooks


@pytest.fixture(scope="module")
def figures() -> list[hv.core.Dimensioned]:
    import hvplot.pandas  # noqa: F401

    market = lq.load_example("btc-2025-12").until("2025-12-04")
    heat = lq.heatmap(market, start="2025-12-03")
    one = lq.plot.liquidation_map(heat)
    line = pd.Series([1.0, 2.0], [0, 1]).hvplot.line()
    return [lq.plot.heatmap(heat, market), one, lq.plot.cumulative(lq.cumulative(heat)), lq.plot.law(),
            hv.Layout([one, lq.plot.liquidation_map(heat, at="2025-12-03 12:00")]).cols(1), line]  # fmt: skip


def test_no_tool_of_a_figure_takes_the_wheel_or_a_drag(figures: list[hv.core.Dimensioned]) -> None:
    for figure in figures:
        bars = list(hv.render(figure, backend="bokeh").select({"type": Toolbar}))
        assert bars
        for bar in bars:
            assert bar.active_scroll in (None, "auto")  # Bokeh's "auto" leaves the wheel to the page
            assert bar.active_drag in (None, "auto")


def test_who_wants_tools_active_keeps_them() -> None:
    bokeh_hooks.use_bokeh()
    figure = hv.Curve([1, 2]).opts(active_tools=["wheel_zoom"])
    assert hv.render(figure, backend="bokeh").toolbar.active_scroll is not None


def test_a_default_of_the_user_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ElementPlot, "active_tools", ["box_zoom"])
    bokeh_hooks.use_bokeh()
    assert ElementPlot.active_tools == ["box_zoom"]
