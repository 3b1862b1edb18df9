"""The user's own model tried out before a study is begun: a batch forward, backward, and a step.

    check_own_models(configurations, image_shape=(1, 28, 28), num_classes=10)

What a batch through one network cannot show, another configuration's mistake say, is found when
that is trained: see the table of failures.
"""

from collections.abc import Iterable

import torch

from hpsearch.configuration import Configuration
from hpsearch.errors import InfeasibleConfigurationError, ModelError
from hpsearch.models.network import build_network
from hpsearch.ownmodel import OwnNetwork
from hpsearch.records import Method
from hpsearch.text import error_text
from hpsearch.training.learner import make_learner

_NUM_IMAGES = 4
_METHOD = Method("fp32", "contiguous", "autograd")


def check_own_models(
    configurations: Iterable[Configuration],
    *,
    image_shape: tuple[int, int, int],
    num_classes: int,
) -> None:
    """Try the first configuration of each own model that can be built.

    Raises:
        ModelError: what is wrong with one.
    """
    tried: set[str] = set()
    refused: dict[str, InfeasibleConfigurationError] = {}
    for configuration in configurations:
        network = configuration.network
        if not isinstance(network, OwnNetwork) or network.function in tried:
            continue
        try:
            with torch.random.fork_rng(devices=[]):
                _try_step(configuration, image_shape, num_classes)
        except InfeasibleConfigurationError as error:
            refused[network.function] = error
        else:
            tried.add(network.function)
    for function in refused.keys() - tried:
        raise ModelError(f"model {function!r} refuses what it was tried with: {refused[function]}")


def _try_step(
    configuration: Configuration, image_shape: tuple[int, int, int], num_classes: int
) -> None:
    network = configuration.network
    assert isinstance(network, OwnNetwork)
    module = build_network(network, image_shape=image_shape, num_classes=num_classes)
    labels = torch.arange(_NUM_IMAGES) % num_classes
    try:
        learner = make_learner(module, configuration, _METHOD)
        learner.step(torch.rand(_NUM_IMAGES, *image_shape), labels, learning_rate=1e-4)
    except (Exception, SystemExit) as error:  # whatever the user's code may raise
        problem = f"training it on {_NUM_IMAGES} images raised {error_text(error)}"
        raise ModelError(f"model {network.function!r}: {problem}") from error
