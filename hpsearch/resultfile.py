"""The result of a tested model as a text file, one a model, in the manner of the write-up D2.

    for name, text in result_texts(record, home=home).items():
        ...

What was tested on what, the network's layers, every seed's accuracy and loss, the classes' scores,
the confusion matrix, when and with which versions. Nothing is computed anew: it is what the
database holds, and of the weights only the layers' shapes.
"""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from torch import nn

import hpsearch
from hpsearch.configuration import Configuration
from hpsearch.errors import DataError, NothingToShowError
from hpsearch.fixedset import CONFIGURATION, SEED
from hpsearch.home import Home
from hpsearch.models.layer_table import layer_table
from hpsearch.ownmodel import OwnNetwork
from hpsearch.records import sample_std
from hpsearch.report.status import stored_spec
from hpsearch.report.terminal import print_table, show_spread
from hpsearch.report.tested import print_scores
from hpsearch.spec import StudySpec
from hpsearch.storage.database import utc_now
from hpsearch.storage.record import Evaluation, Run, StudyRecord
from hpsearch.text import one_line
from hpsearch.times import show_time
from hpsearch.trained import load_classifier

_WIDE = 10_000  # columns: a file's lines are not folded


@dataclass(frozen=True)
class _Model:
    """A tested model: the winner of a search, or a configuration of a fixed set."""

    configuration: str | None
    evaluations: tuple[Evaluation, ...]  # by seed
    tested: datetime  # UTC


def result_texts(record: StudyRecord, *, home: Home) -> dict[str, str]:
    """A text for every tested model, by its configuration's name; of a search, under no name.

    Raises:
        NothingToShowError: nothing was tested yet.
    """
    spec = stored_spec(record)
    models = list(_of_winner(record) if spec.fixed is None else _of_configurations(record, spec))
    if not models:
        raise NothingToShowError(f"study {record.name!r} has no test result yet")
    return {model.configuration or "": _text(model, record, spec, home=home) for model in models}


def result_paths(path: Path, names: list[str]) -> dict[str, Path]:
    """Where the texts go: to `path`, or, where there are several, each beside it by its name."""
    if len(names) == 1:
        return {names[0]: path}
    paths: dict[str, Path] = {}
    for name in names:
        stem = f"{path.stem}-{re.sub(r'[^A-Za-z0-9.-]+', '_', name)}"
        while path.with_name(f"{stem}{path.suffix}") in paths.values():
            stem += "_"
        paths[name] = path.with_name(f"{stem}{path.suffix}")
    return paths


def _of_winner(record: StudyRecord) -> Iterator[_Model]:
    reading = record.last_reading()
    if reading is not None:
        yield _Model(None, reading.evaluations, reading.finished)


def _of_configurations(record: StudyRecord, spec: StudySpec) -> Iterator[_Model]:
    params = {trial.number: trial.params for trial in record.study.get_trials(deepcopy=False)}
    newest = {reading.trial: reading for reading in record.readings()}
    for named in spec.configurations:
        readings = [r for t, r in newest.items() if params[t][CONFIGURATION] == named.name]
        seeds = [replace(r.evaluations[0], seed=int(params[r.trial][SEED])) for r in readings]
        if seeds:
            ordered = tuple(sorted(seeds, key=lambda evaluation: evaluation.seed))
            yield _Model(named.name, ordered, max(reading.finished for reading in readings))


def _text(model: _Model, record: StudyRecord, spec: StudySpec, *, home: Home) -> str:
    """The file's text; lines end where their words do."""
    file = io.StringIO()
    console = Console(file=file, width=_WIDE, highlight=False, markup=False)
    title = record.name if model.configuration is None else f"{record.name}: {model.configuration}"
    console.print(f"{one_line(title)}\n{'=' * len(one_line(title))}\n")
    for name, value in _facts(model, record, spec):
        console.print(f"{name:<14}{one_line(value)}")
    _print_network(console, model, record, spec, home=home)
    console.print("\nTest results\n")
    print_scores(console, model.evaluations)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def _facts(model: _Model, record: StudyRecord, spec: StudySpec) -> Iterator[tuple[str, str]]:
    dataset, training = spec.dataset, spec.training
    shape = " x ".join(map(str, dataset.image_shape))
    yield "data set", f"{dataset.title}: images of {shape}, {dataset.num_classes} classes"
    subset = "" if training.subset is None else f"{training.subset:,} of "
    held_out = f"{training.validation * 100:g} % of them for validation"
    train, test = f"{subset}{dataset.num_train:,} to train on", f"{dataset.num_test:,} to test on"
    yield "images", f"{train}, {held_out}; {test}"
    yield "accuracy", _spread([evaluation.accuracy for evaluation in model.evaluations])
    yield "loss", _spread([evaluation.loss for evaluation in model.evaluations])
    times = record.num_readings()
    if spec.fixed is None:
        yield "test set", f"read {'once' if times == 1 else f'{times} times'} for this study"
    yield "tested", show_time(model.tested)
    yield "written", f"{show_time(utc_now())} by hpsearch {hpsearch.__version__}"
    run = _run_at(record, model.tested)
    if run is not None:
        found = run.environment
        packages = ", ".join(f"{name} {version}" for name, version in found["packages"].items())
        yield "trained with", f"hpsearch {found['hpsearch']}, Python {found['python']}, {packages}"
        yield "on", f"{', '.join(found['devices'])}, {found['processor']}"


def _spread(values: list[float]) -> str:
    mean = sum(values) / len(values)
    over = "with one seed" if len(values) == 1 else f"over {len(values)} seeds"
    return f"{show_spread(mean, sample_std(values))} {over}"


def _run_at(record: StudyRecord, moment: datetime) -> Run | None:
    """The newest run that had begun by then."""
    return next((run for run in reversed(record.runs()) if run.started <= moment), None)


def _print_network(
    console: Console, model: _Model, record: StudyRecord, spec: StudySpec, *, home: Home
) -> None:
    console.print("\nNetwork\n")
    try:
        classifier = load_classifier(record, spec, home=home, configuration=model.configuration)
    except DataError as error:
        console.print(f"not at hand: {one_line(str(error))}")
        return
    network = classifier.networks[0]
    if isinstance(network, nn.Sequential):
        rows = layer_table(network, image_shape=classifier.image_shape)
        columns = ["layer", "kind", "output", "parameters", "trainable"]
        cells = [
            [r.name, r.kind, " x ".join(map(str, r.output_shape)), r.parameters, r.trainable]
            for r in rows
        ]
        total = [sum(r.parameters for r in rows), sum(r.trainable for r in rows)]
        print_table(console, columns, [*cells, ["all", "", "", *total]])
    else:
        console.print(str(network))
    console.print("\nConfiguration\n")
    for name, value in _entries(_document(classifier.configuration), ""):
        console.print(f"{name:<30}{value}")


def _document(configuration: Configuration) -> dict[str, Any]:
    """A configuration as plain values; an own model's parameters by their names."""
    document = configuration.model_dump(mode="json")
    if isinstance(configuration.network, OwnNetwork):
        parameters = dict(document["network"].pop("parameters"))
        document["network"] = {"function": configuration.network.function, **parameters}
    return document


def _entries(value: object, name: str) -> Iterator[tuple[str, object]]:
    """Every value of a configuration by its name; layers are counted from 1."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _entries(part, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        for number, part in enumerate(value, start=1):
            yield from _entries(part, f"{name}.{number}")
    elif value is not None:
        yield name, value
