"""Contenders side by side: their figures, confusions and differences, as rows, CSV and JSON."""

from dataclasses import asdict, dataclass
from itertools import permutations
from typing import Any

import numpy as np

from hpsearch.report import paired_test
from hpsearch.report.contenders import Contender, Found
from hpsearch.report.paired_test import PairedTests, run_paired_tests
from hpsearch.report.spreadsheet import csv_text

_CSV_CONFUSIONS = 3  # pairs of classes in a contender's row of the CSV table


@dataclass(frozen=True)
class Confusion:
    """Images of one class taken for another."""

    true: str
    predicted: str
    share: float  # of the true class, mean over a contender's networks


@dataclass(frozen=True)
class Difference:
    """Where contenders on one data set part: a share of a true class for each of them."""

    true: str
    predicted: str  # the true class itself: the share is its recall
    shares: tuple[float, ...]  # in the order of the contenders

    @property
    def size(self) -> float:
        """Between the largest share and the smallest."""
        return max(self.shares) - min(self.shares)


@dataclass(frozen=True)
class Group:
    """Two contenders or more that were tested on one data set."""

    dataset: str
    contenders: tuple[Contender, ...]
    confusions: list[Difference]  # pairs of classes, those that differ most first
    recalls: list[Difference]  # classes, those that differ most first


@dataclass(frozen=True)
class Comparison:
    """All that is compared."""

    contenders: tuple[Contender, ...]
    groups: list[Group]  # by data set, in the order of first appearance
    paired: PairedTests
    untested: list[str]  # configurations that were asked for and have no test result yet


def compare(found: Found) -> Comparison:
    """Compare contenders, of which there are at least two."""
    contenders = tuple(found.contenders)
    datasets = dict.fromkeys(contender.dataset for contender in contenders)
    members = [tuple(c for c in contenders if c.dataset == dataset) for dataset in datasets]
    return Comparison(
        contenders=contenders,
        groups=[_group(alike) for alike in members if len(alike) > 1],
        paired=run_paired_tests(contenders),
        untested=found.untested,
    )


def _group(contenders: tuple[Contender, ...]) -> Group:
    names = contenders[0].class_names
    pairs = [
        Difference(names[true], names[taken], _shares(contenders, true, taken))
        for true, taken in permutations(range(len(names)), 2)
    ]
    recalls = [Difference(name, name, _shares(contenders, i, i)) for i, name in enumerate(names)]
    return Group(contenders[0].dataset, contenders, _largest_first(pairs), _largest_first(recalls))


def _shares(contenders: tuple[Contender, ...], true: int, taken: int) -> tuple[float, ...]:
    return tuple(float(contender.shares[true, taken]) for contender in contenders)


def _largest_first(differences: list[Difference]) -> list[Difference]:
    """Those that are any, in a stable order."""
    return sorted((d for d in differences if d.size > 0), key=lambda d: -d.size)


def pair_name(true: str, predicted: str) -> str:
    """A pair of classes, the true one first."""
    return f"{true} → {predicted}"


def confusions(contender: Contender) -> list[Confusion]:
    """The pairs of classes that a contender confuses, most first."""
    names, shares = contender.class_names, contender.shares
    off_diagonal = np.where(np.eye(len(names), dtype=bool), 0, shares)
    ranked = np.argsort(-off_diagonal, axis=None, kind="stable").tolist()
    cells = [divmod(cell, len(names)) for cell in ranked]
    return [
        Confusion(names[true], names[taken], float(shares[true, taken]))
        for true, taken in cells
        if off_diagonal[true, taken] > 0
    ]


_FIGURES = (
    "accuracy",
    "accuracy_std",
    "loss",
    "loss_std",
    "networks",
    "train_seconds",
    "parameters",
    "images_per_s",
)


def _figures(contender: Contender) -> dict[str, float | None]:
    """By the names of `_FIGURES`."""
    values: tuple[float | None, ...] = (
        contender.accuracy.mean,
        contender.accuracy.std,
        contender.loss.mean,
        contender.loss.std,
        len(contender.networks),
        contender.train_seconds,
        contender.num_parameters,
        contender.images_per_s,
    )
    return dict(zip(_FIGURES, values, strict=True))


def comparison_csv(comparison: Comparison) -> str:
    """A row a contender, as RFC 4180 CSV in full precision."""
    numbers = range(1, _CSV_CONFUSIONS + 1)
    pairs = [(f"confused_{n}", f"confused_{n}_share") for n in numbers]
    return csv_text(
        ["contender", "study", "configuration", "dataset", *_FIGURES]
        + [column for pair in pairs for column in pair],
        [
            [
                contender.label,
                contender.study,
                contender.configuration,
                contender.dataset,
                *_figures(contender).values(),
                *_confusion_cells(contender),
            ]
            for contender in comparison.contenders
        ],
    )


def _confusion_cells(contender: Contender) -> list[object]:
    found = confusions(contender)[:_CSV_CONFUSIONS]
    cells: list[object] = [
        cell for one in found for cell in (pair_name(one.true, one.predicted), one.share)
    ]
    return cells + [None] * (2 * _CSV_CONFUSIONS - len(cells))


def comparison_as_json(comparison: Comparison) -> dict[str, Any]:
    """Everything, in full precision."""
    return {
        "contenders": [_contender_as_json(contender) for contender in comparison.contenders],
        "differences": [_group_as_json(group) for group in comparison.groups],
        "test": {
            "name": paired_test.NAME,
            "source": paired_test.SOURCE,
            "correction": paired_test.CORRECTION,
            "alpha": paired_test.ALPHA,
            "pairs": [
                {**asdict(t), "difference": t.difference, "more_than_chance": t.is_significant}
                for t in comparison.paired.tests
            ],
            "untestable": [asdict(pair) for pair in comparison.paired.untestable],
        },
        "untested": comparison.untested,
    }


def _contender_as_json(contender: Contender) -> dict[str, Any]:
    shares = contender.shares
    return {
        "contender": contender.label,
        "study": contender.study,
        "configuration": contender.configuration,
        "dataset": contender.dataset,
        **_figures(contender),
        "representative_seed": contender.representative.seed,
        "seeds": [
            {
                "seed": network.seed,
                "accuracy": network.evaluation.accuracy,
                "loss": network.evaluation.loss,
                "epochs": network.evaluation.epochs,
                "train_seconds": network.evaluation.train_seconds,
                "images_per_s": network.images_per_s,
            }
            for network in contender.networks
        ],
        "recall": dict(zip(contender.class_names, np.diag(shares).tolist(), strict=True)),
        "confusions": [asdict(confusion) for confusion in confusions(contender)],
    }


def _group_as_json(group: Group) -> dict[str, Any]:
    return {
        "dataset": group.dataset,
        "contenders": [contender.label for contender in group.contenders],
        "confusions": [{**asdict(d), "size": d.size} for d in group.confusions],
        "recalls": [{"class": d.true, "shares": d.shares, "size": d.size} for d in group.recalls],
    }
