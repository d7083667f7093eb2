"""Weights are read only if the file has as many as the network."""

from __future__ import annotations

import tracemalloc
import zipfile
from pathlib import Path

import pytest

from mnist_core.errors import ModelError
from mnist_core.models.weights import layer_weights
from mnist_core.networks.architecture import Architecture
from mnist_core.networks.layers import Dense, Flatten


def test_arrays_that_are_only_declared_cost_nothing(tmp_path: Path) -> None:
    """D3: a file of 6 kB whose arrays are filled from one value took 742 MB to 4 GB."""
    import h5py

    with h5py.File(tmp_path / "model.weights.h5", "w") as file:
        for number in range(6):
            file.create_dataset(f"layers/dense/vars/{number}", (20_000_000,), "f4", fillvalue=1.0)
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        archive.write(tmp_path / "model.weights.h5", "model.weights.h5")
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match="has 120,000,000 weights, expected 7,850"):
            layer_weights(tmp_path / "model.keras", Architecture((Flatten(), Dense(10, "softmax"))))
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()
