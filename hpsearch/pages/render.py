"""From a template and its values to a page, with plotly's own JavaScript inside it."""

from typing import Any

import plotly.graph_objects as go
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from hpsearch.pages.pictures import data_uri


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
    return environment.get_template(template).render(plotly=Markup(get_plotlyjs()), **values)


def plot_json(plot: go.Figure) -> Markup:
    """A plot as JSON that cannot end the script element that it stands in."""
    return Markup(str(plot.to_json()).replace("<", "\\u003c").replace("&", "\\u0026"))
