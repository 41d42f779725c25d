"""Formulas without JavaScript: TeX becomes MathML when the page is made, and browsers draw it themselves."""

from __future__ import annotations

import re
from typing import Any

from liqlab.report.pages import ReportError

# what notebooks write and the converter spells otherwise
_SPELLINGS = {r"\dots": r"\ldots", r"\lt": "<", r"\gt": ">", r"\textbf": r"\mathbf", r"\textit": r"\mathit"}
_SPELLED = re.compile("(" + "|".join(re.escape(name) for name in _SPELLINGS) + r")(?![a-zA-Z])")
_WRAPPED = re.compile(r"\s*\\begin\{(align|equation|gather)(\*?)\}(.*)\\end\{\1\2\}\s*", re.DOTALL)


def mathml(tex: str, *, block: bool = False) -> str:
    r"""TeX as MathML.

    >>> "<mfrac>" in mathml(r"\frac{1}{\lambda}")
    True
    """
    from docutils.utils.math import MathError
    from docutils.utils.math.latex2mathml import tex2mathml

    wrapped = _WRAPPED.fullmatch(tex)
    body = _SPELLED.sub(lambda found: _SPELLINGS[found[0]], wrapped[3] if wrapped else tex)
    try:
        return tex2mathml(body.strip(), as_block=block)
    except MathError as error:
        raise ReportError(f"the formula {tex.strip()!r} cannot be drawn: {error}; write it with simpler TeX") from error


def setup(app: Any) -> dict[str, bool]:
    """Register as Sphinx's renderer of formulas (``html_math_renderer = "mathml"``)."""
    app.add_html_math_renderer("mathml", inline_renderers=(_visit_inline, None), block_renderers=(_visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _visit_inline(writer: Any, node: Any) -> None:
    _append(writer, node, f'<span class="math">{mathml(node.astext())}</span>')


def _visit_block(writer: Any, node: Any) -> None:
    _append(writer, node, f'<div class="math">{mathml(node.astext(), block=True)}</div>')


def _append(writer: Any, node: Any, html: str) -> None:
    from docutils.nodes import SkipNode

    writer.body.append(html)
    raise SkipNode
