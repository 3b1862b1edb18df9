"""Hyperparameter search for image classifiers: from a study file to a tested winner.

    import hpsearch

    study = hpsearch.Study.from_file("cnn-digits")
    study.run(trials=20)
    study.top()

What is here is imported when it is first used, so that `import hpsearch` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpsearch.errors import (
        DataError,
        HpsearchError,
        InterruptedRunError,
        RunFailedError,
        StudyFileError,
        UserError,
    )
    from hpsearch.notebook import Study
    from hpsearch.predict import Prediction
    from hpsearch.trained import Classifier

__version__ = "0.1.0"
__all__ = [
    "Classifier",
    "DataError",
    "HpsearchError",
    "InterruptedRunError",
    "Prediction",
    "RunFailedError",
    "Study",
    "StudyFileError",
    "UserError",
    "__version__",
]

_MODULES = {"Classifier": "trained", "Prediction": "predict", "Study": "notebook"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'hpsearch' has no attribute {name!r}")
    return getattr(import_module(f"hpsearch.{_MODULES.get(name, 'errors')}"), name)


def __dir__() -> list[str]:
    return [*__all__, *globals()]
