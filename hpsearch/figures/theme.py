"""How figures look: colours that the colour-blind tell apart, on light and on dark ground.

The palette is that of Okabe and Ito (2008, https://jfly.uni-koeln.de/color/); its black and its
yellow are left out, as each is lost on one of the two grounds. Paper and plot are transparent, and
the ink is the grey that has a contrast of 4.5 to 1 with white as with black (WCAG 2, AA), so that a
figure is readable wherever it is put; a page may change `font.color`.
"""

import html

import plotly.graph_objects as go

BLUE = "#0072B2"
VERMILLION = "#D55E00"
GREEN = "#009E73"
ORANGE = "#E69F00"
SKY = "#56B4E9"
PURPLE = "#CC79A7"
COLORS = (BLUE, VERMILLION, GREEN, ORANGE, SKY, PURPLE)

INK = "#767676"
FAINT = "rgba(128, 128, 128, 0.45)"  # what was given up
GRID = "rgba(128, 128, 128, 0.25)"
CLEAR = "rgba(0, 0, 0, 0)"
# between two colours of the palette, each visible on both grounds: for points and lines
POINT_SCALE = [[0.0, BLUE], [0.5, "#999999"], [1.0, VERMILLION]]
SCALE = "Cividis"  # made for the colour-blind, https://doi.org/10.1371/journal.pone.0199239

OUTCOME_COLORS = {
    "complete": BLUE,
    "pruned": FAINT,
    "failed": VERMILLION,
    "running": ORANGE,
    "interrupted": PURPLE,
    "finalist": SKY,
    "winner": GREEN,
}

_AXIS = {
    "gridcolor": GRID,
    "zerolinecolor": GRID,
    "linecolor": GRID,
    "automargin": True,
    "title": {"standoff": 8},
}
TEMPLATE = go.layout.Template(
    layout={
        "font": {"color": INK, "size": 13, "family": "system-ui, sans-serif"},
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "colorway": COLORS,
        "xaxis": _AXIS,
        "yaxis": _AXIS,
        "margin": {"l": 10, "r": 10, "t": 40, "b": 10},
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1,
            "yanchor": "bottom",
            "traceorder": "normal",
        },
        "hoverlabel": {"font": {"size": 13}},
        "colorscale": {"sequential": SCALE},
    }
)


def themed(figure: go.Figure, *, height: int = 380, legend: bool = True) -> go.Figure:
    """The figure in our style, as wide as where it is put; its title is told beside it."""
    figure.update_layout(
        template=TEMPLATE,
        title=None,
        width=None,
        height=height,
        autosize=True,
        showlegend=legend,
        margin_t=40 if legend else 10,
        paper_bgcolor=CLEAR,
        plot_bgcolor=CLEAR,
    )
    return figure


def for_a_file(figure: go.Figure, *, title: str) -> go.Figure:
    """A copy with a title on white paper, to stand alone."""
    alone = go.Figure(figure)
    alone.update_layout(
        title={
            "text": html.escape(title, quote=False),  # Plotly reads some HTML in it
            "x": 0,
            "xref": "paper",
            "y": 1,
            "yref": "container",
            "pad": {"t": 12},
        },
        title_yanchor="top",
        font_color="#222222",
        paper_bgcolor="white",
        margin_t=figure.layout.margin.t + 40,
        height=figure.layout.height + 40,
    )
    return alone
