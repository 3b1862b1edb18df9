import copy
import datetime
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from full_study import FULL
from hypothesis import given, settings
from hypothesis import strategies as st

from hpsearch.algorithms import Halving, Median, Patient, Percentile, Tpe
from hpsearch.configuration import Configuration
from hpsearch.errors import InfeasibleConfigurationError, StudyFileError, UserError
from hpsearch.mistakes import MistakeError
from hpsearch.space import Choice, Fixed, Float, Int, Scalar, Space
from hpsearch.spec import StudySpec
from hpsearch.studyparser import load_study_file, parse_study

HEAD = 'dataset = "digits"\nmodel = "cnn"\n'
BASE: dict[str, Any] = {
    "description": "",
    "notes": "",
    "dataset": "digits",
    "model": "mlp",
    "training": {"epochs": 5, "optimizer": "sgd"},
    "search": {"trials": 3},
    "space": {"batch_size": [16, 32], "dense": {"units": 8}},
}


def written(tmp_path: Path, content: str | bytes, name: str = "study.toml") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def load(tmp_path: Path, content: str) -> StudySpec:
    return load_study_file(written(tmp_path, content))


def changed(path: str, value: object) -> dict[str, Any]:
    """BASE with one key, `table.key`, set."""
    content = copy.deepcopy(BASE)
    *tables, key = path.split("/")
    table = content
    for name in tables:
        table = table.setdefault(name, {})
    table[key] = value
    return content


def drawn(space: Space, data: st.DataObject) -> dict[str, Scalar]:
    """One combination, drawn by hypothesis."""
    values: dict[str, Scalar] = {}
    for p in space.parameters:
        if p.is_active(values):
            if isinstance(p.domain, Float) and p.domain.values is None:
                values[p.name] = data.draw(st.floats(p.domain.low, p.domain.high))
            else:
                values[p.name] = data.draw(st.sampled_from(p.domain.values or ()))
    return values


# --- what a good file gives


def test_every_table_of_a_file_is_read(tmp_path: Path) -> None:
    spec = load(tmp_path, FULL)
    assert (spec.name, spec.description, spec.model) == ("study", "every table", "cnn")
    assert (spec.dataset.name, spec.objective) == ("digits", "val_loss")
    training = spec.training
    assert (training.epochs, training.validation, training.seed) == (12, 0.2, 7)
    assert (training.precision, training.subset) == ("auto", 500)
    assert training.early_stopping is not None
    assert training.early_stopping.monitor == "val_accuracy"
    assert training.early_stopping.patience == 3
    assert spec.search.sampler == Tpe(n_startup_trials=4)
    assert spec.search.pruner == Patient(patience=2, wrapped=Median())
    assert (spec.search.trials, spec.search.trial_timeout) == (9, 1800.0)
    assert (spec.final.finalists, spec.final.seeds, spec.final.train_on) == (2, 1, "train")
    domains = {p.name: p.domain for p in spec.space.parameters}
    assert domains == {
        "batch_size": Fixed(32),
        "learning_rate": Float(1e-4, 1e-1, log=True),
        "dropout": Float(0.0, 0.5, 0.25),
        "optimizer": Choice(("adam", "sgd")),
        "momentum": Choice((0.0, 0.9)),
        "conv_layers": Int(1, 2),
        "conv.1.filters": Choice((4, 8)),
        "conv.2.filters": Choice((4, 8)),
        "conv.1.kernel": Choice((3, 5)),
    }


def test_a_short_file_has_the_designs_defaults(tmp_path: Path) -> None:
    spec = load(tmp_path, HEAD + "[space]\n")
    assert spec.objective == "val_accuracy"
    assert (spec.training.epochs, spec.training.validation, spec.training.seed) == (100, 0.15, 0)
    assert spec.search.sampler == Tpe()
    assert spec.search.trials == 100
    assert (spec.final.finalists, spec.final.seeds) == (3, 3)
    assert spec.final.train_on == "train+validation"


