"""The networks that a study leaves, made again from their stored weights.

    classifier = load_classifier(record, spec, home=home)
    logits = classifier(images)  # (B, C, H, W) float in [0, 1] -> (B, classes)

Of a search the retrained winner, of a fixed set a named configuration, with all its seeds or one.
Weights are read from safetensors files only: no pickle is loaded.
"""

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from hpsearch.configuration import Configuration
from hpsearch.errors import DataError, NothingToShowError, UserError
from hpsearch.fixedset import CONFIGURATION, SEED
from hpsearch.home import Home
from hpsearch.modelcode import check_code
from hpsearch.models.network import build_network
from hpsearch.records import Role, TrainingKey
from hpsearch.spec import StudySpec
from hpsearch.storage.record import FinishedTraining, StudyRecord


class Classifier(nn.Module):
    """One trained network, or several of different seeds as one, in evaluation mode.

    It takes (B, C, H, W) float images in [0, 1] and returns (B, classes) logits: of one network its
    own, of several the logarithm of their mean probability, so that a softmax gives that mean.
    """

    def __init__(
        self,
        networks: Mapping[int, nn.Module],
        *,
        spec: StudySpec,
        trial: int,
        configuration: Configuration,
    ) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks.values())
        self.seeds = tuple(networks)
        self.study = spec.name
        self.trial = trial
        self.dataset = spec.dataset.name
        self.image_shape = spec.dataset.image_shape  # channels, height, width
        self.class_names = spec.dataset.class_names  # in the order of the logits
        self.configuration = configuration
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Logits, (B, classes)."""
        outputs: list[Tensor] = [network(images) for network in self.networks]
        if len(outputs) == 1:
            return outputs[0]
        logs = torch.stack([output.log_softmax(1) for output in outputs])
        return logs.logsumexp(0) - math.log(len(outputs))


def load_classifier(
    record: StudyRecord,
    spec: StudySpec,
    *,
    home: Home,
    configuration: str | None = None,
    seed: int | None = None,
) -> Classifier:
    """The networks of a search's winner, or of one configuration of a fixed set.

    Args:
        record: the study.
        spec: its study file, as stored.
        home: where the weights are.
        configuration: of a fixed set, which one; may be left out where there is only one.
        seed: the network of this seed alone; None: all, as one.

    Raises:
        NothingToShowError: nothing has been trained yet that could be loaded.
        UserError: there is no such configuration or seed.
        ChangedStudyError: the code of its own models is another now.
        DataError: weights are missing, damaged, or of another network.
    """
    if spec.fixed is None:
        if configuration is not None:
            raise UserError(f"study {spec.name!r} is a search with one winner, not a fixed set")
        trainings = _of_winner(record)
    else:
        trainings = _of_configuration(record, spec, configuration)
    if seed is not None:
        if seed not in trainings:
            there_are = ", ".join(map(str, trainings))
            raise UserError(f"there is no network of seed {seed}; there are {there_are}")
        trainings = {seed: trainings[seed]}
    check_code(record, spec)
    first = next(iter(trainings.values()))
    resolved = spec.stored_configuration(first.configuration)
    networks = {
        number: _load(home.weights(record.name, training.key), resolved, spec)
        for number, training in trainings.items()
    }
    return Classifier(networks, spec=spec, trial=first.key.trial, configuration=resolved)


def _of_winner(record: StudyRecord) -> dict[int, FinishedTraining]:
    """The winner's last trainings by seed: of the trial that was tested last, or is to be."""
    trainings = record.trainings(role="winner")
    reading = record.last_reading()
    trial = reading.trial if reading else max(trainings, default=TrainingKey("winner", -1)).trial
    found = {key.seed: trainings[key] for key in sorted(trainings) if key.trial == trial}
    if not found:
        raise NothingToShowError(
            f"study {record.name!r} has no retrained winner yet; "
            f"`hpsearch test --study {record.name}` retrains and tests it"
        )
    return found


def _of_configuration(
    record: StudyRecord, spec: StudySpec, name: str | None
) -> dict[int, FinishedTraining]:
    """The finished trainings of a configuration by seed."""
    names = [named.name for named in spec.configurations]
    if name is None and len(names) == 1:
        name = names[0]
    if name not in names:
        problem = "name one of its configurations" if name is None else f"there is no {name!r}"
        raise UserError(
            f"study {spec.name!r} is a fixed set, {problem}: --configuration {_listed(names)}"
        )
    role: Role = "search"
    trainings = record.trainings(role=role)
    found = {
        int(trial.params[SEED]): trainings[TrainingKey(role, trial.number)]
        for trial in record.study.get_trials(deepcopy=False)
        if trial.params.get(CONFIGURATION) == name and TrainingKey(role, trial.number) in trainings
    }
    if not found:
        raise NothingToShowError(f"configuration {name!r} of {spec.name!r} has not been trained")
    return dict(sorted(found.items()))


def _listed(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names)


def _load(path: Path, configuration: Configuration, spec: StudySpec) -> nn.Module:
    """One network with its weights."""
    module = build_network(
        configuration.network,
        image_shape=spec.dataset.image_shape,
        num_classes=spec.dataset.num_classes,
    )
    module.load_state_dict(_read_weights(path, module))
    return module


def _read_weights(path: Path, module: nn.Module) -> dict[str, Tensor]:
    """The tensors of a weights file, which must be those of the network."""
    wanted = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    try:
        with safe_open(path, framework="pt") as file:
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise DataError(f"the weights {path} are gone; no other file has them") from None
    except (OSError, SafetensorError) as error:
        raise DataError(f"the weights {path} cannot be read: {error}") from None
    found = {name: tuple(value.shape) for name, value in weights.items()}
    if found != wanted:
        odd = sorted(wanted.items() ^ found.items())[0][0]
        raise DataError(f"the weights {path} are of another network: {odd} is not as it should be")
    return weights
