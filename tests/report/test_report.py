"""The report: what succeeds, what is refused, and what a failure leaves untouched."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import replace
from html import unescape
from io import StringIO
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from typer.testing import CliRunner

from liqlab.cli import app
from liqlab.report.api_pages import anchor, public_functions
from liqlab.report.build import ReportError, build_page, build_site, list_pages
from liqlab.report.figures import with_plain_figures
from liqlab.report.glossary_page import words
from liqlab.report.kept_pages import kept_file, read_kept
from liqlab.report.mathml import mathml
from liqlab.report.packed_images import rounded as near
from liqlab.report.page_record import command, data_used, key_of
from liqlab.report.pages import Page, choose, give, one_page, parameters_of, read_assignments
from liqlab.report.run import Run
from liqlab.report.single_page import write_page
from tests.small_site import BOKEH, requests_in, shared, write_notebook, write_notebooks

PLAIN = ("# What is plain?", "seed: int = 1  # told below\ncoin: str = 'BTC'", "print('seed', seed, coin)")
FAILING = ("# What fails?", "seed: int = 1", "level = 1 / (seed - 1)\nprint(level)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared(tmp_path_factory)


@pytest.fixture
def without_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Notebooks run here and at once: what is tested is which of them are run, and what becomes of them."""

    def run_pages(pages: list[Page], *, folder: Path, jobs: int, bounds: Any = None) -> list[Run]:
        folder.mkdir(parents=True, exist_ok=True)
        return [execute(page, folder / f"{page.name}.ipynb") for page in pages]

    def execute(page: Page, target: Path) -> Run:
        notebook = load_notebook_node(str(page.notebook))
        if page.parameters:
            notebook = parameterize_notebook(notebook, dict(page.parameters))
        names: dict[str, Any] = {}
        for cell in notebook.cells:
            if cell.cell_type == "code":
                with redirect_stdout(StringIO()) as printed:
                    exec(cell.source, names)
                cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=printed.getvalue())]
        nbformat.write(notebook, target)
        return Run(page.name, target, 0.5)

    monkeypatch.setattr("liqlab.report.run.run_pages", run_pages)


