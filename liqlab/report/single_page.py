"""One executed notebook → one HTML file with everything in it, by nbconvert."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from liqlab.report.index_page import in_markdown
from liqlab.report.kept_pages import read_kept
from liqlab.report.mathml import mathml
from liqlab.report.pages import Page
from liqlab.report.site import THEME, copy_bokeh, describe, with_title
from liqlab.report.texts import texts_of, with_texts_as_text

_CSS = """
main { max-width: 58rem; margin: 0 auto; padding: 0 0.75rem; }
.jp-Cell { padding: 0.2rem 0; }
.jp-OutputArea-output, .jp-RenderedHTMLCommon, .highlight pre { max-width: 100%; overflow-x: auto; }
"""


def write_page(executed: Path, *, page: Page, folder: Path) -> Path:
    """Write the page into `folder` and return the file."""
    from liqlab.report.figures import with_plain_figures
    from liqlab.report.page_form import published
    from liqlab.report.page_record import parameters_used

    notebook = read_kept(executed)
    told = describe(notebook, page)
    with_texts_as_text(with_plain_figures(notebook, name=page.name), texts_of(parameters_used(notebook, page)))
    published(notebook)
    with_title(notebook, in_markdown(told, "title", case=page.case))
    notebook.metadata["title"] = told["title"]
    html = _exporter().from_notebook_node(notebook, resources=_resources(notebook, folder))[0]
    target = folder / f"{page.name}.html"
    target.write_text(html, encoding="utf-8")
    return target


def _resources(notebook: Any, folder: Path) -> dict[str, Any]:
    """Style and scripts to write into the page: BokehJS only where there is a figure, and only the parts it needs."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    text = "".join("".join(output.get("data", {}).get("text/html", "")) for output in outputs)
    scripts = [(folder / name).read_text(encoding="utf-8") for name in copy_bokeh(folder) if _needed(name, text)]
    static = THEME / "_static"
    draw = (static / "liqlab.js").read_text(encoding="utf-8") if scripts else ""
    css = (static / "liqlab.css").read_text(encoding="utf-8") + _CSS
    return {"lq_css": css, "lq_scripts": scripts, "lq_draw": draw}


def _needed(script: str, figures: str) -> bool:
    if "lq-figure" not in figures:
        return False
    marks = {"bokeh.min.js": "",
             "bokeh-widgets.min.js": r'"name":"(\w*Slider|Div|Button|Select|Toggle|CheckboxGroup|RadioButtonGroup)"',
             "bokeh-tables.min.js": '"name":"DataTable"'}  # fmt: skip
    return re.search(marks[script], figures) is not None


def _exporter() -> Any:
    from nbconvert import HTMLExporter
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    class Renderer(IPythonRenderer):
        """Markdown with formulas as MathML."""

        def block_math(self, body: str) -> str:
            return f'<div class="math">{mathml(body, block=True)}</div>'

        def inline_math(self, body: str) -> str:
            return f'<span class="math">{mathml(body)}</span>'

        def latex_environment(self, name: str, body: str) -> str:
            return self.block_math(f"\\begin{{{name}}}{body}\\end{{{name}}}")

    def markdown2html(text: str) -> str:
        return MarkdownWithMath(renderer=Renderer(escape=False, anchor_link_text="")).render(text)

    from traitlets.config import Config

    exporter = HTMLExporter(
        config=Config(TagRemovePreprocessor={"enabled": True, "remove_input_tags": {"remove-input"}}),
        template_name="onefile",
        extra_template_basedirs=[str(THEME)],
        embed_images=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    exporter.register_filter("markdown2html", markdown2html)
    return exporter
