import csv
import io
import json

import pytest
from made_contenders import LABELS, add_fixed_set, add_search
from rich.console import Console
from small_studies import new_database

from hpsearch.home import Home
from hpsearch.report.compared import print_comparison
from hpsearch.report.comparison import (
    Comparison,
    Confusion,
    Difference,
    compare,
    comparison_as_json,
    comparison_csv,
    confusions,
)
from hpsearch.report.comparison_tables import show_p_value
from hpsearch.report.contenders import load_contenders

# true classes 0, 0, 0, 0, 1, 1, 1, 1, 2, 2
RIGHT = LABELS.tolist()
MIXED = [0, 0, 1, 1, 1, 1, 1, 0, 2, 7]  # 0 as 1: 1/2; 1 as 0: 1/4; 2 as 7: 1/2
OTHER = [0, 0, 0, 1, 1, 1, 1, 0, 2, 2]  # 0 as 1: 1/4; 1 as 0: 1/4


def made(home: Home, *names: str) -> Comparison:
    with new_database(home) as database:
        add_search(database, home, "one", [MIXED, RIGHT])
        add_search(database, home, "two", [OTHER])
        add_search(database, home, "mnist", [RIGHT], dataset="mnist")
        sets = {f"configuration-{i}": [RIGHT] for i in range(12)} | {"=1+2": [MIXED], "new": []}
        add_fixed_set(database, home, "set", sets)
        return compare(load_contenders(database, names, home=home))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def pair(home: Home) -> Comparison:
    return made(home, "one", "two")


def test_confusions_are_shares_of_the_true_class_most_first(pair: Comparison) -> None:
    assert confusions(pair.contenders[0]) == [
        Confusion("0", "1", 0.25),  # the mean of 1/2 and 0
        Confusion("2", "7", 0.25),
        Confusion("1", "0", 0.125),
    ]


def test_contenders_on_one_data_set_part_where_their_shares_do(pair: Comparison) -> None:
    (group,) = pair.groups
    assert group.confusions == [
        Difference("2", "7", (0.25, 0.0)),
        Difference("1", "0", (0.125, 0.25)),
    ]
    assert group.recalls == [
        Difference("2", "2", (0.75, 1.0)),
        Difference("1", "1", (0.875, 0.75)),
    ]
    assert [difference.size for difference in group.confusions] == [0.25, 0.125]


def test_the_table_as_csv_has_a_row_a_contender_in_full_precision(pair: Comparison) -> None:
    first, second = csv.DictReader(io.StringIO(comparison_csv(pair)))
    loss = pair.contenders[0].loss
    assert first == {
        "contender": "one",
        "study": "one",
        "configuration": "",
        "dataset": "digits",
        "accuracy": "0.8",
        "accuracy_std": str(pair.contenders[0].accuracy.std),
        "loss": str(loss.mean),
        "loss_std": str(loss.std),
        "networks": "2",
        "train_seconds": "5.5",
        "parameters": "610",
        "images_per_s": "40.0",
        "confused_1": "0 → 1",
        "confused_1_share": "0.25",
        "confused_2": "2 → 7",
        "confused_2_share": "0.25",
        "confused_3": "1 → 0",
        "confused_3_share": "0.125",
    }
    assert float(first["accuracy_std"]) == pytest.approx(0.2 * 2**0.5)
    assert second["confused_3"] == second["confused_3_share"] == ""


def test_json_has_everything(pair: Comparison) -> None:
    document = json.loads(json.dumps(comparison_as_json(pair), allow_nan=False))
    one, two = document["contenders"]
    assert (one["contender"], one["accuracy"], two["accuracy"]) == ("one", 0.8, 0.8)
    assert [(seed["seed"], seed["accuracy"]) for seed in one["seeds"]] == [(0, 0.6), (1, 1.0)]
    assert one["representative_seed"] == 0
    assert one["recall"]["0"] == 0.75
    assert one["confusions"][2] == {"true": "1", "predicted": "0", "share": 0.125}
    (group,) = document["differences"]
    assert group["contenders"] == ["one", "two"]
    assert group["recalls"][0] == {"class": "2", "shares": [0.75, 1.0], "size": 0.25}
    test = document["test"]
    assert test["name"] == "McNemar's exact test"
    assert "Psychometrika" in test["source"]
    assert "Dietterich 1998" in test["source"]
    (paired,) = test["pairs"]
    # one's median network is seed 0's; images 2 and 9 only the other got right
    assert (paired["b"], paired["c"], paired["p_value"]) == (0, 2, 0.5)
    assert paired["difference"] == pytest.approx(-0.2)
    assert paired["more_than_chance"] is False
    assert test["untestable"] == document["untested"] == []


def printed(comparison: Comparison, *, width: int) -> str:
    out = io.StringIO()
    print_comparison(Console(file=out, width=width, highlight=False), comparison)
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_a_comparison_of_two_fits_into_a_terminal(pair: Comparison, width: int) -> None:
    text = printed(pair, width=width)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    assert "0.8000 ± 0.2828" in lines[1]
    assert lines[2].split()[:2] == ["two", "0.8000"]
    assert "±" not in lines[2], "one seed has no deviation"
    assert "-0.2000  0  2  0.5  may be chance" in text
    for part in ("McNemar's exact test", "Dietterich 1998", "Is the difference in test accuracy"):
        assert part in text
    assert "Holm" not in text


def test_contenders_on_different_data_sets_have_no_test_and_no_differences(home: Home) -> None:
    with new_database(home) as database:
        comparison = compare(load_contenders(database, ["one", "mnist", "two"], home=home))
    text = printed(comparison, width=120)
    assert [group.contenders for group in comparison.groups] == [
        (comparison.contenders[0], comparison.contenders[2])
    ]
    reason = "digits and mnist are different data sets"
    assert f"no test of one and mnist: {reason}" in " ".join(text.split())
    assert len(comparison.paired.tests) == 1
    assert comparison_as_json(comparison)["test"]["untestable"][0]["first"] == "one"


def test_a_whole_set_is_named_short_and_has_the_extremes_and_the_tests_of_the_best(
    home: Home,
) -> None:
    with new_database(home) as database:
        comparison = compare(load_contenders(database, ["set"], home=home))
    text = printed(comparison, width=80)
    lines = text.splitlines()
    assert lines[1].split()[:2] == ["configuration-0", "1.0000"]
    assert lines[13].split()[:2] == ["=1+2", "0.6000"]
    assert "0 → 1             0.0000  configuration-0  0.5000  =1+2  0.5000" in text
    assert "12 of 78 tests, those of configuration-0, the most accurate" in " ".join(text.split())
    assert text.count("may be chance") == 12
    assert "set:configuration-0" not in text
    assert "p (Holm)" in text
    assert f"{13 * 12 // 2} tests" in text
    assert text.rstrip().endswith("not tested yet, so left out: set:new")
    assert comparison_as_json(comparison)["untested"] == ["set:new"]
    last = list(csv.DictReader(io.StringIO(comparison_csv(comparison))))[-1]
    assert last["configuration"] == "'=1+2", "no formula"


@pytest.mark.parametrize(
    ("p_value", "text"),
    [(1.0, "1"), (0.038574, "0.039"), (6.42e-14, "6.4e-14"), (0.0, "< 1e-300")],
)
def test_a_p_value_is_shown_with_two_digits(p_value: float, text: str) -> None:
    assert show_p_value(p_value) == text