def fingerprint(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, as at the prompt of a machine that has never run it."""
    command = [sys.executable, "-m", "liqlab.cli", *map(str, arguments)]
    root = str(Path(__file__).parents[2])
    return subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": root, **environment}, check=False
    )


# --- what a site holds -----------------------------------------------------------------------------------------------


def test_index_tells_what_each_page_answers_in_reading_order(site: Path) -> None:
    index = (site / "index.html").read_text(encoding="utf-8")
    cards = index[index.index("lq-cards") :]
    links = list(dict.fromkeys(re.findall(r'href="(\w+)\.html"', cards)))
    assert links[:5] == ["00_quickstart", "01_plain", "02_explore", "fall", "rise"]
    assert "Where longs are liquidated." in cards and "2 minutes" in cards
    assert index.count("Education, not advice") == 1
    assert (site / "_images" / "00_quickstart.png").read_bytes().startswith(b"\x89PNG")


def test_case_is_a_page_with_its_parameters_and_its_own_heading(site: Path) -> None:
    rise, fall = ((site / f"{name}.html").read_text(encoding="utf-8") for name in ("rise", "fall"))
    assert "<h1>What did the map know before the rise?" in rise
    assert "<h1>What did the map know? (fall)" in fall
    assert re.search(r"seed.{0,60}=.{0,60}4", fall)


def test_pages_fetch_nothing_and_carry_plain_figures(site: Path) -> None:
    for page in site.glob("*.html"):
        assert requests_in(page.read_text(encoding="utf-8")) == []
    quickstart = (site / "00_quickstart.html").read_text(encoding="utf-8")
    assert quickstart.count('class="lq-figure"') == 3
    assert 'aria-label="estimated notional [USDT]"' in quickstart
    assert "<mfrac>" in quickstart and "cdn." not in quickstart
    assert (site / "_static" / "bokeh.min.js").is_file()
    assert 'class="lq-figure"' in (site / "fall.html").read_text(encoding="utf-8")


def test_notebooks_are_kept_for_readers_and_for_the_next_report(site: Path) -> None:
    kept = kept_file(site, "00_quickstart")
    page = (site / "00_quickstart.html").read_text(encoding="utf-8")
    assert kept.stat().st_size < 20_000 < len(page)  # the figures' data are in the page alone
    shown = [output["data"]["text/html"] for cell in read_kept(kept).cells for output in cell.get("outputs", ())
             if "lq-figure" in output.get("data", {}).get("text/html", "")]  # fmt: skip
    items = [json.loads(re.search(r">(\{.*?)</script>", text, re.DOTALL)[1]) for text in shown]
    assert len(items) == 3 and all(item["root_id"] and item["target_id"] in page for item in items)
    assert all(text[text.index("<script") :] in page for text in shown)
    assert not list(site.rglob("*.map"))
    bare = nbformat.read(site / "_notebooks" / "rise.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in bare.cells)
    assert any(re.search(r"^seed = 3$", cell.source, re.MULTILINE) for cell in bare.cells)  # its parameters


@pytest.mark.usefixtures("without_kernels")
def test_only_keeps_the_other_pages(tmp_path: Path) -> None:
    notebooks = tmp_path / "notebooks"
    for name in ("00_a", "01_b"):
        write_notebook(notebooks / f"{name}.ipynb", *PLAIN)
    build_site(tmp_path / "site", notebooks=notebooks)
    rows = build_site(tmp_path / "site", notebooks=notebooks, only=["01_b"], parameters=["seed=41"])
    assert [row["page"] for row in rows] == ["00_a", "01_b"] and rows[0]["seconds"] is None
    assert "seed 1 BTC" in (tmp_path / "site" / "00_a.html").read_text(encoding="utf-8")
    assert "seed 41 BTC" in (tmp_path / "site" / "01_b.html").read_text(encoding="utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notebooks", "site"]


@pytest.mark.usefixtures("without_kernels")
def test_only_what_has_changed_is_run(tmp_path: Path) -> None:
    notebooks, site = tmp_path / "notebooks", tmp_path / "site"
    for name in ("00_a", "01_b"):
        write_notebook(notebooks / f"{name}.ipynb", *PLAIN)

    def ran(**options: Any) -> list[str]:
        rows = build_site(site, notebooks=notebooks, **options)
        assert [row["page"] for row in rows] == ["00_a", "01_b"]
        return [row["page"] for row in rows if row["seconds"] is not None]

    assert ran() == ["00_a", "01_b"]
    first = {path.name: path.read_bytes() for path in site.glob("*.html")}
    whole = {path: path.stat().st_mtime_ns for path in site.rglob("*")}
    assert ran() == [] and {path: path.stat().st_mtime_ns for path in site.rglob("*")} == whole  # it stays
    (site / "01_b.html").write_text("damaged")
    (site / "index.html").unlink()
    assert ran() == [] and {path.name: path.read_bytes() for path in site.glob("*.html")} == first
    write_notebook(notebooks / "01_b.ipynb", *PLAIN, "*A sentence more.*")
    assert ran() == ["01_b"]
    assert "A sentence more." in (site / "01_b.html").read_text(encoding="utf-8")
    assert ran(only=["00_a"], parameters=["seed=5"]) == ["00_a"]
    assert ran() == ["00_a"]  # back to its own parameters
    write_notebook(notebooks / "01_b.ipynb", *PLAIN)
    assert ran(rerun=True) == ["00_a", "01_b"]
    # the same inputs, run again: the same pages
    assert {path.name: path.read_bytes() for path in site.glob("*.html")} == first


def test_key_depends_on_notebook_parameters_and_files(tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text("1")
    page = Page("a", write_notebook(tmp_path / "a.ipynb", *PLAIN))
    keys = [
        key_of(page),
        key_of(replace(page, parameters={"seed": 2})),
        key_of(replace(page, parameters={"x": str(table)})),
    ]
    assert key_of(replace(page, parameters={"x": "a sentence, " * 100}))  # longer than any name of a file
    table.write_text("2")
    keys.append(key_of(replace(page, parameters={"x": str(table)})))
    assert key_of(page) == keys[0] and len(set(keys)) == 4
    asked = replace(page, parameters={"offline": False})
    assert key_of(asked) != key_of(asked)  # what the network says is new every time


def test_figures_are_the_same_apart_from_ids(tmp_path: Path) -> None:
    """A figure's page made twice from two runs differs in the ids that Bokeh gives, and in nothing else."""
    write_notebook(tmp_path / "n" / "00_a.ipynb", "# What is drawn?", "seed: int = 3  # told", BOKEH)
    pages = []
    for _ in range(2):
        build_site(tmp_path / "site", notebooks=tmp_path / "n", rerun=True)
        pages.append((tmp_path / "site" / "00_a.html").read_text(encoding="utf-8"))
    one, two = (re.sub(r'"(id|root_ids|roots|docid|token)":("[^"]*"|\[[^\]]*\])', "", page) for page in pages)
    assert one == two
    (tmp_path / "site" / "00_a.html").unlink()
    build_site(tmp_path / "site", notebooks=tmp_path / "n")  # from what was kept
    assert (tmp_path / "site" / "00_a.html").read_text(encoding="utf-8") == pages[1]
    assert (tmp_path / "site" / "_images" / "00_a.png").read_bytes().startswith(b"\x89PNG")


# --- what a program may read of it -----------------------------------------------------------------------------------


def shipped(name: str) -> Path:
    """Where a file of the registry lies: the tiers belong to the package."""
    root = Path(__file__).parents[2]
    return root / "liqlab" / "margin" / name if name == "leverage_tiers.csv" else root / "data" / name


def test_report_tells_parameters_data_and_figures(site: Path) -> None:
    told = json.loads((site / "report.json").read_text(encoding="utf-8"))
    assert {"numpy", "bokeh", "python"} <= set(told["versions"]) and told["liqlab"]
    pages = {page["page"]: page for page in told["pages"]}
    assert list(pages) == ["00_quickstart", "01_plain", "02_explore", "fall", "rise"]
    assert pages["rise"]["parameters"] == {"seed": 3, "title": "What did the map know before the rise?"}
    assert pages["00_quickstart"]["parameters"] == {"seed": 0, "leverages": [10, 25], "title": ""}
    assert [figure["alt"] for figure in pages["00_quickstart"]["figures"]][:2] == [
        "estimated notional [USDT]",
        "close [USDT]",
    ]
    html = (site / "02_explore.html").read_text(encoding="utf-8")
    assert all(f'id="{figure["id"]}"' in html for figure in pages["02_explore"]["figures"])
    files = {entry["file"]: entry["sha256"] for entry in pages["02_explore"]["data"]}
    assert files and not pages["01_plain"]["data"]
    assert files == {name: hashlib.sha256(shipped(name).read_bytes()).hexdigest() for name in files}


def test_data_that_a_page_only_names_in_its_words_are_told() -> None:
    """A page may choose its case by a rule, and say which it was."""
    said = nbformat.v4.new_output("display_data", data={"text/markdown": "the embedded case `btc-2024-07`"})
    page = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("Markdown(words)", outputs=[said])])
    files = [entry["file"] for entry in data_used(page, {})]
    assert files and all(shipped(name).exists() for name in files)
    assert not data_used(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1")]), {})


def test_pages_stay_small(site: Path) -> None:
    assert max(path.stat().st_size for path in site.glob("*.html")) < 6e6
    assert sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) < 40e6


