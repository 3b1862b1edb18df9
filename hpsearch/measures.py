"""How well logits classify: accuracy, loss, per-class scores, confusion matrix."""

from dataclasses import dataclass

import torch
from torch.nn.functional import cross_entropy


@dataclass(frozen=True)
class ClassificationResult:
    """How logits do against labels."""

    accuracy: float
    loss: float  # mean cross-entropy, nats
    classes: dict[str, dict[str, float]]  # per class: precision, recall, f1, support
    confusion: list[list[int]]  # rows: true class; columns: predicted
    balanced_accuracy: float  # the mean of the recalls of the classes that are there


def measure(
    logits: torch.Tensor, labels: torch.Tensor, *, class_names: tuple[str, ...]
) -> ClassificationResult:
    """Accuracy, loss, per-class scores and confusion matrix.

    Args:
        logits: (N, classes) float.
        labels: (N,) int64.
        class_names: in label order.
    """
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    truth = labels.numpy()
    predicted = logits.argmax(1).numpy()
    numbers = list(range(len(class_names)))
    scores = precision_recall_fscore_support(truth, predicted, labels=numbers, zero_division=0)
    rows = zip(*(column.tolist() for column in scores), strict=True)
    fields = ("precision", "recall", "f1", "support")
    return ClassificationResult(
        accuracy=float((truth == predicted).mean()),
        loss=float(cross_entropy(logits.double(), labels)),
        classes={
            name: dict(zip(fields, row, strict=True))
            for name, row in zip(class_names, rows, strict=True)
        },
        confusion=confusion_matrix(truth, predicted, labels=numbers).tolist(),
        balanced_accuracy=float(scores[1][scores[3] > 0].mean()),
    )
