"""From a study file's sampler to Optuna's, every argument passed explicitly."""

import numpy as np
from optuna import samplers

from hpsearch import algorithms
from hpsearch.storage.experimental import experimental_features


def build_sampler(settings: algorithms.Sampler, *, seed: int, number: int) -> samplers.BaseSampler:
    """The sampler of a study, from one of its trials on.

    Args:
        settings: the study file's.
        seed: the study's seed.
        number: the trial that it proposes first.
    """
    fresh = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    with experimental_features():
        match settings:
            case algorithms.Tpe():
                return samplers.TPESampler(
                    n_startup_trials=settings.n_startup_trials,
                    n_ei_candidates=settings.n_ei_candidates,
                    gamma=None,  # Optuna's: a tenth of the trials, at most 25, are the good ones
                    weights=None,  # Optuna's: the newest 25 count fully
                    seed=fresh,
                    multivariate=settings.multivariate,
                    group=settings.group,
                    constant_liar=settings.constant_liar,
                    constraints_func=None,
                )
            case algorithms.Random() | algorithms.Grid():
                # a grid is walked by `search` itself, which knows conditions and repeats
                return samplers.RandomSampler(seed=fresh)
            case algorithms.Qmc():
                return samplers.QMCSampler(
                    qmc_type=settings.qmc_type,
                    scramble=settings.scramble,
                    seed=seed,  # the same sequence again; Optuna stores how far it has come
                    independent_sampler=samplers.RandomSampler(seed=fresh),
                    warn_asynchronous_seeding=False,
                    warn_independent_sampling=False,
                )
            case algorithms.Gp():
                return samplers.GPSampler(
                    seed=fresh,
                    independent_sampler=samplers.RandomSampler(seed=fresh),
                    n_startup_trials=settings.n_startup_trials,
                    deterministic_objective=settings.deterministic_objective,
                    constraints_func=None,
                    warn_independent_sampling=False,
                )
            case algorithms.CmaEs():
                return samplers.CmaEsSampler(
                    x0=None,
                    n_startup_trials=settings.n_startup_trials,
                    independent_sampler=samplers.RandomSampler(seed=fresh),
                    warn_independent_sampling=False,
                    seed=fresh,
                    consider_pruned_trials=settings.consider_pruned_trials,
                    popsize=settings.popsize,
                    use_separable_cma=False,
                    with_margin=settings.with_margin,
                    lr_adapt=False,
                    source_trials=None,
                )
