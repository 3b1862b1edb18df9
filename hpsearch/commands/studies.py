"""`hpsearch studies`: what can be run, and what is in the database."""

from dataclasses import asdict

from hpsearch.commands.options import HOME, HomeOption, JsonOption, StorageOption
from hpsearch.commands.stored import database_url
from hpsearch.home import Home
from hpsearch.output import print_json, stdout


def studies(
    home: HomeOption = HOME, storage: StorageOption = None, json_: JsonOption = False
) -> None:
    """List what can be run, and what is in the database."""
    from hpsearch.report.listing import list_studies, print_studies

    url = database_url(home, storage)
    listing = list_studies(url, home=Home(home))
    if json_:
        print_json([asdict(row) for row in listing])
    else:
        print_studies(stdout(), listing)
