"""The page of a comparison: figures, the paired tests, confusions and where they differ."""

from dataclasses import dataclass

from hpsearch.figures.comparison.comparison_figures import comparison_figures
from hpsearch.pages.render import render_page
from hpsearch.pages.result import Headline
from hpsearch.pages.table import PageTable, page_table
from hpsearch.report import paired_test
from hpsearch.report.comparison import Comparison, Group
from hpsearch.report.comparison_tables import (
    confusions_table,
    differences_table,
    figures_note,
    figures_table,
    short_names,
    show_p_value,
    tests_table,
    untestable_lines,
    verdict,
)
from hpsearch.report.contenders import Contender
from hpsearch.report.paired_test import PairedTest
from hpsearch.report.terminal import show_spread

_CARDS = 4  # contenders that have a headline each


@dataclass(frozen=True)
class DifferenceSection:
    """Where the contenders on one data set differ."""

    dataset: str
    confusions: PageTable | None  # None: nowhere
    recalls: PageTable | None


def render_comparison_page(comparison: Comparison) -> str:
    """The page as HTML, all in one."""
    names = short_names(comparison.contenders)
    tests, untestable = comparison.paired
    shown = {figure.name: figure for figure in comparison_figures(comparison)}
    heading = _heading(comparison)
    return render_page(
        "comparison.html.j2",
        title=f"{heading}: comparison",
        heading=heading,
        datasets=" and ".join(dict.fromkeys(c.dataset for c in comparison.contenders)),
        headlines=_headlines(comparison, names),
        figures=page_table(*figures_table(comparison, names)),
        figures_note=figures_note(comparison, names),
        tests=page_table(*tests_table(tests, names)) if tests else None,
        explanation=paired_test.explanation(tests) if tests else [],
        untestable=[f"N{line[1:]}." for line in untestable_lines(untestable, names)],
        confusions=page_table(*confusions_table(comparison, names)),
        differences=[_differences(group, names) for group in comparison.groups],
        untested=comparison.untested,
        accuracy=shown.pop("accuracy"),
        time=shown.pop("time"),
        matrices=shown.pop("confusion"),
        difference_figures=list(shown.values()),
    )


def _heading(comparison: Comparison) -> str:
    labels = [contender.label for contender in comparison.contenders]
    if len(labels) <= _CARDS:
        return f"{', '.join(labels[:-1])} and {labels[-1]}"
    studies = list(dict.fromkeys(contender.study for contender in comparison.contenders))
    return f"{len(labels)} contenders of {', '.join(studies)}"


def _headlines(comparison: Comparison, names: dict[str, str]) -> list[Headline]:
    """A few contenders one by one, and the test between two."""
    if len(comparison.contenders) > _CARDS:
        return []
    cards = [_card(contender, names[contender.label]) for contender in comparison.contenders]
    if len(comparison.contenders) == 2:
        cards += [_difference_card(comparison, test) for test in comparison.paired.tests]
    return cards


def _card(contender: Contender, name: str) -> Headline:
    return Headline(
        name,
        show_spread(contender.accuracy.mean, contender.accuracy.std),
        f"test accuracy on {contender.dataset}; {contender.train_seconds:.1f} s of training, "
        f"{contender.num_parameters:,} parameters",
    )


def _difference_card(comparison: Comparison, test: PairedTest) -> Headline:
    first, second = comparison.contenders
    return Headline(
        "Difference",
        f"{first.accuracy.mean - second.accuracy.mean:+.4f}",
        f"{verdict(test)}: p = {show_p_value(test.p_value)}, of the networks of median accuracy, "
        f"which differ by {test.difference:+.4f}",
    )


def _differences(group: Group, names: dict[str, str]) -> DifferenceSection:
    headings = [names[contender.label] for contender in group.contenders]
    confusions, recalls = (
        page_table(*differences_table(differences, headings)) if differences else None
        for differences in (group.confusions, group.recalls)
    )
    return DifferenceSection(group.dataset, confusions, recalls)
