"""What a study file may say of its sampler and pruner: arguments by Optuna's names, with defaults.

Building them is `samplers` and `pruners`; this file does not import Optuna. One epoch is one unit
of resource and one step, counted from 1: `min_resource = 1` judges a trial after its first epoch,
and `n_warmup_steps = 3` judges none before its third.
"""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from hpsearch.frozen import Frozen

Count = Annotated[int, Field(ge=0, le=2**53)]
Positive = Annotated[int, Field(ge=1, le=2**53)]


class Tpe(Frozen):
    """Tree-structured Parzen estimator."""

    name: Literal["tpe"] = "tpe"
    n_startup_trials: Count = 10
    n_ei_candidates: Positive = 24
    multivariate: bool = True
    group: bool = True  # without it Optuna samples conditional parameters independently, silently
    constant_liar: bool = True  # keeps parallel workers from the same corner


class Random(Frozen):
    """Independent uniform sampling."""

    name: Literal["random"] = "random"


class Grid(Frozen):
    """Every combination of a finite space once, in an order shuffled by the study's seed."""

    name: Literal["grid"] = "grid"


class Qmc(Frozen):
    """Quasi-Monte Carlo: a low-discrepancy sequence."""

    name: Literal["qmc"] = "qmc"
    qmc_type: Literal["sobol", "halton"] = "sobol"
    scramble: bool = True


class Gp(Frozen):
    """Bayesian optimisation with a Gaussian process."""

    name: Literal["gp"] = "gp"
    n_startup_trials: Count = 10
    deterministic_objective: bool = False


class CmaEs(Frozen):
    """Covariance matrix adaptation; choices and conditional parameters are sampled at random."""

    name: Literal["cmaes"] = "cmaes"
    n_startup_trials: Count = 1
    popsize: Annotated[int, Field(ge=4)] | None = None  # None: 4 + floor(3 ln(dimensions))
    with_margin: bool = True  # keeps the variance of integers from collapsing
    consider_pruned_trials: bool = False


class NoPruner(Frozen):
    """Every trial runs until its early stopping or its last epoch."""

    name: Literal["none"] = "none"


class Median(Frozen):
    """Prunes a trial whose best so far is worse than the median of the others at the same epoch."""

    name: Literal["median"] = "median"
    n_startup_trials: Count = 5
    n_warmup_steps: Count = 0
    interval_steps: Positive = 1
    n_min_trials: Positive = 1


class Percentile(Median):
    """As median, keeping the best `percentile` per cent."""

    name: Literal["percentile"] = "percentile"  # type: ignore[assignment]
    percentile: Annotated[float, Field(ge=0, le=100)] = 25.0


class Halving(Frozen):
    """Asynchronous successive halving: at each rung the best 1 of `reduction_factor` go on.

    Rungs are the epochs min_resource, and each reduction_factor times the one before; those after
    max_resource do not count, so that a trial that is past the last one completes.
    """

    name: Literal["halving"] = "halving"
    min_resource: Positive = 1
    max_resource: Positive | None = None  # None: the study's epochs
    reduction_factor: Annotated[int, Field(ge=2)] = 4
    min_early_stopping_rate: Count = 0
    bootstrap_count: Count = 0


class Hyperband(Frozen):
    """Several successive halvings, from one that prunes early to one that hardly prunes."""

    name: Literal["hyperband"] = "hyperband"
    min_resource: Positive = 1
    max_resource: Positive | None = None  # None: the study's epochs
    reduction_factor: Annotated[int, Field(ge=2)] = 3
    bootstrap_count: Count = 0


Wrapped = Annotated[
    NoPruner | Median | Percentile | Halving | Hyperband, Field(discriminator="name")
]


class Patient(Frozen):
    """Lets `wrapped` prune only after `patience` epochs that were worse than the best before."""

    name: Literal["patient"] = "patient"
    patience: Count = 5
    min_delta: Annotated[float, Field(ge=0)] = 0.0
    wrapped: Wrapped = NoPruner()  # none: prunes for lack of improvement alone

    @field_validator("wrapped", mode="before")
    @classmethod
    def _name_alone(cls, value: object) -> object:
        return {"name": value} if isinstance(value, str) else value


Sampler = Annotated[Tpe | Random | Grid | Qmc | Gp | CmaEs, Field(discriminator="name")]
Pruner = Annotated[
    NoPruner | Median | Percentile | Halving | Hyperband | Patient, Field(discriminator="name")
]

SAMPLERS = ["tpe", "random", "grid", "qmc", "gp", "cmaes"]
WRAPPED = ["none", "median", "percentile", "halving", "hyperband"]
PRUNERS = [*WRAPPED, "patient"]
