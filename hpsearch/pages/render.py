"""From a template and its values to a page, with plotly's own JavaScript inside it."""

import re
from typing import Any

import plotly.graph_objects as go
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from plotly.offline import get_plotlyjs

import hpsearch
from hpsearch.figures.figure import StudyFigure
from hpsearch.pages.pictures import data_uri
from hpsearch.storage.database import utc_now
from hpsearch.times import show_time


def render_page(template: str, **values: Any) -> str:
    """A page; every value is text and escaped, whatever it looks like."""
    environment = Environment(
        loader=PackageLoader("hpsearch", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["plot_json"] = plot_json
    environment.filters["data_uri"] = data_uri
    environment.filters["breakable"] = breakable
    return environment.get_template(template).render(
        plotly=Markup(get_plotlyjs()),
        is_drawn=lambda shown: isinstance(shown, StudyFigure),
        made=show_time(utc_now()),
        version=hpsearch.__version__,
        **values,
    )


def breakable(name: str) -> Markup:
    """A name that may be broken after its last dot and its underscores."""
    return Markup(re.sub(r"(_|\.(?=[^.]*$))", r"\1<wbr>", str(escape(name))))


def plot_json(plot: go.Figure) -> Markup:
    """A plot as JSON that cannot end the script element that it stands in."""
    return Markup(str(plot.to_json()).replace("<", "\\u003c").replace("&", "\\u0026"))
