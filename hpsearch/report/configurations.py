"""A fixed set's table: every configuration over its seeds, beside what its document published."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from optuna.trial import FrozenTrial
from rich.console import Console

from hpsearch.fixedset import CONFIGURATION, NamedConfiguration
from hpsearch.records import EpochMetrics, TrainingKey, best_epoch, sample_std
from hpsearch.report.spreadsheet import csv_text
from hpsearch.report.terminal import print_table, show_spread
from hpsearch.report.trials import outcome_of
from hpsearch.spec import StudySpec
from hpsearch.storage.record import Evaluation, StudyRecord


@dataclass(frozen=True)
class ConfigurationRow:
    """One configuration; figures are means over its tested networks, None where there are none."""

    configuration: str
    seeds: int  # networks tested
    seeds_wanted: int
    published_test_accuracy: float | None
    test_accuracy: float | None
    test_accuracy_std: float | None  # sample standard deviation; one network has none
    test_accuracy_difference: float | None  # ours - published
    published_test_loss: float | None
    test_loss: float | None
    test_loss_std: float | None
    test_loss_difference: float | None
    val_accuracy: float | None  # at the epoch whose weights were tested
    published_parameters: int | None  # trainable ones
    parameters: int | None
    epochs: float | None
    train_seconds: float | None
    not_tested: str  # what became of the other networks, in words
    test_balanced_accuracy: float | None = None  # where that is the objective

    @property
    def has_published(self) -> bool:
        """Whether there is a published figure of it."""
        figures = (self.published_test_accuracy, self.published_test_loss)
        return any(figure is not None for figure in (*figures, self.published_parameters))


def configuration_rows(record: StudyRecord, spec: StudySpec) -> list[ConfigurationRow]:
    """One row a configuration, in the file's order; `spec` is the stored study's."""
    assert spec.fixed is not None
    trials: dict[str, list[FrozenTrial]] = {named.name: [] for named in spec.configurations}
    for trial in record.study.get_trials(deepcopy=False):
        if trial.params.get(CONFIGURATION) in trials:
            trials[trial.params[CONFIGURATION]].append(trial)
    tested = {reading.trial: reading.evaluations[0] for reading in record.readings()}
    histories = record.all_epochs(role="search")
    kept = {
        number: _kept_epoch(histories[TrainingKey("search", number)], spec) for number in tested
    }
    return [
        _row(named, trials[named.name], tested, kept, spec=spec) for named in spec.configurations
    ]


def _kept_epoch(epochs: list[EpochMetrics], spec: StudySpec) -> EpochMetrics:
    """The epoch whose weights were tested."""
    assert spec.fixed is not None
    is_last = spec.fixed.weights == "last"
    return epochs[-1] if is_last else best_epoch(epochs, objective=spec.objective)


def _row(
    named: NamedConfiguration,
    trials: list[FrozenTrial],
    tested: dict[int, Evaluation],
    kept: dict[int, EpochMetrics],
    *,
    spec: StudySpec,
) -> ConfigurationRow:
    assert spec.fixed is not None
    published = named.published
    numbers = [trial.number for trial in trials if trial.number in tested]
    results = [tested[number] for number in numbers]
    accuracy = _mean([result.accuracy for result in results])
    loss = _mean([result.loss for result in results])
    return ConfigurationRow(
        configuration=named.name,
        seeds=len(results),
        seeds_wanted=spec.fixed.seeds,
        published_test_accuracy=published.test_accuracy,
        test_accuracy=accuracy,
        test_accuracy_std=sample_std([result.accuracy for result in results]),
        test_accuracy_difference=_difference(accuracy, published.test_accuracy),
        published_test_loss=published.test_loss,
        test_loss=loss,
        test_loss_std=sample_std([result.loss for result in results]),
        test_loss_difference=_difference(loss, published.test_loss),
        val_accuracy=_mean([kept[number].val_accuracy or 0.0 for number in numbers]),
        published_parameters=published.parameters,
        parameters=results[0].num_parameters if results else None,
        epochs=_mean([result.epochs for result in results]),
        train_seconds=_mean([result.train_seconds for result in results]),
        not_tested=_not_tested(trials, tested),
        test_balanced_accuracy=_balanced(results, spec),
    )


def _mean(values: Sequence[float]) -> float | None:
    return statistics.mean(values) if values else None


def _balanced(results: list[Evaluation], spec: StudySpec) -> float | None:
    if spec.objective != "val_balanced_accuracy":
        return None
    return _mean([r.balanced_accuracy for r in results if r.balanced_accuracy is not None])


def _difference(ours: float | None, published: float | None) -> float | None:
    return None if ours is None or published is None else ours - published


def _not_tested(trials: list[FrozenTrial], tested: dict[int, Evaluation]) -> str:
    left = (trial for trial in trials if trial.number not in tested)
    return ", ".join(f"trial {trial.number}: {outcome_of(trial)}" for trial in left)


def configurations_csv(rows: list[ConfigurationRow]) -> str:
    """The rows as RFC 4180 CSV in full precision."""
    names = list(ConfigurationRow.__dataclass_fields__)
    return csv_text(names, [[getattr(row, name) for name in names] for row in rows])


def results_table(
    rows: list[ConfigurationRow],
) -> tuple[list[str], list[list[object]]]:
    """Columns and rows for people: published, ours as mean and deviation, difference."""
    columns: list[tuple[str, list[object]]] = [
        ("configuration", [row.configuration for row in rows]),
        ("published accuracy", [_rounded(row.published_test_accuracy) for row in rows]),
        (
            "test accuracy",
            [_accuracy(row) for row in rows],
        ),
        ("accuracy difference", [_signed(row.test_accuracy_difference) for row in rows]),
        ("balanced accuracy", [_rounded(row.test_balanced_accuracy) for row in rows]),
        ("published loss", [_rounded(row.published_test_loss) for row in rows]),
        ("test loss", [_loss(row) for row in rows]),
        ("loss difference", [_signed(row.test_loss_difference) for row in rows]),
        ("published parameters", [_count(row.published_parameters) for row in rows]),
        ("parameters", [_count(row.parameters) for row in rows]),
        ("seeds", [f"{row.seeds} of {max(row.seeds, row.seeds_wanted)}" for row in rows]),
        ("epochs", ["" if row.epochs is None else round(row.epochs, 1) for row in rows]),
        ("train s", [_seconds(row.train_seconds) for row in rows]),
        ("not tested", [row.not_tested for row in rows]),
    ]
    # a document that publishes no losses, or no parameters, needs no empty columns for them
    shown = [column for column in columns if any(value != "" for value in column[1])]
    return [name for name, _ in shown], [
        [values[i] for _, values in shown] for i in range(len(rows))
    ]


def print_configurations(console: Console, rows: list[ConfigurationRow]) -> None:
    """The table in a terminal."""
    print_table(console, *results_table(rows))


def _rounded(value: float | None) -> float | str:
    return "" if value is None else round(value, 4)


def _accuracy(row: ConfigurationRow) -> str:
    return _spread(row.test_accuracy, row.test_accuracy_std)


def _loss(row: ConfigurationRow) -> str:
    return _spread(row.test_loss, row.test_loss_std)


def _spread(mean: float | None, std: float | None) -> str:
    return "" if mean is None else show_spread(mean, std)


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.4f}"


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _seconds(value: float | None) -> float | str:
    return "" if value is None else round(value, 1)
