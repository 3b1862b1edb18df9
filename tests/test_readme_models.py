"""The example of the README's section on own models, as a reader would try it."""

import re
from pathlib import Path

from command_line import CommandLine

README = Path(__file__).parent.parent / "README.md"


def section(title: str) -> str:
    return README.read_text().split(f"### {title}\n")[1].split("\n### ")[0]


def blocks(text: str, language: str) -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [content for kind, content in fenced if kind == language]


def test_the_readmes_own_model_is_searched_and_tested_as_printed(
    hpsearch: CommandLine, tmp_path: Path
) -> None:
    text = section("Your own model")
    (code,), (study,), (command,) = (blocks(text, kind) for kind in ("python", "toml", ""))
    studies = tmp_path / "studies"
    studies.mkdir()
    (studies / "my_models.py").write_text(code)
    (studies / "my-search.toml").write_text(study.replace("epochs = 10", "epochs = 2"))
    words = command.split()
    assert words[0] == "hpsearch"
    answer = hpsearch(*words[1:], "--trials", "3", "--workers", "0")
    assert answer.status == 0, answer.err
    assert "study my-search: 3 trials finished" in answer.out
    assert "units.1" in answer.out
    assert "the test set was read once" in answer.out
    assert hpsearch("status", "--study", "my-search").out.startswith(
        "study my-search, a search: my_models:small_cnn on digits"
    )
    report = hpsearch("report", "--study", "my-search", "-o", "page.html")
    assert report.status == 0, report.err
    page = (tmp_path / "page.html").read_text()
    assert "a page does not run its code" in page
    assert "Conv2d" in page, "the layer table"


def test_a_model_that_does_not_work_is_one_line_and_nothing_is_written(
    hpsearch: CommandLine, tmp_path: Path
) -> None:
    (study,) = blocks(section("Your own model"), "toml")
    (tmp_path / "mine.toml").write_text(study)
    code = "def small_cnn(shape, classes, **parameters):\n    return parameters['units'] + 1\n"
    (tmp_path / "my_models.py").write_text(code)
    answer = hpsearch("run", "--study", "mine.toml", "--workers", "0")
    assert answer.status == 2
    assert len(answer.err.strip().splitlines()) == 1
    assert 'raised TypeError: can only concatenate tuple (not "int") to tuple' in answer.err
    assert "(my_models.py, line 2)" in answer.err
    assert not (tmp_path / "runs" / "hpsearch.db").exists()
    assert hpsearch("studies").status == 0
