"""What the controls of `explore` do, in JavaScript. Names as in `explore_layers`."""

from __future__ import annotations

import json
from typing import Any

from liqlab.plot import bokeh_hooks

_COMMON = """
const store = (globalThis.liqlabLayers ??= new WeakMap());
if (!store.has(layers)) {
  const values = about.top.map((top) => Float64Array.from({length: 256},
    (_, code) => code ? top * 10 ** ((code - 255) * about.decades / about.steps) : 0));
  const runs = layers.data.runs;
  const codes = about.spans.map(([from, to]) => {
    const layer = new Uint8Array(about.columns * about.bins);
    for (let k = from, cell = 0; k < to; k += 2) {
      layer.fill(runs[k], cell, cell + runs[k + 1]);
      cell += runs[k + 1];
    }
    return layer;
  });
  store.set(layers, {values, codes});
}
const {values, codes} = store.get(layers);
const place = Math.max(model ? about.models.indexOf(model.value) : 0, 0);
const amount = values[place], high = about.highs[place];
const chosen = leverages ? leverages.active : [0];
function of(which) {
  if (side.active === 1 && which === 1 || side.active === 2 && which === 0) return [];
  return chosen.map((band) => codes[(place * about.bands.length + band) * 2 + which]);
}
"""

_DRAW = """
const bright = new Float64Array(about.columns * about.bins);
const most = [0, 0];
[0, 1].forEach((which) => {
  const sum = new Float64Array(bright.length);
  for (const layer of of(which)) for (let k = 0; k < sum.length; k++) sum[k] += amount[layer[k]];
  for (let k = 0; k < sum.length; k++) {
    bright[k] += sum[k];
    if (sum[k] > most[which]) most[which] = sum[k];
  }
});
const picture = cells.data.image[0];
const cut = threshold.value / 100 * high;
let whole = 0, hidden = 0;
for (let k = 0; k < bright.length; k++) {
  const here = bright[k];
  whole += here;
  if (here < cut) hidden += here;
  picture[k] = here <= 0 || here < cut ? 0
    : Math.min(Math.max(Math.floor(1 + 254 * here / high), 1), 255);
}
cells.change.emit();
bar.color_mapper.high = high;
const share = (part) => (100 * part / whole).toFixed(1) + " % of the notional";
bar.title = hidden > 0 ? about.unit + "\\nhidden: " + share(hidden) : about.unit;
main.title.text = about.titles[place];
"""

_SIDE = """
const column = Math.round(moment.value);
let widest = 0;
[longs, shorts].forEach((source, which) => {
  const data = {left: [], right: [], bottom: [], top: []}, parts = of(which);
  for (let bin = 0; bin < about.bins; bin++) {
    let sum = 0;
    for (const layer of parts) sum += amount[layer[bin * about.columns + column]];
    if (sum <= 0 || sum < threshold.value / 100 * high) continue;
    data.left.push(0);
    data.right.push(sum);
    data.bottom.push(about.price[0] + bin * about.tall);
    data.top.push(about.price[0] + (bin + 1) * about.tall);
    widest = Math.max(widest, sum);
  }
  source.data = data;
});
profile.x_range.setv({start: 0, end: widest > 0 ? widest * 1.05 : 1});
const closed = new Date(Math.min(about.time[0] + (column + 1) * about.wide, about.last));
const words = closed.toLocaleString("en-GB",
  {day: "2-digit", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", timeZone: "UTC"});
profile.title.text = "map at its close\\n" + words.replace(",", "");
mark.location = about.time[0] + (column + 0.5) * about.wide;
"""

_POINT = """
const column = Math.floor((cb_obj.x - about.time[0]) / about.wide);
if (column >= 0 && column < about.columns && column !== moment.value) moment.value = column;
"""

_HOVER = """
const column = Math.floor((special_vars.x - about.time[0]) / about.wide);
const bin = Math.floor((special_vars.y - about.price[0]) / about.tall);
if (column < 0 || column >= about.columns || bin < 0 || bin >= about.bins) return "";
let tick = 0;
for (const layer of of(format === "longs" ? 0 : 1)) tick += amount[layer[bin * about.columns + column]];
"""

BRUSH = """
const [start, end] = cb_obj.value;
if (end > start && (span.start !== start || span.end !== end)) span.setv({start, end});
"""

DRAG = """
const {geometry: {x0, x1}, final} = cb_obj;
const start = Math.max(Math.min(x0, x1), period.start), end = Math.min(Math.max(x0, x1), period.end);
if (final && end - start >= 2 * period.step) span.setv({start, end});
"""

WHOLE = """
span.setv({start: period.start, end: period.end});
"""

FOLLOW = """
const kept = [Math.max(span.start, period.start), Math.min(span.end, period.end)];
const near = (a, b) => Math.abs(a - b) < period.step;
frame.setv({left: kept[0], right: kept[1]});
if (kept[1] > kept[0] && !(near(kept[0], period.value[0]) && near(kept[1], period.value[1]))) period.value = kept;
"""


def draw(about: dict[str, Any]) -> str:
    """Cells and side map anew."""
    return _knowing(about) + _COMMON + _DRAW + _SIDE


def side_map(about: dict[str, Any]) -> str:
    """The map of the column that `moment` names."""
    return _knowing(about) + _COMMON + _SIDE


def hover(about: dict[str, Any]) -> str:
    """Amount of one side under the pointer."""
    return _knowing(about) + _COMMON + _HOVER + bokeh_hooks.SI


def point(about: dict[str, Any]) -> str:
    """The column under the pointer."""
    return _knowing({name: about[name] for name in ("time", "wide", "columns")}) + _POINT


def when(about: dict[str, Any]) -> str:
    """The close of a column as the slider shows it."""
    return (
        f"const end = {about['time'][0]} + (tick + 1) * {about['wide']};\n"
        "return new Date(end).toLocaleString('en-GB', {day: '2-digit', month: 'short', hour: '2-digit', "
        "minute: '2-digit', timeZone: 'UTC'}).replace(',', '');"
    )


def _knowing(about: dict[str, Any]) -> str:
    return f"const about = {json.dumps(about)};\n"
