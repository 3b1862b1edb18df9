"""`hpsearch status`: a study's state."""

from dataclasses import asdict

from hpsearch.commands.options import HOME, HomeOption, JsonOption, StorageOption, StudyOption
from hpsearch.commands.stored import stored_study
from hpsearch.home import Home
from hpsearch.output import print_json, stdout


def status(
    study: StudyOption,
    home: HomeOption = HOME,
    storage: StorageOption = None,
    json_: JsonOption = False,
) -> None:
    """Show a study's state: trials, best, time, test result."""
    from hpsearch.report.status import study_status
    from hpsearch.report.terminal import print_status

    with stored_study(study, home, storage) as record:
        state = study_status(record, home=Home(home))
    if json_:
        print_json(asdict(state))
    else:
        print_status(stdout(), state)
