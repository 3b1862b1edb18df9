from pathlib import Path

import pytest
from small_sets import small_set
from small_studies import small_study

from hpsearch.collection import Budget, collection, trim, trimmed

SEARCH = small_study(final={"seeds": 3}, search={"trials": 50}, training={"epochs": 9})
SET = small_set(training={"epochs": 9}, fixed={"seeds": 3})


def test_the_collection_is_every_shipped_study_with_published_figures(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    fixed = ["d0-fashion", "d0-mnist", "d1-fashion", "d1-mnist", "d2-cnn", "d2-mlp", "d3-fashion"]
    fixed += ["d4-cnn-variants", "d4-mlp-adam", "d4-mlp-dropout", "d4-mlp-sgd"]
    assert [study.name for study in collection()] == [*fixed, "cnn-fashion", "mlp-fashion"]


def test_a_budget_without_limits_changes_nothing() -> None:
    assert trim(SEARCH, Budget()) == SEARCH
    assert trim(SET, Budget(seeds=3, epochs=9, trials=1)) == SET
    assert trimmed(SET, Budget()) == ""
    assert trimmed(SET, Budget(seeds=3, epochs=9, trials=1)) == ""


def test_fewer_epochs_make_another_study() -> None:
    for study in (SEARCH, SET):
        spec = trim(study, Budget(epochs=4))
        assert (spec.training.epochs, spec.name) == (4, f"{study.name}-4-epochs")
        assert spec.description == f"{study.description} (4 of 9 epochs)".strip()
        assert spec.fingerprint != study.fingerprint
        assert trimmed(study, Budget(epochs=4)) == "4 of 9 epochs"


def test_fewer_seeds_of_a_fixed_set_are_the_same_study_to_be_continued() -> None:
    spec = trim(SET, Budget(seeds=1))
    assert (spec.name, spec.fingerprint) == (SET.name, SET.fingerprint)
    assert spec.search.trials == 3
    assert spec.description == SET.description
    assert trimmed(SET, Budget(seeds=1)) == "1 of 3 seeds"


def test_fewer_seeds_of_a_searchs_winner_make_another_study() -> None:
    spec = trim(SEARCH, Budget(seeds=1, epochs=4))
    assert spec.name == "small-4-epochs-1-seeds"
    assert spec.final is not None
    assert spec.final.seeds == 1
    words = trimmed(SEARCH, Budget(seeds=1, epochs=4))
    assert words == "4 of 9 epochs, 1 of 3 seeds"


def test_fewer_trials_are_the_same_search_to_be_continued() -> None:
    spec = trim(SEARCH, Budget(trials=20))
    assert (spec.name, spec.fingerprint) == (SEARCH.name, SEARCH.fingerprint)
    assert spec.search.trials == 20
    assert trimmed(SEARCH, Budget(trials=20)) == "20 of 50 trials"
