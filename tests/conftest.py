"""What several tests need: the real data where there is some, and a home of their own."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsers import chromium
from command_line import SMALL, CommandLine
from databases import KINDS, home_of
from hypothesis import HealthCheck, settings

from hpsearch import cli
from hpsearch.home import Home

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# a busy machine is no failure; what a test's folder keeps from one example to the next is meant
settings.register_profile(
    "hpsearch",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("hpsearch")

DATA_DIR = os.environ.get("HPSEARCH_DATA")


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """PyTorch computes as in a worker: threads without a core of their own spin."""
    if torch := sys.modules.get("torch"):  # no test has to import it for this
        torch.set_num_threads(1)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty folder of results."""
    return Home(tmp_path / "runs")


@pytest.fixture(params=KINDS)
def any_home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Home]:
    """An empty folder of results, with a database of each kind that can hold studies."""
    with home_of(request.param, tmp_path / "runs") as home:
        yield home


@pytest.fixture
def data_dir() -> Path:
    """The real data sets; a test that needs them is skipped where there are none."""
    if DATA_DIR is None or not (Path(DATA_DIR) / "FashionMNIST").is_dir():
        pytest.skip("needs HPSEARCH_DATA to name a folder with MNIST and Fashion-MNIST")
    return Path(DATA_DIR)


@pytest.fixture
def hpsearch(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> CommandLine:
    """The command line in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HPSEARCH_HOME", raising=False)
    monkeypatch.delenv("HPSEARCH_DATA", raising=False)
    return CommandLine(monkeypatch, capsys)


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """A headless Chromium."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the small study, searched and tested."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "small.toml").write_text(SMALL)
    with pytest.MonkeyPatch.context() as monkeypatch:
        words = ["run", "--study", str(folder / "small.toml"), "--home", str(folder / "runs")]
        monkeypatch.setattr(sys, "argv", ["hpsearch", *words, "--workers", "0"])
        with pytest.raises(SystemExit) as exit_:
            cli.main()
    assert exit_.value.code == 0
    return folder
