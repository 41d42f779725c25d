// Draws the figures of a page: each when it comes near the window, in the colours of the page's theme.
(() => {
  const surroundings = { // of a plot; what is inside its frame keeps its colours and its paper
    Plot: ["border_fill_color", "border_line_color", "outline_line_color"],
    Axis: ["axis_label_text_color", "major_label_text_color", "axis_line_color", "major_tick_line_color",
      "minor_tick_line_color"],
    Title: ["text_color"],
    ColorBar: ["background_fill_color", "title_text_color", "major_label_text_color"],
  };
  const paper = /_fill_color|outline|border/;  // takes the page's own colour: through transparent paper a rim shows
  const drawn = [];
  const dark = () => document.documentElement.dataset.theme === "dark";

  function paint({models, before}) {
    const page = getComputedStyle(document.body).backgroundColor;
    for (const [model, names] of models) {
      for (const name of names) {
        const key = `${model.id}.${name}`;
        if (!(key in before)) before[key] = model[name];
        model[name] = dark() ? (paper.test(name) ? page : "#ced6dd") : before[key];
      }
    }
  }

  async function draw(data) {
    if (data.dataset.done) return;
    data.dataset.done = "yes";
    const slim = window.innerWidth < 600; // a phone: labels of the axes would run into each other
    const views = await Bokeh.embed.embed_item(JSON.parse(data.textContent));
    const models = [];
    for (const view of views.roots ?? views) {
      for (const model of view.model.document.all_models ?? []) {
        if (slim && model instanceof Bokeh.Models.get("ContinuousTicker")) model.desired_num_ticks = 3;
        for (const [kind, names] of Object.entries(surroundings)) {
          if (model instanceof Bokeh.Models.get(kind)) models.push([model, names]);
        }
      }
    }
    const figure = {models, before: {}};
    drawn.push(figure);
    paint(figure);
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
  window.addEventListener("beforeprint", () => all.forEach(draw));
  new MutationObserver(() => drawn.forEach(paint))
    .observe(document.documentElement, {attributeFilter: ["data-theme"]});
})();
