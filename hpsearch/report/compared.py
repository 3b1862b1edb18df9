"""A comparison in the terminal."""

from rich.console import Console

from hpsearch.report import paired_test
from hpsearch.report.comparison import Comparison, Group
from hpsearch.report.comparison_tables import (
    confusions_table,
    differences_table,
    figures_note,
    figures_table,
    short_names,
    tests_table,
)
from hpsearch.report.terminal import print_table

_HEADINGS = 50  # characters that contenders' names may take as headings of columns


def print_comparison(console: Console, comparison: Comparison) -> None:
    """Figures, confusions, differences and the paired tests."""
    names = short_names(comparison.contenders)
    headings = dict(names)
    columns, rows = figures_table(comparison, names)
    if sum(map(len, names.values())) > _HEADINGS:
        headings = {label: f"#{number}" for number, label in enumerate(names, start=1)}
        columns.insert(0, "")
        rows = [[heading, *row] for heading, row in zip(headings.values(), rows, strict=True)]
    print_table(console, columns, rows)
    _say(console, figures_note(comparison, names))
    _say(console, "\nmost confused, as shares of the true class, mean over the seeds:")
    print_table(console, *confusions_table(comparison, names))
    for group in comparison.groups:
        _print_differences(console, group, headings)
    _print_tests(console, comparison, names)
    if comparison.untested:
        _say(console, f"\nnot tested yet, so left out: {', '.join(comparison.untested)}")


def _print_differences(console: Console, group: Group, headings: dict[str, str]) -> None:
    columns = [headings[contender.label] for contender in group.contenders]
    for title, differences in (
        ("confusions that differ most", group.confusions),
        ("classes whose recall differs most", group.recalls),
    ):
        if differences:
            _say(console, f"\n{title}, {group.dataset}:")
            print_table(console, *differences_table(differences, columns))


def _print_tests(console: Console, comparison: Comparison, names: dict[str, str]) -> None:
    tests, untestable = comparison.paired
    _say(console, "\nIs the difference in test accuracy more than chance?")
    if tests:
        print_table(console, *tests_table(tests, names))
        for line in paired_test.explanation(tests):
            _say(console, line)
    for pair in untestable:
        _say(console, f"no test of {names[pair.first]} and {names[pair.second]}: {pair.reason}")


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False)
