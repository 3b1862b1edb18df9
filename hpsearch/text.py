"""Text from elsewhere, made fit to be shown: an exception's, a database's, a file's."""


def one_line(text: str) -> str:
    """The text in one line, without control characters, which could rule a terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
