"""`hpsearch compare`: tested studies, and configurations of fixed sets, side by side."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from hpsearch.commands.options import (
    HOME,
    CsvOption,
    HomeOption,
    JsonOption,
    StorageOption,
    refuse_two_formats,
)
from hpsearch.commands.stored import database_url
from hpsearch.errors import UserError
from hpsearch.home import Home
from hpsearch.output import check_folder, print_csv, print_json, say, stdout, tell, write_text


def compare(
    contenders: Annotated[
        list[str],
        typer.Argument(help="Tested studies; of a fixed set STUDY:CONFIGURATION, or all of it."),
    ],
    csv: CsvOption = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write a self-contained page to a file, too.")
    ] = None,
    home: HomeOption = HOME,
    storage: StorageOption = None,
    json_: JsonOption = False,
) -> None:
    """Compare tested networks: accuracy, time, size, confusions, and whether they differ."""
    from hpsearch.report.compared import print_comparison
    from hpsearch.report.comparison import compare as compare_contenders
    from hpsearch.report.comparison import comparison_as_json, comparison_csv
    from hpsearch.report.contenders import load_contenders
    from hpsearch.storage.database import open_database

    refuse_two_formats(csv=csv, json=json_)
    if html is not None and csv == str(html):
        raise UserError(f"--html and --csv are both {csv}; a file holds one of them")
    for path in (html, None if csv == "-" else csv):
        if path is not None:
            check_folder(Path(path))
    url = database_url(home, storage)
    with closing(open_database(url, create=False)) as database:
        found = load_contenders(database, contenders, home=Home(home))
    comparison = compare_contenders(found)
    if html is not None:
        from hpsearch.pages.comparison_page import render_comparison_page

        write_text(html, render_comparison_page(comparison))
    if json_:
        print_json(comparison_as_json(comparison))
    elif csv is not None:
        print_csv(comparison_csv(comparison), to=csv)
    else:
        print_comparison(stdout(), comparison)
    if html is not None:
        is_document = json_ or csv == "-"  # then nothing else is on stdout
        (say if is_document else tell)(f"page: {html}")
