"""Text from elsewhere, made fit to be shown: an exception's, a database's, a file's."""

import re

_PASSWORD = re.compile(
    # up to the first @, as SQLAlchemy reads a URL, or a later one of the same word
    r"((?<!http)(?<!https):/{1,2}[^:/@\s]*:)[^@]*(?:@[^/\s@]*)*(?=@)"
    r"|(^[^:/@\s]*:)[^/\s]*(?=@)"
    r"|(\b\w*password=)[^&\s]*",
    re.IGNORECASE,
)


def one_line(text: str) -> str:
    """The text in one line, without control characters, which could rule a terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def counted(number: int, noun: str, plural: str = "") -> str:
    """1 epoch, 1,000 epochs; 2 stretches, if told."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {plural or f'{noun}s'}"


def error_text(error: BaseException) -> str:
    """The kind of an error and what it says, in one line; somebody's own may fail to say it."""
    try:
        message = str(error)
    except Exception:
        message = "its message cannot be made"
    name = type(error).__name__
    return one_line(f"{name}: {message}" if message else name)


def shown(text: str) -> str:
    """A database's URL, or a text with one in it, for the eye: a password is left out."""
    return _PASSWORD.sub(r"\1\2\3***", text)
