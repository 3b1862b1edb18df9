"""`hpsearch predict`: what images are, by a study's trained networks."""

from pathlib import Path
from typing import Annotated

import typer

from hpsearch.commands.options import (
    DATA_DIR,
    HOME,
    ConfigurationOption,
    CsvOption,
    DataDirOption,
    HomeOption,
    JsonOption,
    SeedOption,
    StorageOption,
    StudyOption,
    refuse_two_formats,
)
from hpsearch.commands.stored import stored_study
from hpsearch.home import Home
from hpsearch.output import check_folder, print_csv, print_json, say, stdout
from hpsearch.text import one_line


def predict(
    images: Annotated[
        list[str], typer.Argument(metavar="IMAGE...", help="Image files, folders, or - for stdin.")
    ],
    study: StudyOption,
    configuration: ConfigurationOption = None,
    seed: SeedOption = None,
    invert: Annotated[
        bool, typer.Option("--invert", help="Swap light and dark, as for black on white paper.")
    ] = False,
    crop: Annotated[
        bool,
        typer.Option(
            "--crop", help="Cut to what is drawn, with a margin as the training images have."
        ),
    ] = False,
    csv: CsvOption = None,
    home: HomeOption = HOME,
    storage: StorageOption = None,
    data_dir: DataDirOption = DATA_DIR,
    json_: JsonOption = False,
) -> None:
    """Classify images with a study's retrained winner, by the mean of its seeds."""
    from hpsearch.pictures import find_pictures, read_pictures
    from hpsearch.predict import (
        classify_all,
        describe_network,
        find_training_images,
        look_inverted_beside,
        prepare_for,
    )
    from hpsearch.predicted import answers_as_json, predictions_csv, print_predictions
    from hpsearch.report.status import stored_spec
    from hpsearch.trained import load_classifier

    refuse_two_formats(csv=csv, json=json_)
    if csv not in (None, "-"):
        check_folder(Path(csv))
    files = find_pictures(images)
    place = Home(home)
    with stored_study(study, home, storage) as record:
        classifier = load_classifier(
            record, stored_spec(record), home=place, configuration=configuration, seed=seed
        )
        trained_on = find_training_images(record, home=place, data_dir=data_dir)
    how = prepare_for(classifier, trained_on, invert=invert, crop=crop)
    answers = classify_all(classifier, read_pictures(files, how))
    for picture in answers.unreadable:
        say(f"error: {one_line(f'{picture.image}: {picture.reason}')}")
    if json_:
        print_json(answers_as_json(answers, classifier, how))
    elif csv is not None:
        print_csv(predictions_csv(answers.predictions, class_names=classifier.class_names), to=csv)
    elif answers.predictions:
        print_predictions(stdout(), answers.predictions)
        typer.echo(f"\nby {describe_network(classifier)}; every image {how.describe()}")
    if look_inverted_beside(answers, trained_on):
        say(f"hint: these images look inverted beside the training images; try {_other(invert)}")
    if answers.unreadable:
        raise typer.Exit(1)


def _other(invert: bool) -> str:
    return "without --invert" if invert else "--invert"