def test_an_algorithm_is_named_alone_or_with_its_arguments() -> None:
    alone = parse_study(changed("search/pruner", "halving"), name="s")
    table = parse_study(changed("search/pruner", {"name": "halving"}), name="s")
    assert alone.search.pruner == Halving()
    assert alone.fingerprint == table.fingerprint
    wrapped = {"name": "patient", "wrapped": {"name": "percentile", "percentile": 40}}
    patient = parse_study(changed("search/pruner", wrapped), name="s").search.pruner
    assert patient == Patient(wrapped=Percentile(percentile=40.0))


@pytest.mark.parametrize("written_as", ["90s", "1.5m", 90])
def test_a_time_limit_is_seconds_or_has_its_unit(written_as: str | int) -> None:
    spec = spec_of(changed("search/trial_timeout", written_as))
    assert spec.search.trial_timeout == 90.0
    assert spec_of(BASE).search.trial_timeout is None


def test_a_study_is_named_after_its_file_or_as_it_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + "[space]\n", name="my.study-2.toml")
    assert load_study_file(path).name == "my.study-2"
    assert load_study_file(path, name="other").name == "other"


@pytest.mark.parametrize("name", ["", "a b", "a/b", "../a", ".hidden", "-n", "é", "a" * 101, "a\n"])
def test_a_name_that_could_not_be_a_file_name_is_refused(name: str, tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + "[space]\n")
    with pytest.raises(StudyFileError, match="letters, digits"):
        load_study_file(path, name=name)


# --- what a bad file gets


