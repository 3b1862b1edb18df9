"""Whether two contenders' difference in test accuracy is more than chance.

McNemar's exact test: an image that only one of two networks got right is as likely the one's as the
other's if they are equally good, so the counts of such images are binomial with 1/2.

* McNemar, Q. (1947). Note on the sampling error of the difference between correlated proportions or
  percentages. Psychometrika 12, 153-157.
* Dietterich, T. G. (1998). Approximate statistical tests for comparing supervised classification
  learning algorithms. Neural Computation 10(7), 1895-1923: for networks that were trained once.
* Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of
  Statistics 6, 65-70.

What it does not say: how much another seed would change. That is what the deviation over the seeds
shows; the test compares one network of each contender.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from hpsearch.report.contenders import Answers, Contender, Network

ALPHA = 0.05  # from which p on a difference counts as possibly chance

NAME = "McNemar's exact test"
SOURCE = (
    "McNemar 1947, Psychometrika 12; for one trained network each: Dietterich 1998, "
    "Neural Computation 10(7)"
)
CORRECTION = "Holm's method (Holm 1979, Scandinavian Journal of Statistics 6)"


@dataclass(frozen=True)
class PairedTest:
    """One test: the representative networks of two contenders on the same images."""

    first: str  # contenders' labels
    second: str
    first_seed: int  # of the networks that were compared
    second_seed: int
    num_images: int
    b: int  # images that only the first one's network got right
    c: int  # images that only the second one's network got right
    p_value: float  # two-sided
    p_corrected: float  # for the number of tests; the same if there is one

    @property
    def difference(self) -> float:
        """In accuracy, the first network's minus the second's."""
        return (self.b - self.c) / self.num_images

    @property
    def is_significant(self) -> bool:
        """Whether the difference is more than chance, at the level `ALPHA`."""
        return self.p_corrected < ALPHA


@dataclass(frozen=True)
class Untestable:
    """Two contenders between whom there is no test."""

    first: str
    second: str
    reason: str


class PairedTests(NamedTuple):
    """Every pair of contenders: tested, or why not."""

    tests: list[PairedTest]
    untestable: list[Untestable]


def mcnemar_p_value(b: int, c: int) -> float:
    """The two-sided exact p-value of `b` against `c` discordant images; 1 if there are none."""
    return float(binomtest(b, b + c, 0.5).pvalue) if b + c else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values corrected for their number, in their own order."""
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(np.argsort(p_values, kind="stable").tolist()):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected


def run_paired_tests(contenders: Sequence[Contender]) -> PairedTests:
    """Test each pair of contenders that were tested on the same images."""
    tests, untestable = [], []
    for first, second in combinations(contenders, 2):
        if reason := _why_not(first, second):
            untestable.append(Untestable(first.label, second.label, reason))
        else:
            tests.append(_test(first, second))
    corrected = holm([test.p_value for test in tests])
    return PairedTests(
        [replace(test, p_corrected=p) for test, p in zip(tests, corrected, strict=True)],
        untestable,
    )


def _why_not(first: Contender, second: Contender) -> str:
    if first.dataset != second.dataset:
        return (
            f"{first.dataset} and {second.dataset} are different data sets; "
            "a paired test needs the same test images"
        )
    one, other = first.representative.answers, second.representative.answers
    if isinstance(one, str):
        return one
    if isinstance(other, str):
        return other
    if not np.array_equal(one.labels, other.labels):
        return f"they were tested on different images of {first.dataset}"
    return ""


def _right(network: Network) -> NDArray[np.bool_]:
    """(N,) which test images a network got right."""
    assert isinstance(network.answers, Answers), "seen before"
    right: NDArray[np.bool_] = network.answers.predicted == network.answers.labels
    return right


def _test(first: Contender, second: Contender) -> PairedTest:
    one, other = first.representative, second.representative
    one_right, other_right = _right(one), _right(other)
    b, c = int((one_right & ~other_right).sum()), int((other_right & ~one_right).sum())
    p_value = mcnemar_p_value(b, c)
    return PairedTest(
        first=first.label,
        second=second.label,
        first_seed=one.seed,
        second_seed=other.seed,
        num_images=len(one_right),
        b=b,
        c=c,
        p_value=p_value,
        p_corrected=p_value,
    )


def explanation(tests: Sequence[PairedTest]) -> list[str]:
    """What the tests are, and what they do not say, in sentences; there is at least one test."""
    images = " or ".join(f"{n:,}" for n in sorted({test.num_images for test in tests}))
    lines = [
        f"{NAME}, two-sided ({SOURCE}), on the same {images} test images, between each "
        "contender's network of median accuracy over its seeds.",
        "A - B: the difference of these two networks' accuracies. b: images that only A's got "
        "right; c: only B's. p: how likely so uneven a split, or a more uneven one, is if both are "
        f"equally good; below {ALPHA:g} it is more than chance.",
    ]
    if len(tests) > 1:
        lines.append(f"As there are {len(tests)} tests, p is corrected by {CORRECTION}.")
    lines.append(
        "p speaks of the choice of test images; training's own randomness, what another seed would "
        "change, is what the ± shows, and not in p."
    )
    return lines
