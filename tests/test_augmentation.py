from typing import Any

import pytest
from small_studies import small_study

from hpsearch.augmentation import Augmentation, augmentation_in_words, augmentation_of
from hpsearch.configuration import Configuration, resolve
from hpsearch.mistakes import MistakeError
from hpsearch.pages.question import protocol_table
from hpsearch.space import Float
from hpsearch.studyparser import parse_study

SPACE = {"dense.units": 8}


def augmented(space: dict[str, Any] | None = None, **table: Any) -> Any:
    return small_study(augmentation=table, space={**SPACE, **(space or {})})


@pytest.mark.parametrize(
    ("values", "augmentation"),
    [
        ({}, None),
        ({"augmentation.shift": 0, "augmentation.noise": 0, "dropout": 0.5}, None),
        ({"augmentation.horizontal_flip": False}, None),
        ({"augmentation.horizontal_flip": True}, Augmentation(horizontal_flip=0.5)),
        ({"augmentation.vertical_flip": 1}, Augmentation(vertical_flip=1.0)),
        (
            {"augmentation.rotation": 10, "augmentation.shift": 2},
            Augmentation(rotation=10.0, shift=2),
        ),
    ],
)
def test_what_changes_nothing_is_no_augmentation_and_true_is_half(
    values: Any, augmentation: Augmentation | None
) -> None:
    assert augmentation_of(values) == augmentation


def test_a_configuration_has_it_and_is_the_same_again_after_json() -> None:
    configuration = resolve({"augmentation.shift": 2}, model="cnn")
    assert configuration.augmentation == Augmentation(shift=2)
    again = Configuration.model_validate_json(configuration.model_dump_json())
    assert again == configuration
    assert again.fingerprint != resolve({}, model="cnn").fingerprint


def test_the_table_holds_for_every_trial_and_is_part_of_the_study() -> None:
    none, some = small_study(space=SPACE), augmented(shift=2, horizontal_flip=True)
    configuration = some.configuration(some.space.replay({}))
    assert configuration.augmentation == Augmentation(shift=2, horizontal_flip=0.5)
    assert some.fingerprint != none.fingerprint
    assert some.differences(none.document) == [
        "augmentation.horizontal_flip: (absent) -> true",
        "augmentation.shift: (absent) -> 2",
    ]
    assert parse_study(some.document, name="small") == some


def test_an_empty_table_is_none() -> None:
    assert augmented().fingerprint == small_study(space=SPACE).fingerprint
    assert "augmentation" not in augmented().document


def test_the_default_written_out_makes_the_same_trainings() -> None:
    spec = augmented(shift=0, noise=0)
    assert spec.configuration(spec.space.replay({})).augmentation is None


def test_values_may_be_searched() -> None:
    searched = {"augmentation": {"rotation": {"low": 0, "high": 30}}, "augmentation.shift": [0, 2]}
    spec = augmented(searched, noise=0.1)
    domains = {p.name: p.domain for p in spec.space.parameters}
    assert domains["augmentation.rotation"] == Float(0.0, 30.0)
    values = spec.space.replay({"augmentation.rotation": 5.0, "augmentation.shift": 2})
    expected = Augmentation(rotation=5.0, shift=2, noise=0.1)
    assert spec.configuration(values).augmentation == expected


def test_configurations_of_a_fixed_set_may_differ_in_it() -> None:
    content = {
        "dataset": "digits",
        "model": "mlp",
        "augmentation": {"noise": 0.1},
        "configurations": {"plain": {}, "turned": {"augmentation": {"rotation": 5}}},
    }
    spec = parse_study(content, name="set")
    plain, turned = (named.configuration.augmentation for named in spec.configurations)
    assert (plain, turned) == (Augmentation(noise=0.1), Augmentation(noise=0.1, rotation=5.0))
    assert parse_study(spec.document, name="set") == spec


BAD: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"shfit": 2}, {}, r"augmentation\.shfit: unknown key \(did you mean augmentation\.shift\?\)"),
    ({"shift": 1.5}, {}, r"augmentation\.shift: 1\.5 is not allowed; it should be a valid integer"),
    ({"shift": -1}, {}, r"augmentation\.shift: -1 is not allowed"),
    ({"shift": 8}, {}, r"augmentation\.shift: 8 pixels .* images of 8 x 8 are left empty"),
    ({"horizontal_flip": 1.1}, {}, r"augmentation\.horizontal_flip: 1\.1 is not allowed"),
    ({"horizontal_flip": "yes"}, {}, r"augmentation\.horizontal_flip: 'yes' is not allowed"),
    ({"rotation": 181}, {}, r"augmentation\.rotation: 181\.0 is not allowed"),
    ({"rotation": True}, {}, r"augmentation\.rotation: True is not allowed"),
    ({"random_erasing": -0.1}, {}, r"augmentation\.random_erasing: -0\.1 is not allowed"),
    ({"noise": float("nan")}, {}, r"augmentation\.noise: nan is not a finite number"),
    ({"noise": [0.1, 0.2]}, {}, r"augmentation\.noise: must be one value; .* goes to \[space\]"),
    ({"noise": 0.1}, {"augmentation.noise": 0.2}, r"chosen in \[augmentation\]; keep one"),
    ({}, {"augmentation.shift": {"low": 0, "high": 9}}, r"space\.augmentation\.shift: 9 pixels"),
    ({}, {"augmentation.shift": {"low": 0, "high": 1.5}}, r"shift takes whole numbers"),
]


@pytest.mark.parametrize(("table", "space", "message"), BAD, ids=[bad[2][:40] for bad in BAD])
def test_a_mistake_is_named(table: Any, space: Any, message: str) -> None:
    with pytest.raises(MistakeError, match=message):
        augmented(space, **table)


def test_it_is_told_in_words() -> None:
    assert augmentation_in_words({}) == "none"
    assert augmentation_in_words({"shift": 2, "vertical_flip": True, "noise": 0.0}) == (
        "shift 2, vertical_flip 0.5"
    )
    rows = {row[0].text: row[1].text for row in protocol_table(augmented(shift=1).document).rows}
    assert rows["augmentation"] == "shift 1"