BAD = [
    # syntax
    ("x = =", ["TOML", "line 1"]),
    (HEAD + "[space\n", ["TOML", "line 3"]),
    (HEAD + HEAD + "[space]\n", ["TOML", "line 3"]),
    (HEAD + "[space]\na = " + "[" * 5_000 + "]" * 5_000, ["nested too deeply"]),
    (HEAD + "[space]\n" + "a" + ".a" * 2_000 + " = 1", ["nested too deeply"]),
    ("description" + ".a" * 2_000 + " = 1\n" + HEAD + "[space]\n", ["nested too deeply"]),
    (HEAD + "[space]\nlearning_rate = 1" + "0" * 5_000, ["study.toml"]),
    # missing
    ("", ["is missing"]),
    (HEAD, ["space: ", "missing", "[space]"]),
    ('model = "mlp"\n[space]\n', ["dataset: ", "missing"]),
    ('dataset = "digits"\n[space]\n', ["model: ", "missing"]),
    # unknown keys, with the nearest right one
    (HEAD + "objectiv = 1\n[space]\n", ["objectiv: ", "did you mean objective?", "final"]),
    (HEAD + "random = 1\n[space]\n", ["toml: random: unknown key", "objective"]),
    (HEAD + '"a\\nb" = 1\n[space]\n', ["unknown key"]),
    (HEAD + "[spaces]\nbatch_size = 3\n[space]\n", ["spaces: ", "did you mean space?"]),
    (HEAD + "[trainning]\n[space]\n", ["trainning: ", "did you mean training?"]),
    (HEAD + "[training]\nepoch = 3\n[space]\n", ["did you mean training.epochs?", "training.seed"]),
    (HEAD + "[training]\noptimiser = 'sgd'\n[space]\n", ["did you mean training.optimizer?"]),
    (
        HEAD + "[training]\nearly_stopping = { patiense = 3 }\n[space]\n",
        ["training.early_stopping.patiense: ", "did you mean training.early_stopping.patience?"],
    ),
    (HEAD + "[search]\ntrial = 3\n[space]\n", ["search.trial: ", "did you mean search.trials?"]),
    (HEAD + "[search]\ngrid = 3\n[space]\n", ["search.grid: ", "sampler"]),
    (
        HEAD + "[search]\nsampler = { name = 'tpe', n_startup_trialz = 3 }\n[space]\n",
        [
            "search.sampler.n_startup_trialz: ",
            "did you mean search.sampler.n_startup_trials?",
        ],
    ),
    (
        HEAD
        + "[search.pruner]\nname = 'patient'\nwrapped = { name = 'median', n_warmup = 3 }\n"
        + "[space]\n",
        ["search.pruner.wrapped.n_warmup: ", "n_warmup_steps"],
    ),
    (HEAD + "[final]\nseed = 3\n[space]\n", ["final.seed: ", "did you mean final.seeds?"]),
    (
        HEAD + "[space]\nlearning_rat = 0.1",
        ["space.learning_rat: ", "did you mean space.learning_rate?", "space.dropout"],
    ),
    (
        HEAD + "[space]\nconv.1.filter = 8",
        ["space.conv.1.filter: ", "filters?"],
    ),
    (
        HEAD + "[space]\ndropout = { low = 0.1, high = 0.5, setp = 0.1 }",
        ["space.dropout.setp: ", "did you mean", "step?"],
    ),
    # wrong types and values
    (HEAD + "space = 3", ["space: ", "3", "[space]"]),
    (HEAD + "training = 3\n[space]\n", ["training: ", "3", "[training]"]),
    (HEAD + "search = 'tpe'\n[space]\n", ["search: ", "'tpe'"]),
    (HEAD + "description = 2020-01-01\n[space]\n", ["description: ", "2020", "string"]),
    (HEAD + "[training]\nepochs = '9'\n[space]\n", ["training.epochs: ", "'9'", "integer"]),
    (HEAD + "[training]\nepochs = true\n[space]\n", ["training.epochs: ", "True", "integer"]),
    (HEAD + "[training]\nepochs = 0\n[space]\n", ["training.epochs: ", "0", "equal to 1"]),
    (HEAD + "[training]\nvalidation = 1.0\n[space]\n", ["training.validation: ", "1.0", "than 1"]),
    (HEAD + "[training]\nvalidation = nan\n[space]\n", ["training.validation: ", "nan"]),
    (HEAD + "[training]\nseed = -1\n[space]\n", ["training.seed: ", "-1", "equal to 0"]),
    (HEAD + "[training]\nprecision = 'fp16'\n[space]\n", ["training.precision: ", "'bf16'"]),
    (
        HEAD + "[training]\nearly_stopping = { monitor = 'loss' }\n[space]\n",
        ["training.early_stopping.monitor: ", "'loss'", "'val_accuracy', 'val_loss'"],
    ),
    (
        HEAD + "[training]\nearly_stopping = { min_delta = nan }\n[space]\n",
        ["training.early_stopping.min_delta: ", "nan"],
    ),
    (
        HEAD + "[training]\nearly_stopping = { min_delta = inf }\n[space]\n",
        ["training.early_stopping.min_delta: ", "inf"],
    ),
    (
        HEAD + "[training]\noptimizer = 'adamm'\n[space]\n",
        ["training.optimizer: ", "'adamm'", "'adam', 'sgd'"],
    ),
    (HEAD + "[training]\nbatch_size = [8, 16]\n[space]\n", ["training.batch_size: ", "[space]"]),
    (
        HEAD + "[training]\nbatch_size = 8\n[space]\nbatch_size = [8, 16]",
        ["space.batch_size: ", "[training]"],
    ),
    (HEAD + "objective = 'accuracy'\n[space]\n", ["objective: ", "'accuracy'", "'val_loss'"]),
    (
        'dataset = "digit"\nmodel = "mlp"\n[space]\n',
        ["dataset: ", "'digit'", "mean digits?", "mnist"],
    ),
    ('dataset = "digits"\nmodel = "mpl"\n[space]\n', ["model: ", "'mpl'", "'mlp', 'cnn'"]),
    (
        HEAD + "[search]\nsampler = 'tpee'\n[space]\n",
        ["search.sampler: ", "'tpee'", "did you mean tpe?", "tpe, random, grid, qmc, gp, cmaes"],
    ),
    (
        HEAD + "[search]\npruner = 'medean'\n[space]\n",
        ["search.pruner: ", "did you mean median?", "none", "hyperband", "patient"],
    ),
    (HEAD + "[search]\nsampler = 3\n[space]\n", ["search.sampler: ", "3", "random", "cmaes"]),
    (
        HEAD + "[search]\nsampler = { n_startup_trials = 3 }\n[space]\n",
        ["search.sampler", "name", "random", "cmaes"],
    ),
    (
        HEAD + "[search]\nsampler = { name = 'cmaes', popsize = inf }\n[space]\n",
        ["search.sampler.popsize: ", "inf"],
    ),
    (
        HEAD + "[search]\npruner = { name = 'median', n_min_trials = 0 }\n[space]\n",
        ["search.pruner.n_min_trials: ", "0", "equal to 1"],
    ),
    (HEAD + "[search]\ntrials = 0\n[space]\n", ["search.trials: ", "0", "equal to 1"]),
    (
        HEAD + "[search]\ntrial_timeout = 'soon'\n[space]\n",
        ["trial_timeout: 'soon'", "above 0: 90, "],
    ),
    (HEAD + "[search]\ntrial_timeout = 0\n[space]\n", ["search.trial_timeout: 0", "than 0"]),
    (
        HEAD + "[search]\nsampler = 'grid'\n[space]\ndropout = { low = 0.1, high = 0.2 }",
        ["search.sampler: ", "'grid'", "finite", "dropout"],
    ),
    (HEAD + "[final]\ntrain_on = 'test'\n[space]\n", ["final.train_on: ", "'test'", "'train'"]),
    # the space
    (HEAD + "[space]\nbatch_size = []", ["space.batch_size: ", "[]", "at least one"]),
    (HEAD + "[space]\nbatch_size = ['a']", ["space.batch_size: ", "'a'", "integer"]),
    (HEAD + "[space]\nbatch_size = 1979-05-27", ["space.batch_size: ", "1979", "numbers"]),
    (HEAD + "[space]\nbatch_size = [8, 8]", ["space.batch_size: ", "8", "twice"]),
    (HEAD + "[space]\nconv.filters = 8\n'conv.filters' = 16", ["space.conv.filters: ", "twice"]),
    (HEAD + "[space]\ndropout = { low = 0.5, high = 0.1 }", ["space.dropout: ", "0.5", "0.1"]),
    (
        HEAD + "[space]\nlearning_rate = { low = 0, high = 0.1, log = true }",
        ["space.learning_rate: ", "low = 0", "above 0"],
    ),
    (HEAD + "[space]\nlearning_rate = nan", ["space.learning_rate: ", "nan", "finite"]),
    (HEAD + "[space]\nlearning_rate = [0.1, -inf]", ["space.learning_rate: ", "-inf", "finite"]),
    (HEAD + "[space]\nlearning_rate = 1" + "0" * 400, ["space.learning_rate: "]),
    (
        HEAD + "[space]\nlearning_rate = { low = 1, high = 1" + "0" * 400 + " }",
        ["space.learning_rate"],
    ),
    (
        HEAD + "[space]\nmomentum = { value = 0.9, when = { optimizr = 'sgd' } }",
        ["space.momentum.when.optimizr: ", "'optimizr'"],
    ),
    (HEAD + "[space]\nconv.3.filters = 8", ["space.conv.3.filters: ", "at most 2"]),
    (HEAD + "[space]\nconv.filters = { value = 8, each = 'layers' }", [".each: ", "conv_layers"]),
    (
        HEAD + "[space]\nconv.padding = 'valid'\nconv.kernel = [9, 11]",
        ["space: ", "no network", "8 x 8"],
    ),
    ('dataset = "digits"\nmodel = "mlp"\n[space]\nconv_layers = 3', ["space.conv_layers: unknown"]),
]


