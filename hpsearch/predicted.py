"""What images were taken for: for people, as JSON documents, as CSV."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console

from hpsearch.pictures import Preparation
from hpsearch.predict import Answers, Prediction
from hpsearch.report.spreadsheet import csv_text
from hpsearch.report.terminal import print_table
from hpsearch.trained import Classifier

_SHOWN = 3  # classes an image, for people


def answers_as_json(answers: Answers, classifier: Classifier, how: Preparation) -> dict[str, Any]:
    """Whose answers, to what, and one object an image with the probability of every class."""
    return {
        "study": classifier.study,
        "trial": classifier.trial,
        "seeds": list(classifier.seeds),
        "input": how.describe(),
        "predictions": [
            {
                "image": prediction.image,
                "class": prediction.label,
                "probability": prediction.probability,
                "probabilities": prediction.probabilities,
            }
            for prediction in answers.predictions
        ],
        "unreadable": [asdict(picture) for picture in answers.unreadable],
    }


def predictions_csv(predictions: Sequence[Prediction], *, class_names: Sequence[str]) -> str:
    """One row an image, a column a class, as RFC 4180 CSV in full precision."""
    return csv_text(
        ["image", "class", "probability", *class_names],
        [
            [p.image, p.label, p.probability, *(p.probabilities[name] for name in class_names)]
            for p in predictions
        ],
    )


def print_predictions(console: Console, predictions: Sequence[Prediction]) -> None:
    """One line an image: its class and the likeliest three with their probabilities."""
    rows = [[p.image, p.label, *_likeliest(p)] for p in predictions]
    count = max((len(row) for row in rows), default=2) - 2
    places = [f"{n}." for n in range(1, count + 1)]
    print_table(console, ["image", "class", *places], rows)


def _likeliest(prediction: Prediction) -> list[str]:
    return [f"{name} {share:.1%}" for name, share in prediction.likeliest(_SHOWN)]
