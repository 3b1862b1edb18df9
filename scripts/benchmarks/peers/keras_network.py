"""The usual Keras training: float32 arrays, `compile` with its defaults, `fit`.

Imported by each process of `keras_fit.py` for itself, after TensorFlow's environment is set.
"""

import time
from collections.abc import Callable
from pathlib import Path

import common
import keras
import numpy as np
import tensorflow as tf
from common import TRAINING_IMAGES, WARM_UP_STEPS, Configuration, Machine, Trials
from keras import layers
from numpy.typing import NDArray

_ENDLESS = 1_000_000  # epochs; a callback ends the training


def set_up(machine: Machine) -> None:
    """Limit TensorFlow to the threads and the device asked for."""
    tf.config.threading.set_intra_op_parallelism_threads(machine.threads)
    tf.config.threading.set_inter_op_parallelism_threads(machine.threads)
    if machine.device == "cpu":
        tf.config.set_visible_devices([], "GPU")
        return
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        raise RuntimeError("TensorFlow sees no GPU (tensorflow-cpu never does)")
    for gpu in gpus:  # or else the first process would take all of the memory
        tf.config.experimental.set_memory_growth(gpu, True)


def load_images(data_dir: Path) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Fashion-MNIST's 60,000 training images, (B, 28, 28, 1) in 0 to 1, and their labels."""
    folder = data_dir / "FashionMNIST" / "raw"
    images = common.read_idx(folder / "train-images-idx3-ubyte")
    labels = common.read_idx(folder / "train-labels-idx1-ubyte")
    return images[..., np.newaxis].astype(np.float32) / 255, labels


def build_model(configuration: Configuration) -> keras.Model:
    """Build and compile a model."""
    stack: list[keras.layers.Layer] = [layers.Input((28, 28, 1))]
    for conv in configuration.convolutions:
        stack += [
            layers.Conv2D(
                conv.filters, conv.kernel, conv.stride, padding="same", activation="relu"
            ),
            layers.MaxPooling2D(2, padding="same"),
        ]
    stack.append(layers.Flatten())
    if configuration.model == "cnn":
        stack.append(layers.Dropout(configuration.dropout))
    for units in configuration.dense_units:
        if configuration.model == "mlp":
            stack.append(layers.Dropout(configuration.dropout))
        stack.append(layers.Dense(units, activation="relu"))
    if configuration.model == "mlp":
        stack.append(layers.Dropout(configuration.dropout))
    stack.append(layers.Dense(10, activation="softmax"))
    model = keras.Sequential(stack)
    model.compile(
        optimizer=keras.optimizers.Adam(configuration.learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def train(
    configuration: Configuration,
    trials: Trials,
    images: NDArray[np.float32],
    labels: NDArray[np.uint8],
) -> float:
    """Train one configuration and return its best validation accuracy."""
    keras.utils.clear_session()  # the former trial's graph
    end = TRAINING_IMAGES + trials.num_validation_images
    history = build_model(configuration).fit(
        images[: trials.num_images],
        labels[: trials.num_images],
        batch_size=configuration.batch_size,
        epochs=trials.epochs,
        validation_data=(images[TRAINING_IMAGES:end], labels[TRAINING_IMAGES:end]),
        verbose=0,
    )
    return float(max(history.history["val_accuracy"]))


class Window(keras.callbacks.Callback):
    """Counts the images of the steps within some seconds after the warm-up, then ends `fit`."""

    def __init__(self, seconds: float, batch_size: int, meet: Callable[[], object]) -> None:
        super().__init__()
        self._seconds, self._batch_size, self._meet = seconds, batch_size, meet
        self._num_steps = 0
        self._start = 0.0
        self.images_per_s = 0.0

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        """Count a step; all have the full batch but an epoch's last, which counts as full."""
        self._num_steps += 1
        if self._num_steps == WARM_UP_STEPS:
            self._meet()
            self._start = time.perf_counter()
        if self._num_steps <= WARM_UP_STEPS:
            return
        duration_s = time.perf_counter() - self._start
        if duration_s >= self._seconds:
            steps = self._num_steps - WARM_UP_STEPS
            self.images_per_s = steps * self._batch_size / duration_s
            self.model.stop_training = True


def measure_rate(
    configuration: Configuration, machine: Machine, seconds: float, meet: Callable[[], object]
) -> float:
    """Images a second of this process, over `seconds` of training after the warm-up.

    Args:
        meet: returns when all processes have warmed up.
    """
    images, labels = load_images(machine.data_dir)
    window = Window(seconds, configuration.batch_size, meet)
    build_model(configuration).fit(
        images,
        labels,
        batch_size=configuration.batch_size,
        epochs=_ENDLESS,
        callbacks=[window],
        verbose=0,
    )
    return window.images_per_s
