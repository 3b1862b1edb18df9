"""answers, wrong_images and confused_pairs' images: what was misclassified."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_snapshots import made_reading, made_snapshot

from hpsearch.figures.answers import NO_IMAGES, NO_MISTAKES, Answers, get_answers, read_answers
from hpsearch.figures.confused_pairs import pair_images_figure
from hpsearch.figures.figure import NoFigure, StudyFigure
from hpsearch.figures.wrong_images import wrong_images_figure
from hpsearch.home import Home
from hpsearch.predictions import Predictions, missed, save_predictions

LABELS = np.array([0, 1, 1, 0])


def logits(*rows: tuple[float, float]) -> np.ndarray:
    """Outputs whose softmax are these probabilities."""
    return np.array([[math.log(p) for p in row] for row in rows], np.float32)


SEEDS = {
    0: logits((0.9, 0.1), (0.6, 0.4), (0.8, 0.2), (0.4, 0.6)),
    1: logits((0.7, 0.3), (0.8, 0.2), (0.1, 0.9), (0.2, 0.8)),
}
WRONG = np.array([1, 2, 3])  # that any seed gets wrong
IMAGES = np.arange(3 * 4, dtype=np.uint8).reshape(3, 1, 2, 2)
PREDICTIONS = Predictions(LABELS, SEEDS, WRONG, IMAGES)


def test_the_answer_is_the_mean_of_the_seeds_probabilities_most_confident_mistake_first() -> None:
    # means: 0.8 for class 0 (right), 0.7 for 0 (wrong), 0.55 for 1 (right), 0.7 for 1 (wrong)
    mistakes = get_answers(PREDICTIONS).mistakes
    assert [(m.number, m.true, m.predicted) for m in mistakes] == [(1, 1, 0), (3, 0, 1)]
    assert [m.probability for m in mistakes] == pytest.approx([0.7, 0.7])
    assert [m.true_probability for m in mistakes] == pytest.approx([0.3, 0.3])
    assert (mistakes[1].image == IMAGES[2]).all()


def test_answers_without_images_say_how_to_get_some() -> None:
    old = Predictions(LABELS, SEEDS, np.zeros(0, np.int64), np.zeros((0, 1, 1, 1), np.uint8))
    assert get_answers(old) == Answers([], NO_IMAGES)


def test_where_all_is_right_there_is_nothing_to_show() -> None:
    right = Predictions(LABELS[:1], {0: SEEDS[0][:1]}, np.zeros(0, np.int64), IMAGES[:0])
    assert get_answers(right) == Answers([], NO_MISTAKES)


def test_before_the_test_and_without_the_file_there_is_a_sentence(tmp_path: Path) -> None:
    assert "not been read yet" in read_answers(made_snapshot(), []).reason
    tested = made_snapshot(home=Home(tmp_path))
    assert "cannot be read" in read_answers(tested, [made_reading([[1, 1], [1, 1]])]).reason


def test_the_kept_answers_are_found(tmp_path: Path) -> None:
    home = Home(tmp_path)
    save_predictions(home.predictions("small", 1), PREDICTIONS)
    snapshot = made_snapshot(home=home)
    assert len(read_answers(snapshot, [made_reading([[1, 1], [1, 1]])]).mistakes) == 2


def test_networks_that_were_tested_one_by_one_answer_as_those_of_one_reading(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path)
    readings = []
    for seed, outputs in SEEDS.items():
        reading = replace(made_reading([[1, 1], [1, 1]]), id=seed + 1)
        wrong = missed(LABELS, {0: outputs})
        images = IMAGES[np.searchsorted(WRONG, wrong)]
        kept = Predictions(LABELS, {0: outputs}, wrong, images)  # each has its own only seed
        save_predictions(home.predictions("small", reading.id), kept)
        readings.append(reading)
    alone = [read_answers(made_snapshot(home=home), [reading]) for reading in readings]
    together = read_answers(made_snapshot(home=home), readings)
    assert [[m.number for m in answers.mistakes] for answers in alone] == [[2, 1, 3], [1, 3]]
    expected = get_answers(PREDICTIONS).mistakes
    assert [m[:5] for m in together.mistakes] == [m[:5] for m in expected]
    assert all((a.image == b.image).all() for a, b in zip(together.mistakes, expected, strict=True))


def test_a_wrong_image_tells_what_it_is_and_what_it_was_taken_for() -> None:
    figure = wrong_images_figure(get_answers(PREDICTIONS), ("cat", "dog"))
    assert isinstance(figure, StudyFigure)
    first = figure.pictures[0]
    assert first.caption == "dog\n→ cat\n70.0%"
    assert first.alt == "Test image 1: dog, taken for cat with probability 70.0%"
    assert (first.pixels == IMAGES[0, 0]).all()
    assert figure.rows[0][:3] == (1, "dog", "cat")


def test_the_images_of_a_pair_are_of_both_ways() -> None:
    snapshot = made_snapshot(reading=made_reading([[1, 1], [1, 1]]))
    answers = get_answers(PREDICTIONS)
    shown = pair_images_figure(snapshot, answers)
    assert isinstance(shown, NoFigure)  # the reading's classes are a and b, the digits' 0 and 1
    names = snapshot.class_names
    evaluation = made_reading([[1, 1], [1, 1]]).evaluations[0]
    classes = dict(zip(names, evaluation.classes.values(), strict=False))
    reading = made_reading([[1, 1], [1, 1]])
    object.__setattr__(reading.evaluations[0], "classes", classes)
    figure = pair_images_figure(made_snapshot(reading=reading), answers)
    assert isinstance(figure, StudyFigure)
    assert [row[:3] for row in figure.rows] == [(1, "1", "0"), (3, "0", "1")]


def test_without_mistakes_both_figures_give_the_reason() -> None:
    none = Answers([], NO_MISTAKES)
    shown = [wrong_images_figure(none, ("cat", "dog")), pair_images_figure(made_snapshot(), none)]
    assert all(isinstance(s, NoFigure) and s.reason == NO_MISTAKES for s in shown)
