"""Study files: read, checked, and made a `StudySpec`.

    spec = load_study_file(Path("studies/cnn-fashion.toml"))

The name of a study is its file's stem. A document that was stored with a study is read the same
way. Of a data set of the user's own, the stored document has the absolute path and, under `found`,
what was found there: no file of it is opened then.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpsearch.algorithms import Grid, NoPruner
from hpsearch.augmentation import AUGMENTATION_DEFAULTS, PREFIX
from hpsearch.catalogue import (
    DATASETS,
    FOUND,
    OWN_NAMES,
    DatasetInfo,
    dataset_of,
    found_of,
    parse_own,
)
from hpsearch.configuration import TRAINING_NAMES
from hpsearch.data.own import describe_own
from hpsearch.entries import flatten, normalize
from hpsearch.errors import DataError, StudyFileError
from hpsearch.fixedset import Around, parse_configurations, space_of
from hpsearch.mistakes import MistakeError, UnknownKeyError, written
from hpsearch.ownmodel import is_own
from hpsearch.space import Space
from hpsearch.spacefile import parse_space
from hpsearch.spec import AUGMENTATION, MODEL_FOLDER, StudySpec
from hpsearch.studytables import (
    Document,
    FixedDocument,
    OwnImages,
    Search,
    SearchDocument,
    check_table,
    not_among,
)

LARGEST_GRID = 20_000  # combinations of a space that are listed, to see what is left

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_OF_FIXED_SETS = frozenset({"configurations", "fixed", "shared"})


def load_study_file(path: Path, *, name: str | None = None) -> StudySpec:
    """Read and check a study file; `name` replaces the file's stem as the study's name.

    Raises:
        StudyFileError: the file cannot be read, or anything in it is not allowed.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
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


def parse_stored(document: Mapping[str, Any], *, name: str) -> StudySpec:
    """The study of a stored document.

    Raises:
        StudyFileError: another hpsearch stored it, whose study files this one does not read.
    """
    try:
        return parse_study(document, name=name)
    except MistakeError as mistake:
        raise StudyFileError(
            f"what is stored of study {name!r} is of another hpsearch: {mistake}"
        ) from None


def parse_study(content: Mapping[str, Any], *, name: str, folder: Path | None = None) -> StudySpec:
    """Check a study given as the tables of its file, or as a stored document.

    Args:
        content: the tables.
        name: the study's.
        folder: the file's, where a relative path to data begins and own models are looked for
            first; None: a stored document, which has where they are, or no file.

    Raises:
        MistakeError: the first thing that is wrong.
    """
    check_study_name(name)
    tables = dict(content)
    if folder is None:
        beside = _Beside(Path(), tables.pop(MODEL_FOLDER, ""), tables.pop(FOUND, None))
    else:  # what only a stored document has is an unknown key then
        beside = _Beside(folder, str(folder), None)
    if _OF_FIXED_SETS & tables.keys():
        return _parse_fixed_set(tables, name, beside)
    return _parse_search(tables, name, beside)


@dataclass(frozen=True)
class _Beside:
    """What is to be known beside the tables."""

    folder: Path  # where a relative path to data begins
    model_folder: str  # where own models are looked for first
    found: dict[str, Any] | None  # what was found of own data, of a stored study

    def dataset(self, document: Document) -> DatasetInfo:
        """The data set that a document names.

        Raises:
            MistakeError: there is none, or it is too small.
        """
        dataset, subset = self._describe(document), document.training.subset
        if subset is not None and subset > dataset.num_train:
            has = f"{dataset.name} has {dataset.num_train} training images"
            raise MistakeError("training.subset", f"{subset} is not allowed; {has}")
        return dataset

    def _describe(self, document: Document) -> DatasetInfo:
        settings = document.data or OwnImages()
        facts = {"dataset": document.dataset, "data": settings.model_dump(mode="json")}
        try:
            if parse_own(document.dataset) is None:
                return _catalogued(document)
            if self.found is not None:
                return dataset_of({**facts, FOUND: self.found})
            return describe_own(document.dataset, settings, folder=self.folder)
        except DataError as error:
            raise MistakeError("dataset", str(error)) from None


def _catalogued(document: Document) -> DatasetInfo:
    if document.dataset not in DATASETS:
        raise MistakeError("dataset", not_among(document.dataset, [*DATASETS, *OWN_NAMES]))
    if document.data is not None:
        raise MistakeError("data", f"is for data of your own: dataset = {' or '.join(OWN_NAMES)}")
    return DATASETS[document.dataset]


def _parse_search(tables: dict[str, Any], name: str, beside: _Beside) -> StudySpec:
    table = flatten(_table(tables.pop("space", None), "space"))
    flat = normalize(table, model=tables.get("model"))
    fixed = _take_hyperparameters(tables)
    augmentation = _take_augmentation(tables)
    also = [AUGMENTATION, "space", *sorted(_OF_FIXED_SETS)]
    document = check_table(SearchDocument, tables, also=also)
    dataset = beside.dataset(document)
    space = parse_space(
        flat,
        training={**fixed, **augmentation},
        model=document.model,
        image_shape=dataset.image_shape,
    )
    if document.search.sampler.name == "grid" and space.count_at_most(LARGEST_GRID) is None:
        raise MistakeError("search.sampler", _no_grid(space))
    models = _models(beside, [document.model])
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
            **_dumped(document, dataset, fixed),
            "space": flat,
            **models,
            **_augmented(augmentation),
        },
        published=document.published,
        model_folder=models.get(MODEL_FOLDER, ""),
    )


def _parse_fixed_set(tables: dict[str, Any], name: str, beside: _Beside) -> StudySpec:
    named = tables.pop("configurations", None)
    shared = normalize(flatten(_table(tables.pop("shared", {}), "shared")))
    fixed = _take_hyperparameters(tables)
    augmentation = _take_augmentation(tables)
    document = check_table(FixedDocument, tables, also=["shared", "configurations", AUGMENTATION])
    dataset = beside.dataset(document)
    around = Around(
        shared={**fixed, **augmentation, **shared},
        model=document.model,
        image_shape=dataset.image_shape,
        folder=beside.model_folder,
    )
    configurations = parse_configurations(named, around)
    models = _models(beside, [one.model for one in configurations])
    seeds = document.fixed.seeds
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
            **_dumped(document, dataset, fixed),
            "shared": shared,
            "configurations": {one.name: one.document for one in configurations},
            **models,
            **_augmented(augmentation),
        },
        fixed=document.fixed,
        configurations=configurations,
        model_folder=models.get(MODEL_FOLDER, ""),
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


def _dumped(
    document: Document, dataset: DatasetInfo, fixed: Mapping[str, object]
) -> dict[str, Any]:
    """The document with its defaults and, of own data, with what was found."""
    dumped = document.model_dump(mode="json")
    dumped["training"] |= fixed
    if dataset.own is None:
        del dumped["data"]
        return dumped
    settings = document.data or OwnImages()
    facts = {"dataset": dataset.name, "data": settings.model_dump(mode="json")}
    return {**dumped, **facts, FOUND: found_of(dataset)}


def _models(beside: _Beside, models: Sequence[str]) -> dict[str, str]:
    """Where own models are looked for, in the documents of studies that have some."""
    return {MODEL_FOLDER: beside.model_folder} if any(map(is_own, models)) else {}


def _augmented(augmentation: Mapping[str, object]) -> dict[str, Any]:
    """The table of augmentation, in the documents of studies that have one."""
    table = {name.removeprefix(PREFIX): value for name, value in augmentation.items()}
    return {AUGMENTATION: table} if table else {}


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
