"""A replayed trial, for people."""

from rich.console import Console

from hpsearch.replay import ACCURACY_TOLERANCE, LOSS_TOLERANCE, Replay
from hpsearch.report.terminal import print_table

_MOST = 10  # differences shown


def print_replay(console: Console, replay: Replay) -> None:
    """Whether it came out the same, where not, and what is another now."""
    lines = [
        f"trial {replay.trial} of study {replay.study}, {replay.epochs} epochs on {replay.device}, "
        f"computed as {replay.method}: {_verdict(replay)}"
    ]
    lines += [f"changed since: {change}" for change in replay.changes]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if replay.differences:
        print_table(
            console,
            ["epoch", "figure", "recorded", "now"],
            [[d.epoch, d.figure, d.recorded, d.replayed] for d in replay.differences[:_MOST]],
        )


def _verdict(replay: Replay) -> str:
    if replay.exact:
        return "the same, bit for bit" if replay.is_same else "NOT the same"
    within = "within" if replay.is_same else "NOT within"
    return (
        f"{within} the tolerance for another kind of device "
        f"({ACCURACY_TOLERANCE:g} of accuracy, {LOSS_TOLERANCE:.0%} of a loss)"
    )
