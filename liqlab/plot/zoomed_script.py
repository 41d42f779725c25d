"""What a zoomed map does in the browser without asking anybody: colours, their scale, thresholds, sides, the pointer.

Names: `cells` holds the amounts of longs and shorts, `look` what was chosen, `shown` the places in the palette, `marks`
the notional at five places of the colour bar. What is written into a data source in place is not sent to Python.
A map that is hidden is not painted: a figure without a size would be laid out anew with every change. Nor does any text
beside the cells change with a threshold: Bokeh then lays the whole figure out, which takes longer than to paint it.
"""

from __future__ import annotations

from liqlab.plot import bokeh_hooks

_CHOSEN = """
const one = (name) => look.data[name][0];
const [long] = cells.data.long, [short] = cells.data.short, side = one("side");
const amount = (k) => (side === "short" ? 0 : long[k]) + (side === "long" ? 0 : short[k]);
"""

_HIDDEN = "if (!(main.inner_width > 1)) return;\n"

PAINT = (
    _HIDDEN
    + _CHOSEN
    + """
const palette = [empty, ...palettes[one("cmap")].slice(1)];
if (palette.some((colour, k) => colour !== mapper.palette[k])) mapper.palette = palette;
const chosen = ["side", "cnorm", "low", "high"].map(one).join();
if (shown.painted === cells.data && shown.chosen === chosen) {  // other colours alone
  shown.tags = [performance.now()];
  return;
}
[shown.painted, shown.chosen] = [cells.data, chosen];
const low = cells.data.low[0], high = cells.data.high[0], scale = one("cnorm"), size = long.length;
const cut = one("low") * high, top = one("high") * high;
const begin = cut > 0 ? cut : scale === "log" ? Math.min(low, top / 10) : 0;
let place, back;
if (scale === "eq_hist") {  // every colour has the same number of cells: their ranks, by a fine histogram
  const from = Math.log(1e-6 * high), wide = (Math.log(2 * high) - from) / 4096, count = new Float64Array(4097);
  const bin = (here) => Math.min(Math.max(Math.floor((Math.log(here) - from) / wide), 0), 4095);
  let all = 0;
  for (let k = 0; k < size; k++) {
    const here = amount(k);
    if (here > 0 && here >= cut) { count[bin(Math.min(here, top)) + 1] += 1; all += 1; }
  }
  for (let b = 0; b < 4096; b++) count[b + 1] += count[b];
  place = (here) => 1 + 254 * count[bin(Math.min(here, top)) + 1] / Math.max(all, 1);
  back = (part) => Math.exp(from + wide * count.findIndex((rank) => rank >= part * all));
} else if (scale === "log") {
  const steps = 254 / Math.log(top / begin);
  place = (here) => 1 + steps * Math.log(here / begin);
  back = (part) => begin * (top / begin) ** part;
} else {
  place = (here) => 1 + 254 * (here - begin) / (top - begin);
  back = (part) => begin + (top - begin) * part;
}
const codes = new Uint8Array(size);
let whole = 0, hidden = 0;
for (let k = 0; k < size; k++) {
  const here = amount(k);
  if (!(here > 0)) continue;
  whole += here;
  if (here < cut) hidden += here;
  else codes[k] = Math.min(Math.max(Math.floor(place(here)), 1), 255);
}
const {image, x, y, dw, dh} = shown.data;
image[0] = new image[0].constructor(codes, long.shape);
[x[0], y[0], dw[0], dh[0]] = ["x", "y", "dw", "dh"].map((name) => cells.data[name][0]);
marks.data.value = [0, 1, 2, 3, 4].map((k) => back(k / 4));
shown.change.emit();
left_out.text = hidden > 0 ? "hidden: " + (100 * hidden / whole).toFixed(1) + " % of the notional" : "";
bar.title = cells.data.unit[0];
shown.tags = [performance.now()];
"""
)

POINT = (
    _HIDDEN
    + _CHOSEN
    + """
const {x: [x0], dw: [dw], y: [y0], dh: [dh], high: [most]} = cells.data;
const [bins, columns] = long.shape, tall = dh / bins, cut = one("low") * most;
if (cb_obj.event_name === "mousemove") {
  if (cb_obj.x < x0 || cb_obj.x >= x0 + dw) return;
  aside.at = Math.floor((cb_obj.x - x0) / dw * columns);
} else aside.at = columns - 1;
const drawn = [aside.at, side, one("low")].join();
if (aside.cells === cells.data && aside.drawn === drawn) return;
[aside.cells, aside.drawn] = [cells.data, drawn];
let widest = 0;
[[longs, long, "short"], [shorts, short, "long"]].forEach(([source, values, other]) => {
  const data = {left: [], right: [], bottom: [], top: []};
  for (let bin = 0; side !== other && bin < bins; bin++) {
    const here = values[bin * columns + aside.at];
    if (!(here > 0) || here < cut) continue;
    data.left.push(0);
    data.right.push(here);
    data.bottom.push(y0 + bin * tall);
    data.top.push(y0 + (bin + 1) * tall);
    widest = Math.max(widest, here);
  }
  Object.assign(source.data, data);
  source.change.emit();
});
if (widest > 0) span.setv({start: 0, end: 1.05 * widest});
const close = new Date(x0 + (aside.at + 1) * dw / columns);
title.text = "map at its close\\n" + close.toISOString().slice(0, 16).replace("T", " ");
mark.location = x0 + (aside.at + 0.5) * dw / columns;
"""
)

# what is visible, a tenth of a second after the last movement
ASK = """
clearTimeout(asked.timer);
asked.timer = setTimeout(() => {
  const [x0, x1, y0, y1] = [xs.start, xs.end, ys.start, ys.end];
  asked.data = {x0: [x0], x1: [x1], y0: [y0], y1: [y1], wide: [main.inner_width], tall: [main.inner_height]};
}, 100);
"""

HOVER = (
    """
const {x: [x0], dw: [dw], y: [y0], dh: [dh], long: [long], short: [short]} = cells.data;
const [bins, columns] = long.shape, {x, y} = special_vars;
const column = Math.min(Math.floor((x - x0) / dw * columns), columns - 1);
const bin = Math.min(Math.floor((y - y0) / dh * bins), bins - 1), k = bin * columns + column;
const tick = format === "longs" ? long[k] : short[k];
"""
    + bokeh_hooks.SI
)

TICK = "tick = marks.data.value[Math.round(tick / 255 * 4)];\n" + bokeh_hooks.SI
