"""What is computed once and shared by all visitors. Never change what `cache_resource` returns.

A Path in a cache key stands for its file as it is now (`FILE_VERSION`): a changed file gives a new entry. Some of these
are looked up at every stroke, so a lookup must stay below 0.2 ms. Streamlit's own hash of a Path takes longer.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.charts import digits as digit_charts
from mnist_core.charts import runs as run_charts
from mnist_core.charts.common import encode_png
from mnist_core.config import mnist_path, runs_dir
from mnist_core.data.augmentation import AUGMENTATIONS, augment
from mnist_core.data.mnist import DATA_SETS, Mnist, load_mnist, locate_mnist, mnist_available
from mnist_core.data.splits import split_mnist, uncenter_test_images
from mnist_core.errors import DataError, DigitLabError, RunError
from mnist_core.files.leftovers import delete_leftovers
from mnist_core.jobs import routing
from mnist_core.jobs.backend import JobBackend
from mnist_core.jobs.local import LocalBackend
from mnist_core.jobs.routing import RoutingBackend
from mnist_core.models.classifier import Classifier
from mnist_core.processes import cpu_count
from mnist_core.runs import comparison, history, reports
from mnist_core.runs.disk_space import Usage, measure_usage
from mnist_core.runs.probes import ProbeGrid, read_probe_grid
from mnist_core.runs.run import Run
from mnist_core.runs.store import list_runs
from mnist_core.sweeps import folding
from mnist_core.training import expected_time
from pages.ui.shared import state


def modified_ns(path: Path) -> int:
    """When a file or folder was last modified, in nanoseconds; 0 if it does not exist."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _file_version(path: Path) -> tuple[str, int]:
    return str(path), modified_ns(path)


