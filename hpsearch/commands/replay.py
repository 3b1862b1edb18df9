"""`hpsearch replay`: a trial trained again and compared with its record."""

from dataclasses import asdict
from typing import Annotated

import typer

from hpsearch.commands.options import (
    DATA_DIR,
    HOME,
    DataDirOption,
    DeviceOption,
    HomeOption,
    JsonOption,
    StorageOption,
    StudyOption,
)
from hpsearch.commands.stored import stored_study
from hpsearch.home import Home
from hpsearch.output import print_json, stdout


def replay(
    study: StudyOption,
    trial: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="The trial's number.")],
    device: DeviceOption = "auto",
    home: HomeOption = HOME,
    storage: StorageOption = None,
    data_dir: DataDirOption = DATA_DIR,
    json_: JsonOption = False,
) -> None:
    """Train a trial again and compare every epoch with the record; exit code 1 if it differs."""
    from hpsearch.replay import replay_trial
    from hpsearch.report.replayed import print_replay

    with stored_study(study, home, storage) as record:
        result = replay_trial(record, trial, data_dir=data_dir, home=Home(home), device=device)
    if json_:
        print_json(asdict(result))
    else:
        print_replay(stdout(), result)
    if not result.is_same:
        raise typer.Exit(1)
