"""Study files: read, checked, and held as one frozen `StudySpec`.

    spec = load_study_file(Path("studies/cnn-fashion.toml"))
    configuration = spec.configuration(spec.space.suggest(trial))

The name of a study is its file's stem. What a file says is kept as a plain document too: it is
stored with the study, so that a later run can tell whether the file is still the same.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpsearch.algorithms import Grid, NoPruner
from hpsearch.augmentation import AUGMENTATION_DEFAULTS, PREFIX
from hpsearch.catalogue import DATASETS, DatasetInfo
from hpsearch.configuration import (
    TRAINING_NAMES,
    Configuration,
    feature_map_sizes,
    resolve,
)
from hpsearch.entries import flatten, normalize
from hpsearch.errors import StudyFileError
from hpsearch.fixedset import (
    CONFIGURATION,
    SEED,
    Around,
    NamedConfiguration,
    parse_configurations,
    space_of,
)
from hpsearch.mistakes import MistakeError, UnknownKeyError, written
from hpsearch.ownmodel import is_own
from hpsearch.records import Objective
from hpsearch.space import Scalar, Space
from hpsearch.spacefile import parse_space
from hpsearch.studytables import (
    Document,
    Final,
    FixedDocument,
    FixedSet,
    PublishedSearch,
    Search,
    SearchDocument,
    Training,
    check_table,
    not_among,
)

LARGEST_GRID = 20_000  # combinations of a space that are listed, to see what is left

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_OF_FIXED_SETS = frozenset({"configurations", "fixed", "shared"})
AUGMENTATION = "augmentation"  # the table's name
MODEL_FOLDER = "model_folder"  # of stored documents only: where the study file was
_ALSO = [AUGMENTATION, "space", *sorted(_OF_FIXED_SETS)]


@dataclass(frozen=True)
class StudySpec:
    """Everything scientific about a study: a search, or a fixed set of named configurations."""

    name: str
    description: str
    dataset: DatasetInfo
    model: str  # mlp, cnn, package.module:function; all that a fixed set has, with "and"
    objective: Objective
    training: Training
    search: Search  # of a fixed set: one trial a configuration and seed, in order
    final: Final | None  # None: a fixed set has no winner
    space: Space
    document: dict[str, Any]  # the file with its defaults filled in, as JSON can hold it
    published: PublishedSearch | None = None
    fixed: FixedSet | None = None
    configurations: tuple[NamedConfiguration, ...] = ()  # of a fixed set, in the file's order
    model_folder: str = ""  # where own models are looked for first

    def configuration(self, values: Mapping[str, Scalar]) -> Configuration:
        """Resolve suggested values to the one configuration that they describe.

        Raises:
            InfeasibleConfigurationError: its network cannot be built for this data set's images.
        """
        if self.fixed is not None:
            name = values[CONFIGURATION]
            return next(named.configuration for named in self.configurations if named.name == name)
        configuration = resolve(values, model=self.model, folder=self.model_folder)
        feature_map_sizes(configuration.network, image_shape=self.dataset.image_shape)
        return configuration

    def identity(self, values: Mapping[str, Scalar]) -> str:
        """What two trials must share for one to repeat the other.

        Raises:
            InfeasibleConfigurationError: as `configuration`.
        """
        if self.fixed is not None:
            return f"{values[CONFIGURATION]}, seed {values[SEED]}"
        return self.configuration(values).fingerprint

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits over all that decides a trial's outcome."""
        text = json.dumps(_scientific(self.document), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def differences(self, stored: Mapping[str, Any]) -> list[str]:
        """One line for each key whose stored value is another than this file's."""
        old, new = flatten(_scientific(stored)), flatten(_scientific(self.document))
        return [
            f"{key}: {_shown(old, key)} -> {_shown(new, key)}"
            for key in sorted(old.keys() | new.keys())
            if old.get(key) != new.get(key)
        ]


def _scientific(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document without what may change during a study: words, published figures, budgets."""
    words = ("description", "published", MODEL_FOLDER)
    rest = {key: value for key, value in document.items() if key not in words}
    budgets = {"search": ("trials", "trial_timeout"), "fixed": ("seeds", "trial_timeout")}
    for table, names in budgets.items():
        if table in rest:
            rest[table] = {key: v for key, v in rest[table].items() if key not in names}
    if "configurations" in rest:
        rest["configurations"] = {
            name: {key: value for key, value in table.items() if key != "published"}
            for name, table in rest["configurations"].items()
        }
    return rest


def _shown(flat: Mapping[str, object], key: str) -> str:
    return json.dumps(flat[key]) if key in flat else "(absent)"


def load_study_file(path: Path, *, name: str | None = None) -> StudySpec:
    """Read and check a study file; `name` replaces the file's stem as the study's name.

    Raises:
        StudyFileError: the file cannot be read, or anything in it is not allowed.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        folder = path.absolute().parent
        return parse_study(content, name=path.stem if name is None else name, folder=folder)
    except OSError as error:
        raise StudyFileError(f"{path}: cannot be read: {error.strerror}") from None
    except MistakeError as mistake:
        raise StudyFileError(f"{path}: {mistake}") from None
    except ValueError as error:  # of tomllib, or of a text that is not UTF-8
        raise StudyFileError(f"{path}: not TOML: {error}") from None
    except RecursionError:
        raise StudyFileError(f"{path}: not a study file: nested too deeply") from None


def parse_study(content: Mapping[str, Any], *, name: str, folder: Path | None = None) -> StudySpec:
    """Check a study given as the tables of its file.

    Args:
        content: the tables, as TOML or a stored document has them.
        name: the study's.
        folder: the file's, where own models are looked for first; None: the stored one.

    Raises:
        MistakeError: the first thing that is wrong.
    """
    check_study_name(name)
    tables = dict(content)
    models = str(tables.pop(MODEL_FOLDER, "") if folder is None else folder)
    if _OF_FIXED_SETS & tables.keys():
        return _parse_fixed_set(tables, name, models)
    return _parse_search(tables, name, models)


def _parse_search(tables: dict[str, Any], name: str, folder: str) -> StudySpec:
    table = flatten(_table(tables.pop("space", None), "space"))
    flat = normalize(table, model=tables.get("model"))
    fixed = _take_hyperparameters(tables)
    augmentation = _take_augmentation(tables)
    document = check_table(SearchDocument, tables, also=_ALSO)
    dataset = _dataset(document)
    space = parse_space(
        flat,
        training={**fixed, **augmentation},
        model=document.model,
        image_shape=dataset.image_shape,
    )
    if document.search.sampler.name == "grid" and space.count_at_most(LARGEST_GRID) is None:
        raise MistakeError("search.sampler", _no_grid(space))
    dumped = document.model_dump(mode="json")
    return StudySpec(
        name=name,
        description=document.description,
        dataset=dataset,
        model=document.model,
        objective=document.objective,
        training=document.training,
        search=document.search,
        final=document.final,
        space=space,
        document={
            **dumped,
            "training": {**dumped["training"], **fixed},
            "space": flat,
            **_where_asked(augmentation, folder, [document.model]),
        },
        published=document.published,
        model_folder=folder if is_own(document.model) else "",
    )


def _parse_fixed_set(tables: dict[str, Any], name: str, folder: str) -> StudySpec:
    named = tables.pop("configurations", None)
    shared = normalize(flatten(_table(tables.pop("shared", {}), "shared")))
    fixed = _take_hyperparameters(tables)
    augmentation = _take_augmentation(tables)
    document = check_table(FixedDocument, tables, also=["shared", "configurations", AUGMENTATION])
    dataset = _dataset(document)
    around = Around(
        shared={**fixed, **augmentation, **shared},
        model=document.model,
        image_shape=dataset.image_shape,
        folder=folder,
    )
    configurations = parse_configurations(named, around)
    seeds, dumped = document.fixed.seeds, document.model_dump(mode="json")
    return StudySpec(
        name=name,
        description=document.description,
        dataset=dataset,
        model=" and ".join(dict.fromkeys(one.model for one in configurations)),
        objective=document.objective,
        training=document.training,
        search=Search(
            sampler=Grid(),
            pruner=NoPruner(),
            trials=seeds * len(configurations),
            trial_timeout=document.fixed.trial_timeout,
        ),
        final=None,
        space=space_of(configurations, seeds=seeds),
        document={
            **dumped,
            "training": {**dumped["training"], **fixed},
            "shared": shared,
            "configurations": {one.name: one.document for one in configurations},
            **_where_asked(augmentation, folder, [one.model for one in configurations]),
        },
        fixed=document.fixed,
        configurations=configurations,
        model_folder=folder if any(is_own(one.model) for one in configurations) else "",
    )


def _take_hyperparameters(tables: dict[str, Any]) -> dict[str, object]:
    """Take the hyperparameters that `[training]` fixes out of it."""
    protocol = _table(tables.get("training", {}), "training")
    fixed = normalize({key: value for key, value in protocol.items() if key in TRAINING_NAMES})
    tables["training"] = {key: value for key, value in protocol.items() if key not in fixed}
    return fixed


def _take_augmentation(tables: dict[str, Any]) -> dict[str, object]:
    """Take the table `[augmentation]` out, its keys as the names of hyperparameters."""
    table = normalize(flatten(_table(tables.pop(AUGMENTATION, {}), AUGMENTATION), PREFIX))
    for name in table:
        if name not in AUGMENTATION_DEFAULTS:
            raise UnknownKeyError(name, list(AUGMENTATION_DEFAULTS))
    return table


def _where_asked(
    augmentation: Mapping[str, object], folder: str, models: Sequence[str]
) -> dict[str, Any]:
    """What stands in the documents of those studies only that have it."""
    own = {MODEL_FOLDER: folder} if any(map(is_own, models)) else {}
    table = {name.removeprefix(PREFIX): value for name, value in augmentation.items()}
    return {**own, **({AUGMENTATION: table} if table else {})}


def _dataset(document: Document) -> DatasetInfo:
    if document.dataset not in DATASETS:
        raise MistakeError("dataset", not_among(document.dataset, list(DATASETS)))
    dataset, subset = DATASETS[document.dataset], document.training.subset
    if subset is not None and subset > dataset.num_train:
        problem = f"{subset} is not allowed; {dataset.name} has {dataset.num_train} training images"
        raise MistakeError("training.subset", problem)
    return dataset


def _no_grid(space: Space) -> str:
    for parameter in space.parameters:
        if parameter.domain.values is None:
            return f"'grid' needs a finite space; give {parameter.name} a step or choices"
    return f"'grid' lists at most {LARGEST_GRID:,} combinations, and this space has more"


def check_study_name(name: str) -> None:
    """Names become file names, so only plain ones are allowed.

    Raises:
        MistakeError: any other name.
    """
    if not _NAME.fullmatch(name):
        raise MistakeError(
            "name",
            f"{written(name)} is not allowed; letters, digits, '.', '_' and '-', at most 100, are",
        )


def _table(value: object, key: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        problem = "is missing" if value is None else f"{written(value)} is not a table"
        raise MistakeError(key, f"{problem}; write [{key}]")
    return value
