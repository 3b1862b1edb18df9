"""A command as its user can type it again."""

import shlex


def carry_on_command(words: list[str]) -> str:
    """The command that carries a run on: its own, but not begun anew.

    Of a run from Python, `["python", CODE]`, it is the code.
    """
    if words[0] == "python":
        return words[1]
    return shlex.join(["hpsearch", *(word for word in words[1:] if word != "--restart")])
