"""Measures how fast this machine trains: `python -m mnist_core.training.time_probes THREADS`.

Each probe is a small network, trained like a run for a few tenths of a second. Together they contain every kind of work
in several proportions, so that the cost of each kind can be told apart.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np

from mnist_core.data.splits import Split
from mnist_core.limits import limited
from mnist_core.networks.layers import (
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Layer,
    MaxPooling2D,
    ReLU,
    Rescaling,
)
from mnist_core.processes import lower_priority
from mnist_core.recipes.settings import Settings
from mnist_core.training import loop, time_model
from mnist_core.training.model import make_model

MEASURED_SECONDS = 0.3
"""Training time of each probe that is measured."""
SKIPPED_REPORTS = 4
"""Reports that are not measured: the first builds the graph, and the next are short."""
IMAGES = 400_000
"""Training images of a probe, all the same one in memory: enough that no epoch ends while it is measured."""

_RESCALING, _OUTPUT = Rescaling(1 / 255), Dense(10, "softmax")


def _probe(batch_size: int, *layers: Layer, **changes: Any) -> Settings:
    return Settings((*layers, _OUTPUT), batch_size=batch_size, epochs=1, **changes)


def _conv(filters: int, kernel_size: int, strides: int = 1) -> Conv2D:
    return Conv2D(filters, kernel_size, strides, activation="relu")


PROBES = (
    _probe(32, Flatten(), Dense(64, "relu")),
    _probe(32, Flatten(), *[Dense(64, "relu")] * 6),
    _probe(200, _RESCALING, Flatten(), Dense(800, "relu")),
    _probe(1024, _RESCALING, Flatten(), Dense(512, "relu"), Dense(256, "relu")),
    _probe(512, _RESCALING, Flatten(), Dense(512, "relu"), uncentered=True),
    _probe(64, _RESCALING, _conv(32, 3), MaxPooling2D(), _conv(64, 3), MaxPooling2D(), Flatten(), Dense(64, "relu")),
    _probe(256, _RESCALING, _conv(16, 5), MaxPooling2D(), _conv(32, 3), GlobalAveragePooling2D()),
    _probe(128, _conv(32, 3), _conv(32, 3, 2), _conv(64, 3), GlobalAveragePooling2D()),
    _probe(200, _RESCALING, _conv(32, 5), MaxPooling2D(), Dropout(0.2), Flatten(), Dense(128, "relu")),
    _probe(
        128,
        _RESCALING,
        Conv2D(24, 3, use_bias=False),
        BatchNormalization(),
        ReLU(),
        Conv2D(24, 3, use_bias=False),
        BatchNormalization(),
        ReLU(),
        MaxPooling2D(),
        GlobalAveragePooling2D(),
    ),
    _probe(
        128,
        _RESCALING,
        _conv(32, 3),
        MaxPooling2D(),
        _conv(64, 3),
        MaxPooling2D(),
        _conv(64, 3),
        Flatten(),
        uncentered=True,
    ),
    _probe(128, _RESCALING, _conv(8, 3), DepthwiseConv2D(5, activation="relu"), AveragePooling2D(2), Flatten()),
    _probe(128, _RESCALING, Flatten(), Dense(64, "relu"), augmentation="hand"),
)
"""Settings whose steps are measured."""


def step_seconds(settings: Settings) -> float:
    """Measures the mean seconds of a step with these settings."""
    size = settings.architecture.input_size
    generator = np.random.default_rng(0)
    images = np.broadcast_to(generator.integers(0, 256, (size, size), np.uint8), (IMAGES, size, size))
    # Noise: what is learned well gets denormal gradients, which are slow.
    labels = generator.integers(0, 10, IMAGES, np.uint8)
    split = Split(images, labels, images[:1], labels[:1], images[:1], labels[:1])
    reports = loop.train(make_model(settings, 0), replace(settings, epochs=1), split, 0)
    seconds, images_trained = 0.0, 0
    for report in islice(reports, SKIPPED_REPORTS, None):
        seconds, images_trained = seconds + report.seconds, images_trained + report.images
        if seconds >= MEASURED_SECONDS:
            break
    reports.close()  # type: ignore[attr-defined]
    return seconds * settings.batch_size / images_trained


def main(arguments: list[str]) -> int:
    """Measures all PROBES and saves the fitted time model. Returns the exit status."""
    measured = [(settings, step_seconds(settings)) for settings in PROBES]
    time_model.save_time_model(time_model.fit_time_model(measured, int(arguments[0])))
    return 0


if __name__ == "__main__":
    lower_priority()  # as a training has
    with limited():
        sys.exit(main(sys.argv[1:]))