@pytest.mark.parametrize(("content", "parts"), BAD, ids=[parts[0].strip(": ") for _, parts in BAD])
def test_a_mistake_is_answered_in_one_line_with_file_key_value_and_what_is_allowed(
    content: str, parts: list[str], tmp_path: Path
) -> None:
    path = written(tmp_path, content)
    with pytest.raises(StudyFileError) as caught:
        load_study_file(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert len(message.splitlines()) == 1
    for part in parts:
        assert part in message
    assert isinstance(caught.value, UserError)
    assert caught.value.exit_code == 2


def test_a_file_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD.encode() + b"description = '\xff'\n[space]\n")
    with pytest.raises(StudyFileError, match=r"study\.toml: not TOML: .*utf-8") as caught:
        load_study_file(path)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(("name", "reason"), [("folder.toml", "directory"), ("no.toml", "No such")])
def test_what_cannot_be_read_is_named_with_the_reason(
    name: str, reason: str, tmp_path: Path
) -> None:
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(StudyFileError, match=rf"{name}: cannot be read: .*{reason}"):
        load_study_file(tmp_path / name)


# --- one bad configuration


def test_a_single_bad_configuration_of_a_good_space_is_refused(tmp_path: Path) -> None:
    space = "[space]\nconv_layers = 1\nconv.padding = 'valid'\nconv.kernel = [3, 9]"
    spec = load(tmp_path, HEAD + space)
    good, bad = spec.space.grid()
    assert spec.configuration(good).network.conv[0].kernel == 3
    with pytest.raises(InfeasibleConfigurationError, match="conv layer 1 leaves no pixel of 8 x 8"):
        spec.configuration(bad)


