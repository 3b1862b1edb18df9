"""Tables of a page, their cells written as a terminal shows them."""

from collections.abc import Sequence
from dataclasses import dataclass

from hpsearch.report.terminal import show_column


@dataclass(frozen=True)
class Cell:
    """One cell."""

    text: str
    is_number: bool


@dataclass(frozen=True)
class PageTable:
    """Rows under columns; numbers are set to the right."""

    columns: list[Cell]
    rows: list[list[Cell]]


def page_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> PageTable:
    """A table of values; a column of numbers, and gaps, is one of numbers."""
    numeric = [all(_is_number(row[i]) or row[i] == "" for row in rows) for i in range(len(columns))]
    texts = [show_column([row[index] for row in rows]) for index in range(len(columns))]
    return PageTable(
        [Cell(name, is_number) for name, is_number in zip(columns, numeric, strict=True)],
        [
            [Cell(text, _is_number(value)) for text, value in zip(line, row, strict=True)]
            for line, row in zip(zip(*texts, strict=True), rows, strict=True)
        ],
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
