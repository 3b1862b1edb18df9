from io import StringIO

import pytest
from rich.console import Console

from hpsearch.report.terminal import print_table, show_column


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_no_number_and_no_name_of_a_column_is_broken(width: int) -> None:
    out = StringIO()
    columns = ["trial", "learning_rate", "conv.1.filters", "reason"]
    rows = [[7, 0.000123456, 128, "out of memory beside others; again, alone"], [12, 0.1, "", ""]]
    print_table(Console(file=out, width=width), columns, rows)
    words = out.getvalue().split()
    assert {"7", "0.000123456", "128", "12", "0.1", *columns} <= set(words)
    assert " ".join(words).count("memory") == 1


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([0.345, 0.3572, ""], ["0.3450", "0.3572", ""]),
        ([2.0, 0.05], ["2.00", "0.05"]),
        ([0.0474445, 0.01], ["0.0474445", "0.01"]),  # not rounded ones
        ([1e-5, 0.1], ["1e-05", "0.1"]),
        ([64, 0.5], ["64", "0.5"]),
        ([float("nan"), 0.25, 0.5], ["nan", "0.25", "0.5"]),
        ([], []),
    ],
)
def test_rounded_figures_of_a_column_have_the_same_number_of_places(
    values: list[object], texts: list[str]
) -> None:
    assert show_column(values) == texts


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_a_dumb_terminal_gets_whole_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    out = Terminal()
    columns = [f"a_column_of_{n}_numbers" for n in range(9)]
    print_table(Console(file=out), columns, [list(range(9))])
    assert out.getvalue().split()[:9] == columns


def test_a_text_cannot_rule_the_terminal() -> None:
    out = StringIO()
    print_table(Console(file=out, width=80), ["name"], [["one\x1b[2Jtwo\nthree [bold]four[/]"]])
    assert "one [2Jtwo three [bold]four[/]" in out.getvalue()
