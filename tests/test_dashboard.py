import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from small_studies import run_small, small_study

from hpsearch.home import Home

CHROMIUM = shutil.which("chromium")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a dashboard on a home with one finished study, named `small`."""
    home = Home(tmp_path_factory.mktemp("dashboard"))
    run_small(small_study(), home)
    port = free_port()
    words = ["dashboard", "--home", str(home.root), "--port", str(port)]
    server = subprocess.Popen(
        [sys.executable, "-m", "hpsearch", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(address)
        yield address
    finally:
        server.terminate()
        server.wait()


def wait_for(address: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            urlopen(address).close()
            return
        except URLError:
            assert time.monotonic() < deadline, "the dashboard does not answer"
            time.sleep(0.1)


def test_the_dashboard_serves_the_study_with_its_best_value(page: str) -> None:
    with urlopen(f"{page}/api/studies") as answer:
        studies = json.load(answer)["study_summaries"]
    assert [study["study_name"] for study in studies] == ["small"]


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_a_browser_shows_the_study_and_its_best_trial(page: str, tmp_path: Path) -> None:
    assert CHROMIUM is not None
    quiet = "--disable-gpu --disable-quic --no-first-run --disable-background-networking"
    shown = subprocess.run(
        [
            CHROMIUM,
            *["--headless", "--no-sandbox", "--disable-component-update", "--disable-sync"],
            *quiet.split(),
            f"--user-data-dir={tmp_path / 'profile'}",
            "--virtual-time-budget=20000",
            "--dump-dom",
            f"{page}/dashboard/studies/1",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "small (id=1)" in shown.stdout
    assert "Best Trial" in shown.stdout
