"""`hpsearch test`: the stored test result, after retraining if there is none."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from hpsearch.output import check_folder, print_csv, print_json, stdout, tell, write_text

if TYPE_CHECKING:
    from hpsearch.storage.record import StudyRecord


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
    text: Annotated[
        str | None,
        typer.Option("--text", help="Write the results as text, a file a model; '-' for stdout."),
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Show the test result; retrain and test if `run` has not."""
    from hpsearch.report.status import is_fixed_set, stored_spec
    from hpsearch.report.tested import print_test, test_as_json, test_csv
    from hpsearch.storage.record import trials_to_test

    refuse_two_formats(csv=csv, text=text, json=json_)
    for path in (csv, text):
        if path not in (None, "-"):
            check_folder(Path(path))
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
        elif text is not None:
            _write_texts(record, Home(home), text)
        else:
            print_test(stdout(), record)


def _write_texts(record: "StudyRecord", home: Home, to: str) -> None:
    from hpsearch.resultfile import result_paths, result_texts

    texts = result_texts(record, home=home)
    if to == "-":
        typer.echo("\n\n".join(texts.values()), nl=False)
        return
    for name, path in result_paths(Path(to), list(texts)).items():
        write_text(path, texts[name])
        tell(f"results: {path}")