FILE_VERSION: dict[str | type, Callable[[Any], Any]] = {type(Path()): _file_version}
"""`hash_funcs` for a function whose result depends on a file."""
FOR_TWO_SECONDS: dict[str | type, Callable[[Any], Any]] = {
    type(Path()): lambda path: (*_file_version(path), time.monotonic() // 2)
}
"""`hash_funcs` for a function whose result also depends on files further down. With `ttl`, Streamlit raises a KeyError
if the result expires between its two looks at the clock."""


def backend() -> JobBackend:
    """The job backend for what this session starts: the server's queue, or its cluster."""
    both = _server_backend()
    return both.on_this_machine if isinstance(both, RoutingBackend) and st.session_state.get(state.TRAIN_HERE) else both


def cluster_backend() -> RoutingBackend | None:
    """The cluster, together with this machine; None if none is configured."""
    both = _server_backend()
    return both if isinstance(both, RoutingBackend) else None


def start_backend() -> None:
    """Makes the job backend, which continues the queue of an earlier server, whichever page is opened first."""
    with contextlib.suppress(DigitLabError):  # an invalid setting: the pages that need the backend show it
        _server_backend()


@st.cache_resource(show_spinner=False)
def _server_backend() -> LocalBackend | RoutingBackend:
    """The server's only backend. It adopts the runs that an earlier server left, and deletes its half-written files."""
    delete_leftovers(runs_dir(), subfolders=True)
    local = LocalBackend()
    made = RoutingBackend(routing.cluster_backend(), local) if routing.default_backend() == "ray" else local
    made.adopt(reversed(list_runs()))
    return made


@st.cache_resource(show_spinner=False, max_entries=20, hash_funcs=FILE_VERSION)
def classifier(path: Path) -> Classifier:
    """Loads a model file. Raises ModelError if it is missing or broken."""
    return Classifier(path)


@st.cache_resource(show_spinner=False, max_entries=4, hash_funcs=FOR_TWO_SECONDS)
def model_cards(root: Path) -> dict[str, dict[str, object]]:
    """Run id -> card, of every run in a folder that has a model, newest first."""
    with_model = [run for run in list_runs(root) if run.has_model]
    return {run.id: card for run in with_model if (card := _card(run)) is not None}


def _card(run: Run) -> dict[str, object] | None:
    """The card of a run; None if the run was deleted a moment ago."""
    try:
        found = (run.path / "card.json").stat()
    except OSError:
        return None
    return _read_card(run, found.st_mtime_ns, found.st_ino)


@lru_cache(maxsize=2000)
def _read_card(run: Run, modified: int, inode: int) -> dict[str, object]:
    return run.card()


@st.cache_data(show_spinner=False, max_entries=4, hash_funcs=FOR_TWO_SECONDS)
def run_history(root: Path) -> list[dict[str, Any]]:
    """A row for every run in a folder, newest first."""
    return history.history_rows(root)


@st.cache_resource(show_spinner=False, max_entries=4, hash_funcs=FOR_TWO_SECONDS)
def model_rows(root: Path) -> dict[str, dict[str, Any]]:
    """Run id -> row of the history, of every run in a folder that has a model, newest first."""
    return {row["run"]: row for row in run_history(root) if Run(root / row["run"]).has_model}


@st.cache_resource(show_spinner=False, max_entries=4, hash_funcs=FOR_TWO_SECONDS)
def sweep_heads(root: Path) -> dict[str, folding.SweepHead]:
    """Title, state and best run of every sweep in a folder, newest first."""
    return folding.sweep_heads(root)


@st.cache_resource(show_spinner=False, max_entries=4, hash_funcs=FOR_TWO_SECONDS)
def disk_usage(root: Path) -> Usage:
    """The disk space of all runs in a folder."""
    return measure_usage(root)


def clear_run_caches() -> None:
    """Forgets the lists of runs. Call it after a page has changed a run."""
    run_history.clear()
    model_cards.clear()
    model_rows.clear()
    sweep_heads.clear()
    disk_usage.clear()


@st.cache_data(show_spinner=False, ttl=60)
def machine_slowness() -> float:
    """How slow this machine is, see `expected_time.measure_slowness`."""
    return expected_time.measure_slowness()


def _steps_per_epoch(run: Run) -> float:
    status = run.status()
    return status.steps / max(status.epochs, 1)


def _reports_version(run: Run) -> tuple[str, int, int, float]:
    try:
        found = (run.path / "metrics.jsonl").stat()
    except OSError:
        return str(run.path), 0, 0, 0.0
    return str(run.path), found.st_ino, found.st_size, _steps_per_epoch(run)


@st.cache_resource(show_spinner=False, max_entries=20, hash_funcs={Run: _reports_version})
def comparable_reports(run: Run) -> list[dict[str, float]]:
    """The reports of a run as `reports.chart_rows` returns them."""
    return reports.chart_rows(run.sampled_metrics().rows, _steps_per_epoch(run))


@st.cache_resource(show_spinner=False, max_entries=20, hash_funcs={Run: _reports_version})
def live_changes(run: Run) -> comparison.LiveChanges:
    """What the user changed while a run trained; nothing if its reports cannot be read."""
    try:
        return comparison.live_changes(run.sampled_metrics().rows)
    except RunError:
        return {}


def learning_curve(run: Run, rows: Sequence[Mapping[str, Any]], measure: str, steps_per_epoch: float) -> dict[str, Any]:
    """The chart of a run's loss or accuracy, rendered once for everyone who watches the run.

    Args:
        run: whose reports they are.
        rows: its reports, at least one.
        measure: `loss` or `accuracy`.
        steps_per_epoch: to show epochs instead of steps.
    """
    key = f"{run.path} {len(rows)} {rows[-1]} {measure} {steps_per_epoch}"
    return rendered_chart(key, lambda: run_charts.training_curve(rows, measure, steps_per_epoch))


@st.cache_resource(show_spinner=False, max_entries=100)
def rendered_chart(key: str, _draw: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A Vega-Lite specification with all of its data as Arrow tables in `["datasets"]`.

    None of it may be in `["data"]`: Streamlit would write those rows into the dataset of another layer.

    Args:
        key: must contain everything that the chart depends on.
        _draw: returns the specification with its rows in `["datasets"]`. Not part of the cache key.
    """
    import pyarrow  # heavy; Streamlit too imports it with the first chart

    specification = _draw()
    datasets = specification["datasets"].items()
    return {**specification, "datasets": {name: pyarrow.Table.from_pylist(rows) for name, rows in datasets}}


def _grid_version(run: Run) -> tuple[str, int]:
    return _file_version(run.path / "wall.npz")


@st.cache_resource(show_spinner=False, max_entries=20, hash_funcs={Run: _grid_version})
def probe_grid(run: Run) -> ProbeGrid | None:
    """The probe grid of a run; None if its worker has not written it yet."""
    return read_probe_grid(run)


@st.cache_resource(show_spinner=False, max_entries=50, hash_funcs={Run: _grid_version})
def probe_grid_png(run: Run, predicted: str, columns: int) -> bytes:
    """The probe grid of a run as a PNG.

    Args:
        run: has a probe grid.
        predicted: one character for each digit, as `probes.grid_history` returns them.
        columns: digits in a row.
    """
    grid = probe_grid(run)
    assert grid is not None
    return encode_png(digit_charts.digit_grid(grid.images, grid.labels, predicted, columns))


@st.cache_resource(show_spinner="Loading the images …", max_entries=2)
def mnist(choice: str) -> Mnist:
    """Loads one of DATA_SETS. Raises DataError for anything else: no page opens a path that a run names."""
    if choice not in DATA_SETS:
        raise DataError(
            "This run was trained on its own data file, which pages cannot open. Set DIGITLAB_MNIST to that file to "
            "use it everywhere, or use the command line."
        )
    return load_mnist(choice)


def available_dataset() -> str:
    """`full` if the full MNIST is on this computer, else `sample`. Downloads nothing."""
    return "full" if mnist_available() else "sample"


def custom_dataset() -> str:
    """Name of the file in DIGITLAB_MNIST, which `full` stands for, if it is not the full MNIST; otherwise empty."""
    path = mnist_path()
    return "" if path is None or _is_full_mnist(path) else path.name


@st.cache_data(show_spinner=False, max_entries=4, hash_funcs=FILE_VERSION)
def _is_full_mnist(path: Path) -> bool:
    return locate_mnist() == path


def dataset_titles() -> dict[str, str]:
    """Data set -> its name on the page."""
    custom = custom_dataset()
    full = f"{custom}, set by DIGITLAB_MNIST" if custom else "MNIST, all 70,000 digits"
    return {"full": full, "sample": "offline sample, 5,000 digits"}


@st.cache_data(show_spinner=False)
def augmented_digits(name: str, count: int) -> NDArray[np.uint8]:
    """The first training digits of the offline sample, augmented as in training: (count, 28, 28) uint8, ink bright."""
    images, augmentation = mnist("sample").x_train[:count], AUGMENTATIONS[name]
    return images if augmentation is None else augment(images, augmentation, np.random.default_rng(0))


@st.cache_resource(show_spinner=False, max_entries=4)
def test_images(choice: str, split: str, uncentered: bool) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The test images (N, size, size) uint8 and labels (N,) uint8 of a data set under one of its splits."""
    parts = split_mnist(mnist(choice), split)
    return uncenter_test_images(parts) if uncentered else parts.x_test, parts.y_test


@st.cache_resource(show_spinner="Classifying all images (only once) …", max_entries=12, hash_funcs=FILE_VERSION)
def predictions(path: Path, choice: str, part: str) -> NDArray[np.float32]:
    """A model's probabilities for a whole data set, (N, C) float32.

    Args:
        path: of the model.
        choice: of the data set.
        part: `train` or `test`.
    """
    data = mnist(choice)
    return Classifier(path, cpu_count()).probabilities(data.x_train if part == "train" else data.x_test)
