"""Published figures beside ours, on records made by hand."""

import csv
import io

from small_sets import small_set
from small_studies import FakeExecutor, bench, small_study, trained
from test_report_configurations import RESULT

from hpsearch.home import Home
from hpsearch.report.published import published_csv, published_figures
from hpsearch.studyparser import parse_study

TOP = {"params": {}, "val_accuracy": 0.9, "val_loss": 0.3, "accuracy": 0.8, "loss": 0.4}
PUBLISHED = {
    "test_accuracy": 0.885,
    "top": [{**TOP, "epochs": 26, "duration_s": 2.5}, {**TOP, "epochs": 3, "duration_s": 1.0}],
}
SEARCH = parse_study({**small_study().document, "published": PUBLISHED}, name="small")


def test_before_a_study_is_run_every_figure_has_no_counterpart() -> None:
    figures = published_figures(small_set(), None, trimmed="")
    assert [(f.subject, f.figure, f.published) for f in figures] == [
        ("small", "test accuracy", 0.9),
        ("small", "parameters", 610),
        ("wide / 16", "test loss", 0.5),
    ]
    assert {(f.ours, f.std, f.difference) for f in figures} == {(None, None, None)}
    assert len(published_figures(SEARCH, None, trimmed="")) == 1 + 2 * 6


def test_a_fixed_sets_figures_are_means_over_its_networks(home: Home) -> None:
    with bench(home, small_set()) as study:
        study.search(FakeExecutor(lambda task: trained(task.key, 0.5))).run(
            trials=6, timeout_s=None
        )
        study.record.finish_reading(study.record.start_reading(0), [RESULT])
        accuracy, parameters, loss = published_figures(
            small_set("file"), study.record, trimmed="1 of 2 seeds"
        )
    assert (accuracy.ours, accuracy.std, accuracy.networks) == (0.5, None, 1)
    assert accuracy.difference == 0.5 - 0.9
    assert (parameters.ours, parameters.difference) == (610, 0)
    assert (loss.ours, loss.networks) == (None, 0)
    assert (accuracy.study, accuracy.trimmed) == ("file", "1 of 2 seeds")


def test_parameters_in_all_count_batch_norms_means_and_variances(home: Home) -> None:
    norm = {"model": "mlp", "batch_norm": True, "published": {"all_parameters": 700}}
    spec = small_set(configurations={"norm": norm})
    with bench(home, spec) as study:
        study.search(FakeExecutor(lambda task: trained(task.key, 0.5))).run(
            trials=1, timeout_s=None
        )
        study.record.finish_reading(study.record.start_reading(0), [RESULT])
        (figure,) = published_figures(spec, study.record, trimmed="")
    assert (figure.figure, figure.ours) == ("parameters in all", RESULT.num_parameters + 2 * 8)
    assert (figure.difference, figure.networks) == (610 + 16 - 700, 1)


def test_a_searchs_ranks_are_compared_one_by_one(home: Home) -> None:
    with bench(home, SEARCH) as study:
        study.search(FakeExecutor(lambda task: trained(task.key, 0.7, 0.95))).run(
            trials=1, timeout_s=None
        )
        figures = published_figures(study.spec, study.record, trimmed="")
    by_name = {(f.subject, f.figure): f for f in figures}
    assert by_name["winner", "test accuracy"].ours is None
    assert by_name["rank 1", "val_accuracy"].ours == 0.95
    assert by_name["rank 1", "epochs"].difference == 2 - 26
    assert by_name["rank 2", "val_accuracy"].ours is None
    rows = list(csv.DictReader(io.StringIO(published_csv(figures))))
    assert [float(row["published"]) for row in rows] == [f.published for f in figures]
