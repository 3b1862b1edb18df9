"""The code of a study's own models: tried out before the study begins, then held to what it was.

Nothing happens here for a study of `mlp` and `cnn` alone.
"""

import random
from collections.abc import Iterator
from contextlib import suppress

from hpsearch.configuration import Configuration
from hpsearch.errors import ChangedStudyError, InfeasibleConfigurationError
from hpsearch.models.source import find_source
from hpsearch.ownmodel import OwnNetwork
from hpsearch.spec import StudySpec
from hpsearch.storage.record import MODEL_CODE, StudyRecord

_DRAWS = 20  # of configurations, until one is found that the model does not refuse


def code_of(spec: StudySpec) -> dict[str, str]:
    """The SHA-256 of each own model's file, by `module:function`.

    Raises:
        ModelError: a file is not there.
    """
    networks = [configuration.network for configuration in _tried(spec)]
    own = {network.function: network for network in networks if isinstance(network, OwnNetwork)}
    return {function: find_source(network).sha256 for function, network in own.items()}


def try_own_models(spec: StudySpec) -> None:
    """Build each own model of a study once and train it on a batch.

    Raises:
        ModelError: what is wrong with one.
    """
    configurations = [c for c in _tried(spec) if isinstance(c.network, OwnNetwork)]
    if not configurations:
        return
    from hpsearch.training.model_check import check_own_models  # with PyTorch

    dataset = spec.dataset
    check_own_models(
        configurations, image_shape=dataset.image_shape, num_classes=dataset.num_classes
    )


def hold_code(record: StudyRecord, code: dict[str, str]) -> None:
    """See that the models' code is what the study's trials were trained with, or keep it as that.

    Raises:
        ChangedStudyError: it is another, and something was trained with the old one.
    """
    changed = _changed(record, code)
    if not changed:
        return
    if MODEL_CODE in record.study.user_attrs and record.all_epochs(role="search"):
        raise ChangedStudyError(
            f"{_another(record, changed)}, or use --name OTHER for a new study, or --restart, "
            "which keeps the old one under a dated name"
        )
    record.study.set_user_attr(MODEL_CODE, code)


def check_code(record: StudyRecord, spec: StudySpec) -> None:
    """See that a study's weights are of the models' code as it is now.

    Raises:
        ChangedStudyError: it is another.
    """
    changed = _changed(record, code_of(spec))
    if changed:
        raise ChangedStudyError(_another(record, changed))


def _changed(record: StudyRecord, code: dict[str, str]) -> list[str]:
    """The models, `module:function`, whose code is another than the stored."""
    stored = record.study.user_attrs.get(MODEL_CODE, {})
    return sorted(name for name in {*stored, *code} if stored.get(name) != code.get(name))


def _another(record: StudyRecord, changed: list[str]) -> str:
    return (
        f"study {record.name!r}: the code of {', '.join(changed)} is another than its trials were "
        "trained with; put the old file back"
    )


def _tried(spec: StudySpec) -> Iterator[Configuration]:
    """All configurations of a fixed set; of a search some, drawn by its seed."""
    if spec.fixed is not None:
        yield from (named.configuration for named in spec.configurations)
        return
    generator = random.Random(spec.training.seed)
    for _ in range(_DRAWS):
        with suppress(InfeasibleConfigurationError):
            yield spec.configuration(spec.space.draw(generator))
