"""A step recorded once as a CUDA graph and replayed: one launch instead of a hundred.

A small network's step on a GPU is bound by the launching of its kernels, not by their work.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from hpsearch.training.steps import Step

_WARM_UP_STEPS = 3  # choose algorithms and make workspaces, which a graph cannot

Work = Callable[[], Tensor]
Recorder = Callable[[Work], Work]


class CapturedStep:
    """Another step, recorded at its first batch's size; a smaller last batch is not replayed.

    The first steps run as they are: a recording runs nothing, so that the numbers are those of the
    other step. Images, labels, logits and the learning rate have tensors of their own, which every
    replay reads and writes.
    """

    def __init__(self, step: Step, *, device: torch.device, record: Recorder | None = None) -> None:
        self._step = step
        self._record = record or _record_graph
        self._rate = torch.zeros((), device=device)
        self._warm_up_left = _WARM_UP_STEPS
        self._images = self._labels = torch.empty(0, device=device)
        self._shape: torch.Size | None = None  # of the first batch
        self._replay: Work | None = None

    def __call__(self, images: Tensor, labels: Tensor, *, learning_rate: float | Tensor) -> Tensor:
        """Implements `steps.Step`."""
        if isinstance(learning_rate, Tensor):
            self._rate.copy_(learning_rate)
        else:
            self._rate.fill_(learning_rate)
        self._shape = self._shape or images.shape
        if self._warm_up_left or images.shape != self._shape:
            self._warm_up_left = max(0, self._warm_up_left - 1)
            return self._step(images, labels, learning_rate=self._rate)
        if self._replay is None:
            self._images, self._labels = images.clone(), labels.clone()
            self._replay = self._record(self._recorded)
        self._images.copy_(images)
        self._labels.copy_(labels)
        return self._replay().clone()  # the next replay writes there again

    def _recorded(self) -> Tensor:
        return self._step(self._images, self._labels, learning_rate=self._rate)


def _record_graph(work: Work) -> Work:
    """Record what work does to the current GPU; the result does it again."""
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph):
            result = work()
    except BaseException:
        _leave_recording()
        raise

    def replay() -> Tensor:
        graph.replay()
        return result

    return replay


def _leave_recording() -> None:
    """Give the current GPU's generator a new state: a failed recording leaves the old one in it.

    Otherwise every dropout after it fails. An epoch seeds the generator itself.
    """
    generator = torch.cuda.default_generators[torch.cuda.current_device()]
    generator.graphsafe_set_state(torch.Generator(device="cuda"))