def test_command_makes_the_same_page_again(site: Path) -> None:
    html = (site / "rise.html").read_text(encoding="utf-8")
    line = unescape(re.search(r'class="lq-again".*?<pre>(.*?)</pre>', html, re.DOTALL)[1])
    words = shlex.split(line)
    assert words[:3] == ["liqlab", "page", "rise"]
    assert read_assignments(words[4::2]) == {"seed": 3, "title": "What did the map know before the rise?"}
    odd = {
        "a": [[56880, 16.0]],
        "b": "it's $5: yes",
        "c": "2024-05-01",
        "d": None,
        "e": True,
        "f": "",
        "g": "long\ntext",
    }
    assert read_assignments(shlex.split(command(Page("x", Path()), odd))[4::2]) == odd


def test_every_public_name_and_every_word_has_its_place(site: Path) -> None:
    api = (site / "api.html").read_text(encoding="utf-8")
    for name in public_functions():
        assert f'id="{anchor(name)}"' in api, name
    glossary_page = (site / "glossary.html").read_text(encoding="utf-8")
    links = re.findall(r'href="(?:api\.html)?#(api-[\w-]+)"', api + glossary_page)
    assert len(links) > 100 and all(f'id="{spot}"' in api for spot in links)
    for group in words().values():
        for word in group:
            assert re.search(rf"<dt>.*?{re.escape(word)}", glossary_page), word


