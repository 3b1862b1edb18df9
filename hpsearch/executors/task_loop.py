"""What a worker process does: tasks from a connection, one after the other, and events back.

It knows nothing of Optuna or of the database. When the connection breaks, because the search is
gone however it died, the process ends at once.
"""

import os
import queue
import threading
from multiprocessing.connection import Connection

from hpsearch.data.tensors import DataCache
from hpsearch.executors.messages import (
    Answer,
    Command,
    EpochFinished,
    Event,
    Ready,
    Task,
    TrainingPaused,
)
from hpsearch.executors.task_run import TaskRun
from hpsearch.training.device import prepare_device

# A worker waits for an answer to an epoch at most this share of the epoch's time, then goes on:
# long epochs are not trained in vain, short ones are not held up.
_ANSWER_SHARE = 0.05
_ORPHANED = 1


class TaskLoop:
    """The worker's side of the connection."""

    def __init__(self, connection: Connection, *, device: str) -> None:
        self._connection = connection
        self._device = prepare_device(device)
        self._inbox: queue.Queue[Task | Command] = queue.Queue()
        self._data = DataCache(self._device)

    def run(self) -> None:
        """Do tasks until the connection ends."""
        threading.Thread(target=self._receive, daemon=True).start()
        self._send(Ready())
        while True:
            message = self._inbox.get()
            if isinstance(message, Task):  # an answer that came after its task's end is void
                self._do(message)

    def _receive(self) -> None:
        """Fill the inbox; a broken connection means that nobody waits for this process."""
        while True:
            try:
                self._inbox.put(self._connection.recv())
            except (EOFError, OSError):
                os._exit(_ORPHANED)

    def _send(self, event: Event | Ready) -> None:
        """Send to the search; without it there is no more to do, and nobody to tell."""
        try:
            self._connection.send(event)
        except OSError:
            os._exit(_ORPHANED)

    def _do(self, task: Task) -> None:
        run = TaskRun(task, self._data, device=self._device)
        for event in run.events():
            self._send(event)
            if not isinstance(event, EpochFinished):
                continue
            answer = self._answer(wait_s=_ANSWER_SHARE * event.metrics.duration_s)
            if answer == "pause":
                last_words: list[Event] = [*run.save_checkpoint(), TrainingPaused(task.key)]
                for last in last_words:
                    self._send(last)
            if answer != "continue":
                return

    def _answer(self, *, wait_s: float) -> Answer:
        """The gravest of the answers that are in, waiting a little for the first."""
        answer: Answer = "continue"
        while True:
            try:
                message = self._inbox.get(timeout=wait_s)
            except queue.Empty:
                return answer
            assert isinstance(message, Command), "a task for a worker that has one"
            if message.answer != "continue":
                return message.answer
            wait_s = 0.0
