import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from hpsearch.studyparser import parse_study
from hpsearch.studytables import OwnImages, check_table

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this tree and unpacked: what `pip install` would put into place."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_every_study_file_is_in_the_wheel(unpacked: Path) -> None:
    shipped = {path.name for path in (unpacked / "hpsearch" / "studies").iterdir()}
    assert shipped == {path.name for path in (ROOT / "studies").iterdir()}


def test_every_template_of_a_page_is_in_the_wheel(unpacked: Path) -> None:
    folders = (unpacked / "hpsearch" / "pages", ROOT / "hpsearch" / "pages")
    shipped, here = ({path.name for path in folder.glob("*.[jc]*")} for folder in folders)
    assert shipped == here
    assert {"study.html.j2", "page.css", "page.js"} <= shipped


def test_the_installed_wheel_runs_a_shipped_study_in_an_empty_folder(
    unpacked: Path, tmp_path: Path
) -> None:
    words = ["run", "--study", "cnn-digits", "--trials", "1", "--workers", "0", "--no-test"]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "hpsearch", *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(unpacked)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "cnn-digits: 1 trial finished" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


def test_the_study_file_in_the_readme_is_one() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        content = tomllib.loads(block)
        if content.get("data"):  # that table alone
            check_table(OwnImages, content["data"])
        elif ":" not in content["dataset"]:  # one's own is run by test_own_data
            parse_study(content, name="readme")


def test_the_tree_in_the_readme_names_what_there_is() -> None:
    tree = (ROOT / "README.md").read_text().split("## What is where")[1].split("```")[1]
    # a folder's line, then those of what is in it
    sections = dict(re.findall(r"^(\w+)/ .*\n((?:  .*\n)*)", tree, re.MULTILINE))
    named = set(re.findall(r"^  ([\w/.]+) ", sections["hpsearch"], re.MULTILINE))
    package = ROOT / "hpsearch"
    there = {f"{p.name}/" for p in package.iterdir() if p.is_dir() and p.name != "__pycache__"}
    there |= {path.name for path in package.glob("*.py") if not path.name.startswith("__")}
    assert named == there
    scripts = set(re.findall(r"[\w/.]+", tree.split("scripts/")[1].split("tests/")[0]))
    in_scripts = {path.name for path in (ROOT / "scripts").glob("[a-z]*")}
    assert in_scripts <= {name.strip("/") for name in scripts}


def test_no_version_is_pinned_to_an_address() -> None:
    lines = (ROOT / "scripts" / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert len(pins) > 20
    assert all(re.fullmatch(r"[\w.-]+==[\w.+!]+", pin) for pin in pins)