# --- fingerprint and differences


def spec_of(content: dict[str, Any], name: str = "s") -> StudySpec:
    return parse_study(content, name=name)


@pytest.mark.parametrize(
    "content",
    [
        changed("description", "another"),
        changed("search/trials", 1_000),
        changed("search/trial_timeout", "30m"),
        changed("final/seeds", 3),  # the default, written out
        changed("objective", "val_accuracy"),
        changed("search/sampler", "tpe"),
        changed("space", {"dense.units": 8, "batch_size": [16, 32]}),
    ],
)
def test_description_budgets_and_the_way_of_writing_may_change(content: dict[str, Any]) -> None:
    assert spec_of(content).fingerprint == spec_of(BASE).fingerprint
    assert spec_of(content).differences(spec_of(BASE).document) == []


def test_the_name_is_no_part_of_the_fingerprint() -> None:
    assert spec_of(BASE, "a").fingerprint == spec_of(BASE, "b").fingerprint


@pytest.mark.parametrize(
    ("path", "value", "lines"),
    [
        ("dataset", "mnist", ['dataset: "digits" -> "mnist"']),
        ("model", "cnn", ['model: "mlp" -> "cnn"']),
        ("objective", "val_loss", ['objective: "val_accuracy" -> "val_loss"']),
        ("training/epochs", 6, ["training.epochs: 5 -> 6"]),
        ("training/seed", 1, ["training.seed: 0 -> 1"]),
        ("training/validation", 0.2, ["training.validation: 0.15 -> 0.2"]),
        ("training/precision", "bf16", ['training.precision: "fp32" -> "bf16"']),
        ("training/subset", 100, ["training.subset: null -> 100"]),
        ("training/optimizer", "adam", ['training.optimizer: "sgd" -> "adam"']),
        ("training/momentum", 0.8, ["training.momentum: (absent) -> 0.8"]),
        ("search/sampler", "random", ['search.sampler.name: "tpe" -> "random"']),
        ("final/finalists", 1, ["final.finalists: 3 -> 1"]),
        ("final/seeds", 5, ["final.seeds: 3 -> 5"]),
        ("final/train_on", "train", ['final.train_on: "train+validation" -> "train"']),
        ("space/batch_size", [16, 64], ["space.batch_size: [16, 32] -> [16, 64]"]),
        ("space/batch_size", [32, 16], ["space.batch_size: [16, 32] -> [32, 16]"]),
        ("space/dropout", 0.5, ["space.dropout: (absent) -> 0.5"]),
        ("space/dense/units", 9, ["space.dense.units: 8 -> 9"]),
    ],
)
def test_anything_else_that_changes_is_shown_with_both_values(
    path: str, value: object, lines: list[str]
) -> None:
    other = spec_of(changed(path, value))
    assert other.fingerprint != spec_of(BASE).fingerprint
    differences = other.differences(spec_of(BASE).document)
    assert [line for line in differences if line in lines] == lines
    if path != "search/sampler":  # its arguments go with it
        assert differences == lines


