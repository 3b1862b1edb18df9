"""`hpsearch test`: the stored test result, after retraining if there is none."""

from typing import Annotated

import typer

from hpsearch.commands.options import (
    DATA_DIR,
    HOME,
    CsvOption,
    DataDirOption,
    DeviceOption,
    HomeOption,
    JsonOption,
    PlainOption,
    StorageOption,
    StudyOption,
    WorkersOption,
    WorkersPerGpuOption,
    refuse_two_formats,
)
from hpsearch.commands.stored import database_url, stored_study
from hpsearch.home import Home
from hpsearch.output import print_csv, print_json, stdout


def test(
    study: StudyOption,
    again: Annotated[
        bool, typer.Option("--again", help="Read the test set once more; it is recorded.")
    ] = False,
    workers: WorkersOption = None,
    device: DeviceOption = "auto",
    workers_per_gpu: WorkersPerGpuOption = 1,
    plain: PlainOption = False,
    home: HomeOption = HOME,
    storage: StorageOption = None,
    data_dir: DataDirOption = DATA_DIR,
    csv: CsvOption = None,
    json_: JsonOption = False,
) -> None:
    """Show the test result; retrain and test if `run` has not."""
    from hpsearch.report.status import is_fixed_set, stored_spec
    from hpsearch.report.tested import print_test, test_as_json, test_csv
    from hpsearch.storage.record import trials_to_test

    refuse_two_formats(csv=csv, json_=json_)
    url = database_url(home, storage)
    with stored_study(study, home, storage) as record:
        untested = (
            bool(trials_to_test(record, again=False))
            if is_fixed_set(record)
            else record.last_reading() is None
        )
        spec = stored_spec(record) if untested or again else None
    if spec is not None:
        from hpsearch.run import RunRequest
        from hpsearch.run_view import watch_run

        request = RunRequest(
            spec=spec,
            home=Home(home),
            storage=url,
            data_dir=data_dir,
            trials=None,
            device=device,
            workers=workers,
            workers_per_gpu=workers_per_gpu,
            plain=plain,
            test_again=again,
        )
        watch_run(request)
    with stored_study(study, home, storage) as record:
        if json_:
            print_json(test_as_json(record))
        elif csv is not None:
            print_csv(test_csv(record), to=csv)
        else:
            print_test(stdout(), record)