# --- what is refused, and what a failure leaves ----------------------------------------------------------------------


def test_the_units_of_the_venues_are_a_page(site: Path) -> None:
    page = (site / "units.html").read_text(encoding="utf-8")
    bybit = page.partition('<section id="bybit">')[2].partition("</section>")[0]
    row = re.findall(r"<p>(.*?)</p>", bybit.partition("open_interest")[2].partition("</tr>")[0])
    assert row == ["coins", "quote", "both → one", "instant"]
    assert "singleOpenInterest" in bybit and "Read 2026-" in bybit
    assert 'href="units.html"' in (site / "index.html").read_text(encoding="utf-8")


def test_failing_notebook_leaves_the_site_as_it_was(tmp_path: Path) -> None:
    notebooks, site, home = tmp_path / "notebooks", tmp_path / "site", tmp_path / "home"
    home.mkdir()
    write_notebook(notebooks / "00_plain.ipynb", *PLAIN)
    write_notebook(notebooks / "01_fails.ipynb", *FAILING)
    options = ["report", "--notebooks", str(notebooks), "--output", str(site)]
    first = CliRunner().invoke(app, [*options, "-p", "seed=3"])
    assert first.exit_code == 0
    assert str(site / "index.html") in first.stdout and "01_fails" in first.stdout
    before = fingerprint(site)

    second = run(*options, HOME=str(home))
    assert second.returncode == 1
    for word in ("01_fails", "In [2]", "level = 1 / (seed - 1)", "ZeroDivisionError", "site-failed", "as it was"):
        assert word in second.stderr
    assert fingerprint(site) == before
    kept = nbformat.read(tmp_path / "site-failed" / "01_fails.ipynb", as_version=4)
    assert any(output.output_type == "error" for cell in kept.cells for output in cell.get("outputs", ()))

    build_site(site, notebooks=notebooks, only=["00_plain"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "notebooks", "site"]


@pytest.mark.usefixtures("without_kernels")
def test_site_that_cannot_be_built_leaves_the_old_one(tmp_path: Path) -> None:
    write_notebook(tmp_path / "n" / "00_a.ipynb", *PLAIN)
    build_site(tmp_path / "site", notebooks=tmp_path / "n")
    before = fingerprint(tmp_path / "site")
    write_notebook(tmp_path / "n" / "00_a.ipynb", r"# What is $\unheardof{x}$?", *PLAIN[1:])
    with pytest.raises(ReportError, match="unheardof"):
        build_site(tmp_path / "site", notebooks=tmp_path / "n")
    assert fingerprint(tmp_path / "site") == before


def test_folder_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    write_notebook(tmp_path / "n" / "00_a.ipynb", *PLAIN)
    with pytest.raises(ReportError, match="no report has written"):
        build_site(tmp_path / "n", notebooks=tmp_path / "n")
    assert (tmp_path / "n" / "00_a.ipynb").is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["report", "--only", "00_quikstart"], ["00_quikstart", "did you mean 00_quickstart", "fall"]),
        (["report", "-p", "sede=1"], ["sede", "00_quickstart: seed, leverages, title", "01_plain: seed"]),
        (["report", "-p", "seed"], ["name=value"]),
        (["report", "-p", "seed=[1"], ["not YAML"]),
        (["report", "--only", "01_plain", "-p", "title=x"], ["title", "01_plain: seed"]),
        (["report", "--jobs", "0"], ["jobs must be >= 1"]),
        (["page", "06_case_study"], ["fall, rise"]),
        (["page", "missing.ipynb"], ["no file"]),
        (["page", "01_plain", "-p", "title=x"], ["title", "01_plain: seed"]),
    ],
)
def test_errors_teach(arguments: list[str], words: list[str], tmp_path: Path) -> None:
    notebooks = write_notebooks(tmp_path / "notebooks")
    output = tmp_path / "output"
    result = CliRunner().invoke(app, [*arguments, "--notebooks", str(notebooks), "--output", str(output)])
    assert result.exit_code == 1
    for word in words:
        assert word in result.stderr
    assert not output.exists()