def test_true_and_1_differ_as_they_do_in_a_fingerprint() -> None:
    spec = spec_of(BASE)
    other = replace(spec, document={**spec.document, "model": 1})
    assert other.differences({**spec.document, "model": True}) == ["model: true -> 1"]


@pytest.mark.parametrize(
    ("key", "one", "other"),
    [("training/early_stopping", {"patience": 3}, {"patience": 4}), ("space/dropout", 0.1, 0.2)],
)
def test_differences_run_from_the_stored_to_the_files(key: str, one: object, other: object) -> None:
    (there,) = spec_of(changed(key, other)).differences(spec_of(changed(key, one)).document)
    (back,) = spec_of(changed(key, one)).differences(spec_of(changed(key, other)).document)
    assert there.split(": ")[1].split(" -> ") == back.split(": ")[1].split(" -> ")[::-1]


def test_early_stopping_that_comes_or_goes_is_a_difference() -> None:
    stopping = spec_of(changed("training/early_stopping", {"patience": 4}))
    assert "training.early_stopping.patience: (absent) -> 4" in stopping.differences(
        spec_of(BASE).document
    )
    assert spec_of(BASE).differences(stopping.document)


@pytest.mark.parametrize(
    ("path", "one", "other"),
    [
        ("space/dropout", [0], [0.0]),
        ("space/dropout", {"low": 0, "high": 1e-1}, {"low": 0.0, "high": 0.1}),
        ("training/learning_rate", 1, 1.0),
    ],
)
def test_a_whole_number_for_a_float_is_no_change(path: str, one: object, other: object) -> None:
    first, second = spec_of(changed(path, one)), spec_of(changed(path, other))
    assert first.space == second.space
    assert first.fingerprint == second.fingerprint


# --- rules for every file


floats = st.floats(0, 0.9, allow_subnormal=False)
spaces = st.fixed_dictionaries(
    {},
    optional={
        "batch_size": st.integers(1, 99) | st.lists(st.integers(1, 99), min_size=1, unique=True),
        "learning_rate": st.floats(1e-6, 1)
        | st.builds(
            lambda low, k: {"low": low, "high": low * k, "log": True},
            floats.map(lambda x: x + 1e-6),
            st.floats(1, 9),
        ),
        "dropout": floats
        | st.builds(lambda k: {"low": 0, "high": 0.25 * k, "step": 0.25}, st.integers(0, 3)),
        "optimizer": st.sampled_from(["adam", "sgd", ["adam", "sgd"], ["sgd"]]),
        "schedule": st.lists(st.sampled_from(["constant", "cosine"]), min_size=1, unique=True),
        "conv_layers": st.integers(1, 3) | st.just({"low": 0, "high": 2}),
        "conv.filters": st.just({"each": "conv_layers", "choices": [4, 8]}) | st.integers(1, 9),
        "conv.1.kernel": st.just([3, 5]),
        "dense_layers": st.sampled_from([1, [1, 2], {"low": 1, "high": 3}]),
        "dense": st.fixed_dictionaries({"units": st.just({"low": 4, "high": 64, "log": True})}),
        "momentum": st.just({"choices": [0.0, 0.9], "when": {"dense_layers": 1}}),
    },
).filter(lambda table: "momentum" not in table or "dense_layers" in table)
studies = st.fixed_dictionaries(
    {"dataset": st.sampled_from(["digits", "mnist"]), "model": st.just("cnn"), "space": spaces},
    optional={
        "description": st.text(max_size=5),
        "search": st.fixed_dictionaries(
            {"trials": st.integers(1, 9), "pruner": st.sampled_from(["none", "median", "patient"])}
        ),
        "training": st.fixed_dictionaries({"seed": st.integers(0, 3)}),
    },
)


@given(studies, st.data())
@settings(max_examples=50)
def test_every_suggestion_of_a_valid_study_resolves(
    content: dict[str, Any], data: st.DataObject
) -> None:
    spec = spec_of(content)
    values = drawn(spec.space, data)
    assert isinstance(spec.configuration(values), Configuration)
    assert spec.space.replay(spec.space.searched(values)) == values


