"""A study's result in words and numbers, the first thing that its page tells."""

import statistics
from dataclasses import dataclass

from hpsearch.figures.snapshot import Snapshot
from hpsearch.pages.table import PageTable, page_table
from hpsearch.records import sample_std
from hpsearch.report.status import StudyStatus
from hpsearch.report.terminal import failure_lines, show_spread
from hpsearch.text import counted


@dataclass(frozen=True)
class Headline:
    """One number, large, with what it is."""

    title: str
    value: str
    detail: str


@dataclass(frozen=True)
class ResultSection:
    """What came out, or what there is so far."""

    headlines: list[Headline]
    sentences: list[str]
    winner: PageTable | None  # its hyperparameters
    seeds: PageTable | None  # its test results


def result_section(snapshot: Snapshot, status: StudyStatus) -> ResultSection:
    """The test result beside the validation that chose it; else how far the study is."""
    headlines, sentences = [], []
    if status.test is not None:
        test = status.test
        over = "one seed" if test.seeds == 1 else f"mean ± deviation over {test.seeds} seeds"
        headlines.append(
            Headline(
                "Test accuracy",
                show_spread(test.accuracy_mean, test.accuracy_std),
                f"{over}; loss {show_spread(test.loss_mean, test.loss_std)}",
            )
        )
        if (
            snapshot.objective == "val_balanced_accuracy"
            and test.balanced_accuracy_mean is not None
        ):
            value = show_spread(test.balanced_accuracy_mean, test.balanced_accuracy_std)
            detail = f"{over}; the mean of the classes' recalls"
            headlines.insert(0, Headline("Balanced test accuracy", value, detail))
        sentences.append(f"Trial {test.trial} was chosen, retrained and tested.")
    headlines += _published(status)
    headlines += _validation(snapshot, status)
    sentences += _sentences(status)
    return ResultSection(headlines, sentences, _winner_table(snapshot), _seed_table(snapshot))


def _published(status: StudyStatus) -> list[Headline]:
    """What a document reports, once there is a test result to be set beside it."""
    if status.published is None or status.test is None:
        return []
    difference = status.test.accuracy_mean - status.published
    detail = f"test accuracy that a document has of this search; ours differs by {difference:+.4f}"
    return [Headline("Published", f"{status.published:.4f}", detail)]


def _validation(snapshot: Snapshot, status: StudyStatus) -> list[Headline]:
    headlines = []
    values = snapshot.finalist_values(snapshot.winner)
    if values:
        wanted = snapshot.document["final"]["seeds"]
        seeds = counted(wanted, "fresh seed")
        if len(values) < wanted:
            seeds = f"{len(values)} of {seeds}"
        what = f"{snapshot.objective} of trial {snapshot.winner} with {seeds}"
        chosen = ", by which it was chosen" if snapshot.reading is not None else ""
        mean = show_spread(statistics.mean(values), sample_std(values))
        headlines.append(Headline("Validation", mean, f"{what}{chosen}"))
    if status.best is not None:
        detail = f"{snapshot.objective} of trial {status.best.number}, a single training"
        lucky = "; the best of many is partly luck" if values else ""
        value = f"{status.best.value:.4f}"
        headlines.append(Headline("Best of the search", value, f"{detail}{lucky}"))
    return headlines


def _sentences(status: StudyStatus) -> list[str]:
    counts = status.trials
    finished = counts.complete + counts.pruned + counts.failed
    sentences = []
    if status.test is None:
        sentences.append("The test set has not been read yet.")
    else:
        times = status.test.test_set_readings
        sentences.append(f"The test set was read {'once' if times == 1 else f'{times} times'}.")
        if since := status.test.trials_since:
            trials = "1 trial" if since == 1 else f"{since:,} trials"
            sentences.append(f"{trials} finished since then and had no part in it.")
    sentences.append(
        f"{finished:,} of {status.target:,} trials are finished: {counts.complete:,} complete, "
        f"{counts.pruned:,} pruned, {counts.failed:,} failed."
    )
    unusual = {o: n for o, n in status.outcomes.items() if o not in ("complete", "pruned")}
    if unusual:
        listed = ", ".join(f"{number:,} {outcome}" for outcome, number in unusual.items())
        sentences.append(f"Among them are {listed}.")
    if counts.duplicate:
        sentences.append(
            f"{counted(counts.duplicate, 'more trial')} would have repeated another, and so took "
            "a number and were not trained."
        )
    sentences += [f"{line[0].upper()}{line[1:]}." for line in failure_lines(status)]
    if status.owner is not None:
        sentences.append(
            f"The study is being searched now, since {status.owner.since}; "
            f"{counts.running:,} trials are running. This page is of the moment it was made."
        )
    elif counts.running:
        sentences.append(f"{counts.running:,} trials were interrupted and can be carried on.")
    return sentences


def _winner_table(snapshot: Snapshot) -> PageTable | None:
    trial = next((t for t in snapshot.trials if t.number == snapshot.winner), None)
    if trial is None:
        return None
    rows: list[list[object]] = [
        [name, value if snapshot.spec.matters(name, trial.params) else f"{value}, without effect"]
        for name, value in trial.params.items()
    ]
    parameters = [
        t.num_parameters for k, t in snapshot.trainings.items() if k.trial == trial.number
    ]
    if parameters:
        rows.append(["trainable parameters", parameters[-1]])
    return page_table([f"trial {trial.number}", "value"], rows)


def _seed_table(snapshot: Snapshot) -> PageTable | None:
    if snapshot.reading is None:
        return None
    return page_table(
        ["seed", "test accuracy", "balanced", "test loss", "epochs", "train seconds"],
        [
            [
                e.seed,
                round(e.accuracy, 4),
                "" if e.balanced_accuracy is None else round(e.balanced_accuracy, 4),
                round(e.loss, 4),
                e.epochs,
                round(e.train_seconds, 1),
            ]
            for e in snapshot.reading.evaluations
        ],
    )
