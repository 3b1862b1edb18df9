import pytest

from hpsearch.durations import parse_duration, show_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90.0), ("90s", 90.0), ("0.5S", 0.5), ("30m", 1800.0), ("2h", 7200.0), ("1.5h", 5400.0)],
)
def test_a_time_is_read_with_its_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "soon", "0", "-5m", "inf", "nan", "1e999", "2d", "1:30"])
def test_what_is_no_time_is_refused_with_what_would_be(text: str) -> None:
    with pytest.raises(ValueError, match="write a time above 0: 90, 90s, 30m or 2h"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "unknown"), (0, "0 s"), (42, "42 s"), (725, "12:05 min"), (12_000, "3:20 h")],
)
def test_times_are_written_for_people(seconds: float | None, text: str) -> None:
    assert show_duration(seconds) == text
