from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_contenders import LABELS, add_search
from small_studies import new_database

from hpsearch.home import Home
from hpsearch.report.comparison_tables import untestable_lines
from hpsearch.report.contenders import Contender, load_contenders
from hpsearch.report.paired_test import (
    PairedTests,
    Untestable,
    explanation,
    holm,
    mcnemar_p_value,
    run_paired_tests,
)
from hpsearch.storage.database import Database


@pytest.mark.parametrize(
    ("b", "c", "p_value"),
    [
        (0, 0, 1.0),
        (1, 0, 1.0),  # 2 x 1/2
        (3, 3, 1.0),
        (5, 0, 2 / 2**5),
        (0, 5, 2 / 2**5),
        (8, 1, 2 * (1 + 9) / 2**9),
        (10, 2, 2 * (1 + 12 + 66) / 2**12),  # 0.038574
        (2, 10, 2 * (1 + 12 + 66) / 2**12),
        (4, 3, 1.0),
        (20, 0, 2 / 2**20),
    ],
)
def test_the_p_value_is_the_sum_of_binomial_probabilities(b: int, c: int, p_value: float) -> None:
    assert mcnemar_p_value(b, c) == pytest.approx(p_value, rel=1e-12)


def test_a_p_value_of_many_images_is_still_one() -> None:
    assert 0 <= mcnemar_p_value(10_000, 0) < 1e-300
    assert mcnemar_p_value(5_000, 5_000) == 1.0


def test_holms_correction_is_that_of_the_worked_example() -> None:
    """Of Wikipedia's article on the method: at 0.05 the fourth and the first are rejected."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holms_correction_rejects_what_the_example_of_hdlsskst_does() -> None:
    """R package HDLSSkST 2.1.0, `Holm`: 0 0 1 0 0 0 1 at 0.05."""
    corrected = holm([0.50, 0.01, 0.001, 0.69, 0.02, 0.05, 0.0025])
    assert [p < 0.05 for p in corrected] == [False, False, True, False, False, False, True]


@given(st.lists(st.floats(0, 1), max_size=10))
def test_corrected_p_values_keep_their_order_and_are_between_p_and_bonferronis(
    p_values: list[float],
) -> None:
    corrected = holm(p_values)
    assert len(corrected) == len(p_values)
    for p, more in zip(p_values, corrected, strict=True):
        assert p <= more <= min(1, len(p_values) * p) or more == pytest.approx(p)
    ranked = sorted(zip(p_values, corrected, strict=True))
    assert [more for _, more in ranked] == sorted(corrected)


@pytest.fixture
def database(home: Home) -> Iterator[Database]:
    with new_database(home) as database:
        yield database


def contenders(database: Database, home: Home, *names: str) -> list[Contender]:
    return load_contenders(database, names, home=home).contenders


def test_discordant_images_are_those_that_one_representative_alone_got_right(
    database: Database, home: Home
) -> None:
    right = LABELS
    first = np.array([0, 0, 0, 1, 1, 1, 1, 1, 9, 9])  # 3, 8 and 9 are wrong
    second = np.array([5, 5, 5, 5, 5, 5, 1, 1, 2, 9])  # 0 to 5 and 9 are wrong
    add_search(database, home, "one", [right, first, [9] * 10])  # of median accuracy: the second
    add_search(database, home, "two", [second])
    tests, untestable = run_paired_tests(contenders(database, home, "one", "two"))
    (test,) = tests
    assert untestable == []
    assert (test.first, test.first_seed, test.second, test.second_seed) == ("one", 1, "two", 0)
    assert (test.num_images, test.b, test.c) == (10, 5, 1)  # 0, 1, 2, 4, 5; 8
    assert test.difference == pytest.approx(0.7 - 0.3)
    assert test.p_value == test.p_corrected == pytest.approx(2 * (1 + 6) / 2**6)
    assert not test.is_significant


def test_more_than_two_contenders_are_corrected_for(database: Database, home: Home) -> None:
    labels = np.zeros(12, np.int64)
    for name, num_wrong in (("a", 0), ("b", 6), ("c", 12)):
        predicted = np.where(np.arange(12) < num_wrong, 1, 0)
        add_search(database, home, name, [predicted], labels=labels)
    tests, _ = run_paired_tests(contenders(database, home, "a", "b", "c"))
    assert [(t.first, t.second, t.b, t.c) for t in tests] == [
        ("a", "b", 6, 0),
        ("a", "c", 12, 0),
        ("b", "c", 6, 0),
    ]
    # 2/64, 2/4096 and 2/64 times 2, 3 and, no smaller than the one before, 2
    assert [t.p_corrected for t in tests] == pytest.approx([4 / 64, 6 / 4096, 4 / 64])
    assert [t.is_significant for t in tests] == [False, True, False]
    assert any("3 tests" in line and "Holm 1979" in line for line in explanation(tests))


def test_contenders_on_different_data_sets_are_not_tested(database: Database, home: Home) -> None:
    add_search(database, home, "one", [LABELS], dataset="mnist")
    add_search(database, home, "two", [LABELS], dataset="fashion-mnist")
    assert run_paired_tests(contenders(database, home, "one", "two")) == PairedTests(
        [],
        [
            Untestable(
                "one",
                "two",
                "mnist and fashion-mnist are different data sets; "
                "a paired test needs the same test images",
            )
        ],
    )


def test_pairs_that_cannot_be_tested_for_one_reason_are_one_line(
    database: Database, home: Home
) -> None:
    for name, dataset in (("a", "mnist"), ("b", "mnist"), ("c", "digits"), ("d", "digits")):
        add_search(database, home, name, [LABELS], dataset=dataset)
    paired = run_paired_tests(contenders(database, home, "a", "b", "c", "d"))
    names = {name: name for name in "abcd"}
    assert len(paired.untestable) == 4
    (line,) = untestable_lines(paired.untestable, names)
    assert line.startswith("no test of 4 pairs: mnist and digits are different data sets")
    assert untestable_lines(paired.untestable[:1], names)[0].startswith("no test of a and c: mnist")


def test_contenders_on_other_images_of_a_data_set_are_not_tested(
    database: Database, home: Home
) -> None:
    add_search(database, home, "one", [LABELS])
    add_search(database, home, "two", [LABELS[::-1]], labels=LABELS[::-1].copy())
    paired = run_paired_tests(contenders(database, home, "one", "two"))
    assert paired.tests == []
    assert paired.untestable[0].reason == "they were tested on different images of digits"


def test_the_explanation_names_test_sources_and_limits(database: Database, home: Home) -> None:
    for name in ("one", "two"):
        add_search(database, home, name, [LABELS])
    tests, _ = run_paired_tests(contenders(database, home, "one", "two"))
    text = " ".join(explanation(tests))
    for part in ("McNemar 1947", "Dietterich 1998", "10 test images", "randomness", "±"):
        assert part in text
    assert "Holm" not in text
