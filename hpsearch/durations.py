"""Times as people write them (90s, 30m, 2h) and as they read them (42 s, 12:05 min, 3:20 h)."""

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration(text: str) -> float:
    """`90`, `90s`, `30m` or `2h` in seconds.

    Raises:
        ValueError: that is no time above 0; it says what would be.
    """
    unit = _UNITS.get(text[-1:].lower())
    number = text if unit is None else text[:-1]
    try:
        seconds = float(number) * (unit or 1.0)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ValueError("write a time above 0: 90, 90s, 30m or 2h")
    return seconds


def show_duration(seconds: float | None) -> str:
    """A time for people."""
    if seconds is None:
        return "unknown"
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)}:{int(seconds % 60):02d} min"
    return f"{int(seconds // 3600)}:{int(seconds % 3600 // 60):02d} h"
