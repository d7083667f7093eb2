"""Weights are read only if the file has those of the network."""

from __future__ import annotations

import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
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


def put_nan(dense: Any) -> None:
    dense["vars/0"], dense["vars/1"] = np.full((784, 10), np.nan, np.float32), np.zeros(10, np.float32)


def put_group(dense: Any) -> None:
    dense.create_group("vars/0")


def put_array(dense: Any) -> None:
    dense["vars"] = np.zeros(3, np.float32)


def put_kernel(*shape: int) -> Callable[[Any], None]:
    def put(dense: Any) -> None:
        dense["vars/0"], dense["vars/1"] = np.ones(shape, np.float32), np.zeros(10, np.float32)

    return put


@pytest.mark.parametrize(
    ("put", "message"),
    [
        (put_kernel(10, 784), r"weights of shape \(10, 784\) and \(10,\), expected \(784, 10\) and \(10,\)"),
        (put_kernel(7840), r"weights of shape \(7840,\) and \(10,\), expected"),
        (put_group, "0 is a Group, expected a Dataset"),
        (put_nan, "not a finite number"),
        (put_array, "vars is a Dataset, expected a Group"),
    ],
)
def test_arrays_of_another_shape_or_kind_are_refused(put: Callable[[Any], None], message: str, tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "model.weights.h5", "w") as file:
        put(file.create_group("layers/dense"))
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        archive.write(tmp_path / "model.weights.h5", "model.weights.h5")
    with pytest.raises(ModelError, match=message):
        layer_weights(tmp_path / "model.keras", Architecture((Flatten(), Dense(10, "softmax"))))
