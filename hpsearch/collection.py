"""The collection: every study file that has published figures, and how to run it on a budget.

    for study in collection():
        spec = trim(study, Budget(seeds=1, epochs=10))

A study that is trimmed in what decides its numbers is another study and has another name, so that
the full one can be run beside it.
"""

import copy
from dataclasses import dataclass

from hpsearch.spec import StudySpec
from hpsearch.studyfiles import study_files
from hpsearch.studyparser import load_study_file, parse_study


@dataclass(frozen=True)
class Budget:
    """At most so much of what a study file asks for; None: all of it."""

    seeds: int | None = None
    epochs: int | None = None
    trials: int | None = None  # of a search; a fixed set has one a configuration and seed


def collection() -> list[StudySpec]:
    """Every study that can be run by name and has published figures, fixed sets first.

    Raises:
        StudyFileError: one of the files is not a study file.
    """
    studies = [load_study_file(path, name=name) for name, path in sorted(study_files().items())]
    return sorted((s for s in studies if _is_published(s)), key=lambda s: s.fixed is None)


def _is_published(spec: StudySpec) -> bool:
    results = [named.published for named in spec.configurations]
    return spec.published is not None or any(r.model_dump(exclude_none=True) for r in results)


def trim(spec: StudySpec, budget: Budget) -> StudySpec:
    """The study within a budget; what changes its numbers also changes its name."""
    document, name = copy.deepcopy(spec.document), spec.name
    if budget.epochs is not None and budget.epochs < spec.training.epochs:
        document["training"]["epochs"] = budget.epochs
        name += f"-{budget.epochs}-epochs"
    if budget.seeds is not None and spec.fixed is not None:
        document["fixed"]["seeds"] = min(budget.seeds, spec.fixed.seeds)
    if budget.seeds is not None and spec.final is not None and budget.seeds < spec.final.seeds:
        document["final"]["seeds"] = budget.seeds
        name += f"-{budget.seeds}-seeds"
    if budget.trials is not None and spec.fixed is None:
        document["search"]["trials"] = min(budget.trials, spec.search.trials)
    if name != spec.name:
        document["description"] = f"{spec.description} ({trimmed(spec, budget)})".strip()
    return parse_study(document, name=name)


def trimmed(study: StudySpec, budget: Budget) -> str:
    """What a study within a budget has less of than its file asks for; empty if nothing."""
    trials = study.search.trials if study.fixed is None else None
    less = [
        (budget.epochs, study.training.epochs, "epochs"),
        (budget.seeds, num_seeds(study), "seeds"),
        (budget.trials, trials, "trials"),
    ]
    return ", ".join(
        f"{own} of {wanted} {what}"
        for own, wanted, what in less
        if own is not None and wanted is not None and own < wanted
    )


def num_seeds(study: StudySpec) -> int | None:
    """Networks of each configuration, or of a search's winner; None: it has none."""
    if study.fixed is not None:
        return study.fixed.seeds
    return study.final.seeds if study.final is not None else None
