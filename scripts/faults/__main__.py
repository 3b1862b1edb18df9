"""The suite's command line; `scripts/inject` starts it in the right environment."""

import json
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from faults.backups import Backups
from faults.checkpoints import DamagedCheckpoints, DamagedLoads
from faults.full_disk import FullDisk
from faults.interruptions import ONCE, Interruptions
from faults.kills import Kills
from faults.readers import Readers
from faults.row import Row
from faults.scenario import Ground, Scenario
from faults.stops import Hangs, Stops
from faults.subject import StuckError
from faults.tables import show_rows
from hpsearch.output import stdout

LONG: Sequence[Scenario] = (
    Kills(),
    Stops(),
    Hangs(),
    FullDisk(),
    Readers(),
    DamagedCheckpoints(),
    DamagedLoads(),
    Interruptions(),
    Backups(),
)
QUICK: Sequence[Scenario] = (
    Kills(faults=12, trials=12, sample=3),
    Stops(faults=4, stop_s=8, trials=6, sample=2),
    Hangs(faults=1, limit_s=20, trials=4, sample=1),
    FullDisk(faults=2, full_s=12, trials=6, sample=2),
    Readers(rounds=1, trials=6),
    DamagedCheckpoints(rounds=3, trials=3, epochs=150, sample=3),
    DamagedLoads(faults=2_000),
    Interruptions(kinds=ONCE, trials=6, sample=2),
    Backups(faults=8, trials=6, sample=1),
)


def inject(
    *,
    quick: Annotated[bool, typer.Option(help="Fewer faults and smaller studies.")] = False,
    only: Annotated[list[str] | None, typer.Option(help="A scenario; may be repeated.")] = None,
    seed: Annotated[int, typer.Option(help="Of the moments, the victims and the damage.")] = 0,
    output: Annotated[Path, typer.Option("--json", help="Where to write the results.")] = Path(
        "faults.json"
    ),
    scratch: Annotated[
        Path | None, typer.Option(help="Keep what the searches leave in this empty folder.")
    ] = None,
) -> None:
    """Inject faults into searches; exit code 1 if a trial, an epoch or a promise is not kept."""
    scenarios = _wanted(QUICK if quick else LONG, only)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="hpsearch-faults-") as temporary:
        for scenario in scenarios:
            folder = (scratch or Path(temporary)).absolute() / scenario.name
            folder.mkdir(parents=True)
            rows.append(_run(scenario, folder, seed=seed))
            document = {"seed": seed, "rows": [asdict(row) for row in rows]}
            output.write_text(json.dumps(document, indent=1) + "\n")
    show_rows(stdout(), rows)
    print(f"written: {output}")
    if not all(row.is_clean for row in rows):
        raise typer.Exit(1)


def _wanted(scenarios: Sequence[Scenario], only: list[str] | None) -> list[Scenario]:
    names = [scenario.name for scenario in scenarios]
    if unknown := set(only or []) - set(names):
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}; allowed: {', '.join(names)}")
    return [scenario for scenario in scenarios if not only or scenario.name in only]


def _run(scenario: Scenario, folder: Path, *, seed: int) -> Row:
    """Run a scenario; one that gets stuck is a row as well."""
    began = time.monotonic()
    # each has a chance of its own, so that one alone does the same as among all
    ground = Ground(folder, random.Random(f"{seed} {scenario.name}"))
    try:
        row = scenario.run(ground)
    except StuckError as error:
        row = Row(scenario.name, broken=[f"stuck: {error}"])
    state = "left out" if row.skipped else "clean" if row.is_clean else "NOT CLEAN"
    print(f"{scenario.name}: {state}, {time.monotonic() - began:.0f} s", flush=True)
    return row


if __name__ == "__main__":
    typer.run(inject)
