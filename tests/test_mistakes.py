import pytest
from pydantic import TypeAdapter, ValidationError

from hpsearch.algorithms import Positive, Pruner
from hpsearch.mistakes import MistakeError, UnknownKeyError, nearest, wanted
from hpsearch.records import Objective


def test_a_mistake_starts_with_its_key() -> None:
    assert str(MistakeError("space.dropout", "2 is too much")) == "space.dropout: 2 is too much"


def test_an_unknown_key_names_the_nearest_and_all_allowed() -> None:
    error = UnknownKeyError("epoch", ["epochs", "seed"])
    assert str(error) == "epoch: unknown key (did you mean epochs?); allowed: epochs, seed"


def test_nothing_is_suggested_for_what_resembles_nothing() -> None:
    assert nearest("xyz", ["epochs", "seed"]) == ""


@pytest.mark.parametrize(
    ("annotation", "value", "words"),
    [
        (Objective, "accuracy", ["val_accuracy", "val_loss"]),
        (Pruner, {"name": "mediam"}, ["median", "percentile", "halving", "hyperband", "patient"]),
        (Positive, 0, ["it should be greater than or equal to 1"]),
        (Positive, "3", ["it should be a valid integer"]),
    ],
)
def test_what_would_have_been_accepted_is_said_in_words(
    annotation: object, value: object, words: list[str]
) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(annotation).validate_python(value, strict=True)
    for word in words:
        assert word in wanted(caught.value)
    assert "\n" not in wanted(caught.value)
