"""Optuna's experimental features, used on purpose."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from optuna.exceptions import ExperimentalWarning


@contextmanager
def experimental_features() -> Iterator[None]:
    """Use what was chosen without Optuna's word that it may change, which helps no user."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield
