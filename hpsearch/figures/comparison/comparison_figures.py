"""All figures of a comparison, in the order in which they are read."""

from hpsearch.figures.comparison.accuracy import accuracy_figure
from hpsearch.figures.comparison.matrices import differences_figure, matrices_figure
from hpsearch.figures.comparison.time import time_figure
from hpsearch.figures.figure import StudyFigure
from hpsearch.report.comparison import Comparison


def comparison_figures(comparison: Comparison) -> list[StudyFigure]:
    """Accuracy, time, confusion matrices, and their differences on each data set."""
    return [
        accuracy_figure(comparison),
        time_figure(comparison),
        matrices_figure(comparison),
        *(
            differences_figure(group, number=number)
            for number, group in enumerate(comparison.groups, start=1)
        ),
    ]
