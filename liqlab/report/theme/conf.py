"""Sphinx settings of the site; `liqlab.report.site` adds the folders."""

import liqlab

project = "liqlab"
author = "The liqlab founders"
release = liqlab.__version__
language = "en"

extensions = ["myst_nb", "liqlab.report.mathml"]
nb_execution_mode = "off"  # papermill has run them
nb_ipywidgets_js: dict[str, dict[str, str]] = {}  # would be loaded from another host
nb_merge_streams = True
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath", "attrs_block"]
suppress_warnings = ["mystnb.unknown_mime_type"]

html_theme = "pydata_sphinx_theme"
html_title = "liqlab"
html_math_renderer = "mathml"
html_logo = "_static/favicon.svg"
html_favicon = "_static/favicon.svg"
html_css_files = ["liqlab.css"]
html_context = {"default_mode": "auto"}  # light or dark: as the reader's system has it, until the reader chooses
html_js_files = [
    (name, {"defer": "defer"}) for name in ("bokeh.min.js", "bokeh-widgets.min.js", "bokeh-tables.min.js", "liqlab.js")
]
html_copy_source = False
html_show_sourcelink = False
html_show_search_summary = False  # reads pages over HTTP, which does not work from the disk
html_use_index = False
html_sidebars = {"**": ["globaltoc.html"]}
html_theme_options = {
    "logo": {"text": "liqlab", "alt_text": ""},
    "navbar_center": [],
    "navbar_end": ["theme-switcher"],
    "primary_sidebar_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "article_header_start": [],
    "footer_start": [],
    "footer_end": [],
    "search_bar_text": "Search these pages",
    "show_prev_next": True,
}
