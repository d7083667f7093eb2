"""A PyTorch recipe for the network of `fast` on CPUs, for benchmarks/seconds_to_99.py. Needs torch.

All images become floats once, `channels_last`, before the first step; threads are the cores; Adam is the fused one; and
OneCycleLR keeps `cycle_momentum`, which lowers β₁ while the rate rises. BATCH, PEAK and MOMENTA are a first guess:
`python benchmarks/seconds_to_99.py --tune` looks for better ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

BATCH, PEAK, MOMENTA = 256, 0.01, (0.7, 0.9)
"""Images per step, peak learning rate, and the lowest and the highest β₁."""


@dataclass(frozen=True)
class Recipe:
    """What can be tuned."""

    batch: int = BATCH
    peak: float = PEAK
    momenta: tuple[float, float] | None = MOMENTA
    """Lowest and highest β₁; None: it stays at 0.7."""


def network() -> nn.Module:
    """That of the recipe `fast`: 215,194 parameters."""
    return nn.Sequential(
        nn.Conv2d(1, 24, 5),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Conv2d(24, 32, 3),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(800, 256),
        nn.ReLU(),
        nn.Linear(256, 10),
    )


def train(images: Any, labels: Any, epochs: int, seed: int, threads: int, recipe: Recipe) -> nn.Module:
    """Trains on (N, 28, 28) uint8 images and (N,) uint8 labels, both arrays of NumPy."""
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    pixels = torch.from_numpy(images)[:, None].float().div_(255).to(memory_format=torch.channels_last)
    targets = torch.from_numpy(labels).long()
    model = network().to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=recipe.peak, betas=(0.7, 0.9), fused=True)
    cycle: dict[str, Any] = {"cycle_momentum": False}
    if recipe.momenta is not None:
        cycle = {"base_momentum": recipe.momenta[0], "max_momentum": recipe.momenta[1]}
    steps = epochs * -(-len(labels) // recipe.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=recipe.peak, total_steps=steps, **cycle)
    for _ in range(epochs):
        for chosen in torch.randperm(len(labels)).split(recipe.batch):
            loss = nn.functional.cross_entropy(model(pixels[chosen]), targets[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model


def accuracy(model: nn.Module, images: Any, labels: Any) -> float:
    """The share of (N, 28, 28) uint8 images that the model reads right, 0..1."""
    with torch.no_grad():
        pixels = torch.from_numpy(images)[:, None].float().div_(255)
        read = torch.cat([model(batch).argmax(1) for batch in pixels.split(1000)])
    return float((read == torch.from_numpy(labels)).float().mean())
