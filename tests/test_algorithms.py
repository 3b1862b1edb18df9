import inspect

import optuna
import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from hpsearch import algorithms

SAMPLERS = TypeAdapter(algorithms.Sampler)
PRUNERS = TypeAdapter(algorithms.Pruner)

OPTUNAS = [
    (algorithms.Tpe, optuna.samplers.TPESampler),
    (algorithms.Qmc, optuna.samplers.QMCSampler),
    (algorithms.Gp, optuna.samplers.GPSampler),
    (algorithms.CmaEs, optuna.samplers.CmaEsSampler),
    (algorithms.Median, optuna.pruners.MedianPruner),
    (algorithms.Percentile, optuna.pruners.PercentilePruner),
    (algorithms.Halving, optuna.pruners.SuccessiveHalvingPruner),
    (algorithms.Hyperband, optuna.pruners.HyperbandPruner),
]
NOT_OPTUNAS = {("Halving", "max_resource")}
# where the design or the project departs from Optuna on purpose, or Optuna has no default
OURS = {
    ("Tpe", "multivariate"),  # Optuna 5: None, which is true where it can be
    ("Tpe", "group"),
    ("Tpe", "constant_liar"),
    ("Qmc", "scramble"),
    ("CmaEs", "with_margin"),
    ("Percentile", "percentile"),
    ("Halving", "min_resource"),
    ("Hyperband", "max_resource"),
}


@pytest.mark.parametrize(("settings", "optunas"), OPTUNAS)
def test_settings_have_optunas_names_and_its_defaults_unless_we_depart_on_purpose(
    settings: type[BaseModel], optunas: type
) -> None:
    arguments = inspect.signature(optunas).parameters
    for name, field in settings.model_fields.items():
        if name == "name" or (settings.__name__, name) in NOT_OPTUNAS:
            continue
        assert name in arguments
        if (settings.__name__, name) not in OURS:
            assert field.default == arguments[name].default, name


def test_tpe_samples_conditional_parameters_together() -> None:
    assert algorithms.Tpe().group
    assert algorithms.Tpe().multivariate
    assert algorithms.Tpe().constant_liar


@pytest.mark.parametrize("name", ["tpe", "random", "grid", "qmc", "gp", "cmaes"])
def test_every_sampler_of_the_design_can_be_chosen_by_name_alone(name: str) -> None:
    assert SAMPLERS.validate_python({"name": name}).name == name


@pytest.mark.parametrize(
    "name", ["none", "median", "percentile", "halving", "hyperband", "patient"]
)
def test_every_pruner_of_the_design_can_be_chosen_by_name_alone(name: str) -> None:
    assert PRUNERS.validate_python({"name": name}).name == name


def test_a_patient_pruner_wraps_another() -> None:
    raw = {"name": "patient", "patience": 2, "wrapped": {"name": "percentile", "percentile": 50.0}}
    assert PRUNERS.validate_python(raw) == algorithms.Patient(
        patience=2, wrapped=algorithms.Percentile(percentile=50.0)
    )


@pytest.mark.parametrize(
    ("adapter", "raw"),
    [
        (SAMPLERS, {"name": "anneal"}),
        (SAMPLERS, {"name": "tpe", "n_startup_trials": -1}),
        (SAMPLERS, {"name": "tpe", "n_ei_candidates": 0}),
        (SAMPLERS, {"name": "tpe", "n_startup_trials": "10"}),
        (SAMPLERS, {"name": "tpe", "group": 1}),
        (SAMPLERS, {"name": "random", "seed": 3}),
        (SAMPLERS, {"name": "qmc", "qmc_type": "lattice"}),
        (SAMPLERS, {"name": "cmaes", "popsize": 1}),
        (PRUNERS, {"name": "percentile", "percentile": 100.5}),
        (PRUNERS, {"name": "median", "percentile": 50.0}),
        (PRUNERS, {"name": "median", "interval_steps": 0}),
        (PRUNERS, {"name": "halving", "reduction_factor": 1}),
        (PRUNERS, {"name": "halving", "min_resource": 0}),
        (PRUNERS, {"name": "hyperband", "max_resource": 0}),
        (PRUNERS, {"name": "patient", "patience": -1}),
        (PRUNERS, {"name": "patient", "min_delta": float("nan")}),
        (PRUNERS, {"name": "patient", "wrapped": {"name": "patient"}}),
    ],
)
def test_a_setting_that_optuna_would_refuse_or_not_know_is_refused_here(
    adapter: TypeAdapter[object], raw: dict[str, object]
) -> None:
    with pytest.raises(ValidationError):
        adapter.validate_python(raw)
