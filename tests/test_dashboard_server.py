"""The dashboard as a user has it: `hpsearch dashboard` beside a `hpsearch run`, in a browser."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest
from browsers import chromium
from small_studies import run_small

from hpsearch.dashboard.plots import PLOTS
from hpsearch.home import Home
from hpsearch.studyparser import load_study_file

if TYPE_CHECKING:
    from playwright.sync_api import Page

DESCRIPTION = "Is <b>this</b> *plain* | text?"
STUDY = f"""
description = "{DESCRIPTION}"
dataset = "digits"
model = "mlp"
[training]
epochs = 20
subset = 300
[search]
sampler = "random"
pruner = "median"
trials = 8
[space]
learning_rate = {{ low = 1e-3, high = 1e-1, log = true }}
[final]
finalists = 1
seeds = 1
"""


@contextmanager
def hpsearch(*words: str, ends: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A command that goes on until it is asked to end."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([sys.executable, "-m", "hpsearch", *words], **quiet) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                status = process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
    if ends is not None:
        assert status == ends


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until(condition: Callable[[], bool], *, what: str) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


@contextmanager
def dashboard(home: Home) -> Iterator[str]:
    """The address of a dashboard on a home."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            urlopen(address, timeout=30).close()
        except OSError:
            return False
        return True

    with hpsearch("dashboard", "--home", str(home.root), "--port", str(port)):
        wait_until(answers, what="the dashboard does not answer")
        yield address


def asked(address: str) -> Any:
    """What the dashboard tells its page of the study."""
    with urlopen(f"{address}/api/studies/1", timeout=30) as answer:
        return json.load(answer)


@pytest.fixture
def study_file(home: Home, tmp_path: Path) -> Path:
    """The file of a study that was searched for eight trials and tested."""
    path = tmp_path / "small.toml"
    path.write_text(STUDY)
    run_small(load_study_file(path), home, test=True)
    return path


def test_a_dashboard_that_is_asked_all_the_time_ends_at_the_first_signal(
    study_file: Path, home: Home
) -> None:
    def ask(address: str, over: Event) -> None:
        while not over.is_set():
            with suppress(OSError, HTTPException):
                urlopen(f"{address}/api/studies/1", timeout=5).close()

    over = Event()
    asking = []
    try:
        with dashboard(home) as address:  # which waits for its end
            asking = [Thread(target=ask, args=(address, over)) for _ in range(3)]
            for thread in asking:
                thread.start()
            time.sleep(2)
    finally:
        over.set()
        for thread in asking:
            thread.join()


def test_the_dashboard_serves_the_study_with_its_note(study_file: Path, home: Home) -> None:
    with dashboard(home) as address:
        with urlopen(f"{address}/api/studies", timeout=30) as answer:
            studies = json.load(answer)["study_summaries"]
        assert [study["study_name"] for study in studies] == ["small"]
        assert "8 of 8 trials finished" in asked(address)["note"]["body"]


@pytest.fixture
def page() -> Iterator["Page"]:
    """A page of a browser that fails the test when it reports an error."""
    errors: list[str] = []
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        yield page
    assert errors == []


def test_a_browser_shows_all_of_a_study_that_is_running(
    page: "Page", study_file: Path, home: Home, tmp_path: Path
) -> None:
    run = ("run", "--study", str(study_file), "--home", str(home.root), "--trials", "100000")
    with dashboard(home) as address:
        with hpsearch(*run, "--workers", "1", "--no-test", ends=130):
            wait_until(
                lambda: "**Running, searching**" in asked(address)["note"]["body"],
                what="the run does not write its note",
            )
            see_the_study(page, address)
            page.screenshot(path=tmp_path / "study.png", full_page=True)
            see_the_note(page, address)
            page.screenshot(path=tmp_path / "note.png", full_page=True)
            see_a_trial(page, address)
            page.goto("about:blank")  # and asks a server that is ended for nothing
        note = asked(address)["note"]["body"]
        assert "**Interrupted** as of" in note
        assert "To carry on: `hpsearch run --study" in note


def see_the_study(page: "Page", address: str) -> None:
    page.goto(f"{address}/dashboard/studies/1")
    page.get_by_text("Best Trial (number=").wait_for()

    def shows_best() -> bool:  # which is another one every now and then
        best = max(t["values"][0] for t in asked(address)["trials"] if t["state"] == "Complete")
        return repr(best).removesuffix(".0") in page.inner_text("body").splitlines()

    wait_until(shows_best, what="the page does not show the best value")
    for name, (title, _) in PLOTS.items():
        plot = page.locator(f'[id="user-defined-plot:{name}"]')
        plot.locator("svg.main-svg").first.wait_for()
        assert plot.locator(".gtitle").text_content() == title
        assert plot.locator(".trace, .bars, .heatmaplayer image").count() > 0
    for name in ("winner-curves.svg", "winner-confusion.svg", "-seed-0.safetensors"):
        page.get_by_text(name).first.wait_for()
    # the two pictures are shown, not only listed
    page.wait_for_function(
        "() => [...document.images].filter(i => i.src.includes('/artifacts/') && i.naturalWidth)"
        ".length >= 2"
    )


def see_the_note(page: "Page", address: str) -> None:
    page.goto(f"{address}/dashboard/studies/1/note")
    page.get_by_text("Running, searching").wait_for()
    shown = page.inner_text("body")
    assert DESCRIPTION in shown
    assert "of 100,000 trials finished" in shown
    assert "Which MLP on scikit-learn digits has the best val_accuracy?" in shown
    assert "test: trial" in shown
    assert page.locator("table").count() == 3
    assert page.locator("table").first.locator("tbody tr").count() == 5


def see_a_trial(page: "Page", address: str) -> None:
    study = asked(address)
    trial = next(trial for trial in study["trials"] if trial["artifacts"])
    number, study_id = trial["number"], trial["study_id"]
    page.goto(f"{address}/dashboard/studies/{study_id}/trials?numbers={number}")
    page.get_by_text(f"trial-{number}-epochs.csv").wait_for()
    (csv,) = (a for a in trial["artifacts"] if a["filename"] == f"trial-{number}-epochs.csv")
    path = f"{address}/artifacts/{study_id}/{trial['trial_id']}/{csv['artifact_id']}"
    with urlopen(path, timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    assert lines[0].startswith("epoch,loss,accuracy,val_loss,val_accuracy,")
    assert len(lines) > 1
