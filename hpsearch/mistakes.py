"""What is wrong with a study file, in words that name the key, the value and what is allowed."""

from difflib import get_close_matches

from pydantic import ValidationError

_LONGEST = 100  # characters of a key or a value


class MistakeError(Exception):
    """What is wrong with one key of a study file; `spec` adds the file's name."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{_printable(key)}: {problem}")


def _printable(key: str) -> str:
    """A key on one line, however it is spelt."""
    return _cut("".join(c if c.isprintable() else repr(c)[1:-1] for c in key))


def written(value: object) -> str:
    """A value as Python writes it: on one line, and cut where it is long."""
    return _cut(repr(value))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


class UnknownKeyError(MistakeError):
    """A key that does not exist."""

    def __init__(self, key: str, allowed: list[str]) -> None:
        super().__init__(key, f"unknown key{nearest(key, allowed)}; allowed: {', '.join(allowed)}")


def nearest(given: str, allowed: list[str]) -> str:
    """A question after the allowed name that is spelt most like the given one, or nothing."""
    near = get_close_matches(given, allowed, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def wanted(error: ValidationError) -> str:
    """What the first error of a check would have accepted, in words."""
    first = error.errors()[0]
    context = first.get("ctx", {})
    if first["type"] in ("literal_error", "union_tag_invalid"):
        expected = context.get("expected", context.get("expected_tags", ""))
        return f"allowed: {str(expected).replace(' or ', ', ')}"
    return first["msg"].removeprefix("Value error, ").replace("Input should be", "it should be")
