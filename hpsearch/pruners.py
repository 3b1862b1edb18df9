"""From a study file's pruner to Optuna's, every argument passed explicitly."""

from typing import Any

from optuna import Study, pruners
from optuna.trial import FrozenTrial

from hpsearch import algorithms
from hpsearch.storage.experimental import experimental_features


def build_pruner(settings: algorithms.Pruner, *, epochs: int) -> pruners.BasePruner:
    """The pruner of a study whose trials run for at most `epochs`; steps are epochs, from 1."""
    match settings:
        case algorithms.NoPruner():
            return pruners.NopPruner()
        case algorithms.Percentile():  # before Median, which it extends
            return pruners.PercentilePruner(
                percentile=settings.percentile,
                n_startup_trials=settings.n_startup_trials,
                n_warmup_steps=settings.n_warmup_steps,
                interval_steps=settings.interval_steps,
                n_min_trials=settings.n_min_trials,
            )
        case algorithms.Median():
            return pruners.MedianPruner(
                n_startup_trials=settings.n_startup_trials,
                n_warmup_steps=settings.n_warmup_steps,
                interval_steps=settings.interval_steps,
                n_min_trials=settings.n_min_trials,
            )
        case algorithms.Halving():
            return _Halving(
                max_resource=settings.max_resource or epochs,
                min_resource=settings.min_resource,
                reduction_factor=settings.reduction_factor,
                min_early_stopping_rate=settings.min_early_stopping_rate,
                bootstrap_count=settings.bootstrap_count,
            )
        case algorithms.Hyperband():
            return pruners.HyperbandPruner(
                min_resource=settings.min_resource,
                max_resource=settings.max_resource or epochs,
                reduction_factor=settings.reduction_factor,
                bootstrap_count=settings.bootstrap_count,
            )
        case algorithms.Patient():
            wrapped = (
                None
                if isinstance(settings.wrapped, algorithms.NoPruner)
                else build_pruner(settings.wrapped, epochs=epochs)
            )
            with experimental_features():
                return pruners.PatientPruner(
                    wrapped, patience=settings.patience, min_delta=settings.min_delta
                )


class _Halving(pruners.SuccessiveHalvingPruner):
    """Optuna's, with a last rung: its own are endless, and few trials live to complete."""

    def __init__(self, *, max_resource: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._max_resource = max_resource

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        epoch = trial.last_step
        return (epoch is None or epoch <= self._max_resource) and super().prune(study, trial)
