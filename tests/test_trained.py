import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from small_sets import small_set
from small_studies import run_small, small_study, stored

from hpsearch.data.files import read_train
from hpsearch.errors import DataError, NothingToShowError, UserError
from hpsearch.home import Home
from hpsearch.pictures import Unreadable
from hpsearch.predict import classify, classify_all, describe_network, probabilities
from hpsearch.trained import Classifier, load_classifier

SPEC = small_study(final={"finalists": 1, "seeds": 3}, training={"subset": None})


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("trained"))
    run_small(SPEC, home, test=True)
    run_small(small_set(), home, test=True)
    return home


def of_search(home: Home, **chosen: int) -> Classifier:
    with stored(home) as record:
        return load_classifier(record, SPEC, home=home, **chosen)


def digits(home: Home) -> tuple[np.ndarray, np.ndarray]:
    return read_train(SPEC.dataset, data_dir=home.root)


def by_hand(home: Home, trial: int, seed: int, pixels: np.ndarray) -> np.ndarray:
    """The probabilities of a network of 8 hidden units, by NumPy, from its weights file."""
    weights = load_file(home.artifacts("small") / f"winner-{trial}-{seed}.safetensors")
    hidden = np.maximum(pixels @ weights["dense1.weight"].T + weights["dense1.bias"], 0)
    powers = np.exp(hidden @ weights["output.weight"].T + weights["output.bias"])
    shares: np.ndarray = powers / powers.sum(1, keepdims=True)
    return shares


def test_the_answer_is_the_mean_probability_of_the_seeds(tested: Home) -> None:
    images, _ = digits(tested)
    classifier = of_search(tested)
    assert classifier.seeds == (0, 1, 2)
    pixels = images.reshape(len(images), -1) / 255
    shares = [by_hand(tested, classifier.trial, seed, pixels) for seed in range(3)]
    found = probabilities(classifier, images)  # more than a batch of them
    assert found.shape == (1437, 10)
    assert np.allclose(found, np.mean(shares, axis=0), atol=1e-5)
    assert np.allclose(
        probabilities(of_search(tested, seed=1), images[:5]), shares[1][:5], atol=1e-5
    )


def test_one_network_gives_its_own_logits_and_several_those_of_their_mean(tested: Home) -> None:
    batch = torch.rand(4, 1, 8, 8)
    with torch.inference_mode():
        single = [of_search(tested, seed=seed)(batch) for seed in range(3)]
        together = of_search(tested)(batch)
    mean = sum(logits.softmax(1) for logits in single) / 3
    assert torch.allclose(together.softmax(1), mean, atol=1e-6)
    assert torch.allclose(together, mean.log(), atol=1e-5)
    assert together.shape == (4, 10)


def test_a_classifier_says_what_it_is(tested: Home) -> None:
    classifier = of_search(tested)
    assert not classifier.training
    assert classifier.class_names == tuple("0123456789")
    assert classifier.image_shape == (1, 8, 8)
    words = f"the mean probability of the networks of seeds 0, 1, 2, trial {classifier.trial}"
    assert describe_network(classifier) == f"{words} of small"
    assert describe_network(of_search(tested, seed=2)).startswith("the network of seed 2, trial")


def test_a_prediction_has_the_likeliest_class_first(tested: Home) -> None:
    images, _ = digits(tested)
    (prediction,) = classify(of_search(tested), images[:1], names=["one.png"])
    assert prediction.image == "one.png"
    assert math.isclose(sum(prediction.probabilities.values()), 1, abs_tol=1e-9)
    first, second, third = prediction.likeliest(3)
    assert first == (prediction.label, prediction.probability)
    assert first[1] == max(prediction.probabilities.values())
    assert first[1] >= second[1] >= third[1]


def test_pictures_that_are_none_are_set_aside(tested: Home) -> None:
    images, _ = digits(tested)
    bad = Unreadable("bad", "no image")
    many = [(str(number), image) for number, image in enumerate(images[:600])]
    answers = classify_all(of_search(tested), [*many[:3], ("bad", bad), *many[3:]])
    assert answers.unreadable == [bad]
    assert [p.image for p in answers.predictions] == [name for name, _ in many]
    assert len(answers.ground_levels) == 600
    assert probabilities(of_search(tested), images[:0]).shape == (0, 10)


def test_of_a_fixed_set_one_configuration_is_named(tested: Home) -> None:
    spec = small_set()
    with stored(tested, "set") as record:
        names = [named.name for named in spec.configurations]
        with pytest.raises(UserError, match="name one of its configurations: --configuration"):
            load_classifier(record, spec, home=tested)
        with pytest.raises(UserError, match="there is no 'other'"):
            load_classifier(record, spec, home=tested, configuration="other")
        seeds = tuple(range(spec.fixed.seeds)) if spec.fixed else ()
        for name in names:
            found = load_classifier(record, spec, home=tested, configuration=name)
            assert found.seeds == seeds
            assert found.configuration == next(
                n.configuration for n in spec.configurations if n.name == name
            )
    with stored(tested) as record, pytest.raises(UserError, match="a search with one winner"):
        load_classifier(record, SPEC, home=tested, configuration="CNN")


def test_there_are_only_the_seeds_that_were_trained(tested: Home) -> None:
    with pytest.raises(UserError, match="no network of seed 7; there are 0, 1, 2"):
        of_search(tested, seed=7)


def test_a_study_without_a_winner_has_no_network(home: Home) -> None:
    run_small(small_study(), home)
    with stored(home) as record, pytest.raises(NothingToShowError, match="no retrained winner"):
        load_classifier(record, small_study(), home=home)


@pytest.fixture
def weights(tested: Home) -> Iterator[Path]:
    """The weights of the first seed, which come back afterwards."""
    path = sorted(tested.artifacts("small").glob("winner-*-0.safetensors"))[0]
    before = path.read_bytes()
    yield path
    path.write_bytes(before)


def test_weights_that_are_gone_damaged_or_a_pickle_are_refused(tested: Home, weights: Path) -> None:
    weights.unlink()
    with pytest.raises(DataError, match="are gone"):
        of_search(tested)
    weights.write_bytes(b"x" * 100)
    with pytest.raises(DataError, match="cannot be read"):
        of_search(tested)
    torch.save({"output.bias": torch.zeros(10)}, weights)
    with pytest.raises(DataError, match="cannot be read"):
        of_search(tested)


def test_weights_of_another_network_are_refused(tested: Home, weights: Path) -> None:
    tensors = load_file(weights)
    save_file({**tensors, "output.bias": np.zeros(9, np.float32)}, weights)
    with pytest.raises(DataError, match=r"of another network: output\.bias"):
        of_search(tested)
    del tensors["dense1.bias"]
    save_file(tensors, weights)
    with pytest.raises(DataError, match=r"of another network: dense1\.bias"):
        of_search(tested)
