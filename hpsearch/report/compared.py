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
    untestable_lines,
)
from hpsearch.report.contenders import Contender
from hpsearch.report.paired_test import PairedTest
from hpsearch.report.terminal import print_table

_TESTS = 10  # pairs of which all are shown


def print_comparison(console: Console, comparison: Comparison) -> None:
    """Figures, confusions, differences and the paired tests."""
    names = short_names(comparison.contenders)
    print_table(console, *figures_table(comparison, names))
    _say(console, figures_note(comparison, names))
    _say(console, "\nmost confused, as shares of the true class, mean over the seeds:")
    print_table(console, *confusions_table(comparison, names))
    for group in comparison.groups:
        _print_differences(console, group, names)
    _print_tests(console, comparison, names)
    if comparison.untested:
        _say(console, f"\nnot tested yet, so left out: {', '.join(comparison.untested)}")


def _print_differences(console: Console, group: Group, names: dict[str, str]) -> None:
    own = [names[contender.label] for contender in group.contenders]
    for title, differences in (
        ("confusions that differ most", group.confusions),
        ("classes whose recall differs most", group.recalls),
    ):
        if differences:
            _say(console, f"\n{title}, {group.dataset}:")
            print_table(console, *differences_table(differences, own))


def _print_tests(console: Console, comparison: Comparison, names: dict[str, str]) -> None:
    tests, untestable = comparison.paired
    _say(console, "\nIs the difference in test accuracy more than chance?")
    if tests:
        shown = tests if len(tests) <= _TESTS else _of_the_best(comparison)
        table = tests_table(tests, names)
        print_table(console, table.columns, [table.rows[tests.index(test)] for test in shown])
        if len(shown) < len(tests):
            _say(
                console,
                f"{len(shown)} of {len(tests)} tests, those of "
                f"{' and '.join(names[best.label] for best in _best(comparison))}, the most "
                "accurate; --json and --html have all",
            )
        for line in paired_test.explanation(tests):
            _say(console, line)
    for line in untestable_lines(untestable, names):
        _say(console, line)


def _best(comparison: Comparison) -> list[Contender]:
    """The most accurate on each data set."""
    groups = [group.contenders for group in comparison.groups]
    return [max(group, key=lambda contender: contender.accuracy.mean) for group in groups]


def _of_the_best(comparison: Comparison) -> list[PairedTest]:
    best = {contender.label for contender in _best(comparison)}
    return [test for test in comparison.paired.tests if best & {test.first, test.second}]


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False)
