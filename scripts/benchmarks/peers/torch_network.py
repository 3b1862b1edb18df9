"""The usual PyTorch training loop, which `torch_loop.py` and `ray_tune.py` share.

Written as in PyTorch's quickstart and Optuna's `pytorch_simple.py`: torchvision's Fashion-MNIST
with `ToTensor`, a shuffling DataLoader, `nn.Sequential`, Adam, a validation without gradients.
"""

import time
from collections.abc import Callable, Iterator

import torch
from common import TRAINING_IMAGES, WARM_UP_STEPS, Configuration, Machine, Trials
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset
from torchvision.datasets import FashionMNIST
from torchvision.transforms import ToTensor

Batches = DataLoader[tuple[Tensor, Tensor]]
Images = Dataset[tuple[Tensor, Tensor]]


def build_network(configuration: Configuration) -> nn.Sequential:
    """Build the layers; (B, 1, 28, 28) float images to (B, 10) logits."""
    layers: list[nn.Module] = []
    channels, size = 1, 28
    for conv in configuration.convolutions:
        layers += [
            nn.Conv2d(channels, conv.filters, conv.kernel, conv.stride, conv.kernel // 2),
            nn.ReLU(),
            nn.MaxPool2d(2, ceil_mode=True),
        ]
        channels = conv.filters
        size = -(-size // conv.stride)  # rounded up, as 'same' padding does
        size = -(-size // 2)
    layers.append(nn.Flatten())
    features = channels * size * size
    if configuration.model == "cnn":
        layers.append(nn.Dropout(configuration.dropout))
    for units in (*configuration.dense_units, 10):
        if configuration.model == "mlp":
            layers.append(nn.Dropout(configuration.dropout))
        layers += [nn.Linear(features, units), nn.ReLU()]
        features = units
    return nn.Sequential(*layers[:-1])  # logits: no ReLU after the output


def load_images(machine: Machine) -> Images:
    """Fashion-MNIST's 60,000 training images."""
    return FashionMNIST(machine.data_dir, train=True, transform=ToTensor())


def load_batches(images: Images, batch_size: int, machine: Machine, *, shuffle: bool) -> Batches:
    """Wrap a data set in a DataLoader."""
    return DataLoader(
        images,
        batch_size=batch_size,
        shuffle=shuffle,
        num_workers=machine.loader_workers,
        persistent_workers=machine.loader_workers > 0,
        pin_memory=machine.device == "cuda",
    )


def train_epochs(
    configuration: Configuration, trials: Trials, images: Images, machine: Machine
) -> Iterator[float]:
    """Train one configuration and yield its validation accuracy after each epoch."""
    batch_size = configuration.batch_size
    training = Subset(images, range(trials.num_images))
    validation = Subset(
        images, range(TRAINING_IMAGES, TRAINING_IMAGES + trials.num_validation_images)
    )
    training_batches = load_batches(training, batch_size, machine, shuffle=True)
    validation_batches = load_batches(validation, batch_size, machine, shuffle=False)
    network = build_network(configuration).to(machine.device)
    optimizer = torch.optim.Adam(network.parameters(), lr=configuration.learning_rate)
    for _ in range(trials.epochs):
        train(network, optimizer, training_batches, machine.device)
        yield accuracy(network, validation_batches, machine.device)


def train(
    network: nn.Module, optimizer: torch.optim.Optimizer, batches: Batches, device: str
) -> None:
    """Train one epoch."""
    network.train()
    for images, labels in batches:
        train_step(network, optimizer, images.to(device), labels.to(device))


def train_step(
    network: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, labels: Tensor
) -> None:
    """One step of gradient descent."""
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(network(images), labels)
    loss.backward()
    optimizer.step()


def accuracy(network: nn.Module, batches: Batches, device: str) -> float:
    """The share of images whose label is predicted."""
    network.eval()
    num_correct = num_images = 0
    with torch.no_grad():
        for images, labels in batches:
            predictions = network(images.to(device)).argmax(dim=1)
            num_correct += int((predictions == labels.to(device)).sum().item())
            num_images += len(labels)
    return num_correct / num_images


def measure_rate(
    configuration: Configuration, machine: Machine, seconds: float, meet: Callable[[], object]
) -> float:
    """Images a second of this process, over `seconds` of training after the warm-up.

    Args:
        meet: returns when all processes have warmed up.
    """
    images = load_images(machine)
    batches = load_batches(images, configuration.batch_size, machine, shuffle=True)
    network = build_network(configuration).to(machine.device)
    optimizer = torch.optim.Adam(network.parameters(), lr=configuration.learning_rate)
    network.train()
    steps = _steps(network, optimizer, batches, machine.device)
    for _ in range(WARM_UP_STEPS):
        next(steps)
    _synchronize(machine.device)
    meet()
    start, num_images = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        num_images += next(steps)
    _synchronize(machine.device)
    return num_images / (time.perf_counter() - start)


def _steps(
    network: nn.Module, optimizer: torch.optim.Optimizer, batches: Batches, device: str
) -> Iterator[int]:
    """Train epoch after epoch and yield the number of images of each step."""
    while True:
        for images, labels in batches:
            train_step(network, optimizer, images.to(device), labels.to(device))
            yield len(labels)


def _synchronize(device: str) -> None:
    """Wait for the steps that a GPU has yet to do."""
    if device == "cuda":
        torch.cuda.synchronize()