@given(studies)
def test_a_document_survives_json_and_gives_the_same_study(content: dict[str, Any]) -> None:
    spec = spec_of(content)
    stored = json.loads(json.dumps(spec.document, allow_nan=False))
    assert stored == spec.document
    assert spec_of(stored) == spec
    assert spec_of(stored).fingerprint == spec.fingerprint
    assert spec.differences(stored) == []


@given(studies, studies)
def test_studies_differ_exactly_when_their_fingerprints_do(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    first, second = spec_of(one), spec_of(other)
    assert (first.fingerprint == second.fingerprint) == (first.differences(second.document) == [])


scalars = st.one_of(
    st.booleans(),
    st.integers(-(10**4), 10**4),
    st.sampled_from([0.0, -0.0, 0.1, -1.5, math.nan, math.inf, -math.inf, 1e300, 5e-324]),
    st.sampled_from(["", "sgd", "grid", "tpe", "max", "none", "conv_layers", "cnn", "\n"]),
    st.text(max_size=5),
    st.just(datetime.date(2020, 1, 1)),
    st.just(datetime.datetime(2020, 1, 1)),
)
KEYS = [
    *["low", "high", "step", "log", "choices", "value", "each", "when", "name", "wrapped"],
    *["description", "dataset", "model", "training", "space", "search", "final", "sampler"],
    *["pruner", "epochs", "seed", "early_stopping", "monitor", "optimizer", "dropout", "momentum"],
    *["conv_layers", "dense_layers", "conv", "dense", "conv.1.filters", "conv.filters", "1", "99"],
    *["random", "median", "batch_size", "learning_rate", "units", "conv.1.padding", "conv.kernel"],
]
tomls = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


def tables_of(content: dict[str, Any]) -> list[dict[str, Any]]:
    """The content and every table within it."""
    inner = [t for value in content.values() if isinstance(value, dict) for t in tables_of(value)]
    return [content, *inner]


@given(studies, st.data())
@settings(max_examples=150)
def test_any_change_of_a_value_is_refused_as_a_mistake_or_gives_a_usable_study(
    content: dict[str, Any], data: st.DataObject
) -> None:
    content = copy.deepcopy(content)
    for _ in range(data.draw(st.integers(1, 3))):
        table = data.draw(st.sampled_from(tables_of(content)))
        key = data.draw(st.sampled_from([*table, *KEYS]))
        if key in table and data.draw(st.booleans()):
            del table[key]
        else:
            table[key] = data.draw(tomls)
    try:
        spec = spec_of(content)
    except MistakeError:
        return
    assert spec_of(json.loads(json.dumps(spec.document, allow_nan=False))) == spec
    values = drawn(spec.space, data)
    try:
        spec.configuration(values)
    except InfeasibleConfigurationError:
        assert values.get("conv.padding") == "valid" or "conv.1.padding" in values


@pytest.mark.parametrize(
    ("params", "idle"),
    [
        ({"dense_layers": 0, "dense.units": 16}, {"dense.units", "momentum"}),
        ({"dense_layers": 1, "dense.units": 16}, {"momentum"}),
        ({"dense_layers": 0, "dense.units": 32, "optimizer": "sgd"}, {"dense.units"}),
        ({"dense_layers": 2, "dense.units": 32, "optimizer": "sgd"}, set()),
    ],
)
def test_a_parameter_matters_if_another_value_makes_another_trial(
    params: dict[str, Scalar], idle: set[str]
) -> None:
    space = {
        "dense_layers": [0, 1, 2],
        "dense.units": [16, 32],
        "optimizer": ["adam", "sgd"],
        "momentum": {"low": 0.5, "high": 0.9},
        "learning_rate": {"low": 1e-3, "high": 1e-1, "log": True},
        "dropout": [0.2],  # has no other value
        "conv.1.filters": {"low": 8, "high": 8},
    }
    spec = parse_study({"dataset": "digits", "model": "cnn", "space": space}, name="idle")
    single = {"dropout": 0.2, "conv.1.filters": 8}
    trial = {"optimizer": "adam", "momentum": 0.5, "learning_rate": 0.01} | single | params
    assert {name for name in space if not spec.matters(name, trial)} == idle
