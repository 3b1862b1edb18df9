import csv
import io

import pytest

from hpsearch.report.spreadsheet import csv_text


@pytest.mark.parametrize("text", ["=1+2", "+1", "-1+cmd|' /C calc'!A0", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_text_is_never_a_formula(text: str) -> None:
    ((header,), (cell,)) = csv.reader(io.StringIO(csv_text([text], [[text]]), newline=""))
    assert header == cell == f"'{text}"


def test_numbers_are_written_in_full_and_nothing_as_an_empty_cell() -> None:
    values = [0.1 + 0.2, -1.5, -3, 1e-300, True, None, 'a, "b"\nc']
    text = csv_text(["x"] * len(values), [values])
    assert text.splitlines()[1].startswith("0.30000000000000004,-1.5,-3,1e-300,True,,")
    (_, row) = csv.reader(io.StringIO(text, newline=""))
    assert row[-1] == values[-1]
    assert text.count("\r\n") == 2