def test_case_with_a_parameter_that_the_notebook_has_not(tmp_path: Path) -> None:
    notebooks = write_notebooks(tmp_path / "notebooks")
    (notebooks / "cases" / "odd.yml").write_text("sede: 3\n", encoding="utf-8")
    with pytest.raises(ReportError, match=r"case odd sets sede.*seed, title"):
        give(choose(list_pages(notebooks), ["odd"]), {})


def test_parameters_go_to_the_pages_that_have_them(tmp_path: Path) -> None:
    notebooks = write_notebooks(tmp_path / "notebooks")
    pages = {page.name: page for page in give(list_pages(notebooks), {"seed": 9, "leverages": [5]})}
    assert pages["00_quickstart"].parameters == {"seed": 9, "leverages": [5]}
    assert pages["01_plain"].parameters == {"seed": 9}
    assert pages["rise"].parameters == {"seed": 9, "title": "What did the map know before the rise?"}
    assert [page.name for page in choose(list_pages(notebooks), ["06_case_study"])] == ["fall", "rise"]


# --- one page, and its parts ----------------------------------------------------------------------------------------


def test_page_is_one_file_that_needs_nothing(site: Path, tmp_path: Path) -> None:
    page = Page("00_quickstart", site)
    html = write_page(kept_file(site, "00_quickstart"), page=page, folder=tmp_path).read_text(encoding="utf-8")
    assert requests_in(html) == []
    assert not re.search(r"<script[^>]*\bsrc=|<link[^>]*stylesheet", html)
    assert html.count('class="lq-figure"') == 3 and "embed_item" in html and "<mfrac>" in html
    assert "bokeh-tables" not in html


def test_page_from_a_path_with_parameters(tmp_path: Path) -> None:
    notebook = write_notebook(tmp_path / "mine.ipynb", *PLAIN)
    target = build_page(notebook, tmp_path / "out" / "mine.html", parameters=["seed=7", "coin=ETH"])
    assert "seed 7 ETH" in target.read_text(encoding="utf-8")
    assert target.stat().st_size < 800_000  # no figure, no BokehJS
    assert one_page(notebook).name == "mine"


def test_figure_that_needs_a_kernel_is_refused() -> None:
    script = (
        'var docs_json = {"a": {"version": "3", "title": "", "roots": [{"type": "object", "id": "x", '
        '"name": "panel.models.tabulator.DataTabulator"}]}}; var render_items = [{"docid": "a", "root_ids": ["x"]}];'
    )
    output = nbformat.v4.new_output("display_data", data={"text/html": f"<div></div><script>{script}</script>"})
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("table", outputs=[output])])
    with pytest.raises(ReportError, match="00_page, cell 1: the figure needs a library"):
        with_plain_figures(notebook, name="00_page")


