"""The tables of a comparison, for a terminal and for a page: columns, and rows of values."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hpsearch.report.comparison import Comparison, Difference, confusions, pair_name
from hpsearch.report.contenders import Contender
from hpsearch.report.paired_test import PairedTest, Untestable
from hpsearch.report.terminal import show_spread

MOST = 5  # rows of each kind
_CONFUSIONS = ((3, 5), (6, 3))  # up to so many contenders, so many of each; of more one each
_HEADINGS = 50  # characters that contenders' names may take as headings of columns


class Table(NamedTuple):
    """Rows under columns."""

    columns: list[str]
    rows: list[list[object]]


def short_names(contenders: Sequence[Contender]) -> dict[str, str]:
    """By label: without the study where all are configurations of one."""
    alone = len({contender.study for contender in contenders}) == 1
    return {c.label: (c.configuration or c.label) if alone else c.label for c in contenders}


def figures_table(comparison: Comparison, names: dict[str, str]) -> Table:
    """A row a contender."""
    return Table(
        ["contender", "accuracy", "loss", "seeds", "seconds", "parameters", "images/s"],
        [
            [
                names[contender.label],
                show_spread(contender.accuracy.mean, contender.accuracy.std),
                f"{contender.loss.mean:.4f}",
                len(contender.networks),
                round(contender.train_seconds, 1),
                contender.num_parameters,
                round(contender.images_per_s),
            ]
            for contender in comparison.contenders
        ],
    )


def figures_note(comparison: Comparison, names: dict[str, str]) -> str:
    """What the table of figures has, and on which data sets where there are several."""
    note = (
        "Accuracy and loss on the test set: mean ± sample standard deviation over the seeds; "
        "seconds of training a network; training images a second."
    )
    datasets = dict.fromkeys(contender.dataset for contender in comparison.contenders)
    if len(datasets) == 1:
        return note
    who = {d: [names[c.label] for c in comparison.contenders if c.dataset == d] for d in datasets}
    listed = "; ".join(f"{dataset}: {', '.join(labels)}" for dataset, labels in who.items())
    return f"{note} Test sets: {listed}."


def confusions_table(comparison: Comparison, names: dict[str, str]) -> Table:
    """The pairs of classes that each contender confuses most."""
    count = len(comparison.contenders)
    most = next((most for contenders, most in _CONFUSIONS if count <= contenders), 1)
    return Table(
        ["contender", "true → predicted", "share"],
        [
            [
                names[contender.label] if index == 0 else "",
                pair_name(confusion.true, confusion.predicted),
                _share(confusion.share),
            ]
            for contender in comparison.contenders
            for index, confusion in enumerate(confusions(contender)[:most])
        ],
    )


def differences_table(differences: list[Difference], names: Sequence[str]) -> Table:
    """The largest of some differences: a column a contender, of many the least and the most."""
    are_recalls = bool(differences) and differences[0].true == differences[0].predicted
    what = "class" if are_recalls else "true → predicted"
    largest = differences[:MOST]
    if sum(map(len, names)) <= _HEADINGS:
        columns = [what, *names, "differ by"]
        return Table(columns, [[_what(d), *map(_share, (*d.shares, d.size))] for d in largest])
    return Table(
        [what, "least", "of", "most", "of", "differ by"],
        [[_what(d), *_extremes(d, names), _share(d.size)] for d in largest],
    )


def _extremes(difference: Difference, names: Sequence[str]) -> list[str]:
    """The least share and the largest, and whose they are."""
    shares = difference.shares
    least, most = shares.index(min(shares)), shares.index(max(shares))
    return [_share(shares[least]), names[least], _share(shares[most]), names[most]]


def _what(difference: Difference) -> str:
    if difference.true == difference.predicted:
        return difference.true
    return pair_name(difference.true, difference.predicted)


def _share(share: float) -> str:
    return f"{share:.4f}"


def tests_table(tests: list[PairedTest], names: dict[str, str]) -> Table:
    """A row a test; with several their corrected p-values, too."""
    several = len(tests) > 1
    holm = ["p (Holm)"] if several else []
    return Table(
        ["A", "B", "A - B", "b", "c", "p", *holm, "difference is"],
        [
            [
                names[test.first],
                names[test.second],
                f"{test.difference:+.4f}",
                test.b,
                test.c,
                show_p_value(test.p_value),
                *([show_p_value(test.p_corrected)] if several else []),
                verdict(test),
            ]
            for test in tests
        ],
    )


def verdict(test: PairedTest) -> str:
    """A test's outcome in words."""
    return "more than chance" if test.is_significant else "may be chance"


def show_p_value(p_value: float) -> str:
    """Two digits of it, if a float has them."""
    return f"{p_value:.2g}" if p_value >= 1e-300 else "< 1e-300"


def untestable_lines(pairs: Sequence[Untestable], names: Mapping[str, str]) -> list[str]:
    """Why there is no test, a line a reason."""
    by_reason: dict[str, list[Untestable]] = {}
    for pair in pairs:
        by_reason.setdefault(pair.reason, []).append(pair)
    return [
        f"no test of {names[alike[0].first]} and {names[alike[0].second]}: {reason}"
        if len(alike) == 1
        else f"no test of {len(alike)} pairs: {reason}"
        for reason, alike in by_reason.items()
    ]
