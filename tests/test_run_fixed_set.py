"""Fixed sets run for real: every configuration trained for its seeds, and tested once."""

from collections import Counter

import pytest
import torch
from optuna.trial import TrialState
from safetensors.torch import load_file
from small_sets import small_set
from small_studies import FakeExecutor, bench, run_small, stored, trained
from torch.nn.functional import cross_entropy

from hpsearch.data.files import read_test
from hpsearch.data.tensors import scale_pixels
from hpsearch.executors.messages import TrainingFailed
from hpsearch.home import Home
from hpsearch.models.network import build_network
from hpsearch.records import TrainingKey
from hpsearch.search import Search
from hpsearch.storage.record import StudyRecord, trials_to_test


def run_set(home: Home, **request: object) -> None:
    run_small(small_set(), home, **{"test": True, **request})


def trained_trials(record: StudyRecord) -> list[tuple[int, str]]:
    trials = record.study.get_trials(deepcopy=False)
    assert {trial.state for trial in trials} == {TrialState.COMPLETE}
    return [(trial.params["seed"], trial.params["configuration"]) for trial in trials]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("set") / "runs")
    run_set(home, trials=4)
    run_set(home)
    run_set(home)  # finds that all is done
    return home


def test_every_configuration_is_trained_for_its_seeds_over_any_number_of_runs(
    finished: Home,
) -> None:
    with stored(finished, "set") as record:
        assert trained_trials(record) == [
            (seed, name) for seed in (0, 1) for name in ("small", "wide / 16", "CNN")
        ]
        assert len(record.runs()) == 2
        assert record.trainings(role="finalist") == record.trainings(role="winner") == {}


def test_each_network_is_tested_once(finished: Home) -> None:
    with stored(finished, "set") as record:
        assert Counter(reading.trial for reading in record.readings()) == dict.fromkeys(range(6), 1)
        assert record.num_readings() == 6


def test_a_test_result_is_that_of_the_weights_that_were_kept(finished: Home) -> None:
    spec = small_set()
    images, labels = (torch.from_numpy(a) for a in read_test(spec.dataset, data_dir=finished.root))
    with stored(finished, "set") as record:
        readings = record.readings()
        trials = record.study.get_trials(deepcopy=False)
    for reading in readings:
        (result,) = reading.evaluations
        module = build_network(
            spec.configuration(trials[reading.trial].params).network,
            image_shape=(1, 8, 8),
            num_classes=10,
        )
        module.load_state_dict(load_file(finished.artifacts("set") / result.weights))
        module.eval()
        with torch.inference_mode():
            logits = module(scale_pixels(images))
        assert result.loss == pytest.approx(float(cross_entropy(logits, labels)), abs=1e-5)
        assert result.accuracy == float((logits.argmax(1) == labels).double().mean())


def test_without_a_test_nothing_is_read_until_it_is_asked_for(home: Home) -> None:
    run_set(home, test=False, trials=2)
    with stored(home, "set") as record:
        assert record.num_readings() == 0
        assert sorted(trials_to_test(record, again=False)) == [0, 1]
    run_set(home, trials=None)
    with stored(home, "set") as record:
        assert [reading.trial for reading in record.readings()] == [0, 1]
        assert trials_to_test(record, again=False) == {}
    run_set(home, trials=None, test_again=True)
    with stored(home, "set") as record:
        assert [reading.trial for reading in record.readings()] == [0, 1, 0, 1]


def test_a_configuration_that_failed_is_tried_again_when_one_more_trial_is_asked_for(
    home: Home,
) -> None:
    failing = TrainingKey("search", 1)
    with bench(home, small_set()) as study:
        script = FakeExecutor(
            lambda task: (
                [TrainingFailed(task.key, "error", "RuntimeError: no", "")]
                if task.key == failing
                else trained(task.key, 0.5)
            )
        )
        study.search(script).run(trials=6, timeout_s=None)
        end = Search(study.session(script)).run(trials=7, timeout_s=None)
        assert end == "budget"
        trials = study.record.study.get_trials(deepcopy=False)
        assert [t.params["configuration"] for t in trials[1::5]] == ["wide / 16"] * 2
        assert [t.params["seed"] for t in trials[1::5]] == [0, 0]
        assert Search(study.session(script)).run(trials=9, timeout_s=None) == "exhausted"
