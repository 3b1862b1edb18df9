"""A comparison in the terminal."""

from collections.abc import Sequence

from rich.console import Console

from hpsearch.report import paired_test
from hpsearch.report.comparison import (
    Comparison,
    Difference,
    Group,
    confusions,
    pair_name,
)
from hpsearch.report.contenders import Contender, Spread
from hpsearch.report.paired_test import PairedTest
from hpsearch.report.terminal import print_table

_MOST = 5  # rows of each kind
_FEW = 3  # contenders, of whom so many confusions each are shown
_HEADINGS = 50  # characters that contenders' names may take as headings of columns


def print_comparison(console: Console, comparison: Comparison) -> None:
    """Figures, confusions, differences and the paired tests."""
    names = short_names(comparison.contenders)
    _print_figures(console, comparison.contenders, names)
    _print_confusions(console, comparison.contenders, names)
    for group in comparison.groups:
        _print_differences(console, group, names)
    _print_tests(console, comparison, names)
    if comparison.untested:
        _say(console, f"\nnot tested yet, so left out: {', '.join(comparison.untested)}")


def short_names(contenders: Sequence[Contender]) -> dict[str, str]:
    """By label: without the study where all are configurations of one."""
    alone = len({contender.study for contender in contenders}) == 1
    return {c.label: (c.configuration or c.label) if alone else c.label for c in contenders}


def _print_figures(
    console: Console, contenders: Sequence[Contender], names: dict[str, str]
) -> None:
    numbered, several = _are_numbered(names), len({c.dataset for c in contenders}) > 1
    columns = ["contender", "accuracy", "loss", "seeds", "seconds", "parameters", "images/s"]
    rows: list[list[object]] = [
        [
            names[contender.label],
            _shown(contender.accuracy, contender),
            _shown(contender.loss, contender),
            len(contender.networks),
            round(contender.train_seconds, 1),
            contender.num_parameters,
            round(contender.images_per_s),
        ]
        for contender in contenders
    ]
    if several:
        columns.insert(1, "data set")
        for row, contender in zip(rows, contenders, strict=True):
            row.insert(1, contender.dataset)
    if numbered:
        columns.insert(0, "")
        for row, number in zip(rows, _numbers(names).values(), strict=True):
            row.insert(0, number)
    print_table(console, columns, rows)
    _say(
        console,
        "accuracy and loss on the test set, mean ± sample standard deviation over the seeds; "
        "seconds of training a network; training images a second",
    )


def _shown(spread: Spread, contender: Contender) -> str:
    if len(contender.networks) == 1:
        return f"{spread.mean:.4f}"
    return f"{spread.mean:.4f} ± {spread.std:.4f}"


def _are_numbered(names: dict[str, str]) -> bool:
    """Whether names are too long to head the columns of a table."""
    return sum(map(len, names.values())) > _HEADINGS


def _numbers(names: dict[str, str]) -> dict[str, str]:
    return {label: f"#{number}" for number, label in enumerate(names, start=1)}


def _print_confusions(
    console: Console, contenders: Sequence[Contender], names: dict[str, str]
) -> None:
    most = _MOST if len(contenders) <= _FEW else _FEW
    _say(console, "\nmost confused, as shares of the true class, mean over the seeds:")
    rows = [
        [
            names[contender.label] if index == 0 else "",
            pair_name(confusion.true, confusion.predicted),
            f"{confusion.share:.4f}",
        ]
        for contender in contenders
        for index, confusion in enumerate(confusions(contender)[:most])
    ]
    print_table(console, ["contender", "true → predicted", "share"], rows)


def _print_differences(console: Console, group: Group, names: dict[str, str]) -> None:
    headings = _numbers(names) if _are_numbered(names) else names
    columns = [*(headings[contender.label] for contender in group.contenders), "differ by"]
    for title, first, differences in (
        ("confusions that differ most", "true → predicted", group.confusions),
        ("classes whose recall differs most", "class", group.recalls),
    ):
        _say(console, f"\n{title}, {group.dataset}:")
        rows = [[_what(d), *_figures(d)] for d in differences[:_MOST]]
        print_table(console, [first, *columns], rows)


def _what(difference: Difference) -> str:
    if difference.true == difference.predicted:
        return difference.true
    return pair_name(difference.true, difference.predicted)


def _figures(difference: Difference) -> list[str]:
    return [f"{share:.4f}" for share in (*difference.shares, difference.size)]


def _print_tests(console: Console, comparison: Comparison, names: dict[str, str]) -> None:
    tests, untestable = comparison.paired
    _say(console, "\nIs the difference in test accuracy more than chance?")
    if tests:
        several = len(tests) > 1
        holm = ["p (Holm)"] if several else []
        columns = ["A", "B", "A - B", "b", "c", "p", *holm, "difference is"]
        print_table(console, columns, [_test_row(test, names, several=several) for test in tests])
        for line in paired_test.explanation(tests):
            _say(console, line)
    for pair in untestable:
        _say(console, f"no test of {names[pair.first]} and {names[pair.second]}: {pair.reason}")


def _test_row(test: PairedTest, names: dict[str, str], *, several: bool) -> list[object]:
    return [
        names[test.first],
        names[test.second],
        f"{test.difference:+.4f}",
        test.b,
        test.c,
        show_p_value(test.p_value),
        *([show_p_value(test.p_corrected)] if several else []),
        verdict(test),
    ]


def verdict(test: PairedTest) -> str:
    """A test's outcome in words."""
    return "more than chance" if test.is_significant else "may be chance"


def show_p_value(p_value: float) -> str:
    """Two digits of it, if a float has them."""
    return f"{p_value:.2g}" if p_value >= 1e-300 else "< 1e-300"


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False)
