"""`hpsearch export-model`: a study's trained networks as an ONNX file."""

from pathlib import Path
from typing import Annotated

import typer

from hpsearch.commands.options import (
    DATA_DIR,
    HOME,
    ConfigurationOption,
    DataDirOption,
    HomeOption,
    SeedOption,
    StorageOption,
    StudyOption,
)
from hpsearch.commands.stored import stored_study
from hpsearch.home import Home
from hpsearch.output import check_folder, tell


def export_model(
    study: StudyOption,
    output: Annotated[Path, typer.Option("-o", "--output", help="The file, say model.onnx.")],
    configuration: ConfigurationOption = None,
    seed: SeedOption = None,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Give probabilities instead of logits.")
    ] = False,
    home: HomeOption = HOME,
    storage: StorageOption = None,
    data_dir: DataDirOption = DATA_DIR,
) -> None:
    """Write the network that `predict` uses to an ONNX file, checked against PyTorch."""
    from hpsearch.onnxfile import check_packages, describe_agreement, export_onnx
    from hpsearch.predict import describe_network
    from hpsearch.report.status import stored_spec
    from hpsearch.trained import load_classifier

    check_folder(output)
    check_packages()
    with stored_study(study, home, storage) as record:
        spec = stored_spec(record)
        classifier = load_classifier(
            record, spec, home=Home(home), configuration=configuration, seed=seed
        )
    agreement = export_onnx(
        output, classifier, spec=spec, data_dir=data_dir, as_probabilities=probabilities
    )
    tell(f"model: {output}, {describe_network(classifier)}")
    tell(f"checked: {describe_agreement(agreement)}")
