// Draws the figures of a page, each when it comes near the window, in the colours of the page's theme; opens them
// large; saves them as PNG; copies the command that makes the page again.
(() => {
  const surroundings = { // of a plot
    Plot: ["border_fill_color", "border_line_color", "outline_line_color"],
    Axis: ["axis_label_text_color", "major_label_text_color", "axis_line_color", "major_tick_line_color",
      "minor_tick_line_color"],
    Title: ["text_color"],
    ColorBar: ["background_fill_color", "title_text_color", "major_label_text_color"],
  };
  const inside = { // its frame; only where the paper is white: maps keep their own ground
    Plot: ["background_fill_color"],
    Grid: ["grid_line_color"],
    Legend: ["background_fill_color", "label_text_color", "title_text_color"],
    Span: ["line_color"],
    Label: ["text_color"],
    Title: [],
  };
  const paper = /_fill_color|outline|border/; // takes the page's own colour: through transparent paper a rim shows
  const ink = "#ced6dd", faint = "#4a525a";
  const drawn = [];
  const dark = () => document.documentElement.dataset.theme === "dark";
  const touch = matchMedia("(pointer: coarse)").matches;

  // --- colours -------------------------------------------------------------------------------------------------------

  const brush = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  function light(colour) { // 0 black … 1 white; null where it is no colour
    if (typeof colour !== "string") return null;
    brush.clearRect(0, 0, 1, 1);
    brush.fillStyle = "#010203";
    brush.fillStyle = colour;
    if (brush.fillStyle === "#010203") return null;
    brush.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = brush.getImageData(0, 0, 1, 1).data;
    return a < 26 ? null : (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
  }
  const plain = (value) => value && typeof value === "object" && "value" in value ? value.value : value;

  function pieces(plot) { // what lies in a plot's frame, with the colours that would vanish on dark paper
    const found = [];
    if ((light(plain(plot.background_fill_color)) ?? 1) < 0.8) return found;
    const parts = [plot, ...plot.center, ...plot.renderers, ...plot.left, ...plot.right, ...plot.above, ...plot.below];
    for (const part of parts) {
      for (const [kind, names] of Object.entries(inside)) {
        if (part instanceof Bokeh.Models.get(kind)) found.push([part, names]);
      }
      if (!part.glyph) continue;
      for (const glyph of [part.glyph, part.nonselection_glyph, part.muted_glyph]) {
        const names = ["line_color", "fill_color", "text_color"].filter((name) => {
          const bright = glyph && typeof glyph === "object" && name in glyph ? light(plain(glyph[name])) : null;
          return bright !== null && bright < (name === "text_color" ? 0.5 : 0.3);
        });
        if (names.length) found.push([glyph, names]);
      }
    }
    return found;
  }

  function night(model, name, before) {
    const ground = getComputedStyle(document.body).backgroundColor;
    if (paper.test(name)) return ground;
    if (plain(before) == null) return before; // not drawn by day, not drawn by night
    if (name === "grid_line_color") return faint;
    if (model instanceof Bokeh.Models.get("Span") && (light(plain(before)) ?? 0) > 0.45) return before;
    return ink;
  }

  function paint({models, before}) {
    for (const [model, names] of models) {
      const changed = {};
      for (const name of names) {
        const key = `${model.id}.${name}`;
        if (!(key in before)) before[key] = model[name];
        changed[name] = dark() ? night(model, name, before[key]) : before[key];
      }
      if (names.length) model.setv(changed);
    }
  }

  // --- drawing -------------------------------------------------------------------------------------------------------

  function stack(grid) { // on a phone: what stood side by side, one below the other, the map and its strip first
    const parts = [...grid.children].sort((a, b) => a[2] - b[2] || a[1] - b[1]);
    if (!parts.some((part) => part[2] > 0)) return;
    for (const [plot, , column] of parts) {
      if (!column || !(plot instanceof Bokeh.Models.get("Plot"))) continue;
      plot.setv({width: null, min_width: 0, sizing_mode: "stretch_width", height: Math.min(plot.height ?? 300, 320),
        min_border_bottom: 40});
      if (plot.title?.text) plot.title.text = plot.title.text.trim();
      for (const axis of plot.left) axis.visible = true; // it has no neighbour any more that lends it one
    }
    grid.cols = null;
    grid.children = parts.map(([plot], row) => [plot, row, 0]);
  }

  async function inflated(text) { // base64 of zlib
    const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  async function unpack(item) { // images as liqlab/report/packed_images.py packs them
    const done = [];
    for (const image of item.images ?? []) {
      if (image.sum) {
        const [first, second] = image.sum.map((k) => done[k]);
        const empty = image.empty === "nan" ? NaN : 0;
        done.push(first.map((value, k) => (value || 0) + (second[k] || 0) || empty));
        continue;
      }
      const [rows, columns] = image.shape, size = rows * columns;
      const bytes = await inflated(image.data);
      const codes = new Int16Array(size), amounts = new Float32Array(size);
      for (let k = 0; k < size; k++) {
        codes[k] = (bytes[k] | (bytes[size + k] << 8)) + (k < columns ? 0 : codes[k - columns]);
        amounts[k] = codes[k] === -32768 ? 0 : codes[k] === -32767 ? NaN : 2 ** (codes[k] / 256);
      }
      done.push(amounts);
    }
    const place = (node) => {
      if (node?.type === "bytes" && typeof node.data?.image === "number") node.data = done[node.data.image].slice();
      else if (node && typeof node === "object") Object.values(node).forEach(place);
    };
    if (done.length) place(item.doc);
    return item;
  }

  async function draw(data) {
    if (data.dataset.done) return;
    data.dataset.done = "yes";
    const slim = window.innerWidth < 600; // a phone: labels of the axes would run into each other
    const views = await Bokeh.embed.embed_item(await unpack(JSON.parse(data.textContent)));
    const models = [], roots = [...(views.roots ?? views)];
    for (const view of roots) {
      for (const model of view.model.document.all_models ?? []) {
        if (slim && model instanceof Bokeh.Models.get("ContinuousTicker")) {
          model.desired_num_ticks = model instanceof Bokeh.Models.get("DatetimeTicker") ? 4 : 3;
        }
        if (slim && model instanceof Bokeh.Models.get("GridPlot")) stack(model);
        if (touch && model instanceof Bokeh.Models.get("Tool") && (model.event_types ?? []).includes("pan")) {
          model.active = false; // a finger scrolls the page
        }
        for (const [kind, names] of Object.entries(surroundings)) {
          if (model instanceof Bokeh.Models.get(kind)) models.push([model, names]);
        }
        if (model instanceof Bokeh.Models.get("Plot")) models.push(...pieces(model));
      }
    }
    const figure = {models, before: {}};
    drawn.push(figure);
    paint(figure);
    const box = data.closest(".lq-figure");
    if (slim) box.querySelector(".lq-plot").style.minWidth = 0;
    box.lqRoots = roots;
    box.dataset.drawn = "yes";
  }

  // --- large, and as a file ------------------------------------------------------------------------------------------

  function button(text, label, act) {
    const made = Object.assign(document.createElement("button"), {type: "button", textContent: text, title: label});
    made.setAttribute("aria-label", label);
    made.addEventListener("click", act);
    return made;
  }

  function show(content, label, restore) {
    const dialog = document.createElement("dialog");
    dialog.className = "lq-large";
    dialog.setAttribute("aria-label", label);
    const close = button("close", "close the large figure", () => dialog.close());
    const inner = document.createElement("div");
    inner.append(content);
    dialog.append(close, inner);
    dialog.addEventListener("close", () => { restore(); dialog.remove(); });
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
    document.body.append(dialog);
    dialog.showModal();
  }

  function enlarge(box) {
    const plot = box.querySelector(".lq-plot");
    const plots = box.lqRoots.flatMap((view) => [...view.model.document.all_models])
      .filter((model) => model instanceof Bokeh.Models.get("Plot") && model.height);
    const before = plots.map((model) => model.height), tall = plot.getBoundingClientRect().height;
    const place = document.createElement("div");
    place.style.height = `${tall}px`;
    plot.replaceWith(place);
    const grow = Math.min(Math.max((window.innerHeight - 90) / tall, 1), 2.2);
    show(plot, box.getAttribute("aria-label"), () => {
      place.replaceWith(plot);
      plots.forEach((model, k) => { model.height = before[k]; });
    });
    plots.forEach((model, k) => { model.height = Math.round(before[k] * grow); });
  }

  function save(box, number) {
    const layers = box.lqRoots.map((view) => view.export("auto", true).canvas)
      .filter((layer) => layer.width && layer.height);
    const sheet = document.createElement("canvas");
    sheet.width = Math.max(...layers.map((layer) => layer.width));
    sheet.height = layers.reduce((sum, layer) => sum + layer.height, 0);
    const pen = sheet.getContext("2d");
    pen.fillStyle = getComputedStyle(document.body).backgroundColor;
    pen.fillRect(0, 0, sheet.width, sheet.height);
    let y = 0;
    for (const layer of layers) {
      pen.drawImage(layer, 0, y);
      y += layer.height;
    }
    const link = document.createElement("a");
    link.download = `${location.pathname.split("/").pop().replace(/\.html$/, "") || "page"}-figure-${number}.png`;
    sheet.toBlob((blob) => {
      link.href = URL.createObjectURL(blob);
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 5000);
    });
  }

  function furnish(box, number) {
    const bar = document.createElement("div");
    bar.className = "lq-tools";
    const ready = (act) => () => draw(box.querySelector("script[data-for]")).then(act);
    bar.append(button("large", "open this figure large", ready(() => enlarge(box))),
      button("PNG", "download this figure as PNG", ready(() => save(box, number))));
    box.prepend(bar);
    let down = null;
    const plot = box.querySelector(".lq-plot");
    plot.addEventListener("pointerdown", (event) => { down = [event.clientX, event.clientY]; }, true);
    plot.addEventListener("click", (event) => {
      // a click on the drawing, no drag, no button of it, no finger: that shows the hover
      const on = event.composedPath().some((part) => part.classList?.contains("bk-events"));
      const still = down && Math.hypot(event.clientX - down[0], event.clientY - down[1]) < 4;
      if (on && still && event.pointerType !== "touch" && !plot.closest("dialog")) enlarge(box);
    });
  }

  function furnishImage(image) {
    image.tabIndex = 0;
    image.setAttribute("role", "button");
    const open = () => {
      const copy = image.cloneNode();
      show(copy, image.alt || "figure", () => {});
    };
    image.addEventListener("click", open);
    image.addEventListener("keydown", (event) => { if (event.key === "Enter") open(); });
  }

  // --- the command that makes the page again ---------------------------------------------------------------------------

  async function copy(event) {
    const made = event.target, text = made.closest(".lq-again").querySelector("pre").textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch { // no permission, or no secure address: the old way
      const field = Object.assign(document.createElement("textarea"), {value: text});
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
    const before = made.textContent;
    made.textContent = "copied";
    setTimeout(() => { made.textContent = before; }, 1500);
  }

  const all = [...document.querySelectorAll("script[data-for]")];
  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      near.unobserve(entry.target);
      draw(entry.target.parentElement.querySelector("script[data-for]"));
    }
  }, {rootMargin: "800px"});
  for (const data of all) near.observe(document.getElementById(data.dataset.for));
  document.querySelectorAll(".lq-figure").forEach((box, k) => furnish(box, k + 1));
  document.querySelectorAll(".cell_output img, .jp-RenderedImage img").forEach(furnishImage);
  document.querySelectorAll(".lq-copy").forEach((made) => made.addEventListener("click", copy));

  const folded = () => document.querySelectorAll("details:not([open])");
  let unfolded = [], theme;
  window.addEventListener("beforeprint", () => { // paper is white, whatever the screen
    theme = document.documentElement.dataset.theme;
    if (theme) document.documentElement.dataset.theme = "light";
    all.forEach(draw);
    unfolded = [...folded()];
    unfolded.forEach((part) => { part.open = true; });
    drawn.forEach(paint);
  });
  window.addEventListener("afterprint", () => {
    unfolded.forEach((part) => { part.open = false; });
    if (theme) document.documentElement.dataset.theme = theme;
    drawn.forEach(paint);
  });
  new MutationObserver(() => drawn.forEach(paint))
    .observe(document.documentElement, {attributeFilter: ["data-theme"]});
})();
