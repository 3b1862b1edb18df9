"""Contenders' names in plots."""

import html

from hpsearch.text import one_line


def plain(text: str) -> str:
    """A text as Plotly shows it, letter by letter: it would take some for HTML."""
    return html.escape(one_line(text), quote=False)
