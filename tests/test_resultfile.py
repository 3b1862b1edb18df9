from pathlib import Path

import pytest
from command_line import CommandLine
from small_sets import small_set
from small_studies import run_small, small_study, stored

from hpsearch.errors import NothingToShowError
from hpsearch.home import Home
from hpsearch.resultfile import result_paths, result_texts

SPEC = small_study(final={"finalists": 1, "seeds": 2})


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("texts"))
    run_small(SPEC, home, test=True)
    run_small(small_set(), home, test=True)
    return home


def test_a_text_has_what_was_tested_on_what_and_every_result(tested: Home) -> None:
    with stored(tested) as record:
        texts = result_texts(record, home=tested)
        reading = record.last_reading()
    assert list(texts) == [""]
    assert reading is not None
    lines = texts[""].splitlines()
    assert lines[:2] == ["small", "====="]
    facts = [line.split(maxsplit=1) for line in lines[3:12]]
    assert ["data", "set      scikit-learn digits: images of 1 x 8 x 8, 10 classes"] in facts
    first, second = (evaluation.accuracy for evaluation in reading.evaluations)
    mean, half = (first + second) / 2, abs(first - second) / 2**0.5
    assert ["accuracy", f"{mean:.4f} ± {half:.4f} over 2 seeds"] in facts
    # 64 inputs, 8 units, 10 classes: 520 and 90 parameters
    assert "dense1   Linear   8              520        520" in lines
    assert "all                              610        610" in lines
    assert any(line.split() == ["network.dense.1.units", "8"] for line in lines)
    for evaluation in reading.evaluations:
        assert any(line.endswith(evaluation.weights) for line in lines)
    matrix = lines[-10:]
    counts = [[int(cell) for cell in line.split()[2:]] for line in matrix]
    assert sum(map(sum, counts)) == 2 * 360
    assert sum(counts[i][i] for i in range(10)) == round((first + second) * 360)
    assert not any(line != line.rstrip() for line in lines)


def test_of_a_fixed_set_every_configuration_has_a_text_and_a_file(
    hpsearch: CommandLine, tested: Home, tmp_path: Path
) -> None:
    names = [named.name for named in small_set().configurations]
    answer = hpsearch(
        *["test", "--study", "set", "--home", str(tested.root), "--text", str(tmp_path / "r.txt")]
    )
    paths = result_paths(tmp_path / "r.txt", names)
    assert answer.out.splitlines() == [f"results: {path}" for path in paths.values()]
    assert {path.name for path in tmp_path.glob("r*")} == {path.name for path in paths.values()}
    for name, path in paths.items():
        assert path.read_text().splitlines()[0] == f"set: {name}"
        assert "over 2 seeds" in path.read_text()


def test_names_that_no_file_can_have_are_told_apart() -> None:
    paths = result_paths(Path("out/r.txt"), ["a / b", "a b", "c"])
    assert [str(path) for path in paths.values()] == [
        "out/r-a_b.txt",
        "out/r-a_b_.txt",
        "out/r-c.txt",
    ]
    assert result_paths(Path("r.txt"), ["a / b"]) == {"a / b": Path("r.txt")}


def test_a_text_goes_to_stdout_for_a_dash(hpsearch: CommandLine, tested: Home) -> None:
    words = ["test", "--study", "small", "--home", str(tested.root)]
    answer = hpsearch(*words, "--text", "-")
    assert (answer.status, answer.err) == (0, "")
    assert answer.out.startswith("small\n=====\n")
    refused = hpsearch(*words, "--text", "-", "--json")
    assert (refused.status, refused.out) == (2, "")
    nowhere = hpsearch(*words, "--text", "nowhere/r.txt")
    assert "there is no folder nowhere" in nowhere.err


def test_results_are_written_without_the_weights(tested: Home) -> None:
    moved = [path.rename(f"{path}.away") for path in tested.artifacts("small").glob("winner*")]
    try:
        with stored(tested) as record:
            text = result_texts(record, home=tested)[""]
    finally:
        for path in moved:
            path.rename(str(path).removesuffix(".away"))
    assert "not at hand: the weights" in text
    assert "confusion, summed over seeds" in text


def test_what_was_not_tested_has_no_text(home: Home) -> None:
    run_small(small_study(), home)
    with stored(home) as record, pytest.raises(NothingToShowError, match="no test result yet"):
        result_texts(record, home=home)
