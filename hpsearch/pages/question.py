"""What a study asked, in tables: its space, its protocol, and what its runs ran with."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from hpsearch.augmentation import augmentation_in_words
from hpsearch.catalogue import DatasetInfo, dataset_of
from hpsearch.configuration import TRAINING_NAMES
from hpsearch.durations import show_duration
from hpsearch.ownmodel import model_title
from hpsearch.pages.table import PageTable, page_table
from hpsearch.records import Objective, is_maximized
from hpsearch.report.terminal import show_cell
from hpsearch.spec import AUGMENTATION
from hpsearch.storage.record import Run
from hpsearch.times import show_time


def space_table(document: Mapping[str, Any]) -> PageTable:
    """Every hyperparameter that the study file names, with its values."""
    protocol = document["training"]
    fixed = {name: protocol[name] for name in protocol if name in TRAINING_NAMES}
    entries = {**document["space"], **fixed}
    rows = [[name, _values(entry), _condition(entry)] for name, entry in entries.items()]
    if not any(condition for _, _, condition in rows):
        return page_table(["hyperparameter", "values"], [row[:2] for row in rows])
    return page_table(["hyperparameter", "values", "condition"], rows)


def fixed_names(document: Mapping[str, Any]) -> set[str]:
    """The hyperparameters that have one value only."""
    return {name for name, entry in document["space"].items() if _values(entry).endswith("(fixed)")}


def _values(entry: Any) -> str:
    if isinstance(entry, list):
        return _listed(entry)
    if not isinstance(entry, dict):
        return f"{_scalar(entry)} (fixed)"
    if "choices" in entry:
        return _listed(entry["choices"])
    if "value" in entry:
        return f"{_scalar(entry['value'])} (fixed)"
    how = ", logarithmic" if entry.get("log") else ""
    how += f", in steps of {_scalar(entry['step'])}" if "step" in entry else ""
    return f"{_scalar(entry['low'])} to {_scalar(entry['high'])}{how}"


def _listed(values: list[Any]) -> str:
    listed = ", ".join(_scalar(value) for value in values)
    return listed if len(values) > 1 else f"{listed} (fixed)"


def _scalar(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else show_cell(value)


def _condition(entry: Any) -> str:
    if not isinstance(entry, dict):
        return ""
    parts = [f"one for each of {entry['each']}"] if "each" in entry else []
    for parent, values in entry.get("when", {}).items():
        allowed = values if isinstance(values, list) else [values]
        parts.append(f"where {parent} is {' or '.join(_scalar(value) for value in allowed)}")
    return "; ".join(parts)


def configurations_table(document: Mapping[str, Any]) -> PageTable:
    """The configurations of a fixed set, each with what is its own."""
    rows = []
    for name, table in document["configurations"].items():
        own = {key: value for key, value in table.items() if key not in ("model", "published")}
        values = ", ".join(f"{key} {_scalar(value)}" for key, value in own.items())
        rows.append([name, model_title(table["model"]), values])
    return page_table(["configuration", "model", "hyperparameters of its own"], rows)


def shared_table(document: Mapping[str, Any]) -> PageTable:
    """The hyperparameters that the configurations of a fixed set share."""
    protocol = document["training"]
    fixed = {name: protocol[name] for name in protocol if name in TRAINING_NAMES}
    entries = {**document["shared"], **fixed}
    return page_table(
        ["hyperparameter", "value"], [[name, _scalar(value)] for name, value in entries.items()]
    )


def protocol_table(document: Mapping[str, Any]) -> PageTable:
    """Data, training, search, and what comes after it, in words."""
    info = dataset_of(document)
    training = document["training"]
    subset = training.get("subset")
    images = f"{subset:,} of {info.num_train:,}" if subset else f"{info.num_train:,}"
    shape = " x ".join(map(str, info.image_shape[1:]))
    is_search = "search" in document
    wall = "not opened before the search was over" if is_search else "opened for each network"
    rows = [
        ["data set", f"{info.title}: {info.num_classes} classes, images of {shape}{_colour(info)}"],
        *([["where it was", _origin(info)]] if info.own else []),
        [
            "training images",
            f"{images}, of which {training['validation']:.0%} held out by class "
            f"for validation, with seed {training['seed']}",
        ],
        ["test images", f"{info.num_test:,}{_sealed(info)}, {wall}"],
        ["objective", _objective(document["objective"])],
        ["epochs", f"at most {training['epochs']:,}"],
        ["early stopping", _early_stopping(training.get("early_stopping"))],
        ["augmentation", augmentation_in_words(document.get(AUGMENTATION, {}))],
        ["precision", training["precision"]],
        *(_search_rows(document) if is_search else _fixed_rows(document["fixed"])),
    ]
    return page_table(["what", "how"], rows)


def _colour(info: DatasetInfo) -> str:
    return " in colour" if info.image_shape[0] == 3 else ""


def _origin(info: DatasetInfo) -> str:
    assert info.own is not None
    return f"{info.name}{', resized' if info.own.size else ''}"


def _sealed(info: DatasetInfo) -> str:
    if info.own is None or not info.own.is_sealed:
        return ""
    return f" ({info.own.test_share:.0%} of each class, sealed first)"


def _search_rows(document: Mapping[str, Any]) -> list[list[str]]:
    search, final = document["search"], document["final"]
    return [
        ["model", model_title(document["model"])],
        ["sampler", _algorithm(search["sampler"])],
        ["pruner", _algorithm(search["pruner"])],
        [
            "finalists",
            f"the best {final['finalists']} trained again with "
            f"{_seeds(final['seeds'], 'fresh ')}; the best mean wins",
        ],
        [
            "retraining",
            f"the winner on {final['train_on']}, for the mean of its best epochs, "
            f"with {_seeds(final['seeds'])}",
        ],
    ]


def _seeds(number: int, kind: str = "") -> str:
    return f"{number} {kind}seed{'' if number == 1 else 's'}"


def _fixed_rows(fixed: Mapping[str, Any]) -> list[list[str]]:
    return [
        ["networks", f"{fixed['seeds']} of each configuration, by their seeds"],
        ["tested weights", f"those of the {fixed['weights']} epoch"],
    ]


def _objective(name: Objective) -> str:
    better = "highest" if is_maximized(name) else "lowest"
    return f"{name} at a trial's best epoch, {better} first"


def _early_stopping(table: Mapping[str, Any] | None) -> str:
    if not table:
        return "none"
    return f"after {table['patience']} epochs without a better {table['monitor']}" + (
        f" by {table['min_delta']:g}" if table.get("min_delta") else ""
    )


def _algorithm(table: Mapping[str, Any]) -> str:
    settings = ", ".join(
        f"{key} {_algorithm(value) if isinstance(value, dict) else _scalar(value)}"
        for key, value in table.items()
        if key != "name" and value is not None
    )
    return f"{table['name']} ({settings})" if settings else str(table["name"])


def runs_table(runs: list[Run]) -> PageTable:
    """When each run was, on what, with which versions."""
    return page_table(
        ["run", "started", "lasted", "trials", "devices", "processor", "hpsearch", "versions"],
        [
            [
                number,
                show_time(run.started).replace("T", " "),
                show_duration(max(0.0, (run.last_alive - run.started).total_seconds())),
                _or_gap(run.environment.get("trials")),
                _devices(run.environment.get("devices", [])),
                f"{run.environment.get('processor', '')} ({run.environment.get('host', '')})",
                f"{run.environment.get('hpsearch', '')} {run.environment.get('code', '')}",
                _versions(run.environment),
            ]
            for number, run in enumerate(runs, start=1)
        ],
    )


def _or_gap(value: object) -> object:
    return "" if value is None else value


def _devices(devices: list[str]) -> str:
    return ", ".join(
        name if count == 1 else f"{count} x {name}" for name, count in Counter(devices).items()
    )


def _versions(environment: Mapping[str, Any]) -> str:
    packages = environment.get("packages", {})
    versions = {"Python": environment.get("python", "unknown"), **packages}
    return ", ".join(f"{name} {version}" for name, version in versions.items())