def test_figure_fits_the_column_and_asks_no_other_host() -> None:
    from bokeh.embed import file_html
    from bokeh.models import ImportedStyleSheet
    from bokeh.plotting import figure

    chart = figure(title="</script> & co.", width=900, height=300)
    chart.stylesheets = [ImportedStyleSheet(url="https://example.org/style.css")]
    html = file_html(chart)
    output = nbformat.v4.new_output("display_data", data={"text/html": _as_notebook_script(html)})
    cell = nbformat.v4.new_code_cell("chart", outputs=[output], metadata={"liqlab": {"alt": 'a "chart"'}})
    plain = with_plain_figures(nbformat.v4.new_notebook(cells=[cell]), name="x").cells[0].outputs[0].data["text/html"]
    assert "example.org" not in plain and '"sizing_mode":"stretch_width"' in plain
    assert plain.count("</script>") == 1 and 'aria-label="a &quot;chart&quot;"' in plain


def test_figure_without_a_height_gets_one() -> None:
    from bokeh.embed import file_html
    from bokeh.plotting import figure

    script = _as_notebook_script(file_html(figure(sizing_mode="stretch_both")))
    cell = nbformat.v4.new_code_cell(outputs=[nbformat.v4.new_output("display_data", data={"text/html": script})])
    plain = with_plain_figures(nbformat.v4.new_notebook(cells=[cell]), name="x").cells[0].outputs[0].data["text/html"]
    assert "min-height:600px" in plain and '"sizing_mode":"stretch_width"' in plain


def test_images_are_rounded_to_what_a_hover_shows() -> None:
    amounts = np.random.default_rng(0).lognormal(10, 4, (30, 40)).astype(np.float32)
    rounded = near(np.where(amounts < 10, 0, np.where(amounts > 1e8, np.nan, amounts)))
    known = (amounts >= 10) & (amounts <= 1e8)
    assert np.abs(rounded[known] / amounts[known] - 1).max() <= 2**-9
    assert (rounded[amounts < 10] == 0).all() and np.isnan(rounded[amounts > 1e8]).all()


def test_profile_beside_a_map_keeps_its_width() -> None:
    from bokeh.embed import file_html
    from bokeh.layouts import gridplot
    from bokeh.plotting import figure

    grid = gridplot([[figure(width=700, height=300), figure(width=190, height=300)]])
    script = _as_notebook_script(file_html(grid))
    cell = nbformat.v4.new_code_cell(outputs=[nbformat.v4.new_output("display_data", data={"text/html": script})])
    plain = with_plain_figures(nbformat.v4.new_notebook(cells=[cell]), name="x").cells[0].outputs[0].data["text/html"]
    assert '"cols":["minmax(0, 1fr)","max-content"]' in plain and '"width":190' in plain and '"width":700' not in plain
    assert '"active_scroll":null' in plain.replace(" ", "") and '"active_drag":null' in plain.replace(" ", "")
    assert "min-width:490px" in plain  # what a plot asks for at least, and the profile as it is


def _as_notebook_script(html: str) -> str:
    """A page of Bokeh's, in the shape that a notebook keeps: the document as an object, and what it draws."""
    found = re.search(r'<script type="application/json"[^>]*>\s*(.*?)\s*</script>', html, re.DOTALL)
    assert found
    from html import unescape

    return f"<script>var docs_json = {unescape(found[1])}; var render_items = [];</script>"


@pytest.mark.parametrize("tex", [r"a \lt b \dots", r"\begin{align}a&=b\\c&=d\end{align}", r"\tfrac12\,\text{coins}"])
def test_formulas_become_mathml(tex: str) -> None:
    assert mathml(tex, block=True).startswith("<math")


def test_formula_that_cannot_be_drawn_is_named() -> None:
    with pytest.raises(ReportError, match=r"unheardof"):
        mathml(r"\unheardof{x}")


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem
)
def test_notebooks_tell_the_index_what_they_answer(path: Path) -> None:
    about = nbformat.read(path, as_version=4).metadata.get("liqlab", {})
    assert about.get("answers") and about.get("minutes", 0) > 0
    assert parameters_of(path), "tag one code cell `parameters`"
